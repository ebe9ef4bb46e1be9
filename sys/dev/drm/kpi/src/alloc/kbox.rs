// SPDX-License-Identifier: BSD-2-Clause
//! `KBox<T>`: one value in kernel memory.

use super::{allocate, bytes_of, release};
use crate::os::Os;
use crate::util::errno::{Result, ENOMEM};
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

/// One owned value in kernel memory.
///
/// # Invariants
///
/// The pointer came from `allocate` and is that of a valid `T`, which this owns.
pub struct KBox<T>(NonNull<T>);

// SAFETY: a KBox owns its value.
unsafe impl<T: Send> Send for KBox<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for KBox<T> {}

impl<T> KBox<T> {
    /// Moves `value` into kernel memory.
    ///
    /// # Errors
    ///
    /// ENOMEM; `value` is dropped.
    pub fn new(os: Os, value: T) -> Result<Self> {
        KBox::try_new(os, value).map_err(|_| ENOMEM)
    }

    /// Moves `value` into kernel memory, or returns it if there is none.
    ///
    /// # Errors
    ///
    /// The value.
    pub fn try_new(os: Os, value: T) -> core::result::Result<Self, T> {
        let Ok(p) = allocate::<T>(os, 1) else {
            return Err(value);
        };
        // SAFETY: `p` is fresh memory of the size and alignment of T.
        unsafe { p.as_ptr().write(value) };
        // INVARIANT: just allocated and written.
        Ok(KBox(p))
    }

    /// The value, moved out.
    pub fn into_inner(self) -> T {
        let p = self.0;
        core::mem::forget(self);
        // SAFETY: the value is valid and, with `self` forgotten, read only once.
        let value = unsafe { p.as_ptr().read() };
        // SAFETY: the memory is owned, and the value has been moved out.
        unsafe { release(p, bytes_of::<T>(1)) };
        value
    }

    /// The pointer, for C to keep until `from_raw`.
    pub(crate) fn into_raw(self) -> *mut T {
        let p = self.0.as_ptr();
        core::mem::forget(self);
        p
    }

    /// The `KBox` of a pointer from `into_raw`.
    ///
    /// # Safety
    ///
    /// `p` came from `into_raw`, and this is called once for it.
    pub(crate) unsafe fn from_raw(p: *mut T) -> Option<Self> {
        // INVARIANT: the caller returns a pointer from `into_raw`.
        NonNull::new(p).map(KBox)
    }
}

impl<T> Deref for KBox<T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: valid by the invariant.
        unsafe { self.0.as_ref() }
    }
}

impl<T> DerefMut for KBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: valid and unshared by the invariant.
        unsafe { self.0.as_mut() }
    }
}

impl<T> Drop for KBox<T> {
    fn drop(&mut self) {
        // SAFETY: the value is valid and dropped once.
        unsafe { self.0.as_ptr().drop_in_place() };
        // SAFETY: the memory is owned, and the value has been dropped.
        unsafe { release(self.0, bytes_of::<T>(1)) };
    }
}
