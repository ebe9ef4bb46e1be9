// SPDX-License-Identifier: BSD-2-Clause
//! How many entries of each table are in use, so that the table is freed with the last of them
//! without a scan.
//!
//! Every table that may point to tables has a *count table* beside it: memory of the same kind,
//! which the device never sees. Entry `n` of it is about the table to which entry `n` of the other
//! points: in its low 12 bits how many entries of that table are in use, leaves and pointers alike;
//! above them the address of that table's own count table, if it has one; 0 if there is no such
//! table. The tables of the last level, which are nearly all, have no count table, and nothing
//! counts the entries of the root, which is never freed. So a tree of Mali's format has one more
//! table for each GiB in which something is mapped, one for each 512 GiB, and one; a tree of
//! Vivante's second format has one more, and one of the first format none.

use crate::addr::{Pa, PAGE_BYTES};
use crate::mem::TableMem;

/// The bits of an entry of a count table that are the number. [`crate::PageTable::new`] checks that
/// it holds the number of entries of a table.
pub(crate) const USES: u64 = PAGE_BYTES - 1;

/// Where the root and its count table are; in a tree of one level there is none, and 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root {
    pub(crate) table: Pa,
    pub(crate) counts: Pa,
}

/// An entry of a count table: where the entries of one table are counted.
#[derive(Clone, Copy)]
pub(crate) struct Counter<T> {
    pub(crate) table: T,
    pub(crate) index: u32,
}

/// The entry of a count table about a table with `uses` entries in use and the count table
/// `counts`.
pub(crate) fn entry(uses: u32, counts: Option<Pa>) -> u64 {
    u64::from(uses) | counts.map_or(0, |pa| pa.0)
}

/// The address of the count table that an entry holds.
pub(crate) fn counts_of(entry: u64) -> Pa {
    Pa(entry & !USES)
}

impl<T: Copy> Counter<T> {
    /// The number.
    pub(crate) fn get<M: TableMem<Table = T>>(self, mem: &M) -> u32 {
        u32::try_from(mem.read(self.table, self.index) & USES).unwrap_or(0)
    }

    /// Counts `more` entries that are used from now on; there are as many in the table.
    pub(crate) fn add<M: TableMem<Table = T>>(self, mem: &mut M, more: u32) {
        let entry = mem.read(self.table, self.index);
        // OVERFLOW: none: it is about entries that were not counted, so the sum is at most the
        // number of entries of a table, which the bits hold.
        mem.write(self.table, self.index, entry.wrapping_add(more.into()));
    }

    /// Counts `less` entries that are no longer used; returns whether none is left.
    pub(crate) fn subtract<M: TableMem<Table = T>>(self, mem: &mut M, less: u32) -> bool {
        let entry = mem.read(self.table, self.index);
        // OVERFLOW: none: the entries were counted when they came into use.
        let left = entry.wrapping_sub(less.into());
        mem.write(self.table, self.index, left);
        left & USES == 0
    }
}
