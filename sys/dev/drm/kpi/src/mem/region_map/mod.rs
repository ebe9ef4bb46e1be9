// SPDX-License-Identifier: BSD-2-Clause
//! The regions of a GPU address space, in order of their addresses, in a tree of fixed height:
//! every operation, the search for a gap included, visits one path of it.
//!
//! Each node has the largest gap between its regions, and so a search descends only to where there
//! is one. The same for the regions that are in use alone is brought up to date only when it is
//! searched, because whether a region is in use changes with each job.

mod branch;
mod leaf;
mod node;
#[cfg(test)]
mod tests;

use crate::os::Os;
use crate::util::errno::Result;
use branch::Branch;
use core::ops::Range;
use leaf::Leaf;
use node::{Count, Entry, Node, Search};

pub use node::Region;

/// A map of regions by their starts; they do not overlap.
pub struct RegionMap<R> {
    root: Branch<Branch<Branch<Leaf<R>>>>,
    len: usize,
}

impl<R: Region> RegionMap<R> {
    /// An empty map.
    pub fn new(os: Os) -> Self {
        RegionMap {
            root: Branch::empty(os),
            len: 0,
        }
    }

    /// The number of regions.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no regions.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The region that starts at `start`.
    pub fn get(&self, start: u64) -> Option<&R> {
        self.root.get(start)
    }

    /// The region that starts at `start`, for writing.
    pub fn get_mut(&mut self, start: u64) -> Option<&mut R> {
        self.root.get_mut(start)
    }

    /// The last region that starts below `key`.
    pub fn before(&self, key: u64) -> Option<(u64, &R)> {
        self.root.before(key)
    }

    /// The first region that starts at `key` or above.
    pub fn at_or_after(&self, key: u64) -> Option<(u64, &R)> {
        self.root.at_or_after(key)
    }

    /// Inserts a region, where it overlaps none.
    ///
    /// # Errors
    ///
    /// ENOMEM; EINVAL if a region starts there. Then nothing has changed.
    pub fn insert(&mut self, start: u64, region: R) -> Result<()> {
        let end = region.end(start);
        self.root.insert(Entry { start, end, region })?;
        // OVERFLOW: none, for each region has bytes of memory.
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// Removes the region that starts at `start`.
    pub fn remove(&mut self, start: u64) -> Option<R> {
        let region = self.root.remove(start)?;
        // OVERFLOW: none, for this one was counted.
        self.len = self.len.saturating_sub(1);
        Some(region)
    }

    /// The first part of `range` of at least `least` bytes, as large as it can be, that overlaps no
    /// region.
    pub fn first_gap(&self, range: Range<u64>, least: u64) -> Option<Range<u64>> {
        self.search(Count::All, range, least)
    }

    /// Prepares for `first_unused`, in part: asks at most `leaves` times 64 regions that may have
    /// changed whether they are in use. Returns whether `first_unused` will ask none of them; if
    /// not, the caller calls this again.
    pub fn refresh(&mut self, leaves: u32) -> bool {
        let mut leaves = leaves;
        self.root.refresh(&mut leaves)
    }

    /// As `first_gap`, that overlaps no region in use. How long it takes depends on the number of
    /// changes since the last call or `refresh`.
    pub fn first_unused(&mut self, range: Range<u64>, least: u64) -> Option<Range<u64>> {
        self.refresh(u32::MAX);
        self.search(Count::Used, range, least)
    }

    fn search(&self, count: Count, range: Range<u64>, least: u64) -> Option<Range<u64>> {
        let mut search = Search {
            count,
            at: range.start,
            least: least.max(1),
        };
        let found = self.root.search(&mut search).unwrap_or(range.end);
        let gap = search.at..found.min(range.end);
        let size = gap.end.checked_sub(gap.start)?;
        (size >= least).then_some(gap)
    }
}
