/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * The GPU clocks of i.MX8MQ, which imx8mq_ccm(4) does not support.
 *
 * A separate clkdom(9) would not help, because the phandles of the GPU's node
 * point to that driver's; so these clocks are separate, with their own mapping
 * of the same registers.  The two do not conflict:
 *
 *  - The four GPU roots and the GPU's CCGR are separate registers of the CCM,
 *    and the driver has no clock in any of them.  They are read, changed and
 *    written under the lock here.
 *  - The GPU's PLL is in the anatop, which no driver of the kernel maps.
 *  - Every other clock is only a parent, with a rate that is assumed fixed.
 *
 * HW: the PLLs are in the anatop (clk-imx8mq.c maps fsl,imx8mq-anatop for
 * them). imx8mq_ccm(4) uses their offsets in the CCM, and so reads and writes
 * registers there that are not PLLs; its gpu_pll_out is not the GPU's clock.
 * So clk_set_assigned() must not be called for the GPU's node: the only clock
 * of it that the driver supports, GPU_PLL_BYPASS, would be written to a wrong
 * register.
 */
#include <dev/drm/kpi/freebsd/power/imx8mq_ccm_gpu.h>

/* HW: dt-bindings/clock/imx8mq-clock.h, ids of parents. */
#define	IMX8MQ_CLK_25M		2
#define	IMX8MQ_GPU_PLL		15
#define	IMX8MQ_GPU_PLL_BYPASS	16
#define	IMX8MQ_GPU_PLL_OUT	17
#define	IMX8MQ_SYS1_PLL_800M	78

/*
 * HW: imx8mq-clock.h: the ids, and the root of each.  SRC, CG and DIV of older
 * device trees are three names of one root; GPU_ROOT is the core's, with a
 * gate.
 */
static const struct gpu_clk_id {
	uint32_t	 id;
	u_int		 root;
	bool		 gated;
} gpu_clk_ids[] = {
	{ 97, 0, false }, { 98, 0, false }, { 99, 0, false },
	{ 285, 0, false }, { 215, 0, true },
	{ 100, 1, false }, { 101, 1, false }, { 102, 1, false },
	{ 286, 1, false },
	{ 111, 2, false },
	{ 112, 3, false },
};

struct drm_clk {
	const struct gpu_clk_id *id;
	u_int		 enabled;
};

static struct sx gpu_clk_lock;
SX_SYSINIT(drm_gpu_clk, &gpu_clk_lock, "drm gpu clocks");

static u_int gpu_clk_users;	/* (gpu_clk_lock) */

static const struct gpu_clk_id *
clk_id_find(uint32_t id)
{
	u_int i;

	for (i = 0; i < nitems(gpu_clk_ids); i++) {
		if (gpu_clk_ids[i].id == id)
			return (&gpu_clk_ids[i]);
	}
	return (NULL);
}

/* The id of the idx-th clock of a list, if it is one of the CCM. */
static int
clk_list_id(phandle_t node, const char *prop, int idx, uint32_t *idp,
    phandle_t *ccmp)
{
	phandle_t xref;
	pcell_t *cells;
	int error, ncells;

	error = ofw_bus_parse_xref_list_alloc(node, prop, "#clock-cells", idx,
	    &xref, &ncells, &cells);
	if (error != 0)
		return (ENOENT);
	*ccmp = OF_node_from_xref(xref);
	if (ncells == 1 &&
	    ofw_bus_node_is_compatible(*ccmp, "fsl,imx8mq-ccm"))
		*idp = cells[0];
	else
		error = ENOENT;
	OF_prop_free(cells);
	return (error);
}

static int
mux_of_id(uint32_t id)
{

	switch (id) {
	case IMX8MQ_CLK_25M:
		return (IMX8MQ_MUX_25M);
	case IMX8MQ_GPU_PLL_OUT:
		return (IMX8MQ_MUX_GPU_PLL);
	case IMX8MQ_SYS1_PLL_800M:
		return (IMX8MQ_MUX_SYS1_800M);
	default:
		return (IMX8MQ_MUX_NONE);
	}
}

static int
clks_assign_one(device_t dev, uint32_t id, uint32_t parent, uint32_t hz)
{
	const struct gpu_clk_id *clk;
	int mux;

	if (id == IMX8MQ_GPU_PLL_BYPASS) {
		if (parent == IMX8MQ_GPU_PLL)
			imx8mq_pll_unbypass();
		return (0);
	}
	clk = clk_id_find(id);
	if (clk == NULL)
		return (0);
	mux = parent == 0 ? imx8mq_root_mux(clk->root) : mux_of_id(parent);
	if (mux == IMX8MQ_MUX_NONE) {
		device_printf(dev, "clock %u: unsupported parent %u\n",
		    id, parent);
		return (0);
	}
	return (imx8mq_root_assign(clk->root, mux, hz));
}

