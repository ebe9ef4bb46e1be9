// SPDX-License-Identifier: BSD-2-Clause
//! A GPU address space: that of one open file (MMUv2), or of all (MMUv1). A buffer is mapped when a job first names it,
//! where the client says (softpin) or where there is room; its place is given up when it is in the way or its handle
//! goes.
//!
//! Nothing waits for the GPU here. What is unmapped stays allocated, memory and page tables alike, until every job is
//! over that began before (`Old`), for the GPU may still have the old translation; and every job that begins later
//! begins with a flush, for the sequence number has changed. So no job ever reaches memory that was freed.

use crate::mmu::{Mmu, Version, COMMAND_BYTES, COMMAND_VA};
use crate::regions::{Regions, Room};
use crate::tables::{OldTables, TreeTables};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use drmkpi::alloc::{Arc, KVec};
use drmkpi::buffer::Buffer;
use drmkpi::errno::{Errno, Result, EINVAL, ENOMEM, ENOSPC};
use drmkpi::num::{u64_of, usize_of};
use drmkpi::os::{Dev, Mtx, Sx, PAGE_SIZE};
use iommu_pmap::{
    Format, Iova, IovaRange, MapError, MemAttr, Pa, PageTable, Prot, PtUpdate, TableMem, TlbFlush, VivanteV1,
    VivanteV2,
};

/// MMUv2: the first address that a client may choose, and the end.
pub(crate) const CLIENT_START: u64 = 0x40_0000;
const CLIENT_END: u64 = 1 << 32;
/// MMUv1: the first address that the table translates.
const TABLE_START: u64 = 0x8000_0000;

enum Table {
    V1(PageTable<VivanteV1>),
    V2(PageTable<VivanteV2>),
}

/// What was unmapped, until no job can reach it.
struct Old {
    buffers: KVec<Arc<Buffer>>,
    tables: OldTables,
}

struct Space {
    table: Table,
    regions: Regions,
    /// Unmapped while jobs of the current generation may have been running; there is room for all regions.
    young: Old,
    /// Unmapped before the current generation of jobs began.
    old: Old,
}

/// Jobs of the address space that the hardware has, by generation.
#[derive(Default)]
struct Jobs {
    odd: bool,
    count: [u32; 2],
}

impl Jobs {
    fn of(&mut self, odd: bool) -> &mut u32 {
        let [even_jobs, odd_jobs] = &mut self.count;
        if odd {
            odd_jobs
        } else {
            even_jobs
        }
    }
}

/// An address space.
pub(crate) struct Context {
    id: u64,
    mmu: Arc<Mmu>,
    slot: u32,
    /// Physical address of the root table.
    root: u64,
    space: Sx<Option<Space>>,
    jobs: Mtx<Jobs>,
    /// Changes with every change of the page table.
    seqno: AtomicU32,
}

/// A job in the hardware, as its address space sees it.
pub(crate) struct Presence {
    context: Arc<Context>,
    odd: bool,
}

