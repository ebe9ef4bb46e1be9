// SPDX-License-Identifier: BSD-2-Clause
//! Splitting blocks into pages and merging them again: the translation stays, its granularity
//! changes.
//!
//! The device may walk at any time. It finds the block or 512 equal pages, never a hole: a new
//! table is complete before it replaces the block, and a merged one stays unchanged until the
//! flush.

use crate::addr::{Bytes, IovaRange, MapError, Pa, Span};
use crate::count;
use crate::fmt::{block_level, last_level, span, Entry, Format};
use crate::guard::{PtUpdate, TlbFlush};
use crate::mem::{Reserve, TableMem};
use crate::walk::{check_range, walk};

/// The page at `index` of the block at `block`, which is aligned.
fn page_of(block: Pa, index: u32) -> Pa {
    Pa(block.0 | Span::PAGE.times(u64::from(index)))
}

impl<F: Format, M: TableMem, T: TlbFlush> PtUpdate<'_, F, M, T> {
    /// Splits the blocks that `range` covers in part: at most one at either end.
    ///
    /// # Errors
    ///
    /// [`MapError::NoMemory`] if there is no memory for both tables; nothing is changed then.
    pub(crate) fn split_edges(&mut self, range: IovaRange) -> Result<(), MapError> {
        let head = self.block_across(range.start().0);
        let tail = self
            .block_across(range.end().0)
            .filter(|block| head != Some(*block));
        let mut reserve = Reserve::new::<F>();
        for _ in head.iter().chain(&tail) {
            reserve.want::<F>(last_level::<F>())?;
        }
        reserve.fill::<F, M>(self.mem)?;
        let split = head
            .into_iter()
            .chain(tail)
            .all(|block| self.split(block, &mut reserve).is_some());
        // Empty, unless a table could not be opened.
        reserve.free_all(self.mem);
        if split {
            Ok(())
        } else {
            Err(MapError::NoMemory)
        }
    }

    /// The start of the block leaf of which `iova` is an address but not the first; `None` if there
    /// is none.
    fn block_across(&self, iova: u64) -> Option<u64> {
        if !F::BLOCKS || Span::BLOCK.divides(iova) {
            return None;
        }
        let end = walk::<F, M>(self.mem, self.root(), iova, block_level::<F>())?;
        match end.entry::<F>() {
            Entry::Leaf { .. } => Some(span::<F>(end.level).align_down(iova)),
            _ => None,
        }
    }

    /// Replaces the block at `iova` by a table from `reserve` with the same translation.
    fn split(&mut self, iova: u64, reserve: &mut Reserve) -> Option<()> {
        let end = walk::<F, M>(self.mem, self.root(), iova, block_level::<F>())?;
        let Entry::Leaf { pa, prot, attr } = end.entry::<F>() else {
            return None;
        };
        let counts = end.counts?;
        let new = reserve.one::<F, M>(self.mem, last_level::<F>()).ok()?;
        for index in 0..F::ENTRIES {
            let page = F::leaf(last_level::<F>(), page_of(pa, index), prot, attr);
            self.mem.write(new.table, index, page);
        }
        // ORDERING: the walker must find all pages when it finds the table.
        self.mem.sync(new.table, 0, F::ENTRIES);
        self.mem
            .write(counts, end.index, count::entry(F::ENTRIES, None));
        self.mem.write(end.table, end.index, F::table(new.pa));
        self.mem.sync(end.table, end.index, 1);
        self.touch_entry(end.level, iova);
        Some(())
    }

    /// Replaces 512 pages by a block wherever an aligned 2 MiB region that meets `range` is
    /// completely mapped to contiguous, aligned memory with equal permissions and attribute.
    /// Returns the number of bytes merged.
    ///
    /// Merging is never automatic: call this after a run of `map` calls for one object. A region
    /// that does not qualify usually costs two reads. It allocates nothing. The guard keeps
    /// [`MERGES_PER_FLUSH`](crate::MERGES_PER_FLUSH) merged tables; a larger merge flushes in
    /// between.
    ///
    /// # Errors
    ///
    /// [`MapError::OutOfRange`] if the format does not translate the range.
    pub fn merge(&mut self, range: IovaRange) -> Result<u64, MapError> {
        check_range::<F>(range)?;
        let mut bytes = Bytes::ZERO;
        let mut iova = Span::BLOCK.align_down(range.start().0);
        while F::BLOCKS && iova < range.end().0 {
            let Some(end) = walk::<F, M>(self.mem, self.root(), iova, block_level::<F>()) else {
                break;
            };
            let block = match end.entry::<F>() {
                Entry::Table(pa) if end.level == block_level::<F>() => {
                    self.as_block(pa).map(|block| (pa, block))
                }
                _ => None,
            };
            if let (Some((pa, block)), Some(counts)) = (block, end.counts) {
                self.make_room();
                self.mem.write(counts, end.index, 0);
                self.mem.write(end.table, end.index, block);
                self.mem.sync(end.table, end.index, 1);
                self.touch_entry(end.level, iova);
                self.defer_merged(pa);
                bytes.add(Span::BLOCK, 1);
            }
            iova = span::<F>(end.level).next(iova);
        }
        Ok(bytes.get())
    }

    /// The block entry that translates as the last-level table at `table_pa` does, if one can.
    fn as_block(&self, table_pa: Pa) -> Option<u64> {
        let table = self.mem.open(table_pa)?;
        let level = last_level::<F>();
        let Entry::Leaf { pa, prot, attr } = F::decode(level, self.mem.read(table, 0)) else {
            return None;
        };
        if !Span::BLOCK.divides(pa.0) {
            return None;
        }
        let fits = |index: u32| {
            self.mem.read(table, index) == F::leaf(level, page_of(pa, index), prot, attr)
        };
        // The last entry first: a table that is being filled lacks it.
        let whole = fits(const { F::ENTRIES - 1 }) && (0..F::ENTRIES).all(fits);
        whole.then(|| F::leaf(block_level::<F>(), pa, prot, attr))
    }
}
