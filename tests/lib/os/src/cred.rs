// SPDX-License-Identifier: BSD-2-Clause
//! Users to whom kernel memory is charged: the sum of each, and a limit for all together.

use crate::caller::CallerInner;
use crate::counters::Kind;
use crate::util::fatal;
use crate::world::{Inner, World};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;

/// The user that `struct drm_os_cred` refers to.
struct Cred {
    w: Arc<Inner>,
    used: AtomicU64,
}

impl World {
    /// Limits all charges together to `bytes`, as racct(4) does.
    pub fn limit_charges(&self, bytes: u64) {
        self.inner().charge_limit.store(bytes, Relaxed);
    }
}

impl Cred {
    fn charge(&self, bytes: u64) -> Result<(), u32> {
        let sum = self.w.counts.snapshot().charged_bytes.saturating_add(bytes);
        if sum > self.w.charge_limit.load(Relaxed) {
            return Err(crate::sys::DRM_OS_ENOMEM);
        }
        self.used.fetch_add(bytes, Relaxed);
        self.w.counts.add(Kind::ChargedBytes, bytes);
        Ok(())
    }

    fn uncharge(&self, bytes: u64) {
        if self.used.fetch_sub(bytes, Relaxed) < bytes {
            fatal("more was uncharged than charged");
        }
        self.w.counts.sub(Kind::ChargedBytes, bytes);
    }
}

pub(crate) mod exports {
    //! See `check.rs`.
    #![allow(clippy::missing_safety_doc, reason = "drm_os.h is the contract")]
    use super::*;
    use crate::sys;
    use crate::util::errno;
    use crate::witness;
    use std::ffi::c_int;

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_cred_hold(
        caller: *mut sys::drm_os_caller,
        credp: *mut *mut sys::drm_os_cred,
    ) -> c_int {
        witness::may_sleep("drm_os_cred_hold");
        let w = CallerInner::of(caller).w.clone();
        errno(w.gate().map(|()| {
            w.counts.add(Kind::Creds, 1);
            let used = AtomicU64::new(0);
            credp.write(Box::into_raw(Box::new(Cred { w, used })).cast());
        }))
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_cred_free(cred: *mut sys::drm_os_cred) {
        let cred = Box::from_raw(cred.cast::<Cred>());
        if cred.used.load(Relaxed) != 0 {
            fatal("something is still charged");
        }
        cred.w.counts.sub(Kind::Creds, 1);
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_cred_charge(cred: *mut sys::drm_os_cred, bytes: u64) -> c_int {
        errno((*cred.cast::<Cred>()).charge(bytes))
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_cred_uncharge(cred: *mut sys::drm_os_cred, bytes: u64) {
        (*cred.cast::<Cred>()).uncharge(bytes);
    }
}
