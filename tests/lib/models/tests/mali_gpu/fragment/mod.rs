// SPDX-License-Identifier: BSD-2-Clause
//! Fragment jobs: pixel-exact clears through the MMU, on all descriptor generations.
use crate::common::frame::{
    self, emit, pixel, rgba8, run, Rt, Zs, BGRA, FBD, FRAGMENT_JOB, LINEAR, TILED,
};
use crate::common::{Rig, MMU, R, RW};
use models::mali::Block;
use models::Variant;
use std::time::{Duration, Instant};

mod formats;
mod versions;

const IMAGE: u64 = 0x0800_0000;
const IMAGE2: u64 = 0x0a00_0000;
const COLOR: u32 = 0xff99_6633;
const OLD: u8 = 0xee;

fn rig(variant: Variant, bytes: u64) -> Rig {
    let mut g = Rig::ready(variant);
    g.map(FBD, 0x1000, RW);
    image(&mut g, IMAGE, bytes);
    g
}

/// Maps an image and fills it with a marker byte.
fn image(g: &mut Rig, base: u64, bytes: u64) {
    g.map(base, bytes, RW);
    for page in 0..bytes.div_ceil(4096) {
        let pa = (g.pa(base + page * 4096) - crate::common::RAM) as usize;
        g.board.ram[pa..pa + 4096].fill(OLD);
    }
}

fn stride(width: u32, layout: u32, bpp: u32) -> u32 {
    if layout == LINEAR {
        (width * bpp).next_multiple_of(64)
    } else {
        width.next_multiple_of(16) * 16 * bpp
    }
}

fn size(height: u32, stride: u32, layout: u32) -> u64 {
    u64::from(stride)
        * u64::from(if layout == LINEAR {
            height
        } else {
            height.div_ceil(16)
        })
}

/// Checks that every pixel inside `area` has the value, and that every other byte of the image is
/// the marker byte.
fn check(g: &mut Rig, rt: &Rt, bpp: u32, height: u32, area: [u32; 4], want: &[u8]) {
    let bytes = g.peek(rt.base, size(height, rt.stride, rt.layout) as usize);
    let inside = u64::from(area[2] - area[0] + 1) * u64::from(area[3] - area[1] + 1);
    for y in area[1]..=area[3] {
        for x in area[0]..=area[2] {
            assert_eq!(pixel(&bytes, rt, bpp, x, y), want, "pixel {x},{y}");
        }
    }
    let changed = bytes
        .chunks_exact(bpp as usize)
        .filter(|p| p.iter().any(|b| *b != OLD))
        .count() as u64;
    assert_eq!(changed, inside, "nothing else was written");
}

/// Would catch off-by-one extents, wrong tile order, writes past width or height.
/// Source: Mesa genxml v5.xml, v7.xml "Render Target"; pan_tiling.c; clients.md 6 ("pixel-exact").
#[test]
fn clears_are_pixel_exact() {
    for v7 in [false, true] {
        for (width, height) in [(1, 1), (16, 16), (17, 3), (255, 255)] {
            for layout in [LINEAR, TILED] {
                let row = stride(width, layout, 4);
                let variant = if v7 { Variant::G52 } else { Variant::T860 };
                let mut g = rig(variant, size(height, row, layout));
                let rt = rgba8(IMAGE, row, layout, COLOR);
                let mut f = frame::frame(width, height, &[rt]);
                f.v7 = v7;
                emit(&mut g, &f);
                run(&mut g);
                check(
                    &mut g,
                    &rt,
                    4,
                    height,
                    [0, 0, width - 1, height - 1],
                    &[0x33, 0x66, 0x99, 0xff],
                );
                let s = g.mali.stats();
                assert_eq!(s.pixels_written, u64::from(width * height));
                assert_eq!(s.decode_error_count(), 0, "{:?}", s.decode_errors);
            }
        }
    }
}

