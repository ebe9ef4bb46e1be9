// SPDX-License-Identifier: BSD-2-Clause
//! Named cases: edges of the address space, alignments, overlaps, holes, splits and merges.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::unreachable,
    reason = "a test may fail loudly"
)]

mod common;

use common::formats::*;
use common::harness::*;
use common::Layout;
use iommu_pmap::*;

const K4: u64 = 0x1000;
const M2: u64 = 0x20_0000;
const G1: u64 = 0x4000_0000;
const T05: u64 = 0x80_0000_0000;
const TOP: u64 = 1 << 48;
const RW: Prot = Prot::READ.union(Prot::WRITE);
const PA: u64 = 0x60_0000_0000;

fn mali() -> Harness<MaliLpae> {
    let h = Harness::new(MALI);
    h.world.borrow_mut().trace = Some(Vec::new());
    h
}

fn map(iova: u64, pa: u64, len: u64) -> Op {
    Op::Map(iova, pa, len, RW, MemAttr::Cached)
}

/// Every start next to every boundary of a level, every length around the two sizes, memory that is
/// congruent or not: map, fail to map again, unmap in two halves, and nothing stays mapped.
#[test]
fn places_lengths_and_alignments() {
    let ends = [0, M2, G1, T05, TOP];
    let lengths = [K4, 2 * K4, M2 - K4, M2, M2 + K4, 2 * M2, 3 * M2 + 5 * K4];
    for around in ends {
        for len in lengths {
            for back in [0, K4, M2 - K4, M2, len, len / 2 / K4 * K4] {
                let Some(start) = around.checked_sub(back).filter(|start| start + len <= TOP)
                else {
                    continue;
                };
                for skew in [0, K4, M2 - K4] {
                    let pa = PA + (start % M2 + skew) % M2;
                    let mut h = Harness::<MaliLpae>::new(MALI);
                    h.run(map(start, pa, len), None).unwrap();
                    for (page, pages) in
                        [(0, 1), (len / K4 - 1, 1), (len / K4 / 2, 1), (0, len / K4)]
                    {
                        let again = map(start + page * K4, 0, pages * K4);
                        assert_eq!(h.run(again, None), Err(MapError::Overlap));
                    }
                    let half = (len / 2 / K4 * K4).max(K4);
                    assert_eq!(h.run(Op::Unmap(start, half), None), Ok(half));
                    if half < len {
                        assert_eq!(h.run(Op::Unmap(start, len), None), Ok(len - half));
                    }
                    assert_eq!(h.run(Op::Unmap(start, len), None), Ok(0));
                    assert!(h.world.borrow().is_bare());
                    h.finish();
                }
            }
        }
    }
}

#[test]
fn what_the_format_does_not_translate_is_refused() {
    let mut h = mali();
    let mut tlb = common::TestTlb(h.world.clone());
    let mut guard = h.pt.as_mut().unwrap().update(&mut h.mem, &mut tlb);
    let mut refused = |iova, pa, len| guard.map(Iova(iova), Pa(pa), len, RW, MemAttr::Cached);
    assert_eq!(refused(1, 0, K4), Err(MapError::Misaligned));
    assert_eq!(refused(0, 0x800, K4), Err(MapError::Misaligned));
    assert_eq!(refused(0, 0, K4 + 1), Err(MapError::Misaligned));
    assert_eq!(refused(0, 0, 0), Err(MapError::OutOfRange));
    assert_eq!(refused(TOP, 0, K4), Err(MapError::OutOfRange));
    assert_eq!(refused(TOP - K4, 0, 2 * K4), Err(MapError::OutOfRange));
    assert_eq!(refused(u64::MAX - 0xfff, 0, K4), Err(MapError::OutOfRange));
    assert_eq!(refused(u64::MAX - 0x1fff, 0, K4), Err(MapError::OutOfRange));
    assert_eq!(refused(0, 1 << 40, K4), Err(MapError::OutOfRange));
    assert_eq!(
        refused(0, (1 << 40) - K4, 2 * K4),
        Err(MapError::OutOfRange)
    );
    assert_eq!(
        refused(0, u64::MAX - 0xfff, 2 * K4),
        Err(MapError::OutOfRange)
    );
    let outside = range(TOP - K4, 2 * K4);
    assert_eq!(guard.unmap(outside), Err(MapError::OutOfRange));
    assert_eq!(
        guard.protect(outside, RW, MemAttr::Cached),
        Err(MapError::OutOfRange)
    );
    assert_eq!(guard.merge(outside), Err(MapError::OutOfRange));
    drop(guard);
    assert!(h.world.borrow().flushes.is_empty());
    h.run(map(TOP - K4, (1 << 40) - K4, K4), None).unwrap();
    assert_eq!(h.lookup(TOP), None);
    assert_eq!(h.lookup(u64::MAX), None);
    assert_eq!(
        h.lookup(TOP - 1).map(|found| found.pa),
        Some(Pa((1 << 40) - 1))
    );
    h.finish();
}

