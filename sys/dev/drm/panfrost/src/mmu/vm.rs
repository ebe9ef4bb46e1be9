// SPDX-License-Identifier: BSD-2-Clause
//! The GPU address space of one open file: page table, and which buffer is where.
//!
//! A context is counted apart from its file: jobs and mappings hold it. When the last of them is gone its
//! hardware address space is switched off, and only then are its tables freed.

use crate::device::Gpu;
use crate::mmu::address_space::{self, Flush, LockRegion, Table};
use crate::mmu::va::{self, Need};
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use drmkpi::alloc::{Arc, KVec};
use drmkpi::mem::buffer::{Buffer, GROWTH};
use drmkpi::mem::table_mem::{KernelTables, Spare};
use drmkpi::os::{Dev, Os, Sx, SxGuard, PAGE_SIZE};
use drmkpi::util::account::{Account, Charge};
use drmkpi::util::errno::{Errno, Result, EBUSY, EINVAL, ENOMEM, ENXIO};
use drmkpi::util::int_conv::usize_of;
use drmkpi::util::sorted_map::SortedMap;
use iommu_pmap::{Iova, IovaRange, MaliLpae, MapError, MemAttr, Pa, PageTable, Prot, TlbFlush};

/// So much is unmapped with the lock held once.
const UNMAP_BYTES: u64 = 16 << 20;

/// A buffer in the address space.
pub(crate) struct Region {
    start: u64,
    buffer: Arc<Buffer>,
    heap: bool,
    exec: bool,
    /// It is being unmapped.
    closing: bool,
}

impl Region {
    /// The address behind it.
    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(self.buffer.size())
    }

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

/// An address space.
pub(crate) struct Context {
    id: u64,
    gpu: Arc<Gpu>,
    root: u64,
    /// Its page tables.
    charge: Charge,
    space: Sx<Option<Space>>,
    closed: AtomicBool,
}

fn errno(error: MapError) -> Errno {
    match error {
        MapError::NoMemory => ENOMEM,
        MapError::Overlap | MapError::Misaligned | MapError::OutOfRange => EINVAL,
    }
}

/// Forgets translations of one context, wherever the hardware has them.
struct Tlb<'a> {
    gpu: &'a Gpu,
    context: u64,
}

impl TlbFlush for Tlb<'_> {
    fn flush(&mut self, range: IovaRange) {
        let region = LockRegion::encode(range.start().0, range.len()).unwrap_or(LockRegion::ALL);
        self.gpu.flush_tlb(self.context, region, Flush::PageTable);
    }
}

impl Context {
    /// An empty address space, whose page tables `account` pays for.
    ///
    /// # Errors
    ///
    /// ENOMEM, also over the account's limit.
    pub(crate) fn new(gpu: &Arc<Gpu>, account: &Arc<Account>) -> Result<Arc<Context>> {
        let os = gpu.os();
        let dev = gpu.dev();
        let lock = Sx::new(os, c"panfrost context", None)?;
        let charge = Charge::new(account, 0)?;
        let table =
            PageTable::new(&mut KernelTables::<8>::new(&dev, Some(&charge))).map_err(errno)?;
        let mut context = Context {
            id: os.unique(),
            gpu: gpu.clone(),
            root: table.root().0,
            charge,
            space: lock,
            closed: AtomicBool::new(false),
        };
        // From here on its end frees the table.
        *context.space.get_mut() = Some(Space {
            table,
            regions: SortedMap::new(os),
            hint: va::START,
        });
        Arc::new(os, context)
    }

    fn tables<'a>(&'a self, dev: &'a Dev) -> KernelTables<'a, 8> {
        KernelTables::new(dev, Some(&self.charge))
    }

    /// The GPU.
    pub(crate) fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// A number that no other context has.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Its file was closed: nothing of it is to run any more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Whether its file was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// What a hardware address space is told of it.
    pub(crate) fn registers(&self) -> Table {
        self.gpu.table_registers(self.root)
    }

