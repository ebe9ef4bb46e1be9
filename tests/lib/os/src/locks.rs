// SPDX-License-Identifier: BSD-2-Clause
//! `drm_os_mtx` and `drm_os_sx`, with witness's checks on every call.

use crate::calls::Call;
use crate::clock::{Waiter, NEVER};
use crate::counters::Kind;
use crate::cv::Cv;
use crate::sys;
use crate::task;
use crate::util::{cstr, errno, fatal, lk};
use crate::witness::{self, Class, LockKind};
use crate::world::Inner;
use std::collections::VecDeque;
use std::ffi::{c_char, c_int};
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

/// A mutex without its world.
pub(crate) struct RawMtx {
    class: Class,
    owner: AtomicU64,
    st: Mutex<(bool, u32)>, // (locked, waiting)
    cond: Condvar,
}

impl RawMtx {
    fn new(class: Class) -> RawMtx {
        RawMtx {
            class,
            owner: AtomicU64::new(0),
            st: Mutex::default(),
            cond: Condvar::new(),
        }
    }

    pub(crate) fn addr(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    pub(crate) fn lock(&self, w: &Inner) {
        w.disturb();
        w.witness.check(w.addr(), self.addr(), &self.class);
        let mut st = lk(&self.st);
        if st.0 && w.is_virtual() {
            fatal(&format!(
                "mtx \"{}\" is held by a thread that waits, and time is virtual",
                self.class.name
            ));
        }
        while st.0 {
            st.1 += 1;
            st = self.cond.wait(st).unwrap_or_else(PoisonError::into_inner);
            st.1 -= 1;
        }
        st.0 = true;
        drop(st);
        self.owner.store(witness::thread_id(), Relaxed);
        w.witness.acquired(w.addr(), self.addr(), &self.class);
    }

    pub(crate) fn unlock(&self, w: &Inner) {
        w.witness.released(self.addr(), &self.class);
        self.owner.store(0, Relaxed);
        let mut st = lk(&self.st);
        st.0 = false;
        if st.1 != 0 {
            self.cond.notify_one();
        }
    }

    pub(crate) fn is_mine(&self) -> bool {
        self.owner.load(Relaxed) == witness::thread_id()
    }
}

/// How a lock or condition variable refers to its world.
pub(crate) enum Home {
    /// It holds a reference to its world.
    Shared(Arc<Inner>),
    /// It is part of its world's pool.
    Owner(*const Inner),
}

// SAFETY: the pointer is to data that every thread may use.
unsafe impl Send for Home {}
// SAFETY: as above.
unsafe impl Sync for Home {}

impl Home {
    fn owner(w: &Inner) -> Home {
        Home::Owner(std::ptr::from_ref(w))
    }
}

impl Deref for Home {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        match self {
            Home::Shared(w) => w,
            // SAFETY: the world owns the object that this is part of.
            Home::Owner(w) => unsafe { &**w },
        }
    }
}

/// The mutex that `struct drm_os_mtx` refers to.
pub(crate) struct Mtx {
    pub(crate) w: Home,
    pub(crate) raw: RawMtx,
}

/// The locks and condition variables of `drm_os_pool_get`. There are few, so that objects in tests
/// share one.
#[derive(Default)]
pub(crate) struct Pool(OnceLock<Vec<(Mtx, Cv)>>);

impl Pool {
    const SIZE: u64 = 8;

    fn get(&self, w: &Inner, key: u64) -> &(Mtx, Cv) {
        let all = self.0.get_or_init(|| {
            let class = || w.witness.class(LockKind::Mtx, "drm pool");
            let one = |_| {
                let mtx = Mtx {
                    w: Home::owner(w),
                    raw: RawMtx::new(class()),
                };
                (mtx, Cv::new(Home::owner(w), "drmpool".to_string()))
            };
            (0..Pool::SIZE).map(one).collect()
        });
        &all[usize::try_from(key % Pool::SIZE).unwrap_or(0)]
    }
}

#[derive(Default)]
struct SxState {
    owner: u64,
    waiting: VecDeque<(u64, Arc<Waiter>)>,
}

/// The lock that `struct drm_os_sx` refers to. Threads get it in the order in which they asked.
struct Sx {
    w: Arc<Inner>,
    class: Class,
    st: Mutex<SxState>,
}

