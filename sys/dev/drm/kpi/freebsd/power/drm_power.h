/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * drm_power.h - power domains, clocks that the kernel's clock driver does not
 * support, and operating points.  FreeBSD has no framework for the first and
 * the last; if a driver of the kernel manages a domain, these functions leave
 * it alone and log that.
 *
 * All calls may sleep.  int results are 0 or an errno.  Lock order: the lock
 * of the power domains, then that of the clocks here, then those of clk(9) and
 * regulator(9); there are no callbacks.
 */
#ifndef _DRM_POWER_H_
#define	_DRM_POWER_H_

#include <sys/types.h>

#include <dev/clk/clk.h>
#include <dev/regulator/regulator.h>

/*
 * The power domain of the first entry of the `power-domains` property of dev's
 * node.  One reference per consumer; consumers of a domain share it.
 *
 * drm_power_get fails with
 *	ENOENT	the node names no domain, or one that nothing here may
 *		switch: its provider has no driver, or the kernel has one of its
 *		own.  A message says which; the caller takes the domain as on.
 *	EAGAIN	the provider is one that this module drives, and it has not
 *		attached: its turn comes later, or its attach failed and said
 *		why.  The caller fails its own attach; newbus(9) probes it again
 *		with the next driver.
 *	ENXIO	the provider knows no such domain, or the property is malformed,
 *		or the registers or clocks of the domain cannot be reached.
 *
 * drm_power_put releases the counts of drm_power_on that are left.
 */
struct drm_power_domain;
int	 drm_power_get(device_t dev, struct drm_power_domain **pdp);
void	 drm_power_put(struct drm_power_domain *pd);
/*
 * Counted over all consumers of the domain.  A failed on leaves the domain off
 * and does not count.  off always releases its count; after an error
 * (ETIMEDOUT: the domain did not acknowledge in time) the domain may still be
 * on.
 */
int	 drm_power_on(struct drm_power_domain *pd);
int	 drm_power_off(struct drm_power_domain *pd);

/*
 * A clock of dev's node, by its name in `clock-names`, that the clock driver
 * of the kernel does not support: the GPU clocks of i.MX8MQ.  To be called
 * when clk_get_by_ofw_name() fails.  ENOENT: no such name, the kernel supports
 * the clock, or it is not one of these.  The first call sets the parents and
 * rates of the node's `assigned-clocks`.
 *
 * Where these clocks are in use, clk_set_assigned() must not be called for that
 * node; imx8mq_gpu_clk.c says why.
 */
struct drm_clk;
int	 drm_clk_fallback(device_t dev, const char *name, struct drm_clk **clkp);
/* Disables what enable enabled. */
void	 drm_clk_put(struct drm_clk *clk);
int	 drm_clk_enable(struct drm_clk *clk);
int	 drm_clk_disable(struct drm_clk *clk);
/* In Hz, whether it is enabled or not. */
int	 drm_clk_rate(struct drm_clk *clk, uint64_t *hz);

/*
 * The operating points of dev's node (`operating-points-v2`).  ENOENT: it has
 * none; EINVAL: the table is malformed or has no usable point.  The caller
 * keeps clk and reg, which must outlive the table.
 *
 * drm_opp_set_highest changes to the highest safe point: at or below the
 * tunable hw.drmkpi.max_freq (Hz; 0, the default: no limit), with a voltage
 * that the regulator accepts, and with a frequency that the clock, rounding
 * down, does not exceed.  Without a regulator, a point with a voltage is safe
 * only at or below the current frequency.  ERANGE: there is no safe point, and
 * nothing is changed; ENXIO: no clock.
 */
struct drm_opp;
int	 drm_opp_init(device_t dev, clk_t clk, regulator_t reg,
	    struct drm_opp **oppp);
void	 drm_opp_fini(struct drm_opp *opp);
int	 drm_opp_set_highest(struct drm_opp *opp);
/* As read now: Hz and microvolts; 0 for what cannot be read. */
void	 drm_opp_current(struct drm_opp *opp, uint64_t *hz, uint32_t *uv);

#endif /* _DRM_POWER_H_ */
