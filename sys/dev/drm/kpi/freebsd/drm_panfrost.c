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

/*
 * For devmatch(8), which compares the first name of a node: of the vendors'
 * names here is that of the board whose power domain the module handles.  The
 * probe uses the driver's table.
 */
static struct ofw_compat_data panfrost_compat[] = {
	{ "rockchip,rk3399-mali",	1 },
	{ "arm,mali-t604",	1 },
	{ "arm,mali-t624",	1 },
	{ "arm,mali-t628",	1 },
	{ "arm,mali-t720",	1 },
	{ "arm,mali-t760",	1 },
	{ "arm,mali-t820",	1 },
	{ "arm,mali-t830",	1 },
	{ "arm,mali-t860",	1 },
	{ "arm,mali-t880",	1 },
	{ "arm,mali-bifrost",	1 },
	{ "arm,mali-valhall-jm",	1 },
	{ NULL,			0 }
};

DRM_DRIVER(panfrost, panfrost_driver_table(), panfrost_compat);
