/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Module etnaviv: Vivante GPUs.
 */
#include "drm_glue.h"

#include <sys/module.h>
#include <dev/ofw/ofw_bus_subr.h>

#include "drm_drivers.h"
#include "drm_newbus.h"

/* For devmatch(8); the probe uses the driver's table. */
static struct ofw_compat_data etnaviv_compat[] = {
	{ "vivante,gc",		1 },
	{ NULL,			0 }
};

DRM_DRIVER(etnaviv, etnaviv_driver_table(), etnaviv_compat);
