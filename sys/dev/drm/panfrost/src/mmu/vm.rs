// SPDX-License-Identifier: BSD-2-Clause
//! The VM of one open file: its page table, and the regions in which buffers are mapped.
//!
//! A VM may outlive its file: jobs, mappings and the hardware address space hold references. Once
//! the file is closed and its last job is freed, the VM is unloaded, and then its tables are freed.

use crate::mmu::address_space::{Flush, LockRegion, TableRegs};
use crate::mmu::removals::{Removal, Removals};
use crate::mmu::slots::Owner;
use crate::mmu::va::{self, Need};
use crate::mmu::Mmu;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use drmkpi::alloc::{Arc, KBox};
use drmkpi::drm::stats::Stats;
use drmkpi::mem::buffer::{Buffer, GROWTH};
use drmkpi::mem::region_map::{self, RegionMap};
use drmkpi::mem::table_mem::{errno, KernelTables, Spare};
use drmkpi::mem::wire::{chunk_end, map_chunks};
use drmkpi::os::{Dev, Sx, SxGuard};
use drmkpi::runner::reaper::{Link, Reaped, Reaper, When};
use drmkpi::util::account::{Account, Charge};
use drmkpi::util::errno::{Result, EBUSY, EINVAL, ENXIO};
use iommu_pmap::{Iova, IovaRange, MaliLpae, MapError, MemAttr, PageTable, Prot, TlbFlush};

/// The number of bytes that are unmapped while the lock is held once.
const UNMAP_BYTES: u64 = 16 << 20;

/// A buffer in the VM.
struct Region {
    buffer: Arc<Buffer>,
    heap: bool,
    exec: bool,
    /// It is being unmapped.
    closing: bool,
}

impl region_map::Region for Region {
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
    regions: RegionMap<Region>,
    /// Where the last buffer ended.
    hint: u64,
}

/// The MMU of a GPU, whose hardware address spaces hold VMs.
pub(crate) type VmMmu = Mmu<Arc<Vm>>;

/// The GPU address space of an open file.
pub struct Vm {
    id: u64,
    mmu: Arc<VmMmu>,
    table: TableRegs,
    /// The memory of its page tables.
    charge: Charge,
    space: Sx<Option<Space>>,
    /// Whether its file is closed.
    closed: AtomicBool,
    /// The counters of its file.
    stats: Arc<Stats>,
    /// Regions for the reaper to remove.
    unused: Removals,
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

    /// Removes the regions that are listed for removal.
    fn reap(&self) {
        while let Some(start) = self.unused.take() {
            self.remove(start);
        }
    }
}

