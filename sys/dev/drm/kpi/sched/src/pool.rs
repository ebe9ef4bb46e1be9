// SPDX-License-Identifier: BSD-2-Clause
//! Slot arena with generations: the only owner of clients, groups, entities and jobs.
//!
//! An entry whose generation is used up is retired instead of reused, so a stale id can never name a newer
//! value, however long the machine is up.

use crate::storage::{Arr, Storage};

/// "No index": ends lists and the free list.
pub(crate) const NIL: u32 = u32::MAX;

/// Names a value in a pool: position and the generation of that position. A stale id names nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Id {
    index: u32,
    generation: u32,
}

impl Id {
    /// Position in the pool.
    pub fn index(self) -> u32 {
        self.index
    }

    /// Generation of that position, never 0.
    pub fn generation(self) -> u32 {
        self.generation
    }

    /// Rebuilds an id from its parts; a made-up id is merely stale.
    pub fn new(index: u32, generation: u32) -> Self {
        Self { index, generation }
    }
}

struct Entry<T> {
    generation: u32,
    next_free: u32,
    value: Option<T>,
}

/// Arena of `T` with O(1) insert, remove and lookup. Memory is kept at its high-water mark.
pub struct Pool<T, S: Storage> {
    entries: S::Arr<Entry<T>>,
    free: u32,
    live: u32,
}

fn at(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

impl<T, S: Storage> Pool<T, S> {
    /// An empty pool; allocates nothing.
    pub fn new(ctx: &S::Ctx) -> Self {
        Self {
            entries: S::Arr::new(ctx),
            free: NIL,
            live: 0,
        }
    }

    /// Number of values.
    pub fn live(&self) -> u32 {
        self.live
    }

    /// One past the highest index ever used.
    pub(crate) fn bound(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(NIL)
    }

    /// Makes sure the next `insert` finds an entry.
    ///
    /// # Errors
    /// `()` when there is no memory.
    pub(crate) fn reserve(&mut self) -> Result<(), ()> {
        if self.free != NIL {
            return Ok(());
        }
        let index = self.bound();
        if index == NIL {
            return Err(());
        }
        let entry = Entry {
            generation: 1,
            next_free: NIL,
            value: None,
        };
        self.entries.try_push(entry).map_err(|_| ())?;
        self.free = index;
        Ok(())
    }

    /// Stores `value`.
    ///
    /// # Errors
    /// Gives `value` back when there is no memory.
    pub fn insert(&mut self, value: T) -> Result<Id, T> {
        if self.reserve().is_err() {
            return Err(value);
        }
        let index = self.free;
        let Some(entry) = self.entries.get_mut(at(index)) else {
            return Err(value);
        };
        self.free = entry.next_free;
        entry.next_free = NIL;
        entry.value = Some(value);
        self.live = self.live.wrapping_add(1);
        Ok(Id {
            index,
            generation: entry.generation,
        })
    }

    /// Takes the value out; every id of it is stale from here on.
    pub fn remove(&mut self, id: Id) -> Option<T> {
        let free = self.free;
        let entry = self.entries.get_mut(at(id.index))?;
        if entry.generation != id.generation {
            return None;
        }
        let value = entry.value.take()?;
        self.live = self.live.wrapping_sub(1);
        if let Some(generation) = entry.generation.checked_add(1) {
            entry.generation = generation;
            entry.next_free = free;
            self.free = id.index;
        }
        Some(value)
    }

    /// The value, `None` if the id is stale.
    pub fn get(&self, id: Id) -> Option<&T> {
        let entry = self.entries.get(at(id.index))?;
        entry.value.as_ref().filter(|_| entry.generation == id.generation)
    }

    /// The value for writing, `None` if the id is stale.
    pub fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        let entry = self.entries.get_mut(at(id.index))?;
        let fresh = entry.generation == id.generation;
        entry.value.as_mut().filter(|_| fresh)
    }

    /// The value at a position, whatever its generation.
    pub(crate) fn at(&self, index: u32) -> Option<&T> {
        self.entries.get(at(index))?.value.as_ref()
    }

    /// The value at a position for writing, whatever its generation.
    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut T> {
        self.entries.get_mut(at(index))?.value.as_mut()
    }

    /// The current id of a position in use.
    pub(crate) fn id_at(&self, index: u32) -> Option<Id> {
        let entry = self.entries.get(at(index))?;
        entry.value.as_ref().map(|_| Id {
            index,
            generation: entry.generation,
        })
    }
}
