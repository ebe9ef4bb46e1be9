/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Tasks: taskqueue(9), with one thread per queue and a callout per task.
 */
#include "drm_glue.h"

#include <sys/priority.h>
#include <sys/taskqueue.h>
#include <sys/time.h>

struct drm_os_taskqueue {
	struct taskqueue *tq;
};

struct drm_os_task {
	struct timeout_task task;
	struct taskqueue *tq;
	drm_os_task_fn	*fn;
	void		*arg;
};

int
drm_os_taskqueue_create(struct drm_os *os __unused, const char *name,
    uint32_t urgency, struct drm_os_taskqueue **tqp)
{
	struct drm_os_taskqueue *tq;
	int error, pri;

	/* At PUSER the scheduler treats the thread as one of a user. */
	pri = urgency == DRM_OS_QUEUE_BACKGROUND ? PUSER : PWAIT;

	tq = malloc(sizeof(*tq), M_DRM, M_WAITOK | M_ZERO);
	/* The queue keeps the address of tq->tq. */
	tq->tq = taskqueue_create(name, M_WAITOK, taskqueue_thread_enqueue,
	    &tq->tq);
	error = taskqueue_start_threads(&tq->tq, 1, pri, "%s", name);
	if (error != 0) {
		taskqueue_free(tq->tq);
		free(tq, M_DRM);
		return (error);
	}
	*tqp = tq;
	return (0);
}

void
drm_os_taskqueue_destroy(struct drm_os_taskqueue *tq)
{

	taskqueue_free(tq->tq);
	free(tq, M_DRM);
}

static void
task_run(void *arg, int pending __unused)
{
	struct drm_os_task *task = arg;

	task->fn(task->arg);
}

int
drm_os_task_create(struct drm_os_taskqueue *tq, drm_os_task_fn *fn, void *arg,
    struct drm_os_task **taskp)
{
	struct drm_os_task *task;

	task = malloc(sizeof(*task), M_DRM, M_WAITOK | M_ZERO);
	task->tq = tq->tq;
	task->fn = fn;
	task->arg = arg;
	TIMEOUT_TASK_INIT(task->tq, &task->task, 0, task_run, task);
	*taskp = task;
	return (0);
}

void
drm_os_task_destroy(struct drm_os_task *task)
{

	drm_os_task_cancel(task);
	drm_os_task_drain(task);
	free(task, M_DRM);
}

void
drm_os_task_enqueue(struct drm_os_task *task)
{

	taskqueue_enqueue(task->tq, &task->task.t);
}

void
drm_os_task_enqueue_at(struct drm_os_task *task, uint64_t when)
{
	const uint64_t max = (uint64_t)(SBT_MAX / SBT_1S - 1) * 1000000000;

	taskqueue_enqueue_timeout_sbt(task->tq, &task->task,
	    nstosbt(MIN(when, max)) + 1, 0, C_ABSOLUTE);
}

void
drm_os_task_cancel(struct drm_os_task *task)
{

	(void)taskqueue_cancel_timeout(task->tq, &task->task, NULL);
}

void
drm_os_task_drain(struct drm_os_task *task)
{

	taskqueue_drain_timeout(task->tq, &task->task);
}
