// SPDX-License-Identifier: BSD-2-Clause
//! What an address space consists of: its page table, where its buffers are, and what was unmapped and may still be
//! reached.
//!
//! Nothing waits for the GPU here. What is unmapped stays allocated, memory and page tables alike, until every job is
//! over that began before (`Old`), for the GPU may still have the old translation; and every job that begins later
//! begins with a flush, for the sequence number has changed. So no job ever reaches memory that was freed.

use crate::mmu::{Mmu, Version};
use crate::regions::Regions;
use crate::tables::{OldTables, TreeTables};
use core::sync::atomic::{AtomicU32, Ordering};
use drmkpi::alloc::{Arc, KVec};
use drmkpi::buffer::Buffer;
use drmkpi::errno::{Errno, Result, EINVAL, ENOMEM, ENOSPC};
use drmkpi::num::{u64_of, usize_of};
use drmkpi::os::{Dev, Mtx, PAGE_SIZE};
use iommu_pmap::{
    Format, Iova, IovaRange, MapError, MemAttr, Pa, PageTable, Prot, PtUpdate, TableMem, TlbFlush, VivanteV1,
    VivanteV2,
};

/// MMUv2: the first address that a client may choose, and the end.
const CLIENT_START: u64 = 0x40_0000;
const CLIENT_END: u64 = 1 << 32;
/// MMUv1: the first address that the table translates.
const TABLE_START: u64 = 0x8000_0000;

/// What a change of a page table needs: the MMU, and the number that every change makes another.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) mmu: &'a Mmu,
    pub(crate) seqno: &'a AtomicU32,
}

enum Table {
    V1(PageTable<VivanteV1>),
    V2(PageTable<VivanteV2>),
}

/// What was unmapped, until no job can reach it.
struct Old {
    buffers: KVec<Arc<Buffer>>,
    tables: OldTables,
}

/// An address space but for its users.
pub(crate) struct Space {
    table: Table,
    pub(crate) regions: Regions,
    /// Unmapped while jobs of the current generation may have been running; there is room for all regions.
    young: Old,
    /// Unmapped before the current generation of jobs began.
    old: Old,
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
    fn new(mmu: &Mmu) -> Old {
        Old {
            buffers: KVec::new(mmu.os()),
            tables: OldTables::default(),
        }
    }

    fn is_empty(&self) -> bool {
        self.buffers.is_empty() && self.tables.is_empty()
    }

    fn free(&mut self, dev: Dev) {
        self.buffers.clear();
        self.tables.free(dev);
    }
}

