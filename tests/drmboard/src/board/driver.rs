// SPDX-License-Identifier: BSD-2-Clause
//! The drivers linked into this program.

use drm_os_host::sys;

type Table = fn() -> *const sys::drm_os_driver;

/// Name and constant table of each driver. The type of a table is each crate's own; its layout is
/// drm_os.h's.
const DRIVERS: &[(&str, Table)] = &[
    ("panfrost", || panfrost::DRIVER.as_ptr().cast()),
    ("etnaviv", || etnaviv::DRIVER.as_ptr().cast()),
];

/// The table of the driver `name`; None if this program does not contain it.
pub(crate) fn table(name: &str) -> Option<*const sys::drm_os_driver> {
    DRIVERS
        .iter()
        .find(|(driver, _)| *driver == name)
        .map(|(_, table)| table())
}
