// SPDX-License-Identifier: BSD-2-Clause
//! Framebuffer descriptors, decoded to what a fragment job needs: targets, bounds, clears.
//!
//! Which targets are cleared and which preserved, in a model without shaders, where every tile is
//! clean:
//!
//! * v5, v7 colour: written if Write Enable and Clean Pixel Write Enable are set. Mesa sets the
//!   latter exactly when the target is cleared (pan_cs.c pan_prepare_rt); a target to be preserved
//!   is reloaded by a draw (v5) or a pre-frame shader (v7), and the result equals what is in
//!   memory.
//! * v5, v7 depth and stencil: the same with ZS Clean Pixel Write Enable. Mesa sets it if either
//!   part is cleared; the other part is then reloaded, as the reload draw shows.
//! * v4: Clean Pixel Write Enable is always set (pan_cs.c, PAN_ARCH 4), so only the reload draw
//!   distinguishes the two; see [`Reload`].
//! * A target with the hardware's own Preload Enable is preserved.
//!
//! HW: Mesa genxml v4.xml, v5.xml, v7.xml "Framebuffer", "Framebuffer Parameters", "ZS CRC
//! Extension", "Render Target".

use super::format;
use super::mem::{bits, pointer, Mem, Stop};
use super::regs::exception as ex;
use super::surface::{Block, Rect};
use super::variant::Arch;

/// Parts of a framebuffer that a full-screen reload draw restores before anything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reload {
    pub(crate) color: bool,
    pub(crate) depth: bool,
    pub(crate) stencil: bool,
}

/// An image in memory: address and strides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffer {
    pub(crate) base: u64,
    pub(crate) row_stride: u32,
    pub(crate) surface_stride: u32,
}

/// Layout of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Image(Block),
    Afbc,
    None,
    Unknown,
}

/// A colour target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Color {
    /// The descriptor's word with formats and flags.
    pub(crate) word: u32,
    pub(crate) write: bool,
    pub(crate) clear: bool,
    pub(crate) layout: Layout,
    pub(crate) layered: bool,
    pub(crate) internal: u32,
    pub(crate) format: u32,
    pub(crate) swizzle: u32,
    pub(crate) clear_value: [u32; 4],
    pub(crate) buffer: Buffer,
    /// Header and body of a compressed target.
    pub(crate) afbc: (u64, u64),
}

/// Depth or stencil target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Zs {
    /// The descriptor's word with formats and flags.
    pub(crate) word: u32,
    pub(crate) layout: Layout,
    pub(crate) layered: bool,
    pub(crate) format: u32,
    pub(crate) buffer: Buffer,
}

/// What a fragment job needs of its framebuffer descriptor.
#[derive(Clone, Debug)]
pub(crate) struct Framebuffer {
    /// Tag that the fragment job's pointer to this descriptor must have.
    pub(crate) tag: u64,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) bounds: Rect,
    pub(crate) samples: u32,
    pub(crate) colors: Vec<Color>,
    pub(crate) depth: Option<Zs>,
    pub(crate) stencil: Option<Zs>,
    pub(crate) depth_write: bool,
    pub(crate) stencil_write: bool,
    pub(crate) zs_clear: bool,
    pub(crate) depth_clear: u32,
    pub(crate) stencil_clear: u8,
    /// Checksum buffer and its stride per row of tiles.
    pub(crate) crc: Option<(u64, u32)>,
    /// v7: tiler context, sample locations, frame shader draws and their modes.
    pub(crate) tiler: u64,
    pub(crate) sample_locations: u64,
    pub(crate) frame_draws: u64,
    pub(crate) frame_modes: [u32; 3],
    /// v4, v5: polygon list of an enabled tiler.
    pub(crate) polygon_list: Option<u64>,
}

/// Low bits of a framebuffer pointer are tags. HW: Mesa genxml v5.xml "FBD Tag".
pub(crate) const TAG_MASK: u64 = 0x3f;
const TAG_MFBD: u64 = 1;

/// Whether the tiler is enabled. HW: Mesa genxml v5.xml "Tiler Context": a hierarchy mask of 4096
/// means disabled; pan_cs.c pan_emit_midgard_tiler: so does 4095 on parts without hierarchical
/// tiling.
pub(crate) fn tiler_enabled(hierarchy_mask: u32) -> bool {
    !matches!(hierarchy_mask, 4095 | 4096)
}

