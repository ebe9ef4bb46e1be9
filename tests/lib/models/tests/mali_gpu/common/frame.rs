// SPDX-License-Identifier: BSD-2-Clause
//! Framebuffer descriptors and fragment jobs, built from Mesa's published layouts
//! (genxml v4.xml, v5.xml, v7.xml).
use super::Rig;

/// Address of a frame's descriptors; the page must be mapped.
pub const FBD: u64 = 0x0210_0000;
pub const FRAGMENT_JOB: u64 = 0x0210_0800;

pub const TILED: u32 = 0;
pub const LINEAR: u32 = 2;
pub const AFBC: u32 = 3;

/// Identity swizzle: components 0, 1, 2, 3.
pub const RGBA: u32 = 1 << 3 | 2 << 6 | 3 << 9;
/// Components 2, 1, 0, 3: the 1546 of the pandecode traces.
pub const BGRA: u32 = 1546;

/// A colour target, in terms of the v5 descriptor.
#[derive(Clone, Copy)]
pub struct Rt {
    pub base: u64,
    pub stride: u32,
    pub layout: u32,
    pub internal: u32,
    pub format: u32,
    pub swizzle: u32,
    pub write: bool,
    pub clear: bool,
    pub value: [u32; 4],
}

/// R8G8B8A8 target with one colour word.
pub fn rgba8(base: u64, stride: u32, layout: u32, value: u32) -> Rt {
    Rt {
        base,
        stride,
        layout,
        internal: 1,
        format: 19,
        swizzle: RGBA,
        write: true,
        clear: true,
        value: [value; 4],
    }
}

/// Depth and stencil part of a frame.
#[derive(Clone, Copy, Default)]
pub struct Zs {
    pub z_format: u32,
    pub z_layout: u32,
    pub z_base: u64,
    pub z_stride: u32,
    pub z_write: bool,
    pub s_format: u32,
    pub s_layout: u32,
    pub s_base: u64,
    pub s_stride: u32,
    pub s_write: bool,
    pub clear: bool,
    pub depth: f32,
    pub stencil: u32,
}

/// A v5 or v7 frame.
pub struct Frame {
    pub width: u32,
    pub height: u32,
    /// Inclusive pixel bounds x0, y0, x1, y1.
    pub bounds: [u32; 4],
    /// Inclusive tile bounds x0, y0, x1, y1.
    pub tiles: [u32; 4],
    pub rts: Vec<Rt>,
    pub zs: Option<Zs>,
    pub v7: bool,
}

pub fn frame(width: u32, height: u32, rts: &[Rt]) -> Frame {
    Frame {
        width,
        height,
        bounds: [0, 0, width - 1, height - 1],
        tiles: [0, 0, (width - 1) / 16, (height - 1) / 16],
        rts: rts.to_vec(),
        zs: None,
        v7: false,
    }
}

/// Writes the descriptor and the job. The tag of the pointer is 1 | extension << 1 | (targets - 1)
/// << 2. HW: Mesa genxml v5.xml "FBD Tag", pan_cs.c pan_emit_fbd.
pub fn emit(g: &mut Rig, f: &Frame) {
    let zs = f.zs.unwrap_or_default();
    let count = f.rts.len() as u32;
    let params = [
        (f.width - 1) | (f.height - 1) << 16,
        f.bounds[0] | f.bounds[1] << 16,
        f.bounds[2] | f.bounds[3] << 16,
        (count - 1) << 19 | 8 << 9 | 1 << 24,
        zs.stencil
            | u32::from(zs.s_write) << 8
            | u32::from(zs.z_write) << 18
            | u32::from(f.zs.is_some()) << 21
            | 1 << 16,
        zs.depth.to_bits(),
    ];
    let mut fbd = [0u32; 32];
    fbd[8..14].copy_from_slice(&params);
    if !f.v7 {
        // Tiler disabled.
        fbd[14] = 512;
        fbd[15] = 0x1000;
        fbd[1] = 31;
    }
    g.poke32(FBD, &fbd);
    let mut at = FBD + 128;
    if f.zs.is_some() {
        emit_ext(g, at, &zs, f.v7);
        at += 64;
    }
    for rt in &f.rts {
        emit_target(g, at, rt, f.v7);
        at += 64;
    }
    let tag = 1 | u64::from(f.zs.is_some()) << 1 | u64::from(count - 1) << 2;
    emit_job(g, FBD | tag, f.tiles);
}