/// Overlap with a page, with a block, from below and above, and of a block with a table.
#[test]
fn overlap_changes_nothing() {
    let mut h = mali();
    h.run(map(5 * M2 + 7 * K4, PA, K4), None).unwrap();
    h.run(map(8 * M2, PA, M2), None).unwrap();
    for op in [
        map(5 * M2, PA, M2),
        map(0, PA, 16 * M2),
        map(0, PA + K4, 16 * M2),
        map(8 * M2 + 3 * K4, PA, K4),
        map(8 * M2 - K4, PA, 2 * K4),
        map(9 * M2 - K4, PA, 2 * K4),
        map(5 * M2, PA, 8 * K4),
    ] {
        assert_eq!(h.run(op, None), Err(MapError::Overlap));
        assert!(h.world.borrow().flushes.is_empty());
    }
    assert_eq!(h.world.borrow().live_tables(), 7);
    h.run(map(5 * M2, PA, 7 * K4), None).unwrap();
    h.run(map(5 * M2 + 8 * K4, PA, 3 * M2 - 8 * K4), None)
        .unwrap();
    h.finish();
}

#[test]
fn holes_are_no_error() {
    let mut h = mali();
    for at in [3, 9, 511, 512, 1030] {
        h.run(map(at * K4, PA, K4), None).unwrap();
    }
    h.run(map(G1, PA, M2), None).unwrap();
    h.run(map(T05 + G1, PA, K4), None).unwrap();
    assert_eq!(
        h.run(Op::Protect(0, TOP, Prot::READ, MemAttr::Device), None),
        Ok(6 * K4 + M2)
    );
    assert_eq!(h.run(Op::Unmap(4 * K4, 507 * K4), None), Ok(K4));
    assert_eq!(h.run(Op::Unmap(0, TOP), None), Ok(5 * K4 + M2));
    assert!(h.world.borrow().is_bare());
    h.finish();
}

/// A block split at its first, a middle and its last page, over both edges, and from both sides at
/// once.
#[test]
fn splits() {
    for (from, pages) in [
        (0, 1),
        (255, 1),
        (511, 1),
        (0, 511),
        (1, 511),
        (1, 510),
        (300, 600),
    ] {
        for unmap in [true, false] {
            let mut h = mali();
            h.run(map(M2, PA, 3 * M2), None).unwrap();
            let (start, len) = (M2 + from * K4, pages * K4);
            let protect = Op::Protect(start, len, Prot::READ | Prot::EXEC, MemAttr::Device);
            let op = if unmap {
                Op::Unmap(start, len)
            } else {
                protect
            };
            assert_eq!(h.run(op, None), Ok(len));
            if unmap {
                h.run(map(start, PA + start - M2, len), None).unwrap();
            } else {
                h.run(Op::Protect(start, len, RW, MemAttr::Cached), None)
                    .unwrap();
            }
            let split = if from + pages > 512 { 2 } else { 1 };
            assert_eq!(h.run(Op::Merge(M2, 3 * M2), None), Ok(split * M2));
            assert_eq!(h.lookup(M2).map(|found| found.size), Some(PageSize::Size2M));
            h.finish();
        }
    }
    let mut h = mali();
    h.run(map(0, PA, 4 * M2), None).unwrap();
    assert_eq!(
        h.run(Op::Unmap(M2 - K4, 2 * M2 + 2 * K4), None),
        Ok(2 * M2 + 2 * K4)
    );
    assert_eq!(h.lookup(0).map(|found| found.size), Some(PageSize::Size4K));
    h.finish();
}

