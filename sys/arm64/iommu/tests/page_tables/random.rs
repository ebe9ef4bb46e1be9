// SPDX-License-Identifier: BSD-2-Clause
//! Random sequences against the oracle, and one long sequence with every allocation failing once.

use crate::common::formats::*;
use crate::common::harness::*;
use iommu_pmap::*;
use proptest::prelude::*;

const K4: u64 = 0x1000;
const M2: u64 = 0x20_0000;
/// Three blocks at each of these: start, a border of each level, end.
const MALI_BASES: [u64; 5] = [
    0,
    0x4000_0000 - M2,
    0x80_0000_0000 - 2 * M2,
    0x7f_0000_0000,
    (1 << 48) - 3 * M2,
];

fn prot() -> impl Strategy<Value = Prot> {
    prop_oneof![
        4 => Just(Prot::READ | Prot::WRITE),
        1 => (0u32..8).prop_map(Prot::from_bits_truncate),
    ]
}

fn attr() -> impl Strategy<Value = MemAttr> {
    prop_oneof![
        6 => Just(MemAttr::Cached),
        1 => Just(MemAttr::Uncached),
        1 => Just(MemAttr::Device),
    ]
}

/// A page of an arena of `3 * 512` pages, often next to the border of a block.
fn page() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => (0u64..4, 0u64..5)
            .prop_map(|(block, near)| (block * 512 + near).saturating_sub(2).min(1535)),
        1 => 0u64..1536,
    ]
}

/// Start and length in an arena at one of `bases`.
fn area(bases: &'static [u64]) -> impl Strategy<Value = (u64, u64)> {
    (prop::sample::select(bases), page(), page()).prop_map(|(base, a, b)| {
        let (first, last) = (a.min(b), a.max(b));
        (base + first * K4, (last - first + 1) * K4)
    })
}

/// Mostly one linear map of addresses to memory, so that neighbours can merge.
fn target() -> impl Strategy<Value = u64> {
    prop_oneof![6 => Just(0u64), 1 => Just(M2), 1 => (1u64..512).prop_map(|page| page * K4)]
}

/// Pages in a run of a list: few, blocks, blocks with a rest.
fn run() -> impl Strategy<Value = u64> {
    prop_oneof![prop::sample::select(vec![1, 512, 1024, 1536]), 1u64..1536]
}

fn op(bases: &'static [u64]) -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (area(bases), target(), prot(), attr()).prop_map(|((iova, len), skew, prot, attr)| {
            Op::Map(iova, 0x4000_0000 + (iova & 0x3fff_ffff) + skew, len, prot, attr)
        }),
        3 => (area(bases), target(), run(), prot(), attr()).prop_map(
            |((iova, len), skew, run, prot, attr)| {
                Op::List(iova, 0x4000_0000 + (iova & 0x3fff_ffff) + skew, len, run, prot, attr)
            }
        ),
        3 => area(bases).prop_map(|(iova, len)| Op::Unmap(iova, len)),
        2 => (area(bases), prot(), attr())
            .prop_map(|((iova, len), prot, attr)| Op::Protect(iova, len, prot, attr)),
        2 => area(bases).prop_map(|(iova, len)| Op::Merge(iova, len)),
    ]
}

fn failure() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![3 => Just(None), 1 => (0u64..6).prop_map(Some)]
}

static TWO_BASES: [u64; 3] = [0, 0x40_0000 - M2, 0xffa0_0000];
static ONE_BASES: [u64; 2] = [0x8000_0000, 0xffa0_0000];

/// So many cases, and no file of those that failed.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        cases,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(160))]

    #[test]
    fn mali_follows_the_oracle(
        ops in prop::collection::vec((op(&MALI_BASES), failure()), 1..24),
    ) {
        let mut h = Harness::<MaliLpae>::new(MALI);
        for (op, fail) in ops {
            let _ = h.run(op, fail);
        }
        h.finish();
    }

    #[test]
    fn mali_never_shows_the_device_anything_else(
        ops in prop::collection::vec((op(&MALI_BASES[..2]), failure()), 1..10),
    ) {
        let mut h = Harness::<MaliLpae>::new(MALI);
        h.world.borrow_mut().trace = Some(Vec::new());
        for (op, fail) in ops {
            let _ = h.run(op, fail);
        }
        h.finish();
    }

    #[test]
    fn mali_with_several_changes_per_guard(
        groups in prop::collection::vec(prop::collection::vec(op(&MALI_BASES[1..4]), 1..5), 1..6),
    ) {
        let mut h = Harness::<MaliLpae>::new(MALI);
        for ops in groups {
            h.run_together(&ops);
        }
        h.finish();
    }

    #[test]
    fn vivante_v2_follows_the_oracle(
        ops in prop::collection::vec((op(&TWO_BASES), failure()), 1..24),
    ) {
        let mut h = Harness::<VivanteV2>::new(VIVANTE_V2);
        for (op, fail) in ops {
            let _ = h.run(op, fail);
        }
        h.finish();
    }

    #[test]
    fn vivante_v2_never_shows_the_device_anything_else(
        ops in prop::collection::vec((op(&TWO_BASES), failure()), 1..10),
    ) {
        let mut h = Harness::<VivanteV2>::new(VIVANTE_V2);
        h.world.borrow_mut().trace = Some(Vec::new());
        for (op, fail) in ops {
            let _ = h.run(op, fail);
        }
        h.finish();
    }

    #[test]
    fn two_levels_follow_the_oracle(
        ops in prop::collection::vec((op(&TWO_BASES), failure()), 1..24),
    ) {
        let mut h = Harness::<TwoLevel>::new(TWO_LEVEL);
        for (op, fail) in ops {
            let _ = h.run(op, fail);
        }
        h.finish();
    }
}