fn block(layout: u32, v7: bool) -> u32 {
    match (layout, v7) {
        (TILED, true) => 1,
        (AFBC, true) => 12,
        (other, _) => other,
    }
}

fn emit_ext(g: &mut Rig, at: u64, zs: &Zs, v7: bool) {
    let (z_block, s_block) = (block(zs.z_layout, v7), block(zs.s_layout, v7));
    let mut ext = [0u32; 16];
    ext[3] =
        zs.z_format | z_block << 4 | u32::from(zs.clear) << 10 | zs.s_format << 16 | s_block << 20;
    ext[4] = zs.z_base as u32;
    ext[5] = (zs.z_base >> 32) as u32;
    ext[6] = zs.z_stride;
    ext[8] = zs.s_base as u32;
    ext[9] = (zs.s_base >> 32) as u32;
    ext[10] = zs.s_stride;
    g.poke32(at, &ext);
}

pub fn emit_target(g: &mut Rig, at: u64, rt: &Rt, v7: bool) {
    let mut w = [0u32; 16];
    w[0] = rt.internal << 26;
    w[1] = u32::from(rt.write)
        | rt.format << 3
        | block(rt.layout, v7) << if v7 { 8 } else { 10 }
        | 1 << 15
        | rt.swizzle << 16
        | u32::from(rt.clear) << 31;
    w[8] = rt.base as u32;
    w[9] = (rt.base >> 32) as u32;
    w[10] = rt.stride;
    w[12..].copy_from_slice(&rt.value);
    g.poke32(at, &w);
}

pub fn emit_job(g: &mut Rig, fbd: u64, tiles: [u32; 4]) {
    g.header(FRAGMENT_JOB, 9, 1, (0, 0), 0);
    g.poke32(
        FRAGMENT_JOB + 32,
        &[
            tiles[0] | tiles[1] << 16,
            tiles[2] | tiles[3] << 16,
            fbd as u32,
            (fbd >> 32) as u32,
            0,
            0,
            0,
            0,
        ],
    );
}

/// Runs the fragment job and requires that it completes.
pub fn run(g: &mut Rig) {
    g.submit(0, FRAGMENT_JOB, 0);
    g.settle();
    assert_eq!((g.job_raw() & 0x1_0001, g.slot_status(0)), (1, 1));
    g.wr(0x1004, 1);
}

/// Offset of a pixel in 16x16 tiles, bit by bit: y3, x3^y3, y2, x2^y2, y1, x1^y1, y0, x0^y0. HW:
/// Mesa pan_tiling.c.
pub fn tiled_offset(x: u32, y: u32, stride: u32, bpp: u32) -> u64 {
    let (tx, ty, x, y) = (x / 16, y / 16, x % 16, y % 16);
    let bit = |v: u32, n: u32| (v >> n) & 1;
    let mut index = 0;
    for n in [3, 2, 1, 0] {
        index = index << 1 | bit(y, n);
        index = index << 1 | (bit(x, n) ^ bit(y, n));
    }
    u64::from(ty) * u64::from(stride) + u64::from((tx * 256 + index) * bpp)
}

/// The bytes of pixel (x, y) in an image of `bytes` that starts at its base.
pub fn pixel(bytes: &[u8], rt: &Rt, bpp: u32, x: u32, y: u32) -> Vec<u8> {
    let at = if rt.layout == LINEAR {
        u64::from(y) * u64::from(rt.stride) + u64::from(x * bpp)
    } else {
        tiled_offset(x, y, rt.stride, bpp)
    };
    bytes[at as usize..at as usize + bpp as usize].to_vec()
}
