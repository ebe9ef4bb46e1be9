// SPDX-License-Identifier: BSD-2-Clause
//! Host registers of the Vivante model: identity, clocks, reset, interrupts, counters.

use crate::common::*;
use models::vivante::{Injection, Variant};
use models::Access;

mod counters;
mod reset;

const ALL: [Variant; 4] = [
    Variant::Gc7000L,
    Variant::Gc3000,
    Variant::Gc2000,
    Variant::Gc320,
];

#[test]
fn identity_of_each_variant() {
    // HW: etnaviv.md 2.2, 2.3; clients.md 6.
    let rows = [
        (Variant::Gc7000L, 0x7000, 0x6214, 0xe028_7cad),
        (Variant::Gc3000, 0x2000, 0xffff_5450, 0xe028_7cad),
        (Variant::Gc2000, 0x2000, 0x5108, 0xe029_6cad),
        (Variant::Gc320, 0x320, 0x5007, 0xe02c_7eca),
    ];
    for (variant, model, revision, features) in rows {
        let mut rig = Rig::cold(variant);
        assert_ne!(rig.rd(0x18) >> 24, 1, "family 1 is the GC500");
        assert_eq!(rig.rd(0x20), model);
        assert_eq!(rig.rd(0x24), revision);
        assert_eq!(rig.rd(0x1c), features);
        let minor0 = rig.rd(0x34);
        assert_ne!(minor0 & 1 << 21, 0, "more minor features");
        let minor1 = rig.rd(0x74);
        let v2 = matches!(variant, Variant::Gc7000L | Variant::Gc3000);
        assert_eq!(minor1 >> 28 & 1 != 0, v2, "MMU version");
        for offset in [0x28, 0x2c, 0x30, 0xa8, 0xe8, 0x84, 0x88, 0x94, 0xa0] {
            rig.rd(offset);
        }
        rig.wr(0x20, 1);
        assert_eq!(rig.rd(0x20), model);
        assert_eq!(rig.gpu.stats().readonly_writes, 1);
        assert_eq!(rig.gpu.stats().unknown_accesses(), 0);
    }
}

#[test]
fn specs_decode_to_the_published_numbers() {
    // HW: etnaviv.md 2.3 (GC7000L), field positions of state_hi.xml.h.
    let mut rig = Rig::cold(Variant::Gc7000L);
    let specs = rig.rd(0x48);
    assert_eq!(1 << (specs >> 4 & 0xf), 64, "registers");
    assert_eq!(1 << (specs >> 8 & 0xf), 1024, "threads");
    assert_eq!(specs >> 12 & 0x1f, 16, "vertex cache");
    assert_eq!(specs >> 20 & 0x1f, 4, "shader cores");
    assert_eq!(specs >> 25 & 7, 2, "pixel pipes");
    assert_eq!(1 << (specs >> 28), 1024, "vertex output buffer");
    assert_eq!(rig.rd(0x80) >> 16, 320, "constants");
    assert_eq!(rig.rd(0x8c) >> 4 & 0x1f, 16, "varyings");
    assert_eq!(rig.rd(0x9c) >> 12 & 0x1f, 16, "streams");
    let mut rig = Rig::cold(Variant::Gc2000);
    assert_eq!(rig.rd(0x48) & 0xf, 8, "streams");
    assert_eq!(rig.rd(0x8c) >> 4 & 0x1f, 12, "varyings");
}

#[test]
fn windows_and_unknown_registers() {
    let mut rig = Rig::cold(Variant::Gc2000);
    assert_eq!(rig.gpu.window(), 0x4000);
    rig.rd(0x4004);
    rig.wr(0x3fc, 1);
    let unknown = &rig.gpu.stats().unknown_registers;
    assert_eq!(unknown.get(&(0x4004, Access::Read)), Some(&1));
    assert_eq!(unknown.get(&(0x3fc, Access::Write)), Some(&1));
    assert_eq!(Rig::cold(Variant::Gc7000L).gpu.window(), 0x40000);
    // The secure bank exists on the secure core only.
    let mut rig = Rig::cold(Variant::Gc3000);
    rig.rd(0x388);
    assert_eq!(rig.gpu.stats().unknown_accesses(), 1);
}

#[test]
fn registers_a_dump_reads_are_known() {
    // HW: Linux 6.1 etnaviv_dump.c, list of dumped registers.
    let list = [
        0x0c, 0x00, 0x04, 0x08, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x28, 0x2c, 0x34, 0x38, 0x70, 0x100,
        0x104, 0x108, 0x10c, 0x400, 0x404, 0x408, 0x40c, 0x410, 0x414, 0x418, 0x41c, 0x420, 0x424,
        0x428, 0x42c, 0x480, 0x65c, 0x660, 0x664, 0x668, 0x66c, 0x670,
    ];
    for variant in ALL {
        let mut rig = Rig::cold(variant);
        for offset in list {
            rig.rd(offset);
        }
        assert_eq!(rig.gpu.stats().unknown_accesses(), 0);
    }
}

