// SPDX-License-Identifier: BSD-2-Clause
//! The page table of an address space: made, changed under a guard, destroyed.

use core::marker::PhantomData;

use crate::addr::{IovaRange, MapError, Pa};
use crate::fmt::{limit, Format};
use crate::guard::{PtUpdate, TlbFlush};
use crate::mem::{new_table, TableMem};

/// The page table of one address space.
///
/// It owns its tables, but not the memory that its leaves map. Dropping it leaks the tables: pass
/// it to [`PageTable::destroy`].
#[derive(Debug)]
#[must_use = "dropping a page table leaks its tables"]
pub struct PageTable<F: Format> {
    root: Pa,
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
    };

    /// A page table without mappings.
    ///
    /// # Errors
    ///
    /// [`MapError::NoMemory`] if there is no memory for the root.
    pub fn new<M: TableMem>(mem: &mut M) -> Result<Self, MapError> {
        let () = Self::CONSISTENT;
        let (root, _) = new_table::<F, M>(mem)?;
        Ok(Self {
            root,
            format: PhantomData,
        })
    }

    /// The physical address of the root table, constant for the life of the page table.
    #[must_use]
    pub fn root(&self) -> Pa {
        self.root
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
        mem.free(self.root);
    }
}

/// The TLB of a disabled address space.
struct Disabled;

impl TlbFlush for Disabled {
    fn flush(&mut self, _range: IovaRange) {}
}
