// SPDX-License-Identifier: BSD-2-Clause
//! What an address space consists of: its page table, where its buffers are, and what was unmapped and may still be
//! reached.
//!
//! Nothing waits for the GPU here. What is unmapped stays allocated, memory and page tables alike, until every job is
//! over that began before (`Old`), for the GPU may still have the old translation; and every job that begins later
//! begins with a flush, for the sequence number has changed. So no job ever reaches memory that was freed.
//!
//! Nothing is freed here either, and no memory is waited for: the ends of jobs need the lock of all
//! this.

use crate::mmu::regions::Regions;
use crate::mmu::tables::{OldTables, TreeTables};
use crate::mmu::{Mmu, Version};
use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering};
use drmkpi::alloc::{Arc, KVec};
use drmkpi::mem::buffer::Buffer;
use drmkpi::mem::table_mem::Spare;
use drmkpi::mem::va_alloc::Region as _;
use drmkpi::os::{Dev, Mtx, PAGE_SIZE};
use drmkpi::util::account::Charge;
use drmkpi::util::errno::{Errno, Result, EINVAL, ENOMEM, ENOSPC};
use drmkpi::util::int_conv::u64_of;
use iommu_pmap::{
    Format, Iova, IovaRange, MapError, MemAttr, Pa, PageTable, Prot, PtUpdate, TableMem, TlbFlush,
    VivanteV1, VivanteV2,
};

/// MMUv2: the first address that a client may choose, and the end.
const CLIENT_START: u64 = 0x40_0000;
const CLIENT_END: u64 = 1 << 32;
/// MMUv1: the first address that the table translates.
const TABLE_START: u64 = 0x8000_0000;
/// So much is unmapped with the lock held once, at the most: what a table of MMUv2 covers.
const PART: u64 = 4 << 20;

/// What a change of a page table needs: the MMU, the number that every change makes another, and
/// who pays for tables.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) mmu: &'a Mmu,
    pub(crate) seqno: &'a AtomicU32,
    pub(crate) charge: Option<&'a Charge>,
}

enum Table {
    V1(PageTable<VivanteV1>),
    V2(PageTable<VivanteV2>),
}

/// What was unmapped, until no job can reach it.
pub(crate) struct Old {
    buffers: KVec<Arc<Buffer>>,
    tables: OldTables,
}

/// Where a job finds a buffer.
pub(crate) enum Hit {
    /// There, and whether its handle was gone.
    At(u64, bool),
    /// It was there, has been left, and is to be unmapped.
    Left(u64),
    /// It is not mapped, or not all of it yet.
    None,
}

/// An address space but for its users.
pub(crate) struct Space {
    table: Table,
    pub(crate) regions: Regions,
    /// Unmapped while jobs of the current generation may have been running; there is room for all regions.
    young: Old,
    /// Unmapped before the current generation of jobs began.
    old: Old,
    /// No job can reach it: for the reaper to free.
    dead: Old,
}

/// Jobs of the address space that the hardware has, by generation.
#[derive(Default)]
pub(crate) struct Jobs {
    /// The generation of those that begin now.
    pub(crate) odd: bool,
    count: [u32; 2],
}

impl Jobs {
    pub(crate) fn of(&mut self, odd: bool) -> &mut u32 {
        let [even_jobs, odd_jobs] = &mut self.count;
        if odd {
            odd_jobs
        } else {
            even_jobs
        }
    }
}

/// Changes are seen at the next job, which flushes first.
struct NextJob<'a>(&'a AtomicU32);

impl TlbFlush for NextJob<'_> {
    fn flush(&mut self, _range: IovaRange) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

fn errno(error: MapError) -> Errno {
    match error {
        MapError::NoMemory => ENOMEM,
        MapError::Overlap | MapError::Misaligned | MapError::OutOfRange => EINVAL,
    }
}

impl Old {
    /// Nothing.
    pub(crate) fn empty(mmu: &Mmu) -> Old {
        Old {
            buffers: KVec::new(mmu.os()),
            tables: OldTables::default(),
        }
    }

    /// Nothing, with room for `room` buffers, and for some in any case.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn with_room(mmu: &Mmu, room: usize) -> Result<Old> {
        let mut old = Old::empty(mmu);
        old.buffers.reserve(room.max(1))?;
        Ok(old)
    }

    fn is_empty(&self) -> bool {
        self.buffers.is_empty() && self.tables.is_empty()
    }

    /// Frees all.
    pub(crate) fn free(&mut self, dev: Dev, charge: Option<&Charge>) {
        self.buffers.clear();
        self.tables.free(dev, charge);
    }
}

impl Table {
    fn new(mmu: &Mmu, charge: Option<&Charge>, old: &mut OldTables) -> Result<Table> {
        let made = match mmu.version() {
            Version::V1 => PageTable::new(&mut mmu.flat()).map(Table::V1),
            Version::V2 | Version::V2Secure => {
                PageTable::new(&mut TreeTables::new(&mmu.dev(), charge, old)).map(Table::V2)
            }
        };
        made.map_err(errno)
    }

