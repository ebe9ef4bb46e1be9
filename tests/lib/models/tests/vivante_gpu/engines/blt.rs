// SPDX-License-Identifier: BSD-2-Clause
//! The BLT engine of a GC7000L: clears, copies, tile status.

use super::{finish, super_tiled, A8R8G8B8, LINEAR, TILED};
use crate::common::*;
use models::vivante::{Engine, Layout, Variant};

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
/// stride 512 bytes. The states of `extra` are loaded after those of the copy.
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

/// A super-tiled 128x128 image in which each pixel holds its position.
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

/// Would catch mipmaps, a command that Mesa 26.2 uses, left undone: levels below the image, each
/// from the one above, including a row and a column without a neighbour. HW: state_blt.xml MIP.
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
    // 128-byte tiles, everything cleared to an earlier colour.
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
