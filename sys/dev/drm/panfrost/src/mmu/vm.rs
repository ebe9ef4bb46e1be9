// SPDX-License-Identifier: BSD-2-Clause
//! The VM of one open file: its page table, and which buffer is where.
//!
//! A VM outlives its file: jobs, mappings and the hardware address space hold it. When the file and
//! the last of its jobs are gone it leaves the hardware, and then its tables are freed.

use crate::mmu::address_space::{Flush, LockRegion, Table};
use crate::mmu::slots::Owner;
use crate::mmu::va::{self, Need};
use crate::mmu::Mmu;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use drmkpi::alloc::{Arc, KBox};
use drmkpi::drm::stats::Stats;
use drmkpi::mem::buffer::{Buffer, GROWTH};
use drmkpi::mem::table_mem::{KernelTables, Spare};
use drmkpi::mem::va_alloc;
use drmkpi::mem::wire::{chunk_end, map_chunks};
use drmkpi::os::{Dev, Mtx, Sx, SxGuard, PAGE_SIZE};
use drmkpi::runner::reaper::{Link, Reaped, Reaper, When};
use drmkpi::util::account::{Account, Charge};
use drmkpi::util::errno::{Errno, Result, EBUSY, EINVAL, ENOMEM, ENXIO};
use drmkpi::util::sorted_map::SortedMap;
use iommu_pmap::{Iova, IovaRange, MaliLpae, MapError, MemAttr, Pa, PageTable, Prot, TlbFlush};

/// So much is unmapped with the lock held once.
const UNMAP_BYTES: u64 = 16 << 20;

/// A buffer in the VM.
struct Region {
    buffer: Arc<Buffer>,
    heap: bool,
    exec: bool,
    /// It is being unmapped.
    closing: bool,
}

impl va_alloc::Region for Region {
    fn size(&self) -> u64 {
        self.buffer.size()
    }
}

impl Region {
    fn prot(&self) -> Prot {
        match self.exec {
            true => Prot::READ | Prot::WRITE | Prot::EXEC,
            false => Prot::READ | Prot::WRITE,
        }
    }
}

struct Space {
    table: PageTable<MaliLpae>,
    /// By their starts.
    regions: SortedMap<u64, Region>,
    /// Where the last buffer ended.
    hint: u64,
}

/// The MMU of a GPU, whose hardware address spaces hold VMs.
pub(crate) type VmMmu = Mmu<Arc<Vm>>;

/// A place in a VM that is to be removed.
pub(crate) struct Place {
    pub(crate) start: u64,
    next: Option<KBox<Place>>,
}

impl Place {
    /// A place that is to be at `start`.
    pub(crate) fn new(start: u64) -> Place {
        Place { start, next: None }
    }
}

/// The address space of a client.
pub struct Vm {
    id: u64,
    mmu: Arc<VmMmu>,
    table: Table,
    /// Its page tables.
    charge: Charge,
    space: Sx<Option<Space>>,
    /// Whether its file is closed.
    closed: AtomicBool,
    /// The counters of its file.
    stats: Arc<Stats>,
    /// Places for the reaper to remove.
    unused: Mtx<Option<KBox<Place>>>,
    link: Link<Vm>,
    reaper: Arc<Reaper<Vm>>,
}

impl Owner for Arc<Vm> {
    fn id(&self) -> u64 {
        self.id
    }
}

impl Reaped for Vm {
    fn link(&self) -> &Link<Vm> {
        &self.link
    }

    /// Removes the places that nothing uses, one after the other.
    fn reap(&self) {
        loop {
            let place = {
                let mut unused = self.unused.lock();
                let place = unused.take();
                place.map(|mut place| {
                    *unused = place.next.take();
                    place.start
                })
            };
            match place {
                Some(start) => self.remove(start),
                None => break,
            }
        }
    }
}

fn errno(error: MapError) -> Errno {
    match error {
        MapError::NoMemory => ENOMEM,
        MapError::Overlap | MapError::Misaligned | MapError::OutOfRange => EINVAL,
    }
}

/// Flushes translations of one VM, wherever the hardware has them.
struct Tlb<'a> {
    mmu: &'a VmMmu,
    vm: u64,
}

impl TlbFlush for Tlb<'_> {
    fn flush(&mut self, range: IovaRange) {
        let region = LockRegion::encode(range.start().0, range.len()).unwrap_or(LockRegion::ALL);
        self.mmu.flush(self.vm, region, Flush::PageTable);
    }
}

