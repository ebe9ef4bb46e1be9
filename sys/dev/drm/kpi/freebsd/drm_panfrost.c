/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * Module panfrost: Arm Mali Midgard and Bifrost.
 */
#include "drm_glue.h"

#include <sys/module.h>
#include <dev/ofw/ofw_bus_subr.h>

#include "drm_drivers.h"
#include "drm_newbus.h"

/* For devmatch(8); the probe uses the driver's table. */
static struct ofw_compat_data panfrost_compat[] = {
	{ "arm,mali-t720",	1 },
	{ "arm,mali-t760",	1 },
	{ "arm,mali-t860",	1 },
	{ "arm,mali-bifrost",	1 },
	{ NULL,			0 }
};

DRM_DRIVER(panfrost, panfrost_driver_table(), panfrost_compat);