impl Table {
    fn new(mmu: &Mmu, old: &mut OldTables) -> Result<Table> {
        let made = match mmu.version() {
            Version::V1 => PageTable::new(&mut mmu.flat()).map(Table::V1),
            Version::V2 | Version::V2Secure => {
                PageTable::new(&mut TreeTables::new(&mmu.dev(), old)).map(Table::V2)
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
        mmu: &Mmu,
        old: &mut OldTables,
        seqno: &AtomicU32,
        start: u64,
        pas: &[u64],
        prot: Prot,
    ) -> Result<()> {
        let mut flush = NextJob(seqno);
        match self {
            Table::V1(table) => map_pages(&mut table.update(&mut mmu.flat(), &mut flush), start, pas, prot),
            Table::V2(table) => {
                let dev = mmu.dev();
                let mut memory = TreeTables::new(&dev, old);
                let mut update = table.update(&mut memory, &mut flush);
                map_pages(&mut update, start, pas, prot)
            }
        }
    }

    /// Takes translations away. Only 4 KiB leaves: nothing is split, so nothing can fail.
    fn unmap(&mut self, mmu: &Mmu, old: &mut OldTables, seqno: &AtomicU32, range: IovaRange) {
        let mut flush = NextJob(seqno);
        match self {
            Table::V1(table) => {
                let _ = table.update(&mut mmu.flat(), &mut flush).unmap(range);
            }
            Table::V2(table) => {
                let dev = mmu.dev();
                let mut memory = TreeTables::new(&dev, old);
                let _ = table.update(&mut memory, &mut flush).unmap(range);
            }
        }
    }

    fn destroy(self, mmu: &Mmu, old: &mut OldTables) {
        match self {
            Table::V1(table) => table.destroy(&mut mmu.flat()),
            Table::V2(table) => table.destroy(&mut TreeTables::new(&mmu.dev(), old)),
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

/// Calls `f` with the first page and the addresses of the pages of each part of a buffer.
///
/// # Errors
///
/// ENOMEM, ENXIO when the buffer was purged, and what `f` says.
pub(crate) fn for_each_chunk(
    mmu: &Mmu,
    buffer: &Buffer,
    mut f: impl FnMut(u64, &[u64]) -> Result<()>,
) -> Result<()> {
    const CHUNK: usize = 512;
    let total = usize_of(buffer.size().wrapping_div(PAGE_SIZE));
    let mut pas = KVec::filled(mmu.os(), 0u64, total.min(CHUNK))?;
    let mut done = 0usize;
    while done < total {
        let count = total.wrapping_sub(done).min(CHUNK);
        let pas = pas.get_mut(..count).unwrap_or_default();
        buffer.wire(u64_of(done), pas)?;
        f(u64_of(done), pas)?;
        done = done.wrapping_add(count);
    }
    Ok(())
}

impl Space {
    /// An empty one, and the physical address of its root table.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(mmu: &Mmu) -> Result<(Space, u64)> {
        let mut young = Old::new(mmu);
        let made = Table::new(mmu, &mut young.tables);
        let table = match made {
            Ok(table) => table,
            Err(e) => {
                young.free(mmu.dev());
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
            old: Old::new(mmu),
        };
        Ok((space, root))
    }

    /// Maps memory that is no buffer and stays to the end, to be read.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn map_fixed(&mut self, site: Site<'_>, start: u64, pas: &[u64]) -> Result<()> {
        let tables = &mut self.young.tables;
        self.table
            .map(site.mmu, tables, site.seqno, start, pas, Prot::READ)
    }

    /// Frees all tables: the hardware does not have the address space any more.
    pub(crate) fn destroy(self, mmu: &Mmu) {
        let Space {
            table,
            mut young,
            mut old,
            ..
        } = self;
        table.destroy(mmu, &mut old.tables);
        young.free(mmu.dev());
        old.free(mmu.dev());
    }

    /// Has a buffer's pages, which are wired, mapped.
    fn map(&mut self, site: Site<'_>, start: u64, buffer: &Buffer, prot: Prot) -> Result<()> {
        for_each_chunk(site.mmu, buffer, |first, pas| {
            let iova = start.wrapping_add(first.wrapping_mul(PAGE_SIZE));
            let tables = &mut self.young.tables;
            self.table.map(site.mmu, tables, site.seqno, iova, pas, prot)
        })
    }

    /// Takes the translations of the region at `start` away and keeps its buffer for those who may still have them.
    pub(crate) fn unmap(&mut self, site: Site<'_>, start: u64) {
        let Some(region) = self.regions.remove(start) else {
            return;
        };
        if let Ok(range) = IovaRange::new(start, region.buffer.size()) {
            let tables = &mut self.young.tables;
            self.table.unmap(site.mmu, tables, site.seqno, range);
        }
        // There is room: see `insert`. Without it the buffer would go too early, so it stays for good.
        if let Err(buffer) = self.young.buffers.try_push(region.buffer) {
            core::mem::forget(buffer);
        }
    }

    /// One more job uses a buffer that is mapped: where it is, and whether its handle was gone. None when it is not
    /// mapped, or was elsewhere and is not any more.
    ///
    /// # Errors
    ///
    /// EINVAL when jobs use it elsewhere, ENOSPC when too many do here.
    pub(crate) fn hit(
        &mut self,
        site: Site<'_>,
        buffer: &Buffer,
        wanted: Option<u64>,
    ) -> Result<Option<(u64, bool)>> {
        let Some(start) = self.regions.place_of(buffer.id()) else {
            return Ok(None);
        };
        let Some(region) = self.regions.at(start) else {
            return Ok(None);
        };
        if wanted.is_none_or(|wanted| wanted == start) {
            region.users = region.users.checked_add(1).ok_or(ENOSPC)?;
            return Ok(Some((start, core::mem::replace(&mut region.closing, false))));
        }
        if region.users != 0 {
            return Err(EINVAL);
        }
        self.unmap(site, start);
        Ok(None)
    }

    /// Maps a buffer, whose pages are wired, for one job: at `wanted` or where there is room. The answer is where.
    ///
    /// # Errors
    ///
    /// ENOSPC when something in use is there, or there is no room; ENOMEM.
    pub(crate) fn insert(
        &mut self,
        site: Site<'_>,
        buffer: &Arc<Buffer>,
        wanted: Option<u64>,
        prot: Prot,
    ) -> Result<u64> {
        let room = match wanted {
            Some(start) => self.regions.room_at(start, buffer.size())?,
            None => self.regions.room(buffer.size())?,
        };
        while let Some((start, _)) = self.regions.first_in(&room) {
            self.unmap(site, start);
        }
        self.young.buffers.reserve(self.regions.len().saturating_add(1))?;
        self.regions.insert(room.start, buffer)?;
        let mapped = self.map(site, room.start, buffer, prot);
        if mapped.is_err() {
            self.unmap(site, room.start);
        }
        mapped.map(|()| room.start)
    }

    /// Frees what no job can reach any more.
    pub(crate) fn sweep(&mut self, mmu: &Mmu, jobs: &Mtx<Jobs>) {
        let dev = mmu.dev();
        // What is young now is old after the first turn and may go in the second.
        for _ in 0..2 {
            if self.young.is_empty() && self.old.is_empty() {
                return;
            }
            // Before a generation of jobs is let begin: its buffers must find room.
            let room = self.old.buffers.reserve(self.regions.len());
            let mut running = jobs.lock();
            let before = !running.odd;
            if *running.of(before) != 0 {
                return;
            }
            // The jobs that have begun since then flushed first.
            if room.is_ok() {
                running.odd = before;
            }
            drop(running);
            self.old.free(dev);
            if room.is_err() {
                return;
            }
            core::mem::swap(&mut self.old, &mut self.young);
        }
    }
}