fn layout(arch: Arch, code: u32) -> Layout {
    // HW: Mesa genxml "Block Format" of v4, v5 and of v7.
    match (arch, code) {
        (Arch::V7, 0) => Layout::None,
        (Arch::V7, 1) | (Arch::V4 | Arch::V5, 0) => Layout::Image(Block::Tiled),
        (_, 2) => Layout::Image(Block::Linear),
        (Arch::V5, 3) | (Arch::V7, 12 | 13) => Layout::Afbc,
        _ => Layout::Unknown,
    }
}

fn buffer(words: &[u32], at: usize) -> Buffer {
    Buffer {
        base: pointer(words, at),
        row_stride: words[at + 2],
        surface_stride: words[at + 3],
    }
}

const LAYERED: u32 = 3;

/// Reads and decodes the descriptor at `va`, a pointer with its tag bits.
pub(crate) fn decode(mem: &mut Mem, arch: Arch, va: u64) -> Result<Framebuffer, Stop> {
    let base = va & !TAG_MASK;
    if arch == Arch::V4 {
        return decode_single(mem, base);
    }
    if va & TAG_MFBD == 0 {
        return Err(Stop::Exception {
            code: ex::DATA_INVALID_FAULT,
            va,
        });
    }
    let words: [u32; 32] = mem.words(base)?;
    let p = if arch == Arch::V5 {
        &words[8..14]
    } else {
        &words[8..16]
    };
    let has_ext = bits(p[4], 21, 1) != 0;
    let rt_count = bits(p[3], 19, 4) + 1;
    let mut fb = Framebuffer {
        // HW: Mesa decode.c pandecode_fragment_job "expected FBD tag".
        tag: TAG_MFBD | u64::from(has_ext) << 1 | u64::from(rt_count - 1) << 2,
        width: bits(p[0], 0, 16) + 1,
        height: bits(p[0], 16, 16) + 1,
        bounds: Rect {
            x0: bits(p[1], 0, 16),
            y0: bits(p[1], 16, 16),
            x1: bits(p[2], 0, 16),
            y1: bits(p[2], 16, 16),
        },
        samples: 1 << bits(p[3], 0, 3),
        colors: Vec::new(),
        depth: None,
        stencil: None,
        depth_write: bits(p[4], 18, 1) != 0,
        stencil_write: bits(p[4], 8, 1) != 0,
        zs_clear: false,
        depth_clear: p[5],
        stencil_clear: bits(p[4], 0, 8) as u8,
        crc: None,
        tiler: 0,
        sample_locations: 0,
        frame_draws: 0,
        frame_modes: [0; 3],
        polygon_list: None,
    };
    if arch == Arch::V5 {
        let hierarchy = bits(words[15], 0, 16);
        fb.polygon_list = tiler_enabled(hierarchy).then(|| pointer(&words, 16));
    } else {
        fb.tiler = pointer(&words, 14);
        fb.sample_locations = pointer(&words, 4);
        fb.frame_draws = pointer(&words, 6);
        fb.frame_modes = [
            bits(words[0], 0, 3),
            bits(words[0], 3, 3),
            bits(words[0], 6, 3),
        ];
    }
    let native_preload = arch == Arch::V5 && (bits(p[4], 9, 1) | bits(p[4], 19, 1)) != 0;
    let mut next = base + 128;
    if has_ext {
        let ext: [u32; 16] = mem.words(next)?;
        next += 64;
        decode_ext(&mut fb, arch, &ext, bits(p[4], 31, 1) != 0, native_preload);
    }
    for n in 0..rt_count {
        let rt: [u32; 16] = mem.words(next + 64 * u64::from(n))?;
        fb.colors.push(decode_target(arch, &rt));
    }
    Ok(fb)
}

fn decode_ext(
    fb: &mut Framebuffer,
    arch: Arch,
    ext: &[u32; 16],
    crc_write: bool,
    native_preload: bool,
) {
    if crc_write {
        fb.crc = Some((pointer(ext, 0), ext[2]));
    }
    let w = ext[3];
    // The block format fields grew from two bits to four in v7.
    let (z_block, z_msaa, s_block, s_msaa) = if arch == Arch::V7 {
        (bits(w, 4, 4), bits(w, 8, 2), bits(w, 20, 4), bits(w, 24, 2))
    } else {
        (bits(w, 4, 2), bits(w, 6, 2), bits(w, 20, 2), bits(w, 22, 2))
    };
    fb.zs_clear = bits(w, 10, 1) != 0 && !native_preload;
    let z_format = bits(w, 0, 4);
    if z_format != 0 {
        fb.depth = Some(Zs {
            word: w,
            layout: layout(arch, z_block),
            layered: z_msaa == LAYERED,
            format: z_format,
            buffer: buffer(ext, 4),
        });
    }
    let s_format = bits(w, 16, 4);
    if s_format != 0 {
        fb.stencil = Some(Zs {
            word: w,
            layout: layout(arch, s_block),
            layered: s_msaa == LAYERED,
            format: s_format,
            buffer: buffer(ext, 8),
        });
    }
}

