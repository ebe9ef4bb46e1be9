// SPDX-License-Identifier: BSD-2-Clause
//! The bits of hardware entries, as literals, and the rules that every format keeps.

use crate::common::formats::*;
use crate::common::harness::*;
use crate::common::Layout;
use iommu_pmap::*;
use proptest::prelude::*;

/// One entry per line: what is mapped, and the word the hardware must find.
#[test]
fn mali_leaves_are_bit_exact() {
    let rw = Prot::READ | Prot::WRITE;
    let cases = [
        (3, 0x1234_5000, rw, MemAttr::Cached, 0x0060_0000_1234_52c5),
        (3, 0x1234_5000, rw, MemAttr::Uncached, 0x0060_0000_1234_52c1),
        (3, 0x1234_5000, rw, MemAttr::Device, 0x0060_0000_1234_52c9),
        (
            3,
            0xff_ffff_f000,
            Prot::all(),
            MemAttr::Cached,
            0x0000_00ff_ffff_f2c5,
        ),
        (3, 0, Prot::READ, MemAttr::Cached, 0x0060_0000_0000_0245),
        (3, 0, Prot::WRITE, MemAttr::Cached, 0x0060_0000_0000_0285),
        (
            3,
            0,
            Prot::READ | Prot::EXEC,
            MemAttr::Cached,
            0x0000_0000_0000_0245,
        ),
        (
            3,
            0,
            Prot::empty(),
            MemAttr::Uncached,
            0x0060_0000_0000_0201,
        ),
        (
            2,
            0xff_ffe0_0000,
            rw,
            MemAttr::Cached,
            0x0060_00ff_ffe0_02c5,
        ),
        (
            2,
            0x4020_0000,
            Prot::all(),
            MemAttr::Uncached,
            0x0000_0000_4020_02c1,
        ),
    ];
    for (level, pa, prot, attr, word) in cases {
        assert_eq!(
            MaliLpae::leaf(level, Pa(pa), prot, attr),
            word,
            "{pa:#x} {prot:?} {attr:?}"
        );
        assert_eq!(
            MaliLpae::decode(level, word),
            Entry::Leaf {
                pa: Pa(pa),
                prot,
                attr
            }
        );
    }
    assert_eq!(MaliLpae::table(Pa(0xab_cdef_0000)), 0xab_cdef_0003);
    for level in 0..3 {
        assert_eq!(
            MaliLpae::decode(level, 0xab_cdef_0003),
            Entry::Table(Pa(0xab_cdef_0000))
        );
    }
    // Type 3 is not a page on the last level, and there are no leaves above level 2.
    assert_eq!(MaliLpae::decode(3, 0x1003), Entry::Invalid);
    assert_eq!(MaliLpae::decode(1, 0x4000_0001), Entry::Invalid);
    assert_eq!(MaliLpae::decode(0, 0x4000_0001), Entry::Invalid);
    for level in 0..4 {
        assert_eq!(MaliLpae::decode(level, 0), Entry::Invalid);
        assert_eq!(MaliLpae::decode(level, 2), Entry::Invalid);
    }
}

/// The words in memory, found by hand: indexes 47:39, 38:30, 29:21, 20:12.
#[test]
fn mali_tables_are_where_the_hardware_looks() {
    let mut h = Harness::<MaliLpae>::new(MALI);
    let iova = (0x155 << 39) | (0x0aa << 30) | (0x133 << 21) | (0x1cc << 12);
    h.run(
        Op::Map(iova, 0x98_7654_3000, 0x1000, Prot::READ, MemAttr::Cached),
        None,
    )
    .unwrap();
    let block = (0x155 << 39) | (0x0aa << 30) | (0x134 << 21);
    h.run(
        Op::Map(
            block,
            0x98_7660_0000,
            0x20_0000,
            Prot::READ,
            MemAttr::Cached,
        ),
        None,
    )
    .unwrap();
    let world = h.world.borrow();
    let follow = |table: u64, index| {
        let word = world.raw(table, index);
        assert_eq!(word & 0xfff, 3);
        word & !3
    };
    let l1 = follow(world.root(), 0x155);
    let l2 = follow(l1, 0x0aa);
    let l3 = follow(l2, 0x133);
    assert_eq!(world.raw(l3, 0x1cc), 0x0060_0098_7654_3245);
    assert_eq!(world.raw(l2, 0x134), 0x0060_0098_7660_0245);
    drop(world);
    h.finish();
}

