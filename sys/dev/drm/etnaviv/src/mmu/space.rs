// SPDX-License-Identifier: BSD-2-Clause
//! The parts of a VM that its lock guards: the page table, the regions, and what was unmapped and
//! may still be reached by jobs.
//!
//! Unmapping does not wait for the GPU. Unmapped buffers and page tables stay allocated (`Retired`)
//! until all jobs that began before have ended, since the GPU may still have their translations. As
//! the sequence number changes with the page table, every job that begins later begins with a
//! flush. So no job can reach memory that was freed.
//!
//! Nothing is freed here, and nothing waits for memory, because the end of a job takes the lock,
//! too.

use crate::mmu::regions::Regions;
use crate::mmu::table::{spare_tables, Table, TableOwner};
use crate::mmu::tables::UnlinkedTables;
use crate::mmu::Mmu;
use core::ops::Range;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::mem::buffer::Buffer;
use drmkpi::mem::table_mem::Spare;
use drmkpi::mem::va_alloc::Region as _;
use drmkpi::os::{Dev, Mtx};
use drmkpi::util::account::Charge;
use drmkpi::util::errno::{Result, EINVAL, ENOMEM, ENOSPC};
use iommu_pmap::{IovaRange, Prot};

/// MMUv2: the lowest address of a buffer, and the end of the address space.
const CLIENT_START: u64 = 0x40_0000;
const CLIENT_END: u64 = 1 << 32;
/// MMUv1: the first address that the table translates.
const TABLE_START: u64 = 0x8000_0000;
/// The bytes that are unmapped with the lock held once, at most: what a table of MMUv2 covers.
const PART: u64 = 4 << 20;
/// The regions that are unmapped with the lock held once, at most.
const REGIONS: u32 = 64;

/// Buffers and page tables that were unmapped and that jobs may still reach.
pub(crate) struct Retired {
    buffers: KVec<Arc<Buffer>>,
    tables: UnlinkedTables,
}

/// Where a buffer is mapped.
pub(crate) enum Hit {
    /// At this address, and whether the client had closed its handle.
    At(u64, bool),
    /// It was at this address, whose region is closed now: the caller unmaps it.
    Closed(u64),
    /// It is not, or not completely, mapped.
    None,
}

/// The page table, the regions and the retired memory of a VM.
pub(crate) struct Space {
    table: Table,
    pub(crate) regions: Regions,
    /// Unmapped since the current generation of jobs began: jobs of the current and of the previous
    /// generation may reach it. Like the other two, it has capacity for the buffers of all regions.
    retired_now: Retired,
    /// Unmapped before the current generation began: only jobs of the previous generation may reach
    /// it.
    retired_before: Retired,
    /// No job can reach it: the reaper frees it.
    freeable: Retired,
}

/// The jobs of a VM that are in flight, by generation. There are two: the current one, and the
/// previous one, whose jobs must end before another generation begins.
#[derive(Default)]
pub(crate) struct Jobs {
    /// The current generation, to which jobs that begin now belong: odd or even.
    pub(crate) odd: bool,
    count: [u32; 2],
}

impl Jobs {
    /// The number of jobs in flight of a generation.
    pub(crate) fn of(&mut self, odd: bool) -> &mut u32 {
        let [even_jobs, odd_jobs] = &mut self.count;
        if odd {
            odd_jobs
        } else {
            even_jobs
        }
    }
}

impl Retired {
    /// An empty one, without capacity.
    pub(crate) fn empty(mmu: &Mmu) -> Retired {
        Retired {
            buffers: KVec::new(mmu.os()),
            tables: UnlinkedTables::default(),
        }
    }

    /// An empty one with capacity for `room` buffers, or at least for one.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn with_room(mmu: &Mmu, room: usize) -> Result<Retired> {
        let mut retired = Retired::empty(mmu);
        retired.buffers.reserve(room.max(1))?;
        Ok(retired)
    }

    fn is_empty(&self) -> bool {
        self.buffers.is_empty() && self.tables.is_empty()
    }

    /// Drops all buffers and frees all tables.
    pub(crate) fn free(&mut self, dev: Dev, charge: Option<&Charge>) {
        self.buffers.clear();
        self.tables.free(dev, charge);
    }
}

impl Space {
    /// An empty one. Returns also the physical address of its root table.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(mmu: &Mmu, charge: Option<&Charge>) -> Result<(Space, u64)> {
        let mut retired_now = Retired::with_room(mmu, 0)?;
        let retired_before = Retired::with_room(mmu, 0)?;
        let freeable = Retired::with_room(mmu, 0)?;
        let made = Table::new(mmu, charge, &mut retired_now.tables);
        let table = match made {
            Ok(table) => table,
            Err(e) => {
                retired_now.free(mmu.dev(), charge);
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
            retired_now,
            retired_before,
            freeable,
        };
        Ok((space, root))
    }