proptest! {
    #![proptest_config(cases(8))]

    #[test]
    fn vivante_v1_follows_the_oracle(
        ops in prop::collection::vec((op(&ONE_BASES), failure()), 1..8),
    ) {
        let mut h = Harness::<VivanteV1>::new(VIVANTE_V1);
        for (op, fail) in ops {
            let _ = h.run(op, fail);
        }
        h.finish();
    }

    #[test]
    fn one_level_follows_the_oracle(
        ops in prop::collection::vec((op(&ONE_BASES), failure()), 1..8),
    ) {
        let mut h = Harness::<OneLevel>::new(ONE_LEVEL);
        for (op, fail) in ops {
            let _ = h.run(op, fail);
        }
        h.finish();
    }
}

/// A long fixed sequence that maps, splits, merges and unmaps at every border of a level.
fn long_sequence() -> Vec<Op> {
    let rw = Prot::READ | Prot::WRITE;
    let mut ops = Vec::new();
    for base in MALI_BASES {
        let pa = 0x4000_0000 + (base & 0x3fff_ffff);
        ops.push(Op::Map(
            base + 5 * K4,
            pa + 5 * K4,
            2 * M2,
            rw,
            MemAttr::Cached,
        ));
        ops.push(Op::Map(base, pa, 5 * K4, rw, MemAttr::Cached));
        ops.push(Op::Merge(base, M2));
        ops.push(Op::Protect(base + 7 * K4, M2, Prot::READ, MemAttr::Cached));
        ops.push(Op::Unmap(base + M2 - K4, 3 * K4));
        ops.push(Op::Map(
            base + M2 - K4,
            pa + M2 - K4,
            3 * K4,
            rw,
            MemAttr::Cached,
        ));
        ops.push(Op::Protect(base, 2 * M2, rw, MemAttr::Cached));
        ops.push(Op::Merge(base, 2 * M2));
        ops.push(Op::Unmap(base + K4, 2 * M2 - 2 * K4));
        ops.push(Op::List(base + 2 * K4, pa, M2, 1, rw, MemAttr::Cached));
    }
    ops.push(Op::Unmap(0, 1 << 48));
    ops
}

#[test]
fn every_allocation_fails_once() {
    let mut failures = 0;
    for nth in 0u64.. {
        let mut h = Harness::<MaliLpae>::new(MALI);
        let before = h.world.borrow().allocs;
        let mut hit = false;
        for op in long_sequence() {
            let used = h.world.borrow().allocs - before;
            // `run` compares with the unchanged oracle if the allocation failed; then the step is
            // repeated.
            if h.run(op, nth.checked_sub(used)) == Err(MapError::NoMemory) {
                hit = true;
                assert_ne!(h.run(op, None), Err(MapError::NoMemory));
            }
        }
        assert!(h.world.borrow().is_bare());
        h.finish();
        if !hit {
            break;
        }
        failures += 1;
    }
    assert!(failures > 30, "only {failures} allocations");
}

/// Memory that loses a table breaks its contract. That may leak, but it neither panics nor frees
/// what the device can reach, and lookup still returns what the device sees.
#[test]
fn every_open_fails_once() {
    let mut done = false;
    for nth in 0u64.. {
        let h = &mut Harness::<MaliLpae>::new(MALI);
        h.world.borrow_mut().fail_open = Some(nth);
        for op in long_sequence() {
            let before = h.world.borrow().device_view();
            let mut refused = false;
            let mut guard = h.pt.as_mut().unwrap().update(&mut h.mem, &mut h.tlb);
            match op {
                Op::Map(iova, pa, len, prot, attr) => {
                    refused = guard.map(Iova(iova), Pa(pa), len, prot, attr).is_err();
                }
                Op::List(iova, pa, len, run, prot, attr) => {
                    let pages = list(pa, len, run);
                    refused = guard.map_pages(Iova(iova), &pages, prot, attr).is_err();
                }
                Op::Unmap(iova, len) => drop(guard.unmap(range(iova, len))),
                Op::Protect(iova, len, prot, attr) => {
                    _ = guard.protect(range(iova, len), prot, attr)
                }
                Op::Merge(iova, len) => drop(guard.merge(range(iova, len))),
            }
            drop(guard);
            if refused {
                assert!(
                    h.world.borrow().device_view() == before,
                    "a refused map left something"
                );
            }
            done = h.world.borrow().fail_open.is_some();
        }
        h.world.borrow_mut().fail_open = None;
        let view = h.world.borrow().device_view();
        for base in MALI_BASES {
            for page in [0, 1, 5, 510, 511, 512, 513, 1023, 1024] {
                let iova = base + page * K4;
                let found = h.lookup(iova).map(|found| (found.pa.0, found.size));
                assert_eq!(found, view.get(&iova).map(|tr| (tr.pa, tr.size)));
            }
        }
        if done {
            break;
        }
    }
    assert!(done);
}
