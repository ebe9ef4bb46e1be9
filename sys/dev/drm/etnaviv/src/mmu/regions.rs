// SPDX-License-Identifier: BSD-2-Clause
//! The regions of a VM, in which buffers are mapped, one region for each buffer. Nothing here
//! changes a page table.
//!
//! A region has a number, by which it is found without a search: those who use a region keep its
//! number.

use core::ops::Range;
use drmkpi::alloc::Arc;
use drmkpi::mem::buffer::Buffer;
use drmkpi::mem::va_alloc::{self, first_fit, Region as _};
use drmkpi::os::Os;
use drmkpi::util::errno::{Result, ENOMEM, ENOSPC};
use drmkpi::util::id_map::IdMap;
use drmkpi::util::sorted_map::SortedMap;

/// A buffer in a VM.
pub(crate) struct Region {
    pub(crate) buffer: Arc<Buffer>,
    /// The GPU address of its first byte.
    pub(crate) start: u64,
    /// The number of jobs that use it.
    pub(crate) users: u32,
    /// The client has closed its last handle of the buffer.
    pub(crate) closing: bool,
    /// All of the buffer is mapped.
    pub(crate) ready: bool,
    /// It is being unmapped: the number of bytes that are.
    pub(crate) unmapped: Option<u64>,
}

impl Region {
    /// The address after its last byte.
    pub(crate) fn end(&self) -> u64 {
        // OVERFLOW: none, for a region ends at 4 GiB at most.
        self.start.saturating_add(self.buffer.size())
    }
}

/// Where a region is: its number and size, by its start.
struct Spot {
    number: u32,
    size: u64,
}

impl va_alloc::Region for Spot {
    fn size(&self) -> u64 {
        self.size
    }
}

/// The regions of a VM.
pub(crate) struct Regions {
    list: IdMap<Region>,
    by_start: SortedMap<u64, Spot>,
    /// The numbers of regions, by the ids of their buffers.
    by_buffer: SortedMap<u64, u32>,
    /// The addresses that buffers may have.
    range: Range<u64>,
    /// Where the next search for room begins, so that addresses are not reused soon.
    next: u64,
}

/// The start of `gap`, if it has room for `size` bytes.
fn fit(gap: Range<u64>, size: u64) -> Option<u64> {
    let room = gap.end.checked_sub(gap.start)?;
    (room >= size).then_some(gap.start)
}

impl Regions {
    /// No regions, with addresses in `range`.
    pub(crate) fn new(os: Os, range: Range<u64>) -> Regions {
        Regions {
            list: IdMap::new(os),
            by_start: SortedMap::new(os),
            by_buffer: SortedMap::new(os),
            next: range.start,
            range,
        }
    }

    /// The number of regions.
    pub(crate) fn len(&self) -> usize {
        self.by_start.len()
    }

    /// The addresses that buffers may have.
    pub(crate) fn range(&self) -> &Range<u64> {
        &self.range
    }

    /// The region with a number.
    pub(crate) fn region(&mut self, number: u32) -> Option<&mut Region> {
        self.list.get_mut(number)
    }

    /// The number of the region that begins at `start`.
    pub(crate) fn at(&self, start: u64) -> Option<u32> {
        self.by_start.get(start).map(|spot| spot.number)
    }

    /// The number of the region of the buffer with the id `buffer`.
    pub(crate) fn of_buffer(&self, buffer: u64) -> Option<u32> {
        self.by_buffer.get(buffer).copied()
    }

    /// The first region that overlaps `range`, and its number.
    pub(crate) fn first_in(&self, range: &Range<u64>) -> Option<(u32, &Region)> {
        let before = self.by_start.before(range.start);
        let reaches = before.filter(|(start, spot)| spot.end(*start) > range.start);
        let (_, first) = reaches.or_else(|| {
            let next = self.by_start.from(range.start).next();
            next.filter(|(start, _)| *start < range.end)
        })?;
        Some((first.number, self.list.get(first.number)?))
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
        while let Some((number, region)) = self.first_in(&rest) {
            rest.start = region.end();
            self.close(number);
        }
        Ok(room)
    }

    /// The range of `size` bytes at `start`. Regions that no job uses may overlap it.
    ///
    /// # Errors
    ///
    /// ENOSPC if a region that jobs use overlaps it.
    fn room_at(&self, start: u64, size: u64) -> Result<Range<u64>> {
        let room = start..start.checked_add(size).ok_or(ENOSPC)?;
        let Some((_, first)) = self.first_in(&room) else {
            return Ok(room);
        };
        let mut overlapping = self
            .by_start
            .from(first.start)
            .take_while(|(start, _)| *start < room.end);
        if overlapping.any(|(_, spot)| self.has_users(spot)) {
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
        let found = self
            .first_fit(self.next, size, |_| true)
            .or_else(|| self.first_fit(self.range.start, size, |_| true))
            .or_else(|| self.first_fit(self.range.start, size, |spot| self.has_users(spot)));
        let start = found.ok_or(ENOSPC)?;
        self.next = start.checked_add(size).ok_or(ENOSPC)?;
        Ok(start..self.next)
    }

    fn has_users(&self, spot: &Spot) -> bool {
        let region = self.list.get(spot.number);
        region.is_some_and(|region| region.users != 0)
    }

    /// The first gap of `size` bytes above `low` between those regions for which `counts` holds.
    fn first_fit(&self, low: u64, size: u64, counts: impl Fn(&Spot) -> bool) -> Option<u64> {
        let range = low..self.range.end;
        first_fit(&self.by_start, range, counts, |gap| fit(gap, size))
    }

    /// Adds a region at `start`, where nothing overlaps it, for a buffer that one job uses. Returns
    /// its number.
    ///
    /// # Errors
    ///
    /// ENOMEM; then nothing has changed.
    pub(crate) fn insert(&mut self, start: u64, buffer: &Arc<Buffer>) -> Result<u32> {
        let number = self.list.insert(Region {
            buffer: buffer.clone(),
            start,
            users: 1,
            closing: false,
            ready: false,
            unmapped: None,
        })?;
        let size = buffer.size();
        let inserted = self
            .by_buffer
            .insert(buffer.id(), number)
            .and_then(|()| self.by_start.insert(start, Spot { number, size }));
        if inserted.is_err() {
            self.by_buffer.remove(buffer.id());
            // Not the last reference to the buffer, which the caller has.
            drop(self.list.remove(number));
        }
        inserted.map(|()| number).map_err(|_| ENOMEM)
    }

    /// Begins to unmap a region: its buffer is not found there any longer, but its addresses stay
    /// taken.
    pub(crate) fn close(&mut self, number: u32) {
        let Some(region) = self.list.get_mut(number) else {
            return;
        };
        if region.unmapped.is_none() {
            region.unmapped = Some(0);
            region.users = 0;
            self.by_buffer.remove(region.buffer.id());
        }
    }

    /// Removes a region, which is closed and unmapped.
    pub(crate) fn remove(&mut self, number: u32) -> Option<Region> {
        let region = self.list.remove(number)?;
        self.by_start.remove(region.start);
        Some(region)
    }
}
