// SPDX-License-Identifier: BSD-2-Clause
//! The drivers linked into this program.

use drm_os_host::sys;

/// Name and constant table of each driver.
const DRIVERS: &[(&str, fn() -> *const sys::drm_os_driver)] = &[];

/// The table of the driver `name`; None if it is not in this build.
pub(crate) fn table(name: &str) -> Option<*const sys::drm_os_driver> {
    DRIVERS.iter().find(|(driver, _)| *driver == name).map(|(_, table)| table())
}
