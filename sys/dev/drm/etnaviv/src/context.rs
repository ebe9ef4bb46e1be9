// SPDX-License-Identifier: BSD-2-Clause
//! The GPU address space of one open file (MMUv2). Clients choose addresses; a buffer is mapped when a job first
//! names it, and its place is given up when it is in the way or its handle goes.
//!
//! A translation is only taken away while no job of the address space is in the hardware, and none starts
//! meanwhile (`frozen`); the next job then begins with a flush, for the sequence number has changed. So no job
//! ever runs with stale translations.

use crate::device::Gpu;
use crate::ring;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use drmkpi::alloc::{Arc, KVec};
use drmkpi::buffer::Buffer;
use drmkpi::errno::{Errno, Result, EBUSY, EINVAL, ENOMEM, ENOSPC};
use drmkpi::num::{u64_of, usize_of};
use drmkpi::os::{Sx, PAGE_SIZE};
use drmkpi::page_table::KernelTables;
use iommu_pmap::{Iova, IovaRange, MapError, MemAttr, Pa, PageTable, Prot, TlbFlush, VivanteV2};

type Tables<'a> = KernelTables<'a, 4>;

/// First address that a client may choose.
pub(crate) const CLIENT_START: u64 = 0x40_0000;
const CLIENT_END: u64 = 1 << 32;
/// A submit that takes an idle buffer's place waits this long for the client's own jobs in the hardware.
const TAKE_NS: u64 = 2_000_000_000;
const POLL_NS: u64 = 100_000;

struct Region {
    start: u64,
    buffer: Arc<Buffer>,
    /// Jobs that use it.
    users: u32,
    /// Its handle is gone.
    closing: bool,
}

impl Region {
    fn end(&self) -> u64 {
        self.start.saturating_add(self.buffer.size())
    }
}

struct Space {
    table: PageTable<VivanteV2>,
    /// In order of address.
    regions: KVec<Region>,
}

/// An address space.
pub(crate) struct Context {
    id: u64,
    gpu: Arc<Gpu>,
    slot: u32,
    space: Sx<Option<Space>>,
    /// Changes with every change of the page table.
    seqno: AtomicU32,
    /// Guarded by the job lock.
    frozen: AtomicBool,
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

impl Context {
    /// An address space with the command memory in it.
    ///
    /// # Errors
    ///
    /// ENOMEM; ENOSPC when there are as many clients as the hardware has page tables for.
    pub(crate) fn new(gpu: &Arc<Gpu>) -> Result<Arc<Context>> {
        let os = gpu.os();
        let dev = gpu.dev();
        let slot = gpu.tables.take_slot()?;
        let space = Sx::new(os, c"etnaviv context", None);
        let made = space.and_then(|space| {
            let context = Context {
                id: os.unique(),
                gpu: gpu.clone(),
                slot,
                space,
                seqno: AtomicU32::new(0),
                frozen: AtomicBool::new(false),
            };
            Arc::new(os, context)
        });
        // From here on its drop gives the slot back.
        let context = made?;
        let table = PageTable::new(&mut Tables::new(&dev)).map_err(errno)?;
        gpu.tables.set(slot, table.root().0);
        let mut guard = context.space.lock();
        let space = guard.insert(Space {
            table,
            regions: KVec::new(os),
        });
        context.map(space, u64::from(ring::VA), gpu.command_buffer(), Prot::READ)?;
        drop(guard);
        Ok(context)
    }

    /// A number that no other context has.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Its place in the page table array.
    pub(crate) fn slot(&self) -> u32 {
        self.slot
    }

    /// Changes with every change of the page table.
    pub(crate) fn seqno(&self) -> u32 {
        self.seqno.load(Ordering::Acquire)
    }

