// SPDX-License-Identifier: BSD-2-Clause
//! Generational arena: the owner of clients, groups, entities and jobs.
//!
//! A cell with its last generation used up is retired, not reused, so a stale id never names a
//! newer value.

use crate::array::{Arr, Storage};
use crate::count::Count;

/// "No index": ends lists and the free list.
pub(crate) const NIL: u32 = u32::MAX;

/// The id of a value in a pool: its position and the generation of that position.
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

    /// The id with these parts, which may be stale.
    pub fn new(index: u32, generation: u32) -> Self {
        Self { index, generation }
    }
}

struct Cell<T> {
    generation: u32,
    next_free: u32,
    value: Option<T>,
}

/// Cells of a chunk, the unit of allocation. Growth allocates a chunk and moves none.
const CHUNK: u32 = 64;

/// A chunk of cells.
struct Chunk<T, S: Storage> {
    /// None while it has no memory.
    cells: Option<S::Arr<Cell<T>>>,
    /// The first free cell, by its offset in the chunk.
    free: u32,
    live: Count,
    /// It keeps its memory, for a cell of it was retired.
    kept: bool,
    /// Neighbours in the list of chunks with room; without memory, the next of those without.
    next: u32,
    prev: u32,
}

impl<T, S: Storage> Chunk<T, S> {
    fn len(&self) -> u32 {
        let len = self.cells.as_ref().map_or(0, Arr::len);
        u32::try_from(len).unwrap_or(CHUNK)
    }

    fn has_room(&self) -> bool {
        self.free != NIL || self.len() < CHUNK
    }
}

/// Arena of `T` with O(1) insertion, removal and lookup. Empty chunks are freed but for one.
pub struct Pool<T, S: Storage> {
    ctx: S::Ctx,
    chunks: S::Arr<Chunk<T, S>>,
    /// Chunks with memory and room, the most recently used first.
    room: u32,
    /// Chunks without memory.
    hollow: u32,
    /// Chunks with memory and no value.
    empty: Count,
    /// The first generation of new cells: no cell that was freed had a higher one.
    generation: u32,
    live: Count,
}

