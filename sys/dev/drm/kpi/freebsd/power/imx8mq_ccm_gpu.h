/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * The interface of imx8mq_ccm_gpu.c for imx8mq_gpu_clk.c.
 */
#ifndef _IMX8MQ_CCM_GPU_H_
#define	_IMX8MQ_CCM_GPU_H_

#include <dev/drm/kpi/freebsd/power/power_impl.h>
#include <dev/drm/kpi/freebsd/power/imx8mq_clk_calc.h>

/* Core, shader, AXI, AHB. */
#define	IMX8MQ_GPU_ROOTS	4

/* The supported parents of a root. */
enum {
	IMX8MQ_MUX_25M,
	IMX8MQ_MUX_GPU_PLL,
	IMX8MQ_MUX_SYS1_800M,
	IMX8MQ_MUX_NONE
};

int	 imx8mq_clks_map(device_t dev, phandle_t ccm, phandle_t anatop);
void	 imx8mq_clks_unmap(void);
/* Counted; enabling a root enables the PLL if that is its parent. */
int	 imx8mq_root_enable(u_int root);
void	 imx8mq_root_disable(u_int root);
void	 imx8mq_gate_enable(void);
void	 imx8mq_gate_disable(void);
int	 imx8mq_root_mux(u_int root);
/* hz 0: the dividers are not changed. */
int	 imx8mq_root_assign(u_int root, int mux, uint64_t hz);
uint64_t imx8mq_root_hz(u_int root);
void	 imx8mq_pll_unbypass(void);

#endif /* _IMX8MQ_CCM_GPU_H_ */
