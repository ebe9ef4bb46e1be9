// SPDX-License-Identifier: BSD-2-Clause
//! Blocks into pages and back: the translation stays, its granularity changes.
//!
//! The device may walk while this happens. It sees the block or 512 equal pages, never a hole:
//! a new table is complete before the block gives way, a merged one stays untouched until the flush.

use crate::addr::{align_down, is_aligned, IovaRange, MapError, Pa, BLOCK_BYTES, PAGE_BYTES};
use crate::fmt::{block_level, last_level, next, span, Entry, Format};
use crate::guard::{PtUpdate, TlbFlush};
use crate::mem::{Chain, TableMem};
use crate::walk::{check_range, walk};

impl<F: Format, M: TableMem, T: TlbFlush> PtUpdate<'_, F, M, T> {
    /// Splits the blocks that `range` covers in part: at most one at either end.
    ///
    /// # Errors
    ///
    /// [`MapError::NoMemory`] if there is no memory for both tables; nothing is changed then.
    pub(crate) fn split_edges(&mut self, range: IovaRange) -> Result<(), MapError> {
        let last_page = range.end().0.wrapping_sub(PAGE_BYTES);
        let head = self.block_beyond(range, range.start().0);
        let tail = self
            .block_beyond(range, last_page)
            .filter(|block| head != Some(*block));
        let count = u64::from(head.is_some()).saturating_add(u64::from(tail.is_some()));
        let mut reserve = Chain::reserve::<F, M>(self.mem, count)?;
        let split = head
            .into_iter()
            .chain(tail)
            .all(|block| self.split(block, &mut reserve).is_some());
        // Empty, unless a table could not be opened any more.
        reserve.free_all::<F, M>(self.mem);
        if split {
            Ok(())
        } else {
            Err(MapError::NoMemory)
        }
    }

    /// The block leaf at `iova` if it sticks out of `range`.
    fn block_beyond(&self, range: IovaRange, iova: u64) -> Option<u64> {
        if !F::BLOCKS {
            return None;
        }
        let slot = walk::<F, M>(self.mem, self.root(), iova, block_level::<F>())?;
        let start = align_down(iova, span::<F>(slot.level));
        let inside = start >= range.start().0 && next::<F>(slot.level, iova) <= range.end().0;
        match slot.entry {
            Entry::Leaf { .. } if !inside => Some(start),
            _ => None,
        }
    }

    /// Replaces the block at `iova` by a table from `reserve` with the same translation.
    fn split(&mut self, iova: u64, reserve: &mut Chain) -> Option<()> {
        let slot = walk::<F, M>(self.mem, self.root(), iova, block_level::<F>())?;
        let Entry::Leaf {
            pa: Pa(mut pa),
            prot,
            attr,
        } = slot.entry
        else {
            return None;
        };
        let (table_pa, table) = reserve.pop::<F, M>(self.mem)?;
        for index in 0..F::ENTRIES {
            self.mem
                .write(table, index, F::leaf(last_level::<F>(), Pa(pa), prot, attr));
            pa = pa.wrapping_add(PAGE_BYTES);
        }
        // ORDERING: the walker must find all pages when it finds the table.
        self.mem.sync(table, 0, F::ENTRIES);
        self.mem.write(slot.table, slot.index, F::table(table_pa));
        self.mem.sync(slot.table, slot.index, 1);
        self.touch_entry(slot.level, iova);
        Some(())
    }

    /// Replaces 512 pages by a block wherever a 2 MiB aligned region that meets `range` is completely
    /// mapped, to contiguous 2 MiB aligned memory, with equal permissions and attribute. Returns the
    /// bytes that were merged.
    ///
    /// Merging is never automatic: call this when a run of `map` calls for one object is done. A
    /// region that does not qualify usually costs two reads. It allocates nothing. The guard keeps
    /// [`MERGES_PER_FLUSH`](crate::MERGES_PER_FLUSH) merged tables; a larger merge flushes in between.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfRange`] if the format does not translate the range.
    pub fn merge(&mut self, range: IovaRange) -> Result<u64, MapError> {
        check_range::<F>(range)?;
        let mut bytes = 0u64;
        let mut iova = align_down(range.start().0, BLOCK_BYTES);
        while F::BLOCKS && iova < range.end().0 {
            let Some(slot) = walk::<F, M>(self.mem, self.root(), iova, block_level::<F>()) else {
                break;
            };
            let block = match slot.entry {
                Entry::Table(pa) if slot.level == block_level::<F>() => {
                    self.as_block(pa).map(|block| (pa, block))
                }
                _ => None,
            };
            if let Some((pa, block)) = block {
                self.make_room();
                self.mem.write(slot.table, slot.index, block);
                self.mem.sync(slot.table, slot.index, 1);
                self.touch_entry(slot.level, iova);
                self.defer_merged(pa);
                bytes = bytes.saturating_add(BLOCK_BYTES);
            }
            iova = next::<F>(slot.level, iova);
        }
        Ok(bytes)
    }

    /// The block entry that translates as the last-level table at `table_pa` does, if there is one.
    fn as_block(&self, table_pa: Pa) -> Option<u64> {
        let table = self.mem.open(table_pa)?;
        let level = last_level::<F>();
        let Entry::Leaf { pa, prot, attr } = F::decode(level, self.mem.read(table, 0)) else {
            return None;
        };
        if !is_aligned(pa.0, BLOCK_BYTES) {
            return None;
        }
        let fits = |index: u32| {
            let page = pa.0.wrapping_add(u64::from(index).wrapping_mul(PAGE_BYTES));
            self.mem.read(table, index) == F::leaf(level, Pa(page), prot, attr)
        };
        // The last entry first: it is what a table that is being filled lacks.
        let whole = fits(F::ENTRIES.wrapping_sub(1)) && (0..F::ENTRIES).all(fits);
        whole.then(|| F::leaf(block_level::<F>(), pa, prot, attr))
    }
}
