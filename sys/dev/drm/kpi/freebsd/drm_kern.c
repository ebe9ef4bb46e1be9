/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Memory, time, messages and tunables.
 */
#include "drm_glue.h"

#include <sys/proc.h>
#include <sys/time.h>
#include <sys/vmmeter.h>
#include <vm/vm.h>
#include <vm/vm_param.h>

MALLOC_DEFINE(M_DRM, "drm", "drmkpi and its drivers");

/*
 * malloc(9) waits forever for a size that never becomes available; not even
 * SIGKILL ends that wait.
 */
void *
drm_os_malloc(struct drm_os *os __unused, size_t size, uint32_t flags)
{

	if (size > ptoa((size_t)physmem) / 8)
		return (NULL);
	return (malloc(size, M_DRM, M_ZERO |
	    (flags == DRM_OS_NOWAIT ? M_NOWAIT : M_WAITOK)));
}

void
drm_os_free(void *p)
{

	free(p, M_DRM);
}

/* CLOCK_MONOTONIC, the clock of users' absolute deadlines. */
uint64_t
drm_os_now(struct drm_os *os __unused)
{
	struct timespec ts;

	nanouptime(&ts);
	return ((uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec);
}

void
drm_os_delay(struct drm_os *os __unused, uint64_t ns)
{

	DELAY((int)MIN(howmany(ns, 1000), 1000000));
}

void
drm_os_sleep(struct drm_os *os __unused, uint64_t ns)
{

	/* Bounded by a day. */
	pause_sbt("drmslp", nstosbt(MIN(ns, 86400ULL * 1000000000)) + 1, 0, 0);
}

uint64_t
drm_os_unique(struct drm_os *os)
{

	return (atomic_fetchadd_64(&os->last_unique, 1) + 1);
}

void
drm_os_log(struct drm_os *os __unused, struct drm_os_dev *dev,
    uint32_t level __unused, const char *msg, size_t len)
{

	printf("%s: %.*s\n", dev == NULL ? "drm" : dev->name, (int)len, msg);
}

void
drm_os_panic(const char *msg, size_t len)
{

	panic("drm: %.*s", (int)len, msg);
}

uint64_t
drm_os_physmem(struct drm_os *os __unused)
{

	return (ptoa((uint64_t)physmem));
}

uint64_t
drm_os_tunable(struct drm_os *os __unused, const char *name, uint64_t value)
{
	char path[64];
	uint64_t set;

	snprintf(path, sizeof(path), "hw.drmkpi.%s", name);
	set = value;
	TUNABLE_UINT64_FETCH(path, &set);
	return (set);
}
