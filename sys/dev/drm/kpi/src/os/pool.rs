// SPDX-License-Identifier: BSD-2-Clause
//! Values under a lock of the system's pool, for objects that are too many and too short-lived to
//! have a lock of their own.

use super::condvar::Condvar;
use super::lock::{Mtx, MtxGuard};
use super::{c, Caller, Os};
use crate::util::errno::Result;
use core::mem::ManuallyDrop;
use core::ptr::null_mut;
use static_assertions::assert_impl_all;

/// A value under a mutex that it shares with other values of the pool, and a place to wait for it
/// to change. A thread holds one mutex of the pool at a time.
pub struct Pooled<T> {
    value: ManuallyDrop<Mtx<T>>,
    changed: ManuallyDrop<Condvar>,
}

assert_impl_all!(Pooled<u32>: Send, Sync);

impl<T> Pooled<T> {
    /// A value under the lock for `key`. Values with equal keys share it.
    pub fn new(os: Os, key: u64, value: T) -> Self {
        let (mut mtx, mut cv) = (null_mut::<c::drm_os_mtx>(), null_mut::<c::drm_os_cv>());
        // SAFETY: `os` is live, the pointers are ours to fill.
        unsafe { c::drm_os_pool_get(os.as_ptr(), key, &raw mut mtx, &raw mut cv) };
        // SAFETY: the pool lives as long as `os`, which outlives this; `drop` below leaves it.
        let value = unsafe { Mtx::borrowed(mtx, value) };
        // SAFETY: as above.
        let changed = unsafe { Condvar::borrowed(cv) };
        Pooled { value, changed }
    }

    /// Takes the lock.
    pub fn lock(&self) -> MtxGuard<'_, T> {
        self.value.lock()
    }

    /// Releases the lock, sleeps until `wake`, or until a wakeup for another value, and takes the
    /// lock again. With a `caller`, its signals end the sleep.
    ///
    /// # Errors
    ///
    /// ETIMEDOUT when the clock reaches `deadline` in ns; EINTR or ERESTART.
    pub fn wait(
        &self,
        guard: &mut MtxGuard<'_, T>,
        caller: Option<&Caller<'_>>,
        deadline: u64,
    ) -> Result<()> {
        self.changed.wait(guard, caller, deadline)
    }

    /// Wakes all threads that wait.
    pub fn wake(&self) {
        self.changed.broadcast();
    }
}

impl<T> Drop for Pooled<T> {
    fn drop(&mut self) {
        // SAFETY: the value is dropped once, here: `ManuallyDrop` does not, and nothing reaches it
        // afterwards.
        unsafe { core::ptr::drop_in_place(self.value.get_mut()) }
    }
}
