// SPDX-License-Identifier: BSD-2-Clause
//! BLT, RS and the 2D engine: what they do to memory.

#[path = "../vivante_common/mod.rs"]
mod vivante_common;

use models::vivante::{Engine, Layout, Variant};
use vivante_common::*;

const LINEAR: u32 = 0;
const TILED: u32 = 3 << 29;
const A8R8G8B8: u32 = 6 << 21;

/// Offset of a pixel in a super-tiled image of four bytes a pixel. HW: drm_fourcc.h.
fn super_tiled(stride: u64, x: u64, y: u64) -> u64 {
    let (group, tile) = (y % 64 / 16 * 8 + x % 64 / 8, y % 16 / 4 * 2 + x % 8 / 4);
    y / 64 * 64 * stride + (x / 64 * 4096 + group * 128 + tile * 16 + y % 4 * 4 + x % 4) * 4
}

fn tiled(stride: u64, x: u64, y: u64) -> u64 {
    y / 4 * 4 * stride + (x / 4 * 16 + y % 4 * 4 + x % 4) * 4
}

/// The states of a BLT operation around its command. HW: Mesa etnaviv_blt.c.
fn blt(states: &[(u32, u32)], command: u32) -> Stream {
    let mut stream = Stream::new().state(0x140b8, 1);
    for (state, value) in states {
        stream = stream.state(*state, *value);
    }
    stream
        .state(0x140ac, 3)
        .state(0x14060, command)
        .state(0x140ac, 3)
        .event(1, FROM_BLT)
        .state(0x140b8, 0)
        .end()
}

fn finish(rig: &mut Rig, stream: Stream) {
    rig.exec(stream);
    assert_eq!(rig.ack(), 2);
    assert!(rig.is_idle());
    rig.assert_clean();
}

#[test]
fn blt_clears_a_part_of_a_linear_image() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let image = rig.alloc(4);
    let clear = blt(
        &[
            (0x14064, 3 << 7),
            (0x14024, LINEAR | A8R8G8B8 | 256),
            (0x14028, 0),
            (0x14018, image as u32),
            (0x1402c, 2 << 16 | 3),
            (0x14030, 4 << 16 | 5),
            (0x14044, 0x1122_3344),
            (0x1404c, !0),
            (0x14050, !0),
        ],
        1,
    );
    finish(&mut rig, clear);
    for y in 0..16_u64 {
        for x in 0..64_u64 {
            let inside = (3..8).contains(&x) && (2..6).contains(&y);
            let expected = if inside { 0x1122_3344 } else { 0 };
            assert_eq!(rig.r32(image + y * 256 + x * 4), expected, "{x} {y}");
        }
    }
    assert_eq!(rig.gpu.stats().pixels_written, 20);
}

#[test]
fn blt_clears_only_the_bits_of_the_mask() {
    // HW: Mesa etnaviv_blt.c: depth without stencil is 0xffffff00.
    let mut rig = Rig::ready(Variant::Gc7000L);
    let image = rig.alloc(4);
    rig.fill(image, 4 * 4096, 0xaabb_ccdd);
    let clear = blt(
        &[
            (0x14064, 3 << 7),
            (0x14024, TILED | A8R8G8B8 | 256),
            (0x14028, 1 << 26),
            (0x14018, image as u32),
            (0x14030, 64 << 16 | 64),
            (0x14044, 0x1122_3344),
            (0x1404c, 0xffff_ff00),
            (0x14050, 0xffff_ff00),
        ],
        1,
    );
    finish(&mut rig, clear);
    for n in 0..4096 {
        assert_eq!(rig.r32(image + n * 4), 0x1122_33dd);
    }
}

