// SPDX-License-Identifier: BSD-2-Clause
//! Host registers of the Vivante model: identity, clocks, reset, interrupts, counters.

use crate::common::*;
use models::vivante::{Injection, Variant};
use models::Access;

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
fn reset_takes_time_and_loses_state() {
    for variant in ALL {
        let mut rig = Rig::ready(variant);
        rig.assert_clean();
        rig.exec(Stream::new().event(3, FROM_FE).state(0xe00, 7).end());
        assert!(rig.board.line);
        assert_eq!(rig.gpu.state(0xe00), 7);
        rig.wr(0x0, 64 << 2 | 1 << 19);
        if rig.secure {
            rig.wr(0x3a8, 1);
        } else {
            rig.wr(0x0, 64 << 2 | 1 << 19 | 1 << 12);
        }
        rig.wait(1_000);
        assert_eq!(rig.rd(0x4), 0, "nothing is idle in reset");
        assert!(rig.board.line);
        rig.wait(10_000);
        assert!(!rig.board.line);
        assert!(rig.is_idle());
        assert_eq!(rig.rd(0x0) & 0x3_0000, 0x3_0000);
        rig.wr(0x0, 64 << 2);
        assert_eq!(rig.rd(0x14), 0, "INTR_ENBL");
        assert_eq!(rig.ack(), 0);
        assert_eq!(rig.gpu.state(0xe00), 0);
        if rig.secure {
            assert_eq!(rig.rd(0x3a8), 0, "AHB_CONTROL");
        }
        assert_eq!(rig.gpu.stats().resets, 2);
        rig.assert_clean();
    }
}

#[test]
fn registers_take_nothing_until_the_reset_is_lifted() {
    // HW: etnaviv.md 2.5: the bit is cleared before any other write.
    for variant in [Variant::Gc3000, Variant::Gc2000, Variant::Gc320] {
        let mut rig = Rig::ready(variant);
        rig.wr(0x0, 64 << 2 | 1 << 19 | 1 << 12);
        rig.wait(15_000);
        rig.wr(0x14, !0);
        assert_eq!(rig.rd(0x14), 0);
        let error = "register write during reset";
        assert_eq!(rig.gpu.stats().protocol_errors.get(error), Some(&1));
        rig.wr(0x0, 64 << 2);
        rig.wr(0x14, !0);
        assert_eq!(rig.rd(0x14), !0);
    }
}

#[test]
fn a_short_reset_pulse_does_nothing() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let ring = rig.alloc(1);
    rig.idle_loop(ring, ring);
    rig.start(ring, 2);
    rig.wr(0x0, 64 << 2 | 1 << 19 | 1 << 12);
    rig.wait(1_000);
    rig.wr(0x0, 64 << 2);
    rig.wait(100_000);
    assert_eq!(rig.rd(0x4) & 1, 0, "the front end still runs");
    assert_eq!(
        rig.gpu.stats().protocol_errors.get("reset pulse too short"),
        Some(&1)
    );
    rig.reset();
    assert!(rig.is_idle());
}

#[test]
fn a_secure_core_ignores_the_soft_reset() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let ring = rig.alloc(1);
    rig.idle_loop(ring, ring);
    rig.start(ring, 2);
    rig.wr(0x0, 64 << 2 | 1 << 19 | 1 << 12);
    rig.wait(20_000);
    rig.wr(0x0, 64 << 2);
    assert_eq!(rig.rd(0x4) & 1, 0);
    assert_eq!(
        rig.gpu
            .stats()
            .protocol_errors
            .get("soft reset of a secure core"),
        Some(&1)
    );
}

#[test]
fn a_secure_core_needs_both_control_registers_and_the_grant() {
    let mut rig = Rig::cold(Variant::Gc7000L);
    rig.reset();
    rig.wr(0x14, !0);
    let at = rig.place(&Stream::new().event(1, FROM_FE).end());
    rig.start(at, 2);
    rig.wait(100_000);
    assert_eq!(
        rig.ack(),
        0,
        "AHB_CONTROL does not grant non-secure access yet"
    );
    rig.wr(0x3a8, 2);
    rig.wr(0x658, 1 << 16 | 2);
    rig.wait(100_000);
    assert_eq!(rig.ack(), 0, "the secure control register was not written");
    rig.wr(0x3a4, 1 << 16 | 2);
    rig.wait(100_000);
    assert_eq!(rig.ack(), 2);
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

#[test]
fn counters_move_and_can_be_hidden() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let read = rig.rd(0x40);
    rig.exec(Stream::new().nop().nop().end());
    assert!(rig.rd(0x40) > read);
    rig.wr(0x3c, 1);
    assert_eq!(rig.rd(0x40), 0);
    rig.wait(10_000);
    assert!(rig.rd(0x78) > 5_000);
    rig.wr(0x0, 64 << 2 | 1 << 11);
    assert_eq!(rig.rd(0x78), 0, "debug registers are off");
}

