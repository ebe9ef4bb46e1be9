// SPDX-License-Identifier: BSD-2-Clause
//! Mapping.
//!
//! What goes into one table is done by one walk: the entries are checked, missing tables are
//! allocated, the leaves are written. New tables are complete before the first of them is linked.
//! A range that needs several tables is checked first, and all that it needs is reserved.
//! So everything that can fail comes before the first write that the device sees, and a failure
//! needs no undo.

use crate::addr::{Iova, IovaRange, MapError, Pa, PageSize, Span, PAGE_BYTES};
use crate::count;
use crate::fmt::{index, span, Entry, Format};
use crate::guard::{PtUpdate, TlbFlush};
use crate::mem::{Reserve, TableMem};
use crate::prot::{MemAttr, Prot};
use crate::runs::{Contiguous, Memory, Pages, Run, Runs};
use crate::walk::{check_range, walk, WalkEnd};

/// How leaves are encoded.
#[derive(Clone, Copy)]
struct Kind {
    prot: Prot,
    attr: MemAttr,
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
        self.map_memory(range, Contiguous(pa.0), Kind { prot, attr })
    }

    /// Maps pages of 4 KiB, whose physical addresses are `pages`, one after another from `iova` on.
    ///
    /// Where 512 of them are contiguous, and the first is aligned to 2 MiB in both address spaces,
    /// they get a 2 MiB leaf. Each table is found, and made visible to the device, once.
    ///
    /// # Errors
    ///
    /// As for [`PtUpdate::map`]; [`MapError::OutOfRange`] also if there are no pages.
    ///
    /// # Examples
    ///
    /// ```
    /// use iommu_pmap::{Format, Iova, MapError, MemAttr, PageTable, Prot, PtUpdate};
    /// use iommu_pmap::{TableMem, TlbFlush};
    ///
    /// /// Maps the pages of a buffer, all or none of them, and flushes the TLB once.
    /// fn map_buffer<F: Format, M: TableMem, T: TlbFlush>(
    ///     table: &mut PageTable<F>,
    ///     mem: &mut M,
    ///     tlb: &mut T,
    ///     at: Iova,
    ///     pages: &[u64],
    /// ) -> Result<(), MapError> {
    ///     table
    ///         .update(mem, tlb)
    ///         .map_pages(at, pages, Prot::READ, MemAttr::Cached)
    /// }
    /// ```
    pub fn map_pages(
        &mut self,
        iova: Iova,
        pages: &[u64],
        prot: Prot,
        attr: MemAttr,
    ) -> Result<(), MapError> {
        let len = u64::try_from(pages.len())
            .ok()
            .and_then(|count| count.checked_mul(PAGE_BYTES))
            .ok_or(MapError::OutOfRange)?;
        let range = IovaRange::new(iova.0, len)?;
        check_range::<F>(range)?;
        // All bits of all addresses.
        let bits = pages.iter().fold(0, |bits, page| bits | page);
        if !Span::PAGE.divides(bits) {
            return Err(MapError::Misaligned);
        }
        if bits >= const { 1u64 << F::PA_BITS } {
            return Err(MapError::OutOfRange);
        }
        self.map_memory(range, Pages(pages), Kind { prot, attr })
    }

    /// Maps `range` to `memory`, which the format can address.
    #[inline(always)]
    fn map_memory<P: Memory>(
        &mut self,
        range: IovaRange,
        memory: P,
        kind: Kind,
    ) -> Result<(), MapError> {
        let mut runs = Runs::<F, P>::new(range, memory);
        match runs.next() {
            // Twice the same, for either size.
            Some(run) if runs.iova == range.end().0 && run.size == PageSize::Size4K => {
                let size = PageSize::Size4K;
                self.map_run(Run { size, ..run }, memory, kind)?;
            }
            Some(run) if runs.iova == range.end().0 => {
                let size = PageSize::Size2M;
                self.map_run(Run { size, ..run }, memory, kind)?;
            }
            _ => self.map_runs(range, memory, kind)?,
        }
        if F::FLUSH_ON_MAP {
            self.touch(range.start().0, range.end().0);
        }
        Ok(())
    }

    /// Maps a range that is one run.
    #[inline(always)]
    fn map_run<P: Memory>(&mut self, run: Run, memory: P, kind: Kind) -> Result<(), MapError> {
        let end = self.find(&run)?;
        self.check_free(&run, &end)?;
        if end.level == run.level::<F>() {
            self.fill(&end, &run, memory, kind);
            Ok(())
        } else {
            self.grow(end, run, memory, kind, &mut Reserve::new::<F>())
        }
    }

    /// Maps a range that needs more than one table.
    #[inline(never)]
    fn map_runs<P: Memory>(
        &mut self,
        range: IovaRange,
        memory: P,
        kind: Kind,
    ) -> Result<(), MapError> {
        let mut reserve = self.survey(range, memory)?;
        reserve.fill::<F, M>(self.mem)?;
        let mut runs = Runs::<F, P>::new(range, memory);
        let failed = runs.find(|run| self.place(run, memory, kind, &mut reserve).is_err());
        // Empty, unless a table could not be opened.
        reserve.free_all(self.mem);
        if let Some(run) = failed {
            self.clear(range.start().0, run.iova);
            return Err(MapError::NoMemory);
        }
        Ok(())
    }

    /// The tables that are missing to map the range, to be reserved.
    ///
    /// # Errors
    ///
    /// [`MapError::Overlap`] if any page of the range is mapped.
    fn survey<P: Memory>(&self, range: IovaRange, memory: P) -> Result<Reserve, MapError> {
        let mut missing = Reserve::new::<F>();
        for run in Runs::<F, P>::new(range, memory) {
            let end = self.find(&run)?;
            self.check_free(&run, &end)?;
            // A missing table counts with the first run that needs it.
            for level in end.level..run.level::<F>() {
                if run.iova == range.start().0 || span::<F>(level).divides(run.iova) {
                    // OVERFLOW: none: a level is small.
                    missing.want::<F>(level.saturating_add(1))?;
                }
            }
        }
        Ok(missing)
    }

    /// Fails if an entry that a run needs is in use. `end` is where the walk to it has ended.
    #[inline(always)]
    fn check_free(&self, run: &Run, end: &WalkEnd<M::Table>) -> Result<(), MapError> {
        let free = if end.level == run.level::<F>() {
            // A pointer to a table counts as well: no table is empty, and a block needs all of it.
            let mut free = true;
            for index in run.first..run.end {
                free =
                    F::decode(run.level::<F>(), self.mem.read(end.table, index)) == Entry::Invalid;
                if !free {
                    break;
                }
            }
            free
        } else {
            end.entry::<F>() == Entry::Invalid
        };
        if free {
            Ok(())
        } else {
            Err(MapError::Overlap)
        }
    }

    /// Walks to the first entry of a run.
    #[inline(always)]
    fn find(&self, run: &Run) -> Result<WalkEnd<M::Table>, MapError> {
        walk::<F, M>(self.mem, self.root(), run.iova, run.level::<F>()).ok_or(MapError::Overlap)
    }

    /// Writes the leaves of a run into a table that exists.
    #[inline(always)]
    fn fill<P: Memory>(&mut self, end: &WalkEnd<M::Table>, run: &Run, memory: P, kind: Kind) {
        self.write_leaves(end.table, run, memory, kind);
        if let Some(uses) = end.uses {
            uses.add(self.mem, run.count);
        }
    }

    /// Writes the leaves of a run, whose entries are free, with missing tables from `reserve`.
    ///
    /// # Errors
    ///
    /// Nothing is changed then: a table can no longer be opened.
    fn place<P: Memory>(
        &mut self,
        run: &Run,
        memory: P,
        kind: Kind,
        reserve: &mut Reserve,
    ) -> Result<(), MapError> {
        let end = self.find(run)?;
        if end.level == run.level::<F>() {
            self.fill(&end, run, memory, kind);
            return Ok(());
        }
        if end.entry::<F>() != Entry::Invalid {
            return Err(MapError::NoMemory);
        }
        self.grow(end, *run, memory, kind, reserve)
    }

    /// Adds the tables for a run below the entry at which the walk to it has ended: from `reserve`,
    /// or new ones if that is empty.
    ///
    /// # Errors
    ///
    /// Nothing is changed then: [`MapError::NoMemory`].
    #[inline(never)]
    fn grow<P: Memory>(
        &mut self,
        end: WalkEnd<M::Table>,
        run: Run,
        memory: P,
        kind: Kind,
        reserve: &mut Reserve,
    ) -> Result<(), MapError> {
        let counts = end.counts.ok_or(MapError::NoMemory)?;
        let mut new = reserve.take::<F, M>(self.mem, end.level, run.level::<F>())?;
        // From the bottom: the table that is to be linked, and what is counted of it.
        let mut link: Option<(Pa, u64)> = None;
        for level in (end.level..run.level::<F>()).rev() {
            let Some(below) = new.iter_mut().find_map(Option::take) else {
                break;
            };
            let uses = match link {
                None => {
                    self.write_leaves(below.table, &run, memory, kind);
                    run.count
                }
                Some((pa, counted)) => {
                    // OVERFLOW: none: a level is small.
                    let index = index::<F>(level.saturating_add(1), run.iova);
                    self.link(below.table, index, pa);
                    if let Some((_, counts)) = below.counts {
                        self.mem.write(counts, index, counted);
                    }
                    1
                }
            };
            link = Some((
                below.pa,
                count::entry(uses, below.counts.map(|counts| counts.0)),
            ));
        }
        let (pa, counted) = link.ok_or(MapError::NoMemory)?;
        self.mem.write(counts, end.index, counted);
        // ORDERING: all below was synced before, so the walker finds it complete.
        self.link(end.table, end.index, pa);
        if let Some(uses) = end.uses {
            uses.add(self.mem, 1);
        }
        Ok(())
    }

    /// Writes a pointer to the table at `pa`.
    fn link(&mut self, table: M::Table, index: u32, pa: Pa) {
        self.mem.write(table, index, F::table(pa));
        self.mem.sync(table, index, 1);
    }

    /// Writes the leaves of a run.
    #[inline(always)]
    fn write_leaves<P: Memory>(&mut self, table: M::Table, run: &Run, memory: P, kind: Kind) {
        match run.size {
            PageSize::Size4K => self.write_all(table, run, memory.pages(run.at), kind),
            PageSize::Size2M => self.write_all(table, run, memory.heads(run.at), kind),
        }
    }

    /// Writes leaves for the first of `leaves`.
    #[inline(always)]
    fn write_all(
        &mut self,
        table: M::Table,
        run: &Run,
        leaves: impl Iterator<Item = u64>,
        kind: Kind,
    ) {
        for (index, pa) in (run.first..run.end).zip(leaves) {
            let leaf = F::leaf(run.level::<F>(), Pa(pa), kind.prot, kind.attr);
            self.mem.write(table, index, leaf);
        }
        self.mem.sync(table, run.first, run.count);
    }
}