/// Copies `w` x `h` pixels from a super-tiled image at `src` to a linear one at `dest`, both of
/// stride 512 bytes. `extra` follows.
fn copy(src: u64, dest: u64, pos: (u32, u32), size: (u32, u32), extra: &[(u32, u32)]) -> Stream {
    let mut states = vec![
        (0x14064, 0),
        (0x14008, TILED | A8R8G8B8 | 512),
        (0x1400c, 1 << 21),
        (0x140bc, 0x0068_8688),
        (0x14000, src as u32),
        (0x14024, LINEAR | A8R8G8B8 | 512),
        (0x14028, 1 << 22),
        (0x14018, dest as u32),
        (0x14014, pos.1 << 16 | pos.0),
        (0x1402c, 0),
        (0x14030, size.1 << 16 | size.0),
    ];
    states[3].1 = 0x0068_8688 & 0xfff | (0x0068_8688 & 0xfff) << 12;
    states.extend_from_slice(extra);
    blt(&states, 2)
}

/// A super-tiled 128x128 image in which each pixel holds its place.
fn picture(rig: &mut Rig) -> u64 {
    let image = rig.alloc(16);
    for y in 0..128 {
        for x in 0..128 {
            rig.w32(image + super_tiled(512, x, y), (y << 16 | x) as u32);
        }
    }
    image
}

#[test]
fn blt_copies_super_tiled_to_linear() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    rig.gpu.set_capture(true);
    let src = picture(&mut rig);
    let dest = rig.alloc(16);
    finish(&mut rig, copy(src, dest, (5, 7), (100, 90), &[]));
    for y in 0..128_u64 {
        for x in 0..128_u64 {
            let expected = if x < 100 && y < 90 {
                ((y + 7) << 16 | (x + 5)) as u32
            } else {
                0
            };
            assert_eq!(rig.r32(dest + y * 512 + x * 4), expected, "{x} {y}");
        }
    }
    let frame = rig.gpu.last_frame().unwrap();
    assert_eq!((frame.engine, frame.layout), (Engine::Blt, Layout::Linear));
    assert_eq!(frame.pixels.len(), 100 * 90 * 4);
    assert_eq!(frame.pixels[..4], 0x0007_0005_u32.to_le_bytes());
}

/// Would catch a command that Mesa 26.2 gives and the model leaves undone: levels below the image,
/// each from the one above, a row and a column that has no neighbour included. HW: state_blt.xml
/// MIP.
#[test]
fn blt_makes_mipmaps() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let image = picture(&mut rig);
    let levels = [rig.alloc(8), rig.alloc(4), rig.alloc(4)];
    let mut states = vec![
        (0x14008, TILED | A8R8G8B8 | 512),
        (0x1400c, 1 << 21),
        (0x14000, image as u32),
        (0x14030, 3 << 16 | 128),
        (0x140b0, 0x20 | 4),
    ];
    for (n, level) in levels.iter().enumerate() {
        states.push((0x140c0 + 4 * n as u32, *level as u32));
        states.push((0x14300 + 4 * n as u32, 256));
    }
    finish(&mut rig, blt(&states, 6));
    // 64x1, 32x1, 16x1: of columns 2x and 2x + 1, of rows 0 and 1; then of one row.
    for (x, expected) in [(0, 0), (1, 2), (63, 126)] {
        assert_eq!(rig.r32(levels[0] + super_tiled(256, x, 0)), expected, "{x}");
    }
    assert_eq!(rig.r32(levels[0] + super_tiled(256, 0, 1)), 0, "one row");
    assert_eq!(rig.r32(levels[1] + super_tiled(256, 31, 0)), 125);
    assert_eq!(rig.r32(levels[2] + super_tiled(256, 15, 0)), 123);
    assert_eq!(
        rig.r32(levels[2] + super_tiled(256, 16, 0)),
        0,
        "16 columns"
    );
}

