// SPDX-License-Identifier: BSD-2-Clause
//! Pixel formats: from the clear value in tile-buffer form to the bytes in memory, and back to
//! RGBA for captures.
//!
//! HW: Mesa genxml "Color Buffer Internal Format", "Color Format", "ZS Format", "S Format";
//! Mesa pan_clear.c (layout of a clear value: integer and fractional bits per channel).

use super::variant::Arch;

/// One pixel as it lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pixel {
    pub(crate) bytes: [u8; 16],
    pub(crate) len: usize,
    /// Bits that are written; the other bits of memory keep their values.
    pub(crate) mask: [u8; 16],
}

impl Pixel {
    fn new(value: u128, len: usize) -> Pixel {
        Pixel {
            bytes: value.to_le_bytes(),
            len,
            mask: [0xff; 16],
        }
    }

    fn masked(value: u128, mask: u128, len: usize) -> Pixel {
        Pixel {
            bytes: value.to_le_bytes(),
            len,
            mask: mask.to_le_bytes(),
        }
    }

    pub(crate) fn is_partial(&self) -> bool {
        self.mask[..self.len].iter().any(|m| *m != 0xff)
    }
}

/// Widths of the channels of a memory format, lowest bits first, in order of the components.
/// HW: Mesa genxml "Color Format" 16 to 29; component 0 is in the low bits, as Mesa pairs
/// R5G6B5_UNORM (red low) with an identity swizzle.
fn channels(format: u32) -> Option<&'static [u32]> {
    Some(match format {
        16 => &[8],
        17 => &[8, 8],
        18 => &[8, 8, 8],
        19 => &[8, 8, 8, 8],
        20 => &[4, 4, 4, 4],
        21 => &[5, 6, 5],
        24 => &[10, 10, 10, 2],
        28 => &[5, 5, 5, 1],
        _ => return None,
    })
}

/// Bytes per pixel of the raw memory formats. HW: Mesa genxml "Color Format" 0 to 7 of v5 and
/// later (RAW8 ..) and of v4 (channels of 32 and 16 bits).
fn raw_size(arch: Arch, format: u32) -> Option<usize> {
    let v5 = [1, 2, 3, 4, 6, 8, 12, 16];
    let v4 = [16, 12, 8, 4, 8, 6, 4, 2];
    let table = if arch == Arch::V4 { v4 } else { v5 };
    table.get(format as usize).copied()
}

/// Bytes per pixel of a memory format, `None` if the model does not write it.
pub(crate) fn size(arch: Arch, format: u32) -> Option<usize> {
    if let Some(widths) = channels(format) {
        return Some(widths.iter().sum::<u32>() as usize / 8);
    }
    raw_size(arch, format)
}

/// Channel widths in the tile buffer: (integer bits, fractional bits) for R, G, B, A.
/// HW: Mesa pan_clear.c tib_layouts.
fn tile_layout(internal: u32) -> Option<[(u32, u32); 4]> {
    Some(match internal {
        1 => [(8, 0), (8, 0), (8, 0), (8, 0)],
        2 => [(10, 0), (10, 0), (10, 0), (2, 0)],
        3 => [(8, 2), (8, 2), (8, 2), (2, 0)],
        4 => [(4, 4), (4, 4), (4, 4), (4, 4)],
        5 => [(5, 5), (6, 4), (5, 5), (0, 2)],
        6 => [(5, 5), (5, 5), (5, 5), (1, 1)],
        _ => return None,
    })
}

/// A channel as (value, maximum).
fn tile_channels(internal: u32, clear: u32) -> Option<[(u32, u32); 4]> {
    let layout = tile_layout(internal)?;
    let mut out = [(0, 0); 4];
    let mut at = 0;
    for (channel, (int, frac)) in out.iter_mut().zip(layout) {
        let raw = (clear >> at) & (((1u64 << (int + frac)) - 1) as u32);
        at += int + frac;
        let max = (1u32 << int) - 1;
        *channel = (raw, max << frac);
    }
    Some(out)
}

/// Rescales to `width` bits, rounding to nearest. Dithering, which only spreads this rounding
/// over neighbouring pixels, is not modelled.
fn rescale((value, max): (u32, u32), width: u32) -> u128 {
    let target = (1u64 << width) - 1;
    if max == 0 {
        return u128::from(target);
    }
    let value = u64::from(value.min(max));
    u128::from((value * target + u64::from(max) / 2) / u64::from(max))
}

