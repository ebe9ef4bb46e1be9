// SPDX-License-Identifier: BSD-2-Clause
//! The regions of a GPU address space, in order of their addresses, in a tree of fixed height:
//! every operation, the search for a gap included, visits one path of it.
//!
//! Each node has the largest gap between its regions, and so a search descends only to where there
//! is one. The same for the regions that are in use alone is brought up to date only when it is
//! searched, because whether a region is in use changes with each job.

use crate::alloc::KVec;
use crate::os::Os;
use crate::util::errno::{Result, EINVAL};
use core::ops::Range;

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
enum Count {
    All,
    Used,
}

/// Entries of a full node. Nodes of a map that was filled in order are half full: four levels are
/// enough for 2^20 regions with as many entries in the root.
const FULL: usize = 64;
/// The entries of two nodes that are joined, at most.
const SMALL: usize = FULL / 2;

/// What a node says of its regions: the first start, the last end, and the largest gap in between.
#[derive(Clone, Copy)]
struct Extent {
    first: u64,
    last: u64,
    gap: u64,
}

impl Extent {
    const NONE: Extent = Extent {
        first: u64::MAX,
        last: 0,
        gap: 0,
    };

    fn is_none(self) -> bool {
        self.first > self.last
    }

    /// That of both, of which `next` is above.
    fn then(self, next: Extent) -> Extent {
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
struct Search {
    count: Count,
    at: u64,
    least: u64,
}

impl Search {
    /// Whether there is a gap of the size from `at` to `start`.
    fn ends_at(&self, start: u64) -> bool {
        start.checked_sub(self.at).is_some_and(|n| n >= self.least)
    }
}

/// A node of the tree.
trait Node<R: Region>: Sized {
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

struct Entry<R> {
    start: u64,
    end: u64,
    region: R,
}

/// # Invariants
///
/// Entries ascend and do not overlap.
struct Leaf<R> {
    entries: KVec<Entry<R>>,
    all: Extent,
    used: Extent,
    /// `used` may be out of date.
    stale: bool,
}

/// # Invariants
///
/// No child is empty, and their regions ascend.
struct Branch<C> {
    children: KVec<C>,
    all: Extent,
    used: Extent,
    /// `used` may be out of date.
    stale: bool,
}

/// Moves the entries from `half` on to a new array, in order.
fn upper_half<T>(entries: &mut KVec<T>) -> Result<KVec<T>> {
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
fn append<T>(entries: &mut KVec<T>, next: &mut KVec<T>) -> Result<()> {
    entries.reserve(next.len())?;
    next.as_mut_slice().reverse();
    while let Some(entry) = next.pop() {
        // There is room.
        entries.push(entry)?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use drm_os_host::{Config, World};
    use seeded::Random;
    use std::cell::Cell;
    use std::collections::BTreeMap;
    use std::vec::Vec;

    /// A region, and the number of times that one was asked whether it is used.
    struct Tested<'a> {
        size: u64,
        used: bool,
        asked: &'a Cell<u64>,
    }

    impl Region for Tested<'_> {
        fn size(&self) -> u64 {
            self.size
        }

        fn is_used(&self) -> bool {
            self.asked.set(self.asked.get().checked_add(1).unwrap());
            self.used
        }
    }

    /// What the standard library's map finds: sizes and use, by start.
    type Oracle = BTreeMap<u64, (u64, bool)>;

    #[expect(clippy::arithmetic_side_effects, reason = "small numbers")]
    fn gap_of(
        map: &Oracle,
        range: Range<u64>,
        least: u64,
        counts: fn(bool) -> bool,
    ) -> Option<Range<u64>> {
        let mut at = range.start;
        let counted = map.iter().filter(|(_, (_, used))| counts(*used));
        for (start, (size, _)) in counted {
            let end = (*start).min(range.end);
            if end >= at + least {
                return Some(at..end);
            }
            at = at.max(start + size);
        }
        (range.end >= at + least).then_some(at..range.end)
    }

    /// Against the standard library's map, through all levels, in random order and in ascending
    /// order. Catches a gap that is not found or found in a region, an extent that is out of date,
    /// and a node that is split or joined wrongly.
    #[test]
    fn it_is_as_the_standard_librarys() {
        const PAGES: u64 = 40_000;
        let world = World::new(Config::default());
        let asked = Cell::new(0);
        let mut ours = RegionMap::new(Os::of_world(&world));
        let mut theirs = Oracle::new();
        let mut random = Random::new(7);
        let mut most = 0;
        for step in 0..60_000u64 {
            let start = match step {
                ..8_000 => step,
                _ => random.below(PAGES),
            };
            let (size, used) = (1 + random.below(3), random.one_in(2));
            let fill = step < 20_000 || (step / 15_000).is_multiple_of(2);
            let before = theirs.range(..start + size).next_back();
            let free = before.is_none_or(|(other, (size, _))| other + size <= start);
            if free && fill {
                let asked = &asked;
                let region = Tested { size, used, asked };
                ours.insert(start, region).unwrap();
                theirs.insert(start, (size, used));
            } else if random.one_in(4) {
                if let Some(region) = ours.get_mut(start) {
                    region.used = used;
                }
                theirs.entry(start).and_modify(|region| region.1 = used);
            } else {
                let removed = ours.remove(start).map(|region| (region.size, region.used));
                assert_eq!(removed, theirs.remove(&start));
            }
            assert_eq!(ours.len(), theirs.len());
            most = most.max(ours.len());
            let from = random.below(PAGES);
            let range = from..from + random.below(PAGES + 8 - from);
            let least = 1 + random.below(12);
            if step % 16 == 0 {
                let expected = gap_of(&theirs, range.clone(), least, |_| true);
                assert_eq!(ours.first_gap(range.clone(), least), expected);
                let expected = gap_of(&theirs, range.clone(), least, |used| used);
                assert_eq!(ours.first_unused(range, least), expected);
            }
            let found = |(start, region): (u64, &Tested<'_>)| (start, region.size);
            let next = theirs.range(from..).next().map(|(s, r)| (*s, r.0));
            assert_eq!(ours.at_or_after(from).map(found), next);
            let before = theirs.range(..from).next_back().map(|(s, r)| (*s, r.0));
            assert_eq!(ours.before(from).map(found), before);
            assert_eq!(ours.get(from).is_some(), theirs.contains_key(&from));
        }
        assert!(most > 6_000, "{most} regions");
        let starts: Vec<u64> = theirs.keys().copied().collect();
        for start in starts {
            assert!(ours.remove(start).is_some());
        }
        assert!(ours.is_empty() && ours.root.children.is_empty());
    }

    /// Catches: a search that visits each region.
    #[test]
    fn a_search_in_a_full_space_visits_few_regions() {
        let world = World::new(Config::default());
        for count in [3_000u64, 300_000] {
            let asked = Cell::new(0);
            let mut map = RegionMap::new(Os::of_world(&world));
            for start in 0..count {
                let (size, used, asked) = (1, true, &asked);
                map.insert(start, Tested { size, used, asked }).unwrap();
            }
            let _ = map.first_unused(0..count, 1);
            for start in [0, count / 3, count - 1] {
                map.get_mut(start).unwrap().used = false;
                asked.set(0);
                assert_eq!(map.first_unused(0..count, 1), Some(start..start + 1));
                map.get_mut(start).unwrap().used = true;
                assert_eq!(map.first_unused(0..count, 1), None);
                assert_eq!(map.first_unused(0..count + 1, 1), Some(count..count + 1));
                // Two leaves are brought up to date, and one is searched.
                let most = 3 * u64::try_from(FULL).unwrap();
                assert!(asked.get() <= most, "{count}: {}", asked.get());
            }
        }
    }

    /// Catches: a refresh whose length is that of all changes, or after which a search finds what
    /// was before them.
    #[test]
    fn a_refresh_is_in_parts() {
        const COUNT: u64 = 10_000;
        const LEAVES: u32 = 8;
        let world = World::new(Config::default());
        let asked = Cell::new(0);
        let mut map = RegionMap::new(Os::of_world(&world));
        for start in 0..COUNT {
            let (size, used, asked) = (1, true, &asked);
            map.insert(start, Tested { size, used, asked }).unwrap();
        }
        let most = u64::from(LEAVES) * u64::try_from(FULL).unwrap();
        for used in [true, false] {
            for start in 0..COUNT {
                map.get_mut(start).unwrap().used = used;
            }
            let mut parts = 1;
            loop {
                asked.set(0);
                let done = map.refresh(LEAVES);
                assert!(asked.get() <= most, "{} asked", asked.get());
                if done {
                    break;
                }
                parts += 1;
            }
            assert!(parts >= COUNT / most, "{parts}");
            let first = (!used).then_some(0..COUNT);
            assert_eq!(map.first_unused(0..COUNT, 1), first);
        }
    }

    /// Catches: a region that is lost, or a tree that is wrong, after an allocation has failed.
    #[test]
    fn an_insertion_without_memory_changes_nothing() {
        let world = World::new(Config::default());
        let asked = Cell::new(0);
        let mut map = RegionMap::new(Os::of_world(&world));
        let mut failed = 0;
        for start in 0..10_000u64 {
            for n in 0.. {
                world.fail_allocation(Some(n));
                let (size, used, asked) = (1, true, &asked);
                let inserted = map.insert(start * 2, Tested { size, used, asked });
                world.fail_allocation(None);
                if inserted.is_ok() {
                    break;
                }
                failed += 1;
                assert!(map.get(start * 2).is_none());
            }
            if start % 500 == 0 {
                assert_eq!(map.first_gap(0..u64::MAX, 2), Some(start * 2 + 1..u64::MAX));
                assert!((0..=start).all(|start| map.get(start * 2).is_some()));
            }
        }
        assert!(failed > 300, "{failed}");
    }
}