#[test]
fn blt_flips_and_downsamples() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let src = picture(&mut rig);
    let dest = rig.alloc(16);
    finish(
        &mut rig,
        copy(
            src,
            dest,
            (0, 0),
            (128, 128),
            &[(0x14028, 1 << 22 | 1 << 19)],
        ),
    );
    assert_eq!(rig.r32(dest), 127 << 16);
    assert_eq!(rig.r32(dest + 127 * 512 + 4), 1);
    let dest = rig.alloc(16);
    let both = TILED | A8R8G8B8 | 512 | 3 << 27;
    finish(
        &mut rig,
        copy(src, dest, (0, 0), (64, 64), &[(0x14008, both)]),
    );
    assert_eq!(rig.r32(dest + 3 * 512 + 5 * 4), 6 << 16 | 10);
    assert_eq!(rig.r32(dest + 31 * 512 + 31 * 4), 62 << 16 | 62);
    assert_eq!(rig.r32(dest + 32 * 512), 0);
}

#[test]
fn blt_tile_status_partial_clear_restores_the_tile_first() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let (image, status) = (rig.alloc(16), rig.alloc(1));
    // 128-byte tiles, everything cleared to an older colour.
    rig.fill(status, 4096, 0x1111_1111);
    let clear = |w: u32, h: u32, color: u32| {
        blt(
            &[
                (0x14064, 3 << 7),
                (0x14024, TILED | A8R8G8B8 | 512),
                (0x14028, 1 | 1 << 26),
                (0x14018, image as u32),
                (0x1402c, 0),
                (0x14030, h << 16 | w),
                (0x14044, color),
                (0x1404c, !0),
                (0x14050, !0),
                (0x14020, status as u32),
                (0x1403c, color),
                (0x14040, color),
            ],
            1,
        )
    };
    // 6x4 pixels: the first 4x4 pixels of a tile of 8x4, and half of the next 4x4.
    finish(&mut rig, clear(6, 4, 0xc0c0_c0c0));
    assert_eq!(
        rig.r32(status),
        0x1111_1110,
        "only that tile left the cleared state"
    );
    for (x, y) in [(0, 0), (3, 3), (4, 0), (5, 3)] {
        assert_eq!(
            rig.r32(image + super_tiled(512, x, y)),
            0xc0c0_c0c0,
            "{x} {y}"
        );
    }
    assert_eq!(
        rig.r32(image + super_tiled(512, 8, 0)),
        0,
        "the next tile is only marked"
    );
    // A whole tile is only marked.
    finish(&mut rig, clear(8, 4, 0xd0d0_d0d0));
    assert_eq!(rig.r32(status), 0x1111_1111);
    assert_eq!(rig.r32(image), 0xc0c0_c0c0);
}

#[test]
fn blt_resolves_in_place() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let (image, status) = (rig.alloc(4), rig.alloc(1));
    rig.fill(image, 16384, 0x0bad_f00d);
    // 256-byte tiles: 0 and 2 of eight are cleared, the others are as in memory.
    rig.w32(status, 0x0000_0101);
    let resolve = blt(
        &[
            (0x14064, 1 << 10 | 1 << 11 | 2 << 15),
            (0x1403c, 0x5555_aaaa),
            (0x14040, 0x5555_aaaa),
            (0x14018, image as u32),
            (0x14020, status as u32),
            (0x14068, 8),
        ],
        4,
    );
    finish(&mut rig, resolve);
    for (tile, cleared) in [true, false, true, false].into_iter().enumerate() {
        let expected = if cleared { 0x5555_aaaa } else { 0x0bad_f00d };
        assert_eq!(rig.r32(image + tile as u64 * 256), expected);
        assert_eq!(rig.r32(image + tile as u64 * 256 + 252), expected);
    }
    assert_eq!(rig.r32(status), 0x0000_0101, "tile status is an input");
    assert_eq!(rig.gpu.stats().tiles_filled, 2);
}

