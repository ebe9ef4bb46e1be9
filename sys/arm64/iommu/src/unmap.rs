// SPDX-License-Identifier: BSD-2-Clause
//! Unmapping, and changing what stays mapped.
//!
//! Blocks that stick out of the range are split first; that is the only step that can fail. What
//! follows rewrites whole leaves, table by table, and takes empty tables out of the tree.

use crate::addr::{align_down, IovaRange, MapError};
use crate::fmt::{index, last_level, next, shift, span, Entry, Format};
use crate::guard::{PtUpdate, TlbFlush};
use crate::mem::TableMem;
use crate::prot::{MemAttr, Prot};
use crate::walk::{check_range, walk, WalkEnd};

/// What becomes of a leaf.
#[derive(Clone, Copy)]
enum Change {
    Clear,
    Protect(Prot, MemAttr),
}

impl<F: Format, M: TableMem, T: TlbFlush> PtUpdate<'_, F, M, T> {
    /// Removes every mapping in `range`, holes allowed, and returns how many bytes were mapped.
    ///
    /// A 2 MiB leaf that the range covers in part is split. Tables that become empty are freed
    /// when the guard is dropped, after the flush.
    ///
    /// # Errors
    ///
    /// Nothing is changed then. [`MapError::OutOfRange`] if the format does not translate the range,
    /// [`MapError::NoMemory`] if there is no memory to split a leaf.
    pub fn unmap(&mut self, range: IovaRange) -> Result<u64, MapError> {
        check_range::<F>(range)?;
        self.split_edges(range)?;
        Ok(self.clear(range.start().0, range.end().0))
    }

    /// Gives every mapping in `range` the permissions `prot` and the attribute `attr`, holes allowed,
    /// and returns how many bytes are mapped there.
    ///
    /// A 2 MiB leaf that the range covers in part is split, even if its new half equals the old.
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

    /// Removes every leaf that lies in `start..end` as a whole; returns their bytes.
    pub(crate) fn clear(&mut self, start: u64, end: u64) -> u64 {
        self.rewrite(start, end, Change::Clear)
    }

    /// Changes every leaf that lies in `start..end` as a whole; returns their bytes.
    fn rewrite(&mut self, start: u64, end: u64, change: Change) -> u64 {
        let mut bytes = 0u64;
        let mut iova = start;
        while iova < end {
            let Some(slot) = walk::<F, M>(self.mem, self.root(), iova, last_level::<F>()) else {
                break;
            };
            let (behind, changed) = self.rewrite_run(&slot, iova, end, change);
            bytes = bytes.saturating_add(changed);
            iova = behind;
        }
        bytes
    }

    /// Changes the leaves of one table from `slot` on, up to `end`, the end of the table, or a pointer to
    /// a table. Returns the address it got to, which is above `start`, and the bytes of the leaves.
    fn rewrite_run(
        &mut self,
        slot: &WalkEnd<M::Table>,
        start: u64,
        end: u64,
        change: Change,
    ) -> (u64, u64) {
        let (table, level) = (slot.table, slot.level);
        let mut bytes = 0u64;
        let mut iova = start;
        let mut written: Option<(u32, u32)> = None;
        let mut behind = slot.index;
        let mut all_invalid = true;
        for index in slot.index..F::ENTRIES {
            if iova >= end {
                break;
            }
            let after = next::<F>(level, iova);
            let old = self.mem.read(table, index);
            match F::decode(level, old) {
                Entry::Invalid => {}
                Entry::Table(_) if index != slot.index => break,
                Entry::Leaf { pa, .. } if after <= end => {
                    bytes = bytes.saturating_add(span::<F>(level));
                    let new = match change {
                        Change::Clear => F::INVALID,
                        Change::Protect(prot, attr) => F::leaf(level, pa, prot, attr),
                    };
                    all_invalid &= new == F::INVALID;
                    if new != old {
                        self.mem.write(table, index, new);
                        written = Some((written.map_or(index, |(first, _)| first), index));
                    }
                }
                // A table that cannot be opened, or a leaf that sticks out: both stay.
                Entry::Table(_) | Entry::Leaf { .. } => all_invalid = false,
            }
            behind = index.saturating_add(1);
            iova = after;
        }
        if let Some((first, last)) = written {
            self.mem
                .sync(table, first, last.wrapping_sub(first).wrapping_add(1));
            // Once for the run: unmapping is as hot as mapping.
            let ahead = |index: u32| u64::from(index.wrapping_sub(slot.index));
            let at = |n: u64| {
                align_down(start, span::<F>(level)).wrapping_add(n.wrapping_shl(shift::<F>(level)))
            };
            self.touch(at(ahead(first)), at(ahead(last).wrapping_add(1)));
            if all_invalid {
                self.prune(start, slot, behind);
            }
        }
        (iova, bytes)
    }

    /// Takes the table of `slot` out of the tree if it is empty, then its parent, and so on. Entries
    /// from `slot.index` to `behind` (exclusive) are known to be invalid; `iova` is in the table.
    fn prune(&mut self, iova: u64, slot: &WalkEnd<M::Table>, behind: u32) {
        let (mut table, mut first, mut behind) = (slot.table, slot.index, behind);
        for level in (0..slot.level).rev() {
            if !self.is_empty(table, level.wrapping_add(1), first, behind) {
                return;
            }
            let Some(parent) = walk::<F, M>(self.mem, self.root(), iova, level) else {
                return;
            };
            let pa = match parent.entry {
                Entry::Table(pa) if parent.level == level => pa,
                // A table on the way cannot be opened any more.
                _ => return,
            };
            self.mem.write(parent.table, parent.index, F::INVALID);
            self.mem.sync(parent.table, parent.index, 1);
            self.touch_entry(level, iova);
            self.defer_empty(pa, table);
            table = parent.table;
            first = index::<F>(level, iova);
            behind = first.saturating_add(1);
        }
    }

    /// Whether a table has no entry in use outside of `first..behind`.
    fn is_empty(&self, table: M::Table, level: u32, first: u32, behind: u32) -> bool {
        // The neighbours come first: page after page, up or down, is the common order of unmapping.
        let neighbour = first.checked_sub(1);
        let mut others = neighbour
            .into_iter()
            .chain(behind..F::ENTRIES)
            .chain(0..first);
        others.all(|index| F::decode(level, self.mem.read(table, index)) == Entry::Invalid)
    }
}
