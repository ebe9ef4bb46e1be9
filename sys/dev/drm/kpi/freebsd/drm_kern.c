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
#include <vm/uma.h>

#include <machine/armreg.h>

MALLOC_DEFINE(M_DRM, "drm", "drmkpi and its drivers");

/*
 * Small blocks come from zones of their own sizes: drm_os_free has the size
 * as an argument, so that the zone is not looked up by the address, as free(9)
 * does.  The other blocks come from malloc(9).
 */
#define	SMALL_STEP	64
#define	SMALL_MAX	1024

static uma_zone_t small_zones[SMALL_MAX / SMALL_STEP];
static char small_names[nitems(small_zones)][sizeof("drm 1024")];

void
drm_malloc_init(void)
{
	u_int i;

	for (i = 0; i < nitems(small_zones); i++) {
		snprintf(small_names[i], sizeof(small_names[i]), "drm %u",
		    (i + 1) * SMALL_STEP);
		small_zones[i] = uma_zcreate(small_names[i],
		    (i + 1) * SMALL_STEP, NULL, NULL, NULL, NULL, 16 - 1, 0);
	}
}

void
drm_malloc_uninit(void)
{
	u_int i;

	for (i = 0; i < nitems(small_zones); i++)
		uma_zdestroy(small_zones[i]);
}

/* The zone for blocks of size bytes, or NULL. */
static inline uma_zone_t
small_zone(size_t size)
{

	return (size <= SMALL_MAX && size != 0 ?
	    small_zones[(size - 1) / SMALL_STEP] : NULL);
}

/*
 * malloc(9) waits forever for a size that never becomes available; not even
 * SIGKILL ends that wait.
 */
void *
drm_os_malloc(struct drm_os *os __unused, size_t size, uint32_t flags)
{
	uma_zone_t zone;
	int how;

	how = ((flags & DRM_OS_NOWAIT) != 0 ? M_NOWAIT : M_WAITOK) |
	    ((flags & DRM_OS_ZERO) != 0 ? M_ZERO : 0);
	zone = small_zone(size);
	if (zone != NULL)
		return (uma_zalloc(zone, how));
	if (size > ptoa((size_t)physmem) / 8)
		return (NULL);
	return (malloc(size, M_DRM, how));
}

void
drm_os_free(void *p, size_t size)
{
	uma_zone_t zone;

	zone = small_zone(size);
	if (zone != NULL)
		uma_zfree(zone, p);
	else
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

uint64_t
drm_os_timer_hz(struct drm_os *os __unused)
{

	return (READ_SPECIALREG(cntfrq_el0));
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
