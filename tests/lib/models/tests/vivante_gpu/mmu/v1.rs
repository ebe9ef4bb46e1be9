// SPDX-License-Identifier: BSD-2-Clause
//! MMUv1. HW: etnaviv.md 2.14, 4.

use super::*;

/// A core with a flat table of 512 Ki entries, all to the bad page.
fn v1() -> (Rig, u64) {
    let mut rig = Rig::ready(Variant::Gc2000);
    let table = rig.alloc(512);
    let bad = rig.safe as u32;
    rig.fill(table, 0x1000, bad);
    for n in 0..5 {
        rig.wr(0x400 + n * 4, table as u32);
    }
    (rig, table)
}

#[test]
fn the_linear_window_starts_at_the_base_of_the_client() {
    let (mut rig, _) = v1();
    let page = rig.alloc(1);
    // FE and PE: 0x41c, 0x428.
    for offset in [0x418, 0x41c, 0x420, 0x424, 0x428] {
        rig.wr(offset, RAM as u32);
        assert_eq!(rig.rd(offset), RAM as u32);
    }
    let stream = done(poke((page - RAM) as u32, 9));
    let at = rig.place(&stream);
    rig.start(at - RAM, stream.len());
    rig.run(100_000);
    assert_eq!(rig.ack(), 2);
    assert_eq!(rig.r32(page), 9);
    rig.assert_clean();
}

#[test]
fn the_flat_table_serves_the_upper_half() {
    let (mut rig, table) = v1();
    let page = rig.alloc(1);
    rig.w32(table + 4 * 3, page as u32);
    rig.exec(done(poke(0x8000_3008, 9)));
    assert_eq!(rig.ack(), 2);
    assert_eq!(rig.r32(page + 8), 9);
    // Accesses to unmapped pages go to the bad page and no error is counted: MMUv1 has no
    // exceptions.
    rig.exec(done(poke(0x8000_5008, 7)));
    assert_eq!(rig.ack(), 2);
    let bad = rig.safe;
    assert_eq!(rig.r32(bad + 8), 7);
    rig.assert_clean();
}

#[test]
fn mmuv1_flushes_by_client() {
    let (mut rig, table) = v1();
    let (first, second) = (rig.alloc(1), rig.alloc(1));
    rig.w32(table, first as u32);
    rig.exec(done(poke(0x8000_0000, 1)));
    rig.w32(table, second as u32);
    rig.exec(done(poke(0x8000_0000, 2)));
    assert_eq!((rig.r32(first), rig.r32(second)), (2, 0), "stale");
    rig.exec(done(Stream::new().state(0x3810, 1)));
    rig.exec(done(poke(0x8000_0000, 3)));
    assert_eq!(
        (rig.r32(first), rig.r32(second)),
        (3, 0),
        "only the front end was flushed"
    );
    rig.exec(done(Stream::new().state(0x3810, 0x1f)));
    rig.exec(done(poke(0x8000_0000, 4)));
    assert_eq!((rig.r32(first), rig.r32(second)), (3, 4));
    rig.ack();
    rig.assert_clean();
}

#[test]
fn mmuv1_takes_in_a_line_of_the_table() {
    let (mut rig, table) = v1();
    let (bad, page) = (rig.alloc(1), rig.alloc(1));
    rig.fill(table, 4096, bad as u32);
    rig.exec(done(poke(0x8000_0000, 1)));
    rig.w32(table + 15 * 4, page as u32);
    rig.exec(done(poke(0x8000_f000, 2)));
    assert_eq!((rig.r32(bad), rig.r32(page)), (2, 0), "still the bad page");
    rig.exec(done(Stream::new().state(0x3810, 0x1f)));
    rig.exec(done(poke(0x8000_f000, 3)));
    assert_eq!((rig.r32(bad), rig.r32(page)), (2, 3));
    rig.ack();
    rig.assert_clean();
}

#[test]
fn the_front_end_fetches_through_the_flat_table() {
    let (mut rig, table) = v1();
    let at = rig.place(&Stream::new().event(4, FROM_FE).end());
    rig.w32(table + 4, at as u32);
    rig.start(0x8000_1000, 2);
    rig.run(100_000);
    assert_eq!(rig.ack(), 1 << 4);
    rig.assert_clean();
}

#[test]
fn an_unreadable_table_is_a_bus_error() {
    let (mut rig, table) = v1();
    rig.board.holes.push((table, table + 4096));
    rig.exec(done(poke(0x8000_0000, 1)));
    assert_eq!(rig.ack(), 1 << 31 | 1 << 1);
    assert_eq!(rig.gpu.stats().bus_errors, 1);
}
