/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copyright (c) 2026 The drmkpi authors
 *
 * The drivers in Rust that are linked into drmkpi.ko (sys/modules/drmkpi/src).
 * Each function returns the driver's constant table, and may be called at any
 * time and in any context while the module is loaded.  (The names without
 * _table are those of newbus's driver_t.)
 */
#ifndef _DRM_DRIVERS_H_
#define	_DRM_DRIVERS_H_

struct drm_os_driver;

const struct drm_os_driver	*panfrost_driver_table(void);
const struct drm_os_driver	*etnaviv_driver_table(void);

#endif /* _DRM_DRIVERS_H_ */
