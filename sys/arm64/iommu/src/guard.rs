// SPDX-License-Identifier: BSD-2-Clause
//! The guard through which a page table changes.
//!
//! The order that the guard keeps, also on error paths: entries are written and synced, then the
//! TLB is flushed, then tables that were removed from the tree are freed.

use core::marker::PhantomData;

use crate::addr::{distance, IovaRange, Pa};
use crate::count::Root;
use crate::fmt::{span, Format};
use crate::mem::{Chain, TableMem};

/// How many blocks one guard merges before it flushes in between; see [`PtUpdate::merge`].
pub const MERGES_PER_FLUSH: usize = 16;

/// The range of changed addresses if there is none: empty in `IovaRange::new`, too.
const CLEAN: (u64, u64) = (u64::MAX, 0);

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
    root: &'a mut Root,
    pub(crate) mem: &'a mut M,
    tlb: &'a mut T,
    /// The range of changed addresses, start and exclusive end; the start is above the end if
    /// there is none.
    dirty: (u64, u64),
    /// Tables that were removed from the tree with all that they map.
    removed: Chain,
    /// Tables that were removed from the tree but must stay readable until the flush.
    merged: Option<[Pa; MERGES_PER_FLUSH]>,
    /// How many of these there are.
    merges: usize,
    /// Whether there is one of either.
    deferred: bool,
    format: PhantomData<fn() -> F>,
}

impl<'a, F: Format, M: TableMem, T: TlbFlush> PtUpdate<'a, F, M, T> {
    /// A guard of the tree below `root`, with nothing to flush yet.
    pub(crate) fn new(root: &'a mut Root, mem: &'a mut M, tlb: &'a mut T) -> Self {
        PtUpdate {
            root,
            mem,
            tlb,
            dirty: CLEAN,
            removed: Chain::new(F::INVALID),
            merged: None,
            merges: 0,
            deferred: false,
            format: PhantomData,
        }
    }

    /// The root.
    pub(crate) fn root(&self) -> Root {
        *self.root
    }

    /// Adds `start..end` to the range to flush.
    pub(crate) fn touch(&mut self, start: u64, end: u64) {
        let (old_start, old_end) = self.dirty;
        self.dirty = (old_start.min(start), old_end.max(end));
    }

    /// Adds all addresses of the entry at `level` that covers `iova` to the range to flush.
    pub(crate) fn touch_entry(&mut self, level: u32, iova: u64) {
        let span = span::<F>(level);
        self.touch(span.align_down(iova), span.next(iova));
    }

    /// Takes a table that is about to be removed from the tree with all that it maps, to free it
    /// after the flush. Its entry 0 is invalid from now on.
    pub(crate) fn defer_removed(&mut self, pa: Pa, table: M::Table) {
        self.deferred = true;
        self.removed.push(self.mem, pa, table);
    }

    /// Makes room for one call of `defer_merged`, if necessary by a flush.
    pub(crate) fn make_room(&mut self) {
        if self.merges >= MERGES_PER_FLUSH {
            self.commit();
        }
    }

    /// Takes a table that must not change before the flush, to free it then. There is room: see
    /// `make_room`.
    pub(crate) fn defer_merged(&mut self, pa: Pa) {
        self.deferred = true;
        let merged = self.merged.get_or_insert([pa; MERGES_PER_FLUSH]);
        if let Some(free) = merged.get_mut(self.merges) {
            *free = pa;
            // OVERFLOW: none: at most their number.
            self.merges = self.merges.saturating_add(1);
        }
    }

    /// Flushes the changed range, then frees the tables that were removed from the tree.
    #[inline]
    fn commit(&mut self) {
        let (start, end) = core::mem::replace(&mut self.dirty, CLEAN);
        if let Ok(range) = IovaRange::new(start, distance(start, end)) {
            // ORDERING: every entry was synced when it was written, so it is visible by now.
            self.tlb.flush(range);
        }
        if self.deferred {
            self.free_deferred();
        }
    }

    /// Frees the tables that were removed from the tree, after the flush.
    #[cold]
    fn free_deferred(&mut self) {
        self.deferred = false;
        for pa in self.merged.iter().flatten().take(self.merges) {
            self.mem.free(*pa);
        }
        self.merges = 0;
        self.removed.free_all(self.mem);
    }
}

impl<F: Format, M: TableMem, T: TlbFlush> Drop for PtUpdate<'_, F, M, T> {
    #[inline]
    fn drop(&mut self) {
        self.commit();
    }
}
