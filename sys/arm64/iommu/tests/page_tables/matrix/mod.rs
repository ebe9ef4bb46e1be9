// SPDX-License-Identifier: BSD-2-Clause
//! Named cases: edges of the address space, alignments, overlaps, holes, splits and merges.

use crate::common::formats::*;
use crate::common::harness::*;
use crate::common::Layout;
use iommu_pmap::*;

mod blocks;
mod tables;
mod vivante;

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

impl<F: Format> Harness<F> {
    /// For tests that change the table without the oracle.
    fn finish_unchecked(&mut self) {
        self.oracle.clear();
        self.finish();
    }
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
    let mut tlb = crate::common::TestTlb(h.world.clone());
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
