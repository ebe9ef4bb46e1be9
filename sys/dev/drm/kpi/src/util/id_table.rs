// SPDX-License-Identifier: BSD-2-Clause
//! A table of small numbers, as clients know their objects: 1, 2, 3..., reused after they are freed.
//! Everything is O(1); a number is reserved before the work that may fail and filled after it.

use crate::alloc::KVec;
use crate::os::Os;
use crate::util::errno::{Result, ENOSPC};
use crate::util::int_conv::usize_of_u32;

enum Slot<T> {
    /// The next free slot's index, or `NONE`.
    Free(u32),
    Reserved,
    Used(T),
}

const NONE: u32 = u32::MAX;

/// What a look at a part of a table found.
pub enum Found<T> {
    /// The first number in use, and its value.
    Value(u32, T),
    /// Nothing up to this number.
    NotYet(u32),
    /// Nothing up to the end.
    None,
}

/// How many handles one table may hold.
const MAX: u32 = 1 << 20;

/// A table from small numbers to values.
pub struct HandleTable<T> {
    slots: KVec<Slot<T>>,
    free: u32,
    used: u32,
}

impl<T> HandleTable<T> {
    /// An empty table.
    pub fn new(os: Os) -> Self {
        HandleTable {
            slots: KVec::new(os),
            free: NONE,
            used: 0,
        }
    }

    /// A number that no one else gets, without a value yet.
    ///
    /// # Errors
    ///
    /// ENOMEM; ENOSPC when there are too many.
    pub fn reserve(&mut self) -> Result<u32> {
        if let Some(slot) = self.slots.get_mut(usize_of_u32(self.free)) {
            let index = self.free;
            if let Slot::Free(next) = slot {
                self.free = *next;
            }
            *slot = Slot::Reserved;
            return Ok(index.wrapping_add(1));
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(MAX);
        if index >= MAX {
            return Err(ENOSPC);
        }
        self.slots.push(Slot::Reserved)?;
        Ok(index.wrapping_add(1))
    }

    /// Gives a reserved number its value.
    pub fn fill(&mut self, handle: u32, value: T) {
        if let Some(slot @ Slot::Reserved) = self.slot_mut(handle) {
            *slot = Slot::Used(value);
            self.used = self.used.wrapping_add(1);
        }
    }

    /// Gives back a number that was reserved and never filled.
    pub fn cancel(&mut self, handle: u32) {
        if let Some(Slot::Reserved) = self.slot_mut(handle) {
            self.release(handle);
        }
    }

    /// Gives back the number that was reserved last, with its place.
    pub(crate) fn take_back(&mut self, handle: u32) {
        if usize_of_u32(handle) == self.slots.len() {
            self.slots.pop();
        }
    }

    /// A number for `value`.
    ///
    /// # Errors
    ///
    /// ENOMEM, ENOSPC; `value` is dropped.
    pub fn insert(&mut self, value: T) -> Result<u32> {
        let handle = self.reserve()?;
        self.fill(handle, value);
        Ok(handle)
    }

    /// The value of a number.
    pub fn get(&self, handle: u32) -> Option<&T> {
        match self.slots.get(usize_of_u32(handle.checked_sub(1)?)) {
            Some(Slot::Used(value)) => Some(value),
            _ => None,
        }
    }

    /// The value of a number, to be changed.
    pub fn get_mut(&mut self, handle: u32) -> Option<&mut T> {
        match self.slot_mut(handle)? {
            Slot::Used(value) => Some(value),
            _ => None,
        }
    }

    /// Takes a number and its value out of the table.
    pub fn remove(&mut self, handle: u32) -> Option<T> {
        let slot = self.slot_mut(handle)?;
        if !matches!(slot, Slot::Used(_)) {
            return None;
        }
        let old = core::mem::replace(slot, Slot::Reserved);
        self.release(handle);
        self.used = self.used.wrapping_sub(1);
        match old {
            Slot::Used(value) => Some(value),
            _ => None,
        }
    }

    /// Looks for the first number above `handle` that has a value, among the next `most`; the value is shown to
    /// `take`.
    pub fn look<U>(&self, handle: u32, most: u32, take: impl FnOnce(&T) -> U) -> Found<U> {
        let rest = self.slots.get(usize_of_u32(handle)..).unwrap_or_default();
        let some = rest.get(..usize_of_u32(most)).unwrap_or(rest);
        let numbers = core::iter::successors(handle.checked_add(1), |n| n.checked_add(1));
        let used = numbers.zip(some).find_map(|(number, slot)| match slot {
            Slot::Used(value) => Some((number, value)),
            _ => None,
        });
        match used {
            Some((number, value)) => Found::Value(number, take(value)),
            None if some.len() < rest.len() => Found::NotYet(handle.saturating_add(most)),
            None => Found::None,
        }
    }

    /// Takes any one value out, to empty the table.
    pub fn take_any(&mut self) -> Option<T> {
        while let Some(slot) = self.slots.pop() {
            if let Slot::Used(value) = slot {
                self.used = self.used.wrapping_sub(1);
                return Some(value);
            }
        }
        self.free = NONE;
        None
    }

    /// How many numbers there are, with a value or free.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// How many numbers have values.
    pub fn len(&self) -> u32 {
        self.used
    }

    /// Whether no number has a value.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    fn slot_mut(&mut self, handle: u32) -> Option<&mut Slot<T>> {
        self.slots.get_mut(usize_of_u32(handle.checked_sub(1)?))
    }

    fn release(&mut self, handle: u32) {
        let next = self.free;
        if let Some(slot) = self.slot_mut(handle) {
            *slot = Slot::Free(next);
            self.free = handle.wrapping_sub(1);
        }
    }
}
