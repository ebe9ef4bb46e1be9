// SPDX-License-Identifier: BSD-2-Clause
//! The regions of a VM, in which buffers are mapped, one region for each buffer. Nothing here
//! changes a page table.
//!
//! A region has a number, by which it is found without a search: those who use a region keep its
//! number.

use crate::mmu::unmapped::Entry;
use core::ops::Range;
use drmkpi::alloc::{Arc, KBox, KVec};
use drmkpi::mem::buffer::Buffer;
use drmkpi::mem::region_map::{self, Region as _, RegionMap};
use drmkpi::os::Os;
use drmkpi::util::errno::{Result, ENOMEM, ENOSPC};
use drmkpi::util::id_map::IdMap;
use drmkpi::util::int_conv::usize_of_u32;
use drmkpi::util::sorted_map::SortedMap;

/// A buffer in a VM.
pub(crate) struct Region {
    pub(crate) buffer: Arc<Buffer>,
    /// The GPU address of its first byte.
    pub(crate) start: u64,
    /// The number of jobs that use it.
    users: u32,
    /// The client has closed its last handle of the buffer.
    pub(crate) closing: bool,
    /// All of the buffer is mapped.
    pub(crate) ready: bool,
    /// It is being unmapped: the number of bytes that are.
    pub(crate) unmapped: Option<u64>,
    /// For when it is unmapped.
    pub(crate) entry: KBox<Entry>,
}

impl Region {
    /// The address after its last byte.
    pub(crate) fn end(&self) -> u64 {
        // OVERFLOW: none, for a region ends at 4 GiB at most.
        self.start.saturating_add(self.buffer.size())
    }

    /// Whether jobs use it.
    pub(crate) fn has_users(&self) -> bool {
        self.users != 0
    }
}

/// Where a region is: its number and size, by its start.
struct Spot {
    number: u32,
    size: u64,
    /// Whether jobs use it, as of the latest `Regions::update`.
    used: bool,
}

impl region_map::Region for Spot {
    fn size(&self) -> u64 {
        self.size
    }

    fn is_used(&self) -> bool {
        self.used
    }
}

/// The regions that jobs began to use, or no longer use, and for which the map is not up to date:
/// a job costs no search, and each region is noted once.
struct Changed {
    numbers: KVec<u32>,
    /// By number, whether it is noted.
    noted: KVec<bool>,
}

impl Changed {
    /// Makes room for the region with a number, so that `note` does not fail.
    fn reserve(&mut self, number: u32) -> Result<()> {
        let numbers = usize_of_u32(number).checked_add(1).ok_or(ENOMEM)?;
        while self.noted.len() < numbers {
            self.noted.push(false)?;
        }
        // OVERFLOW: saturates: there is room already.
        let more = numbers.saturating_sub(self.numbers.len());
        self.numbers.reserve(more)
    }

    fn note(&mut self, number: u32) {
        let Some(noted) = self.noted.get_mut(usize_of_u32(number)) else {
            return;
        };
        if !core::mem::replace(noted, true) {
            // There is room.
            let _ = self.numbers.push(number);
        }
    }

    fn take(&mut self) -> Option<u32> {
        let number = self.numbers.pop()?;
        if let Some(noted) = self.noted.get_mut(usize_of_u32(number)) {
            *noted = false;
        }
        Some(number)
    }
}

/// The number of changed regions for which the map is brought up to date with the lock held once,
/// and the number of its leaves.
const CHANGES: u32 = 256;
const LEAVES: u32 = 64;
/// The number of regions that are closed with the lock held once.
const CLOSES: u32 = 64;

/// Addresses in which all regions are closed.
pub(crate) enum Room {
    /// All that is wanted.
    Whole(Range<u64>),
    /// The first part of it: when its regions are unmapped, the caller asks again.
    Part(Range<u64>),
}

