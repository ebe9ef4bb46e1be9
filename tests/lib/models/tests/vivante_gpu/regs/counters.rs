// SPDX-License-Identifier: BSD-2-Clause
//! Profile and cycle counters.

use super::*;

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
