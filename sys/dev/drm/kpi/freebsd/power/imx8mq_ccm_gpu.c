/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * The registers of i.MX8MQ's GPU clocks: four roots and a gate in the CCM, a
 * PLL in the anatop.  imx8mq_gpu_clk.c describes their other users, and holds
 * the lock under which all of this runs.
 *
 * HW: Linux 6.1, drivers/clk/imx: clk-imx8mq.c, clk-composite-8m.c,
 * clk-frac-pll.c.
 */
#include <dev/drm/kpi/freebsd/power/imx8mq_ccm_gpu.h>

/* HW: clk-imx8mq.c: the GPU's PLL in the anatop, and its gate in the CCM. */
#define	ANATOP_GPU_PLL_CFG0	0x18
#define	ANATOP_GPU_PLL_CFG1	0x1c
#define	CCM_CCGR_GPU		0x4570
#define	 CCM_CCGR_ON		3u
/* HW: clk-frac-pll.c. */
#define	PLL_LOCK_US		10000

/*
 * HW: clk-imx8mq.c: the offset of each root, and the inputs for the three
 * parents.
 */
static const struct gpu_root {
	uint32_t	 reg;
	int		 slice;
	uint32_t	 input[IMX8MQ_MUX_NONE];
} gpu_roots[IMX8MQ_GPU_ROOTS] = {
	{ 0x8180, IMX8MQ_SLICE_CORE, { 0, 1, 2 } },	/* core */
	{ 0x8200, IMX8MQ_SLICE_BUS, { 0, 1, 2 } },	/* shader */
	{ 0x8c00, IMX8MQ_SLICE_BUS, { 0, 2, 1 } },	/* AXI */
	{ 0x8c80, IMX8MQ_SLICE_BUS, { 0, 2, 1 } },	/* AHB */
};

static struct {
	struct drm_reg	*ccm;
	struct drm_reg	*anatop;
	u_int		 root_on[IMX8MQ_GPU_ROOTS];
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

int
imx8mq_root_mux(u_int root)
{
	uint32_t input;
	int mux;

	input = (ccm_read(gpu_roots[root].reg) & IMX8MQ_ROOT_MUX_MASK) >>
	    IMX8MQ_ROOT_MUX_SHIFT;
	for (mux = 0; mux < IMX8MQ_MUX_NONE; mux++) {
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
	case IMX8MQ_MUX_25M:
		return (25000000);
	case IMX8MQ_MUX_SYS1_800M:
		return (800000000);
	case IMX8MQ_MUX_GPU_PLL:
		return (imx8mq_pll_rate(io->read(io->arg, ANATOP_GPU_PLL_CFG0),
		    io->read(io->arg, ANATOP_GPU_PLL_CFG1)));
	default:
		return (0);
	}
}

int
imx8mq_root_enable(u_int root)
{
	int error;

	if (gpu_clks.root_on[root] == 0) {
		error = imx8mq_root_mux(root) == IMX8MQ_MUX_GPU_PLL ?
		    pll_enable() : 0;
		if (error != 0)
			return (error);
		ccm_modify(gpu_roots[root].reg, 0, IMX8MQ_ROOT_ENABLE);
	}
	gpu_clks.root_on[root]++;
	return (0);
}

void
imx8mq_root_disable(u_int root)
{

	if (--gpu_clks.root_on[root] == 0) {
		ccm_modify(gpu_roots[root].reg, IMX8MQ_ROOT_ENABLE, 0);
		if (imx8mq_root_mux(root) == IMX8MQ_MUX_GPU_PLL)
			pll_disable();
	}
}

/*
 * A root that is in use is not changed.  HW: the input of a root is switched
 * while it is gated, with both inputs running, and written twice, so that both
 * halves of the selector of a bus slice point to it (clk-composite-8m.c).
 */
int
imx8mq_root_assign(u_int root, int mux, uint64_t hz)
{
	uint32_t value;
	int error;

	if (gpu_clks.root_on[root] != 0)
		return (0);
	error = mux == IMX8MQ_MUX_GPU_PLL ? pll_enable() : 0;
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
	if (mux == IMX8MQ_MUX_GPU_PLL)
		pll_disable();
	return (0);
}

void
imx8mq_gate_enable(void)
{

	if (gpu_clks.gate_on++ == 0)
		ccm_modify(CCM_CCGR_GPU, 0, CCM_CCGR_ON);
}

void
imx8mq_gate_disable(void)
{

	if (--gpu_clks.gate_on == 0)
		ccm_modify(CCM_CCGR_GPU, CCM_CCGR_ON, 0);
}

void
imx8mq_pll_unbypass(void)
{

	pll_modify(IMX8MQ_PLL_BYPASS, 0);
}

uint64_t
imx8mq_root_hz(u_int root)
{

	return (imx8mq_root_rate(gpu_roots[root].slice,
	    ccm_read(gpu_roots[root].reg), mux_rate(imx8mq_root_mux(root))));
}

void
imx8mq_clks_unmap(void)
{

	if (gpu_clks.anatop != NULL)
		drm_reg_close(gpu_clks.anatop);
	if (gpu_clks.ccm != NULL)
		drm_reg_close(gpu_clks.ccm);
	gpu_clks.anatop = gpu_clks.ccm = NULL;
}

int
imx8mq_clks_map(device_t dev, phandle_t ccm, phandle_t anatop)
{
	int error;

	error = drm_reg_open(dev, ccm, &gpu_clks.ccm);
	if (error == 0)
		error = drm_reg_open(dev, anatop, &gpu_clks.anatop);
	if (error != 0)
		imx8mq_clks_unmap();
	return (error);
}
