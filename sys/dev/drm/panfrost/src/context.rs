// SPDX-License-Identifier: BSD-2-Clause
//! The GPU address space of one open file: page table, and which buffer is where.
//!
//! A context is counted apart from its file: jobs and mappings hold it. When the last of them is gone its
//! hardware address space is switched off, and only then are its tables freed.

use crate::address_space::{self, Flush, LockRegion, Table};
use crate::device::Gpu;
use crate::va::{self, Need};
use core::sync::atomic::{AtomicBool, Ordering};
use drmkpi::alloc::{Arc, KVec};
use drmkpi::buffer::Buffer;
use drmkpi::errno::{Errno, Result, EBUSY, EINVAL, ENOMEM};
use drmkpi::num::{u64_of, usize_of};
use drmkpi::os::{Os, Sx, SxGuard, PAGE_SIZE};
use drmkpi::page_table::KernelTables;
use iommu_pmap::{Iova, IovaRange, MaliLpae, MapError, MemAttr, Pa, PageTable, Prot, TlbFlush};

/// A heap grows by this much at a fault.
pub(crate) const CHUNK: u64 = 2 << 20;
const CHUNK_PAGES: usize = 512;

/// A buffer in the address space.
pub(crate) struct Region {
    start: u64,
    buffer: Arc<Buffer>,
    heap: bool,
    exec: bool,
}

impl Region {
    /// Its first address.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

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
    regions: KVec<Region>,
    /// Where the last buffer ended.
    hint: u64,
}