/// Flushes translations of one VM, if it is loaded.
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
    /// An empty VM for a file with the counters `stats`. Page tables are charged to `account`.
    ///
    /// # Errors
    ///
    /// ENOMEM, also above the account's limit.
    pub(crate) fn new(
        mmu: &Arc<VmMmu>,
        reaper: &Arc<Reaper<Vm>>,
        stats: &Arc<Stats>,
        account: &Arc<Account>,
    ) -> Result<Arc<Vm>> {
        let dev = mmu.dev();
        let os = dev.os();
        let space = Sx::new(os, c"panfrost vm", None)?;
        let unused = Removals::new(os)?;
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
        // From here on dropping the VM frees the table.
        *vm.space.get_mut() = Some(Space {
            table,
            regions: RegionMap::new(os),
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

    /// The register values that load it into a hardware address space.
    pub(crate) fn registers(&self) -> &TableRegs {
        &self.table
    }

    /// The file is closed: unloads the VM, now or when its last job is freed.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.mmu.evict(self.id);
    }

    /// A job of the VM is freed: unloads the VM if its file is closed. May sleep.
    pub(crate) fn job_freed(&self) {
        // ORDERING: pairs with `close`: either this reads true, or `close` finds no job.
        if self.closed.load(Ordering::Acquire) {
            self.mmu.evict(self.id);
        }
    }

    /// Has the reaper remove a region, for a caller that must not take long.
    pub(crate) fn remove_later(this: &Arc<Vm>, removal: KBox<Removal>) {
        this.unused.add(removal);
        this.reaper.defer(this, When::Soon);
    }

    fn dev(&self) -> Dev {
        self.mmu.dev()
    }

    /// Allocates an address for `buffer` and maps it; a heap is mapped later, on faults. Returns
    /// the address.
    ///
    /// # Errors
    ///
    /// ENOMEM, ENOSPC; then nothing has changed.
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
        let end = region_map::Region::end(&region, start);
        space.regions.insert(start, region)?;
        space.hint = end;
        Ok(start)
    }

    /// Maps the range `bytes` of `buffer`, whose region is at `start`. On failure part of it may be
    /// mapped. The lock is held for one chunk at a time.
    fn map(&self, start: u64, buffer: &Arc<Buffer>, bytes: Range<u64>) -> Result<()> {
        let spare = Spare::new(self.dev(), PageTable::<MaliLpae>::TABLES_PER_RUN);
        map_chunks(spare, buffer, start, bytes, |offset, pas, spare| {
            self.map_wired(start, buffer, offset, pas, spare)
        })
    }

    /// Maps the pages `pas` at `offset` in the region at `start`, if it still belongs to `buffer`
    /// and the buffer is not purged.
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
        // A purge holds this lock from the unmapping until the memory is freed.
        if buffer.is_purged() {
            return Err(ENXIO);
        }
        let dev = self.dev();
        let mut tables = self.tables(&dev).with_spare(spare);
        let mut tlb = self.tlb();
        let mut update = table.update(&mut tables, &mut tlb);
        let iova = start.checked_add(offset).ok_or(EINVAL)?;
        update
            .map_pages(Iova(iova), pas, region.prot(), MemAttr::Cached)
            .map_err(errno)
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
        if let Some(Ok(range)) = range_between(range.start, range.end) {
            // No leaf maps parts of two regions, so none is split and nothing is allocated.
            let _ = space
                .table
                .update(&mut tables, &mut self.tlb())
                .unmap(range);
        }
    }

    /// Unmaps the buffer at `start` and removes its region. This is done in parts, which bounds the
    /// time for which the lock is held. May drop the last reference to the buffer.
    pub(crate) fn remove(&self, start: u64) {
        let mut at = start;
        loop {
            let mut guard = self.space.lock();
            let Some(space) = guard.as_mut() else { return };
            let Some(region) = space.regions.get_mut(start) else {
                return;
            };
            // Keeps a heap from growing.
            region.closing = true;
            let end = region_map::Region::end(region, start);
            if at >= end {
                let removed = space.regions.remove(start);
                drop(guard);
                drop(removed);
                return;
            }
            // OVERFLOW: saturates, above `end`, where the part is cut.
            let next = chunk_end(at.saturating_add(UNMAP_BYTES)).min(end);
            self.unmap(space, at..next);
            at = next;
        }
    }

    /// Unmaps the buffer at `start`, keeps its region, and has `free` free its memory.
    ///
    /// # Errors
    ///
    /// EBUSY if the VM is locked, or what `free` returns: then the buffer is mapped again.
    pub(crate) fn purge(&self, start: u64, free: impl FnOnce() -> Result<()>) -> Result<()> {
        let (buffer, heap, freed) = {
            let mut guard: SxGuard<'_, _> = self.space.try_lock().ok_or(EBUSY)?;
            let space = guard.as_mut().ok_or(EINVAL)?;
            let region = space.regions.get(start).ok_or(EINVAL)?;
            let range = start..region_map::Region::end(region, start);
            let (buffer, heap) = (region.buffer.clone(), region.heap);
            self.unmap(space, range);
            (buffer, heap, free())
        };
        // A heap is mapped again on faults. All pages are allocated, so this does not wait for
        // memory.
        if freed.is_err() && !heap && self.map(start, &buffer, 0..buffer.size()).is_err() {
            // There is no memory for page tables. The client finds the buffer purged.
            buffer.mark_purged();
        }
        freed
    }

    /// Allocates and maps memory of the heap at `address`. May sleep until there is memory.
    ///
    /// # Errors
    ///
    /// EINVAL if there is no heap at `address`; ENOMEM, also above the client's limit.
    pub(crate) fn grow(&self, address: u64) -> Result<()> {
        let (start, buffer) = {
            let guard = self.space.lock();
            let space = guard.as_ref().ok_or(EINVAL)?;
            // OVERFLOW: saturates: no region ends at the last address of all.
            let before = space.regions.before(address.saturating_add(1));
            let there = |(start, region): &(u64, &Region)| {
                region.heap && region_map::Region::end(*region, *start) > address
            };
            let (start, region) = before.filter(there).ok_or(EINVAL)?;
            let dev = self.dev();
            let tables = self.tables(&dev);
            if space.table.lookup(&tables, Iova(address)).is_some() {
                // It has grown for another fault, which may not have been flushed for this one.
                self.mmu.flush(self.id, LockRegion::ALL, Flush::PageTable);
                return Ok(());
            }
            (start, region.buffer.clone())
        };
        let offset = address.checked_sub(start).ok_or(EINVAL)? & !(GROWTH - 1);
        let end = offset.checked_add(GROWTH).ok_or(EINVAL)?;
        self.map(start, &buffer, offset..end.min(buffer.size()))
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // It is not loaded: a hardware address space would hold a reference.
        let space = self.space.get_mut().take();
        if let Some(space) = space {
            let dev = self.dev();
            space.table.destroy(&mut self.tables(&dev));
        }
    }
}

/// The range from `start` to `end`; `None` if `end` is below `start`.
fn range_between(start: u64, end: u64) -> Option<core::result::Result<IovaRange, MapError>> {
    let len = end.checked_sub(start)?;
    Some(IovaRange::new(start, len))
}