#[test]
fn acknowledge_clears_on_read_and_enable_masks_the_line() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    rig.wr(0x14, 1 << 5);
    rig.exec(Stream::new().event(4, FROM_FE).end());
    assert!(!rig.board.line, "event 4 is not enabled");
    rig.exec(Stream::new().event(5, FROM_FE).end());
    assert!(rig.board.line);
    assert_eq!(rig.ack(), 0x30);
    assert!(!rig.board.line);
    assert_eq!(rig.ack(), 0);
    rig.assert_clean();
}

#[test]
fn the_clock_scale_stretches_waits() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let run = |rig: &mut Rig| {
        let at = rig.place(&Stream::new().wait(8_000).event(1, FROM_FE).end());
        rig.start(at, 3);
        let from = rig.now;
        while !rig.board.line {
            rig.run(100);
            assert!(rig.now - from < 1_000_000, "no event");
        }
        rig.ack();
        rig.now - from
    };
    // 8000 cycles at 800 MHz are 10 us.
    let full = run(&mut rig);
    assert!((10_000..11_500).contains(&full), "{full}");
    rig.wr(0x0, 16 << 2 | 1 << 9);
    rig.wr(0x0, 16 << 2);
    let quarter = run(&mut rig);
    assert!((40_000..41_500).contains(&quarter), "{quarter}");
    rig.gpu.set_core_clock(400_000_000);
    let eighth = run(&mut rig);
    assert!((80_000..81_500).contains(&eighth), "{eighth}");
    // Without the load command the clock keeps its rate.
    rig.wr(0x0, 64 << 2);
    assert!((80_000..81_500).contains(&run(&mut rig)));
}

#[test]
fn power_registers_keep_what_is_written() {
    let mut rig = Rig::ready(Variant::Gc2000);
    assert_eq!(rig.rd(0x10c), 0x0159_0880);
    for (offset, value) in [
        (0x100, 0x0014_0021),
        (0x104, 0x3_0080),
        (0x10c, 0x015d_0880),
        (0x480, 1),
    ] {
        rig.wr(offset, value);
        assert_eq!(rig.rd(offset), value);
    }
    assert_eq!(rig.rd(0x108), 0xff, "all idle modules are gated");
    rig.assert_clean();
}

#[test]
fn without_power_or_clock_registers_are_dead() {
    let mut rig = Rig::ready(Variant::Gc2000);
    rig.now += 100;
    rig.gpu.set_clock(&mut rig.board, rig.now, false);
    assert_eq!(rig.rd(0x20), 0);
    rig.now += 100;
    rig.gpu.set_clock(&mut rig.board, rig.now, true);
    assert_eq!(rig.rd(0x20), 0x2000);
    assert_eq!(rig.rd(0x14), !0, "state survives a clock stop");
    rig.now += 100;
    rig.gpu.set_power(&mut rig.board, rig.now, false);
    rig.wr(0x14, 1);
    rig.now += 100;
    rig.gpu.set_power(&mut rig.board, rig.now, true);
    assert_eq!(rig.rd(0x14), 0, "state is lost with power");
    assert_eq!(rig.gpu.stats().dead_accesses, 2);
}

#[test]
fn a_stopped_clock_stops_the_front_end() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let at = rig.place(&Stream::new().wait(5_280).event(1, FROM_FE).end());
    rig.start(at, 3);
    rig.wait(1_000);
    rig.gpu.set_clock(&mut rig.board, rig.now, false);
    assert_eq!(rig.gpu.next_event(), None);
    rig.wait(1_000_000);
    assert!(!rig.board.line);
    rig.gpu.set_clock(&mut rig.board, rig.now, true);
    rig.run(5_000);
    assert!(!rig.board.line);
    rig.run(6_000);
    assert!(rig.board.line);
}

#[test]
fn idle_state_names_the_busy_modules() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let at = rig.place(&Stream::new().wait(800).end());
    rig.start(at, 2);
    assert_eq!(rig.rd(0x4), 0x7fff_ffff & !1, "only the front end is busy");
    assert_eq!(rig.rd(0x0) >> 16 & 1, 0);
    rig.run(10_000);
    assert!(rig.is_idle());
    // A BLT flush keeps BL busy after the front end is idle.
    let stream = Stream::new()
        .state(0x140b8, 1)
        .state(0x140ac, 1)
        .state(0x140b8, 0)
        .end();
    let at = rig.place(&stream);
    rig.start(at, stream.len());
    rig.wait(400);
    let idle = rig.rd(0x4);
    assert_eq!(idle & (1 | 1 << 12), 1, "{idle:x}");
    rig.run(10_000);
    assert!(rig.is_idle());
    assert_eq!(rig.gpu.stats().cache_flushes, 1);
    rig.assert_clean();
}