impl Sx {
    fn addr(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    fn lock(&self) {
        self.w.disturb();
        witness::may_sleep(&format!("drm_os_sx_lock(\"{}\")", self.class.name));
        self.w
            .witness
            .check(self.w.addr(), self.addr(), &self.class);
        let me = witness::thread_id();
        let waiter = {
            let mut st = lk(&self.st);
            if st.owner == 0 {
                st.owner = me;
                None
            } else {
                let waiter = Waiter::new();
                st.waiting.push_back((me, waiter.clone()));
                Some(waiter)
            }
        };
        if let Some(waiter) = waiter {
            self.w
                .block(&waiter, NEVER, "drm_os_sx_lock", &self.class.name);
        }
        self.w
            .witness
            .acquired(self.w.addr(), self.addr(), &self.class);
    }

    /// As sx_try_xlock(9): returns false for the thread that holds it as well.
    fn try_lock(&self) -> bool {
        let mut st = lk(&self.st);
        if st.owner != 0 {
            return false;
        }
        st.owner = witness::thread_id();
        drop(st);
        self.w
            .witness
            .acquired(self.w.addr(), self.addr(), &self.class);
        true
    }

    fn unlock(&self) {
        self.w.witness.released(self.addr(), &self.class);
        let mut st = lk(&self.st);
        match st.waiting.pop_front() {
            Some((id, waiter)) => {
                st.owner = id;
                drop(st);
                self.w.wake(&waiter, crate::clock::Wake::Event);
            }
            None => st.owner = 0,
        }
    }
}

unsafe fn name_of(p: *const c_char) -> String {
    // SAFETY: the header requires a literal.
    unsafe { cstr(p) }.unwrap_or_else(|| fatal("a lock without a name"))
}

pub(crate) mod exports {
    use super::*;

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_mtx_create(
        os: *mut sys::drm_os,
        name: *const c_char,
        mtxp: *mut *mut sys::drm_os_mtx,
    ) -> c_int {
        let w = Inner::of(os);
        w.calls.one(Call::MtxCreate);
        errno(w.gate().map(|()| {
            let class = w.witness.class(LockKind::Mtx, &name_of(name));
            w.counts.add(Kind::Mtxs, 1);
            mtxp.write(
                Box::into_raw(Box::new(Mtx {
                    w: Home::Shared(w.arc()),
                    raw: RawMtx::new(class),
                }))
                .cast(),
            );
        }))
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_mtx_destroy(mtx: *mut sys::drm_os_mtx) {
        let m = Box::from_raw(mtx.cast::<Mtx>());
        if lk(&m.raw.st).0 {
            fatal(&format!(
                "mtx \"{}\" destroyed while it is held",
                m.raw.class.name
            ));
        }
        m.w.counts.sub(Kind::Mtxs, 1);
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_mtx_lock(mtx: *mut sys::drm_os_mtx) {
        let m = &*mtx.cast::<Mtx>();
        m.w.calls.one(Call::MtxLock);
        m.raw.lock(&m.w);
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_mtx_unlock(mtx: *mut sys::drm_os_mtx) {
        let m = &*mtx.cast::<Mtx>();
        // Another thread may destroy the mutex after the unlock.
        let delayed = task::is_delayed().then(|| m.w.arc());
        m.raw.unlock(&m.w);
        if let Some(w) = delayed {
            task::after_unlock(&w);
        }
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_pool_get(
        os: *mut sys::drm_os,
        key: u64,
        mtxp: *mut *mut sys::drm_os_mtx,
        cvp: *mut *mut sys::drm_os_cv,
    ) {
        let w = Inner::of(os);
        let (mtx, cv) = w.pool.get(w, key);
        mtxp.write(std::ptr::from_ref(mtx).cast_mut().cast());
        cvp.write(std::ptr::from_ref(cv).cast_mut().cast());
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_sx_create(
        os: *mut sys::drm_os,
        name: *const c_char,
        sxp: *mut *mut sys::drm_os_sx,
    ) -> c_int {
        let w = Inner::of(os);
        errno(w.gate().map(|()| {
            let class = w.witness.class(LockKind::Sx, &name_of(name));
            w.counts.add(Kind::Sxs, 1);
            sxp.write(
                Box::into_raw(Box::new(Sx {
                    w: w.arc(),
                    class,
                    st: Mutex::default(),
                }))
                .cast(),
            );
        }))
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_sx_destroy(sx: *mut sys::drm_os_sx) {
        let s = Box::from_raw(sx.cast::<Sx>());
        if lk(&s.st).owner != 0 {
            fatal(&format!(
                "sx \"{}\" destroyed while it is held",
                s.class.name
            ));
        }
        s.w.counts.sub(Kind::Sxs, 1);
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_sx_lock(sx: *mut sys::drm_os_sx) {
        let s = &*sx.cast::<Sx>();
        s.w.calls.one(Call::SxLock);
        s.lock();
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_sx_try(sx: *mut sys::drm_os_sx) -> c_int {
        let s = &*sx.cast::<Sx>();
        let got = s.try_lock();
        s.w.calls.add(Call::SxLock, got.into());
        c_int::from(got)
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_sx_unlock(sx: *mut sys::drm_os_sx) {
        (*sx.cast::<Sx>()).unlock();
    }
}
