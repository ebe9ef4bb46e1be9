/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Choice of an operating point.  The invariant: the clock never runs faster
 * than the current voltage allows.
 */
#ifdef _KERNEL
#include <sys/param.h>
#else
#include <stddef.h>
#endif

#include <dev/drm/kpi/freebsd/power/opp_choose.h>

void
drm_opp_sort(struct drm_opp_point *points, size_t count)
{
	struct drm_opp_point point;
	size_t i, j;

	for (i = 1; i < count; i++) {
		point = points[i];
		for (j = i; j > 0 && points[j - 1].hz < point.hz; j--)
			points[j] = points[j - 1];
		points[j] = point;
	}
}

static int
opp_set_volt(const struct drm_opp_point *point, const struct drm_opp_ops *ops)
{

	if (ops->set_volt == NULL || point->uv == 0)
		return (0);
	/* The whole range is for regulators with coarse steps. */
	if (ops->set_volt(ops->arg, point->uv, point->uv_max) == 0)
		return (0);
	return (ops->set_volt(ops->arg, point->uv_min, point->uv_max));
}

/* Restores the frequency if the clock did not round down. */
static int
opp_set_freq(uint64_t hz, uint64_t now_hz, const struct drm_opp_ops *ops)
{
	uint64_t got;
	int error;

	error = ops->set_freq(ops->arg, hz);
	if (error != 0)
		return (error);
	error = ops->get_freq(ops->arg, &got);
	if (error == 0 && got > hz)
		error = DRM_OS_ERANGE;
	if (error != 0)
		(void)ops->set_freq(ops->arg, now_hz);
	return (error);
}

static int
opp_move(const struct drm_opp_point *point, uint64_t now_hz,
    const struct drm_opp_ops *ops)
{
	int error;

	if (point->hz >= now_hz) {
		error = opp_set_volt(point, ops);
		if (error == 0)
			error = opp_set_freq(point->hz, now_hz, ops);
		return (error);
	}
	error = opp_set_freq(point->hz, now_hz, ops);
	if (error != 0)
		return (error);
	error = opp_set_volt(point, ops);
	if (error != 0)
		(void)ops->set_freq(ops->arg, now_hz);
	return (error);
}

int
drm_opp_choose(const struct drm_opp_point *points, size_t count,
    const struct drm_opp_ops *ops, uint64_t max_hz, size_t *chosen)
{
	uint64_t now_hz;
	uint32_t now_uv, uv;
	size_t i;
	int error;

	error = ops->get_freq(ops->arg, &now_hz);
	if (error != 0)
		return (error);
	now_uv = 0;
	if (ops->get_volt != NULL && ops->get_volt(ops->arg, &now_uv) != 0)
		now_uv = 0;
	for (i = 0; i < count; i++) {
		if (max_hz != 0 && points[i].hz > max_hz)
			continue;
		if (ops->set_volt == NULL && points[i].uv != 0 &&
		    points[i].hz > now_hz)
			continue;
		if (opp_move(&points[i], now_hz, ops) == 0) {
			*chosen = i;
			return (0);
		}
	}
	/* An attempt has changed the voltage, but not the frequency. */
	if (now_uv != 0 && ops->get_volt(ops->arg, &uv) == 0 && uv != now_uv)
		(void)ops->set_volt(ops->arg, now_uv, now_uv);
	return (DRM_OS_ERANGE);
}
