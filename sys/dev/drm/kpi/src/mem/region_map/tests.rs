// SPDX-License-Identifier: BSD-2-Clause
//! Tests of the map of regions.

extern crate std;
use super::*;
use crate::mem::region_map::node::FULL;
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