/// An address space.
pub(crate) struct Context {
    id: u64,
    gpu: Arc<Gpu>,
    root: u64,
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
    /// An empty address space.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(gpu: &Arc<Gpu>) -> Result<Arc<Context>> {
        let os = gpu.os();
        let dev = gpu.dev();
        let mut tables = KernelTables::<8>::new(&dev);
        let table = PageTable::new(&mut tables).map_err(errno)?;
        let root = table.root().0;
        let space = Space {
            table,
            regions: KVec::new(os),
            hint: va::START,
        };
        let made = Sx::new(os, c"panfrost context", None).and_then(|lock| {
            let closed = AtomicBool::new(false);
            Arc::new(
                os,
                Context {
                    id: os.unique(),
                    gpu: gpu.clone(),
                    root,
                    space: lock,
                    closed,
                },
            )
        });
        match made {
            Ok(context) => {
                *context.space.lock() = Some(space);
                Ok(context)
            }
            Err(e) => {
                space.table.destroy(&mut tables);
                Err(e)
            }
        }
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
        let mut guard = self.space.lock();
        let space = guard.as_mut().ok_or(EINVAL)?;
        let need = Need {
            size: buffer.size(),
            exec,
        };
        let (start, index) = va::find(&space.regions, need, space.hint)?;
        let region = Region {
            start,
            buffer: buffer.clone(),
            heap,
            exec,
        };
        space.hint = region.end();
        space.regions.insert(index, region)?;
        if heap {
            return Ok(start);
        }
        let mapped = self.map_pages(space, index, 0, buffer.size());
        if mapped.is_err() {
            space.regions.remove(index);
        }
        mapped.map(|()| start)
    }

    /// Maps `len` bytes at `offset` of region `index`; on failure nothing of them.
    fn map_pages(&self, space: &mut Space, index: usize, offset: u64, len: u64) -> Result<()> {
        let Space { table, regions, .. } = space;
        let region = regions.get(index).ok_or(EINVAL)?;
        let pages = usize_of(len.wrapping_div(PAGE_SIZE)).min(CHUNK_PAGES);
        let mut pas = KVec::filled(self.os(), 0u64, pages)?;
        let dev = self.gpu.dev();
        let mut tables = KernelTables::<8>::new(&dev);
        let mut tlb = Tlb {
            gpu: &self.gpu,
            context: self.id,
        };
        let mut update = table.update(&mut tables, &mut tlb);
        let mut done = 0;
        while done < len {
            let at = offset.wrapping_add(done);
            let pages = usize_of(len.wrapping_sub(done).wrapping_div(PAGE_SIZE)).min(pas.len());
            let pas = pas.get_mut(..pages).unwrap_or_default();
            let mapped = region
                .buffer
                .wire(at.wrapping_div(PAGE_SIZE), pas)
                .and_then(|()| {
                    let mut iova = region.start.wrapping_add(at);
                    for (pa, bytes) in Runs(pas) {
                        update
                            .map(Iova(iova), Pa(pa), bytes, region.prot(), MemAttr::Cached)
                            .map_err(errno)?;
                        iova = iova.wrapping_add(bytes);
                    }
                    Ok(())
                });
            if let Err(e) = mapped {
                if let Ok(range) = IovaRange::new(region.start.wrapping_add(offset), len) {
                    // Holes are no error, and whole regions are never split.
                    let _ = update.unmap(range);
                }
                return Err(e);
            }
            done = done.wrapping_add(u64_of(pages).wrapping_mul(PAGE_SIZE));
        }
        Ok(())
    }

    fn unmap(&self, space: &mut Space, start: u64, len: u64) {
        let dev = self.gpu.dev();
        let mut tables = KernelTables::<8>::new(&dev);
        let mut tlb = Tlb {
            gpu: &self.gpu,
            context: self.id,
        };
        if let Ok(range) = IovaRange::new(start, len) {
            // Leaves of one region are its own, so no leaf is split and nothing is allocated.
            let _ = space.table.update(&mut tables, &mut tlb).unmap(range);
        }
    }

    /// Takes the buffer at `start` out of the address space.
    pub(crate) fn remove(&self, start: u64) {
        let removed = {
            let mut guard = self.space.lock();
            let Some(space) = guard.as_mut() else { return };
            let Ok(index) = space.regions.binary_search_by_key(&start, |r| r.start) else {
                return;
            };
            let Some(region) = space.regions.remove(index) else {
                return;
            };
            self.unmap(space, region.start, region.buffer.size());
            region
        };
        drop(removed);
    }

    /// Takes the memory at `start` away from the GPU, keeps the place, and has the memory freed by `free`.
    ///
    /// # Errors
    ///
    /// EBUSY when somebody changes the address space right now, or what `free` says; the GPU has it back then.
    pub(crate) fn purge(&self, start: u64, free: impl FnOnce() -> Result<()>) -> Result<()> {
        let mut guard: SxGuard<'_, _> = self.space.try_lock().ok_or(EBUSY)?;
        let space = guard.as_mut().ok_or(EINVAL)?;
        let index = space
            .regions
            .binary_search_by_key(&start, |r| r.start)
            .map_err(|_| EINVAL)?;
        let region = space.regions.get(index).ok_or(EINVAL)?;
        let (buffer, heap) = (region.buffer.clone(), region.heap);
        self.unmap(space, start, buffer.size());
        let freed = free();
        // A heap comes back as it faults.
        if freed.is_err() && !heap && self.map_pages(space, index, 0, buffer.size()).is_err() {
            // There was no memory for page tables: the client is told that the contents are gone.
            buffer.mark_purged();
        }
        freed
    }

    /// Makes the heap that `address` is in grow there.
    ///
    /// # Errors
    ///
    /// EINVAL when no heap is there, ENOMEM, also over the client's limit.
    pub(crate) fn grow(&self, address: u64) -> Result<()> {
        let mut guard = self.space.lock();
        let space = guard.as_mut().ok_or(EINVAL)?;
        let index = space.regions.partition_point(|r| r.end() <= address);
        let region = space
            .regions
            .get(index)
            .filter(|r| r.heap && r.start <= address)
            .ok_or(EINVAL)?;
        let offset = address.wrapping_sub(region.start) & !CHUNK.wrapping_sub(1);
        let len = region.buffer.size().saturating_sub(offset).min(CHUNK);
        let dev = self.gpu.dev();
        if space
            .table
            .lookup(&KernelTables::<8>::new(&dev), Iova(address))
            .is_some()
        {
            // Grown for another fault meanwhile; make sure that the hardware sees it.
            self.gpu.flush_tlb(self.id, LockRegion::ALL, Flush::PageTable);
            return Ok(());
        }
        region.buffer.charge().grow(len)?;
        let grown = self.map_pages(space, index, offset, len);
        if grown.is_err() {
            if let Some(region) = space.regions.get(index) {
                region.buffer.charge().shrink(len);
            }
        }
        grown
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.gpu.drop_space(self.id);
        if let Some(space) = self.space.get_mut().take() {
            let dev = self.gpu.dev();
            space.table.destroy(&mut KernelTables::<8>::new(&dev));
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
