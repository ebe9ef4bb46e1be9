// SPDX-License-Identifier: BSD-2-Clause
//! The guard through which a page table changes.
//!
//! Order that the guard keeps, also on error paths: entries are written and synced, then the TLB is
//! flushed, then tables that fell out of the tree are freed.

use core::marker::PhantomData;

use crate::addr::{distance, IovaRange, Pa};
use crate::fmt::{span, Format};
use crate::mem::{Chain, TableMem};

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
    /// The root of the tree, borrowed for as long as it may change.
    root: &'a mut Pa,
    pub(crate) mem: &'a mut M,
    tlb: &'a mut T,
    /// Changed addresses, start and exclusive end.
    dirty: Option<(u64, u64)>,
    /// Tables that fell out of the tree and hold nothing.
    empty: Chain,
    /// Tables that fell out of the tree but must stay readable until the flush.
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

    /// Notes that the device's knowledge of `start..end` is stale.
    pub(crate) fn touch(&mut self, start: u64, end: u64) {
        let (old_start, old_end) = self.dirty.unwrap_or((start, end));
        self.dirty = Some((old_start.min(start), old_end.max(end)));
    }

    /// The same for all addresses of the entry at `level` that covers `iova`.
    pub(crate) fn touch_entry(&mut self, level: u32, iova: u64) {
        let span = span::<F>(level);
        self.touch(span.align_down(iova), span.next(iova));
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
