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

use crate::mmu::regions::{Region, Regions};
use crate::mmu::table::{spare_tables, Table, TableOwner};
use crate::mmu::tables::UnlinkedTables;
use crate::mmu::unmapped::UnmappedBuffers;
use crate::mmu::Mmu;
use core::ops::Range;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use drmkpi::alloc::Arc;
use drmkpi::mem::buffer::Buffer;
use drmkpi::mem::table_mem::Spare;
use drmkpi::os::Dev;
use drmkpi::util::account::Charge;
use drmkpi::util::errno::{Result, EINVAL, ENOSPC};
use drmkpi::util::int_conv::low32;
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
#[derive(Default)]
pub(crate) struct Retired {
    buffers: UnmappedBuffers,
    tables: UnlinkedTables,
}

/// How a job wants to use a buffer.
pub(crate) struct Wish<'a> {
    pub(crate) buffer: &'a Arc<Buffer>,
    /// Its GPU address, if the client chooses it.
    pub(crate) start: Option<u64>,
    pub(crate) prot: Prot,
    /// The number of its region when it was last used, in whichever VM that was.
    pub(crate) hint: &'a AtomicU32,
}

/// A region that a job uses: its number, and its start, which is below 4 GiB.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) number: u32,
    pub(crate) start: u32,
}

/// Where a buffer is mapped.
pub(crate) enum Hit {
    /// In this region, and whether the client had closed its handle.
    At(Place, bool),
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
    /// generation may reach it.
    retired_now: Retired,
    /// Unmapped before the current generation began: only jobs of the previous generation may reach
    /// it.
    retired_before: Retired,
    /// No job can reach it: the reaper frees it.
    freeable: Retired,
}

/// The jobs of a VM that are in flight, by generation. There are two: the current one, and the
/// previous one, whose jobs must end before another generation begins. The highest bit is set if
/// the current one is odd; below are the numbers of jobs of the odd one and of the even one, 31
/// bits each.
pub(crate) struct Jobs(AtomicU64);

impl Jobs {
    const ODD: u64 = 1 << 63;
    const BITS: u32 = 31;
    const COUNT: u64 = (1 << Self::BITS) - 1;

    pub(crate) const fn none() -> Jobs {
        Jobs(AtomicU64::new(0))
    }

    /// One job of a generation.
    const fn one(odd: bool) -> u64 {
        match odd {
            true => 1 << Self::BITS,
            false => 1,
        }
    }

    /// Adds a job to the current generation. Returns whether that is odd.
    pub(crate) fn begin(&self) -> bool {
        // OVERFLOW: none, for each core has at most EVENTS jobs in flight.
        let add = |jobs: u64| Some(jobs.wrapping_add(Self::one(jobs & Self::ODD != 0)));
        // ORDERING: the job reads the VM's sequence number after this.
        let before = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, add);
        before.unwrap_or_else(|jobs| jobs) & Self::ODD != 0
    }

    /// Removes a job, which `begin` has added.
    pub(crate) fn end(&self, odd: bool) {
        self.0.fetch_sub(Self::one(odd), Ordering::SeqCst);
    }

    /// Begins another generation, if no job of the previous one is in flight. Returns whether it
    /// did.
    fn advance(&self) -> bool {
        let next = |jobs: u64| {
            let previous = match jobs & Self::ODD != 0 {
                true => jobs & Self::COUNT,
                false => jobs >> Self::BITS & Self::COUNT,
            };
            (previous == 0).then_some(jobs ^ Self::ODD)
        };
        let advanced = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, next);
        advanced.is_ok()
    }
}

