// SPDX-License-Identifier: BSD-2-Clause
//! BLT, RS and the 2D engine: their effects on memory.

mod blt;
mod draw_2d;
mod resolve;

use crate::common::*;

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

fn finish(rig: &mut Rig, stream: Stream) {
    rig.exec(stream);
    assert_eq!(rig.ack(), 2);
    assert!(rig.is_idle());
    rig.assert_clean();
}
