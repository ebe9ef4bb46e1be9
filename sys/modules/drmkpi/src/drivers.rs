// SPDX-License-Identifier: BSD-2-Clause
//! The drivers of this module, for the C glue.
// UNSAFETY: C links to these names; no other function of the module may have one of them.
#![expect(unsafe_code, reason = "symbols that C links to")]

use core::ffi::c_void;

/// Returns panfrost's `struct drm_os_driver`.
#[no_mangle]
extern "C" fn panfrost_driver_table() -> *const c_void {
    panfrost::DRIVER.as_ptr()
}

/// Returns etnaviv's `struct drm_os_driver`.
#[no_mangle]
extern "C" fn etnaviv_driver_table() -> *const c_void {
    etnaviv::DRIVER.as_ptr()
}
