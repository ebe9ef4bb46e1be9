/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * The register sequences that switch a power domain, as functions of a window
 * of registers: the kernel passes the hardware's, tests/inproc/glue one that
 * records.
 */
#ifndef _DRM_POWER_SEQ_H_
#define	_DRM_POWER_SEQ_H_

#include <dev/drm/kpi/include/drm_os.h>

struct drm_reg_io {
	uint32_t (*read)(void *arg, uint32_t off);
	void	 (*write)(void *arg, uint32_t off, uint32_t val);
	/* Clears, then sets, atomically under the window's lock. */
	void	 (*modify)(void *arg, uint32_t off, uint32_t clear,
		    uint32_t set);
	void	 (*delay)(void *arg, uint32_t usec);
	void	*arg;
};

/*
 * Reads until (value & mask) == want; ETIMEDOUT after about usec microseconds.
 */
int	 drm_reg_wait(const struct drm_reg_io *io, uint32_t off, uint32_t mask,
	    uint32_t want, uint32_t usec);

/*
 * An arbiter between the domain and memory, which loses its settings with
 * power.
 */
#define	RK3399_QOS_REGS		5
struct rk3399_qos {
	struct drm_reg_io io;
	uint32_t	 regs[RK3399_QOS_REGS];
	int		 saved;
};

/*
 * With the domain's clocks running.  Writes nothing if the domain is already
 * in that state.  ETIMEDOUT; up has then requested power-down again.
 */
int	 rk3399_gpu_up(const struct drm_reg_io *pmu, struct rk3399_qos *qos,
	    uint32_t nqos);
int	 rk3399_gpu_down(const struct drm_reg_io *pmu, struct rk3399_qos *qos,
	    uint32_t nqos);

/* Once, before the others: enables power requests of this CPU cluster. */
void	 imx8mq_gpu_claim(const struct drm_reg_io *gpc);
/* With the domain's supply on and its clocks running.  ETIMEDOUT. */
int	 imx8mq_gpu_up(const struct drm_reg_io *gpc);
int	 imx8mq_gpu_down(const struct drm_reg_io *gpc);

#endif /* _DRM_POWER_SEQ_H_ */
