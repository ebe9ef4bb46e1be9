// SPDX-License-Identifier: BSD-2-Clause
//! The formats of Vivante, and small formats with two levels and with one.

use super::*;

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
    let mut tlb = crate::common::TestTlb(h.world.clone());
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
