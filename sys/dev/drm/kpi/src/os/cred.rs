// SPDX-License-Identifier: BSD-2-Clause
//! The system's account of the kernel's own memory.

use super::{c, Caller};
use crate::util::errno::{Errno, Result};
use core::ptr::null_mut;

/// The credentials of a caller, to which the system's accounting and limits apply.
///
/// # Invariants
///
/// The pointer is live; everything that was charged is uncharged before it is freed.
pub(crate) struct Cred(*mut c::drm_os_cred);

// SAFETY: the C side locks for itself.
unsafe impl Send for Cred {}
// SAFETY: as above.
unsafe impl Sync for Cred {}

impl Cred {
    /// The credentials of `caller`.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn of(caller: &Caller<'_>) -> Result<Cred> {
        let mut raw = null_mut();
        // SAFETY: the caller is live, `raw` is ours to fill.
        Errno::check(unsafe { c::drm_os_cred_hold(caller.as_ptr(), &raw mut raw) })?;
        // INVARIANT: C made it.
        Ok(Cred(raw))
    }

    /// Charges `bytes`.
    ///
    /// # Errors
    ///
    /// ENOMEM if a limit of the system is exceeded.
    pub(crate) fn charge(&self, bytes: u64) -> Result<()> {
        // SAFETY: live by the invariant.
        Errno::check(unsafe { c::drm_os_cred_charge(self.0, bytes) })
    }

    /// Uncharges `bytes` that were charged.
    pub(crate) fn uncharge(&self, bytes: u64) {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_cred_uncharge(self.0, bytes) }
    }
}

impl Drop for Cred {
    fn drop(&mut self) {
        // SAFETY: owned, and nothing is charged, by the invariant.
        unsafe { c::drm_os_cred_free(self.0) }
    }
}
