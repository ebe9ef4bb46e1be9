// SPDX-License-Identifier: BSD-2-Clause
//! The memory of the tables, and lists of tables that need no memory of their own.

use crate::addr::{MapError, Pa, Span};
use crate::fmt::Format;

/// There was no memory for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

impl From<NoMemory> for MapError {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

/// Memory for tables, provided by the caller.
///
/// One implementation serves one format: a table has [`Format::TABLE_BYTES`] bytes (4 KiB for Mali)
/// and entries of [`Format::ENTRY_BYTES`]. Indexes passed in are always below [`Format::ENTRIES`].
pub trait TableMem {
    /// The CPU's view of a table, for example a pointer.
    type Table: Copy;

    /// A table, zeroed, with the zeroes visible to the device. Never at physical address 0.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]; the operation that asked is then refused as a whole.
    fn alloc(&mut self) -> Result<Pa, NoMemory>;

    /// Takes back a table that `alloc` gave. Its content is unspecified.
    fn free(&mut self, pa: Pa);

    /// The CPU's view of a table that `alloc` gave and `free` has not taken back.
    ///
    /// `None` means that there is no such table. What hangs below it is then neither changed nor
    /// freed, and counts as mapped.
    fn open(&self, pa: Pa) -> Option<Self::Table>;

    /// Reads an entry. Entries narrower than 64 bits are zero-extended.
    fn read(&self, table: Self::Table, index: u32) -> u64;

    /// Writes an entry by a single store, since the device may walk the table at any time.
    fn write(&mut self, table: Self::Table, index: u32, entry: u64);

    /// Makes `count` entries from `first` visible to the device's walker, before any later write.
    ///
    /// Called once per run of written entries. A run may include entries that did not change.
    fn sync(&mut self, table: Self::Table, first: u32, count: u32);
}

/// A list of tables outside of the tree, linked through their entry 0.
///
/// The link is the bare physical address of the next table: its low bits are zero, which the
/// device takes for an invalid entry should it still look. So a list of any length costs no
/// allocation, neither for tables reserved ahead nor for tables that wait for the flush.
///
/// # Invariants
///
/// Every table of the list holds nothing but its link: all other entries are `F::INVALID`.
#[derive(Debug)]
pub(crate) struct Chain {
    head: Option<Pa>,
}

impl Chain {
    /// The empty list.
    pub(crate) const fn new() -> Self {
        Self { head: None }
    }

    /// A list of `count` new tables, or none at all.
    pub(crate) fn reserve<F: Format, M: TableMem>(
        mem: &mut M,
        count: u64,
    ) -> Result<Self, NoMemory> {
        let mut chain = Self::new();
        for _ in 0..count {
            match new_table::<F, M>(mem) {
                Ok((pa, table)) => chain.push::<F, M>(mem, pa, table),
                Err(error) => {
                    chain.free_all::<F, M>(mem);
                    return Err(error);
                }
            }
        }
        Ok(chain)
    }

    /// Puts a table without valid entries on the list.
    pub(crate) fn push<F: Format, M: TableMem>(&mut self, mem: &mut M, pa: Pa, table: M::Table) {
        let link = self.head.map_or(F::INVALID, |next| next.0);
        mem.write(table, 0, link);
        self.head = Some(pa);
    }

    /// Takes a table off the list, all invalid again. Its entry 0 is not synced yet.
    ///
    /// `None` if the list is empty, or if the next table cannot be opened any more: then the list
    /// stays as it is, and what it holds is lost unless a later call finds the table.
    pub(crate) fn pop<F: Format, M: TableMem>(&mut self, mem: &mut M) -> Option<(Pa, M::Table)> {
        let pa = self.head?;
        let table = mem.open(pa)?;
        let link = mem.read(table, 0);
        self.head = (link != F::INVALID).then_some(Pa(link));
        mem.write(table, 0, F::INVALID);
        Some((pa, table))
    }

    /// Frees every table of the list.
    pub(crate) fn free_all<F: Format, M: TableMem>(&mut self, mem: &mut M) {
        while let Some((pa, _)) = self.pop::<F, M>(mem) {
            mem.free(pa);
        }
    }
}

/// A new table without valid entries, visible to the device.
pub(crate) fn new_table<F: Format, M: TableMem>(mem: &mut M) -> Result<(Pa, M::Table), NoMemory> {
    let pa = mem.alloc()?;
    let limit = const { 1u64 << F::TABLE_PA_BITS };
    let fits = pa.0 != 0 && Span::PAGE.divides(pa.0) && pa.0 < limit;
    let table = if fits { mem.open(pa) } else { None };
    let Some(table) = table else {
        mem.free(pa);
        return Err(NoMemory);
    };
    if F::INVALID != 0 {
        for index in 0..F::ENTRIES {
            mem.write(table, index, F::INVALID);
        }
        mem.sync(table, 0, F::ENTRIES);
    }
    Ok((pa, table))
}
