/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * The GPU clocks of i.MX8MQ that imx8mq_ccm(4) does not know.
 *
 * A clkdom(9) of our own would not help, since the phandles of the GPU's node
 * lead to that driver's; so these clocks stand beside it, on mappings of their
 * own of the same registers.  What keeps the two apart:
 *
 *  - The four GPU roots and the GPU's CCGR are registers of their own in the CCM,
 *    and the driver has no clock in any of them.  They are read, changed and
 *    written under the lock here.
 *  - The GPU's PLL is in the anatop, which no driver of the kernel maps.
 *  - Every other clock is only named as a parent, and its rate taken as fixed.
 *
 * HW: the PLLs are in the anatop (clk-imx8mq.c maps fsl,imx8mq-anatop for them).
 * imx8mq_ccm(4) takes their offsets in the CCM, and so reads and writes registers
 * there that are no PLL; its gpu_pll_out is not the GPU's clock.  That is why
 * clk_set_assigned() must not be run for the GPU's node: the one clock of it that
 * the driver knows, GPU_PLL_BYPASS, would be written to the wrong place.
 */
#include <dev/drm/kpi/freebsd/power/power_impl.h>
#include <dev/drm/kpi/freebsd/power/imx8mq_clk_calc.h>

/* HW: dt-bindings/clock/imx8mq-clock.h, ids of parents. */
#define	IMX8MQ_CLK_25M		2
#define	IMX8MQ_GPU_PLL		15
#define	IMX8MQ_GPU_PLL_BYPASS	16
#define	IMX8MQ_GPU_PLL_OUT	17
#define	IMX8MQ_SYS1_PLL_800M	78

/* HW: clk-imx8mq.c: the GPU's PLL in the anatop, and its gate in the CCM. */
#define	ANATOP_GPU_PLL_CFG0	0x18
#define	ANATOP_GPU_PLL_CFG1	0x1c
#define	CCM_CCGR_GPU		0x4570
#define	 CCM_CCGR_ON		3u
/* HW: clk-frac-pll.c. */
#define	PLL_LOCK_US		10000

enum { MUX_25M, MUX_GPU_PLL, MUX_SYS1_800M, MUX_NONE };

/* HW: clk-imx8mq.c: where each root is and which inputs of it those three are. */
static const struct gpu_root {
	uint32_t	 reg;
	int		 slice;
	uint32_t	 input[MUX_NONE];
} gpu_roots[] = {
	{ 0x8180, IMX8MQ_SLICE_CORE, { 0, 1, 2 } },	/* core */
	{ 0x8200, IMX8MQ_SLICE_BUS, { 0, 1, 2 } },	/* shader */
	{ 0x8c00, IMX8MQ_SLICE_BUS, { 0, 2, 1 } },	/* AXI */
	{ 0x8c80, IMX8MQ_SLICE_BUS, { 0, 2, 1 } },	/* AHB */
};

/*
 * HW: imx8mq-clock.h: the ids, and the root of each.  SRC, CG and DIV of older
 * device trees are three names of one root; GPU_ROOT is the core's behind a gate.
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

/* All (gpu_clk_lock). */
static struct {
	u_int		 users;
	struct drm_reg	*ccm;
	struct drm_reg	*anatop;
	u_int		 root_on[nitems(gpu_roots)];
	u_int		 gate_on;
	u_int		 pll_on;
} gpu_clks;

static uint32_t
ccm_read(uint32_t off)
{
	const struct drm_reg_io *io = drm_reg_io(gpu_clks.ccm);

	return (io->read(io->arg, off));
}

static void
ccm_write(uint32_t off, uint32_t val)
{
	const struct drm_reg_io *io = drm_reg_io(gpu_clks.ccm);

	io->write(io->arg, off, val);
}

static void
ccm_modify(uint32_t off, uint32_t clear, uint32_t set)
{
	const struct drm_reg_io *io = drm_reg_io(gpu_clks.ccm);

	io->modify(io->arg, off, clear, set);
}