/// A split allocates both tables before it changes anything, or changes nothing.
#[test]
fn split_without_memory() {
    for unmap in [true, false] {
        for fail in 0..2 {
            let mut h = mali();
            h.run(map(0, PA, 2 * M2), None).unwrap();
            let protect = Op::Protect(K4, 2 * M2 - 2 * K4, Prot::READ, MemAttr::Cached);
            let op = if unmap {
                Op::Unmap(K4, 2 * M2 - 2 * K4)
            } else {
                protect
            };
            assert_eq!(h.run(op, Some(fail)), Err(MapError::NoMemory));
            assert!(h.world.borrow().flushes.is_empty());
            h.run(op, Some(2)).unwrap();
            h.finish();
        }
    }
}

#[test]
fn merge_needs_all_pages_alike() {
    let whole = |h: &mut Harness<MaliLpae>| h.run(Op::Merge(M2, K4), None).unwrap();
    // Complete, in three calls and out of order; merged by any page of the region.
    let mut h = mali();
    h.run(map(M2 + 300 * K4, PA + 300 * K4, 212 * K4), None)
        .unwrap();
    h.run(map(M2 + K4, PA + K4, 299 * K4), None).unwrap();
    assert_eq!(whole(&mut h), 0);
    h.run(map(M2, PA, K4), None).unwrap();
    assert_eq!(h.run(Op::Merge(2 * M2 - K4, K4), None), Ok(M2));
    assert_eq!(whole(&mut h), 0);
    assert_eq!(h.world.borrow().live_tables(), 6);
    h.finish();
    // One page with another attribute, permission or address; memory that is not aligned; a hole.
    for bad in [0, 1, 255, 510, 511] {
        for kind in 0..4 {
            let mut h = mali();
            let page = M2 + bad * K4;
            let target = PA + bad * K4;
            let (prot, attr, pa) = match kind {
                0 => (Prot::READ, MemAttr::Cached, target),
                1 => (RW, MemAttr::Device, target),
                2 => (RW, MemAttr::Cached, target + 4 * M2),
                _ => (RW, MemAttr::Cached, 0),
            };
            h.run(map(M2, PA, M2), None).unwrap();
            h.run(Op::Unmap(page, K4), None).unwrap();
            if kind != 3 {
                h.run(Op::Map(page, pa, K4, prot, attr), None).unwrap();
            }
            assert_eq!(whole(&mut h), 0);
            h.finish();
        }
    }
    let mut h = mali();
    h.run(map(M2, PA + K4, M2), None).unwrap();
    assert_eq!(whole(&mut h), 0);
    h.finish();
}