/// Would catch a clear that is too slow for a desktop; also checks the corners of a full frame.
#[test]
fn full_hd_clear_is_fast() {
    for layout in [LINEAR, TILED] {
        let row = stride(1920, layout, 4);
        let mut g = rig(Variant::T860, size(1088, row, layout));
        let rt = rgba8(IMAGE, row, layout, COLOR);
        emit(&mut g, &frame::frame(1920, 1080, &[rt]));
        let start = Instant::now();
        run(&mut g);
        let took = start.elapsed();
        let limit = if cfg!(debug_assertions) { 500 } else { 20 };
        assert!(took < Duration::from_millis(limit), "{took:?}");
        let bytes = g.peek(IMAGE, size(1080, row, layout) as usize);
        for (x, y) in [(0, 0), (1919, 0), (0, 1079), (1919, 1079), (960, 540)] {
            assert_eq!(pixel(&bytes, &rt, 4, x, y), [0x33, 0x66, 0x99, 0xff]);
        }
        let changed = bytes.chunks_exact(4).filter(|p| p[0] != OLD).count();
        assert_eq!(changed, 1920 * 1080);
    }
}

/// Would catch bounds that are ignored: tile bounds of the job, pixel bounds of the descriptor.
/// Source: Mesa genxml v5.xml "Fragment Job Payload", "Framebuffer Parameters" Bound.
#[test]
fn scissor_by_tiles_and_by_pixels() {
    for layout in [LINEAR, TILED] {
        let row = stride(100, layout, 4);
        let mut g = rig(Variant::T860, size(80, row, layout));
        let rt = rgba8(IMAGE, row, layout, COLOR);
        let mut f = frame::frame(100, 80, &[rt]);
        f.tiles = [1, 2, 3, 3];
        emit(&mut g, &f);
        run(&mut g);
        check(
            &mut g,
            &rt,
            4,
            80,
            [16, 32, 63, 63],
            &[0x33, 0x66, 0x99, 0xff],
        );
        let mut g = rig(Variant::T860, size(80, row, layout));
        f.bounds = [20, 0, 58, 50];
        emit(&mut g, &f);
        run(&mut g);
        check(
            &mut g,
            &rt,
            4,
            80,
            [20, 32, 58, 50],
            &[0x33, 0x66, 0x99, 0xff],
        );
    }
    // Minimum and maximum swapped. Source: panfrost.md 2.7 (0x59 TILE_RANGE).
    let mut g = rig(Variant::T860, 4096);
    let mut f = frame::frame(64, 64, &[rgba8(IMAGE, 256, LINEAR, COLOR)]);
    f.tiles = [3, 0, 1, 1];
    emit(&mut g, &f);
    g.submit(0, FRAGMENT_JOB, 0);
    g.settle();
    assert_eq!(g.slot_status(0), 0x59);
}

/// Would catch a partial update that clears pixels to be kept. Source: Mesa genxml v5.xml "Fragment
/// Job Payload" (Tile Enable Map), pan_resource.c panfrost_resource_set_damage_region (a bit per
/// 32x32 pixels).
#[test]
fn tile_enable_map() {
    let row = stride(96, LINEAR, 4);
    let mut g = rig(Variant::T860, size(64, row, LINEAR));
    let rt = rgba8(IMAGE, row, LINEAR, COLOR);
    emit(&mut g, &frame::frame(96, 64, &[rt]));
    let map = FBD + 0xc00;
    g.poke32(FRAGMENT_JOB + 36, &[5 | 3 << 16 | 1 << 31]);
    g.poke32(FRAGMENT_JOB + 48, &[map as u32, 0, 64]);
    // Second block of the second row.
    g.poke(map + 64, &[1 << 1]);
    run(&mut g);
    check(
        &mut g,
        &rt,
        4,
        64,
        [32, 32, 63, 63],
        &[0x33, 0x66, 0x99, 0xff],
    );
}

/// Would catch targets that are mixed up: two images, one preserved, one without writes. Source:
/// Mesa pan_cs.c pan_prepare_rt (Write Enable, Clean Pixel Write Enable).
#[test]
fn several_targets() {
    let row = stride(40, LINEAR, 4);
    let mut g = rig(Variant::T860, size(24, row, LINEAR));
    for base in [IMAGE2, IMAGE2 + 0x10_0000, IMAGE2 + 0x20_0000] {
        image(&mut g, base, size(32, stride(40, TILED, 4), TILED));
    }
    let first = rgba8(IMAGE, row, LINEAR, COLOR);
    let second = rgba8(IMAGE2, stride(40, TILED, 4), TILED, 0x0403_0201);
    let kept = Rt {
        base: IMAGE2 + 0x10_0000,
        clear: false,
        ..first
    };
    let unwritten = Rt {
        base: IMAGE2 + 0x20_0000,
        write: false,
        ..first
    };
    emit(
        &mut g,
        &frame::frame(40, 24, &[first, second, kept, unwritten]),
    );
    run(&mut g);
    check(
        &mut g,
        &first,
        4,
        24,
        [0, 0, 39, 23],
        &[0x33, 0x66, 0x99, 0xff],
    );
    check(&mut g, &second, 4, 24, [0, 0, 39, 23], &[1, 2, 3, 4]);
    for rt in [kept, unwritten] {
        assert!(g.peek(rt.base, 40 * 24 * 4).iter().all(|b| *b == OLD));
    }
    assert_eq!(g.mali.stats().targets_preserved, 1);
}

