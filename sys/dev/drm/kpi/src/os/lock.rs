// SPDX-License-Identifier: BSD-2-Clause
//! Locks that own the value they protect: `Mtx` for short sections and interrupt handlers, `Sx` for
//! sections that may sleep.

use super::{c, Os};
use crate::util::errno::{Errno, Result};
use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr::null_mut;
use static_assertions::{assert_impl_all, assert_not_impl_any};

macro_rules! lock {
    (
        $Lock:ident, $Guard:ident, $raw:ty,
        $create:path, $destroy:path, $lock:path, $unlock:path,
        $doc:literal
    ) => {
        #[doc = $doc]
        ///
        /// # Invariants
        ///
        /// `raw` is a live C lock; `value` is accessed only while it is held.
        pub struct $Lock<T> {
            raw: *mut $raw,
            value: UnsafeCell<T>,
        }

        // SAFETY: one thread at a time accesses the value.
        unsafe impl<T: Send> Send for $Lock<T> {}
        // SAFETY: as above.
        unsafe impl<T: Send> Sync for $Lock<T> {}

        impl<T> $Lock<T> {
            /// A lock of `value`. Locks with the same name are one class in the lock order.
            ///
            /// # Errors
            ///
            /// ENOMEM.
            pub fn new(os: Os, name: &'static CStr, value: T) -> Result<Self> {
                let mut raw = null_mut();
                // SAFETY: `os` is live, the name is static, `raw` is ours to fill.
                Errno::check(unsafe { $create(os.as_ptr(), name.as_ptr(), &raw mut raw) })?;
                // INVARIANT: C made the lock.
                Ok(Self {
                    raw,
                    value: UnsafeCell::new(value),
                })
            }

            /// Takes the lock.
            pub fn lock(&self) -> $Guard<'_, T> {
                // SAFETY: live by the invariant.
                unsafe { $lock(self.raw) };
                $Guard {
                    lock: self,
                    _not_send: core::marker::PhantomData,
                }
            }

            /// The value, without locking: `&mut self` is exclusive.
            pub fn get_mut(&mut self) -> &mut T {
                self.value.get_mut()
            }
        }

        impl<T> Drop for $Lock<T> {
            fn drop(&mut self) {
                // SAFETY: owned, live, and not held: guards borrow the lock.
                unsafe { $destroy(self.raw) }
            }
        }

        /// The lock, held.
        pub struct $Guard<'a, T> {
            lock: &'a $Lock<T>,
            _not_send: core::marker::PhantomData<*mut ()>,
        }

        impl<T> Deref for $Guard<'_, T> {
            type Target = T;
            fn deref(&self) -> &T {
                // SAFETY: the lock is held.
                unsafe { &*self.lock.value.get() }
            }
        }

        impl<T> DerefMut for $Guard<'_, T> {
            fn deref_mut(&mut self) -> &mut T {
                // SAFETY: the lock is held, and this guard is borrowed mutably.
                unsafe { &mut *self.lock.value.get() }
            }
        }

        impl<T> Drop for $Guard<'_, T> {
            fn drop(&mut self) {
                // SAFETY: taken by `lock`, released once.
                unsafe { $unlock(self.lock.raw) }
            }
        }
    };
}

lock!(
    Mtx,
    MtxGuard,
    c::drm_os_mtx,
    c::drm_os_mtx_create,
    c::drm_os_mtx_destroy,
    c::drm_os_mtx_lock,
    c::drm_os_mtx_unlock,
    "A mutex: its holder does not sleep; interrupt handlers may take it."
);
lock!(
    Sx,
    SxGuard,
    c::drm_os_sx,
    c::drm_os_sx_create,
    c::drm_os_sx_destroy,
    c::drm_os_sx_lock,
    c::drm_os_sx_unlock,
    "A sleepable lock: its holder may sleep, and so may taking it."
);

// A lock is released by the thread that took it.
assert_impl_all!(Mtx<u32>: Send, Sync);
assert_impl_all!(Sx<u32>: Send, Sync);
assert_not_impl_any!(MtxGuard<'static, u32>: Send);
assert_not_impl_any!(SxGuard<'static, u32>: Send);

impl<T> Mtx<T> {
    /// A lock of `value` by a mutex that belongs to the system.
    ///
    /// # Safety
    ///
    /// `raw` is live as long as the result, which is not dropped.
    pub(super) unsafe fn borrowed(raw: *mut c::drm_os_mtx, value: T) -> ManuallyDrop<Self> {
        // INVARIANT: the caller promises that it is live. Other values have other cells.
        ManuallyDrop::new(Mtx {
            raw,
            value: UnsafeCell::new(value),
        })
    }
}

impl<T> MtxGuard<'_, T> {
    pub(super) fn raw(&self) -> *mut c::drm_os_mtx {
        self.lock.raw
    }
}

impl<T> Sx<T> {
    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> Option<SxGuard<'_, T>> {
        // SAFETY: live by the invariant.
        let taken = unsafe { c::drm_os_sx_try(self.raw) };
        // Made only if the lock was taken: dropping a guard unlocks.
        (taken != 0).then(|| SxGuard {
            lock: self,
            _not_send: core::marker::PhantomData,
        })
    }
}
