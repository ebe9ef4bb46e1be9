// SPDX-License-Identifier: BSD-2-Clause
//! The page table and the guard through which it changes.
//!
//! Order that the guard keeps, also on error paths: entries are written and synced, then the TLB is
//! flushed, then tables that fell out of the tree are freed.

use core::marker::PhantomData;

use crate::addr::{align_down, IovaRange, MapError, Pa};
use crate::fmt::{next, span, Format};
use crate::mem::{new_table, Chain, TableMem};

/// Blocks that one guard merges before it has to flush in between; see [`PtUpdate::merge`].
pub const MERGES_PER_FLUSH: usize = 16;

/// The device's TLB, provided by the caller of an update.
pub trait TlbFlush {
    /// Makes the device forget every translation and every step of a walk it keeps for any address of
    /// `range`, and returns when it has.
    ///
    /// When this returns, the device must not look again at a table that left the tree before.
    fn flush(&mut self, range: IovaRange);
}

/// The page table of one address space.
///
/// It owns its tables, never the memory that its leaves name. A value that is dropped leaks its
/// tables: give it to [`PageTable::destroy`].
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

    /// Physical address of the root table, constant over the life of the page table.
    #[must_use]
    pub fn root(&self) -> Pa {
        self.root
    }

    /// Begins a change. `mem` must be the memory that this page table was made with.
    pub fn update<'a, M: TableMem, T: TlbFlush>(
        &'a mut self,
        mem: &'a mut M,
        tlb: &'a mut T,
    ) -> PtUpdate<'a, F, M, T> {
        PtUpdate {
            pt: self,
            mem,
            tlb,
            dirty: None,
            empty: Chain::new(),
            merged: [None; MERGES_PER_FLUSH],
        }
    }

    /// Frees all tables. The caller has disabled the address space: the device walks it no more.
    pub fn destroy<M: TableMem>(mut self, mem: &mut M) {
        let base = F::IOVA_BASE;
        let end = base.saturating_add(1u64.wrapping_shl(F::IOVA_BITS));
        // Nothing walks these tables, so there is nothing to flush before they are freed.
        self.update(mem, &mut Disabled).clear(base, end);
        mem.free(self.root);
    }
}

/// The TLB of an address space that is switched off.
struct Disabled;

impl TlbFlush for Disabled {
    fn flush(&mut self, _range: IovaRange) {}
}

/// A change of a page table in progress.
///
/// Dropping it flushes the TLB once, over the smallest range that covers every changed entry, if
/// anything changed that the device may have kept; then it frees the tables that fell out of the tree.
/// An entry that pointed to such a table counts with all the address space below it, because a
/// device may keep the pointer for any address there.
///
/// Until then the device may still use the old translations: memory that was unmapped belongs to
/// the caller again only after the drop.
pub struct PtUpdate<'a, F: Format, M: TableMem, T: TlbFlush> {
    pt: &'a mut PageTable<F>,
    pub(crate) mem: &'a mut M,
    tlb: &'a mut T,
    /// Changed addresses, start and exclusive end.
    dirty: Option<(u64, u64)>,
    /// Tables that fell out of the tree and hold nothing.
    empty: Chain,
    /// Tables that fell out of the tree but must stay readable until the flush.
    merged: [Option<Pa>; MERGES_PER_FLUSH],
}

impl<F: Format, M: TableMem, T: TlbFlush> PtUpdate<'_, F, M, T> {
    /// Physical address of the root.
    pub(crate) fn root(&self) -> Pa {
        self.pt.root
    }

    /// Notes that the device's knowledge of `start..end` is stale.
    pub(crate) fn touch(&mut self, start: u64, end: u64) {
        let (old_start, old_end) = self.dirty.unwrap_or((start, end));
        self.dirty = Some((old_start.min(start), old_end.max(end)));
    }

    /// The same for all addresses of the entry at `level` that covers `iova`.
    pub(crate) fn touch_entry(&mut self, level: u32, iova: u64) {
        self.touch(align_down(iova, span::<F>(level)), next::<F>(level, iova));
    }

    /// Hands over a table without valid entries, out of the tree, to be freed after the flush.
    pub(crate) fn defer_empty(&mut self, pa: Pa, table: M::Table) {
        self.empty.push::<F, M>(self.mem, pa, table);
    }

    /// Makes room for one more call of `defer_merged`, by a flush if need be.
    pub(crate) fn make_room(&mut self) {
        if self.merged.iter().all(Option::is_some) {
            self.commit();
        }
    }

    /// Hands over a table that must not change before the flush. There is room: see `make_room`.
    pub(crate) fn defer_merged(&mut self, pa: Pa) {
        if let Some(free) = self.merged.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(pa);
        }
    }

    /// Flushes what changed, then frees what fell out of the tree.
    fn commit(&mut self) {
        if let Some((start, end)) = self.dirty.take() {
            if let Ok(range) = IovaRange::new(start, end.wrapping_sub(start)) {
                // ORDERING: every entry was synced when it was written, so it is visible by now.
                self.tlb.flush(range);
            }
        }
        for slot in &mut self.merged {
            if let Some(pa) = slot.take() {
                self.mem.free(pa);
            }
        }
        self.empty.free_all::<F, M>(self.mem);
    }
}

impl<F: Format, M: TableMem, T: TlbFlush> Drop for PtUpdate<'_, F, M, T> {
    fn drop(&mut self) {
        self.commit();
    }
}
