// SPDX-License-Identifier: BSD-2-Clause
//! Mapping.
//!
//! Three passes: look for overlaps and count the missing tables, reserve those, write. What can
//! fail comes before the first write, so a refusal needs no undo.

use crate::addr::{is_aligned, Iova, IovaRange, MapError, Pa, BLOCK_BYTES, PAGE_BYTES};
use crate::fmt::{block_level, index, last_level, shift, span, Entry, Format};
use crate::guard::{PtUpdate, TlbFlush};
use crate::mem::{Chain, TableMem};
use crate::prot::{MemAttr, Prot};
use crate::walk::{check_range, walk};

/// Leaves of one size next to each other in one table.
struct Run {
    level: u32,
    iova: u64,
    pa: u64,
    first: u32,
    count: u32,
}

impl Run {
    /// Address and physical address behind the run.
    fn end<F: Format>(&self) -> (u64, u64) {
        let len = u64::from(self.count).wrapping_shl(shift::<F>(self.level));
        (self.iova.wrapping_add(len), self.pa.wrapping_add(len))
    }
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
        let left = self.end.checked_sub(self.iova).filter(|left| *left != 0)?;
        let block =
            F::BLOCKS && left >= BLOCK_BYTES && is_aligned(self.iova | self.pa, BLOCK_BYTES);
        let level = if block {
            block_level::<F>()
        } else {
            last_level::<F>()
        };
        // A run of pages ends with its table, which is where a block may begin.
        let first = index::<F>(level, self.iova);
        let room = F::ENTRIES.wrapping_sub(first);
        let count = u32::try_from(left.wrapping_shr(shift::<F>(level)))
            .unwrap_or(room)
            .min(room);
        let run = Run {
            level,
            iova: self.iova,
            pa: self.pa,
            first,
            count,
        };
        (self.iova, self.pa) = run.end::<F>();
        Some(run)
    }
}

impl<F: Format, M: TableMem, T: TlbFlush> PtUpdate<'_, F, M, T> {
    /// Maps `len` bytes from `iova` to the memory at `pa`, by 2 MiB leaves where both addresses and
    /// the rest of the length allow it, by 4 KiB leaves elsewhere.
    ///
    /// # Errors
    ///
    /// Nothing is changed then. [`MapError::Misaligned`] if an address or the length is no
    /// multiple of 4 KiB; [`MapError::OutOfRange`] if the length is 0 or either range leaves what the
    /// format translates; [`MapError::Overlap`] if any page is mapped already;
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
        if !is_aligned(pa.0, PAGE_BYTES) {
            return Err(MapError::Misaligned);
        }
        let pa_limit = 1u64.wrapping_shl(F::PA_BITS);
        if pa.0.checked_add(len).is_none_or(|end| end > pa_limit) {
            return Err(MapError::OutOfRange);
        }
        let missing = self.survey(range, pa)?;
        let mut reserve = Chain::reserve::<F, M>(self.mem, missing)?;
        for run in Runs::<F>::new(range, pa) {
            if self.place(&run, prot, attr, &mut reserve).is_none() {
                // Only a table that cannot be opened any more leads here.
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

    /// How many tables are missing to map the range.
    ///
    /// # Errors
    ///
    /// [`MapError::Overlap`] if any page of the range is mapped.
    fn survey(&self, range: IovaRange, pa: Pa) -> Result<u64, MapError> {
        let mut missing = 0u64;
        for run in Runs::<F>::new(range, pa) {
            let slot = walk::<F, M>(self.mem, self.root(), run.iova, run.level)
                .ok_or(MapError::Overlap)?;
            if slot.level == run.level {
                // A pointer to a table counts as well: no table is empty, and a block covers all of it.
                let mut entries = run.first..run.first.saturating_add(run.count);
                let free = |i| F::decode(run.level, self.mem.read(slot.table, i)) == Entry::Invalid;
                if !entries.all(free) {
                    return Err(MapError::Overlap);
                }
            } else if slot.entry != Entry::Invalid {
                return Err(MapError::Overlap);
            }
            // A missing table counts with the first run that needs it.
            for level in slot.level..run.level {
                if run.iova == range.start().0 || is_aligned(run.iova, span::<F>(level)) {
                    missing = missing.saturating_add(1);
                }
            }
        }
        Ok(missing)
    }

    /// Writes the leaves of a run into entries that are invalid, with tables from `reserve`.
    fn place(&mut self, run: &Run, prot: Prot, attr: MemAttr, reserve: &mut Chain) -> Option<()> {
        let table = self.table_for(run, reserve)?;
        let mut pa = run.pa;
        for index in run.first..run.first.saturating_add(run.count) {
            self.mem
                .write(table, index, F::leaf(run.level, Pa(pa), prot, attr));
            pa = pa.wrapping_add(span::<F>(run.level));
        }
        self.mem.sync(table, run.first, run.count);
        Some(())
    }

    /// The table that holds a run; what is missing on the way is taken from `reserve`.
    fn table_for(&mut self, run: &Run, reserve: &mut Chain) -> Option<M::Table> {
        let mut table = self.mem.open(self.root())?;
        for level in 0..run.level {
            let index = index::<F>(level, run.iova);
            table = match F::decode(level, self.mem.read(table, index)) {
                Entry::Table(pa) => self.mem.open(pa)?,
                Entry::Leaf { .. } => return None,
                Entry::Invalid => {
                    let (pa, below) = reserve.pop::<F, M>(self.mem)?;
                    // ORDERING: the link of the reserve is gone from the table before the walker finds it.
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