impl Retired {
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
        let mut retired_now = Retired::default();
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
            retired_before: Retired::default(),
            freeable: Retired::default(),
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
        let Some(number) = self.regions.at(start) else {
            return true;
        };
        let Some(region) = self.regions.region(number) else {
            return true;
        };
        let Some(unmapped) = region.unmapped else {
            return true;
        };
        let end = region.end();
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
        let Some(region) = self.regions.remove(number) else {
            return true;
        };
        let Region { buffer, entry, .. } = region;
        self.retired_now.buffers.add(entry, buffer);
        true
    }

    /// Unmaps some of the regions in `room`, all of which are closed. Returns whether none is left.
    #[must_use]
    pub(crate) fn clear(&mut self, owner: TableOwner<'_>, room: &Range<u64>) -> bool {
        for _ in 0..REGIONS {
            let first = self.regions.first_in(room);
            let Some(start) = first.map(|(_, region)| region.start) else {
                return true;
            };
            if !self.unmap_part(owner, start) {
                break;
            }
        }
        false
    }

    /// The number of the region of a buffer: the hint is right, or it is looked up.
    fn region_of(&mut self, wish: &Wish<'_>) -> Option<u32> {
        let hint = wish.hint.load(Ordering::Relaxed);
        let region = self.regions.region(hint);
        if region.is_some_and(|r| r.unmapped.is_none() && Arc::ptr_eq(&r.buffer, wish.buffer)) {
            return Some(hint);
        }
        let number = self.regions.of_buffer(wish.buffer.id())?;
        wish.hint.store(number, Ordering::Relaxed);
        Some(number)
    }

    /// Adds a job to the users of a buffer that is mapped as it is wanted. Otherwise returns `None`
    /// and does nothing: the caller uses `hit`.
    pub(crate) fn use_mapped(&mut self, wish: &Wish<'_>) -> Option<Place> {
        let number = self.region_of(wish)?;
        let region = self.regions.region(number)?;
        let is_wanted = wish.start.is_none_or(|wanted| wanted == region.start);
        if !is_wanted || !region.ready || region.closing {
            return None;
        }
        let start = low32(region.start);
        self.regions.add_user(number)?;
        Some(Place { number, start })
    }

    /// Adds a job to the users of a buffer, if it is mapped at the wanted address.
    ///
    /// # Errors
    ///
    /// EINVAL if jobs use it at another address, ENOSPC if it has too many users.
    pub(crate) fn hit(&mut self, wish: &Wish<'_>) -> Result<Hit> {
        let Some(number) = self.region_of(wish) else {
            return Ok(Hit::None);
        };
        let Some(region) = self.regions.region(number).filter(|region| region.ready) else {
            return Ok(Hit::None);
        };
        if wish.start.is_none_or(|wanted| wanted == region.start) {
            let closing = core::mem::replace(&mut region.closing, false);
            let start = low32(region.start);
            self.regions.add_user(number).ok_or(ENOSPC)?;
            return Ok(Hit::At(Place { number, start }, closing));
        }
        if region.has_users() {
            return Err(EINVAL);
        }
        let start = region.start;
        self.regions.close(number);
        Ok(Hit::Closed(start))
    }

    /// Ends a job's use of a region. Returns whether it was the last use of a region that the
    /// client has closed: then the region is closed, and the caller unmaps it.
    #[must_use]
    pub(crate) fn end_use(&mut self, place: Place) -> bool {
        self.regions.remove_user(place.number)
    }

    /// Adds a region at `start`, where there is room, for a buffer that one job uses; the caller
    /// maps the buffer.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn insert(&mut self, buffer: &Arc<Buffer>, start: u64) -> Result<Place> {
        let number = self.regions.insert(start, buffer)?;
        let start = low32(start);
        Ok(Place { number, start })
    }

    /// Moves what no job can reach to `freeable`, and begins generations of jobs as the previous
    /// ones end. Returns whether there is something for the reaper to free.
    pub(crate) fn sweep(&mut self, jobs: &Jobs) -> bool {
        // `retired_now` becomes `retired_before` in the first round, and freeable in the second.
        for _ in 0..2 {
            if !self.freeable.is_empty()
                || self.retired_now.is_empty() && self.retired_before.is_empty()
            {
                break;
            }
            // No job of the previous generation is in flight. Those of the current one have
            // flushed.
            if !jobs.advance() {
                break;
            }
            core::mem::swap(&mut self.freeable, &mut self.retired_before);
            core::mem::swap(&mut self.retired_before, &mut self.retired_now);
        }
        !self.freeable.is_empty()
    }

    /// Whether anything was unmapped that is not freed yet.
    pub(crate) fn has_retired(&self) -> bool {
        let retired = [&self.retired_now, &self.retired_before, &self.freeable];
        retired.into_iter().any(|retired| !retired.is_empty())
    }

    /// Takes what the reaper is to free, without the lock.
    pub(crate) fn take_freeable(&mut self) -> Retired {
        core::mem::take(&mut self.freeable)
    }
}
