// SPDX-License-Identifier: BSD-2-Clause
//! Condition variables. The waiter is registered before the mutex is released, so no wake-up is
//! lost.

use crate::caller::CallerInner;
use crate::calls::Call;
use crate::clock::{Waiter, Wake};
use crate::counters::Kind;
use crate::locks::{Home, Mtx};
use crate::sys;
use crate::util::{cstr, errno, fatal, lk};
use crate::witness;
use crate::world::Inner;
use std::ffi::{c_char, c_int};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

/// The condition variable that `struct drm_os_cv` refers to.
pub(crate) struct Cv {
    w: Home,
    name: String,
    waiting: Mutex<Vec<Arc<Waiter>>>,
}

impl Cv {
    pub(crate) fn new(w: Home, name: String) -> Cv {
        Cv {
            w,
            name,
            waiting: Mutex::default(),
        }
    }

    fn wait(&self, mtx: &Mtx, caller: Option<&CallerInner>, deadline: u64) -> i32 {
        witness::may_sleep_but(
            &format!("drm_os_cv_wait(\"{}\")", self.name),
            mtx.raw.addr(),
        );
        if !mtx.raw.is_mine() {
            fatal(&format!(
                "drm_os_cv_wait(\"{}\") without its mtx",
                self.name
            ));
        }
        let waiter = Waiter::new();
        if let Some(Err(error)) = caller.map(|c| c.begin_wait(&waiter)) {
            return error;
        }
        self.w.cv_sleeps.fetch_add(1, Relaxed);
        lk(&self.waiting).push(waiter.clone());
        mtx.raw.unlock(&self.w);
        let why = self
            .w
            .block(&waiter, deadline, "drm_os_cv_wait", &self.name);
        if why != Wake::Event {
            lk(&self.waiting).retain(|x| !Arc::ptr_eq(x, &waiter));
        }
        let interrupted = caller.and_then(|c| c.end_wait(&waiter, why));
        mtx.raw.lock(&self.w);
        match why {
            Wake::Event => 0,
            Wake::Timeout => sys::DRM_OS_ETIMEDOUT as i32,
            Wake::Signal => interrupted.unwrap_or(sys::DRM_OS_EINTR as i32),
        }
    }
}

pub(crate) mod exports {
    use super::*;

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_cv_create(
        os: *mut sys::drm_os,
        name: *const c_char,
        cvp: *mut *mut sys::drm_os_cv,
    ) -> c_int {
        let w = Inner::of(os);
        errno(w.gate().map(|()| {
            w.counts.add(Kind::Cvs, 1);
            let name = cstr(name).unwrap_or_default();
            cvp.write(Box::into_raw(Box::new(Cv::new(Home::Shared(w.arc()), name))).cast());
        }))
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_cv_destroy(cv: *mut sys::drm_os_cv) {
        let c = Box::from_raw(cv.cast::<Cv>());
        if !lk(&c.waiting).is_empty() {
            fatal(&format!(
                "cv \"{}\" destroyed while a thread waits on it",
                c.name
            ));
        }
        c.w.counts.sub(Kind::Cvs, 1);
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_cv_wait(
        cv: *mut sys::drm_os_cv,
        mtx: *mut sys::drm_os_mtx,
        caller: *mut sys::drm_os_caller,
        deadline: u64,
    ) -> c_int {
        let caller = (!caller.is_null()).then(|| CallerInner::of(caller));
        (*cv.cast::<Cv>()).wait(&*mtx.cast::<Mtx>(), caller, deadline)
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_cv_broadcast(cv: *mut sys::drm_os_cv) {
        let c = &*cv.cast::<Cv>();
        let all = std::mem::take(&mut *lk(&c.waiting));
        c.w.calls.one(Call::Broadcast);
        c.w.calls.add(Call::Woken, all.len() as u64);
        c.w.wake_all(all);
    }
}
