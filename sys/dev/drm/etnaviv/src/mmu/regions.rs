// SPDX-License-Identifier: BSD-2-Clause
//! The regions of a VM, in which buffers are mapped, one region for each buffer. Nothing here
//! changes a page table.

use crate::mmu::unmapped::Entry;
use core::ops::Range;
use drmkpi::alloc::{Arc, KBox};
use drmkpi::mem::buffer::Buffer;
use drmkpi::mem::region_map::{self, Region as _, RegionMap};
use drmkpi::os::Os;
use drmkpi::util::errno::{Result, ENOSPC};
use drmkpi::util::sorted_map::SortedMap;

/// A buffer in a VM.
pub(crate) struct Region {
    pub(crate) buffer: Arc<Buffer>,
    /// The number of jobs that use it.
    pub(crate) users: u32,
    /// The client has closed its last handle of the buffer.
    pub(crate) closing: bool,
    /// All of the buffer is mapped.
    pub(crate) ready: bool,
    /// It is being unmapped: the number of bytes that are.
    pub(crate) unmapped: Option<u64>,
    /// For when it is unmapped.
    pub(crate) entry: KBox<Entry>,
}

impl region_map::Region for Region {
    fn size(&self) -> u64 {
        self.buffer.size()
    }

    fn is_used(&self) -> bool {
        self.users != 0
    }
}

/// The regions of a VM.
pub(crate) struct Regions {
    os: Os,
    by_start: RegionMap<Region>,
    /// The starts of regions, by the numbers of their buffers.
    by_buffer: SortedMap<u64, u64>,
    /// The addresses that buffers may have.
    range: Range<u64>,
    /// Where the next search for room begins, so that addresses are not reused soon.
    next: u64,
}

impl Regions {
    /// No regions, with addresses in `range`.
    pub(crate) fn new(os: Os, range: Range<u64>) -> Regions {
        Regions {
            os,
            by_start: RegionMap::new(os),
            by_buffer: SortedMap::new(os),
            next: range.start,
            range,
        }
    }

    /// The addresses that buffers may have.
    pub(crate) fn range(&self) -> &Range<u64> {
        &self.range
    }

    /// The region that begins at `start`.
    pub(crate) fn at(&mut self, start: u64) -> Option<&mut Region> {
        self.by_start.get_mut(start)
    }

    /// The start of a buffer's region.
    pub(crate) fn place_of(&self, buffer: u64) -> Option<u64> {
        self.by_buffer.get(buffer).copied()
    }

    /// The first region that overlaps `range`.
    pub(crate) fn first_in(&self, range: &Range<u64>) -> Option<(u64, &Region)> {
        let before = self.by_start.before(range.start);
        let reaches = before.filter(|(start, region)| region.end(*start) > range.start);
        reaches.or_else(|| {
            let next = self.by_start.at_or_after(range.start);
            next.filter(|(start, _)| *start < range.end)
        })
    }

    /// A range of `size` bytes, at `wanted` or at any address. The regions that overlap it, which
    /// no job uses, are closed: the caller unmaps them.
    ///
    /// # Errors
    ///
    /// ENOSPC if there is none.
    pub(crate) fn make_room(&mut self, size: u64, wanted: Option<u64>) -> Result<Range<u64>> {
        let room = match wanted {
            Some(start) => self.room_at(start, size)?,
            None => self.room(size)?,
        };
        let mut rest = room.clone();
        while let Some((start, region)) = self.first_in(&rest) {
            rest.start = region.end(start);
            self.close(start);
        }
        Ok(room)
    }

    /// The range of `size` bytes at `start`. Regions that no job uses may overlap it.
    ///
    /// # Errors
    ///
    /// ENOSPC if a region that jobs use overlaps it.
    fn room_at(&mut self, start: u64, size: u64) -> Result<Range<u64>> {
        let room = start..start.checked_add(size).ok_or(ENOSPC)?;
        // Mostly there is none, and the search below is not needed.
        if self.first_in(&room).is_some()
            && self.by_start.first_unused(room.clone(), size).is_none()
        {
            return Err(ENOSPC);
        }
        Ok(room)
    }

    /// A range of `size` bytes at any address: a gap, or else one that only regions without jobs
    /// overlap.
    ///
    /// # Errors
    ///
    /// ENOSPC if there is none.
    fn room(&mut self, size: u64) -> Result<Range<u64>> {
        let (whole, end) = (self.range.clone(), self.range.end);
        let gap = self
            .by_start
            .first_gap(self.next..end, size)
            .or_else(|| self.by_start.first_gap(whole.clone(), size))
            .or_else(|| self.by_start.first_unused(whole, size));
        let start = gap.ok_or(ENOSPC)?.start;
        self.next = start.checked_add(size).ok_or(ENOSPC)?;
        Ok(start..self.next)
    }

    /// Adds a region at `start`, where nothing overlaps it, for a buffer that one job uses.
    ///
    /// # Errors
    ///
    /// ENOMEM; then nothing has changed.
    pub(crate) fn insert(&mut self, start: u64, buffer: &Arc<Buffer>) -> Result<()> {
        let region = Region {
            buffer: buffer.clone(),
            users: 1,
            closing: false,
            ready: false,
            unmapped: None,
            entry: Entry::new(self.os)?,
        };
        self.by_buffer.insert(buffer.id(), start)?;
        let inserted = self.by_start.insert(start, region);
        if inserted.is_err() {
            self.by_buffer.remove(buffer.id());
        }
        inserted
    }

    /// Begins to unmap the region at `start`: its buffer is not found there any longer, but its
    /// addresses stay taken.
    pub(crate) fn close(&mut self, start: u64) {
        let Some(region) = self.by_start.get_mut(start) else {
            return;
        };
        if region.unmapped.is_none() {
            region.unmapped = Some(0);
            region.users = 0;
            self.by_buffer.remove(region.buffer.id());
        }
    }

    /// Removes the region at `start`, which is closed and unmapped.
    pub(crate) fn remove(&mut self, start: u64) -> Option<Region> {
        self.by_start.remove(start)
    }
}