/// What is mapped, and the word in the slave table.
#[test]
fn vivante_v2_entries_are_bit_exact() {
    let rw = Prot::READ | Prot::WRITE;
    let cases = [
        (0x1234_5000, rw, 0x1234_5005),
        (0x1234_5000, Prot::READ, 0x1234_5001),
        (0x1234_5000, Prot::all(), 0x1234_5005),
        (0, rw, 0x0000_0005),
        (0xff_ffff_f000, Prot::READ, 0xffff_fff1),
        (0xa5_8000_0000, rw, 0x8000_0a55),
        (0x01_0000_0000, Prot::READ, 0x0000_0011),
    ];
    for (pa, prot, word) in cases {
        for attr in [MemAttr::Uncached, MemAttr::Cached, MemAttr::Device] {
            assert_eq!(
                VivanteV2::leaf(1, Pa(pa), prot, attr),
                word,
                "{pa:#x} {prot:?}"
            );
        }
        let prot = prot | Prot::READ | Prot::EXEC;
        let attr = MemAttr::Uncached;
        assert_eq!(
            VivanteV2::decode(1, word),
            Entry::Leaf {
                pa: Pa(pa),
                prot,
                attr
            }
        );
    }
    assert_eq!(VivanteV2::table(Pa(0xfedc_b000)), 0xfedc_b001);
    assert_eq!(
        VivanteV2::decode(0, 0xfedc_b001),
        Entry::Table(Pa(0xfedc_b000))
    );
    assert_eq!(VivanteV2::INVALID, 2);
    for level in 0..2 {
        assert_eq!(VivanteV2::decode(level, 2), Entry::Invalid);
        assert_eq!(VivanteV2::decode(level, 0), Entry::Invalid);
    }
}

/// The words in memory, found by hand: indexes 31:22 and 21:12.
#[test]
fn vivante_v2_tables_are_where_the_hardware_looks() {
    let mut h = Harness::<VivanteV2>::new(VIVANTE_V2);
    let iova = (0x2aa << 22) | (0x133 << 12);
    h.run(
        Op::Map(iova, 0x12_3456_7000, 0x1000, Prot::READ, MemAttr::Cached),
        None,
    )
    .unwrap();
    let world = h.world.borrow();
    let master = world.raw(world.root(), 0x2aa);
    assert_eq!(master & 0xfff, 1);
    assert_eq!(world.raw(master - 1, 0x133), 0x3456_7121);
    assert_eq!(world.raw(master - 1, 0x132), 2);
    assert_eq!(world.raw(world.root(), 0x2a9), 2);
    drop(world);
    h.finish();
}

/// The table of addresses, and the bad page in it.
#[test]
fn vivante_v1_entries_are_addresses() {
    let mut h = Harness::<VivanteV1>::new(VIVANTE_V1);
    h.run(
        Op::Map(
            0x8000_3000,
            0x1234_5000,
            0x1000,
            Prot::READ,
            MemAttr::Cached,
        ),
        None,
    )
    .unwrap();
    h.run(
        Op::Map(0xffff_f000, 0, 0x1000, Prot::all(), MemAttr::Device),
        None,
    )
    .unwrap();
    let bad = Pa(0x4567_8000);
    let world = h.world.borrow();
    let stored = |index| VivanteV1::stored(world.raw(world.root(), index), bad);
    assert_eq!(
        (stored(2), stored(3), stored(4)),
        (0x4567_8000, 0x1234_5000, 0x4567_8000)
    );
    assert_eq!((stored(0), stored(0x7_ffff)), (0x4567_8000, 0));
    for index in [0, 2, 3, 4, 0x7_ffff] {
        assert_eq!(
            VivanteV1::loaded(stored(index), bad),
            world.raw(world.root(), index)
        );
    }
    drop(world);
    h.finish();
}

fn prot() -> impl Strategy<Value = Prot> {
    (0u32..8).prop_map(Prot::from_bits_truncate)
}

fn attr() -> impl Strategy<Value = MemAttr> {
    prop_oneof![
        Just(MemAttr::Uncached),
        Just(MemAttr::Cached),
        Just(MemAttr::Device)
    ]
}

