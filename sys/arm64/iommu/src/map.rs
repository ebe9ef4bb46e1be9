// SPDX-License-Identifier: BSD-2-Clause
//! Mapping.
//!
//! What goes into one table is done by one walk: the entries are checked, missing tables are
//! allocated, the leaves are written. New tables are complete before the first of them is linked.
//! A range that needs several tables is checked first, and all that it needs is reserved.
//! So everything that can fail comes before the first write that the device sees, and a failure
//! needs no undo.

use crate::addr::{distance, Iova, IovaRange, MapError, Pa, PageSize, Span, PAGE_BYTES};
use crate::count;
use crate::fmt::{block_level, index, last_level, span, Entry, Format};
use crate::guard::{PtUpdate, TlbFlush};
use crate::mem::{Reserve, TableMem};
use crate::prot::{MemAttr, Prot};
use crate::walk::{check_range, walk, WalkEnd};

/// Pages of a block.
const BLOCK_PAGES: usize = 512;

/// The memory that a range is mapped to.
trait Memory: Copy {
    /// The addresses of the pages from the byte `at` of the range on; it may have more than the
    /// range.
    fn pages(self, at: u64) -> impl Iterator<Item = u64>;

    /// Likewise, of every 512th page.
    fn heads(self, at: u64) -> impl Iterator<Item = u64>;

    /// How many blocks there are in a row from the byte `at` on, at most `most`.
    fn blocks(self, at: u64, most: u64) -> u64;
}

/// Contiguous memory from an address on.
#[derive(Clone, Copy)]
struct Contiguous(u64);

impl Contiguous {
    fn at(self, at: u64) -> u64 {
        // OVERFLOW: none: `map` has checked the end.
        self.0.wrapping_add(at)
    }
}

impl Memory for Contiguous {
    #[inline(always)]
    fn pages(self, at: u64) -> impl Iterator<Item = u64> {
        Steps(self.at(at), PageSize::Size4K)
    }

    #[inline(always)]
    fn heads(self, at: u64) -> impl Iterator<Item = u64> {
        Steps(self.at(at), PageSize::Size2M)
    }

    fn blocks(self, at: u64, most: u64) -> u64 {
        if Span::BLOCK.divides(self.at(at)) {
            most
        } else {
            0
        }
    }
}

/// Addresses from one on, each further by a size.
struct Steps(u64, PageSize);

impl Iterator for Steps {
    type Item = u64;

    #[inline(always)]
    fn next(&mut self) -> Option<u64> {
        // OVERFLOW: not before the end of the range, which `map` has checked.
        let after = self.0.wrapping_add(self.1.bytes());
        Some(core::mem::replace(&mut self.0, after))
    }
}

/// Pages by their addresses.
#[derive(Clone, Copy)]
struct Pages<'a>(&'a [u64]);

impl<'a> Pages<'a> {
    /// Those from the byte `at` of the range on.
    fn from(self, at: u64) -> &'a [u64] {
        let first = usize::try_from(Span::PAGE.count(at)).unwrap_or(usize::MAX);
        self.0.get(first..).unwrap_or_default()
    }
}

impl Memory for Pages<'_> {
    #[inline(always)]
    fn pages(self, at: u64) -> impl Iterator<Item = u64> {
        self.from(at).iter().copied()
    }

    #[inline(always)]
    fn heads(self, at: u64) -> impl Iterator<Item = u64> {
        self.from(at).iter().copied().step_by(BLOCK_PAGES)
    }

    fn blocks(self, at: u64, most: u64) -> u64 {
        let blocks = self.from(at).chunks_exact(BLOCK_PAGES).zip(0..most);
        let whole = blocks.take_while(|(pages, _)| is_block(pages)).count();
        u64::try_from(whole).unwrap_or(most)
    }
}

/// Whether `pages` are contiguous, the first aligned to a block.
fn is_block(pages: &[u64]) -> bool {
    let (Some(first), Some(last)) = (pages.first(), pages.last()) else {
        return false;
    };
    // Scattered pages mostly end it here.
    if !Span::BLOCK.divides(*first) || distance(*first, *last) != Span::PAGE.times(511) {
        return false;
    }
    let mut expected = (0..).map(|n| first | Span::PAGE.times(n));
    pages.iter().all(|page| Some(*page) == expected.next())
}

/// Adjacent leaves of one size in one table.
#[derive(Clone, Copy)]
struct Run {
    size: PageSize,
    iova: u64,
    /// Where it begins, in bytes from the start of the range.
    at: u64,
    /// Index of the first leaf.
    first: u32,
    /// The index after the last leaf.
    end: u32,
    count: u32,
}

impl Run {
    /// The level of its leaves.
    #[inline]
    const fn level<F: Format>(&self) -> u32 {
        match self.size {
            PageSize::Size4K => last_level::<F>(),
            PageSize::Size2M => block_level::<F>(),
        }
    }
}

/// The runs that map a range, in ascending order.
struct Runs<F, P> {
    start: u64,
    iova: u64,
    end: u64,
    memory: P,
    format: core::marker::PhantomData<F>,
}

impl<F: Format, P: Memory> Runs<F, P> {
    fn new(range: IovaRange, memory: P) -> Self {
        Self {
            start: range.start().0,
            iova: range.start().0,
            end: range.end().0,
            memory,
            format: core::marker::PhantomData,
        }
    }

    /// How many blocks begin at the current address, at most those of one table.
    #[inline(always)]
    fn blocks(&self, left: u64) -> u64 {
        if F::BLOCKS && left >= Span::BLOCK.times(1) && Span::BLOCK.divides(self.iova) {
            let at = distance(self.start, self.iova);
            self.memory.blocks(at, Span::BLOCK.count(left))
        } else {
            0
        }
    }
}

impl<F: Format, P: Memory> Iterator for Runs<F, P> {
    type Item = Run;

    #[inline(always)]
    fn next(&mut self) -> Option<Run> {
        let left = distance(self.iova, self.end);
        if left == 0 {
            return None;
        }
        let (size, level, leaves) = match self.blocks(left) {
            // A run of pages ends at the end of its table at the latest, where a block may begin.
            0 => (PageSize::Size4K, last_level::<F>(), Span::PAGE.count(left)),
            blocks => (PageSize::Size2M, block_level::<F>(), blocks),
        };
        let first = index::<F>(level, self.iova);
        let room = F::ENTRIES.checked_sub(first)?;
        let count = u32::try_from(leaves).unwrap_or(room).min(room);
        let run = Run {
            size,
            iova: self.iova,
            at: distance(self.start, self.iova),
            first,
            end: first.checked_add(count)?,
            count,
        };
        // It does not overflow before the end of the range.
        let len = span::<F>(level).times(u64::from(count));
        self.iova = self.iova.checked_add(len)?;
        Some(run)
    }
}

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
