// SPDX-License-Identifier: BSD-2-Clause
//! `KVec<T>`: a growable array that fails with ENOMEM instead of aborting.

use super::{allocate, allocate_zeroed, bytes_of, release};
use crate::os::Os;
use crate::util::errno::{Result, ENOMEM};
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

/// A growable array in kernel memory.
///
/// # Invariants
///
/// `ptr` has room for `cap` values (from `allocate` when `cap` is not 0), the first `len` of which
/// are valid.
pub struct KVec<T> {
    os: Os,
    ptr: NonNull<T>,
    len: usize,
    cap: usize,
}

// SAFETY: a KVec owns its values.
unsafe impl<T: Send> Send for KVec<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for KVec<T> {}

impl<T> KVec<T> {
    /// An empty array; allocates nothing.
    pub const fn new(os: Os) -> Self {
        // INVARIANT: no room, no values.
        KVec {
            os,
            ptr: NonNull::dangling(),
            len: 0,
            cap: 0,
        }
    }

    /// An empty array with room for `capacity` values.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn with_capacity(os: Os, capacity: usize) -> Result<Self> {
        let mut v = KVec::new(os);
        v.grow_to(capacity)?;
        Ok(v)
    }

    /// `count` values, each made by `f` of its index.
    ///
    /// # Errors
    ///
    /// ENOMEM, or the error of `f`.
    pub fn from_fn(os: Os, count: usize, mut f: impl FnMut(usize) -> Result<T>) -> Result<Self> {
        let mut v = KVec::with_capacity(os, count)?;
        for i in 0..count {
            v.push(f(i)?)?;
        }
        Ok(v)
    }

    fn grow_to(&mut self, capacity: usize) -> Result<()> {
        const { assert!(size_of::<T>() != 0) };
        if capacity <= self.cap {
            return Ok(());
        }
        let fresh = allocate::<T>(self.os, capacity)?;
        // SAFETY: both have room for `len` values, and fresh memory does not overlap.
        unsafe {
            fresh
                .as_ptr()
                .copy_from_nonoverlapping(self.ptr.as_ptr(), self.len)
        };
        let old = core::mem::replace(&mut self.ptr, fresh);
        let had = core::mem::replace(&mut self.cap, capacity);
        if had != 0 {
            // SAFETY: the old room came from `allocate`; its values have moved.
            unsafe { release(old, bytes_of::<T>(had)) };
        }
        Ok(())
    }

    /// Reserves room for `more` further values, so that as many pushes do not fail.
    ///
    /// # Errors
    ///
    /// ENOMEM; nothing changed.
    pub fn reserve(&mut self, more: usize) -> Result<()> {
        let need = self.len.checked_add(more).ok_or(ENOMEM)?;
        if need <= self.cap {
            return Ok(());
        }
        // OVERFLOW: saturates: more than there is memory for, which `allocate` refuses.
        self.grow_to(need.max(self.cap.saturating_mul(2)).max(4))
    }

    /// Appends `value`.
    ///
    /// # Errors
    ///
    /// ENOMEM; `value` is dropped and nothing changed.
    pub fn push(&mut self, value: T) -> Result<()> {
        self.try_push(value).map_err(|_| ENOMEM)
    }

    /// Appends `value`, or returns it if there is no memory.
    pub fn try_push(&mut self, value: T) -> core::result::Result<(), T> {
        if self.reserve(1).is_err() {
            return Err(value);
        }
        // SAFETY: there is room for one more after the first `len`.
        let slot = unsafe { self.ptr.as_ptr().add(self.len) };
        // SAFETY: the slot is owned and has no value.
        unsafe { slot.write(value) };
        // OVERFLOW: none, for `reserve` has found the sum within `cap`.
        // INVARIANT: the slot just written is the new last.
        self.len = self.len.wrapping_add(1);
        Ok(())
    }

    /// Removes and returns the last value.
    pub fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        // SAFETY: in bounds of the room.
        let slot = unsafe { self.ptr.as_ptr().add(self.len) };
        // SAFETY: the value was valid and, beyond the new `len`, is not read again.
        Some(unsafe { slot.read() })
    }

    /// Removes and returns value `index` and moves the last into its place; `None` beyond the end.
    pub fn swap_remove(&mut self, index: usize) -> Option<T> {
        let last = self.len.checked_sub(1)?;
        if index > last {
            return None;
        }
        self.as_mut_slice().swap(index, last);
        self.pop()
    }

    /// Inserts `value` before value `index`, or at the end.
    ///
    /// # Errors
    ///
    /// ENOMEM; `value` is dropped and nothing changed.
    pub fn insert(&mut self, index: usize, value: T) -> Result<()> {
        self.push(value)?;
        let tail = self.as_mut_slice().get_mut(index..);
        if let Some(tail) = tail.filter(|tail| !tail.is_empty()) {
            tail.rotate_right(1);
        }
        Ok(())
    }

    /// Removes and returns value `index`; those after it move down. `None` beyond the end.
    pub fn remove(&mut self, index: usize) -> Option<T> {
        let tail = self
            .as_mut_slice()
            .get_mut(index..)
            .filter(|tail| !tail.is_empty())?;
        tail.rotate_left(1);
        self.pop()
    }

    /// Drops the values for which `keep` returns false; the others stay in order, and the room
    /// stays.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        let mut kept: usize = 0;
        for i in 0..self.len {
            if self.as_slice().get(i).is_some_and(&mut keep) {
                // SAFETY: `i` is below `len`.
                let from = unsafe { self.ptr.as_ptr().add(i) };
                // SAFETY: `kept` is at most `i`.
                let to = unsafe { self.ptr.as_ptr().add(kept) };
                // SAFETY: both are valid and owned; they may be the same.
                unsafe { to.swap(from) };
                // OVERFLOW: none, for `kept` is at most `i`.
                kept = kept.wrapping_add(1);
            }
        }
        self.truncate(kept);
    }

    /// Drops all values and keeps the room.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Drops the values from `len` on and keeps the room.
    pub fn truncate(&mut self, len: usize) {
        while self.len > len {
            drop(self.pop());
        }
    }

    /// The values.
    pub fn as_slice(&self) -> &[T] {
        // SAFETY: the first `len` values are valid.
        unsafe { core::slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }

    /// The values, for writing.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: the first `len` values are valid and owned.
        unsafe { core::slice::from_raw_parts_mut(self.ptr.as_ptr(), self.len) }
    }

    /// The instance that this allocates from.
    pub fn os(&self) -> Os {
        self.os
    }
}

