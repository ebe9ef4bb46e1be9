// SPDX-License-Identifier: BSD-2-Clause
//! The resolve engine (RS) of older cores: fills, copies, tile status.

use super::{finish, tiled};
use crate::common::*;
use models::vivante::Variant;

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