static void
pll_modify(uint32_t clear, uint32_t set)
{
	const struct drm_reg_io *io = drm_reg_io(gpu_clks.anatop);

	io->modify(io->arg, ANATOP_GPU_PLL_CFG0, clear, set);
}

static int
pll_enable(void)
{
	int error;

	if (gpu_clks.pll_on == 0) {
		pll_modify(IMX8MQ_PLL_PD, 0);
		error = drm_reg_wait(drm_reg_io(gpu_clks.anatop),
		    ANATOP_GPU_PLL_CFG0, IMX8MQ_PLL_LOCK, IMX8MQ_PLL_LOCK,
		    PLL_LOCK_US);
		if (error != 0) {
			pll_modify(0, IMX8MQ_PLL_PD);
			return (error);
		}
		pll_modify(0, IMX8MQ_PLL_OUT_GATE);
	}
	gpu_clks.pll_on++;
	return (0);
}

static void
pll_disable(void)
{

	if (--gpu_clks.pll_on == 0) {
		pll_modify(IMX8MQ_PLL_OUT_GATE, 0);
		pll_modify(0, IMX8MQ_PLL_PD);
	}
}

static int
root_mux(u_int root)
{
	uint32_t input;
	int mux;

	input = (ccm_read(gpu_roots[root].reg) & IMX8MQ_ROOT_MUX_MASK) >>
	    IMX8MQ_ROOT_MUX_SHIFT;
	for (mux = 0; mux < MUX_NONE; mux++) {
		if (gpu_roots[root].input[mux] == input)
			break;
	}
	return (mux);
}

static uint64_t
mux_rate(int mux)
{
	const struct drm_reg_io *io = drm_reg_io(gpu_clks.anatop);

	switch (mux) {
	case MUX_25M:
		return (25000000);
	case MUX_SYS1_800M:
		return (800000000);
	case MUX_GPU_PLL:
		return (imx8mq_pll_rate(io->read(io->arg, ANATOP_GPU_PLL_CFG0),
		    io->read(io->arg, ANATOP_GPU_PLL_CFG1)));
	default:
		return (0);
	}
}

static int
root_enable(u_int root)
{
	int error;

	if (gpu_clks.root_on[root] == 0) {
		error = root_mux(root) == MUX_GPU_PLL ? pll_enable() : 0;
		if (error != 0)
			return (error);
		ccm_modify(gpu_roots[root].reg, 0, IMX8MQ_ROOT_ENABLE);
	}
	gpu_clks.root_on[root]++;
	return (0);
}

static void
root_disable(u_int root)
{

	if (--gpu_clks.root_on[root] == 0) {
		ccm_modify(gpu_roots[root].reg, IMX8MQ_ROOT_ENABLE, 0);
		if (root_mux(root) == MUX_GPU_PLL)
			pll_disable();
	}
}

/*
 * A root that is in use keeps what it has.  HW: the input of a root is switched
 * while it is gated, with both inputs running, and written twice, so that both
 * halves of the selector of a bus slice point to it (clk-composite-8m.c).
 */
static int
root_assign(u_int root, int mux, uint64_t hz)
{
	uint32_t value;
	int error;

	if (gpu_clks.root_on[root] != 0)
		return (0);
	error = mux == MUX_GPU_PLL ? pll_enable() : 0;
	if (error != 0)
		return (error);
	ccm_modify(gpu_roots[root].reg, IMX8MQ_ROOT_ENABLE, 0);
	value = ccm_read(gpu_roots[root].reg) & ~IMX8MQ_ROOT_MUX_MASK;
	value |= gpu_roots[root].input[mux] << IMX8MQ_ROOT_MUX_SHIFT;
	if (hz != 0)
		value = imx8mq_root_set_rate(gpu_roots[root].slice, value,
		    mux_rate(mux), hz);
	ccm_write(gpu_roots[root].reg, value);
	ccm_write(gpu_roots[root].reg, value);
	if (mux == MUX_GPU_PLL)
		pll_disable();
	return (0);
}

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

