// SPDX-License-Identifier: BSD-2-Clause
//! Blocks: splits and merges, and how often a guard walks, synchronises and flushes.

use super::*;

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
