/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux's drm_sched, as bench's sched.rs calls it: entities of one scheduler, jobs that end as soon
 * as they are run.
 */
#include "drivers/gpu/drm/scheduler/sched_main.c"

struct task_struct peer_task = { .group_leader = &peer_task };
bool peer_would_wait;
extern int peer_init_drm_sched_fence_slab_init(void);

struct peer_job { struct drm_sched_job base; };

static u64 freed;

static struct dma_fence *run_job(struct drm_sched_job *job) { return NULL; }
static void free_job(struct drm_sched_job *job)
{
	drm_sched_job_cleanup(job);
	free(container_of(job, struct peer_job, base));
	freed++;
}

static const struct drm_sched_backend_ops ops = { .run_job = run_job, .free_job = free_job };

struct peer_sched {
	struct drm_gpu_scheduler sched;
	int count;
	struct drm_sched_entity entities[];
};

PEER void *peer_sched_new(int entities)
{
	static bool once;
	struct peer_sched *s = calloc(1, sizeof(*s) + entities * sizeof(s->entities[0]));
	struct drm_gpu_scheduler *list[] = { s ? &s->sched : NULL };
	struct drm_sched_init_args args = {
		.ops = &ops, .credit_limit = 2, .timeout = 500, .name = "peer",
	};
	if (!s || (!once && peer_init_drm_sched_fence_slab_init()) ||
	    drm_sched_init(&s->sched, &args))
		return NULL;
	once = true;
	for (s->count = 0; s->count < entities; s->count++)
		if (drm_sched_entity_init(&s->entities[s->count], DRM_SCHED_PRIORITY_NORMAL, list,
					  1, NULL))
			return NULL;
	return s;
}

PEER int peer_push(void *sched, int entity)
{
	struct peer_sched *s = sched;
	struct peer_job *job = malloc(sizeof(*job));
	if (!job || drm_sched_job_init(&job->base, &s->entities[entity], NULL))
		return -ENOMEM;
	drm_sched_job_arm(&job->base);
	drm_sched_entity_push_job(&job->base);
	return 0;
}

/*
 * Lets the scheduler's thread run until it would sleep; returns how many jobs have been freed so
 * far.
 */
PEER u64 peer_run(void *sched)
{
	struct peer_sched *s = sched;
	peer_would_wait = false;
	drm_sched_main(&s->sched);
	return freed;
}

PEER void peer_sched_free(void *sched)
{
	struct peer_sched *s = sched;
	for (int i = 0; i < s->count; i++)
		drm_sched_entity_fini(&s->entities[i]);
	drm_sched_fini(&s->sched);
	free(s);
}