    fn os(&self) -> Os {
        self.gpu.os()
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
        let mapped = self.map(start, buffer, 0, buffer.size());
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
            start,
            buffer: buffer.clone(),
            heap,
            exec,
            closing: false,
        };
        let end = region.end();
        space.regions.insert(start, region)?;
        space.hint = end;
        Ok(start)
    }

    /// Maps `len` bytes at `offset` of the region at `start`, which is of `buffer`; on failure some
    /// of them may be. Pages are waited for and zeroed with no lock held: the fault handler takes
    /// this one.
    fn map(&self, start: u64, buffer: &Arc<Buffer>, offset: u64, len: u64) -> Result<()> {
        let mut spare = Spare::new(self.gpu.dev());
        let most = usize_of(len.min(GROWTH).wrapping_div(PAGE_SIZE));
        let mut pas = KVec::filled(self.os(), 0u64, most)?;
        let end = offset.saturating_add(len);
        let mut at = offset;
        while at < end {
            // No part has leaves in two of the last tables.
            let next = block_end(start.saturating_add(at))
                .wrapping_sub(start)
                .min(end);
            let pages = usize_of(next.wrapping_sub(at).wrapping_div(PAGE_SIZE));
            let part = pas.get_mut(..pages).ok_or(EINVAL)?;
            buffer.wire(at.wrapping_div(PAGE_SIZE), part)?;
            let mut mapped = self.map_wired(start, buffer, at, part, &mut spare);
            if mapped == Err(ENOMEM) {
                // Tables are missing.
                spare.fill()?;
                mapped = self.map_wired(start, buffer, at, part, &mut spare);
            }
            mapped?;
            at = next;
        }
        Ok(())
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
        let dev = self.gpu.dev();
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
            gpu: &self.gpu,
            context: self.id,
        }
    }

    fn unmap(&self, space: &mut Space, range: Range<u64>) {
        let dev = self.gpu.dev();
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
            let end = region.end();
            if at >= end {
                let removed = space.regions.remove(start);
                drop(guard);
                drop(removed);
                return;
            }
            let next = block_end(at.saturating_add(UNMAP_BYTES)).min(end);
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
            let (range, buffer, heap) = (start..region.end(), region.buffer.clone(), region.heap);
            self.unmap(space, range);
            (buffer, heap, free())
        };
        // A heap comes back as it faults. All pages are there, so nothing waits for memory.
        if freed.is_err() && !heap && self.map(start, &buffer, 0, buffer.size()).is_err() {
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
            let there = |(_, region): &(u64, &Region)| region.heap && region.end() > address;
            let (start, region) = before.filter(there).ok_or(EINVAL)?;
            let dev = self.gpu.dev();
            let tables = self.tables(&dev);
            if space.table.lookup(&tables, Iova(address)).is_some() {
                // Grown for another fault meanwhile; make sure that the hardware sees it.
                self.gpu
                    .flush_tlb(self.id, LockRegion::ALL, Flush::PageTable);
                return Ok(());
            }
            (start, region.buffer.clone())
        };
        let offset = address.wrapping_sub(start) & !GROWTH.wrapping_sub(1);
        let len = buffer.size().saturating_sub(offset).min(GROWTH);
        self.map(start, &buffer, offset, len)
    }
}

/// The end of the 2 MiB block that `at` is in.
fn block_end(at: u64) -> u64 {
    (at | GROWTH.wrapping_sub(1)).saturating_add(1)
}

impl Drop for Context {
    fn drop(&mut self) {
        self.gpu.drop_space(self.id);
        let space = self.space.get_mut().take();
        if let Some(space) = space {
            let dev = self.gpu.dev();
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

/// Switches a hardware address space off, or says that only a reset will.
pub(crate) fn switch_off(gpu: &Gpu, space: crate::regs::mmu::As) -> Result<()> {
    address_space::disable(gpu.regs(), gpu.os(), space)
}