/*
 * HW: the bypass first, although it is last in the device tree: the dividers
 * are computed from the resulting rate of the PLL.
 */
static int
clks_assign(device_t dev)
{
	phandle_t ccm, node;
	uint32_t id, *hz, parent;
	ssize_t nhz;
	int count, error, i, pass;

	node = ofw_bus_get_node(dev);
	if (ofw_bus_parse_xref_list_get_length(node, "assigned-clocks",
	    "#clock-cells", &count) != 0)
		return (0);
	nhz = OF_getencprop_alloc_multi(node, "assigned-clock-rates",
	    sizeof(*hz), (void **)&hz);
	error = 0;
	for (pass = 0; pass < 2 && error == 0; pass++) {
		for (i = 0; i < count && error == 0; i++) {
			if (clk_list_id(node, "assigned-clocks", i, &id,
			    &ccm) != 0 ||
			    (pass == 0) != (id == IMX8MQ_GPU_PLL_BYPASS))
				continue;
			if (clk_list_id(node, "assigned-clock-parents", i,
			    &parent, &ccm) != 0)
				parent = 0;
			error = clks_assign_one(dev, id, parent,
			    i < nhz ? hz[i] : 0);
		}
	}
	if (nhz > 0)
		OF_prop_free(hz);
	return (error);
}

static int
clks_open(device_t dev, phandle_t ccm)
{
	phandle_t anatop;
	int error;

	anatop = ofw_bus_find_compatible(OF_peer(0), "fsl,imx8mq-anatop");
	if (anatop == 0) {
		device_printf(dev,
		    "no fsl,imx8mq-anatop node for the GPU PLL\n");
		return (ENXIO);
	}
	error = imx8mq_clks_map(dev, ccm, anatop);
	if (error == 0) {
		error = clks_assign(dev);
		if (error != 0)
			imx8mq_clks_unmap();
	}
	if (error != 0)
		device_printf(dev, "cannot set up the GPU clocks: error %d\n",
		    error);
	return (error);
}

int
drm_clk_fallback_idx(device_t dev, phandle_t node, int idx,
    struct drm_clk **clkp)
{
	const struct gpu_clk_id *clk;
	clk_t kernel;
	phandle_t ccm;
	uint32_t id;
	int error;

	if (clk_list_id(node, "clocks", idx, &id, &ccm) != 0)
		return (ENOENT);
	clk = clk_id_find(id);
	if (clk == NULL)
		return (ENOENT);
	if (clk_get_by_ofw_index(dev, node, idx, &kernel) == 0) {
		clk_release(kernel);
		return (ENOENT);
	}
	sx_xlock(&gpu_clk_lock);
	error = gpu_clk_users == 0 ? clks_open(dev, ccm) : 0;
	if (error == 0) {
		gpu_clk_users++;
		*clkp = malloc(sizeof(**clkp), M_DRM, M_WAITOK | M_ZERO);
		(*clkp)->id = clk;
	}
	sx_xunlock(&gpu_clk_lock);
	return (error);
}

int
drm_clk_fallback(device_t dev, const char *name, struct drm_clk **clkp)
{
	phandle_t node;
	int idx;

	node = ofw_bus_get_node(dev);
	if (ofw_bus_find_string_index(node, "clock-names", name, &idx) != 0)
		return (ENOENT);
	return (drm_clk_fallback_idx(dev, node, idx, clkp));
}

int
drm_clk_enable(struct drm_clk *clk)
{
	int error;

	sx_xlock(&gpu_clk_lock);
	error = imx8mq_root_enable(clk->id->root);
	if (error == 0) {
		clk->enabled++;
		if (clk->id->gated)
			imx8mq_gate_enable();
	}
	sx_xunlock(&gpu_clk_lock);
	return (error);
}

static void
clk_disable_locked(struct drm_clk *clk)
{

	clk->enabled--;
	if (clk->id->gated)
		imx8mq_gate_disable();
	imx8mq_root_disable(clk->id->root);
}

int
drm_clk_disable(struct drm_clk *clk)
{

	sx_xlock(&gpu_clk_lock);
	KASSERT(clk->enabled > 0, ("%s: not enabled", __func__));
	clk_disable_locked(clk);
	sx_xunlock(&gpu_clk_lock);
	return (0);
}

int
drm_clk_rate(struct drm_clk *clk, uint64_t *hz)
{

	sx_xlock(&gpu_clk_lock);
	*hz = imx8mq_root_hz(clk->id->root);
	sx_xunlock(&gpu_clk_lock);
	return (*hz == 0 ? ENXIO : 0);
}

void
drm_clk_put(struct drm_clk *clk)
{

	sx_xlock(&gpu_clk_lock);
	while (clk->enabled > 0)
		clk_disable_locked(clk);
	if (--gpu_clk_users == 0)
		imx8mq_clks_unmap();
	sx_xunlock(&gpu_clk_lock);
	free(clk, M_DRM);
}
