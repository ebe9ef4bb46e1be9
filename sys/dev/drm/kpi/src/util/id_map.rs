// SPDX-License-Identifier: BSD-2-Clause
//! A map from small numbers to values, as for handles: 1, 2, 3..., reused after they are freed.
//! Every operation is O(1), growth too, because the map is in chunks: it is used under locks that
//! others wait for. A number is reserved before work that can fail, and filled after it.

use crate::alloc::KVec;
use crate::os::Os;
use crate::util::errno::{Result, ENOSPC};
use crate::util::int_conv::usize_of_u32;

enum Cell<T> {
    /// The index of the next free cell, or `NONE`.
    Free(u32),
    Reserved,
    Used(T),
}

const NONE: u32 = u32::MAX;

/// The result of a search of a part of a map.
pub enum Found<T> {
    /// The first number with a value, and the value.
    Value(u32, T),
    /// No value up to this number.
    NotYet(u32),
    /// No value up to the end.
    None,
}

/// How many numbers a map may have.
const MAX: u32 = 1 << 20;

/// Cells of a full chunk.
const CHUNK: u32 = 512;

/// The number of the cell at `index`: 0 is no number.
fn number_of(index: u32) -> Option<u32> {
    index.checked_add(1)
}

/// A map from small numbers to values.
///
/// # Invariants
///
/// All chunks but the last are full, and none is empty.
pub struct IdMap<T> {
    os: Os,
    chunks: KVec<KVec<Cell<T>>>,
    places: u32,
    free: u32,
    used: u32,
}

impl<T> IdMap<T> {
    /// An empty map.
    pub fn new(os: Os) -> Self {
        IdMap {
            os,
            chunks: KVec::new(os),
            places: 0,
            free: NONE,
            used: 0,
        }
    }

    /// Reserves a number, which has no value yet.
    ///
    /// # Errors
    ///
    /// ENOMEM; ENOSPC if there are too many.
    pub fn reserve(&mut self) -> Result<u32> {
        let index = self.free;
        if let Some(slot) = self.place_mut(index) {
            let mut next = NONE;
            if let Cell::Free(n) = slot {
                next = *n;
            }
            *slot = Cell::Reserved;
            self.free = next;
            return number_of(index).ok_or(ENOSPC);
        }
        if self.places >= MAX {
            return Err(ENOSPC);
        }
        self.push(Cell::Reserved)?;
        Ok(self.places)
    }

