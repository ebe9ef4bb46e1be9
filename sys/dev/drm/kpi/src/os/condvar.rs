// SPDX-License-Identifier: BSD-2-Clause
//! Condition variables.

use super::{c, Caller, MtxGuard, Os};
use crate::util::errno::{Errno, Result};
use core::ffi::CStr;
use core::mem::ManuallyDrop;
use core::ptr::null_mut;

/// A condition variable, used with one `Mtx`.
///
/// # Invariants
///
/// The pointer is a live C condition variable.
pub struct Condvar(*mut c::drm_os_cv);

// SAFETY: the C side locks for itself.
unsafe impl Send for Condvar {}
// SAFETY: as above.
unsafe impl Sync for Condvar {}

impl Condvar {
    /// A condition variable; `name` is the wait message of sleepers.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(os: Os, name: &'static CStr) -> Result<Self> {
        let mut raw = null_mut();
        // SAFETY: `os` is live, the name is static, `raw` is ours to fill.
        Errno::check(unsafe { c::drm_os_cv_create(os.as_ptr(), name.as_ptr(), &raw mut raw) })?;
        // INVARIANT: C made it.
        Ok(Condvar(raw))
    }

    /// A condition variable that belongs to the system.
    ///
    /// # Safety
    ///
    /// `raw` is live as long as the result, which is not dropped.
    pub(super) unsafe fn borrowed(raw: *mut c::drm_os_cv) -> ManuallyDrop<Self> {
        // INVARIANT: as the caller promises.
        ManuallyDrop::new(Condvar(raw))
    }

    /// Releases the lock, sleeps until a broadcast or a spurious wakeup, and takes the lock again.
    /// With a `caller`, its signals end the sleep.
    ///
    /// # Errors
    ///
    /// ETIMEDOUT when the clock reaches `deadline` in ns; EINTR or ERESTART.
    pub fn wait<T>(
        &self,
        guard: &mut MtxGuard<'_, T>,
        caller: Option<&Caller<'_>>,
        deadline: u64,
    ) -> Result<()> {
        let caller = caller.map_or(null_mut(), Caller::as_ptr);
        // SAFETY: all handles are live, and the guard proves that the mutex is held by this thread.
        Errno::check(unsafe { c::drm_os_cv_wait(self.0, guard.raw(), caller, deadline) })
    }

    /// Wakes all sleepers.
    pub fn broadcast(&self) {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_cv_broadcast(self.0) }
    }
}

impl Drop for Condvar {
    fn drop(&mut self) {
        // SAFETY: owned, and no thread sleeps on it: sleepers borrow it.
        unsafe { c::drm_os_cv_destroy(self.0) }
    }
}
