// SPDX-License-Identifier: BSD-2-Clause
//! The memory of tables, and lists of tables that need no further memory.

use crate::addr::{MapError, Pa, Span};
use crate::fmt::{last_level, Format};

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
/// All entries of a table of the list but its link are `blank`, if the list is of tables to use.
#[derive(Debug)]
pub(crate) struct Chain {
    head: Option<Pa>,
    blank: u64,
}

impl Chain {
    /// The empty list, of tables whose entries are all `blank`: `F::INVALID`, or 0 for count
    /// tables.
    pub(crate) const fn new(blank: u64) -> Self {
        Self { head: None, blank }
    }

    /// Adds a table to the list.
    pub(crate) fn push<M: TableMem>(&mut self, mem: &mut M, pa: Pa, table: M::Table) {
        let link = self.head.map_or(self.blank, |next| next.0);
        mem.write(table, 0, link);
        self.head = Some(pa);
    }

    /// Removes a table from the list; its entry 0 is blank then, and not synced yet.
    ///
    /// `None` if the list is empty, or if the next table can no longer be opened: then the list
    /// stays unchanged, and its tables leak unless a later call finds that table.
    pub(crate) fn pop<M: TableMem>(&mut self, mem: &mut M) -> Option<(Pa, M::Table)> {
        let pa = self.head?;
        let table = mem.open(pa)?;
        let link = mem.read(table, 0);
        self.head = (link != self.blank).then_some(Pa(link));
        mem.write(table, 0, self.blank);
        Some((pa, table))
    }

    /// Frees every table of the list.
    pub(crate) fn free_all<M: TableMem>(&mut self, mem: &mut M) {
        while let Some((pa, _)) = self.pop(mem) {
            mem.free(pa);
        }
    }
}

/// A new table, and its count table unless it is one of the last level.
pub(crate) struct New<T> {
    pub(crate) pa: Pa,
    pub(crate) table: T,
    pub(crate) counts: Option<(Pa, T)>,
}

impl<T: Copy> New<T> {
    fn free<M: TableMem<Table = T>>(self, mem: &mut M) {
        mem.free(self.pa);
        if let Some((pa, _)) = self.counts {
            mem.free(pa);
        }
    }
}

/// The most tables that one leaf needs: one on each level below the root.
const PATH: usize = 3;

/// Tables for a change: those that were reserved in advance, else new ones.
pub(crate) struct Reserve {
    tables: Chain,
    counts: Chain,
    /// How many of each are to be reserved.
    want: (u64, u64),
}

impl Reserve {
    /// With nothing reserved.
    pub(crate) fn new<F: Format>() -> Self {
        Self {
            tables: Chain::new(F::INVALID),
            counts: Chain::new(0),
            want: (0, 0),
        }
    }

    /// Has `fill` reserve one more table of `level`.
    pub(crate) fn want<F: Format>(&mut self, level: u32) -> Result<(), NoMemory> {
        let (tables, counts) = &mut self.want;
        *tables = tables.checked_add(1).ok_or(NoMemory)?;
        if level < last_level::<F>() {
            *counts = counts.checked_add(1).ok_or(NoMemory)?;
        }
        Ok(())
    }

    /// Allocates the tables that are wanted, or none.
    pub(crate) fn fill<F: Format, M: TableMem>(&mut self, mem: &mut M) -> Result<(), NoMemory> {
        let filled = self.allocate::<F, M>(mem);
        if filled.is_err() {
            self.free_all(mem);
        }
        filled
    }

    fn allocate<F: Format, M: TableMem>(&mut self, mem: &mut M) -> Result<(), NoMemory> {
        for _ in 0..self.want.0 {
            let (pa, table) = new_table::<F, M>(mem)?;
            self.tables.push(mem, pa, table);
        }
        for _ in 0..self.want.1 {
            let (pa, table) = zeroed::<F, M>(mem)?;
            self.counts.push(mem, pa, table);
        }
        Ok(())
    }

    /// Frees what is left.
    pub(crate) fn free_all<M: TableMem>(&mut self, mem: &mut M) {
        self.tables.free_all(mem);
        self.counts.free_all(mem);
    }

    /// Tables for the levels below `above` down to `level`, that of `level` first, or none.
    pub(crate) fn take<F: Format, M: TableMem>(
        &mut self,
        mem: &mut M,
        above: u32,
        level: u32,
    ) -> Result<[Option<New<M::Table>>; PATH], NoMemory> {
        let mut taken = [const { None }; PATH];
        let mut below = level;
        for place in &mut taken {
            if below <= above {
                break;
            }
            match self.one::<F, M>(mem, below) {
                Ok(new) => *place = Some(new),
                Err(error) => {
                    taken.into_iter().flatten().for_each(|new| new.free(mem));
                    return Err(error);
                }
            }
            // OVERFLOW: none, for it is above `above`.
            below = below.saturating_sub(1);
        }
        Ok(taken)
    }

    /// A table for `level`.
    pub(crate) fn one<F: Format, M: TableMem>(
        &mut self,
        mem: &mut M,
        level: u32,
    ) -> Result<New<M::Table>, NoMemory> {
        let (pa, table) = match self.tables.pop(mem) {
            Some((pa, table)) => {
                // ORDERING: entry 0 no longer links the reserve when the walker finds the table.
                mem.sync(table, 0, 1);
                (pa, table)
            }
            None => new_table::<F, M>(mem)?,
        };
        let mut new = New {
            pa,
            table,
            counts: None,
        };
        if level < last_level::<F>() {
            let counts = match self.counts.pop(mem) {
                Some(counts) => Ok(counts),
                None => zeroed::<F, M>(mem),
            };
            match counts {
                Ok(counts) => new.counts = Some(counts),
                Err(error) => {
                    new.free(mem);
                    return Err(error);
                }
            }
        }
        Ok(new)
    }
}

/// Allocates a table without valid entries, visible to the device.
fn new_table<F: Format, M: TableMem>(mem: &mut M) -> Result<(Pa, M::Table), NoMemory> {
    let (pa, table) = zeroed::<F, M>(mem)?;
    if F::INVALID != 0 {
        for index in 0..F::ENTRIES {
            mem.write(table, index, F::INVALID);
        }
        mem.sync(table, 0, F::ENTRIES);
    }
    Ok((pa, table))
}

/// Allocates a table of zeros.
fn zeroed<F: Format, M: TableMem>(mem: &mut M) -> Result<(Pa, M::Table), NoMemory> {
    let pa = mem.alloc()?;
    let limit = const { 1u64 << F::TABLE_PA_BITS };
    let fits = pa.0 != 0 && Span::PAGE.divides(pa.0) && pa.0 < limit;
    let table = if fits { mem.open(pa) } else { None };
    let Some(table) = table else {
        mem.free(pa);
        return Err(NoMemory);
    };
    Ok((pa, table))
}