fn zs_frame(zs: Zs, v7: bool) -> frame::Frame {
    let rt = Rt {
        write: false,
        ..rgba8(0, 0, LINEAR, 0)
    };
    let mut f = frame::frame(40, 20, &[rt]);
    f.zs = Some(zs);
    f.v7 = v7;
    f
}

/// Would catch a clear that ignores the MMU: a hole in the image, and a read-only image.
#[test]
fn clear_goes_through_the_mmu() {
    let row = stride(64, LINEAR, 4);
    let mut g = rig(Variant::T860, size(64, row, LINEAR));
    let rt = rgba8(IMAGE, row, LINEAR, COLOR);
    emit(&mut g, &frame::frame(64, 64, &[rt]));
    g.unmap_page(IMAGE + 0x2000);
    g.submit(0, FRAGMENT_JOB, 0);
    g.settle();
    assert!(g.board.lines[MMU]);
    assert_eq!(
        (g.rd(0x241c), g.rd64(0x2420)),
        (0xc3 | 3 << 8 | 0x80 << 16, IMAGE + 0x2000)
    );
    g.wr(0x2004, 1);
    image(&mut g, IMAGE + 0x2000, 4096);
    g.flush(0, 4, IMAGE + 0x2000, 0x1000);
    g.settle();
    assert_eq!(g.job_raw(), 1);
    check(
        &mut g,
        &rt,
        4,
        64,
        [0, 0, 63, 63],
        &[0x33, 0x66, 0x99, 0xff],
    );
    let mut g = Rig::ready(Variant::T860);
    g.map(FBD, 0x1000, RW);
    g.map(IMAGE, 0x4000, R);
    emit(&mut g, &frame::frame(64, 64, &[rt]));
    g.submit(0, FRAGMENT_JOB, 0);
    g.settle();
    assert_eq!(g.rd(0x241c) & 0xff, 0xcb);
}

/// Would catch a frame reported wrong to the harness. Captured pixels are RGBA for every memory
/// format.
#[test]
fn last_frame_and_capture() {
    for layout in [LINEAR, TILED] {
        let row = stride(37, layout, 4);
        let mut g = rig(Variant::T860, size(19, row, layout));
        let rt = Rt {
            swizzle: BGRA,
            ..rgba8(IMAGE, row, layout, COLOR)
        };
        emit(&mut g, &frame::frame(37, 19, &[rt]));
        assert!(g.mali.last_frame().is_none());
        run(&mut g);
        assert!(g.mali.last_frame().unwrap().pixels.is_empty());
        g.mali.set_capture(true);
        run(&mut g);
        let f = g.mali.last_frame().unwrap();
        assert_eq!(
            (f.va, f.address_space, f.width, f.height, f.stride, f.format),
            (IMAGE, 0, 37, 19, row, 19)
        );
        assert_eq!(
            f.block,
            Some(if layout == LINEAR {
                Block::Linear
            } else {
                Block::Tiled
            })
        );
        assert_eq!(f.pixels, [0x33, 0x66, 0x99, 0xff].repeat(37 * 19));
    }
}

/// Would catch a fragment job whose time does not depend on its size.
#[test]
fn time_grows_with_the_tiles() {
    let mut times = Vec::new();
    for tiles in [1, 64] {
        let row = stride(16, LINEAR, 4);
        let mut g = rig(Variant::T860, size(1024, row, LINEAR));
        emit(
            &mut g,
            &frame::frame(16, 16 * tiles, &[rgba8(IMAGE, row, LINEAR, 0)]),
        );
        g.submit(0, FRAGMENT_JOB, 0);
        let start = g.now;
        g.settle();
        times.push(g.now - start);
    }
    assert_eq!(times[1] - times[0], 63 * 50);
}