impl Presence {
    /// A job of `context` is about to begin. Before its sequence number is looked at.
    pub(crate) fn new(context: &Arc<Context>) -> Presence {
        let mut jobs = context.jobs.lock();
        let odd = jobs.odd;
        let count = jobs.of(odd);
        *count = count.saturating_add(1);
        Presence {
            context: context.clone(),
            odd,
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut jobs = self.context.jobs.lock();
        let count = jobs.of(self.odd);
        *count = count.saturating_sub(1);
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

impl Space {
    fn map(&mut self, context: &Context, start: u64, buffer: &Buffer, prot: Prot) -> Result<()> {
        const CHUNK: usize = 512;
        let mmu = &*context.mmu;
        let total = usize_of(buffer.size().wrapping_div(PAGE_SIZE));
        let mut pas = KVec::filled(mmu.os(), 0u64, total.min(CHUNK))?;
        let mut done = 0usize;
        while done < total {
            let count = total.wrapping_sub(done).min(CHUNK);
            let pas = pas.get_mut(..count).unwrap_or_default();
            let at = u64_of(done);
            buffer.wire(at, pas)?;
            let iova = start.wrapping_add(at.wrapping_mul(PAGE_SIZE));
            let tables = &mut self.young.tables;
            self.table.map(mmu, tables, &context.seqno, iova, pas, prot)?;
            done = done.wrapping_add(count);
        }
        Ok(())
    }

    /// Takes a region's translations away and keeps its buffer for those who may still have them.
    fn unmap(&mut self, context: &Context, index: usize) {
        let Some(region) = self.regions.remove(index) else {
            return;
        };
        if let Ok(range) = IovaRange::new(region.start, region.buffer.size()) {
            let tables = &mut self.young.tables;
            self.table.unmap(&context.mmu, tables, &context.seqno, range);
        }
        // There is room: see `insert`. Without it the buffer would go too early, so it stays for good.
        if let Err(buffer) = self.young.buffers.try_push(region.buffer) {
            core::mem::forget(buffer);
        }
    }

    fn insert(&mut self, context: &Context, room: &Room, buffer: &Arc<Buffer>, prot: Prot) -> Result<()> {
        for _ in room.evict.clone() {
            self.unmap(context, room.evict.start);
        }
        self.young.buffers.reserve(self.regions.len().saturating_add(1))?;
        self.regions.insert(room.start, buffer)?;
        let mapped = self.map(context, room.start, buffer, prot);
        if mapped.is_err() {
            if let Some((index, _)) = self.regions.at(room.start) {
                self.unmap(context, index);
            }
        }
        mapped
    }

    /// Frees what no job can reach any more.
    fn sweep(&mut self, context: &Context) {
        let dev = context.mmu.dev();
        // What is young now is old after the first turn and may go in the second.
        for _ in 0..2 {
            if self.young.is_empty() && self.old.is_empty() {
                return;
            }
            // Before a generation of jobs is let begin: its buffers must find room.
            let room = self.old.buffers.reserve(self.regions.len());
            let mut jobs = context.jobs.lock();
            let before = !jobs.odd;
            if *jobs.of(before) != 0 {
                return;
            }
            // The jobs that have begun since then flushed first.
            if room.is_ok() {
                jobs.odd = before;
            }
            drop(jobs);
            self.old.free(dev);
            if room.is_err() {
                return;
            }
            core::mem::swap(&mut self.old, &mut self.young);
        }
    }
}

impl Context {
    /// An address space with the command memory in it.
    ///
    /// # Errors
    ///
    /// ENOMEM; ENOSPC when there are as many clients as the hardware has page tables for.
    pub(crate) fn new(mmu: &Arc<Mmu>) -> Result<Arc<Context>> {
        let os = mmu.os();
        let slot = mmu.take_slot()?;
        let mut young = Old::new(mmu);
        let made = Table::new(mmu, &mut young.tables).and_then(|table| {
            let range = match table {
                Table::V1(_) => TABLE_START..CLIENT_END,
                Table::V2(_) => CLIENT_START..CLIENT_END,
            };
            let root = table.root();
            let space = Space {
                table,
                regions: Regions::new(os, range),
                young,
                old: Old::new(mmu),
            };
            Context::with_space(mmu, slot, root, space)
        });
        let Ok(context) = made else {
            mmu.give_slot(slot);
            return made;
        };
        mmu.set(slot, context.root);
        context.map_commands()?;
        Ok(context)
    }

    fn with_space(mmu: &Arc<Mmu>, slot: u32, root: u64, space: Space) -> Result<Arc<Context>> {
        let os = mmu.os();
        let context = Sx::new(os, c"etnaviv context", None).and_then(|guarded| {
            let context = Context {
                id: os.unique(),
                mmu: mmu.clone(),
                slot,
                root,
                space: guarded,
                jobs: Mtx::new(os, c"etnaviv context jobs", Jobs::default())?,
                seqno: AtomicU32::new(0),
            };
            Arc::new(os, context)
        });
        match context {
            Ok(context) => {
                *context.space.lock() = Some(space);
                Ok(context)
            }
            Err(e) => {
                destroy(mmu, space);
                Err(e)
            }
        }
    }

    /// MMUv2: the front ends fetch by translated addresses.
    fn map_commands(&self) -> Result<()> {
        if self.mmu.version() == Version::V1 {
            return Ok(());
        }
        let pages = usize_of(COMMAND_BYTES.wrapping_div(PAGE_SIZE));
        let first = self.mmu.commands().pa();
        let pas = KVec::from_fn(self.mmu.os(), pages, |i| {
            Ok(first.wrapping_add(u64_of(i).wrapping_mul(PAGE_SIZE)))
        })?;
        let mut guard = self.space.lock();
        let space = guard.as_mut().ok_or(EINVAL)?;
        let tables = &mut space.young.tables;
        let start = u64::from(COMMAND_VA);
        space
            .table
            .map(&self.mmu, tables, &self.seqno, start, &pas, Prot::READ)
    }

    /// A number that no other context has.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Its place in the page table array.
    pub(crate) fn slot(&self) -> u32 {
        self.slot
    }

    /// Physical address of its root table.
    pub(crate) fn root(&self) -> u64 {
        self.root
    }

    /// Changes with every change of the page table.
    pub(crate) fn seqno(&self) -> u32 {
        self.seqno.load(Ordering::Acquire)
    }

    /// Has `buffer` mapped for a job: at `wanted`, or where there is room, near `hint` if it was there before. The
    /// answer is its address.
    ///
    /// # Errors
    ///
    /// EINVAL for an address that a client cannot choose, ENOSPC when something in use is there or there is no room,
    /// as beyond 4 GiB; ENOMEM.
    fn take(&self, buffer: &Arc<Buffer>, wanted: Option<u64>, hint: u64, prot: Prot) -> Result<u64> {
        let mut guard = self.space.lock();
        let space = guard.as_mut().ok_or(EINVAL)?;
        if let Some(start) = wanted {
            let range = space.regions.range();
            if start < range.start || !start.is_multiple_of(PAGE_SIZE) {
                return Err(EINVAL);
            }
            if start.saturating_add(buffer.size()) > range.end {
                return Err(ENOSPC);
            }
        }
        let place = wanted.or_else(|| space.regions.place_of(buffer.id(), hint));
        let there = place.and_then(|place| space.regions.at(place));
        if let Some((_, region)) = there.filter(|(_, r)| r.buffer.id() == buffer.id()) {
            region.users = region.users.checked_add(1).ok_or(ENOSPC)?;
            region.closing = false;
            return Ok(region.start);
        }
        let room = match wanted {
            Some(start) => space.regions.room_at(start, buffer.size())?,
            None => space.regions.room(buffer.size())?,
        };
        let inserted = space.insert(self, &room, buffer, prot);
        space.sweep(self);
        inserted.map(|()| room.start)
    }

    /// A job is over that used what is at `start`.
    fn release(&self, start: u64) {
        let mut guard = self.space.lock();
        let Some(space) = guard.as_mut() else { return };
        if let Some((index, region)) = space.regions.at(start) {
            region.users = region.users.saturating_sub(1);
            if region.closing && region.users == 0 {
                space.unmap(self, index);
            }
        }
        space.sweep(self);
    }

    /// The handle of a buffer is gone: its place goes as soon as no job uses it.
    pub(crate) fn forget(&self, buffer: u64) {
        let mut guard = self.space.lock();
        let Some(space) = guard.as_mut() else { return };
        space.regions.close(buffer);
        while let Some(index) = space.regions.dead() {
            space.unmap(self, index);
        }
        space.sweep(self);
    }

    /// A job is over: frees what no other can reach.
    pub(crate) fn sweep(&self) {
        if let Some(space) = self.space.lock().as_mut() {
            space.sweep(self);
        }
    }
}

/// The hardware does not have the address space any more.
fn destroy(mmu: &Mmu, space: Space) {
    let Space {
        table,
        mut young,
        mut old,
        ..
    } = space;
    table.destroy(mmu, &mut old.tables);
    young.free(mmu.dev());
    old.free(mmu.dev());
}

impl Drop for Context {
    fn drop(&mut self) {
        // The core holds a reference to what it has loaded, and the job that leaves it holds one until its end.
        self.mmu.give_slot(self.slot);
        if let Some(space) = self.space.get_mut().take() {
            destroy(&self.mmu, space);
        }
    }
}

/// A job's use of a buffer.
pub(crate) struct Use {
    context: Arc<Context>,
    start: u64,
}

impl Use {
    /// See `Context::take`; `hint` is where the buffer was last, and is told where it is now.
    ///
    /// # Errors
    ///
    /// EINVAL, ENOSPC, ENOMEM.
    pub(crate) fn new(
        context: &Arc<Context>,
        buffer: &Arc<Buffer>,
        wanted: Option<u64>,
        hint: &AtomicU64,
        prot: Prot,
    ) -> Result<Use> {
        let start = context.take(buffer, wanted, hint.load(Ordering::Relaxed), prot)?;
        hint.store(start, Ordering::Relaxed);
        Ok(Use {
            context: context.clone(),
            start,
        })
    }

    /// Where the buffer is.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.context.release(self.start);
    }
}
