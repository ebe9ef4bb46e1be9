/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * The power controller of RK3399, for its GPU domain only: the domains of
 * other blocks stay as the firmware left them.
 *
 * The node is a child of the PMU, which the kernel's simple_mfd(4) makes a
 * syscon, so every change of a register is atomic.  TF-A also changes
 * PMU_PWRDN_CON, from the secure side, but only for a CPU that starts or
 * stops, and PMU_BUS_IDLE_REQ when the frequency of the DRAM changes, which
 * FreeBSD does not request.
 *
 * HW: Linux 6.1, drivers/soc/rockchip/pm_domains.c; the sequence is in
 * power_seq.c.  The firmware sets the transition times of the PMU.
 */
#include <dev/drm/kpi/freebsd/power/power_impl.h>

#include <sys/module.h>

#define	RK3399_COMPATIBLE	"rockchip,rk3399-power-controller"
#define	RK3399_DRIVER		"drm_rk3399_power"
/* HW: dt-bindings/power/rk3399-power.h. */
#define	RK3399_PD_GPU		35

struct rk3399_domain {
	struct drm_reg	*pmu;
	struct drm_node_clks *clks;
	u_int		 nqos;
	struct drm_reg	**qos_regs;
	struct rk3399_qos *qos;
};

/* The domain's clocks must run while it is switched, and only then. */
static int
rk3399_domain_switch(struct rk3399_domain *dom,
    int (*sequence)(const struct drm_reg_io *, struct rk3399_qos *, uint32_t))
{
	int error;

	error = drm_node_clks_enable(dom->clks);
	if (error != 0)
		return (error);
	error = sequence(drm_reg_io(dom->pmu), dom->qos, dom->nqos);
	drm_node_clks_disable(dom->clks);
	return (error);
}

static int
rk3399_domain_on(void *arg)
{

	return (rk3399_domain_switch(arg, rk3399_gpu_up));
}

static int
rk3399_domain_off(void *arg)
{

	return (rk3399_domain_switch(arg, rk3399_gpu_down));
}

/*
 * The settings of the arbiters are saved only here, and a domain that is off
 * would lose them: it is left on, as by the firmware.
 */
static void
rk3399_domain_free(void *arg)
{
	struct rk3399_domain *dom = arg;
	u_int i;

	if (dom->nqos != 0 && dom->qos[0].saved)
		(void)rk3399_domain_on(dom);
	for (i = 0; i < dom->nqos; i++)
		drm_reg_close(dom->qos_regs[i]);
	free(dom->qos_regs, M_DRM);
	free(dom->qos, M_DRM);
	if (dom->clks != NULL)
		drm_node_clks_put(dom->clks);
	if (dom->pmu != NULL)
		drm_reg_close(dom->pmu);
	free(dom, M_DRM);
}

static const struct drm_power_ops rk3399_domain_ops = {
	.on = rk3399_domain_on,
	.off = rk3399_domain_off,
	.release = rk3399_domain_free,
};

static int
rk3399_domain_qos(device_t dev, phandle_t node, struct rk3399_domain *dom)
{
	phandle_t *xrefs;
	ssize_t count, i;
	int error;

	count = OF_getencprop_alloc_multi(node, "pm_qos", sizeof(*xrefs),
	    (void **)&xrefs);
	if (count <= 0)
		return (0);
	dom->qos_regs = malloc(count * sizeof(dom->qos_regs[0]), M_DRM,
	    M_WAITOK | M_ZERO);
	dom->qos = malloc(count * sizeof(dom->qos[0]), M_DRM,
	    M_WAITOK | M_ZERO);
	error = 0;
	for (i = 0; i < count && error == 0; i++) {
		error = drm_reg_open(dev, OF_node_from_xref(xrefs[i]),
		    &dom->qos_regs[i]);
		if (error == 0) {
			dom->qos[i].io = *drm_reg_io(dom->qos_regs[i]);
			dom->nqos++;
		}
	}
	OF_prop_free(xrefs);
	return (error);
}

static phandle_t
rk3399_gpu_node(phandle_t controller)
{
	phandle_t node;
	pcell_t id;

	for (node = OF_child(controller); node > 0; node = OF_peer(node)) {
		if (OF_getencprop(node, "reg", &id, sizeof(id)) > 0 &&
		    id == RK3399_PD_GPU)
			return (node);
	}
	return (0);
}

static int
rk3399_power_probe(device_t dev)
{

	if (!ofw_bus_status_okay(dev) ||
	    !ofw_bus_is_compatible(dev, RK3399_COMPATIBLE))
		return (ENXIO);
	device_set_desc(dev, "RK3399 GPU power domain");
	/* A driver of the kernel has precedence. */
	return (BUS_PROBE_LOW_PRIORITY);
}

static int
rk3399_power_attach(device_t dev)
{
	struct rk3399_domain *dom;
	phandle_t node;
	int error;

	node = rk3399_gpu_node(ofw_bus_get_node(dev));
	if (node == 0) {
		device_printf(dev, "no node of the GPU power domain\n");
		return (ENXIO);
	}
	dom = malloc(sizeof(*dom), M_DRM, M_WAITOK | M_ZERO);
	error = drm_reg_open(dev, ofw_bus_get_node(device_get_parent(dev)),
	    &dom->pmu);
	if (error == 0)
		error = drm_node_clks_get(dev, node, &dom->clks);
	if (error == 0)
		error = rk3399_domain_qos(dev, node, dom);
	if (error != 0) {
		device_printf(dev, "cannot get registers or clocks\n");
		rk3399_domain_free(dom);
		return (error);
	}
	drm_power_provide(ofw_bus_get_node(dev), RK3399_PD_GPU,
	    &rk3399_domain_ops, dom);
	return (0);
}

/*
 * Never fails: kldunload(8) detaches the drivers of a file in the order of its
 * module list, and a GPU that still holds the domain may follow.
 */
static int
rk3399_power_detach(device_t dev)
{

	drm_power_withdraw(ofw_bus_get_node(dev), RK3399_PD_GPU);
	return (0);
}

static device_method_t rk3399_power_methods[] = {
	DEVMETHOD(device_probe,		rk3399_power_probe),
	DEVMETHOD(device_attach,	rk3399_power_attach),
	DEVMETHOD(device_detach,	rk3399_power_detach),

	DEVMETHOD_END
};

static driver_t rk3399_power_driver = {
	RK3399_DRIVER,
	rk3399_power_methods,
	0
};

/* The first of the file's drivers, so that the GPU finds its domain. */
EARLY_DRIVER_MODULE_ORDERED(drm_rk3399_power, simple_mfd, rk3399_power_driver,
    NULL, NULL, SI_ORDER_FIRST, BUS_PASS_SUPPORTDEV);

const struct drm_power_provider drm_rk3399_power_provider = {
	.compatible = RK3399_COMPATIBLE,
	.driver = RK3399_DRIVER,
};