#[test]
fn cycles_are_counted_where_the_model_has_them() {
    // HW: etnaviv.md 2.12, Linux 6.1 etnaviv_perfmon.c: total and idle cycles of GC2000 are 0x438
    // and 0x78, of the others 0x78 and 0x7c (i.MX6QP's GC2000 is a GC3000).
    for variant in [Variant::Gc7000L, Variant::Gc3000, Variant::Gc2000] {
        let (total, idle) = if variant == Variant::Gc2000 {
            (0x438, 0x78)
        } else {
            (0x78, 0x7c)
        };
        let mut rig = Rig::ready(variant);
        let at = rig.place(&Stream::new().raw(&[0x2800_0000, 4, 0, 10_000]).end());
        rig.start(at, 3);
        rig.wait(2_000);
        let first = (rig.rd(total), rig.rd(idle));
        let mut last = first;
        for _ in 0..20 {
            rig.wait(20_000);
            let now = (rig.rd(total), rig.rd(idle));
            assert!(
                now.0 > last.0 && now.1 >= last.1,
                "{variant:?}: {now:x?} after {last:x?}"
            );
            last = now;
        }
        // The draw takes 160 us of the 400.
        let mhz = if variant == Variant::Gc7000L {
            800
        } else {
            528
        };
        let (all, unused) = (last.0 - first.0, last.1 - first.1);
        assert!((400..420).contains(&(all / mhz)), "{variant:?}: {all}");
        assert!(
            (230..270).contains(&(unused / mhz)),
            "{variant:?}: {unused}"
        );
    }
}

#[test]
fn counters_of_pixel_pipes_add_up() {
    // HW: Linux 6.1 etnaviv_perfmon.c: which signals are read once per pixel pipe, with its number
    // in bits 23:20 of CLOCK_CONTROL.
    let mut rig = Rig::ready(Variant::Gc2000);
    let triangles = Stream::new().raw(&[0x2800_0000, 4, 0, 7]);
    rig.exec(triangles.sync(FE, PE).end());
    let mut sum = |config: u32, select: u32, read: u32| {
        let mut pipes = [0; 3];
        for (n, value) in pipes.iter_mut().enumerate() {
            rig.wr(0x0, 64 << 2 | (n as u32) << 20);
            if config != 0 {
                rig.wr(config, select);
            }
            *value = rig.rd(read);
        }
        rig.wr(0x0, 64 << 2);
        pipes
    };
    let per_pipe = |pipes: [u32; 3]| {
        let [first, second, third] = pipes;
        assert!(second > 0 && first >= second && third == 0, "{pipes:?}");
        first + second
    };
    assert_eq!(per_pipe(sum(0x470, 2 << 16, 0x454)), 7 * 64, "PE");
    assert_eq!(per_pipe(sum(0x470, 10 << 24, 0x45c)), 21, "SH vertices");
    let read = per_pipe(sum(0, 0, 0x40));
    assert_eq!(sum(0x478, 1, 0x468), [read; 3], "MC is one");
    assert_eq!(
        sum(0x470, 8 << 24, 0x45c),
        [7 * 64; 3],
        "SH pixels are not per pipe"
    );
    assert_eq!(
        sum(0x474, 4, 0x460),
        [7; 3],
        "PA input primitives are not per pipe either"
    );
    rig.assert_clean();
    rig.reset();
    rig.wr(0x474, 4);
    assert_eq!(rig.rd(0x460), 0, "a reset clears them");
}

#[test]
fn module_counters_need_their_clocks() {
    // HW: etnaviv.md 2.12: module clock gating is off around sampling; 2.10: not for the current
    // primitive.
    let mut rig = Rig::ready(Variant::Gc2000);
    let gating = rig.rd(0x100);
    rig.wr(0x100, gating | 1);
    for offset in [0x450, 0x40, 0x44, 0x78, 0x438] {
        rig.rd(offset);
    }
    rig.assert_clean();
    rig.rd(0x454);
    let error = "profile counter read under module clock gating";
    assert_eq!(rig.gpu.stats().protocol_errors.get(error), Some(&1));
    rig.wr(0x100, gating);
    rig.rd(0x454);
    assert_eq!(rig.gpu.stats().protocol_error_count(), 1);
}

#[test]
fn the_current_primitive_advances_during_a_long_draw() {
    // HW: etnaviv.md 2.10: PROFILE_CONFIG0 front end select, read at 0x450.
    let mut rig = Rig::ready(Variant::Gc2000);
    let at = rig.place(&Stream::new().raw(&[0x2800_0000, 4, 0, 10_000]).end());
    rig.start(at, 3);
    rig.wr(0x470, 9);
    let mut last = rig.rd(0x450);
    for _ in 0..5 {
        rig.wait(20_000);
        let now = rig.rd(0x450);
        assert!(now > last, "{now} after {last}");
        last = now;
    }
    assert!(last < 10_000);
    rig.run(10_000_000);
    assert_eq!(rig.rd(0x450), 10_000);
    // Other modules count from their last reset.
    rig.wr(0x474, 0x0000_000f);
    rig.wr(0x474, 0x0000_0004);
    assert_eq!(rig.rd(0x460), 0, "PA input primitives");
}

#[test]
fn work_with_a_debug_pixel_pipe_selected_hangs() {
    // HW: etnaviv.md 2.12.
    let mut rig = Rig::ready(Variant::Gc2000);
    rig.wr(0x0, 64 << 2 | 1 << 20);
    rig.exec(
        Stream::new()
            .raw(&[0x2800_0000, 4, 0, 1])
            .event(1, FROM_PE)
            .end(),
    );
    assert_eq!(rig.ack(), 0);
    assert!(!rig.is_idle());
}

#[test]
fn a_stuck_reset_reports_busy_until_the_next_one() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    rig.gpu.inject(Injection::ResetStuck);
    rig.reset();
    assert_eq!(rig.rd(0x4) & 1, 0);
    assert_eq!(rig.rd(0x0) & 0x3_0000, 0);
    rig.reset();
    assert!(rig.is_idle());
    assert_eq!(rig.gpu.stats().injected, 1);
}
