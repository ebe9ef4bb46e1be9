// SPDX-License-Identifier: BSD-2-Clause
//! The 2D engine, and the addresses that a draw uses.

use super::finish;
use crate::common::*;
use models::vivante::{Engine, Variant};

// --- draws ---

/// States with the values that make a draw use addresses, and the states that hold these addresses.
type Use<'a> = (&'a [(u32, u32)], &'a [u32]);

#[test]
fn a_draw_checks_every_address_it_uses() {
    // HW: Mesa etnaviv_emit.c, etnaviv_texture_state.c: the conditions under which a draw uses each
    // address. The samplers of GC3000 are NTE's.
    let samplers = |variant| match variant {
        Variant::Gc3000 => [
            (0x1_0000 + 31 * 4, 0x1_0800 + 31 * 64),
            (0x1_0000, 0x1_0800),
        ],
        _ => [(0x2000 + 11 * 4, 0x2400 + 11 * 4), (0x2000, 0x2400)],
    };
    for variant in [Variant::Gc3000, Variant::Gc2000] {
        let [last, first] = samplers(variant);
        // Vertex streams of HALTI2 are NFE's.
        let third = [if variant == Variant::Gc3000 {
            0x14608
        } else {
            0x688
        }];
        let uses: [Use; 7] = [
            (&[(0x868, 1), (0x85c, 3 << 16)], &[0x86c, 0x1028]),
            (&[(0x1400, 1)], &[0x1480, 0x1484]),
            (&[(0x1454, 5)], &[0x1458]),
            (&[(last.0, 2)], &[last.1]),
            (&[(first.0, 2), (0x1720, 1)], &[first.1, 0x1740]),
            (&[(0x1654, 2)], &[0x1658, 0x165c]),
            (&[(0x808, 1), (0x600, 2 << 8)], &third),
        ];
        for (switches, addresses) in uses {
            let mut rig = Rig::ready(variant);
            let good = rig.alloc(1) as u32;
            for wrong in std::iter::once(None).chain(addresses.iter().map(Some)) {
                // No vertex stream is used without the first one.
                let mut stream = Stream::new().state(0x680, good);
                for address in addresses {
                    let hole = Some(address) == wrong;
                    stream = stream.state(*address, if hole { 0x0800_0000 } else { good });
                }
                for (state, value) in switches {
                    stream = stream.state(*state, *value);
                }
                let draw = stream.raw(&[0x2800_0000, 4, 0, 1]);
                rig.exec(draw.event(1, FROM_PE).end());
                let causes = if wrong.is_some() { 1 << 31 | 2 } else { 2 };
                assert_eq!(
                    rig.ack(),
                    causes,
                    "{variant:?}: {wrong:x?} of {addresses:x?}"
                );
            }
            assert_eq!(rig.gpu.stats().protocol_error_count(), 0);
        }
    }
}

// --- 2D ---

/// The states that the test loads, in its order.
const LIBDRM_2D: [(u32, u32); 35] = [
    (0x1204, 0),
    (0x1208, 0),
    (0x120c, 0),
    (0x1210, 0),
    (0x1214, 0),
    (0x1218, 0),
    (0x121c, 0),
    (0x1220, 0),
    (0x1224, 0),
    (0x1228, 0),
    (0x122c, 1024),
    (0x1230, 0),
    (0x1234, 6),
    (0x125c, 0x0030_cccc),
    (0x1260, 0),
    (0x1264, 256 << 16 | 256),
    (0x126c, 0),
    (0x1278, 0),
    (0x127c, 0),
    (0x1280, 0),
    (0x12b4, 0),
    (0x12b8, 0),
    (0x12bc, 0),
    (0x12c0, 0xff40_ff40),
    (0x1268, 0xff),
    (0x1270, 0xff40_ff40),
    (0x1274, 0xff40_ff40),
    (0x12c4, 0),
    (0x12c8, 0),
    (0x12cc, 0),
    (0x12d0, 0),
    (0x12d4, 0),
    (0x12d8, 0),
    (0x12e8, 0xffff_ffff),
    (0x12ec, 0xffff_ffff),
];

#[test]
fn the_2d_test_of_libdrm() {
    // HW: libdrm tests/etnaviv/etnaviv_2d_test.c, all of its stream: 256 rectangles of 4x4 on a
    // grid of 8, and three loads of state 0 after them.
    let mut rig = Rig::ready(Variant::Gc320);
    let image = rig.alloc(64);
    rig.gpu.set_capture(true);
    let mut rects = vec![0x2000_0000, 0];
    for n in 0..256_u32 {
        let (x, y) = (n % 16 * 8, n / 16 * 8);
        rects.extend([y << 16 | x, (y + 4) << 16 | (x + 4)]);
    }
    let mut stream = Stream::new().state(0x3800, 1);
    for (state, value) in LIBDRM_2D {
        let value = if state == 0x1228 { image as u32 } else { value };
        stream = stream.state(state, value);
    }
    let stream = stream
        .raw(&rects)
        .state(1, 0)
        .state(1, 0)
        .state(1, 0)
        .state(0x380c, 8)
        .sync(FE, PE)
        .event(1, FROM_PE)
        .end();
    finish(&mut rig, stream);
    for i in 0..256 * 256_u64 {
        let inside = i % 8 < 4 && i % 2048 < 1024 && i % 256 < 128 && i < 256 * 128;
        let expected = if inside { 0xff40_ff40 } else { 0 };
        assert_eq!(rig.r32(image + i * 4), expected, "{i}");
    }
    assert_eq!(rig.gpu.stats().rectangles, 256);
    assert_eq!(rig.gpu.stats().pixels_written, 4096);
    let frame = rig.gpu.last_frame().unwrap();
    assert_eq!(
        (frame.engine, frame.width, frame.height),
        (Engine::De, 124, 124)
    );
    // The pixel counter of 2D has increased.
    rig.wr(0x470, 0x000b_0000);
    assert_eq!(rig.rd(0x454), 4096);
}

#[test]
fn the_2d_clip_is_honoured() {
    let mut rig = Rig::ready(Variant::Gc320);
    let image = rig.alloc(1);
    let stream = Stream::new()
        .state(0x1228, image as u32)
        .state(0x122c, 64)
        .state(0x1234, 4)
        .state(0x1260, 1 << 16 | 2)
        .state(0x1264, 3 << 16 | 4)
        .state(0x12c0, 0xffff_0000)
        .raw(&[0x2000_0100, 0, 0, 8 << 16 | 8])
        .event(1, FROM_PE)
        .end();
    finish(&mut rig, stream);
    // R5G6B5: two pixels a word.
    assert_eq!(rig.r32(image + 64 + 4), 0xf800_f800);
    assert_eq!([0, 64, 72, 192].map(|n| rig.r32(image + n)), [0; 4]);
    assert_eq!(rig.gpu.stats().pixels_written, 4);
}

#[test]
fn other_2d_commands_check_their_addresses() {
    let mut rig = Rig::ready(Variant::Gc320);
    let image = rig.alloc(1);
    let stream = Stream::new()
        .state(0x1200, 0x7000_0000)
        .state(0x1228, image as u32)
        .state(0x122c, 64)
        .state(0x1234, 6 | 2 << 12)
        .state(0x1264, 16 << 16 | 16)
        .raw(&[0x2000_0100, 0, 0, 8 << 16 | 8])
        .event(1, FROM_PE)
        .end();
    rig.exec(stream);
    assert_eq!(rig.ack(), 1 << 31 | 2, "no memory at the source");
}