impl Vm {
    /// An empty VM of a file with `stats`, whose page tables `account` pays for.
    ///
    /// # Errors
    ///
    /// ENOMEM, also over the account's limit.
    pub(crate) fn new(
        mmu: &Arc<VmMmu>,
        reaper: &Arc<Reaper<Vm>>,
        stats: &Arc<Stats>,
        account: &Arc<Account>,
    ) -> Result<Arc<Vm>> {
        let dev = mmu.dev();
        let os = dev.os();
        let space = Sx::new(os, c"panfrost vm", None)?;
        let unused = Mtx::new(os, c"panfrost unused", None)?;
        let link = Link::new(os)?;
        let charge = Charge::new(account, 0)?;
        let table =
            PageTable::new(&mut KernelTables::<8>::new(&dev, Some(&charge))).map_err(errno)?;
        let mut vm = Vm {
            id: os.unique(),
            mmu: mmu.clone(),
            table: mmu.table_registers(table.root().0),
            charge,
            space,
            closed: AtomicBool::new(false),
            stats: stats.clone(),
            unused,
            link,
            reaper: reaper.clone(),
        };
        // From here on its end frees the table.
        *vm.space.get_mut() = Some(Space {
            table,
            regions: SortedMap::new(os),
            hint: va::START,
        });
        Arc::new(os, vm)
    }

    fn tables<'a>(&'a self, dev: &'a Dev) -> KernelTables<'a, 8> {
        KernelTables::new(dev, Some(&self.charge))
    }

    /// The counters of its file.
    pub(crate) fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    /// What a hardware address space is told of it.
    pub(crate) fn registers(&self) -> &Table {
        &self.table
    }

