/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Register sequences of the GPU power domains.  The source of register offsets
 * and bits is Linux 6.1: drivers/soc/rockchip/pm_domains.c (RK3399) and
 * drivers/soc/imx/gpcv2.c (i.MX8MQ).
 */
#include <dev/drm/kpi/freebsd/power/power_seq.h>

/* HW: pm_domains.c, rk3399_pmu: offsets in the PMU. */
#define	PMU_PWRDN_CON		0x14
#define	PMU_PWRDN_ST		0x18
#define	PMU_BUS_IDLE_REQ	0x60
#define	PMU_BUS_IDLE_ST		0x64
#define	PMU_BUS_IDLE_ACK	0x68
/* HW: pm_domains.c, rk3399_pm_domains, the GPU's: 1 is power-down, and idle. */
#define	PMU_GPU_PWRDN		(1u << 15)
#define	PMU_GPU_IDLE		(1u << 0)
/*
 * HW: pm_domains.c waits this long for each acknowledgement; silicon takes far
 * less.
 */
#define	PMU_TIMEOUT_US		10000

/* HW: pm_domains.c: priority, mode, bandwidth, saturation, external control. */
#define	QOS_FIRST		0x08

/* HW: gpcv2.c: GPCv2 as in i.MX7 and i.MX8MQ. */
#define	GPC_PGC_CPU_MAPPING	0x0ec
#define	GPC_PU_PGC_SW_PUP_REQ	0x0f8
#define	GPC_PU_PGC_SW_PDN_REQ	0x104
#define	GPC_PU_PWRHSK		0x1fc
#define	GPC_PGC_GPU_CTRL	(0x800 + 23 * 0x40)
#define	 GPC_PGC_CTRL_PCR	(1u << 0)
/* HW: gpcv2.c, the bits of i.MX8MQ's GPU domain. */
#define	GPC_GPU_A53		(1u << 9)
#define	GPC_GPU_PXX		(1u << 7)
#define	GPC_GPU_HSK_REQ		(1u << 6)
#define	GPC_GPU_HSK_ACK		(1u << 26)
#define	GPC_TIMEOUT_US		1000
/* HW: gpcv2.c, for the reset of the domain to reach everything in it. */
#define	GPC_RESET_US		5

int
drm_reg_wait(const struct drm_reg_io *io, uint32_t off, uint32_t mask,
    uint32_t want, uint32_t usec)
{

	for (;;) {
		if ((io->read(io->arg, off) & mask) == want)
			return (0);
		if (usec == 0)
			return (DRM_OS_ETIMEDOUT);
		io->delay(io->arg, 1);
		usec--;
	}
}

static int
rk3399_gpu_idle(const struct drm_reg_io *pmu, uint32_t idle)
{
	int error;

	pmu->modify(pmu->arg, PMU_BUS_IDLE_REQ, PMU_GPU_IDLE, idle);
	error = drm_reg_wait(pmu, PMU_BUS_IDLE_ACK, PMU_GPU_IDLE, idle,
	    PMU_TIMEOUT_US);
	if (error == 0)
		error = drm_reg_wait(pmu, PMU_BUS_IDLE_ST, PMU_GPU_IDLE, idle,
		    PMU_TIMEOUT_US);
	return (error);
}

static int
rk3399_gpu_pwrdn(const struct drm_reg_io *pmu, uint32_t pwrdn)
{

	pmu->modify(pmu->arg, PMU_PWRDN_CON, PMU_GPU_PWRDN, pwrdn);
	return (drm_reg_wait(pmu, PMU_PWRDN_ST, PMU_GPU_PWRDN, pwrdn,
	    PMU_TIMEOUT_US));
}

static void
rk3399_qos_save(struct rk3399_qos *qos)
{
	uint32_t i;

	for (i = 0; i < RK3399_QOS_REGS; i++)
		qos->regs[i] = qos->io.read(qos->io.arg, QOS_FIRST + 4 * i);
	qos->saved = 1;
}

/* There are no saved settings of a domain that the firmware left off. */
static void
rk3399_qos_restore(const struct rk3399_qos *qos)
{
	uint32_t i;

	if (!qos->saved)
		return;
	for (i = 0; i < RK3399_QOS_REGS; i++)
		qos->io.write(qos->io.arg, QOS_FIRST + 4 * i, qos->regs[i]);
}

