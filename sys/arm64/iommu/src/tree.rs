// SPDX-License-Identifier: BSD-2-Clause
//! The page table of an address space: made, changed under a guard, destroyed.

use core::marker::PhantomData;

use crate::addr::{IovaRange, MapError, Pa};
use crate::count::{Root, USES};
use crate::fmt::{limit, Format};
use crate::guard::{PtUpdate, TlbFlush};
use crate::mem::{Reserve, TableMem};

/// The page table of one address space.
///
/// It owns its tables, but not the memory that its leaves map. Dropping it leaks the tables: pass
/// it to [`PageTable::destroy`].
#[derive(Debug)]
#[must_use = "dropping a page table leaks its tables"]
pub struct PageTable<F: Format> {
    root: Root,
    format: PhantomData<fn() -> F>,
}

impl<F: Format> PageTable<F> {
    const CONSISTENT: () = {
        assert!(F::LEVELS >= 1 && F::LEVELS <= 4);
        assert!(F::INDEX_BITS >= 1 && F::INDEX_BITS <= 19);
        assert!(F::ENTRY_BYTES == 4 || F::ENTRY_BYTES == 8);
        assert!(F::IOVA_BITS < 64 && F::PA_BITS < 64 && F::TABLE_PA_BITS < 64);
        assert!(F::IOVA_BASE & ((1u64 << F::IOVA_BITS) - 1) == 0);
        assert!(!F::BLOCKS || (F::LEVELS >= 2 && F::INDEX_BITS == 9));
        // An entry of a count table holds a number of entries and the address of a table.
        assert!(F::LEVELS == 1 || F::INDEX_BITS < USES.count_ones());
        assert!(F::LEVELS <= 2 || F::ENTRY_BYTES == 8 || F::TABLE_PA_BITS <= 32);
    };

    /// The most tables that [`TableMem::alloc`] is asked for to map pages that have one table in
    /// common, as all pages of an aligned 2 MiB of addresses have: one on each level below the
    /// root, and what counts their entries.
    pub const TABLES_PER_RUN: usize = match F::LEVELS {
        1 => 0,
        2 => 1,
        3 => 3,
        _ => 5,
    };

    /// A page table without mappings.
    ///
    /// # Errors
    ///
    /// [`MapError::NoMemory`] if there is no memory for the root and its count table.
    pub fn new<M: TableMem>(mem: &mut M) -> Result<Self, MapError> {
        let () = Self::CONSISTENT;
        let root = Reserve::new::<F>().one::<F, M>(mem, 0)?;
        Ok(Self {
            root: Root {
                table: root.pa,
                counts: root.counts.map_or(Pa(0), |(pa, _)| pa),
            },
            format: PhantomData,
        })
    }

    /// The physical address of the root table, constant for the life of the page table.
    #[must_use]
    pub fn root(&self) -> Pa {
        self.root.table
    }

    /// Returns a guard for changes. `mem` must be the memory that this page table was made with.
    pub fn update<'a, M: TableMem, T: TlbFlush>(
        &'a mut self,
        mem: &'a mut M,
        tlb: &'a mut T,
    ) -> PtUpdate<'a, F, M, T> {
        PtUpdate::new(&mut self.root, mem, tlb)
    }

    /// Frees all tables. The caller has disabled the address space, so that the device no longer
    /// walks it.
    pub fn destroy<M: TableMem>(mut self, mem: &mut M) {
        // The device does not walk these tables, so there is nothing to flush before they are
        // freed.
        self.update(mem, &mut Disabled)
            .clear(F::IOVA_BASE, limit::<F>());
        mem.free(self.root.table);
        if F::LEVELS > 1 {
            mem.free(self.root.counts);
        }
    }
}

/// The TLB of a disabled address space.
struct Disabled;

impl TlbFlush for Disabled {
    fn flush(&mut self, _range: IovaRange) {}
}