/// More merges than a guard holds: it flushes in between, and frees nothing early.
#[test]
fn large_merge_flushes_in_between() {
    let blocks = 2 * MERGES_PER_FLUSH as u64 + 3;
    let mut h = Harness::<MaliLpae>::new(MALI);
    for block in 0..blocks {
        h.run(map(block * M2, PA + block * M2, M2 - K4), None)
            .unwrap();
        h.run(
            map(block * M2 + M2 - K4, PA + block * M2 + M2 - K4, K4),
            None,
        )
        .unwrap();
    }
    h.world.borrow_mut().flushes.clear();
    let mut guard = h.pt.as_mut().unwrap().update(&mut h.mem, &mut h.tlb);
    assert_eq!(guard.merge(range(0, blocks * M2)), Ok(blocks * M2));
    drop(guard);
    let part = MERGES_PER_FLUSH as u64 * M2;
    let expected = [range(0, part), range(part, part), range(2 * part, 3 * M2)];
    assert_eq!(h.world.borrow().flushes, expected);
    for tr in h.oracle.values_mut() {
        tr.size = PageSize::Size2M;
    }
    h.check_state();
    h.finish();
}

/// Several operations under one guard: one flush, and only at the end.
#[test]
fn one_guard_flushes_once() {
    let mut h = mali();
    h.run(map(0, PA, 4 * M2), None).unwrap();
    let results = h.run_together(&[
        Op::Unmap(K4, K4),
        map(K4, PA + K4, K4),
        Op::Merge(0, K4),
        Op::Unmap(M2, M2),
        map(M2, PA, K4),
        map(G1, PA, M2 + K4),
        Op::Unmap(G1, 2 * M2),
        map(0, PA, K4),
    ]);
    assert_eq!(results.last(), Some(&Err(MapError::Overlap)));
    assert_eq!(h.world.borrow().flushes, [range(0, 2 * G1)]);
    // Nothing done, nothing to flush.
    h.run_together(&[]);
    assert!(h.world.borrow().flushes.is_empty());
    let world = h.world.clone();
    let mut guard = h.pt.as_mut().unwrap().update(&mut h.mem, &mut h.tlb);
    guard.unmap(range(0, K4)).unwrap();
    assert!(world.borrow().flushes.is_empty());
    drop(guard);
    assert_eq!(world.borrow().flushes.len(), 1);
    for (_, tr) in h.oracle.range_mut(0..M2) {
        tr.size = PageSize::Size4K;
    }
    h.oracle.remove(&0);
    h.check_state();
    h.finish();
}

