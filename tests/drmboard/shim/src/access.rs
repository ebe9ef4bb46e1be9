// SPDX-License-Identifier: BSD-2-Clause
//! access(2) and similar functions for arm64 programs under QEMU.
//!
//! QEMU searches for an absolute path below its `-L` directory when it opens or stats it, but not
//! when it checks its permissions. So for access(2) a file that the program can open does not
//! exist. libxkbcommon, for example, checks its directory with access(2).

use crate::config;
use crate::control::{errno, fail};
use libc::{c_char, c_int};
use std::ffi::CStr;

/// The longest path that is tried below the sysroot.
const MAX: usize = 4096;

/// The result for `path`, or if there is no such file, for the same path below the sysroot.
///
/// # Safety
/// `path` is NULL or a NUL-ended string.
unsafe fn or_below(path: *const c_char, ask: impl Fn(*const c_char) -> c_int) -> c_int {
    let answer = ask(path);
    let config = config::get();
    if answer != -1 || errno() != libc::ENOENT || config.qemu().is_empty() || path.is_null() {
        return answer;
    }
    // SAFETY: the caller passes a string.
    let bytes = unsafe { CStr::from_ptr(path) }.to_bytes_with_nul();
    let root = config.sysroot();
    let mut below = [0u8; MAX];
    let len = root.len() + bytes.len();
    if !cfg!(target_arch = "aarch64") || bytes[0] != b'/' || len > MAX || root.is_empty() {
        return fail(libc::ENOENT);
    }
    below[..root.len()].copy_from_slice(root);
    below[root.len()..len].copy_from_slice(bytes);
    ask(below.as_ptr().cast())
}

macro_rules! accesses {
    ($($name:ident $literal:literal),*) => {$(
        /// access(2).
        ///
        /// # Safety
        /// As in C.
        #[no_mangle]
        pub unsafe extern "C" fn $name(path: *const c_char, mode: c_int) -> c_int {
            // SAFETY: the caller's arguments, the path perhaps longer.
            unsafe {
                or_below(path, |path| {
                    next!($literal: unsafe extern "C" fn(*const c_char, c_int) -> c_int)(path, mode)
                })
            }
        }
    )*};
}
accesses!(access c"access", eaccess c"eaccess", euidaccess c"euidaccess");

/// faccessat(2).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn faccessat(
    dir: c_int,
    path: *const c_char,
    mode: c_int,
    flags: c_int,
) -> c_int {
    type Faccessat = unsafe extern "C" fn(c_int, *const c_char, c_int, c_int) -> c_int;
    // SAFETY: the caller's arguments, the path perhaps longer.
    unsafe {
        or_below(path, |path| {
            next!(c"faccessat": Faccessat)(dir, path, mode, flags)
        })
    }
}
