/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * The supported power controllers.
 */
#include <dev/drm/kpi/freebsd/power/power_impl.h>

const struct drm_power_provider *const drm_power_providers[] = {
	&drm_imx8mq_gpc_provider,
	&drm_rk3399_power_provider,
};
const size_t drm_power_nproviders = nitems(drm_power_providers);
