// SPDX-License-Identifier: BSD-2-Clause
//! The TLB and its flushes.

use super::*;

#[test]
fn stale_translations_stay_until_a_flush() {
    for variant in V2 {
        let mut m = Mapped::new(variant);
        let first = m.rig.map_new(m.mtlb, 0x40_0000, 1, RW);
        m.exec(&done(poke(0x40_0000, 1)));
        let second = m.rig.map_new(m.mtlb, 0x40_0000, 1, RW);
        m.exec(&done(poke(0x40_0000, 2)));
        assert_eq!(
            (m.rig.r32(first), m.rig.r32(second)),
            (2, 0),
            "the old page is still used"
        );
        // HW: etnaviv.md 4: MODE_MASK | FLUSH, with the table if not secure.
        let table = if m.rig.secure { 0 } else { m.mtlb as u32 };
        m.exec(&done(Stream::new().state(0x184, table | 0x18)));
        m.exec(&done(poke(0x40_0000, 3)));
        assert_eq!((m.rig.r32(first), m.rig.r32(second)), (2, 3));
        m.rig.ack();
        m.rig.assert_clean();
    }
}

#[test]
fn a_page_mapped_beside_one_in_use_needs_a_flush() {
    // HW: etnaviv.md 4: every map needs a flush; missing flushes caused translation errors.
    for (variant, flush) in [(V2[0], true), (V2[0], false), (V2[1], true), (V2[1], false)] {
        let mut m = Mapped::new(variant);
        m.rig.map_new(m.mtlb, 0x40_0000, 1, RW);
        m.exec(&done(poke(0x40_0000, 1)));
        let near = m.rig.map_new(m.mtlb, 0x40_f000, 1, RW);
        let far = m.rig.map_new(m.mtlb, 0x41_0000, 1, RW);
        m.exec(&done(poke(0x41_0000, 2)));
        assert_eq!(m.rig.r32(far), 2, "another line of the table");
        if flush {
            let table = if m.rig.secure { 0 } else { m.mtlb as u32 };
            m.exec(&done(Stream::new().state(0x184, table | 0x18)));
        }
        m.exec(&done(poke(0x40_f000, 3)));
        let expected = if flush {
            (3, (0, 0))
        } else {
            (0, (2, 0x40_f000))
        };
        assert_eq!((m.rig.r32(near), m.status()), expected, "{variant:?}");
    }
}

#[test]
fn an_unmapped_page_stays_usable_until_a_flush() {
    let mut m = Mapped::new(Variant::Gc7000L);
    let page = m.rig.map_new(m.mtlb, 0x40_0000, 1, RW);
    m.exec(&done(poke(0x40_0000, 1)));
    m.rig.map(m.mtlb, 0x40_0000, 0, 1, EXCEPTION);
    m.exec(&done(poke(0x40_0000, 2)));
    assert_eq!(m.rig.r32(page), 2);
    let late = Stream::new().raw(&[0x2800_0000, 1, 0, 1_000]);
    let late = Stream([late.0, poke(0x40_0000, 3).0].concat());
    m.exec(&late.state(0x184, 0x18).sync(FE, PE).end());
    assert_eq!(m.status(), (2, 0x40_0000));
    assert_eq!(
        m.rig.r32(page),
        2,
        "a flush before the stall affects work in flight"
    );
}

#[test]
fn masked_fields_of_the_configuration_do_nothing() {
    let mut m = Mapped::new(Variant::Gc3000);
    let mtlb = m.rig.rd(0x184);
    let flushes = m.rig.gpu.stats().tlb_flushes;
    m.exec(&done(Stream::new().state(0x184, 0xffff_fc11 | 0x188)));
    assert_eq!(m.rig.rd(0x184), mtlb);
    assert_eq!(m.rig.gpu.stats().tlb_flushes, flushes);
    m.rig.assert_clean();
}
