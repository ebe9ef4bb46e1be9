/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Declarations that the files of this directory share.
 */
#ifndef _DRM_POWER_IMPL_H_
#define	_DRM_POWER_IMPL_H_

#include <sys/param.h>
#include <sys/systm.h>
#include <sys/bus.h>
#include <sys/kernel.h>
#include <sys/lock.h>
#include <sys/malloc.h>
#include <sys/queue.h>
#include <sys/sx.h>

#include <machine/bus.h>

#include <dev/ofw/openfirm.h>
#include <dev/ofw/ofw_bus.h>
#include <dev/ofw/ofw_bus_subr.h>

#include <dev/drm/kpi/freebsd/power/drm_power.h>
#include <dev/drm/kpi/freebsd/power/power_seq.h>

MALLOC_DECLARE(M_DRM);

/*
 * power_domain.c.  A driver provides domain id of a node.  on and off are
 * serialised; release is called when neither the driver nor a consumer holds
 * the domain: a consumer may outlive the driver's device, and the domain works
 * until then.
 */
struct drm_power_ops {
	int	 (*on)(void *arg);
	int	 (*off)(void *arg);
	void	 (*release)(void *arg);
};
/*
 * Takes over arg, also if a consumer still holds the domain of a former
 * driver.
 */
void	 drm_power_provide(phandle_t node, uint32_t id,
	    const struct drm_power_ops *ops, void *arg);
void	 drm_power_withdraw(phandle_t node, uint32_t id);

/*
 * power_providers.c.  A controller of domains that this module switches.
 * Either a driver of the module provides them (driver: its newbus name), or
 * they are made for their first consumer (is_domain, make; the errors are
 * those of drm_power_get()).
 */
struct drm_power_provider {
	const char	*compatible;
	const char	*driver;
	bool		(*is_domain)(phandle_t node);
	int		(*make)(device_t dev, phandle_t node, uint32_t id,
			    const struct drm_power_ops **opsp, void **argp);
};
extern const struct drm_power_provider *const drm_power_providers[];
extern const size_t drm_power_nproviders;
extern const struct drm_power_provider drm_imx8mq_gpc_provider;
extern const struct drm_power_provider drm_rk3399_power_provider;

/*
 * power_node.c.  drm_node_device: the device of a node, attached or not, or
 * NULL.  The caller holds the topology lock, as attach does.
 */
device_t drm_node_device(phandle_t node);

/*
 * The registers of a node: through its syscon if it has one, otherwise mapped.
 */
struct drm_reg;
int	 drm_reg_open(device_t dev, phandle_t node, struct drm_reg **regp);
void	 drm_reg_close(struct drm_reg *reg);
const struct drm_reg_io *drm_reg_io(struct drm_reg *reg);

/*
 * All clocks of a node, of clk(9) or of this module.  get: 0 also if it has
 * none.
 */
struct drm_node_clks;
int	 drm_node_clks_get(device_t dev, phandle_t node,
	    struct drm_node_clks **clksp);
void	 drm_node_clks_put(struct drm_node_clks *clks);
int	 drm_node_clks_enable(struct drm_node_clks *clks);
void	 drm_node_clks_disable(struct drm_node_clks *clks);

/* imx8mq_gpu_clk.c: as drm_clk_fallback, for the idx-th clock of any node. */
int	 drm_clk_fallback_idx(device_t dev, phandle_t node, int idx,
	    struct drm_clk **clkp);

#endif /* _DRM_POWER_IMPL_H_ */
