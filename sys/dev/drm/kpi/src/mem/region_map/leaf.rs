// SPDX-License-Identifier: BSD-2-Clause
//! A leaf of the tree: regions, in order of their addresses.

use crate::alloc::KVec;
use crate::mem::region_map::node::{
    append, upper_half, Count, Entry, Extent, Node, Region, Search,
};
use crate::os::Os;
use crate::util::errno::{Result, EINVAL};

/// # Invariants
///
/// Entries ascend and do not overlap.
pub(super) struct Leaf<R> {
    entries: KVec<Entry<R>>,
    all: Extent,
    used: Extent,
    /// `used` may be out of date.
    stale: bool,
}

impl<R: Region> Leaf<R> {
    fn index(&self, start: u64) -> core::result::Result<usize, usize> {
        self.entries.binary_search_by_key(&start, |e| e.start)
    }

    fn measure(&self, count: Count) -> Extent {
        let counted = self
            .entries
            .iter()
            .filter(|e| count == Count::All || e.region.is_used());
        counted.fold(Extent::NONE, |extent, e| {
            extent.then(Extent {
                first: e.start,
                last: e.end,
                gap: 0,
            })
        })
    }

    fn changed(&mut self) {
        self.all = self.measure(Count::All);
        self.stale = true;
    }
}

impl<R: Region> Node<R> for Leaf<R> {
    fn empty(os: Os) -> Self {
        Leaf {
            entries: KVec::new(os),
            all: Extent::NONE,
            used: Extent::NONE,
            stale: false,
        }
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn first(&self) -> Option<u64> {
        self.entries.first().map(|e| e.start)
    }

    fn extent(&self, count: Count) -> Extent {
        match count {
            Count::All => self.all,
            Count::Used => self.used,
        }
    }

    fn refresh(&mut self, leaves: &mut u32) -> bool {
        if !self.stale {
            return true;
        }
        let Some(left) = leaves.checked_sub(1) else {
            return false;
        };
        *leaves = left;
        self.used = self.measure(Count::Used);
        self.stale = false;
        true
    }

    fn get(&self, start: u64) -> Option<&R> {
        let entry = self.entries.get(self.index(start).ok()?)?;
        Some(&entry.region)
    }

    fn get_mut(&mut self, start: u64) -> Option<&mut R> {
        let index = self.index(start).ok()?;
        self.stale = true;
        self.entries.get_mut(index).map(|e| &mut e.region)
    }

    fn before(&self, key: u64) -> Option<(u64, &R)> {
        let index = self.entries.partition_point(|e| e.start < key);
        let entry = self.entries.get(index.checked_sub(1)?)?;
        Some((entry.start, &entry.region))
    }

    fn at_or_after(&self, key: u64) -> Option<(u64, &R)> {
        let index = self.entries.partition_point(|e| e.start < key);
        self.entries.get(index).map(|e| (e.start, &e.region))
    }

    fn insert(&mut self, entry: Entry<R>) -> Result<()> {
        let index = self.index(entry.start).err().ok_or(EINVAL)?;
        self.entries.insert(index, entry)?;
        self.changed();
        Ok(())
    }

    fn remove(&mut self, start: u64) -> Option<R> {
        let entry = self.entries.remove(self.index(start).ok()?)?;
        self.changed();
        Some(entry.region)
    }

    fn split(&mut self) -> Result<Self> {
        let mut upper = Leaf::empty(self.entries.os());
        upper.entries = upper_half(&mut self.entries)?;
        upper.changed();
        self.changed();
        Ok(upper)
    }

    fn join(&mut self, next: &mut Self) -> Result<()> {
        append(&mut self.entries, &mut next.entries)?;
        self.changed();
        Ok(())
    }

    fn search(&self, search: &mut Search) -> Option<u64> {
        for entry in self.entries.iter() {
            if search.count == Count::Used && !entry.region.is_used() {
                continue;
            }
            if search.ends_at(entry.start) {
                return Some(entry.start);
            }
            search.at = search.at.max(entry.end);
        }
        None
    }
}