#[test]
fn blt_copies_buffers() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let (src, dest) = (rig.alloc(3), rig.alloc(3));
    rig.fill(src, 3 * 4096, 0x7777_7777);
    let op = blt(
        &[
            (0x14000, src as u32),
            (0x14018, dest as u32),
            (0x14054, 9_000),
        ],
        3,
    );
    finish(&mut rig, op);
    assert_eq!(rig.r32(dest + 8_996), 0x7777_7777);
    assert_eq!(rig.r32(dest + 9_000), 0);
}

#[test]
fn blt_needs_its_enable() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    rig.exec(Stream::new().state(0x14060, 1).end());
    assert_eq!(
        rig.gpu
            .stats()
            .protocol_errors
            .get("BLT command without BLT enable"),
        Some(&1)
    );
    let mut rig = Rig::ready(Variant::Gc2000);
    rig.exec(Stream::new().state(0x14060, 1).end());
    assert_eq!(rig.gpu.stats().blt_operations[1], 0);
    assert_eq!(rig.gpu.stats().protocol_error_count(), 1);
}

#[test]
fn work_changes_memory_when_its_time_has_passed() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let image = rig.alloc(1);
    let clear = blt(
        &[
            (0x14064, 3 << 7),
            (0x14024, A8R8G8B8 | 256),
            (0x14018, image as u32),
            (0x14030, 1 << 16 | 16),
            (0x14044, 1),
            (0x1404c, !0),
        ],
        1,
    );
    let at = rig.place(&clear);
    rig.start(at, clear.len());
    rig.run(1_500);
    assert_eq!(rig.r32(image), 0);
    rig.run(10_000);
    assert_eq!(rig.r32(image), 1);
}

#[test]
fn a_compressed_tile_is_reported() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let src = picture(&mut rig);
    let (dest, status) = (rig.alloc(16), rig.alloc(1));
    rig.w32(status, 0x0000_0004);
    let ts = [(0x1400c, 1 | 1 << 21), (0x14010, status as u32)];
    rig.exec(copy(src, dest, (0, 0), (8, 4), &ts));
    assert_eq!(rig.ack(), 2);
    assert!(rig
        .gpu
        .stats()
        .decode_errors
        .contains_key("compressed tile"));
}

// --- RS. HW: Mesa etnaviv_rs.c ---

struct Rs {
    config: u32,
    source: u64,
    source_stride: u32,
    dest: u64,
    dest_stride: u32,
    window: (u32, u32),
    offset: u32,
    fill: Option<(u32, u32)>,
}

fn rs(op: &Rs) -> Stream {
    let (bits, value) = op.fill.unwrap_or((0, 0));
    Stream::new()
        .state(0x1604, op.config)
        .state(0x160c, op.source_stride)
        .state(0x1614, op.dest_stride)
        .states(0x16c0, &[op.source as u32, op.source as u32])
        .states(0x16e0, &[op.dest as u32, op.dest as u32])
        .states(0x1700, &[0, op.offset])
        .state(0x1620, op.window.1 << 16 | op.window.0)
        .state(0x163c, if op.fill.is_some() { 1 << 16 | bits } else { 0 })
        .states(0x1640, &[value, 0, 0, 0])
        .state(0x1600, 0xbeeb_beeb)
        .event(1, FROM_PE)
        .end()
}

#[test]
fn rs_fills_with_two_pipes() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let image = rig.alloc(4);
    // 32 x 32 pixels, tiled, stride 128 bytes: 512 to the next row of tiles.
    let op = Rs {
        config: 6 | 6 << 8 | 1 << 14,
        source: 0,
        source_stride: 0,
        dest: image,
        dest_stride: 512,
        window: (32, 16),
        offset: 16 << 16,
        fill: Some((0xffff, 0x1234_5678)),
    };
    finish(&mut rig, rs(&op));
    for n in 0..1024 {
        assert_eq!(rig.r32(image + n * 4), 0x1234_5678);
    }
    assert_eq!(rig.r32(image + 4096), 0);
    // Only stencil bytes.
    let op = Rs {
        fill: Some((0x1111, 0xaaaa_aaaa)),
        ..op
    };
    finish(&mut rig, rs(&op));
    assert_eq!(rig.r32(image + 100), 0x1234_56aa);
}

