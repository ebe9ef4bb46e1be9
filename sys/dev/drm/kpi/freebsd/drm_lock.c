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

int
drm_os_cv_wait(struct drm_os_cv *cv, struct drm_os_mtx *mtx,
    struct drm_os_caller *caller, uint64_t deadline)
{
	sbintime_t sbt;
	int error;

	/* Not if the device is being detached, which waits for its callers. */
	if (caller != NULL && !drm_minor_wait_begin(caller, &cv->cv))
		return (EINTR);
	if (deadline >= DEADLINE_MAX) {
		error = 0;
		if (caller != NULL)
			error = cv_wait_sig(&cv->cv, &mtx->m);
		else
			cv_wait(&cv->cv, &mtx->m);
	} else if (deadline <= drm_os_now(&drm_os)) {
		error = EWOULDBLOCK;
	} else {
		/*
		 * Never early, although the clocks are read at different
		 * times.
		 */
		sbt = nstosbt(deadline) + 1;
		if (caller != NULL)
			error = cv_timedwait_sig_sbt(&cv->cv, &mtx->m, sbt, 0,
			    C_ABSOLUTE);
		else
			error = cv_timedwait_sbt(&cv->cv, &mtx->m, sbt, 0,
			    C_ABSOLUTE);
	}
	if (caller != NULL)
		drm_minor_wait_end(caller);
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

void
drm_locks_init(void)
{
	size_t i;

	for (i = 0; i < DRM_POOL_SIZE; i++) {
		mtx_init(&drm_os.pool_mtx[i].m, "drm pool", NULL, MTX_DEF);
		cv_init(&drm_os.pool_cv[i].cv, "drmpool");
	}
}

void
drm_locks_uninit(void)
{
	size_t i;

	for (i = 0; i < DRM_POOL_SIZE; i++) {
		cv_destroy(&drm_os.pool_cv[i].cv);
		mtx_destroy(&drm_os.pool_mtx[i].m);
	}
}