/// The cost of a change is counted in tables and runs, not in pages.
#[test]
fn one_descent_and_one_sync_per_table() {
    let mut h = Harness::<MaliLpae>::new(MALI);
    let cost = |h: &mut Harness<MaliLpae>, op| {
        let before = {
            let w = h.world.borrow();
            (w.opens, w.syncs, w.reads, w.writes)
        };
        let mut guard = h.pt.as_mut().unwrap().update(&mut h.mem, &mut h.tlb);
        match op {
            Op::Map(iova, pa, len, prot, attr) => {
                guard.map(Iova(iova), Pa(pa), len, prot, attr).unwrap();
            }
            Op::List(iova, pa, len, run, prot, attr) => {
                let pages = list(pa, len, run);
                guard.map_pages(Iova(iova), &pages, prot, attr).unwrap();
            }
            Op::Unmap(iova, len) => drop(guard.unmap(range(iova, len))),
            _ => unreachable!(),
        }
        drop(guard);
        let w = h.world.borrow();
        (
            w.opens - before.0,
            w.syncs - before.1,
            w.reads - before.2,
            w.writes - before.3,
        )
    };
    cost(&mut h, map(0, PA, K4));
    // 4 tables of pages, one of which exists already. Each new one is synced twice, for the list in
    // which it was reserved: a range in one table reserves nothing.
    let (opens, syncs, reads, writes) = cost(&mut h, map(K4, PA, 4 * M2 - K4));
    assert!(
        opens <= 4 * 14 + 3 && syncs == 4 + 3 * 2,
        "{opens} opens, {syncs} syncs"
    );
    assert!(
        reads <= 511 + 4 * 24 && writes <= 2047 + 3 * 5 + 1,
        "{reads} reads, {writes} writes"
    );
    // 64 blocks in one table: one run.
    let (opens, syncs, reads, writes) = cost(&mut h, map(G1, PA, 64 * M2));
    assert!(
        opens <= 12 && syncs == 2 && reads <= 24 && writes <= 64 + 6,
        "{opens} {syncs} {reads} {writes}"
    );
    let (opens, syncs, ..) = cost(&mut h, Op::Unmap(0, 4 * M2));
    assert!(
        opens <= 4 * 20 && syncs <= 4 * 2 + 2,
        "{opens} opens, {syncs} syncs"
    );
    // A list: one walk, one sync of the table, and of each pointer to a new one.
    let scattered = |at, len| Op::List(at, PA + K4, len, 1, RW, MemAttr::Cached);
    let (opens, syncs, reads, writes) = cost(&mut h, scattered(0, M2 / 2));
    assert!(
        opens <= 12 && syncs == 3 && reads <= 8 && writes <= 256 + 8,
        "{opens} {syncs} {reads} {writes}"
    );
    let (opens, syncs, reads, writes) = cost(&mut h, scattered(M2 / 2, M2 / 2));
    assert!(
        opens <= 8 && syncs == 1 && reads <= 256 + 8 && writes <= 256 + 1,
        "{opens} {syncs} {reads} {writes}"
    );
    // The whole table: its entries are neither read nor written.
    let (opens, syncs, reads, writes) = cost(&mut h, Op::Unmap(0, M2));
    assert!(
        opens <= 32 && syncs <= 3 && reads <= 48 && writes <= 24,
        "{opens} {syncs} {reads} {writes}"
    );
    // Page after page, in any order: the table is never scanned, not even for its last page.
    let orders: [fn(u64) -> u64; 3] = [|n| n, |n| 511 - n, |n| n * 193 % 512];
    for order in orders {
        cost(&mut h, map(0, PA + K4, M2));
        for page in 0..512 {
            let reads = cost(&mut h, Op::Unmap(order(page) * K4, K4)).2;
            assert!(reads < 48, "{reads} reads");
        }
    }
    h.finish_unchecked();
}

impl<F: Format> Harness<F> {
    /// For tests that change the table without the oracle.
    fn finish_unchecked(&mut self) {
        self.oracle.clear();
        self.finish();
    }
}

fn small<F: Format>(layout: Layout) {
    let mut h = Harness::<F>::new(layout);
    let (first, end) = (layout.base, layout.end());
    let middle = first + (3 << (12 + layout.bits));
    let table = layout.entries() as u64 * K4;
    for (start, len) in [(first, K4), (end - K4, K4), (first + 5 * K4, 3 * M2)] {
        h.run(Op::Map(start, 0x4000_0000, len, RW, MemAttr::Cached), None)
            .unwrap();
        assert_eq!(
            h.run(
                Op::Map(start + len - K4, 0x4000_0000, K4, RW, MemAttr::Cached),
                None
            ),
            Err(MapError::Overlap)
        );
    }
    if middle < end {
        h.run(
            Op::Map(
                middle - M2,
                0x4_0000_0000,
                table + 2 * M2,
                Prot::READ,
                MemAttr::Cached,
            ),
            Some(1),
        )
        .unwrap_err();
        h.run(
            Op::Map(
                middle + K4,
                0x4_0000_0000,
                table,
                Prot::READ,
                MemAttr::Cached,
            ),
            None,
        )
        .unwrap();
    }
    h.run(Op::Protect(first, end - first, RW, MemAttr::Device), None)
        .unwrap();
    assert_eq!(h.run(Op::Merge(first, end - first), None), Ok(0));
    h.run(
        Op::Unmap(first + 6 * K4, table.min(end - first - 6 * K4)),
        None,
    )
    .unwrap();
    let mut tlb = common::TestTlb(h.world.clone());
    let mut guard = h.pt.as_mut().unwrap().update(&mut h.mem, &mut tlb);
    let past = guard.map(Iova(end), Pa(0x4000_0000), K4, RW, MemAttr::Cached);
    assert_eq!(past, Err(MapError::OutOfRange));
    if let Some(before) = first.checked_sub(K4) {
        let before = guard.map(Iova(before), Pa(0x4000_0000), K4, RW, MemAttr::Cached);
        assert_eq!(before, Err(MapError::OutOfRange));
    }
    drop(guard);
    h.run(Op::Unmap(first, end - first), None).unwrap();
    assert!(h.world.borrow().is_bare());
    h.finish();
}

