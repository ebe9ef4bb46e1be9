/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * The GPU's power domain of i.MX8MQ's GPCv2.  The node of the GPC is usually
 * attached by the kernel's imx7gpc(4), which passes on interrupts and accesses
 * no register; the nodes of the domains, below it, are not newbus devices.  So
 * there is nothing to attach to: a domain is made for its first consumer, with
 * its own mapping of the registers.
 *
 * HW: Linux 6.1, drivers/soc/imx/gpcv2.c; the sequence is in power_seq.c.
 */
#include <dev/drm/kpi/freebsd/power/power_impl.h>

/* HW: dt-bindings/power/imx8mq-power.h. */
#define	IMX8M_POWER_DOMAIN_GPU	5

#define	GPC_COMPATIBLE		"fsl,imx8mq-gpc"

struct imx8mq_domain {
	struct drm_reg	*gpc;
	struct drm_node_clks *clks;
	regulator_t	 supply;	/* NULL: always on */
	bool		 supplied;	/* enabled here */
};

static phandle_t
gpc_of_domain(phandle_t node)
{
	phandle_t gpc;

	gpc = OF_parent(OF_parent(node));
	if (gpc > 0 && ofw_bus_node_is_compatible(gpc, GPC_COMPATIBLE))
		return (gpc);
	return (0);
}

static bool
imx8mq_gpc_is_domain(phandle_t node)
{

	return (gpc_of_domain(node) != 0);
}

static int
imx8mq_domain_unsupply(struct imx8mq_domain *dom)
{

	if (!dom->supplied)
		return (0);
	dom->supplied = false;
	return (regulator_disable(dom->supply));
}

static void
imx8mq_domain_free(void *arg)
{
	struct imx8mq_domain *dom = arg;

	(void)imx8mq_domain_unsupply(dom);
	if (dom->supply != NULL)
		regulator_release(dom->supply);
	if (dom->clks != NULL)
		drm_node_clks_put(dom->clks);
	if (dom->gpc != NULL)
		drm_reg_close(dom->gpc);
	free(dom, M_DRM);
}

static int
imx8mq_domain_on(void *arg)
{
	struct imx8mq_domain *dom = arg;
	int error;

	if (dom->supply != NULL && !dom->supplied) {
		error = regulator_enable(dom->supply);
		if (error != 0)
			return (error);
		dom->supplied = true;
	}
	error = drm_node_clks_enable(dom->clks);
	if (error == 0) {
		error = imx8mq_gpu_up(drm_reg_io(dom->gpc));
		drm_node_clks_disable(dom->clks);
	}
	if (error != 0)
		(void)imx8mq_domain_unsupply(dom);
	return (error);
}

/*
 * A domain that did not acknowledge may still be active, and keeps its supply.
 */
static int
imx8mq_domain_off(void *arg)
{
	struct imx8mq_domain *dom = arg;
	int error;

	error = drm_node_clks_enable(dom->clks);
	if (error != 0)
		return (error);
	error = imx8mq_gpu_down(drm_reg_io(dom->gpc));
	drm_node_clks_disable(dom->clks);
	if (error != 0)
		return (error);
	return (imx8mq_domain_unsupply(dom));
}

static const struct drm_power_ops imx8mq_domain_ops = {
	.on = imx8mq_domain_on,
	.off = imx8mq_domain_off,
	.release = imx8mq_domain_free,
};

/*
 * Whether a driver of the kernel manages the domain: one that registers the
 * node, or one of the GPC other than imx7gpc.
 */
static bool
imx8mq_domain_is_kernels(device_t dev, phandle_t node)
{
	device_t holder;

	holder = OF_device_from_xref(OF_xref_from_node(node));
	if (holder == NULL) {
		holder = drm_node_device(gpc_of_domain(node));
		if (holder == NULL || !device_is_attached(holder) ||
		    strcmp(device_get_name(holder), "imx7gpc") == 0)
			return (false);
	}
	device_printf(dev, "power domain is managed by %s, assumed on\n",
	    device_get_nameunit(holder));
	return (true);
}

static int
imx8mq_domain_supply(device_t dev, phandle_t node, struct imx8mq_domain *dom)
{
	int error;

	error = regulator_get_by_ofw_property(dev, node, "power-supply",
	    &dom->supply);
	if (error == 0)
		return (0);
	dom->supply = NULL;
	/* On the EVK it is of the PMIC, for which FreeBSD has no driver. */
	if (error == ENODEV)
		device_printf(dev,
		    "power domain supply has no driver, assumed on\n");
	return (error == ENOENT || error == ENODEV ? 0 : ENXIO);
}

static int
imx8mq_gpc_make(device_t dev, phandle_t node, uint32_t id,
    const struct drm_power_ops **opsp, void **argp)
{
	struct imx8mq_domain *dom;
	int error;

	if (imx8mq_domain_is_kernels(dev, node))
		return (ENOENT);
	if (id != IMX8M_POWER_DOMAIN_GPU) {
		device_printf(dev, "power domain %u is not the GPU's\n", id);
		return (ENXIO);
	}
	dom = malloc(sizeof(*dom), M_DRM, M_WAITOK | M_ZERO);
	error = drm_reg_open(dev, gpc_of_domain(node), &dom->gpc);
	if (error == 0)
		error = drm_node_clks_get(dev, node, &dom->clks);
	if (error == 0)
		error = imx8mq_domain_supply(dev, node, dom);
	if (error != 0) {
		imx8mq_domain_free(dom);
		return (ENXIO);
	}
	imx8mq_gpu_claim(drm_reg_io(dom->gpc));
	*opsp = &imx8mq_domain_ops;
	*argp = dom;
	return (0);
}

const struct drm_power_provider drm_imx8mq_gpc_provider = {
	.compatible = GPC_COMPATIBLE,
	.is_domain = imx8mq_gpc_is_domain,
	.make = imx8mq_gpc_make,
};