fn at(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The chunk of an index, and the offset in it.
fn place(index: u32) -> (u32, u32) {
    (index / CHUNK, index % CHUNK)
}

/// The index of a cell.
fn index_of(chunk: u32, offset: u32) -> Option<u32> {
    chunk.checked_mul(CHUNK)?.checked_add(offset)
}

impl<T, S: Storage> Pool<T, S> {
    /// An empty pool; allocates nothing.
    pub fn new(ctx: &S::Ctx) -> Self {
        Self {
            ctx: ctx.clone(),
            chunks: S::Arr::new(ctx),
            room: NIL,
            hollow: NIL,
            empty: Count::ZERO,
            generation: 1,
            live: Count::ZERO,
        }
    }

    /// Number of values.
    pub fn live(&self) -> u32 {
        self.live.get()
    }

    /// An exclusive bound of all indexes in use.
    pub(crate) fn bound(&self) -> u32 {
        let chunks = u32::try_from(self.chunks.len()).unwrap_or(NIL);
        index_of(chunks, 0).unwrap_or(NIL)
    }

    fn chunk(&self, number: u32) -> Option<&Chunk<T, S>> {
        self.chunks.get(at(number))
    }

    fn chunk_mut(&mut self, number: u32) -> Option<&mut Chunk<T, S>> {
        self.chunks.get_mut(at(number))
    }

    fn cell(&self, index: u32) -> Option<&Cell<T>> {
        let (chunk, offset) = place(index);
        self.chunk(chunk)?.cells.as_ref()?.get(at(offset))
    }

    fn cell_mut(&mut self, index: u32) -> Option<&mut Cell<T>> {
        let (chunk, offset) = place(index);
        self.chunk_mut(chunk)?.cells.as_mut()?.get_mut(at(offset))
    }

    /// Puts a chunk first in the list of those with room.
    fn add_room(&mut self, number: u32) {
        let next = core::mem::replace(&mut self.room, number);
        if let Some(chunk) = self.chunk_mut(number) {
            chunk.next = next;
            chunk.prev = NIL;
        }
        if let Some(second) = self.chunk_mut(next) {
            second.prev = number;
        }
    }

    fn leave_room(&mut self, number: u32) {
        let Some((prev, next)) = self.chunk(number).map(|chunk| (chunk.prev, chunk.next)) else {
            return;
        };
        match self.chunk_mut(prev) {
            Some(chunk) => chunk.next = next,
            None => self.room = next,
        }
        if let Some(chunk) = self.chunk_mut(next) {
            chunk.prev = prev;
        }
    }

    /// Allocates a chunk for all its cells and puts it first in the list of those with room.
    fn grow(&mut self) -> Result<(), ()> {
        if self.hollow == NIL {
            let number = u32::try_from(self.chunks.len()).map_err(|_| ())?;
            // The last index is NIL, which is not an index.
            if number >= NIL / CHUNK {
                return Err(());
            }
            let chunk = Chunk {
                cells: None,
                free: NIL,
                live: Count::ZERO,
                kept: false,
                next: NIL,
                prev: NIL,
            };
            self.chunks.try_push(chunk).map_err(|_| ())?;
            self.hollow = number;
        }
        let cells = S::Arr::with_capacity(&self.ctx, at(CHUNK)).ok_or(())?;
        let number = self.hollow;
        let chunk = self.chunk_mut(number).ok_or(())?;
        let next = chunk.next;
        chunk.cells = Some(cells);
        self.hollow = next;
        self.add_room(number);
        self.empty.add();
        Ok(())
    }

    /// Makes sure that the next `insert` does not fail.
    ///
    /// # Errors
    /// `()` when there is no memory.
    pub(crate) fn reserve(&mut self) -> Result<(), ()> {
        if self.room == NIL {
            self.grow()?;
        }
        let generation = self.generation;
        let number = self.room;
        let chunk = self.chunk_mut(number).ok_or(())?;
        if chunk.free != NIL {
            return Ok(());
        }
        let offset = chunk.len();
        let cell = Cell {
            generation,
            next_free: NIL,
            value: None,
        };
        let cells = chunk.cells.as_mut().ok_or(())?;
        cells.try_push(cell).map_err(|_| ())?;
        chunk.free = offset;
        Ok(())
    }

    /// Stores `value`.
    ///
    /// # Errors
    /// Gives `value` back when there is no memory.
    // Inlined, as is `remove`: a value is large, and moved once less.
    #[inline(always)]
    pub fn insert(&mut self, value: T) -> Result<Id, T> {
        if self.reserve().is_err() {
            return Err(value);
        }
        let number = self.room;
        let Some(chunk) = self.chunk_mut(number) else {
            return Err(value);
        };
        let offset = chunk.free;
        let Some(index) = index_of(number, offset) else {
            return Err(value);
        };
        let Some(cell) = chunk.cells.as_mut().and_then(|e| e.get_mut(at(offset))) else {
            return Err(value);
        };
        let generation = cell.generation;
        cell.value = Some(value);
        chunk.free = core::mem::replace(&mut cell.next_free, NIL);
        chunk.live.add();
        let (first, full) = (chunk.live.get() == 1, !chunk.has_room());
        if first {
            self.empty.sub();
        }
        if full {
            self.leave_room(number);
        }
        self.live.add();
        Ok(Id { index, generation })
    }

    /// Takes the value out; every id of it is stale from here on.
    #[inline(always)]
    pub fn remove(&mut self, id: Id) -> Option<T> {
        let (number, offset) = place(id.index);
        let chunk = self.chunk_mut(number)?;
        let had_room = chunk.has_room();
        let free = chunk.free;
        let cell = chunk.cells.as_mut()?.get_mut(at(offset))?;
        if cell.generation != id.generation {
            return None;
        }
        let value = cell.value.take()?;
        match cell.generation.checked_add(1) {
            Some(generation) => {
                cell.generation = generation;
                cell.next_free = free;
                chunk.free = offset;
            }
            None => chunk.kept = true,
        }
        chunk.live.sub();
        let (has_room, emptied) = (chunk.has_room(), chunk.live.is_zero());
        self.live.sub();
        if has_room && !had_room {
            self.add_room(number);
        }
        if emptied {
            self.emptied(number);
        }
        Some(value)
    }

    /// Frees the memory of a chunk that has become empty, unless it is the only empty one.
    fn emptied(&mut self, number: u32) {
        let kept = self.chunk(number).is_none_or(|chunk| chunk.kept);
        if kept || self.empty.is_zero() {
            self.empty.add();
            return;
        }
        let Some(chunk) = self.chunk(number) else {
            return;
        };
        let cells = chunk
            .cells
            .iter()
            .flat_map(|e| (0..e.len()).filter_map(|i| e.get(i)));
        let highest = cells.map(|cell| cell.generation).max().unwrap_or(0);
        self.generation = self.generation.max(highest);
        self.leave_room(number);
        let hollow = core::mem::replace(&mut self.hollow, number);
        if let Some(chunk) = self.chunk_mut(number) {
            chunk.cells = None;
            chunk.free = NIL;
            chunk.next = hollow;
            chunk.prev = NIL;
        }
    }

    /// The value, `None` if the id is stale.
    pub fn get(&self, id: Id) -> Option<&T> {
        let cell = self.cell(id.index)?;
        cell.value
            .as_ref()
            .filter(|_| cell.generation == id.generation)
    }

    /// The value for writing, `None` if the id is stale.
    pub fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        let cell = self.cell_mut(id.index)?;
        let fresh = cell.generation == id.generation;
        cell.value.as_mut().filter(|_| fresh)
    }

    /// The value at a position, whatever its generation.
    pub(crate) fn at(&self, index: u32) -> Option<&T> {
        self.cell(index)?.value.as_ref()
    }

    /// The value at a position for writing, whatever its generation.
    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut T> {
        self.cell_mut(index)?.value.as_mut()
    }

    /// The current id of a position in use.
    pub(crate) fn id_at(&self, index: u32) -> Option<Id> {
        let cell = self.cell(index)?;
        cell.value.as_ref().map(|_| Id {
            index,
            generation: cell.generation,
        })
    }
}