impl<T: Copy> KVec<T> {
    /// `count` copies of `value`.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn filled(os: Os, value: T, count: usize) -> Result<Self> {
        KVec::from_fn(os, count, |_| Ok(value))
    }
}

impl KVec<u32> {
    /// `count` zeros.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn zeroed(os: Os, count: usize) -> Result<Self> {
        let mut zeros = KVec::new(os);
        if count != 0 {
            zeros.ptr = allocate_zeroed(os, count)?;
            // INVARIANT: room for `count` values, and zero is a u32.
            (zeros.cap, zeros.len) = (count, count);
        }
        Ok(zeros)
    }

    /// `count` values that `fill` writes to the memory that it is given, of as many bytes.
    ///
    /// # Safety
    ///
    /// When `fill` returns `Ok`, it has written all of them.
    ///
    /// # Errors
    ///
    /// ENOMEM, or the error of `fill`.
    pub(crate) unsafe fn filled_by(
        os: Os,
        count: usize,
        fill: impl FnOnce(*mut u32, usize) -> Result<()>,
    ) -> Result<Self> {
        let mut words = KVec::with_capacity(os, count)?;
        if count != 0 {
            fill(words.ptr.as_ptr(), bytes_of::<u32>(count))?;
        }
        // INVARIANT: there is room for them, and the caller promises that they are written.
        words.len = count;
        Ok(words)
    }
}

impl<T> Deref for KVec<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        self.as_slice()
    }
}

impl<T> DerefMut for KVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.as_mut_slice()
    }
}

impl<T> Drop for KVec<T> {
    fn drop(&mut self) {
        self.clear();
        if self.cap != 0 {
            // SAFETY: the room came from `allocate`, and its values have been dropped.
            unsafe { release(self.ptr, bytes_of::<T>(self.cap)) };
        }
    }
}
