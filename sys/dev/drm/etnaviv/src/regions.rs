// SPDX-License-Identifier: BSD-2-Clause
//! Which buffer is where in an address space: a list in order of address. Nothing here touches a page table.

use core::ops::Range;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::buffer::Buffer;
use drmkpi::errno::{Result, ENOSPC};
use drmkpi::os::Os;

/// A buffer at an address.
pub(crate) struct Region {
    pub(crate) start: u64,
    pub(crate) buffer: Arc<Buffer>,
    /// Jobs that use it.
    pub(crate) users: u32,
    /// Its handle is gone.
    pub(crate) closing: bool,
}

impl Region {
    fn end(&self) -> u64 {
        self.start.saturating_add(self.buffer.size())
    }
}

/// The regions of an address space.
pub(crate) struct Regions {
    list: KVec<Region>,
    /// Addresses that buffers may have.
    range: Range<u64>,
    /// Where the search for room goes on: what was given up last is used again last.
    next: u64,
}

/// Room for a buffer: its address, and which idle regions have to go first.
pub(crate) struct Room {
    pub(crate) start: u64,
    pub(crate) evict: Range<usize>,
}

impl Regions {
    /// None, in `range`.
    pub(crate) fn new(os: Os, range: Range<u64>) -> Regions {
        Regions {
            list: KVec::new(os),
            next: range.start,
            range,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Addresses that buffers may have.
    pub(crate) fn range(&self) -> &Range<u64> {
        &self.range
    }

    /// The region that begins at `start`.
    pub(crate) fn at(&mut self, start: u64) -> Option<(usize, &mut Region)> {
        let index = self.list.binary_search_by_key(&start, |r| r.start).ok()?;
        self.list.get_mut(index).map(|r| (index, r))
    }

    /// Where `buffer` is; `hint` is where it was last.
    pub(crate) fn place_of(&mut self, buffer: u64, hint: u64) -> Option<u64> {
        let hinted = self.at(hint).filter(|(_, r)| r.buffer.id() == buffer);
        hinted.map(|(_, r)| r.start).or_else(|| {
            let found = self.list.iter().find(|r| r.buffer.id() == buffer);
            found.map(|r| r.start)
        })
    }

    /// Room at an address of somebody's choice.
    ///
    /// # Errors
    ///
    /// ENOSPC when a region that jobs use is there.
    pub(crate) fn room_at(&self, start: u64, size: u64) -> Result<Room> {
        let end = start.saturating_add(size);
        let first = self.list.partition_point(|r| r.end() <= start);
        let last = self.list.partition_point(|r| r.start < end);
        let there = self.list.get(first..last).unwrap_or_default();
        if there.iter().any(|r| r.users != 0) {
            return Err(ENOSPC);
        }
        Ok(Room {
            start,
            evict: first..last,
        })
    }

    /// Room anywhere: a gap, or the place of regions that no job uses.
    ///
    /// # Errors
    ///
    /// ENOSPC.
    pub(crate) fn room(&mut self, size: u64) -> Result<Room> {
        let Range {
            start: low,
            end: high,
        } = self.range;
        let gap = self.gap(self.next, high, size);
        if let Some((index, start)) = gap.or_else(|| self.gap(low, high, size)) {
            self.next = start.saturating_add(size);
            return Ok(Room {
                start,
                evict: index..index,
            });
        }
        let idle = self.idle_room(size).ok_or(ENOSPC)?;
        self.next = idle.start.saturating_add(size);
        Ok(idle)
    }

    /// The first gap of `size` in `low..high`: the index behind it, and where it is.
    fn gap(&self, low: u64, high: u64, size: u64) -> Option<(usize, u64)> {
        let mut index = self.list.partition_point(|r| r.end() <= low);
        let mut from = low;
        loop {
            let region = self.list.get(index);
            let to = region.map_or(high, |r| r.start.min(high));
            if to.checked_sub(from).is_some_and(|room| room >= size) {
                return Some((index, from));
            }
            from = region?.end();
            index = index.wrapping_add(1);
        }
    }

    /// Neighbours that no job uses and that have `size` between those that jobs use.
    fn idle_room(&self, size: u64) -> Option<Room> {
        let (mut first, mut behind) = (0usize, 0usize);
        let mut from = self.range.start;
        for region in self.list.iter() {
            behind = behind.wrapping_add(1);
            if region.users != 0 {
                (first, from) = (behind, region.end());
                continue;
            }
            let next = self.list.get(behind).map_or(self.range.end, |r| r.start);
            if next.checked_sub(from).is_some_and(|room| room >= size) {
                return Some(Room {
                    start: from,
                    evict: first..behind,
                });
            }
        }
        None
    }

    /// A buffer at a place that is free, used by one job.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn insert(&mut self, start: u64, buffer: &Arc<Buffer>) -> Result<()> {
        let index = self.list.partition_point(|r| r.start < start);
        let region = Region {
            start,
            buffer: buffer.clone(),
            users: 1,
            closing: false,
        };
        self.list.insert(index, region)
    }

    /// Takes a region out.
    pub(crate) fn remove(&mut self, index: usize) -> Option<Region> {
        self.list.remove(index)
    }

    /// Marks all places of a buffer whose handle is gone.
    pub(crate) fn close(&mut self, buffer: u64) {
        for r in self.list.iter_mut().filter(|r| r.buffer.id() == buffer) {
            r.closing = true;
        }
    }

    /// A region whose handle is gone and which no job uses.
    pub(crate) fn dead(&self) -> Option<usize> {
        self.list.iter().position(|r| r.closing && r.users == 0)
    }
}
