// SPDX-License-Identifier: BSD-2-Clause
//! Unmapping, and changing permissions.
//!
//! Blocks that the range covers in part are split first; no other step can fail. Then whole leaves
//! are rewritten, table by table, and a table is removed from the tree with the last of its entries
//! that is in use.

use crate::addr::{distance, Bytes, IovaRange, MapError, Pa, Span};
use crate::count::counts_of;
use crate::fmt::{block_level, last_level, span, Entry, Format};
use crate::guard::{PtUpdate, TlbFlush};
use crate::mem::TableMem;
use crate::prot::{MemAttr, Prot};
use crate::walk::{check_range, walk, WalkEnd};

/// The change of a leaf.
trait Change: Copy {
    /// Whether nothing is mapped then.
    const CLEARS: bool;
    /// What replaces a leaf for `pa`.
    fn entry<F: Format>(self, level: u32, pa: Pa) -> u64;
}

#[derive(Clone, Copy)]
struct Clear;

impl Change for Clear {
    const CLEARS: bool = true;

    fn entry<F: Format>(self, _level: u32, _pa: Pa) -> u64 {
        F::INVALID
    }
}

#[derive(Clone, Copy)]
struct Protect(Prot, MemAttr);

impl Change for Protect {
    const CLEARS: bool = false;

    fn entry<F: Format>(self, level: u32, pa: Pa) -> u64 {
        F::leaf(level, pa, self.0, self.1)
    }
}