#[test]
fn two_levels_of_32_bit_entries() {
    small::<TwoLevel>(TWO_LEVEL);
}

#[test]
fn vivante_v2() {
    small::<VivanteV2>(VIVANTE_V2);
}

#[test]
fn vivante_v1() {
    small::<VivanteV1>(VIVANTE_V1);
}

/// Every start next to a border of a slave table, every length around its size, refused again and
/// unmapped in halves.
#[test]
fn vivante_places_and_lengths() {
    const M4: u64 = 0x40_0000;
    for around in [0, M4, 0x8000_0000, 1 << 32] {
        for len in [K4, 2 * K4, M4 - K4, M4, M4 + K4, 2 * M4 + 3 * K4] {
            for back in [0, K4, M4 - K4, len, len / 2 / K4 * K4] {
                let Some(start) = around
                    .checked_sub(back)
                    .filter(|start| start + len <= 1 << 32)
                else {
                    continue;
                };
                for pa in [0x4000_0000, 0xfe_0000_0000, 0xff_ffff_f000 - len + K4] {
                    let mut h = Harness::<VivanteV2>::new(VIVANTE_V2);
                    h.run(map(start, pa, len), None).unwrap();
                    for (page, pages) in [(0, 1), (len / K4 - 1, 1), (0, len / K4)] {
                        let again = map(start + page * K4, 0, pages * K4);
                        assert_eq!(h.run(again, None), Err(MapError::Overlap));
                    }
                    let half = (len / 2 / K4 * K4).max(K4);
                    assert_eq!(h.run(Op::Unmap(start, half), None), Ok(half));
                    assert_eq!(h.run(Op::Unmap(start, len), None), Ok(len - half));
                    assert!(h.world.borrow().is_bare());
                    h.finish();
                }
            }
        }
    }
}

/// Memory runs out for the second slave table: the first is freed.
#[test]
fn vivante_v2_without_memory() {
    for fail in 0..3 {
        let mut h = Harness::<VivanteV2>::new(VIVANTE_V2);
        let op = map(0x40_0000 - K4, 0x1_0000_0000, 0x40_0000 + 2 * K4);
        assert_eq!(h.run(op, Some(fail)), Err(MapError::NoMemory));
        assert!(h.world.borrow().is_bare());
        assert!(h.world.borrow().flushes.is_empty());
        h.run(op, Some(3)).unwrap();
        h.finish();
    }
}

#[test]
fn one_level_with_a_base() {
    small::<OneLevel>(ONE_LEVEL);
}

/// What a run needs in an empty tree is what the format says, and memory for less of it maps
/// nothing.
#[test]
fn tables_per_run() {
    fn needs<F: Format>(layout: Layout, iova: u64) {
        for missing in 1..=PageTable::<F>::TABLES_PER_RUN as u64 {
            let mut h = Harness::<F>::new(layout);
            let op = Op::List(iova, 0x4000_0000, 16 * K4, 1, RW, MemAttr::Cached);
            assert_eq!(h.run(op, Some(missing - 1)), Err(MapError::NoMemory));
            assert!(h.world.borrow().is_bare());
            h.finish();
        }
        let mut h = Harness::<F>::new(layout);
        let before = h.world.borrow().live_tables();
        h.run(
            Op::List(iova, 0x4000_0000, 16 * K4, 1, RW, MemAttr::Cached),
            None,
        )
        .unwrap();
        let new = h.world.borrow().live_tables() - before;
        assert_eq!(new, PageTable::<F>::TABLES_PER_RUN);
        h.finish();
    }
    needs::<MaliLpae>(MALI, T05 + G1 + M2);
    needs::<VivanteV2>(VIVANTE_V2, 0x40_0000);
    needs::<VivanteV1>(VIVANTE_V1, 0x8000_0000);
}

