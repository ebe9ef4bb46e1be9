// SPDX-License-Identifier: BSD-2-Clause
//! Fallible containers over `drm_os_malloc`. The `alloc` crate aborts when memory runs out; these
//! fail with ENOMEM. One of the three places where unsafe code is allowed.
// UNSAFETY: raw memory from C becomes typed values here, and nowhere else.
#![expect(unsafe_code, reason = "owns raw memory")]

mod arc;
mod hook;
mod kbox;
mod kvec;

pub use arc::Arc;
pub use hook::{Callback, Hook};
pub use kbox::KBox;
pub use kvec::KVec;

use crate::os::{bindings as c, Os};
use crate::util::errno::{Result, ENOMEM};
use core::ptr::NonNull;

/// Alignment that `drm_os_malloc` promises.
const MALLOC_ALIGN: usize = 16;

/// The size of `count` values of `T`, which `allocate` was given.
fn bytes_of<T>(count: usize) -> usize {
    // OVERFLOW: none, for `allocate` has checked it.
    size_of::<T>().saturating_mul(count).max(1)
}

/// Memory for `count` values of `T`, which is not initialised: it may hold anything.
fn allocate<T>(os: Os, count: usize) -> Result<NonNull<T>> {
    allocate_with(os, count, c::DRM_OS_NOWAIT)
}

/// As `allocate`, of zeros.
fn allocate_zeroed<T>(os: Os, count: usize) -> Result<NonNull<T>> {
    allocate_with(os, count, c::DRM_OS_NOWAIT | c::DRM_OS_ZERO)
}

#[inline(always)]
fn allocate_with<T>(os: Os, count: usize, flags: u32) -> Result<NonNull<T>> {
    const { assert!(align_of::<T>() <= MALLOC_ALIGN) };
    let bytes = size_of::<T>().checked_mul(count).ok_or(ENOMEM)?;
    // SAFETY: `os` is live while the `Os` value exists.
    let p = unsafe { c::drm_os_malloc(os.as_ptr(), bytes.max(1), flags) };
    NonNull::new(p.cast::<T>()).ok_or(ENOMEM)
}

/// Frees memory of `bytes` bytes from `allocate`.
///
/// # Safety
///
/// `p` came from `allocate` with this size (`bytes_of`, or that of the one value), is freed once,
/// and no pointer into it is used afterwards.
unsafe fn release<T: ?Sized>(p: NonNull<T>, bytes: usize) {
    // SAFETY: as the caller promises.
    unsafe { c::drm_os_free(p.as_ptr().cast(), bytes) }
}