/// The regions of a VM.
pub(crate) struct Regions {
    os: Os,
    list: IdMap<Region>,
    by_start: RegionMap<Spot>,
    /// The numbers of regions, by the ids of their buffers.
    by_buffer: SortedMap<u64, u32>,
    changed: Changed,
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
            list: IdMap::new(os),
            by_start: RegionMap::new(os),
            by_buffer: SortedMap::new(os),
            changed: Changed {
                numbers: KVec::new(os),
                noted: KVec::new(os),
            },
            next: range.start,
            range,
        }
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
            let next = self.by_start.at_or_after(range.start);
            next.filter(|(start, _)| *start < range.end)
        })?;
        Some((first.number, self.list.get(first.number)?))
    }

    /// Room of `size` bytes, at `wanted` or at any address. The regions that overlap it, which no
    /// job uses, are closed: the caller unmaps them. `None` if the caller has to release the lock,
    /// and to call this again.
    ///
    /// # Errors
    ///
    /// ENOSPC if there is none.
    pub(crate) fn make_room(&mut self, size: u64, wanted: Option<u64>) -> Result<Option<Room>> {
        let room = match wanted {
            Some(start) => self.room_at(start, size)?,
            None => self.room(size)?,
        };
        let Some(room) = room else { return Ok(None) };
        let mut rest = room.clone();
        for _ in 0..CLOSES {
            let Some((number, region)) = self.first_in(&rest) else {
                if wanted.is_none() {
                    self.next = room.end;
                }
                return Ok(Some(Room::Whole(room)));
            };
            rest.start = region.end();
            self.close(number);
        }
        Ok(Some(Room::Part(room.start..rest.start)))
    }

    /// The range of `size` bytes at `start`. Regions that no job uses may overlap it. `None` as for
    /// `make_room`.
    ///
    /// # Errors
    ///
    /// ENOSPC if a region that jobs use overlaps it.
    fn room_at(&mut self, start: u64, size: u64) -> Result<Option<Range<u64>>> {
        let room = start..start.checked_add(size).ok_or(ENOSPC)?;
        // Mostly there is none, and the search below is not needed.
        if self.first_in(&room).is_some() {
            if !self.update() {
                return Ok(None);
            }
            let unused = self.by_start.first_unused(room.clone(), size);
            unused.ok_or(ENOSPC)?;
        }
        Ok(Some(room))
    }

    /// A range of `size` bytes at any address: a gap, or else one that only regions without jobs
    /// overlap. `None` as for `make_room`.
    ///
    /// # Errors
    ///
    /// ENOSPC if there is none.
    fn room(&mut self, size: u64) -> Result<Option<Range<u64>>> {
        let (whole, end) = (self.range.clone(), self.range.end);
        let map = &self.by_start;
        let gap = map.first_gap(self.next..end, size);
        let gap = match gap.or_else(|| map.first_gap(whole.clone(), size)) {
            None if !self.update() => return Ok(None),
            None => self.by_start.first_unused(whole, size),
            gap => gap,
        };
        let start = gap.ok_or(ENOSPC)?.start;
        Ok(Some(start..start.checked_add(size).ok_or(ENOSPC)?))
    }

    /// Brings the map up to date, in part: clients choose how many regions have changed, and this
    /// is called with the lock held. Returns whether all of it is up to date, so that
    /// `first_unused` of the map finds only what no job uses.
    fn update(&mut self) -> bool {
        for _ in 0..CHANGES {
            let Some(number) = self.changed.take() else {
                return self.by_start.refresh(LEAVES);
            };
            let region = self.list.get(number);
            let Some((start, used)) = region.map(|r| (r.start, r.has_users())) else {
                continue;
            };
            if let Some(spot) = self.by_start.get_mut(start) {
                spot.used = used;
            }
        }
        false
    }

    /// Adds a job to the users of a region, unless it has too many.
    pub(crate) fn add_user(&mut self, number: u32) -> Option<()> {
        let region = self.list.get_mut(number)?;
        let before = region.users;
        region.users = before.checked_add(1)?;
        if before == 0 {
            self.changed.note(number);
        }
        Some(())
    }

    /// Removes a job from the users of a region. Returns whether it was the last one of a region
    /// that the client has closed: then the region is closed.
    pub(crate) fn remove_user(&mut self, number: u32) -> bool {
        let Some(region) = self.list.get_mut(number) else {
            return false;
        };
        // OVERFLOW: none, for `add_user` or `insert` has added one.
        region.users = region.users.saturating_sub(1);
        if region.users != 0 {
            return false;
        }
        let closed = region.closing;
        self.changed.note(number);
        if closed {
            self.close(number);
        }
        closed
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
            entry: Entry::new(self.os)?,
        })?;
        let spot = Spot {
            number,
            size: buffer.size(),
            used: true,
        };
        let inserted = self
            .changed
            .reserve(number)
            .and_then(|()| self.by_buffer.insert(buffer.id(), number))
            .and_then(|()| self.by_start.insert(start, spot));
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
            self.changed.note(number);
        }
    }

    /// Removes a region, which is closed and unmapped.
    pub(crate) fn remove(&mut self, number: u32) -> Option<Region> {
        let region = self.list.remove(number)?;
        self.by_start.remove(region.start);
        Some(region)
    }
}
