/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * HW: Linux 6.1, drivers/clk/imx/clk-composite-8m.c (target roots) and
 * clk-frac-pll.c, clk-imx8mq.c (the PLL, its reference).
 */
#include <dev/drm/kpi/freebsd/power/imx8mq_clk_calc.h>

#define	ROOT_PRE_SHIFT		16
#define	ROOT_PRE_MASK		(7u << ROOT_PRE_SHIFT)
#define	ROOT_POST_MASK		0x3fu
#define	ROOT_CORE_POST_MASK	0x7u

#define	PLL_REF_SHIFT		16
#define	PLL_REF_MASK		3u
#define	PLL_REF_DIV_SHIFT	5
#define	PLL_REF_DIV_MASK	0x3fu
#define	PLL_OUT_DIV_MASK	0x1fu
#define	PLL_FRAC_SHIFT		7
#define	PLL_FRAC_MASK		0xffffffu
#define	PLL_INT_MASK		0x7fu

uint64_t
imx8mq_root_rate(int slice, uint32_t root, uint64_t parent_hz)
{
	uint32_t post, pre;

	if (slice == IMX8MQ_SLICE_CORE)
		return (parent_hz / ((root & ROOT_CORE_POST_MASK) + 1));
	pre = ((root & ROOT_PRE_MASK) >> ROOT_PRE_SHIFT) + 1;
	post = (root & ROOT_POST_MASK) + 1;
	return (parent_hz / (pre * post));
}

uint32_t
imx8mq_root_set_rate(int slice, uint32_t root, uint64_t parent_hz, uint64_t hz)
{
	uint64_t best, rate;
	uint32_t chosen, pre, premax, post, postmax, value;

	premax = slice == IMX8MQ_SLICE_CORE ? 0 : ROOT_PRE_MASK >> ROOT_PRE_SHIFT;
	postmax = slice == IMX8MQ_SLICE_CORE ? ROOT_CORE_POST_MASK :
	    ROOT_POST_MASK;
	root &= ~(postmax | premax << ROOT_PRE_SHIFT);
	chosen = root | premax << ROOT_PRE_SHIFT | postmax;
	best = 0;
	for (pre = 0; pre <= premax; pre++) {
		for (post = 0; post <= postmax; post++) {
			value = root | pre << ROOT_PRE_SHIFT | post;
			rate = imx8mq_root_rate(slice, value, parent_hz);
			if (rate <= hz && rate > best) {
				best = rate;
				chosen = value;
			}
		}
	}
	return (chosen);
}

uint64_t
imx8mq_pll_rate(uint32_t cfg0, uint32_t cfg1)
{
	uint64_t frac, ref, whole;

	switch ((cfg0 >> PLL_REF_SHIFT) & PLL_REF_MASK) {
	case 0:
		ref = 25000000;
		break;
	case 1:
	case 2:
		ref = 27000000;
		break;
	default:
		return (0);
	}
	if ((cfg0 & IMX8MQ_PLL_BYPASS) != 0)
		return (ref);
	ref /= ((cfg0 >> PLL_REF_DIV_SHIFT) & PLL_REF_DIV_MASK) + 1;
	/* ref * 8 * (1 + whole + frac / 2^24) / (2 * out); below 2^56. */
	whole = ((cfg1 & PLL_INT_MASK) + 1) * (ref * 8);
	frac = ((cfg1 >> PLL_FRAC_SHIFT) & PLL_FRAC_MASK) * (ref * 8) >> 24;
	return ((whole + frac) / (2 * ((cfg0 & PLL_OUT_DIV_MASK) + 1)));
}