    /// Whether no job of it may start now. Under the job lock.
    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::Relaxed)
    }

    fn map(&self, space: &mut Space, start: u64, buffer: &Buffer, prot: Prot) -> Result<()> {
        const CHUNK: usize = 512;
        let total = usize_of(buffer.size().wrapping_div(PAGE_SIZE));
        let mut pas = KVec::filled(self.gpu.os(), 0u64, total.min(CHUNK))?;
        let dev = self.gpu.dev();
        let mut tables = Tables::new(&dev);
        let mut flush = NextJob(&self.seqno);
        let mut update = space.table.update(&mut tables, &mut flush);
        let mut done = 0usize;
        while done < total {
            let count = total.wrapping_sub(done).min(CHUNK);
            let pas = pas.get_mut(..count).unwrap_or_default();
            let at = u64_of(done);
            let mapped = buffer.wire(at, pas).and_then(|()| {
                let mut iova = start.wrapping_add(at.wrapping_mul(PAGE_SIZE));
                for pa in pas.iter() {
                    update
                        .map(Iova(iova), Pa(*pa), PAGE_SIZE, prot, MemAttr::Uncached)
                        .map_err(errno)?;
                    iova = iova.wrapping_add(PAGE_SIZE);
                }
                Ok(())
            });
            if let Err(e) = mapped {
                // Nothing of it was ever used by a job.
                if let Ok(range) = IovaRange::new(start, buffer.size()) {
                    let _ = update.unmap(range);
                }
                return Err(e);
            }
            done = done.wrapping_add(count);
        }
        Ok(())
    }

    /// Lets no job of this address space start, once none is in the hardware; or says EBUSY at `until`.
    fn freeze(&self, until: u64) -> Result<()> {
        let os = self.gpu.os();
        loop {
            {
                let engine = self.gpu.queue.lock();
                // Before the last job is over, too, or there would always be another.
                self.frozen.store(true, Ordering::Relaxed);
                if !engine.hw.has_jobs_of(self.id) {
                    return Ok(());
                }
                if os.now() >= until {
                    self.frozen.store(false, Ordering::Relaxed);
                    drop(engine);
                    self.gpu.queue.kick();
                    return Err(EBUSY);
                }
            }
            os.sleep(POLL_NS);
        }
    }

    /// Takes translations away.
    ///
    /// # Errors
    ///
    /// EBUSY when jobs of this address space are in the hardware at `until`.
    fn unmap(&self, space: &mut Space, start: u64, len: u64, until: u64) -> Result<()> {
        self.freeze(until)?;
        let dev = self.gpu.dev();
        let mut tables = Tables::new(&dev);
        let mut flush = NextJob(&self.seqno);
        if let Ok(range) = IovaRange::new(start, len) {
            // Only 4 KiB leaves: nothing is split, nothing allocated.
            let _ = space.table.update(&mut tables, &mut flush).unmap(range);
        }
        {
            let engine = self.gpu.queue.lock();
            self.frozen.store(false, Ordering::Relaxed);
            drop(engine);
        }
        self.gpu.queue.kick();
        Ok(())
    }

    /// Has `buffer` at `start` for a job, mapped if it was not.
    ///
    /// # Errors
    ///
    /// EINVAL for an address that a client cannot choose, ENOSPC when something in use is there, ENOMEM.
    pub(crate) fn take(&self, buffer: &Arc<Buffer>, start: u64) -> Result<()> {
        let end = start.checked_add(buffer.size()).ok_or(EINVAL)?;
        if start < CLIENT_START || end > CLIENT_END || !start.is_multiple_of(PAGE_SIZE) {
            return Err(EINVAL);
        }
        let mut guard = self.space.lock();
        let space = guard.as_mut().ok_or(EINVAL)?;
        let mut index = space.regions.partition_point(|r| r.end() <= start);
        if let Some(r) = space
            .regions
            .get_mut(index)
            .filter(|r| r.start == start && r.buffer.id() == buffer.id())
        {
            r.users = r.users.checked_add(1).ok_or(ENOSPC)?;
            r.closing = false;
            return Ok(());
        }
        while let Some(r) = space.regions.get(index).filter(|r| r.start < end) {
            if r.users != 0 {
                return Err(ENOSPC);
            }
            let (at, len) = (r.start, r.buffer.size());
            let until = self.gpu.os().now().saturating_add(TAKE_NS);
            self.unmap(space, at, len, until).map_err(|_| ENOSPC)?;
            space.regions.remove(index);
        }
        index = space.regions.partition_point(|r| r.end() <= start);
        let region = Region {
            start,
            buffer: buffer.clone(),
            users: 1,
            closing: false,
        };
        space.regions.insert(index, region)?;
        let mapped = self.map(space, start, buffer, Prot::READ | Prot::WRITE);
        if mapped.is_err() {
            space.regions.remove(index);
        }
        mapped
    }

    /// A job is over that used what is at `start`.
    pub(crate) fn release(&self, start: u64) {
        let mut guard = self.space.lock();
        let Some(space) = guard.as_mut() else { return };
        let Ok(index) = space.regions.binary_search_by_key(&start, |r| r.start) else {
            return;
        };
        if let Some(r) = space.regions.get_mut(index) {
            r.users = r.users.saturating_sub(1);
        }
        self.reap(space, |r| r.closing);
    }

    /// The handle of a buffer is gone: its place goes as soon as no job uses it.
    pub(crate) fn forget(&self, buffer: u64) {
        let mut guard = self.space.lock();
        let Some(space) = guard.as_mut() else { return };
        for r in space.regions.iter_mut().filter(|r| r.buffer.id() == buffer) {
            r.closing = true;
        }
        self.reap(space, |r| r.closing);
    }

    fn reap(&self, space: &mut Space, which: impl Fn(&Region) -> bool) {
        let mut index = 0usize;
        while let Some(r) = space.regions.get(index) {
            let (start, len) = (r.start, r.buffer.size());
            if which(r) && r.users == 0 && self.unmap(space, start, len, 0).is_ok() {
                space.regions.remove(index);
            } else {
                index = index.wrapping_add(1);
            }
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // The hardware holds a reference to what it has loaded, so it has not loaded this.
        self.gpu.tables.give_slot(self.slot);
        if let Some(space) = self.space.get_mut().take() {
            let dev = self.gpu.dev();
            space.table.destroy(&mut Tables::new(&dev));
        }
    }
}

/// A job's use of a buffer.
pub(crate) struct Use {
    context: Arc<Context>,
    start: u64,
}

impl Use {
    /// See `Context::take`.
    ///
    /// # Errors
    ///
    /// EINVAL, ENOSPC, ENOMEM.
    pub(crate) fn new(context: &Arc<Context>, buffer: &Arc<Buffer>, start: u64) -> Result<Use> {
        context.take(buffer, start)?;
        Ok(Use {
            context: context.clone(),
            start,
        })
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.context.release(self.start);
    }
}
