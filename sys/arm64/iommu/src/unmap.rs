// SPDX-License-Identifier: BSD-2-Clause
//! Unmapping, and changing permissions.
//!
//! Blocks that the range covers in part are split first; no other step can fail. Then whole leaves
//! are rewritten, table by table, and empty tables are removed from the tree.

use crate::addr::{distance, Bytes, IovaRange, MapError};
use crate::fmt::{index, last_level, span, Entry, Format};
use crate::guard::{PtUpdate, TlbFlush};
use crate::mem::TableMem;
use crate::prot::{MemAttr, Prot};
use crate::walk::{check_range, walk, WalkEnd};

/// The change of a leaf.
#[derive(Clone, Copy)]
enum Change {
    Clear,
    Protect(Prot, MemAttr),
}

impl<F: Format, M: TableMem, T: TlbFlush> PtUpdate<'_, F, M, T> {
    /// Removes every mapping in `range`, which may have holes, and returns how many bytes were
    /// mapped.
    ///
    /// A 2 MiB leaf that the range covers in part is split. Tables that become empty are freed
    /// after the flush, when the guard is dropped.
    ///
    /// # Errors
    ///
    /// Nothing is changed then. [`MapError::OutOfRange`] if the format does not translate the
    /// range, [`MapError::NoMemory`] if there is no memory to split a leaf.
    pub fn unmap(&mut self, range: IovaRange) -> Result<u64, MapError> {
        check_range::<F>(range)?;
        self.split_edges(range)?;
        Ok(self.clear(range.start().0, range.end().0))
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
        check_range::<F>(range)?;
        self.split_edges(range)?;
        Ok(self.rewrite(range.start().0, range.end().0, Change::Protect(prot, attr)))
    }

    /// Removes every leaf that lies completely in `start..end`; returns their bytes.
    pub(crate) fn clear(&mut self, start: u64, end: u64) -> u64 {
        self.rewrite(start, end, Change::Clear)
    }

    /// Changes every leaf that lies completely in `start..end`; returns their bytes.
    fn rewrite(&mut self, start: u64, end: u64, change: Change) -> u64 {
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
        bytes.get()
    }

    /// Changes the leaves of one table from entry `at` on, up to `end`, the end of the table, or a
    /// pointer to a table. Returns the address it got to, which is above `start`, and the bytes of
    /// the leaves.
    fn rewrite_run(
        &mut self,
        at: &WalkEnd<M::Table>,
        start: u64,
        end: u64,
        change: Change,
    ) -> (u64, Bytes) {
        let (table, span) = (at.table, span::<F>(at.level));
        let mut bytes = Bytes::ZERO;
        let mut iova = start;
        // Start of the first leaf that was written, end of the last.
        let mut written: Option<(u64, u64)> = None;
        let mut last = at.index;
        let mut all_invalid = true;
        for index in at.index..F::ENTRIES {
            if iova >= end {
                break;
            }
            let after = span.next(iova);
            let old = self.mem.read(table, index);
            match F::decode(at.level, old) {
                Entry::Invalid => {}
                Entry::Table(_) if index != at.index => break,
                Entry::Leaf { pa, .. } if after <= end => {
                    bytes.add(span);
                    let new = match change {
                        Change::Clear => F::INVALID,
                        Change::Protect(prot, attr) => F::leaf(at.level, pa, prot, attr),
                    };
                    all_invalid &= new == F::INVALID;
                    if new != old {
                        self.mem.write(table, index, new);
                        written = Some((written.map_or(iova, |(first, _)| first), after));
                    }
                }
                // A table that cannot be opened, or a leaf that reaches beyond `end`: both stay.
                Entry::Table(_) | Entry::Leaf { .. } => all_invalid = false,
            }
            last = index;
            iova = after;
        }
        if let Some((first, after)) = written {
            let first = span.align_down(first);
            let leaves = span.count(distance(first, after));
            let count = u32::try_from(leaves).unwrap_or(F::ENTRIES);
            self.mem.sync(table, index::<F>(at.level, first), count);
            // Once for the run: unmapping is as frequent as mapping.
            self.touch(first, after);
            if all_invalid {
                self.prune(start, at, last);
            }
        }
        (iova, bytes)
    }

    /// Removes the table of `at` from the tree if it is empty, then its parent, and so on. Entries
    /// from `at.index` to `last` are known to be invalid; `iova` is in the table.
    fn prune(&mut self, iova: u64, at: &WalkEnd<M::Table>, last: u32) {
        let (mut table, mut below, mut first, mut last) = (at.table, at.level, at.index, last);
        for level in (0..at.level).rev() {
            if !self.is_empty(table, below, first, last) {
                return;
            }
            let Some(parent) = walk::<F, M>(self.mem, self.root(), iova, level) else {
                return;
            };
            let pa = match parent.entry {
                Entry::Table(pa) if parent.level == level => pa,
                // A table on the path can no longer be opened.
                _ => return,
            };
            self.mem.write(parent.table, parent.index, F::INVALID);
            self.mem.sync(parent.table, parent.index, 1);
            self.touch_entry(level, iova);
            self.defer_empty(pa, table);
            (table, below) = (parent.table, level);
            first = index::<F>(level, iova);
            last = first;
        }
    }

    /// Whether a table has no entry in use outside of `first..=last`.
    fn is_empty(&self, table: M::Table, level: u32, first: u32, last: u32) -> bool {
        // The neighbours first: pages are commonly unmapped one after another, up or down.
        let neighbour = first.checked_sub(1);
        let mut others = neighbour
            .into_iter()
            .chain((last..F::ENTRIES).skip(1))
            .chain(0..first);
        others.all(|index| F::decode(level, self.mem.read(table, index)) == Entry::Invalid)
    }
}