    fn root(&self) -> u64 {
        match self {
            Table::V1(table) => table.root().0,
            Table::V2(table) => table.root().0,
        }
    }

    fn map(
        &mut self,
        site: Site<'_>,
        old: &mut OldTables,
        spare: &mut Spare,
        start: u64,
        pas: &[u64],
        prot: Prot,
    ) -> Result<()> {
        let mmu = site.mmu;
        let mut flush = NextJob(site.seqno);
        match self {
            Table::V1(table) => map_pages(
                &mut table.update(&mut mmu.flat(), &mut flush),
                start,
                pas,
                prot,
            ),
            Table::V2(table) => {
                let dev = mmu.dev();
                let mut memory = TreeTables::new(&dev, site.charge, old).with_spare(spare);
                let mut update = table.update(&mut memory, &mut flush);
                map_pages(&mut update, start, pas, prot)
            }
        }
    }

    /// Takes translations away. Only 4 KiB leaves: nothing is split, so nothing can fail.
    fn unmap(&mut self, site: Site<'_>, old: &mut OldTables, range: IovaRange) {
        let mmu = site.mmu;
        let mut flush = NextJob(site.seqno);
        match self {
            Table::V1(table) => {
                let _ = table.update(&mut mmu.flat(), &mut flush).unmap(range);
            }
            Table::V2(table) => {
                let dev = mmu.dev();
                let mut memory = TreeTables::new(&dev, site.charge, old);
                let _ = table.update(&mut memory, &mut flush).unmap(range);
            }
        }
    }

    fn destroy(self, mmu: &Mmu, charge: Option<&Charge>, old: &mut OldTables) {
        match self {
            Table::V1(table) => table.destroy(&mut mmu.flat()),
            Table::V2(table) => table.destroy(&mut TreeTables::new(&mmu.dev(), charge, old)),
        }
    }
}

fn map_pages<F: Format, M: TableMem, T: TlbFlush>(
    update: &mut PtUpdate<'_, F, M, T>,
    start: u64,
    pas: &[u64],
    prot: Prot,
) -> Result<()> {
    let mut iova = start;
    for pa in pas {
        update
            .map(Iova(iova), Pa(*pa), PAGE_SIZE, prot, MemAttr::Uncached)
            .map_err(errno)?;
        iova = iova.wrapping_add(PAGE_SIZE);
    }
    Ok(())
}