    /// Its file is closed: it leaves the hardware, now or with its last job.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.mmu.evict(self.id);
    }

    /// A job that used it is gone. May sleep.
    pub(crate) fn job_freed(&self) {
        // ORDERING: pairs with `close`: either this sees it closed, or `close` sees no job.
        if self.closed.load(Ordering::Acquire) {
            self.mmu.evict(self.id);
        }
    }

    /// Has the reaper remove a place, for a caller that must not wait.
    pub(crate) fn leave(this: &Arc<Vm>, mut place: KBox<Place>) {
        {
            let mut unused = this.unused.lock();
            place.next = unused.take();
            *unused = Some(place);
        }
        this.reaper.leave(this, When::Soon);
    }

    fn dev(&self) -> Dev {
        self.mmu.dev()
    }

    /// Finds a place for `buffer` and maps it, unless it is a heap, which is mapped as it faults.
    ///
    /// # Errors
    ///
    /// ENOMEM, ENOSPC; nothing changed.
    pub(crate) fn insert(&self, buffer: &Arc<Buffer>, exec: bool, heap: bool) -> Result<u64> {
        let start = self.place(buffer, exec, heap)?;
        if heap {
            return Ok(start);
        }
        let mapped = self.map(start, buffer, 0..buffer.size());
        if mapped.is_err() {
            self.remove(start);
        }
        mapped.map(|()| start)
    }

    fn place(&self, buffer: &Arc<Buffer>, exec: bool, heap: bool) -> Result<u64> {
        let mut guard = self.space.lock();
        let space = guard.as_mut().ok_or(EINVAL)?;
        let need = Need {
            size: buffer.size(),
            exec,
        };
        let start = va::find(&space.regions, need, space.hint)?;
        let region = Region {
            buffer: buffer.clone(),
            heap,
            exec,
            closing: false,
        };
        let end = va_alloc::Region::end(&region, start);
        space.regions.insert(start, region)?;
        space.hint = end;
        Ok(start)
    }

    /// Maps `bytes` of the region at `start`, which is of `buffer`; on failure some of them may be
    /// mapped. The lock is held for one chunk at a time.
    fn map(&self, start: u64, buffer: &Arc<Buffer>, bytes: Range<u64>) -> Result<()> {
        map_chunks(self.dev(), buffer, start, bytes, |offset, pas, spare| {
            self.map_wired(start, buffer, offset, pas, spare)
        })
    }

    /// Maps the pages `pas` at `offset` of the region at `start` if it is still of `buffer`, and
    /// that has them still.
    fn map_wired(
        &self,
        start: u64,
        buffer: &Arc<Buffer>,
        offset: u64,
        pas: &[u64],
        spare: &mut Spare,
    ) -> Result<()> {
        let mut guard = self.space.lock();
        let Space { table, regions, .. } = guard.as_mut().ok_or(EINVAL)?;
        let same = |region: &&Region| region.buffer.id() == buffer.id() && !region.closing;
        let region = regions.get(start).filter(same).ok_or(EINVAL)?;
        // A purge holds this lock from when it unmaps to when it has freed.
        if buffer.is_purged() {
            return Err(ENXIO);
        }
        let dev = self.dev();
        let mut tables = self.tables(&dev).with_spare(spare);
        let mut tlb = self.tlb();
        let mut update = table.update(&mut tables, &mut tlb);
        let first = start.wrapping_add(offset);
        let mut iova = first;
        for (pa, bytes) in Runs(pas) {
            let mapped = update.map(Iova(iova), Pa(pa), bytes, region.prot(), MemAttr::Cached);
            if let Err(e) = mapped {
                if let Ok(range) = IovaRange::new(first, iova.wrapping_sub(first)) {
                    // Whole leaves, which are never split.
                    let _ = update.unmap(range);
                }
                return Err(errno(e));
            }
            iova = iova.wrapping_add(bytes);
        }
        Ok(())
    }

    fn tlb(&self) -> Tlb<'_> {
        Tlb {
            mmu: &self.mmu,
            vm: self.id,
        }
    }

    fn unmap(&self, space: &mut Space, range: Range<u64>) {
        let dev = self.dev();
        let mut tables = self.tables(&dev);
        let len = range.end.saturating_sub(range.start);
        if let Ok(range) = IovaRange::new(range.start, len) {
            // Leaves of one region are its own, so no leaf is split and nothing is allocated.
            let _ = space
                .table
                .update(&mut tables, &mut self.tlb())
                .unmap(range);
        }
    }

    /// Takes the buffer at `start` out of the address space, in parts, so that no one waits long
    /// for the lock. The buffer's memory may go with this.
    pub(crate) fn remove(&self, start: u64) {
        let mut at = start;
        loop {
            let mut guard = self.space.lock();
            let Some(space) = guard.as_mut() else { return };
            let Some(region) = space.regions.get_mut(start) else {
                return;
            };
            // It does not grow any more.
            region.closing = true;
            let end = va_alloc::Region::end(region, start);
            if at >= end {
                let removed = space.regions.remove(start);
                drop(guard);
                drop(removed);
                return;
            }
            let next = chunk_end(at.saturating_add(UNMAP_BYTES)).min(end);
            self.unmap(space, at..next);
            at = next;
        }
    }

    /// Takes the memory at `start` away from the GPU, keeps the place, and has the memory freed by `free`.
    ///
    /// # Errors
    ///
    /// EBUSY when somebody changes the address space right now, or what `free` says; the GPU has it back then.
    pub(crate) fn purge(&self, start: u64, free: impl FnOnce() -> Result<()>) -> Result<()> {
        let (buffer, heap, freed) = {
            let mut guard: SxGuard<'_, _> = self.space.try_lock().ok_or(EBUSY)?;
            let space = guard.as_mut().ok_or(EINVAL)?;
            let region = space.regions.get(start).ok_or(EINVAL)?;
            let range = start..va_alloc::Region::end(region, start);
            let (buffer, heap) = (region.buffer.clone(), region.heap);
            self.unmap(space, range);
            (buffer, heap, free())
        };
        // A heap comes back as it faults. All pages are there, so nothing waits for memory.
        if freed.is_err() && !heap && self.map(start, &buffer, 0..buffer.size()).is_err() {
            // There was none for page tables: the client is told that the contents are gone.
            buffer.mark_purged();
        }
        freed
    }

    /// Makes the heap that `address` is in grow there. May sleep until there is memory.
    ///
    /// # Errors
    ///
    /// EINVAL when no heap is there, ENOMEM, also over the client's limit.
    pub(crate) fn grow(&self, address: u64) -> Result<()> {
        let (start, buffer) = {
            let guard = self.space.lock();
            let space = guard.as_ref().ok_or(EINVAL)?;
            let before = space.regions.before(address.saturating_add(1));
            let there = |(start, region): &(u64, &Region)| {
                region.heap && va_alloc::Region::end(*region, *start) > address
            };
            let (start, region) = before.filter(there).ok_or(EINVAL)?;
            let dev = self.dev();
            let tables = self.tables(&dev);
            if space.table.lookup(&tables, Iova(address)).is_some() {
                // Grown for another fault meanwhile; make sure that the hardware sees it.
                self.mmu.flush(self.id, LockRegion::ALL, Flush::PageTable);
                return Ok(());
            }
            (start, region.buffer.clone())
        };
        let offset = address.wrapping_sub(start) & !GROWTH.wrapping_sub(1);
        let end = offset.saturating_add(GROWTH).min(buffer.size());
        self.map(start, &buffer, offset..end)
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // No hardware address space has it, or it would be held there.
        let space = self.space.get_mut().take();
        if let Some(space) = space {
            let dev = self.dev();
            space.table.destroy(&mut self.tables(&dev));
        }
    }
}

/// Runs of contiguous pages: first address and bytes.
struct Runs<'a>(&'a [u64]);

impl Iterator for Runs<'_> {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        let (first, mut rest) = self.0.split_first()?;
        let mut bytes = PAGE_SIZE;
        while let Some((next, more)) = rest.split_first() {
            if *next != first.wrapping_add(bytes) {
                break;
            }
            bytes = bytes.wrapping_add(PAGE_SIZE);
            rest = more;
        }
        self.0 = rest;
        Some((*first, bytes))
    }
}