impl<F: Format, M: TableMem, T: TlbFlush> PtUpdate<'_, F, M, T> {
    /// Removes every mapping in `range`, which may have holes, and returns how many bytes were
    /// mapped.
    ///
    /// A 2 MiB leaf that the range covers in part is split. Tables that become empty are freed
    /// after the flush, when the guard is dropped. One that the range covers completely is removed
    /// as it is: until the flush the device may find its pages.
    ///
    /// # Errors
    ///
    /// Nothing is changed then. [`MapError::OutOfRange`] if the format does not translate the
    /// range, [`MapError::NoMemory`] if there is no memory to split a leaf.
    pub fn unmap(&mut self, range: IovaRange) -> Result<u64, MapError> {
        self.change(range, Clear)
    }

    /// Sets the permissions and the attribute of every mapping in `range`, which may have holes,
    /// and returns how many bytes are mapped there.
    ///
    /// A 2 MiB leaf that the range covers in part is split, even if its new permissions are the old
    /// ones.
    ///
    /// # Errors
    ///
    /// As for [`PtUpdate::unmap`].
    pub fn protect(
        &mut self,
        range: IovaRange,
        prot: Prot,
        attr: MemAttr,
    ) -> Result<u64, MapError> {
        self.change(range, Protect(prot, attr))
    }

    /// Removes every leaf that lies completely in `start..end`; returns their bytes.
    pub(crate) fn clear(&mut self, start: u64, end: u64) -> u64 {
        self.rewrite(start, end, Clear).get()
    }

    /// Changes the leaves in `range`; those that it covers in part are split first.
    #[inline]
    fn change<C: Change>(&mut self, range: IovaRange, change: C) -> Result<u64, MapError> {
        check_range::<F>(range)?;
        let (start, end) = (range.start().0, range.end().0);
        let mut first = walk::<F, M>(self.mem, self.root(), start, last_level::<F>());
        let aligned = !F::BLOCKS || Span::BLOCK.divides(start | end);
        // In a table of the last level there is nothing to split.
        let in_table =
            |at: &WalkEnd<_>| at.level == last_level::<F>() && Span::BLOCK.next(start) >= end;
        if !aligned && !first.as_ref().is_some_and(in_table) {
            self.split_edges(range)?;
            first = walk::<F, M>(self.mem, self.root(), start, last_level::<F>());
        }
        // The same for either size of leaves, and for what else there may be.
        let (pages, blocks) = (last_level::<F>(), block_level::<F>());
        let (after, mut bytes) = match first {
            Some(at) if at.level == pages => {
                let at = WalkEnd { level: pages, ..at };
                self.rewrite_run(&at, start, end, change)
            }
            Some(at) if F::BLOCKS && at.level == blocks => {
                let at = WalkEnd {
                    level: blocks,
                    ..at
                };
                self.rewrite_run(&at, start, end, change)
            }
            _ => (start, Bytes::ZERO),
        };
        if after < end {
            bytes.join(self.rewrite(after, end, change));
        }
        Ok(bytes.get())
    }

    /// Changes every leaf that lies completely in `start..end`; returns their bytes.
    #[inline(never)]
    fn rewrite<C: Change>(&mut self, start: u64, end: u64, change: C) -> Bytes {
        let mut bytes = Bytes::ZERO;
        let mut iova = start;
        while iova < end {
            let Some(at) = walk::<F, M>(self.mem, self.root(), iova, last_level::<F>()) else {
                break;
            };
            let (after, changed) = self.rewrite_run(&at, iova, end, change);
            bytes.join(changed);
            iova = after;
        }
        bytes
    }

    /// Changes the leaves of one table from entry `at` on, up to `end`, the end of the table, or a
    /// pointer to a table. Returns the address it got to, which is above `start`, and the bytes of
    /// the leaves.
    #[inline(always)]
    fn rewrite_run<C: Change>(
        &mut self,
        at: &WalkEnd<M::Table>,
        start: u64,
        end: u64,
        change: C,
    ) -> (u64, Bytes) {
        if C::CLEARS {
            if let Some(run) = self.remove_table(at, start, end) {
                return run;
            }
        }
        let (table, span) = (at.table, span::<F>(at.level));
        let stop = entries_in::<F, _>(at, start, end);
        let mut leaves = 0u32;
        // The first entry that was written, and the one after the last; 0 if none was.
        let (mut first, mut last) = (at.index, 0);
        let mut index = at.index;
        while index < stop {
            let old = self.mem.read(table, index);
            // OVERFLOW: none: at most the number of entries.
            let after = index.wrapping_add(1);
            match F::decode(at.level, old) {
                Entry::Invalid => {}
                Entry::Table(_) => break,
                Entry::Leaf { pa, .. } => {
                    // OVERFLOW: none, as above.
                    leaves = leaves.wrapping_add(1);
                    let new = change.entry::<F>(at.level, pa);
                    if new != old {
                        self.mem.write(table, index, new);
                        if last == 0 {
                            first = index;
                        }
                        last = after;
                    }
                }
            }
            index = after;
        }
        let address = |index: u32| {
            // OVERFLOW: none, here and below: it is not below the first, and in the range.
            let entries = index.wrapping_sub(at.index);
            // OVERFLOW: as above.
            start.wrapping_add(span.times(entries.into()))
        };
        if last != 0 {
            // OVERFLOW: none: `last` is above `first`.
            self.mem.sync(table, first, last.wrapping_sub(first));
            // Once for the run: unmapping is as frequent as mapping.
            self.touch(address(first), address(last));
            if C::CLEARS {
                self.uncount(at, start, leaves);
            }
        }
        let mut bytes = Bytes::ZERO;
        bytes.add(span, leaves);
        let after = if index == at.index {
            span.next(start)
        } else {
            address(index)
        };
        (after, bytes)
    }

    /// Removes the table of the last level in which `start` is, if `start..end` covers it
    /// completely, without reading its entries. Returns the first address after it and the bytes
    /// of its leaves.
    #[inline(always)]
    fn remove_table(
        &mut self,
        at: &WalkEnd<M::Table>,
        start: u64,
        end: u64,
    ) -> Option<(u64, Bytes)> {
        let uses = at.uses.filter(|_| at.level == last_level::<F>())?;
        // OVERFLOW: none: a root has no counter.
        let all = span::<F>(last_level::<F>().saturating_sub(1));
        let after = all.next(start);
        if !all.divides(start) || after > end {
            return None;
        }
        let leaves = uses.get(self.mem);
        self.prune(start, at.level);
        let mut bytes = Bytes::ZERO;
        bytes.add(Span::PAGE, leaves);
        Some((after, bytes))
    }

    /// Takes `leaves` off the entries in use of the table of `at`, in which `iova` is, and removes
    /// the table from the tree if none is left.
    #[inline]
    fn uncount(&mut self, at: &WalkEnd<M::Table>, iova: u64, leaves: u32) {
        if let Some(uses) = at.uses {
            if uses.subtract(self.mem, leaves) {
                self.prune(iova, at.level);
            }
        }
    }

    /// Removes the table of `level` in which `iova` is from the tree, then its parent if that is
    /// empty now, and so on.
    #[cold]
    fn prune(&mut self, iova: u64, level: u32) {
        for above in (0..level).rev() {
            let Some(parent) = walk::<F, M>(self.mem, self.root(), iova, above) else {
                return;
            };
            let (Entry::Table(pa), Some(counts)) = (parent.entry::<F>(), parent.counts) else {
                return;
            };
            // Otherwise a table on the path can no longer be opened.
            let Some(table) = self.mem.open(pa).filter(|_| parent.level == above) else {
                return;
            };
            self.defer_removed(pa, table);
            self.mem.write(parent.table, parent.index, F::INVALID);
            self.mem.sync(parent.table, parent.index, 1);
            self.touch_entry(above, iova);
            let own_counts = counts_of(self.mem.read(counts, parent.index));
            self.mem.write(counts, parent.index, 0);
            if own_counts.0 != 0 {
                // The device does not know it.
                self.mem.free(own_counts);
            }
            if !parent.uses.is_some_and(|uses| uses.subtract(self.mem, 1)) {
                return;
            }
        }
    }
}

/// The index after the last entry of the table of `at`, from that on, that `start..end` covers
/// completely; that of `at` if there is none.
///
/// An entry that is covered in part is invalid, or points to a table that cannot be opened, or is a
/// leaf that could not be split, and stays.
#[inline]
fn entries_in<F: Format, T>(at: &WalkEnd<T>, start: u64, end: u64) -> u32 {
    let span: Span = span::<F>(at.level);
    if matches!(at.entry::<F>(), Entry::Table(_)) || !span.divides(start) {
        return at.index;
    }
    // OVERFLOW: none: the index is below the number of entries, and so is the sum at most that.
    let room = F::ENTRIES.wrapping_sub(at.index);
    let whole = span.count(distance(start, end));
    let count = u32::try_from(whole).unwrap_or(room).min(room);
    // OVERFLOW: as above.
    at.index.wrapping_add(count)
}
