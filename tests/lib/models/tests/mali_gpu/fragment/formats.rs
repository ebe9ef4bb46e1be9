// SPDX-License-Identifier: BSD-2-Clause
//! Formats and layouts of colour, depth and stencil.

use super::{check, rig, size, stride, zs_frame, COLOR, IMAGE, OLD};
use crate::common::frame::{
    self, emit, pixel, rgba8, run, Rt, Zs, AFBC, BGRA, FBD, LINEAR, RGBA, TILED,
};
use models::Variant;

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
        // X8: the padding byte is "zero" or "one".
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

/// Would catch an unknown format that is written: such targets are counted and not written.
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

/// Would catch the two-bit block format of v5 decoded in v7 descriptors, where it has four bits.
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
                // Without the clear flag the surface keeps its contents.
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
