/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Locks and condition variables: mtx(9), sx(9), condvar(9).
 */
#include "drm_glue.h"

#include <sys/time.h>

struct drm_os_sx {
	struct sx	 sx;
};

int
drm_os_mtx_create(struct drm_os *os __unused, const char *name,
    struct drm_os_mtx **mtxp)
{
	struct drm_os_mtx *mtx;

	mtx = malloc(sizeof(*mtx), M_DRM, M_NOWAIT | M_ZERO);
	if (mtx == NULL)
		return (ENOMEM);
	/* Locks with the same name are nested in a fixed order, if at all. */
	mtx_init(&mtx->m, name, NULL, MTX_DEF);
	*mtxp = mtx;
	return (0);
}

void
drm_os_mtx_destroy(struct drm_os_mtx *mtx)
{

	mtx_destroy(&mtx->m);
	free(mtx, M_DRM);
}

void
drm_os_mtx_lock(struct drm_os_mtx *mtx)
{

	mtx_lock(&mtx->m);
}

void
drm_os_mtx_unlock(struct drm_os_mtx *mtx)
{

	mtx_unlock(&mtx->m);
}

int
drm_os_sx_create(struct drm_os *os __unused, const char *name,
    struct drm_os_sx **sxp)
{
	struct drm_os_sx *sx;

	sx = malloc(sizeof(*sx), M_DRM, M_NOWAIT | M_ZERO);
	if (sx == NULL)
		return (ENOMEM);
	sx_init(&sx->sx, name);
	*sxp = sx;
	return (0);
}

void
drm_os_sx_destroy(struct drm_os_sx *sx)
{

	sx_destroy(&sx->sx);
	free(sx, M_DRM);
}

void
drm_os_sx_lock(struct drm_os_sx *sx)
{

	sx_xlock(&sx->sx);
}

int
drm_os_sx_try(struct drm_os_sx *sx)
{

	return (sx_try_xlock(&sx->sx));
}

void
drm_os_sx_unlock(struct drm_os_sx *sx)
{

	sx_xunlock(&sx->sx);
}

int
drm_os_cv_create(struct drm_os *os __unused, const char *name,
    struct drm_os_cv **cvp)
{
	struct drm_os_cv *cv;

	cv = malloc(sizeof(*cv), M_DRM, M_NOWAIT | M_ZERO);
	if (cv == NULL)
		return (ENOMEM);
	cv_init(&cv->cv, name);
	*cvp = cv;
	return (0);
}

void
drm_os_cv_destroy(struct drm_os_cv *cv)
{

	cv_destroy(&cv->cv);
	free(cv, M_DRM);
}

/* The latest deadline that an sbintime_t of the uptime can express. */
#define	DEADLINE_MAX	((uint64_t)(SBT_MAX / SBT_1S) * 1000000000)

/*
 * Never early, although the clocks are read at different times.
 */
static int
wait_until(struct cv *cv, struct mtx *mtx, bool sig, uint64_t deadline)
{
	sbintime_t sbt;

	if (deadline >= DEADLINE_MAX) {
		if (sig)
			return (cv_wait_sig(cv, mtx));
		cv_wait(cv, mtx);
		return (0);
	}
	if (deadline <= drm_os_now(&drm_os))
		return (EWOULDBLOCK);
	sbt = nstosbt(deadline) + 1;
	if (sig)
		return (cv_timedwait_sig_sbt(cv, mtx, sbt, 0, C_ABSOLUTE));
	return (cv_timedwait_sbt(cv, mtx, sbt, 0, C_ABSOLUTE));
}

/*
 * Jobs end much earlier than those who wait for them give up, and a timer of
 * its own for each wait is expensive.  So a thread with a distant deadline
 * sleeps on a condition variable of the pool without one.  As long as there
 * are such threads, one timer wakes them every second; they return, and their
 * caller waits again.
 */
#define	TICK_NS		1000000000ULL