impl Space {
    /// An empty one, and the physical address of its root table.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(mmu: &Mmu, charge: Option<&Charge>) -> Result<(Space, u64)> {
        let mut young = Old::with_room(mmu, 0)?;
        let (old, dead) = (Old::with_room(mmu, 0)?, Old::with_room(mmu, 0)?);
        let made = Table::new(mmu, charge, &mut young.tables);
        let table = match made {
            Ok(table) => table,
            Err(e) => {
                young.free(mmu.dev(), charge);
                return Err(e);
            }
        };
        let range = match table {
            Table::V1(_) => TABLE_START..CLIENT_END,
            Table::V2(_) => CLIENT_START..CLIENT_END,
        };
        let root = table.root();
        let space = Space {
            table,
            regions: Regions::new(mmu.os(), range),
            young,
            old,
            dead,
        };
        Ok((space, root))
    }

    /// Maps memory that is no buffer and stays to the end, to be read.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn map_fixed(&mut self, site: Site<'_>, start: u64, pas: &[u64]) -> Result<()> {
        let mut spare = Spare::new(site.mmu.dev());
        spare.fill()?;
        self.map(site, &mut spare, start, pas, Prot::READ)
    }

    /// Frees all tables: the hardware does not have the address space any more.
    pub(crate) fn destroy(self, mmu: &Mmu, charge: Option<&Charge>) {
        let Space {
            table,
            mut young,
            mut old,
            mut dead,
            ..
        } = self;
        table.destroy(mmu, charge, &mut old.tables);
        young.free(mmu.dev(), charge);
        old.free(mmu.dev(), charge);
        dead.free(mmu.dev(), charge);
    }

    /// Maps pages from `start` on, with tables from `spare`; on failure none of them.
    ///
    /// # Errors
    ///
    /// ENOMEM, also when `spare` does not have enough.
    pub(crate) fn map(
        &mut self,
        site: Site<'_>,
        spare: &mut Spare,
        start: u64,
        pas: &[u64],
        prot: Prot,
    ) -> Result<()> {
        let tables = &mut self.young.tables;
        let mapped = self.table.map(site, tables, spare, start, pas, prot);
        if mapped.is_err() {
            let len = u64_of(pas.len()).saturating_mul(PAGE_SIZE);
            if let Ok(range) = IovaRange::new(start, len) {
                self.table.unmap(site, tables, range);
            }
        }
        mapped
    }

    /// Takes translations of the region at `start` away, which has been left, and, with the last,
    /// the region; its buffer is kept for those who may still have them. False: there are more, for
    /// another time with the lock. Several may do this to one region.
    #[must_use]
    pub(crate) fn unmap_part(&mut self, site: Site<'_>, start: u64) -> bool {
        let Some(region) = self.regions.at(start) else {
            return true;
        };
        let Some(gone) = region.gone else { return true };
        let end = region.end(start);
        // OVERFLOW: `gone` bytes of it are unmapped, and the next part begins there.
        let from = start.saturating_add(gone);
        // OVERFLOW: addresses have 32 bits.
        let next = (from | PART.wrapping_sub(1)).saturating_add(1).min(end);
        // OVERFLOW: as above.
        let (gone, len) = (next.saturating_sub(start), next.saturating_sub(from));
        region.gone = Some(gone);
        if let Ok(range) = IovaRange::new(from, len) {
            let tables = &mut self.young.tables;
            self.table.unmap(site, tables, range);
        }
        if next < end {
            return false;
        }
        let Some(region) = self.regions.remove(start) else {
            return true;
        };
        // There is room: see `insert`. Without it the buffer would go too early, so it stays for good.
        if let Err(buffer) = self.young.buffers.try_push(region.buffer) {
            core::mem::forget(buffer);
        }
        true
    }

    /// Unmaps some of what is in `room`, all of which has been left. False: there is more.
    #[must_use]
    pub(crate) fn clear(&mut self, site: Site<'_>, room: &Range<u64>) -> bool {
        /// Regions of a part or less, with the lock held once.
        const REGIONS: u32 = 64;
        for _ in 0..REGIONS {
            let first = self.regions.first_in(room).map(|(start, _)| start);
            let Some(start) = first else { return true };
            if !self.unmap_part(site, start) {
                break;
            }
        }
        false
    }

    /// One more job uses a buffer that is mapped where it is wanted.
    ///
    /// # Errors
    ///
    /// EINVAL when jobs use it elsewhere, ENOSPC when too many do here.
    pub(crate) fn hit(&mut self, buffer: &Buffer, wanted: Option<u64>) -> Result<Hit> {
        let Some(start) = self.regions.place_of(buffer.id()) else {
            return Ok(Hit::None);
        };
        let Some(region) = self.regions.at(start).filter(|region| region.ready) else {
            return Ok(Hit::None);
        };
        if wanted.is_none_or(|wanted| wanted == start) {
            region.users = region.users.checked_add(1).ok_or(ENOSPC)?;
            let closing = core::mem::replace(&mut region.closing, false);
            return Ok(Hit::At(start, closing));
        }
        if region.users != 0 {
            return Err(EINVAL);
        }
        self.regions.leave(start);
        Ok(Hit::Left(start))
    }

    /// A buffer at a place that is free, for one job; it is to be mapped.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn insert(&mut self, buffer: &Arc<Buffer>, start: u64) -> Result<()> {
        // All may be unmapped before any is freed, and what frees has no time to wait for memory.
        let room_for = self.regions.len().saturating_add(1);
        for old in [&mut self.young, &mut self.old, &mut self.dead] {
            old.buffers.reserve(room_for)?;
        }
        self.regions.insert(start, buffer)
    }

    /// Finds what no job can reach any more. True: there is some, for the reaper to free.
    pub(crate) fn sweep(&mut self, jobs: &Mtx<Jobs>) -> bool {
        // What is young now is old after the first turn and may go in the second.
        for _ in 0..2 {
            if !self.dead.is_empty() || self.young.is_empty() && self.old.is_empty() {
                break;
            }
            // Before a generation of jobs is let begin: its buffers must find room. This is young
            // two turns on.
            let room = self.dead.buffers.reserve(self.regions.len());
            let mut running = jobs.lock();
            let before = !running.odd;
            if *running.of(before) != 0 {
                break;
            }
            // The jobs that have begun since then flushed first.
            if room.is_ok() {
                running.odd = before;
            }
            drop(running);
            core::mem::swap(&mut self.dead, &mut self.old);
            if room.is_err() {
                break;
            }
            core::mem::swap(&mut self.old, &mut self.young);
        }
        !self.dead.is_empty()
    }

    /// How many buffers what takes the place of the dead must have room for; None if there is
    /// nothing to free.
    pub(crate) fn dead(&self) -> Option<usize> {
        (!self.dead.is_empty()).then(|| self.regions.len())
    }

    /// What no job can reach, to be freed when the lock is not held, for something empty.
    pub(crate) fn take_dead(&mut self, empty: Old) -> Old {
        core::mem::replace(&mut self.dead, empty)
    }
}
