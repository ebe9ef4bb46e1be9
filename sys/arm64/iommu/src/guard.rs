// SPDX-License-Identifier: BSD-2-Clause
//! The guard through which a page table changes.
//!
//! The order that the guard keeps, also on error paths: entries are written and synced, then the
//! TLB is flushed, then tables that were removed from the tree are freed.

use core::marker::PhantomData;

use crate::addr::{distance, IovaRange, Pa};
use crate::fmt::{span, Format};
use crate::mem::{Chain, TableMem};

/// How many blocks one guard merges before it flushes in between; see [`PtUpdate::merge`].
pub const MERGES_PER_FLUSH: usize = 16;

/// The device's TLB, provided by the caller of an update.
pub trait TlbFlush {
    /// Invalidates every translation and every step of a walk that the device has cached for any
    /// address of `range`, and returns when that is complete.
    ///
    /// From then on, the device must not read a table that was removed from the tree before.
    fn flush(&mut self, range: IovaRange);
}

/// A guard of a page table that is being changed.
///
/// Dropping it flushes the TLB once, over the smallest range that covers every changed entry, if an
/// entry changed that the device may have cached; then it frees the tables that were removed from
/// the tree. An entry that pointed to such a table counts with all addresses below it, because a
/// device may have cached the pointer for any of them.
///
/// Until then the device may use the old translations: the caller may reuse unmapped memory only
/// after the drop.
pub struct PtUpdate<'a, F: Format, M: TableMem, T: TlbFlush> {
    /// The root of the tree, borrowed exclusively.
    root: &'a mut Pa,
    pub(crate) mem: &'a mut M,
    tlb: &'a mut T,
    /// The range of changed addresses, start and exclusive end.
    dirty: Option<(u64, u64)>,
    /// Tables that were removed from the tree and have no valid entries.
    empty: Chain,
    /// Tables that were removed from the tree but must stay readable until the flush.
    merged: [Option<Pa>; MERGES_PER_FLUSH],
    format: PhantomData<fn() -> F>,
}

impl<'a, F: Format, M: TableMem, T: TlbFlush> PtUpdate<'a, F, M, T> {
    /// A guard of the tree below `root`, with nothing to flush yet.
    pub(crate) fn new(root: &'a mut Pa, mem: &'a mut M, tlb: &'a mut T) -> Self {
        PtUpdate {
            root,
            mem,
            tlb,
            dirty: None,
            empty: Chain::new(),
            merged: [None; MERGES_PER_FLUSH],
            format: PhantomData,
        }
    }

    /// Physical address of the root.
    pub(crate) fn root(&self) -> Pa {
        *self.root
    }

    /// Adds `start..end` to the range to flush.
    pub(crate) fn touch(&mut self, start: u64, end: u64) {
        let (old_start, old_end) = self.dirty.unwrap_or((start, end));
        self.dirty = Some((old_start.min(start), old_end.max(end)));
    }

    /// Adds all addresses of the entry at `level` that covers `iova` to the range to flush.
    pub(crate) fn touch_entry(&mut self, level: u32, iova: u64) {
        let span = span::<F>(level);
        self.touch(span.align_down(iova), span.next(iova));
    }

    /// Takes a table that was removed from the tree, without valid entries, to free it after the
    /// flush.
    pub(crate) fn defer_empty(&mut self, pa: Pa, table: M::Table) {
        self.empty.push::<F, M>(self.mem, pa, table);
    }

    /// Makes room for one call of `defer_merged`, if necessary by a flush.
    pub(crate) fn make_room(&mut self) {
        if self.merged.iter().all(Option::is_some) {
            self.commit();
        }
    }

    /// Takes a table that must not change before the flush, to free it then. There is room: see
    /// `make_room`.
    pub(crate) fn defer_merged(&mut self, pa: Pa) {
        if let Some(free) = self.merged.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(pa);
        }
    }

    /// Flushes the changed range, then frees the tables that were removed from the tree.
    fn commit(&mut self) {
        if let Some((start, end)) = self.dirty.take() {
            if let Ok(range) = IovaRange::new(start, distance(start, end)) {
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