fn decode_target(arch: Arch, rt: &[u32; 16]) -> Color {
    let w = rt[1];
    let block = if arch == Arch::V7 {
        bits(w, 8, 4)
    } else {
        bits(w, 10, 2)
    };
    let big_endian = arch == Arch::V5 && bits(w, 8, 2) != 0;
    let yuv = bits(rt[0], 24, 1) != 0;
    let preload = arch == Arch::V5 && bits(rt[2], 0, 1) != 0;
    Color {
        word: w,
        write: bits(w, 0, 1) != 0,
        clear: bits(w, 31, 1) != 0 && !preload,
        layout: if big_endian || yuv {
            Layout::Unknown
        } else {
            layout(arch, block)
        },
        layered: bits(w, 12, 2) == LAYERED,
        internal: bits(rt[0], 26, 6),
        format: bits(w, 3, 5),
        swizzle: bits(w, 16, 12),
        clear_value: [rt[12], rt[13], rt[14], rt[15]],
        buffer: buffer(rt, 8),
        afbc: (pointer(rt, 4), pointer(rt, 8)),
    }
}

/// Decodes the single-target descriptor of v4.
fn decode_single(mem: &mut Mem, base: u64) -> Result<Framebuffer, Stop> {
    let words: [u32; 80] = mem.words(base)?;
    let p = &words[8..48];
    let clean = bits(p[0], 29, 1) != 0;
    let layered = bits(p[0], 23, 2) == LAYERED;
    let big_endian = bits(p[1], 10, 1) != 0;
    let bounds = Rect {
        x0: bits(p[2], 0, 16),
        y0: bits(p[2], 16, 16),
        x1: bits(p[3], 0, 16),
        y1: bits(p[3], 16, 16),
    };
    let color = Color {
        word: p[0],
        write: bits(p[0], 31, 1) != 0,
        clear: clean && bits(p[0], 30, 1) == 0,
        layout: if big_endian {
            Layout::Unknown
        } else {
            layout(Arch::V4, bits(p[0], 26, 2))
        },
        layered,
        internal: bits(p[0], 0, 3),
        format: bits(p[0], 18, 5),
        swizzle: bits(p[0], 6, 12),
        clear_value: [p[24], p[25], p[26], p[27]],
        buffer: buffer(p, 12),
        afbc: (0, 0),
    };
    let depth_write = bits(p[1], 23, 1) != 0;
    let stencil_write = bits(p[1], 31, 1) != 0;
    let zs = |format: u32, block: u32, at: usize| Zs {
        word: p[1],
        layout: layout(Arch::V4, block),
        layered,
        format,
        buffer: buffer(p, at),
    };
    let hierarchy = bits(words[8 + 41], 0, 16);
    Ok(Framebuffer {
        tag: 0,
        // The descriptor holds bounds but no size.
        width: bounds.x1 + 1,
        height: bounds.y1 + 1,
        bounds,
        samples: 1 << bits(p[0], 3, 3),
        colors: vec![color],
        depth: depth_write.then(|| zs(bits(p[1], 18, 4), bits(p[1], 16, 2), 16)),
        stencil: stencil_write.then(|| zs(bits(p[1], 26, 4), bits(p[1], 24, 2), 20)),
        depth_write,
        stencil_write,
        zs_clear: clean && bits(p[1], 22, 1) == 0,
        depth_clear: p[28],
        stencil_clear: bits(p[32], 0, 8) as u8,
        crc: (bits(p[1], 15, 1) != 0).then(|| (pointer(p, 8), p[10])),
        tiler: 0,
        sample_locations: 0,
        frame_draws: 0,
        frame_modes: [0; 3],
        polygon_list: tiler_enabled(hierarchy).then(|| pointer(&words, 50)),
    })
}

impl Zs {
    /// Whether the format of a depth target includes stencil.
    pub(crate) fn has_stencil(&self) -> bool {
        format::depth_has_stencil(self.format)
    }
}
