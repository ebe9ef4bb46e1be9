/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Arithmetic of i.MX8MQ's clock registers, without access to them.
 */
#ifndef _IMX8MQ_CLK_CALC_H_
#define	_IMX8MQ_CLK_CALC_H_

#include <dev/drm/kpi/include/drm_os.h>

/* Fields of a target root. */
#define	IMX8MQ_ROOT_ENABLE	(1u << 28)
#define	IMX8MQ_ROOT_MUX_SHIFT	24
#define	IMX8MQ_ROOT_MUX_MASK	(7u << IMX8MQ_ROOT_MUX_SHIFT)
/* A core slice has one divider of 3 bits, the others two, of 3 and 6 bits. */
#define	IMX8MQ_SLICE_CORE	0
#define	IMX8MQ_SLICE_BUS	1
uint64_t imx8mq_root_rate(int slice, uint32_t root, uint64_t parent_hz);
/*
 * root with the dividers for the highest rate not above hz; the greatest
 * dividers if there is none.
 */
uint32_t imx8mq_root_set_rate(int slice, uint32_t root, uint64_t parent_hz,
	    uint64_t hz);

/* A fractional PLL of the anatop, its two registers. */
#define	IMX8MQ_PLL_LOCK		(1u << 31)
#define	IMX8MQ_PLL_OUT_GATE	(1u << 21)
#define	IMX8MQ_PLL_PD		(1u << 19)
#define	IMX8MQ_PLL_BYPASS	(1u << 14)
/*
 * The rate of its output, powered or not; 0: its reference is not an
 * oscillator.
 */
uint64_t imx8mq_pll_rate(uint32_t cfg0, uint32_t cfg1);

#endif /* _IMX8MQ_CLK_CALC_H_ */