    /// Maps pages that belong to no region, for reading, until the VM is destroyed.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn map_fixed(
        &mut self,
        owner: TableOwner<'_>,
        start: u64,
        pas: &[u64],
    ) -> Result<()> {
        let mut spare = spare_tables(owner.mmu.dev());
        spare.fill()?;
        self.map(owner, &mut spare, start, pas, Prot::READ)
    }

    /// Frees everything. The VM is not loaded.
    pub(crate) fn destroy(self, mmu: &Mmu, charge: Option<&Charge>) {
        let Space {
            table,
            mut retired_now,
            mut retired_before,
            mut freeable,
            ..
        } = self;
        table.destroy(mmu, charge, &mut retired_before.tables);
        retired_now.free(mmu.dev(), charge);
        retired_before.free(mmu.dev(), charge);
        freeable.free(mmu.dev(), charge);
    }

    /// Maps pages at `start`, with new tables from `spare`.
    ///
    /// # Errors
    ///
    /// ENOMEM, also if `spare` has too few tables; then none of the pages is mapped.
    pub(crate) fn map(
        &mut self,
        owner: TableOwner<'_>,
        spare: &mut Spare,
        start: u64,
        pas: &[u64],
        prot: Prot,
    ) -> Result<()> {
        let tables = &mut self.retired_now.tables;
        self.table.map(owner, tables, spare, start, pas, prot)
    }

    /// Unmaps a part of the region at `start`, which is closed, and removes it with the last part;
    /// its buffer is kept until no job can reach it. Returns whether all of it is unmapped: if not,
    /// the caller releases the lock and calls again. Several threads may do so for one region.
    #[must_use]
    pub(crate) fn unmap_part(&mut self, owner: TableOwner<'_>, start: u64) -> bool {
        let Some(region) = self.regions.at(start) else {
            return true;
        };
        let Some(unmapped) = region.unmapped else {
            return true;
        };
        let end = region.end(start);
        // OVERFLOW: a region ends below 4 GiB.
        let from = start.saturating_add(unmapped);
        // OVERFLOW: as above.
        let next = (from | (PART - 1)).saturating_add(1).min(end);
        region.unmapped = next.checked_sub(start);
        if let Some(Ok(range)) = next.checked_sub(from).map(|len| IovaRange::new(from, len)) {
            let tables = &mut self.retired_now.tables;
            self.table.unmap(owner, tables, range);
        }
        if next < end {
            return false;
        }
        let Some(region) = self.regions.remove(start) else {
            return true;
        };
        // `insert` has reserved the capacity. Otherwise the buffer is leaked, not freed too early.
        if let Err(buffer) = self.retired_now.buffers.try_push(region.buffer) {
            core::mem::forget(buffer);
        }
        true
    }

    /// Unmaps some of the regions in `room`, all of which are closed. Returns whether none is left.
    #[must_use]
    pub(crate) fn clear(&mut self, owner: TableOwner<'_>, room: &Range<u64>) -> bool {
        for _ in 0..REGIONS {
            let first = self.regions.first_in(room).map(|(start, _)| start);
            let Some(start) = first else { return true };
            if !self.unmap_part(owner, start) {
                break;
            }
        }
        false
    }

    /// Adds a job to the users of a buffer that is mapped at `wanted`, or anywhere.
    ///
    /// # Errors
    ///
    /// EINVAL if jobs use it at another address, ENOSPC if it has too many users.
    pub(crate) fn hit(&mut self, buffer: &Buffer, wanted: Option<u64>) -> Result<Hit> {
        // Mostly it is where it is wanted.
        let there = wanted.and_then(|start| self.regions.at(start).map(|r| r.buffer.id()));
        let start = match there == Some(buffer.id()) {
            true => wanted,
            false => self.regions.place_of(buffer.id()),
        };
        let Some(start) = start else {
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
        self.regions.close(start);
        Ok(Hit::Closed(start))
    }

    /// Adds a region at `start`, where there is room, for a buffer that one job uses; the caller
    /// maps the buffer.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn insert(&mut self, buffer: &Arc<Buffer>, start: u64) -> Result<()> {
        // All regions may be unmapped before any buffer is freed, and unmapping cannot allocate.
        let room_for = self.regions.len().checked_add(1).ok_or(ENOMEM)?;
        for retired in [
            &mut self.retired_now,
            &mut self.retired_before,
            &mut self.freeable,
        ] {
            retired.buffers.reserve(room_for)?;
        }
        self.regions.insert(start, buffer)
    }

    /// Moves what no job can reach to `freeable`, and begins generations of jobs as the previous
    /// ones end. Returns whether there is something for the reaper to free.
    pub(crate) fn sweep(&mut self, jobs: &Mtx<Jobs>) -> bool {
        // `retired_now` becomes `retired_before` in the first round, and freeable in the second.
        for _ in 0..2 {
            if !self.freeable.is_empty()
                || self.retired_now.is_empty() && self.retired_before.is_empty()
            {
                break;
            }
            // A new generation needs capacity for its buffers, in what is `retired_now` after two
            // rounds.
            let room = self.freeable.buffers.reserve(self.regions.len());
            let mut running = jobs.lock();
            let before = !running.odd;
            if *running.of(before) != 0 {
                break;
            }
            // No job of the previous generation is in flight. Those of the current one have
            // flushed.
            if room.is_ok() {
                running.odd = before;
            }
            drop(running);
            core::mem::swap(&mut self.freeable, &mut self.retired_before);
            if room.is_err() {
                break;
            }
            core::mem::swap(&mut self.retired_before, &mut self.retired_now);
        }
        !self.freeable.is_empty()
    }

    /// The capacity of what is to replace `freeable` (`take_freeable`); `None` if nothing is
    /// freeable.
    pub(crate) fn freeable_room(&self) -> Option<usize> {
        (!self.freeable.is_empty()).then(|| self.regions.len())
    }

    /// Replaces `freeable` by `empty` and returns it, to be freed without the lock.
    pub(crate) fn take_freeable(&mut self, empty: Retired) -> Retired {
        core::mem::replace(&mut self.freeable, empty)
    }
}