#[test]
fn rs_copies_tiled_to_linear_and_swaps() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let (src, dest) = (rig.alloc(4), rig.alloc(4));
    for y in 0..32 {
        for x in 0..32 {
            rig.w32(src + tiled(128, x, y), (y << 16 | x) as u32);
        }
    }
    let op = Rs {
        config: 6 | 6 << 8 | 1 << 7,
        source: src,
        source_stride: 512,
        dest,
        dest_stride: 128,
        window: (32, 16),
        offset: 16 << 16,
        fill: None,
    };
    finish(&mut rig, rs(&op));
    for y in 0..32_u64 {
        for x in 0..32_u64 {
            assert_eq!(rig.r32(dest + y * 128 + x * 4), (y << 16 | x) as u32);
        }
    }
    let op = Rs {
        config: op.config | 1 << 29,
        ..op
    };
    finish(&mut rig, rs(&op));
    assert_eq!(
        rig.r32(dest + 128 * 3 + 4 * 2),
        2 << 16 | 3,
        "red and blue swapped"
    );
}

#[test]
fn rs_copy_honours_tile_status_only_if_it_is_on() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let (src, dest, status) = (rig.alloc(4), rig.alloc(4), rig.alloc(1));
    rig.fill(src, 4096, 0x2222_2222);
    // Tile 0 is cleared, tile 1 is not.
    rig.w32(status, 0x5555_5551);
    for on in [false, true] {
        let op = Rs {
            config: 6 | 6 << 8 | 1 << 7,
            source: src,
            source_stride: 512,
            dest,
            dest_stride: 128,
            window: (32, 16),
            offset: 16 << 16,
            fill: None,
        };
        let ts = Stream::new()
            .state(0x1654, if on { 2 } else { 0 })
            .states(0x1658, &[status as u32, src as u32, 0x9999_9999]);
        finish(&mut rig, Stream([ts.0, rs(&op).0].concat()));
        assert_eq!(rig.r32(dest), if on { 0x9999_9999 } else { 0x2222_2222 });
        assert_eq!(rig.r32(dest + 16), 0x2222_2222);
    }
}

#[test]
fn rs_resolves_in_place() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let (image, status) = (rig.alloc(1), rig.alloc(1));
    rig.w32(status, 0b0100);
    let stream = Stream::new()
        .state(0x1604, 6 | 6 << 8)
        .states(0x1658, &[status as u32, image as u32, 0x4444_4444])
        .state(0x16b0, 3)
        .event(1, FROM_PE)
        .end();
    finish(&mut rig, stream);
    assert_eq!(
        [0, 64, 128].map(|n| rig.r32(image + n)),
        [0, 0x4444_4444, 0]
    );
}

#[test]
fn rs_widths_must_be_multiples_of_16() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let image = rig.alloc(1);
    let op = Rs {
        config: 6 | 6 << 8,
        source: 0,
        source_stride: 0,
        dest: image,
        dest_stride: 128,
        window: (20, 4),
        offset: 0,
        fill: Some((0xffff, 1)),
    };
    rig.exec(rs(&op));
    assert_eq!(
        rig.gpu
            .stats()
            .protocol_errors
            .get("RS window not a multiple of 16x4"),
        Some(&1)
    );
}

// --- draws ---

/// States with their values that make a draw use addresses, and the states that hold these.
type Use<'a> = (&'a [(u32, u32)], &'a [u32]);

#[test]
fn a_draw_checks_every_address_it_uses() {
    // HW: Mesa etnaviv_emit.c, etnaviv_texture_state.c: what makes a draw use which address. The
    // samplers of GC3000 are NTE's.
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
                // The first vertex stream decides whether there are any.
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

/// What the test loads, in its order.
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
    // The pixel counter of 2D moved.
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
