// SPDX-License-Identifier: BSD-2-Clause
//! Descriptors of Midgard v4 and v5 and of Bifrost: which targets a frame preserves.

use super::{check, rig, size, stride, zs_frame, COLOR, IMAGE, OLD};
use crate::common::frame::{self, emit, rgba8, run, Zs, BGRA, FBD, LINEAR, TILED};
use crate::common::{Rig, RW};
use models::Variant;

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
        // A recorded reload counts once: the next frame on the descriptor clears.
        run(&mut g);
        assert_eq!(g.peek(IMAGE, 3), [0x99, 0x66, 0x33]);
    }
}

/// Would catch a model that ignores the pre-frame shader: depth cleared, stencil reloaded. Source:
/// Mesa pan_blitter.c pan_preload_emit_pre_frame_dcd (modes[1]) and v7.xml "Multisample, Misc"
/// depth write mask, "Stencil Mask, Misc" stencil enable.
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
    // Pre Frame 1 = early ZS always; the draws are at a pitch of 128 bytes.
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
