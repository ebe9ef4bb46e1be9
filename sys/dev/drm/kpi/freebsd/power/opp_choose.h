/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Choice of an operating point, and the order of the changes.  Clock and
 * regulator are functions, which tests/inproc/glue provides.
 */
#ifndef _DRM_OPP_CHOOSE_H_
#define	_DRM_OPP_CHOOSE_H_

#include <dev/drm/kpi/include/drm_os.h>

/* Voltages in microvolts; uv 0: the point has none. */
struct drm_opp_point {
	uint64_t	 hz;
	uint32_t	 uv;
	uint32_t	 uv_min;
	uint32_t	 uv_max;
};

/* All return 0 or an errno; a failed call changes nothing. */
struct drm_opp_ops {
	int	 (*get_freq)(void *arg, uint64_t *hz);
	/* Rounds down. */
	int	 (*set_freq)(void *arg, uint64_t hz);
	/* Both NULL: no regulator. */
	int	 (*get_volt)(void *arg, uint32_t *uv);
	int	 (*set_volt)(void *arg, uint32_t min_uv, uint32_t max_uv);
	void	*arg;
};

/* Highest frequency first. */
void	 drm_opp_sort(struct drm_opp_point *points, size_t count);
/*
 * Changes to the highest safe point of the sorted table (see drm_power.h) and
 * stores its index.  max_hz 0: no limit.  ERANGE: there is none, and frequency
 * and voltage are unchanged; other errors are those of get_freq.
 */
int	 drm_opp_choose(const struct drm_opp_point *points, size_t count,
	    const struct drm_opp_ops *ops, uint64_t max_hz, size_t *chosen);

#endif /* _DRM_OPP_CHOOSE_H_ */
