// SPDX-License-Identifier: BSD-2-Clause
//! The memory of tables, and lists of tables that need no further memory.

use crate::addr::{MapError, Pa, Span};
use crate::fmt::Format;

/// There is no memory for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

impl From<NoMemory> for MapError {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

/// The memory of tables, which the caller provides.
///
/// One implementation serves one format: a table has [`Format::TABLE_BYTES`] bytes (4 KiB for Mali)
/// and entries of [`Format::ENTRY_BYTES`]. Indexes are always below [`Format::ENTRIES`].
pub trait TableMem {
    /// The CPU's view of a table, for example a pointer.
    type Table: Copy;

    /// Allocates a table, zeroed, with the zeroes visible to the device. Never at physical address
    /// 0.
    ///
    /// # Errors
    ///
    /// [`NoMemory`]; the operation that needs the table then fails as a whole.
    fn alloc(&mut self) -> Result<Pa, NoMemory>;

    /// Frees a table from `alloc`. Its content is unspecified.
    fn free(&mut self, pa: Pa);

    /// The CPU's view of a table that `alloc` has returned and `free` has not freed.
    ///
    /// `None` means that there is no such table. The tree below it is then neither changed nor
    /// freed, and counts as mapped.
    fn open(&self, pa: Pa) -> Option<Self::Table>;

    /// Reads an entry. Entries narrower than 64 bits are zero-extended.
    fn read(&self, table: Self::Table, index: u32) -> u64;

    /// Writes an entry by a single store, because the device may walk the table at any time.
    fn write(&mut self, table: Self::Table, index: u32, entry: u64);

    /// Makes `count` entries from `first` visible to the device's walker, before any later write.
    ///
    /// Called once per run of written entries, which may include entries that did not change.
    fn sync(&mut self, table: Self::Table, first: u32, count: u32);
}

/// A list of tables outside of the tree, linked through their entry 0.
///
/// The link is the bare physical address of the next table. Its low bits are zero, so that it is an
/// invalid entry to a walker that still reads the table. So a list of any length needs no
/// allocation, neither for tables reserved in advance nor for tables that wait for the flush.
///
/// # Invariants
///
/// All entries of a table of the list but its link are `F::INVALID`.
#[derive(Debug)]
pub(crate) struct Chain {
    head: Option<Pa>,
}

impl Chain {
    /// The empty list.
    pub(crate) const fn new() -> Self {
        Self { head: None }
    }

    /// A list of `count` new tables.
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

    /// Adds a table without valid entries to the list.
    pub(crate) fn push<F: Format, M: TableMem>(&mut self, mem: &mut M, pa: Pa, table: M::Table) {
        let link = self.head.map_or(F::INVALID, |next| next.0);
        mem.write(table, 0, link);
        self.head = Some(pa);
    }

    /// Removes a table from the list; all of its entries are invalid then. Entry 0 is not synced
    /// yet.
    ///
    /// `None` if the list is empty, or if the next table can no longer be opened: then the list
    /// stays unchanged, and its tables leak unless a later call finds that table.
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

/// Allocates a table without valid entries, visible to the device.
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
