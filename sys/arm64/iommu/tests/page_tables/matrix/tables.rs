// SPDX-License-Identifier: BSD-2-Clause
//! Tables: their number, lists of pages, and failures of their memory.

use super::*;

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
    let mut tlb = crate::common::TestTlb(h.world.clone());
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
    let world = crate::common::World::new(MALI);
    world.borrow_mut().fail_alloc = Some(0);
    let mut mem = crate::common::TestMem(world.clone());
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
        let world = crate::common::World::new(Layout {
            first_table,
            ..TWO_LEVEL
        });
        let mut mem = crate::common::TestMem(world.clone());
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