/* The idx-th clock of a list of them, if it is the CCM's. */
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
		return (MUX_25M);
	case IMX8MQ_GPU_PLL_OUT:
		return (MUX_GPU_PLL);
	case IMX8MQ_SYS1_PLL_800M:
		return (MUX_SYS1_800M);
	default:
		return (MUX_NONE);
	}
}

static int
clks_assign_one(device_t dev, uint32_t id, uint32_t parent, uint32_t hz)
{
	const struct gpu_clk_id *clk;
	int mux;

	if (id == IMX8MQ_GPU_PLL_BYPASS) {
		if (parent == IMX8MQ_GPU_PLL)
			pll_modify(IMX8MQ_PLL_BYPASS, 0);
		return (0);
	}
	clk = clk_id_find(id);
	if (clk == NULL)
		return (0);
	mux = parent == 0 ? root_mux(clk->root) : mux_of_id(parent);
	if (mux == MUX_NONE) {
		device_printf(dev, "clock %u: parent %u is not known here\n",
		    id, parent);
		return (0);
	}
	return (root_assign(clk->root, mux, hz));
}

/*
 * HW: the bypass first, though it comes last in the device tree: the dividers are
 * computed from the rate that the PLL will have.
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

static void
clks_close(void)
{

	if (gpu_clks.anatop != NULL)
		drm_reg_close(gpu_clks.anatop);
	if (gpu_clks.ccm != NULL)
		drm_reg_close(gpu_clks.ccm);
	gpu_clks.anatop = gpu_clks.ccm = NULL;
}

static int
clks_open(device_t dev, phandle_t ccm)
{
	phandle_t anatop;
	int error;

	anatop = ofw_bus_find_compatible(OF_peer(0), "fsl,imx8mq-anatop");
	if (anatop == 0) {
		device_printf(dev, "no node of the PLLs, fsl,imx8mq-anatop\n");
		return (ENXIO);
	}
	error = drm_reg_open(dev, ccm, &gpu_clks.ccm);
	if (error == 0)
		error = drm_reg_open(dev, anatop, &gpu_clks.anatop);
	if (error == 0)
		error = clks_assign(dev);
	if (error != 0) {
		device_printf(dev, "cannot set up the GPU's clocks, error %d\n",
		    error);
		clks_close();
	}
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
	error = gpu_clks.users == 0 ? clks_open(dev, ccm) : 0;
	if (error == 0) {
		gpu_clks.users++;
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
	error = root_enable(clk->id->root);
	if (error == 0) {
		clk->enabled++;
		if (clk->id->gated && gpu_clks.gate_on++ == 0)
			ccm_modify(CCM_CCGR_GPU, 0, CCM_CCGR_ON);
	}
	sx_xunlock(&gpu_clk_lock);
	return (error);
}

static void
clk_disable_locked(struct drm_clk *clk)
{

	clk->enabled--;
	if (clk->id->gated && --gpu_clks.gate_on == 0)
		ccm_modify(CCM_CCGR_GPU, CCM_CCGR_ON, 0);
	root_disable(clk->id->root);
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
	u_int root;

	root = clk->id->root;
	sx_xlock(&gpu_clk_lock);
	*hz = imx8mq_root_rate(gpu_roots[root].slice,
	    ccm_read(gpu_roots[root].reg), mux_rate(root_mux(root)));
	sx_xunlock(&gpu_clk_lock);
	return (*hz == 0 ? ENXIO : 0);
}

void
drm_clk_put(struct drm_clk *clk)
{

	sx_xlock(&gpu_clk_lock);
	while (clk->enabled > 0)
		clk_disable_locked(clk);
	if (--gpu_clks.users == 0)
		clks_close();
	sx_xunlock(&gpu_clk_lock);
	free(clk, M_DRM);
}