int
rk3399_gpu_up(const struct drm_reg_io *pmu, struct rk3399_qos *qos,
    uint32_t nqos)
{
	uint32_t i;
	int error;

	if ((pmu->read(pmu->arg, PMU_PWRDN_ST) & PMU_GPU_PWRDN) == 0 &&
	    (pmu->read(pmu->arg, PMU_BUS_IDLE_ST) & PMU_GPU_IDLE) == 0)
		return (0);
	error = rk3399_gpu_pwrdn(pmu, 0);
	if (error == 0)
		error = rk3399_gpu_idle(pmu, 0);
	if (error != 0) {
		pmu->modify(pmu->arg, PMU_BUS_IDLE_REQ, 0, PMU_GPU_IDLE);
		pmu->modify(pmu->arg, PMU_PWRDN_CON, 0, PMU_GPU_PWRDN);
		return (error);
	}
	for (i = 0; i < nqos; i++)
		rk3399_qos_restore(&qos[i]);
	return (0);
}

int
rk3399_gpu_down(const struct drm_reg_io *pmu, struct rk3399_qos *qos,
    uint32_t nqos)
{
	uint32_t i;
	int error;

	if ((pmu->read(pmu->arg, PMU_PWRDN_ST) & PMU_GPU_PWRDN) != 0)
		return (0);
	for (i = 0; i < nqos; i++)
		rk3399_qos_save(&qos[i]);
	/*
	 * The power of a bus that is not idle is not turned off: a transaction
	 * in progress would hang the interconnect.
	 */
	error = rk3399_gpu_idle(pmu, PMU_GPU_IDLE);
	if (error != 0) {
		pmu->modify(pmu->arg, PMU_BUS_IDLE_REQ, PMU_GPU_IDLE, 0);
		return (error);
	}
	return (rk3399_gpu_pwrdn(pmu, PMU_GPU_PWRDN));
}

void
imx8mq_gpu_claim(const struct drm_reg_io *gpc)
{

	gpc->modify(gpc->arg, GPC_PGC_CPU_MAPPING, 0, GPC_GPU_A53);
}

int
imx8mq_gpu_up(const struct drm_reg_io *gpc)
{
	int error;

	gpc->delay(gpc->arg, GPC_RESET_US);
	gpc->modify(gpc->arg, GPC_PU_PGC_SW_PUP_REQ, 0, GPC_GPU_PXX);
	/* HW: the request clears itself when it is complete. */
	error = drm_reg_wait(gpc, GPC_PU_PGC_SW_PUP_REQ, GPC_GPU_PXX, 0,
	    GPC_TIMEOUT_US);
	if (error != 0)
		return (error);
	gpc->modify(gpc->arg, GPC_PGC_GPU_CTRL, GPC_PGC_CTRL_PCR, 0);
	gpc->delay(gpc->arg, GPC_RESET_US);
	/*
	 * Opens the bridge to the bus.  HW: gpcv2.c does not wait for the
	 * acknowledgement here, because on related chips it never comes; so it
	 * is waited for while the clocks run, but its absence is not an error.
	 */
	gpc->modify(gpc->arg, GPC_PU_PWRHSK, 0, GPC_GPU_HSK_REQ);
	(void)drm_reg_wait(gpc, GPC_PU_PWRHSK, GPC_GPU_HSK_ACK,
	    GPC_GPU_HSK_ACK, GPC_TIMEOUT_US / 10);
	return (0);
}

int
imx8mq_gpu_down(const struct drm_reg_io *gpc)
{
	int error;

	gpc->modify(gpc->arg, GPC_PU_PWRHSK, GPC_GPU_HSK_REQ, 0);
	error = drm_reg_wait(gpc, GPC_PU_PWRHSK, GPC_GPU_HSK_ACK, 0,
	    GPC_TIMEOUT_US);
	if (error != 0) {
		gpc->modify(gpc->arg, GPC_PU_PWRHSK, 0, GPC_GPU_HSK_REQ);
		return (error);
	}
	gpc->modify(gpc->arg, GPC_PGC_GPU_CTRL, 0, GPC_PGC_CTRL_PCR);
	gpc->modify(gpc->arg, GPC_PU_PGC_SW_PDN_REQ, 0, GPC_GPU_PXX);
	return (drm_reg_wait(gpc, GPC_PU_PGC_SW_PDN_REQ, GPC_GPU_PXX, 0,
	    GPC_TIMEOUT_US));
}
