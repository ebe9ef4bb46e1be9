/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * The power domain, which firmware is taken to have left on.
 */
#include "drm_glue.h"

int
drm_os_power_on(struct drm_os_dev *dev __unused)
{

	return (0);
}

int
drm_os_power_off(struct drm_os_dev *dev __unused)
{

	return (0);
}