/// Every list that the format cannot map is refused as a whole.
#[test]
fn lists_are_checked() {
    let mut h = mali();
    h.run(map(3 * K4, PA, K4), None).unwrap();
    let mut tlb = common::TestTlb(h.world.clone());
    let mut guard = h.pt.as_mut().unwrap().update(&mut h.mem, &mut tlb);
    let mut refused = |iova, pages: &[u64]| {
        let mapped = guard.map_pages(Iova(iova), pages, RW, MemAttr::Cached);
        mapped.expect_err("refused")
    };
    assert_eq!(refused(0, &[]), MapError::OutOfRange);
    assert_eq!(refused(8, &[PA]), MapError::Misaligned);
    assert_eq!(refused(0, &[PA, PA + 0x800]), MapError::Misaligned);
    assert_eq!(refused(0, &[PA, 1 << 40]), MapError::OutOfRange);
    assert_eq!(refused(0, &[PA, !0xfff]), MapError::OutOfRange);
    assert_eq!(refused(TOP - K4, &[PA, PA]), MapError::OutOfRange);
    assert_eq!(refused(TOP, &[PA]), MapError::OutOfRange);
    assert_eq!(refused(0, &[PA; 4]), MapError::Overlap);
    drop(guard);
    assert!(h.world.borrow().flushes.len() <= 1);
    h.check_state();
    h.finish();
}

#[test]
fn new_without_memory() {
    let world = common::World::new(MALI);
    world.borrow_mut().fail_alloc = Some(0);
    let mut mem = common::TestMem(world.clone());
    assert_eq!(
        PageTable::<MaliLpae>::new(&mut mem).err(),
        Some(MapError::NoMemory)
    );
    assert_eq!(world.borrow().live_tables(), 0);
}

/// A table at an address that the format cannot encode is freed.
#[test]
fn table_beyond_the_format() {
    for first_table in [1 << 32, 0, 0x8000_0800] {
        let world = common::World::new(Layout {
            first_table,
            ..TWO_LEVEL
        });
        let mut mem = common::TestMem(world.clone());
        world.borrow_mut().disabled = true;
        assert_eq!(
            PageTable::<TwoLevel>::new(&mut mem).err(),
            Some(MapError::NoMemory)
        );
        assert_eq!(world.borrow().live_tables(), 0);
    }
}

/// A table is lost between the survey and the write: what was mapped and reserved is undone.
#[test]
fn table_lost_in_the_middle_of_a_map() {
    let (mut refused, mut leaks) = (0, 0);
    for nth in 0..32 {
        let mut h = Harness::<MaliLpae>::new(MALI);
        h.run(map(0, PA, K4), None).unwrap();
        h.run(map(2 * M2, PA, K4), None).unwrap();
        let tables = h.world.borrow().live_tables();
        h.world.borrow_mut().fail_open = Some(nth);
        let mut guard = h.pt.as_mut().unwrap().update(&mut h.mem, &mut h.tlb);
        let result = guard.map(Iova(K4), Pa(PA), 2 * M2 - K4, RW, MemAttr::Cached);
        drop(guard);
        h.world.borrow_mut().fail_open = None;
        let new = h.world.borrow().live_tables() - tables;
        if result.is_ok() {
            assert_eq!(new, 1);
        } else {
            refused += 1;
            leaks += new;
            assert!(h.world.borrow().device_view() == h.oracle);
        }
    }
    // 13 opens for the survey, one to reserve, 13 to write. A reserved table that is lost is
    // replaced.
    assert_eq!((refused, leaks), (27, 0));
}