/// The pixel that a clear writes. `swizzle` has three bits per memory component: which tile
/// component it takes (4 = zero, 5 = one). HW: Mesa genxml "Render Target" Swizzle with pan_cs.c
/// "the swizzle for rendering is inverted from texturing".
pub(crate) fn clear_pixel(
    arch: Arch,
    internal: u32,
    format: u32,
    swizzle: u32,
    clear: [u32; 4],
) -> Option<Pixel> {
    if let Some(widths) = channels(format) {
        let tile = tile_channels(internal, clear[0])?;
        let mut value = 0u128;
        let mut at = 0;
        for (n, width) in widths.iter().enumerate() {
            let component = match (swizzle >> (3 * n)) & 7 {
                c @ 0..=3 => rescale(tile[c as usize], *width),
                5 => rescale((1, 1), *width),
                _ => 0,
            };
            value |= component << at;
            at += width;
        }
        return Some(Pixel::new(value, at as usize / 8));
    }
    // Raw tile buffers hold the bytes of the pixel. HW: Mesa pan_clear.c pan_pack_raw.
    let len = raw_size(arch, format)?;
    let value = clear
        .iter()
        .rev()
        .fold(0u128, |v, w| v << 32 | u128::from(*w));
    Some(Pixel::new(value, len))
}

/// RGBA, eight bits a channel, of a pixel in memory; `None` for raw formats.
pub(crate) fn to_rgba(format: u32, swizzle: u32, bytes: &[u8]) -> Option<[u8; 4]> {
    let widths = channels(format)?;
    let value = bytes
        .iter()
        .rev()
        .fold(0u128, |v, b| v << 8 | u128::from(*b));
    let mut rgba = [0, 0, 0, 255];
    let mut at = 0;
    for (n, width) in widths.iter().enumerate() {
        let max = (1u32 << width) - 1;
        let raw = (value >> at) as u32 & max;
        at += width;
        if let c @ 0..=3 = (swizzle >> (3 * n)) & 7 {
            rgba[c as usize] = rescale((raw, max), 8) as u8;
        }
    }
    Some(rgba)
}

/// Which parts of a combined depth and stencil surface are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) depth: bool,
    pub(crate) stencil: bool,
}

/// The pixel that a depth (and stencil) clear writes. `depth` is the IEEE bit pattern in the
/// descriptor. `None` for formats without a published packing. HW: Mesa genxml "ZS Format": 1 D16,
/// 4 D24X8, 5 D24S8, 6 X8D24, 7 S8D24, 13 D32_X8X24, 14 D32, 15 D32_S8X24; the first-named part is
/// in the low bits (Mesa pairs 5 with Z24_UNORM_S8_UINT).
pub(crate) fn depth_pixel(format: u32, depth: u32, stencil: u8, parts: Parts) -> Option<Pixel> {
    let unit = f64::from(f32::from_bits(depth)).clamp(0.0, 1.0);
    let fixed = |width: u32| (unit * ((1u64 << width) - 1) as f64).round() as u128;
    let stencil = u128::from(stencil);
    let z = |bits: u128| if parts.depth { bits } else { 0 };
    let s = |bits: u128| if parts.stencil { bits } else { 0 };
    let pixel = match format {
        1 => Pixel::masked(fixed(16), z(0xffff), 2),
        4 => Pixel::masked(fixed(24), z(0xffff_ffff), 4),
        5 => Pixel::masked(fixed(24) | stencil << 24, z(0xff_ffff) | s(0xff << 24), 4),
        6 => Pixel::masked(fixed(24) << 8, z(0xffff_ffff), 4),
        7 => Pixel::masked(fixed(24) << 8 | stencil, z(0xffff_ff00) | s(0xff), 4),
        13 => Pixel::masked(u128::from(depth), z(u128::from(u64::MAX)), 8),
        14 => Pixel::masked(u128::from(depth), z(0xffff_ffff), 4),
        15 => Pixel::masked(
            u128::from(depth) | stencil << 32,
            z(0xffff_ffff) | s(0xff << 32),
            8,
        ),
        _ => return None,
    };
    Some(pixel)
}

/// Whether a depth format includes stencil.
pub(crate) fn depth_has_stencil(format: u32) -> bool {
    matches!(format, 5 | 7 | 15)
}

/// The pixel that a stencil clear writes; bytes of other components keep their values. HW: Mesa
/// genxml "S Format": 1 S8, 2 S8X8, 3 S8X24, 4 X24S8, 5 X8S8, 6 X32_S8X24.
pub(crate) fn stencil_pixel(format: u32, stencil: u8) -> Option<Pixel> {
    let (at, len) = match format {
        1 => (0, 1),
        2 => (0, 2),
        3 => (0, 4),
        4 => (24, 4),
        5 => (8, 2),
        6 => (32, 8),
        _ => return None,
    };
    Some(Pixel::masked(u128::from(stencil) << at, 0xff << at, len))
}