    fn push(&mut self, slot: Cell<T>) -> Result<()> {
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < usize_of_u32(CHUNK) => chunk.push(slot)?,
            _ => {
                // The first chunk starts small.
                let room = if self.places == 0 {
                    4
                } else {
                    usize_of_u32(CHUNK)
                };
                let mut chunk = KVec::with_capacity(self.os, room)?;
                chunk.push(slot)?;
                self.chunks.push(chunk)?;
            }
        }
        self.places = number_of(self.places).ok_or(ENOSPC)?;
        Ok(())
    }

    fn pop(&mut self) -> Option<Cell<T>> {
        let chunk = self.chunks.last_mut()?;
        let slot = chunk.pop();
        if chunk.is_empty() {
            self.chunks.pop();
        }
        self.places = self.places.checked_sub(1)?;
        slot
    }

    /// Sets the value of a reserved number.
    pub fn fill(&mut self, handle: u32, value: T) {
        if let Some(slot @ Cell::Reserved) = self.slot_mut(handle) {
            *slot = Cell::Used(value);
            // OVERFLOW: none, for `used` is at most `places`, which is at most MAX.
            self.used = self.used.saturating_add(1);
        }
    }

    /// Frees a number that was reserved and not filled.
    pub fn cancel(&mut self, handle: u32) {
        if let Some(Cell::Reserved) = self.slot_mut(handle) {
            self.release(handle);
        }
    }

    /// Frees the number that was reserved last, and its cell.
    pub(crate) fn take_back(&mut self, handle: u32) {
        if handle == self.places {
            self.pop();
        }
    }

    /// Reserves a number and fills it with `value`.
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
        match self.place(handle.checked_sub(1)?) {
            Some(Cell::Used(value)) => Some(value),
            _ => None,
        }
    }

    /// The value of a number, for writing.
    pub fn get_mut(&mut self, handle: u32) -> Option<&mut T> {
        match self.slot_mut(handle)? {
            Cell::Used(value) => Some(value),
            _ => None,
        }
    }

    /// Frees a number and returns its value.
    pub fn remove(&mut self, handle: u32) -> Option<T> {
        let slot = self.slot_mut(handle)?;
        if !matches!(slot, Cell::Used(_)) {
            return None;
        }
        let old = core::mem::replace(slot, Cell::Reserved);
        self.release(handle);
        // OVERFLOW: none, for this value was counted.
        self.used = self.used.saturating_sub(1);
        match old {
            Cell::Used(value) => Some(value),
            _ => None,
        }
    }

    /// Searches the next `most` numbers above `handle` for the first one with a value, and calls
    /// `take` with the value.
    pub fn find_from<U>(&self, handle: u32, most: u32, take: impl FnOnce(&T) -> U) -> Found<U> {
        // OVERFLOW: saturates, beyond every place.
        let end = handle.saturating_add(most).min(self.places);
        for index in handle..end {
            if let Some(Cell::Used(value)) = self.place(index) {
                return number_of(index).map_or(Found::None, |n| Found::Value(n, take(value)));
            }
        }
        match end < self.places {
            true => Found::NotYet(end),
            false => Found::None,
        }
    }

    /// Removes and returns any one value, to empty the map.
    pub fn take_any(&mut self) -> Option<T> {
        while let Some(slot) = self.pop() {
            if let Cell::Used(value) = slot {
                // OVERFLOW: none, for this value was counted.
                self.used = self.used.saturating_sub(1);
                return Some(value);
            }
        }
        self.free = NONE;
        None
    }

    /// How many numbers the map has, free ones included.
    pub fn slots(&self) -> u32 {
        self.places
    }

    /// How many numbers have values.
    pub fn len(&self) -> u32 {
        self.used
    }

    /// Whether no number has a value.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    fn slot_mut(&mut self, handle: u32) -> Option<&mut Cell<T>> {
        self.place_mut(handle.checked_sub(1)?)
    }

    fn place(&self, index: u32) -> Option<&Cell<T>> {
        let chunk = self.chunks.get(usize_of_u32(index / CHUNK))?;
        chunk.get(usize_of_u32(index % CHUNK))
    }

    fn place_mut(&mut self, index: u32) -> Option<&mut Cell<T>> {
        let chunk = self.chunks.get_mut(usize_of_u32(index / CHUNK))?;
        chunk.get_mut(usize_of_u32(index % CHUNK))
    }

    fn release(&mut self, handle: u32) {
        let (next, index) = (self.free, handle.checked_sub(1));
        if let (Some(slot), Some(index)) = (self.slot_mut(handle), index) {
            *slot = Cell::Free(next);
            self.free = index;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use drm_os_host::{Config, World};
    use seeded::Random;
    use std::collections::BTreeMap;
    use std::vec::Vec;

    /// Against a `BTreeMap`, through several chunks. Catches a number given twice or lost, and a
    /// search that stops at a chunk's end.
    #[test]
    fn numbers_are_the_lowest_that_were_free_or_new() {
        let world = World::new(Config::default());
        let mut table = IdMap::new(Os::of_world(&world));
        let mut there = BTreeMap::new();
        let mut random = Random::new(7);
        let mut most = 0;
        for step in 0..6_000u64 {
            let any = there.keys().nth(random.index(there.len() + 1)).copied();
            match any.filter(|_| random.one_in(4)) {
                Some(handle) => assert_eq!(table.remove(handle), there.remove(&handle)),
                None => {
                    let handle = table.insert(step).unwrap();
                    assert!(usize_of_u32(handle) <= most + 1);
                    most = most.max(usize_of_u32(handle));
                    assert_eq!(there.insert(handle, step), None);
                }
            }
            assert_eq!(
                (usize_of_u32(table.len()), usize_of_u32(table.slots())),
                (there.len(), most)
            );
        }
        assert!(most > usize_of_u32(2 * CHUNK));
        let mut seen = Vec::new();
        let mut at = 0;
        loop {
            match table.find_from(at, 3, |value| *value) {
                Found::Value(handle, value) => {
                    seen.push((handle, value));
                    at = handle;
                }
                Found::NotYet(next) => at = next,
                Found::None => break,
            }
        }
        assert_eq!(
            seen,
            there.iter().map(|(h, v)| (*h, *v)).collect::<Vec<_>>()
        );
        let mut taken: Vec<u64> = core::iter::from_fn(|| table.take_any()).collect();
        taken.sort_unstable();
        let mut left: Vec<u64> = there.into_values().collect();
        left.sort_unstable();
        assert_eq!((taken, table.slots()), (left, 0));
        assert_eq!(table.insert(1), Ok(1));
    }

    /// Catches: a map that is copied as it grows, which takes milliseconds with a lock held.
    #[test]
    fn growth_moves_a_chunk_at_the_most() {
        let world = World::new(Config::default());
        let mut table = IdMap::new(Os::of_world(&world));
        let before = world.counters().malloc_bytes;
        let mut bytes = before;
        let mut most = 0;
        for n in 0..40_000u64 {
            table.insert(n).unwrap();
            let now = world.counters().malloc_bytes;
            most = most.max(now.saturating_sub(bytes));
            bytes = now;
        }
        assert!(bytes - before >= 40_000 * 8);
        assert!(most <= 16 << 10, "{most} bytes at once");
    }
}
