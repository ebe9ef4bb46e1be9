// SPDX-License-Identifier: BSD-2-Clause
//! The drivers in this module, as C asks for them.
// UNSAFETY: these names are looked up by C; nothing else in the module may have them.
#![expect(unsafe_code, reason = "symbols that C links to")]

use core::ffi::c_void;

/// panfrost's table, a `struct drm_os_driver`.
#[no_mangle]
extern "C" fn panfrost_driver_table() -> *const c_void {
    panfrost::DRIVER.as_ptr()
}

/// etnaviv's table, a `struct drm_os_driver`.
#[no_mangle]
extern "C" fn etnaviv_driver_table() -> *const c_void {
    etnaviv::DRIVER.as_ptr()
}
