// SPDX-License-Identifier: BSD-2-Clause
//! What a node of the tree is: its extent, and what is common to leaves and branches.

use crate::alloc::KVec;
use crate::os::Os;
use crate::util::errno::Result;

/// A region of an address space, in a map by its start.
pub trait Region {
    /// Its size in bytes, which does not change.
    fn size(&self) -> u64;

    /// Whether it is in use, so that nothing else can have its addresses.
    fn is_used(&self) -> bool {
        true
    }

    /// The address after its last byte, for a region that starts at `start`.
    fn end(&self, start: u64) -> u64 {
        // OVERFLOW: none, for an address space has at most 48 bits.
        start.saturating_add(self.size())
    }
}

/// The regions that a search counts as taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    All,
    Used,
}

/// Entries of a full node. Nodes of a map that was filled in order are half full: four levels are
/// enough for 2^20 regions with as many entries in the root.
pub(super) const FULL: usize = 64;
/// The entries of two nodes that are joined, at most.
pub(super) const SMALL: usize = FULL / 2;

/// What a node says of its regions: the first start, the last end, and the largest gap in between.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) gap: u64,
}

impl Extent {
    pub(super) const NONE: Extent = Extent {
        first: u64::MAX,
        last: 0,
        gap: 0,
    };

    pub(super) fn is_none(self) -> bool {
        self.first > self.last
    }

    /// That of both, of which `next` is above.
    pub(super) fn then(self, next: Extent) -> Extent {
        if self.is_none() {
            return next;
        }
        if next.is_none() {
            return self;
        }
        // OVERFLOW: none, for regions do not overlap.
        let between = next.first.saturating_sub(self.last);
        Extent {
            first: self.first,
            last: next.last,
            gap: self.gap.max(next.gap).max(between),
        }
    }
}

/// A search for a gap of at least `least` bytes that has come to the address `at`, where a gap
/// begins, or which is in a region.
pub(super) struct Search {
    pub(super) count: Count,
    pub(super) at: u64,
    pub(super) least: u64,
}

impl Search {
    /// Whether there is a gap of the size from `at` to `start`.
    pub(super) fn ends_at(&self, start: u64) -> bool {
        start.checked_sub(self.at).is_some_and(|n| n >= self.least)
    }
}

/// A node of the tree.
pub(super) trait Node<R: Region>: Sized {
    fn empty(os: Os) -> Self;
    fn len(&self) -> usize;
    fn first(&self) -> Option<u64>;
    /// As of the last `refresh`, if of regions in use.
    fn extent(&self, count: Count) -> Extent;
    /// Brings the extent of regions in use up to date, unless that takes more than `leaves` leaves;
    /// subtracts those that it took. Returns whether it is up to date.
    fn refresh(&mut self, leaves: &mut u32) -> bool;
    fn get(&self, start: u64) -> Option<&R>;
    fn get_mut(&mut self, start: u64) -> Option<&mut R>;
    fn before(&self, key: u64) -> Option<(u64, &R)>;
    fn at_or_after(&self, key: u64) -> Option<(u64, &R)>;
    /// Inserts where there is room for one more entry.
    fn insert(&mut self, entry: Entry<R>) -> Result<()>;
    fn remove(&mut self, start: u64) -> Option<R>;
    /// Moves the upper half to a new node. Fails without a change.
    fn split(&mut self) -> Result<Self>;
    /// Appends the entries of the next node, if there is memory for them.
    fn join(&mut self, next: &mut Self) -> Result<()>;
    /// Continues a search.
    fn search(&self, search: &mut Search) -> Option<u64>;
}

pub(super) struct Entry<R> {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) region: R,
}

/// Moves the entries from `half` on to a new array, in order.
pub(super) fn upper_half<T>(entries: &mut KVec<T>) -> Result<KVec<T>> {
    const HALF: usize = FULL / 2;
    let mut upper = KVec::with_capacity(entries.os(), FULL)?;
    while entries.len() > HALF {
        let Some(last) = entries.pop() else { break };
        // There is room.
        upper.push(last)?;
    }
    upper.as_mut_slice().reverse();
    Ok(upper)
}

/// Moves all of `next` to the end of `entries`.
pub(super) fn append<T>(entries: &mut KVec<T>, next: &mut KVec<T>) -> Result<()> {
    entries.reserve(next.len())?;
    next.as_mut_slice().reverse();
    while let Some(entry) = next.pop() {
        // There is room.
        entries.push(entry)?;
    }
    Ok(())
}
