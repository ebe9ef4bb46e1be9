// SPDX-License-Identifier: BSD-2-Clause
//! Common helpers: the report of fatal errors, locks without poison, C strings.
//!
//! A driver calls this crate through `extern "C"`, where a panic cannot unwind and so aborts the
//! process before a test harness prints the output it captured. [`fatal`] therefore writes to
//! descriptor 2 itself first.

use std::ffi::{c_char, CStr};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// FreeBSD's ESPIPE, which `drm_os.h` names in prose only.
pub(crate) const ESPIPE: i32 = 29;

/// Reports a violation of the rules of `drm_os.h` and panics.
#[cold]
#[track_caller]
pub(crate) fn fatal(msg: &str) -> ! {
    raw_line(&format!("drm_os: {msg}"));
    if std::thread::panicking() {
        raw_line("drm_os: (while another panic unwinds; run with --nocapture to see that one)");
    }
    panic!("{msg}")
}

/// Writes one line to descriptor 2, which a test harness does not capture.
pub(crate) fn raw_line(msg: &str) {
    let line = format!("{msg}\n");
    // SAFETY: the pointer and length are those of `line`.
    unsafe { libc::write(2, line.as_ptr().cast(), line.len()) };
}

/// Locks; a panic of another thread while it held the lock is reported by that thread and ignored
/// here.
pub(crate) fn lk<T: ?Sized>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shared lock, as [`lk`].
pub(crate) fn rd<T>(m: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    m.read().unwrap_or_else(PoisonError::into_inner)
}

/// Exclusive lock, as [`lk`].
pub(crate) fn wr<T>(m: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    m.write().unwrap_or_else(PoisonError::into_inner)
}

/// A C string, or `None` for NULL.
///
/// # Safety
/// `p` is NULL or a string that ends with NUL.
pub(crate) unsafe fn cstr(p: *const c_char) -> Option<String> {
    if p.is_null() {
        return None;
    }
    // SAFETY: not NULL; the rest is the caller's promise.
    Some(unsafe { CStr::from_ptr(p) }.to_string_lossy().into_owned())
}

/// Errno of a `Result`, 0 for success.
pub(crate) fn errno(r: Result<(), u32>) -> i32 {
    match r {
        Ok(()) => 0,
        Err(e) => e as i32,
    }
}

/// Runs the body of a thread of this crate: a panic in it ends the process, not the thread.
pub(crate) fn no_unwind(f: impl FnOnce()) {
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err() {
        raw_line("drm_os: a thread of the world panicked");
        std::process::abort();
    }
}
