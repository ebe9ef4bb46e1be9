// SPDX-License-Identifier: BSD-2-Clause
//! Arguments and results of functions that C calls.

use super::{c, UserMapping};
use crate::util::errno::Result;
use crate::util::int_conv::usize_of_u32;
use core::ffi::{c_int, c_void};

/// The bytes of an ioctl's argument.
///
/// # Safety
///
/// `data` is `size` writable bytes, or anything when `size` is 0, for `'a`.
pub(crate) unsafe fn argument<'a>(data: *mut c_void, size: u32) -> &'a mut [u8] {
    if size == 0 || data.is_null() {
        return &mut [];
    }
    // SAFETY: as the caller promises.
    unsafe { core::slice::from_raw_parts_mut(data.cast(), usize_of_u32(size)) }
}

/// Stores the memory for an mmap(2).
///
/// # Safety
///
/// Both pointers are writable.
pub(super) unsafe fn store_mapping(
    mapping: Result<UserMapping>,
    objp: *mut *mut c::drm_os_object,
    offsetp: *mut u64,
) -> c_int {
    match mapping {
        Ok(mapping) => {
            let (object, offset) = mapping.into_raw();
            // SAFETY: as the caller promises.
            unsafe { objp.write(object) };
            // SAFETY: as the caller promises.
            unsafe { offsetp.write(offset) };
            0
        }
        Err(e) => e.get(),
    }
}
