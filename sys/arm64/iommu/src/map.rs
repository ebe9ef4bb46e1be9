// SPDX-License-Identifier: BSD-2-Clause
//! Mapping.
//!
//! Three passes: check for overlaps and count the missing tables, reserve those, write. Everything
//! that can fail comes before the first write, so a failure needs no undo.

use crate::addr::{distance, Iova, IovaRange, MapError, Pa, Span};
use crate::fmt::{block_level, index, last_level, span, Entry, Format};
use crate::guard::{PtUpdate, TlbFlush};
use crate::mem::{Chain, TableMem};
use crate::prot::{MemAttr, Prot};
use crate::walk::{check_range, walk};

/// Adjacent leaves of one size in one table.
struct Run {
    level: u32,
    iova: u64,
    pa: u64,
    /// Index of the first leaf.
    first: u32,
    /// The index after the last leaf.
    end: u32,
    count: u32,
}

/// The runs that map a range, in ascending order.
struct Runs<F> {
    iova: u64,
    end: u64,
    pa: u64,
    format: core::marker::PhantomData<F>,
}

impl<F: Format> Runs<F> {
    fn new(range: IovaRange, pa: Pa) -> Self {
        Self {
            iova: range.start().0,
            end: range.end().0,
            pa: pa.0,
            format: core::marker::PhantomData,
        }
    }
}

impl<F: Format> Iterator for Runs<F> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        let left = distance(self.iova, self.end);
        if left == 0 {
            return None;
        }
        let block =
            F::BLOCKS && left >= Span::BLOCK.times(1) && Span::BLOCK.divides(self.iova | self.pa);
        let level = if block {
            block_level::<F>()
        } else {
            last_level::<F>()
        };
        // A run of pages ends at the end of its table at the latest, where a block may begin.
        let first = index::<F>(level, self.iova);
        let room = F::ENTRIES.checked_sub(first)?;
        let count = u32::try_from(span::<F>(level).count(left))
            .unwrap_or(room)
            .min(room);
        let run = Run {
            level,
            iova: self.iova,
            pa: self.pa,
            first,
            end: first.checked_add(count)?,
            count,
        };
        let len = span::<F>(level).times(u64::from(count));
        // Neither overflows before the end of the range: `map` has checked both ends.
        self.iova = self.iova.checked_add(len)?;
        self.pa = self.pa.checked_add(len)?;
        Some(run)
    }
}

impl<F: Format, M: TableMem, T: TlbFlush> PtUpdate<'_, F, M, T> {
    /// Maps `len` bytes from `iova` to the memory at `pa`, by 2 MiB leaves where both addresses and
    /// the rest of the length allow it, by 4 KiB leaves elsewhere.
    ///
    /// # Errors
    ///
    /// Nothing is changed then. [`MapError::Misaligned`] if an address or the length is not a
    /// multiple of 4 KiB; [`MapError::OutOfRange`] if the length is 0 or either range exceeds what
    /// the format translates; [`MapError::Overlap`] if any page is mapped already;
    /// [`MapError::NoMemory`] if there is no memory for a table.
    pub fn map(
        &mut self,
        iova: Iova,
        pa: Pa,
        len: u64,
        prot: Prot,
        attr: MemAttr,
    ) -> Result<(), MapError> {
        let range = IovaRange::new(iova.0, len)?;
        check_range::<F>(range)?;
        if !Span::PAGE.divides(pa.0) {
            return Err(MapError::Misaligned);
        }
        let pa_limit = const { 1u64 << F::PA_BITS };
        if pa.0.checked_add(len).is_none_or(|end| end > pa_limit) {
            return Err(MapError::OutOfRange);
        }
        let missing = self.survey(range, pa)?;
        let mut reserve = Chain::reserve::<F, M>(self.mem, missing)?;
        for run in Runs::<F>::new(range, pa) {
            if self.place(&run, prot, attr, &mut reserve).is_none() {
                // Only if a table can no longer be opened.
                reserve.free_all::<F, M>(self.mem);
                self.clear(range.start().0, run.iova);
                return Err(MapError::NoMemory);
            }
        }
        if F::FLUSH_ON_MAP {
            self.touch(range.start().0, range.end().0);
        }
        Ok(())
    }

    /// The number of tables that are missing to map the range.
    ///
    /// # Errors
    ///
    /// [`MapError::Overlap`] if any page of the range is mapped.
    fn survey(&self, range: IovaRange, pa: Pa) -> Result<u64, MapError> {
        let mut missing = 0u64;
        for run in Runs::<F>::new(range, pa) {
            let end = walk::<F, M>(self.mem, self.root(), run.iova, run.level)
                .ok_or(MapError::Overlap)?;
            if end.level == run.level {
                // A pointer to a table counts as well: no table is empty, and a block needs all of
                // it.
                let free = |i| F::decode(run.level, self.mem.read(end.table, i)) == Entry::Invalid;
                if !(run.first..run.end).all(free) {
                    return Err(MapError::Overlap);
                }
            } else if end.entry != Entry::Invalid {
                return Err(MapError::Overlap);
            }
            // A missing table counts with the first run that needs it.
            for level in end.level..run.level {
                if run.iova == range.start().0 || span::<F>(level).divides(run.iova) {
                    missing = missing.checked_add(1).ok_or(MapError::NoMemory)?;
                }
            }
        }
        Ok(missing)
    }

    /// Writes the leaves of a run into entries that are invalid, with tables from `reserve`.
    fn place(&mut self, run: &Run, prot: Prot, attr: MemAttr, reserve: &mut Chain) -> Option<()> {
        let table = self.table_for(run, reserve)?;
        let size = span::<F>(run.level);
        let mut pa = run.pa;
        for index in run.first..run.end {
            let leaf = F::leaf(run.level, Pa(pa), prot, attr);
            self.mem.write(table, index, leaf);
            pa = size.next(pa);
        }
        self.mem.sync(table, run.first, run.count);
        Some(())
    }

    /// The table for a run; missing ones on the path to it are taken from `reserve`.
    fn table_for(&mut self, run: &Run, reserve: &mut Chain) -> Option<M::Table> {
        let mut table = self.mem.open(self.root())?;
        for level in 0..run.level {
            let index = index::<F>(level, run.iova);
            table = match F::decode(level, self.mem.read(table, index)) {
                Entry::Table(pa) => self.mem.open(pa)?,
                Entry::Leaf { .. } => return None,
                Entry::Invalid => {
                    let (pa, below) = reserve.pop::<F, M>(self.mem)?;
                    // ORDERING: entry 0 no longer links the reserve when the walker finds the
                    // table.
                    self.mem.sync(below, 0, 1);
                    self.mem.write(table, index, F::table(pa));
                    self.mem.sync(table, index, 1);
                    below
                }
            };
        }
        Some(table)
    }
}