fn check_format<F: Format>(layout: Layout, page: u64, prot: Prot, attr: MemAttr) {
    let last = F::LEVELS - 1;
    let mut leaves = vec![(last, page << 12)];
    if F::BLOCKS {
        leaves.push((last - 1, page << 12 & !0x1f_ffff));
    }
    for (level, pa) in leaves {
        let pa = Pa(pa & ((1 << F::PA_BITS) - 1));
        if F::LEVELS == 1 && pa.0 == 0 {
            continue;
        }
        let word = F::leaf(level, pa, prot, attr);
        let (prot, attr) = (layout.normal)(prot, attr);
        assert_eq!(F::decode(level, word), Entry::Leaf { pa, prot, attr });
        assert_eq!(
            (layout.classify)(level, word),
            crate::common::Kind::Leaf(pa.0, prot, attr)
        );
        assert_eq!(
            F::leaf(level, pa, prot, attr),
            word,
            "encode(decode(word)) differs"
        );
    }
    let table = Pa((page << 12) & ((1 << F::TABLE_PA_BITS) - 1));
    for level in 0..last {
        assert_eq!(F::decode(level, F::table(table)), Entry::Table(table));
    }
    for level in 0..F::LEVELS {
        assert_eq!(F::decode(level, F::INVALID), Entry::Invalid);
        if F::LEVELS > 1 {
            assert_eq!(
                F::decode(level, table.0),
                Entry::Invalid,
                "a link of the chain"
            );
        }
    }
}

proptest! {
    #[test]
    fn formats_keep_their_promises(page in 0u64..1 << 28, prot in prot(), attr in attr()) {
        check_format::<MaliLpae>(MALI, page, prot, attr);
        check_format::<VivanteV2>(VIVANTE_V2, page, prot, attr);
        check_format::<VivanteV1>(VIVANTE_V1, page, prot, attr);
        check_format::<TwoLevel>(TWO_LEVEL, page, prot, attr);
        check_format::<OneLevel>(ONE_LEVEL, page, prot, attr);
    }

    #[test]
    fn ranges_are_aligned_and_do_not_wrap(start: u64, len: u64, mask in 0u64..3) {
        let round = |value: u64| if mask == 0 { value } else { value & !0xfff };
        let (start, len) = (round(start), round(len));
        let exact = u128::from(start) + u128::from(len);
        match IovaRange::new(start, len) {
            Err(MapError::Misaligned) => prop_assert!(start % 4096 != 0 || len % 4096 != 0),
            Err(other) => {
                prop_assert_eq!(other, MapError::OutOfRange);
                prop_assert!(len == 0 || exact > u128::from(u64::MAX));
            }
            Ok(range) => {
                prop_assert_eq!((range.start().0, range.len()), (start, len));
                prop_assert_eq!(u128::from(range.end().0), exact);
                prop_assert!(len != 0 && start % 4096 == 0 && len % 4096 == 0);
            }
        }
    }
}

#[test]
fn constants_of_the_formats() {
    assert_eq!(
        (
            MaliLpae::ENTRIES,
            MaliLpae::TABLE_BYTES,
            MaliLpae::IOVA_BITS
        ),
        (512, 4096, 48)
    );
    assert_eq!(
        (
            VivanteV2::ENTRIES,
            VivanteV2::TABLE_BYTES,
            VivanteV2::IOVA_BITS
        ),
        (1024, 4096, 32)
    );
    assert_eq!(
        (
            VivanteV1::ENTRIES,
            VivanteV1::TABLE_BYTES,
            VivanteV1::IOVA_BITS
        ),
        (1 << 19, 2 << 20, 31)
    );
    assert_eq!(
        (
            TwoLevel::ENTRIES,
            TwoLevel::TABLE_BYTES,
            TwoLevel::IOVA_BITS
        ),
        (1024, 4096, 32)
    );
    assert_eq!(
        (
            OneLevel::ENTRIES,
            OneLevel::TABLE_BYTES,
            OneLevel::IOVA_BITS
        ),
        (1 << 19, 2 << 20, 31)
    );
    assert_eq!(
        (PageSize::Size4K.bytes(), PageSize::Size2M.bytes()),
        (0x1000, 0x20_0000)
    );
    assert_eq!(IovaRange::new(0, 0), Err(MapError::OutOfRange));
    assert!(range(0x1000, 0x3000).covers(range(0x2000, 0x2000)));
    assert!(!range(0x1000, 0x3000).covers(range(0x2000, 0x3000)));
    assert!(!range(0x1000, 0x3000).covers(range(0, 0x2000)));
}