static callout_func_t	pool_tick;

static void
pool_arm(void)
{

	if (drm_os.pool_ticks == 0 && atomic_cmpset_int(&drm_os.pool_ticks, 0,
	    1))
		callout_reset(&drm_os.pool_callout, hz, pool_tick, NULL);
}

/* A thread that this does not find in the pool sees that it is not armed. */
static void
pool_tick(void *arg __unused)
{
	struct drm_os_cv *cv;
	bool any;
	size_t i;

	any = false;
	atomic_store_rel_int(&drm_os.pool_ticks, 0);
	for (i = 0; i < DRM_POOL_SIZE; i++) {
		cv = &drm_os.pool_cv[i];
		mtx_lock(&drm_os.pool_mtx[i].m);
		if (cv->distant != 0) {
			any = true;
			cv_broadcast(&cv->cv);
		}
		mtx_unlock(&drm_os.pool_mtx[i].m);
	}
	if (any)
		pool_arm();
}

static int
pool_wait(struct drm_os_cv *cv, struct mtx *mtx, bool sig, uint64_t deadline)
{
	int error;

	if (deadline >= DEADLINE_MAX ||
	    deadline < sbttons(getsbinuptime()) + 3 * TICK_NS)
		return (wait_until(&cv->cv, mtx, sig, deadline));
	cv->distant++;
	pool_arm();
	error = wait_until(&cv->cv, mtx, sig, UINT64_MAX);
	cv->distant--;
	return (error);
}

int
drm_os_cv_wait(struct drm_os_cv *cv, struct drm_os_mtx *mtx,
    struct drm_os_caller *caller, uint64_t deadline)
{
	int error;

	/* Not if the device is being detached, which waits for its callers. */
	if (cv->pooled) {
		if (caller != NULL && drm_minor_dying(caller))
			return (EINTR);
		error = pool_wait(cv, &mtx->m, caller != NULL, deadline);
	} else if (caller == NULL)
		error = wait_until(&cv->cv, &mtx->m, false, deadline);
	else {
		if (!drm_minor_wait_begin(caller, &cv->cv))
			return (EINTR);
		error = wait_until(&cv->cv, &mtx->m, true, deadline);
		drm_minor_wait_end(caller);
	}
	return (error == EWOULDBLOCK ? ETIMEDOUT : error);
}

void
drm_os_cv_broadcast(struct drm_os_cv *cv)
{

	cv_broadcast(&cv->cv);
}

void
drm_os_pool_get(struct drm_os *os, uint64_t key, struct drm_os_mtx **mtxp,
    struct drm_os_cv **cvp)
{
	size_t i;

	i = key & (DRM_POOL_SIZE - 1);
	*mtxp = &os->pool_mtx[i];
	*cvp = &os->pool_cv[i];
}

/* Wakes all threads that sleep in the pool. */
void
drm_pool_wake(void)
{
	size_t i;

	for (i = 0; i < DRM_POOL_SIZE; i++) {
		mtx_lock(&drm_os.pool_mtx[i].m);
		cv_broadcast(&drm_os.pool_cv[i].cv);
		mtx_unlock(&drm_os.pool_mtx[i].m);
	}
}

void
drm_locks_init(void)
{
	size_t i;

	for (i = 0; i < DRM_POOL_SIZE; i++) {
		mtx_init(&drm_os.pool_mtx[i].m, "drm pool", NULL, MTX_DEF);
		cv_init(&drm_os.pool_cv[i].cv, "drmpool");
		drm_os.pool_cv[i].pooled = true;
	}
	callout_init(&drm_os.pool_callout, 1);
}

void
drm_locks_uninit(void)
{
	size_t i;

	callout_drain(&drm_os.pool_callout);
	for (i = 0; i < DRM_POOL_SIZE; i++) {
		cv_destroy(&drm_os.pool_cv[i].cv);
		mtx_destroy(&drm_os.pool_mtx[i].m);
	}
}
