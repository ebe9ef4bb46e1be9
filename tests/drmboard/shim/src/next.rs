// SPDX-License-Identifier: BSD-2-Clause
//! The next definition of an interposed symbol: the C library's, or that of another preloaded
//! library.

use libc::c_void;
use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Resolves `name` in the libraries after this one, once.
pub(crate) fn find(cache: &AtomicPtr<c_void>, name: &CStr) -> *mut c_void {
    let mut found = cache.load(Ordering::Relaxed);
    if found.is_null() {
        // SAFETY: a NUL-ended name.
        found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
        if found.is_null() {
            // The program calls a symbol that no later library defines, which ld.so would have
            // refused. SAFETY: ends the process.
            unsafe { libc::abort() };
        }
        cache.store(found, Ordering::Relaxed);
    }
    found
}

/// `next!(NAME: fn type)`: the next definition as a function pointer. Unsafe: the symbol must have
/// that type.
macro_rules! next {
    ($name:literal: $type:ty) => {{
        static CACHE: std::sync::atomic::AtomicPtr<libc::c_void> =
            std::sync::atomic::AtomicPtr::new(std::ptr::null_mut());
        std::mem::transmute::<*mut libc::c_void, $type>($crate::next::find(&CACHE, $name))
    }};
}
