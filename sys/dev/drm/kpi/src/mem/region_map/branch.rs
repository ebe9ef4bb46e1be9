// SPDX-License-Identifier: BSD-2-Clause
//! A node with children: leaves, or other branches.

use crate::alloc::KVec;
use crate::mem::region_map::node::{
    append, upper_half, Count, Entry, Extent, Node, Region, Search, FULL, SMALL,
};
use crate::os::Os;
use crate::util::errno::{Result, EINVAL};

/// # Invariants
///
/// No child is empty, and their regions ascend.
pub(super) struct Branch<C> {
    pub(super) children: KVec<C>,
    all: Extent,
    used: Extent,
    /// `used` may be out of date.
    stale: bool,
}

impl<C> Branch<C> {
    /// The index of the child for `key`.
    fn child<R: Region>(&self, key: u64) -> usize
    where
        C: Node<R>,
    {
        let begins = |child: &C| child.first().is_none_or(|first| first <= key);
        // OVERFLOW: saturates: a key below all others belongs to the first child.
        self.children.partition_point(begins).saturating_sub(1)
    }

    fn changed<R: Region>(&mut self)
    where
        C: Node<R>,
    {
        self.all = self.measure::<R>(Count::All);
        self.stale = true;
    }

    fn measure<R: Region>(&self, count: Count) -> Extent
    where
        C: Node<R>,
    {
        let extents = self.children.iter().map(|child| child.extent(count));
        extents.fold(Extent::NONE, Extent::then)
    }

    /// Joins a child and the next if both are small and there is memory, so that few regions are in
    /// few nodes.
    fn join_next<R: Region>(&mut self, at: usize)
    where
        C: Node<R>,
    {
        let [this, next, ..] = self.children.get_mut(at..).unwrap_or_default() else {
            return;
        };
        let entries = this.len().checked_add(next.len());
        let small = entries.is_some_and(|entries| entries <= SMALL);
        if small && this.join(next).is_ok() {
            if let Some(after) = at.checked_add(1) {
                self.children.remove(after);
            }
        }
    }
}

impl<R: Region, C: Node<R>> Node<R> for Branch<C> {
    fn empty(os: Os) -> Self {
        Branch {
            children: KVec::new(os),
            all: Extent::NONE,
            used: Extent::NONE,
            stale: false,
        }
    }

    fn len(&self) -> usize {
        self.children.len()
    }

    fn first(&self) -> Option<u64> {
        self.children.first()?.first()
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
        if !self.children.iter_mut().all(|child| child.refresh(leaves)) {
            return false;
        }
        self.used = self.measure::<R>(Count::Used);
        self.stale = false;
        true
    }

    fn get(&self, start: u64) -> Option<&R> {
        self.children.get(self.child::<R>(start))?.get(start)
    }

    fn get_mut(&mut self, start: u64) -> Option<&mut R> {
        let at = self.child::<R>(start);
        let region = self.children.get_mut(at)?.get_mut(start)?;
        self.stale = true;
        Some(region)
    }

    fn before(&self, key: u64) -> Option<(u64, &R)> {
        let at = self.child::<R>(key);
        match self.children.get(at)?.before(key) {
            None => self.children.get(at.checked_sub(1)?)?.before(key),
            found => found,
        }
    }

    fn at_or_after(&self, key: u64) -> Option<(u64, &R)> {
        let at = self.child::<R>(key);
        match self.children.get(at)?.at_or_after(key) {
            None => self.children.get(at.checked_add(1)?)?.at_or_after(key),
            found => found,
        }
    }

    fn insert(&mut self, entry: Entry<R>) -> Result<()> {
        if self.children.is_empty() {
            let mut child = C::empty(self.children.os());
            // All that can fail is done before the child is linked.
            self.children.reserve(1)?;
            child.insert(entry)?;
            self.children.push(child)?;
        } else {
            let mut at = self.child::<R>(entry.start);
            let full = self.children.get(at).is_some_and(|c| c.len() >= FULL);
            if full {
                // On the way down, so that a failure further down leaves a tree.
                self.children.reserve(1)?;
                let next = at.checked_add(1).ok_or(EINVAL)?;
                if let Some(upper) = self.children.get_mut(at).map(C::split) {
                    self.children.insert(next, upper?)?;
                }
                at = self.child::<R>(entry.start);
            }
            let child = self.children.get_mut(at).ok_or(EINVAL)?;
            let inserted = child.insert(entry);
            if inserted.is_err() {
                self.changed::<R>();
                return inserted;
            }
        }
        self.changed::<R>();
        Ok(())
    }

    fn remove(&mut self, start: u64) -> Option<R> {
        let at = self.child::<R>(start);
        let child = self.children.get_mut(at)?;
        let region = child.remove(start)?;
        if child.len() == 0 {
            self.children.remove(at);
        } else {
            self.join_next::<R>(at);
        }
        if let Some(before) = at.checked_sub(1) {
            self.join_next::<R>(before);
        }
        self.changed::<R>();
        Some(region)
    }

    fn split(&mut self) -> Result<Self> {
        let mut upper = Branch::empty(self.children.os());
        upper.children = upper_half(&mut self.children)?;
        upper.changed::<R>();
        self.changed::<R>();
        Ok(upper)
    }

    fn join(&mut self, next: &mut Self) -> Result<()> {
        append(&mut self.children, &mut next.children)?;
        self.changed::<R>();
        Ok(())
    }

    fn search(&self, search: &mut Search) -> Option<u64> {
        for child in self.children.iter() {
            let extent = child.extent(search.count);
            if extent.is_none() || extent.last <= search.at {
                continue;
            }
            if search.ends_at(extent.first) {
                return Some(extent.first);
            }
            // At one child of each level at most, the gap may be below `at`.
            if extent.gap >= search.least {
                if let Some(end) = child.search(search) {
                    return Some(end);
                }
            }
            search.at = search.at.max(extent.last);
        }
        None
    }
}
