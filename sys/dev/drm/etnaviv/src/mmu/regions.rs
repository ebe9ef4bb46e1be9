// SPDX-License-Identifier: BSD-2-Clause
//! Which buffer is where in an address space; a buffer is in one place. Nothing here touches a page table.

use core::ops::Range;
use drmkpi::alloc::Arc;
use drmkpi::mem::buffer::Buffer;
use drmkpi::mem::va_alloc::{self, first_fit, Region as _};
use drmkpi::os::Os;
use drmkpi::util::errno::{Result, ENOSPC};
use drmkpi::util::sorted_map::SortedMap;

/// A buffer in its place.
pub(crate) struct Region {
    pub(crate) buffer: Arc<Buffer>,
    /// Jobs that use it.
    pub(crate) users: u32,
    /// Its handle is gone.
    pub(crate) closing: bool,
    /// All of it is mapped.
    pub(crate) ready: bool,
    /// It is being unmapped: so many bytes are.
    pub(crate) gone: Option<u64>,
}

impl va_alloc::Region for Region {
    fn size(&self) -> u64 {
        self.buffer.size()
    }
}

/// The regions of an address space.
pub(crate) struct Regions {
    by_start: SortedMap<u64, Region>,
    /// Starts by the numbers of buffers.
    by_buffer: SortedMap<u64, u64>,
    /// Addresses that buffers may have.
    range: Range<u64>,
    /// Where the search for room goes on: what was given up last is used again last.
    next: u64,
}

/// The start of `gap`, if it has room for `size` bytes.
fn fit(gap: Range<u64>, size: u64) -> Option<u64> {
    let room = gap.end.checked_sub(gap.start)?;
    (room >= size).then_some(gap.start)
}

impl Regions {
    /// None, in `range`.
    pub(crate) fn new(os: Os, range: Range<u64>) -> Regions {
        Regions {
            by_start: SortedMap::new(os),
            by_buffer: SortedMap::new(os),
            next: range.start,
            range,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_start.len()
    }

    /// Addresses that buffers may have.
    pub(crate) fn range(&self) -> &Range<u64> {
        &self.range
    }

    /// The region that begins at `start`.
    pub(crate) fn at(&mut self, start: u64) -> Option<&mut Region> {
        self.by_start.get_mut(start)
    }

    /// Where a buffer is.
    pub(crate) fn place_of(&self, buffer: u64) -> Option<u64> {
        self.by_buffer.get(buffer).copied()
    }

    /// The first region that has some of `range`.
    pub(crate) fn first_in(&self, range: &Range<u64>) -> Option<(u64, &Region)> {
        let before = self.by_start.before(range.start);
        let reaches = before.filter(|(start, region)| region.end(*start) > range.start);
        reaches.or_else(|| {
            let next = self.by_start.from(range.start).next();
            next.filter(|(start, _)| *start < range.end)
        })
    }

    /// Room for `size` bytes at `wanted`, or anywhere. No job uses what is there, and it is to be
    /// unmapped first.
    ///
    /// # Errors
    ///
    /// ENOSPC.
    pub(crate) fn make_room(&mut self, size: u64, wanted: Option<u64>) -> Result<Range<u64>> {
        let room = match wanted {
            Some(start) => self.room_at(start, size)?,
            None => self.room(size)?,
        };
        let mut rest = room.clone();
        while let Some((start, region)) = self.first_in(&rest) {
            rest.start = region.end(start);
            self.leave(start);
        }
        Ok(room)
    }

    /// Room at an address of somebody's choice; regions that no job uses may be there.
    ///
    /// # Errors
    ///
    /// ENOSPC when a region that jobs use is there.
    fn room_at(&self, start: u64, size: u64) -> Result<Range<u64>> {
        let room = start..start.saturating_add(size);
        let Some((first, _)) = self.first_in(&room) else {
            return Ok(room);
        };
        let mut there = self
            .by_start
            .from(first)
            .take_while(|(start, _)| *start < room.end);
        if there.any(|(_, region)| region.users != 0) {
            return Err(ENOSPC);
        }
        Ok(room)
    }

    /// Room anywhere: a gap, or the places of regions that no job uses.
    ///
    /// # Errors
    ///
    /// ENOSPC.
    fn room(&mut self, size: u64) -> Result<Range<u64>> {
        let used = |region: &Region| region.users != 0;
        let found = self
            .first_fit(self.next, size, |_| true)
            .or_else(|| self.first_fit(self.range.start, size, |_| true))
            .or_else(|| self.first_fit(self.range.start, size, used));
        let start = found.ok_or(ENOSPC)?;
        self.next = start.checked_add(size).ok_or(ENOSPC)?;
        Ok(start..self.next)
    }

    /// The first room of `size` bytes from `low` on, between the regions for which `counts` holds.
    fn first_fit(&self, low: u64, size: u64, counts: impl Fn(&Region) -> bool) -> Option<u64> {
        let range = low..self.range.end;
        first_fit(&self.by_start, range, counts, |gap| fit(gap, size))
    }

    /// A buffer at a place that is free, used by one job.
    ///
    /// # Errors
    ///
    /// ENOMEM; nothing changed.
    pub(crate) fn insert(&mut self, start: u64, buffer: &Arc<Buffer>) -> Result<()> {
        let region = Region {
            buffer: buffer.clone(),
            users: 1,
            closing: false,
            ready: false,
            gone: None,
        };
        self.by_buffer.insert(buffer.id(), start)?;
        let inserted = self.by_start.insert(start, region);
        if inserted.is_err() {
            self.by_buffer.remove(buffer.id());
        }
        inserted
    }

    /// From now on no job finds the buffer of this region, which is to be unmapped; its place
    /// stays taken meanwhile.
    pub(crate) fn leave(&mut self, start: u64) {
        let Some(region) = self.by_start.get_mut(start) else {
            return;
        };
        if region.gone.is_none() {
            region.gone = Some(0);
            region.users = 0;
            self.by_buffer.remove(region.buffer.id());
        }
    }

    /// Takes a region out that has been left.
    pub(crate) fn remove(&mut self, start: u64) -> Option<Region> {
        self.by_start.remove(start)
    }
}
