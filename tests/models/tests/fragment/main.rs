// SPDX-License-Identifier: BSD-2-Clause
//! Fragment jobs: pixel-exact clears through the MMU, on all descriptor generations.
#[path = "../common/mod.rs"]
mod common;
use common::frame::{
    self, emit, pixel, rgba8, run, Rt, Zs, AFBC, BGRA, FBD, FRAGMENT_JOB, LINEAR, RGBA, TILED,
};
use common::{Rig, MMU, R, RW};
use models::mali::Block;
use models::Variant;
use std::time::{Duration, Instant};

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

/// Maps an image and fills it with a mark.
fn image(g: &mut Rig, base: u64, bytes: u64) {
    g.map(base, bytes, RW);
    for page in 0..bytes.div_ceil(4096) {
        let pa = (g.pa(base + page * 4096) - common::RAM) as usize;
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

/// Every pixel inside `area` has the value, every byte of every other pixel the mark, and so
/// have the bytes that belong to no pixel.
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

/// Would catch a clear too slow to drive a desktop with; also checks the corners of a full frame.
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
    // Bounds the wrong way round. Source: panfrost.md 2.7 (0x59 TILE_RANGE).
    let mut g = rig(Variant::T860, 4096);
    let mut f = frame::frame(64, 64, &[rgba8(IMAGE, 256, LINEAR, COLOR)]);
    f.tiles = [3, 0, 1, 1];
    emit(&mut g, &f);
    g.submit(0, FRAGMENT_JOB, 0);
    g.settle();
    assert_eq!(g.slot_status(0), 0x59);
}

/// Would catch a partial update that clears what it must keep.
/// Source: Mesa genxml v5.xml "Fragment Job Payload" (Tile Enable Map), pan_resource.c
/// panfrost_resource_set_damage_region (a bit per 32x32 pixels).
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

/// Would catch a target taken for another: two images, one preserved, one without writes.
/// Source: Mesa pan_cs.c pan_prepare_rt (Write Enable, Clean Pixel Write Enable).
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

/// Internal format, memory format, swizzle, clear words, bytes in memory.
type Case = (u32, u32, u32, [u32; 4], &'static [u8]);

/// Would catch swapped channels, wrong packing or rounding.
/// Source: Mesa genxml "Color Format"; pan_clear.c tib_layouts; clients.md 6 (swizzle 1546).
#[test]
fn colour_formats() {
    // 0.5 in the tile buffer: 5.5 bits 15.5 * 32, 6.4 bits 31.5 * 16, 4.4 bits 7.5 * 16.
    let half_565 = 496 | 504 << 10 | 496 << 20;
    let half_4444 = 120 | 120 << 8 | 120 << 16 | 120 << 24;
    let f16 = [0x3c00_3800, 0x4000_3400];
    let cases: &[Case] = &[
        (1, 19, RGBA, [COLOR; 4], &[0x33, 0x66, 0x99, 0xff]),
        (1, 19, BGRA, [COLOR; 4], &[0x99, 0x66, 0x33, 0xff]),
        // A8R8G8B8 in memory: component 3 first.
        (
            1,
            19,
            3 | 1 << 6 | 2 << 9,
            [COLOR; 4],
            &[0xff, 0x33, 0x66, 0x99],
        ),
        // X8: the padding byte takes "zero" or "one".
        (
            1,
            19,
            2 | 1 << 3 | 4 << 9,
            [COLOR; 4],
            &[0x99, 0x66, 0x33, 0],
        ),
        (
            1,
            19,
            2 | 1 << 3 | 5 << 9,
            [COLOR; 4],
            &[0x99, 0x66, 0x33, 0xff],
        ),
        (1, 16, RGBA, [COLOR; 4], &[0x33]),
        (1, 17, RGBA, [COLOR; 4], &[0x33, 0x66]),
        (1, 18, RGBA, [COLOR; 4], &[0x33, 0x66, 0x99]),
        // Full red, no green, full blue: 0xf81f.
        (5, 21, RGBA, [31 << 5 | 31 << 25, 0, 0, 0], &[0x1f, 0xf8]),
        (5, 21, BGRA, [31 << 5, 0, 0, 0], &[0x00, 0xf8]),
        (5, 21, RGBA, [half_565, 0, 0, 0], &[0x10, 0x84]),
        (4, 20, RGBA, [half_4444, 0, 0, 0], &[0x88, 0x88]),
        (4, 20, RGBA, [0xf0 | 0xf0 << 24, 0, 0, 0], &[0x0f, 0xf0]),
        (
            2,
            24,
            RGBA,
            [0x3ff | 0x155 << 10 | 1 << 30, 0, 0, 0],
            &[0xff, 0x57, 0x05, 0x40],
        ),
        (6, 28, RGBA, [31 << 5 | 2 << 30, 0, 0, 0], &[0x1f, 0x80]),
        // Raw: R16F, RG16F, RGBA16F, RGBA32F.
        (33, 1, RGBA, [0x3800_3800; 4], &[0x00, 0x38]),
        (34, 3, RGBA, [0x3c00_3800; 4], &[0x00, 0x38, 0x00, 0x3c]),
        (
            35,
            5,
            RGBA,
            [f16[0], f16[1], f16[0], f16[1]],
            &[0x00, 0x38, 0x00, 0x3c, 0x00, 0x34, 0x00, 0x40],
        ),
        (
            36,
            7,
            RGBA,
            [1, 2, 3, 4],
            &[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0],
        ),
        (32, 0, RGBA, [0x5a5a_5a5a; 4], &[0x5a]),
    ];
    for (internal, format, swizzle, value, want) in cases {
        for layout in [LINEAR, TILED] {
            let bpp = want.len() as u32;
            let row = stride(20, layout, bpp);
            let mut g = rig(Variant::T860, size(20, row, layout));
            let rt = Rt {
                internal: *internal,
                format: *format,
                swizzle: *swizzle,
                value: *value,
                ..rgba8(IMAGE, row, layout, 0)
            };
            emit(&mut g, &frame::frame(20, 20, &[rt]));
            run(&mut g);
            let bytes = g.peek(IMAGE, size(20, row, layout) as usize);
            for (x, y) in [(0, 0), (19, 0), (0, 19), (19, 19), (7, 13)] {
                assert_eq!(
                    pixel(&bytes, &rt, bpp, x, y),
                    *want,
                    "internal {internal} format {format}"
                );
            }
        }
    }
}

/// Would catch formats silently written wrong: what is not known is counted and left alone.
#[test]
fn unknown_formats_and_layouts_are_counted() {
    let base = rgba8(IMAGE, 256, LINEAR, COLOR);
    let cases = [
        (Rt { format: 30, ..base }, "colour format"),
        (Rt { layout: 1, ..base }, "colour block format"),
        (
            Rt {
                layout: AFBC,
                ..base
            },
            "AFBC colour target",
        ),
    ];
    for (rt, what) in cases {
        let mut g = rig(Variant::T860, 64 * 256);
        emit(&mut g, &frame::frame(64, 64, &[rt]));
        if rt.layout == AFBC {
            g.poke64(FBD + 128 + 16, IMAGE);
            g.poke64(FBD + 128 + 32, IMAGE + 0x1000);
        }
        run(&mut g);
        let word = u32::from_le_bytes(g.peek(FBD + 128 + 4, 4).try_into().unwrap());
        let stats = g.mali.stats();
        if rt.layout == AFBC {
            assert_eq!((stats.left[what], stats.decode_error_count()), (1, 0));
        } else {
            assert_eq!(
                (stats.decode_errors[what], stats.decode_words[what]),
                (1, word)
            );
        }
        assert!(g.peek(IMAGE, 64 * 256).iter().all(|b| *b == OLD));
    }
}

/// Would catch the two-bit block format of v5 read in v7 descriptors, where it has four bits.
/// Source: Mesa genxml v7.xml "ZS CRC Extension".
#[test]
fn compressed_depth_is_counted() {
    for v7 in [false, true] {
        let mut g = rig(if v7 { Variant::G52 } else { Variant::T860 }, 0x4000);
        let zs = Zs {
            z_format: 5,
            z_layout: AFBC,
            z_base: IMAGE,
            z_write: true,
            clear: true,
            ..Zs::default()
        };
        emit(&mut g, &zs_frame(zs, v7));
        run(&mut g);
        assert_eq!(g.mali.stats().left["AFBC depth target"], 1);
    }
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

/// Would catch depth and stencil in the wrong bits, or one destroying the other.
/// Source: Mesa genxml "ZS Format", "S Format", "ZS CRC Extension"; pan_cs.c
/// translate_zs_format, translate_s_format.
#[test]
fn depth_and_stencil_clears() {
    let z24 = 0x80_0000u32;
    let half = 0.5f32.to_bits();
    let mut d32s8 = half.to_le_bytes().to_vec();
    d32s8.extend([0x5a, OLD, OLD, OLD]);
    let cases: &[(u32, Vec<u8>)] = &[
        (1, 0x8000u16.to_le_bytes().to_vec()),
        (4, z24.to_le_bytes().to_vec()),
        (5, (z24 | 0x5a << 24).to_le_bytes().to_vec()),
        (7, (z24 << 8 | 0x5a).to_le_bytes().to_vec()),
        (14, half.to_le_bytes().to_vec()),
        (15, d32s8),
    ];
    for v7 in [false, true] {
        for (format, want) in cases {
            for layout in [LINEAR, TILED] {
                let bpp = want.len() as u32;
                let row = stride(40, layout, bpp);
                let mut g = rig(
                    if v7 { Variant::G31 } else { Variant::T860 },
                    size(20, row, layout),
                );
                let zs = Zs {
                    z_format: *format,
                    z_layout: layout,
                    z_base: IMAGE,
                    z_stride: row,
                    z_write: true,
                    clear: true,
                    depth: 0.5,
                    stencil: 0x5a,
                    ..Zs::default()
                };
                emit(&mut g, &zs_frame(zs, v7));
                run(&mut g);
                let rt = rgba8(IMAGE, row, layout, 0);
                check(&mut g, &rt, bpp, 20, [0, 0, 39, 19], want);
                // The same without the clear flag leaves the surface alone.
                let mut g = rig(
                    if v7 { Variant::G31 } else { Variant::T860 },
                    size(20, row, layout),
                );
                emit(&mut g, &zs_frame(Zs { clear: false, ..zs }, v7));
                run(&mut g);
                assert!(g
                    .peek(IMAGE, size(20, row, layout) as usize)
                    .iter()
                    .all(|b| *b == OLD));
            }
        }
    }
}

/// Would catch a stencil view of a combined surface that overwrites depth.
#[test]
fn stencil_alone_keeps_other_bytes() {
    let cases: &[(u32, &[u8])] = &[
        (1, &[0x5a]),
        (3, &[0x5a, OLD, OLD, OLD]),
        (4, &[OLD, OLD, OLD, 0x5a]),
        (6, &[OLD, OLD, OLD, OLD, 0x5a, OLD, OLD, OLD]),
    ];
    for (format, want) in cases {
        for layout in [LINEAR, TILED] {
            let bpp = want.len() as u32;
            let row = stride(40, layout, bpp);
            let mut g = rig(Variant::T860, size(20, row, layout));
            let zs = Zs {
                s_format: *format,
                s_layout: layout,
                s_base: IMAGE,
                s_stride: row,
                s_write: true,
                clear: true,
                stencil: 0x5a,
                ..Zs::default()
            };
            emit(&mut g, &zs_frame(zs, false));
            run(&mut g);
            check(
                &mut g,
                &rgba8(IMAGE, row, layout, 0),
                bpp,
                20,
                [0, 0, 39, 19],
                want,
            );
        }
    }
}

/// v4 framebuffer descriptor. HW: Mesa genxml v4.xml "Framebuffer Parameters": word 0 internal
/// format, swizzle << 6, format << 18, block << 26, clean write bit 29, write bit 31.
fn emit_v4(g: &mut Rig, width: u32, height: u32, layout: u32, row: u32, polygon_list: u64) {
    let mut w = [0u32; 80];
    w[1] = 31;
    w[8] = 1 | BGRA << 6 | 19 << 18 | layout << 26 | 1 << 28 | 1 << 29 | 1 << 31;
    w[11] = (width - 1) | (height - 1) << 16;
    w[20] = IMAGE as u32;
    w[22] = row;
    w[32..36].copy_from_slice(&[COLOR; 4]);
    w[48] = 4096;
    w[49] = if polygon_list == 0 { 4095 } else { 0 };
    w[50] = polygon_list as u32;
    w[52] = polygon_list as u32 + 512;
    w[54] = polygon_list as u32 + 0x1000;
    w[56] = polygon_list as u32 + 0x4000;
    g.poke32(FBD, &w);
    frame::emit_job(g, FBD, [0, 0, (width - 1) / 16, (height - 1) / 16]);
}

/// Would catch v4 descriptors read as v5. Source: Mesa genxml v4.xml "Framebuffer".
#[test]
fn single_target_descriptor_of_t720() {
    for layout in [LINEAR, TILED] {
        let row = stride(33, layout, 4);
        let mut g = rig(Variant::T720, size(21, row, layout));
        emit_v4(&mut g, 33, 21, layout, row, 0);
        run(&mut g);
        let rt = rgba8(IMAGE, row, layout, 0);
        check(
            &mut g,
            &rt,
            4,
            21,
            [0, 0, 32, 20],
            &[0x99, 0x66, 0x33, 0xff],
        );
    }
}

/// The reload draw of Mesa: strip of four corners, textured. On v4 only it distinguishes a
/// preserved target from a cleared one. Source: Mesa pan_blitter.c pan_preload_fb.
#[test]
fn v4_reload_draw_preserves_the_target() {
    for corner in [33.0f32, 32.0] {
        let row = stride(33, LINEAR, 4);
        let mut g = rig(Variant::T720, size(21, row, LINEAR));
        let at = 0x0220_0000;
        g.map(at, 0x8000, RW);
        emit_v4(&mut g, 33, 21, LINEAR, row, at + 0x1000);
        // Tiler job: primitive at 40, draw at 64.
        g.header(at, 7, 1, (0, 0), 0);
        g.poke32(at + 40, &[10, 0, 0, 3, 0, 0]);
        let draw = at + 64;
        let (state, rect, textures) = (at + 0x200, at + 0x300, at + 0x400);
        g.poke64(draw + 16, rect);
        g.poke64(draw + 32, textures);
        g.poke64(draw + 56, state);
        g.poke64(draw + 112, FBD);
        g.poke32(state + 8, &[1 << 16]);
        g.poke64(textures, at + 0x500);
        g.poke32(at + 0x500, &[32 | 20 << 16, 0, 2 << 22 | 1 << 28]);
        g.poke64(at + 0x520, IMAGE);
        let (x, y) = (corner, 21.0f32);
        let rect_words = [
            0.0, 0.0, 0.0, 1.0, x, 0.0, 0.0, 1.0, 0.0, y, 0.0, 1.0, x, y, 0.0, 1.0,
        ];
        g.poke32(rect, &rect_words.map(f32::to_bits));
        g.submit(1, at, 0);
        g.settle();
        assert_eq!(g.job_raw(), 2, "status {:#x}", g.slot_status(1));
        g.wr(0x1004, 2);
        run(&mut g);
        let kept = g
            .peek(IMAGE, size(21, row, LINEAR) as usize)
            .iter()
            .all(|b| *b == OLD);
        assert_eq!(
            kept,
            corner == 33.0,
            "only a draw over the whole frame restores it"
        );
        // The mark is used up: the next frame on the descriptor clears again.
        run(&mut g);
        assert_eq!(g.peek(IMAGE, 3), [0x99, 0x66, 0x33]);
    }
}

/// Would catch a pre-frame shader's part ignored: depth cleared, stencil reloaded.
/// Source: Mesa pan_blitter.c pan_preload_emit_pre_frame_dcd (modes[1]) and v7.xml
/// "Multisample, Misc" depth write mask, "Stencil Mask, Misc" stencil enable.
#[test]
fn v7_pre_frame_shader_restores_one_part() {
    let row = stride(40, TILED, 4);
    let mut g = rig(Variant::G52, size(20, row, TILED));
    let zs = Zs {
        z_format: 5,
        z_layout: TILED,
        z_base: IMAGE,
        z_stride: row,
        z_write: true,
        clear: true,
        depth: 1.0,
        stencil: 0,
        ..Zs::default()
    };
    emit(&mut g, &zs_frame(zs, true));
    let draws = 0x0220_0000;
    g.map(draws, 0x1000, RW);
    // Pre Frame 1 = early ZS always; the draws are 128 bytes apart.
    g.poke32(FBD, &[3 << 3]);
    g.poke64(FBD + 24, draws);
    let state = draws + 0x400;
    g.poke64(draws + 128 + 56, state);
    g.poke32(state + 36, &[1 << 16]);
    run(&mut g);
    check(
        &mut g,
        &rgba8(IMAGE, row, TILED, 0),
        4,
        20,
        [0, 0, 39, 19],
        &[0xff, 0xff, 0xff, OLD],
    );
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

/// Would catch a frame reported wrong to the harness. Captured pixels are RGBA whatever the
/// memory format.
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
