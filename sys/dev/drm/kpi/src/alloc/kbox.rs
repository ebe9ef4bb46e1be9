// SPDX-License-Identifier: BSD-2-Clause
//! `KBox<T>`: one value in kernel memory.

use super::{allocate, release};
use crate::os::Os;
use crate::util::errno::Result;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

/// One owned value in kernel memory.
///
/// # Invariants
///
/// The pointer came from `allocate` and holds a valid `T` that nobody else owns.
pub struct KBox<T>(NonNull<T>);

// SAFETY: a KBox is its value, elsewhere.
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
        let p = allocate::<T>(os, 1)?;
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
        // SAFETY: the memory is ours and the value has left it.
        unsafe { release(p) };
        value
    }

    /// The pointer, to be handed to C and back to `from_raw`.
    pub(crate) fn into_raw(self) -> *mut T {
        let p = self.0.as_ptr();
        core::mem::forget(self);
        p
    }

    /// Takes back what `into_raw` gave.
    ///
    /// # Safety
    ///
    /// `p` came from `into_raw` and is taken back once.
    pub(crate) unsafe fn from_raw(p: *mut T) -> Option<Self> {
        // INVARIANT: the caller returns a pointer of ours.
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
        // SAFETY: the memory is ours and the value is gone.
        unsafe { release(self.0) };
    }
}
