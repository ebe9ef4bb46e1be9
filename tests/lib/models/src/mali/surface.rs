// SPDX-License-Identifier: BSD-2-Clause
//! Images in memory: linear rows and 16x16 u-interleaved tiles.
//!
//! HW: Mesa docs and pan_tiling.c for the order of pixels inside a tile; the row stride of a
//! tiled image is the distance between rows of tiles (pan_layout.c).

use super::format::Pixel;
use super::mem::{Mem, Stop};

/// Layout of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// 16x16 tiles, bits of x and y interleaved inside.
    Tiled,
    /// Rows of pixels.
    Linear,
}

/// One image, or one sample layer of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surface {
    pub(crate) base: u64,
    pub(crate) row_stride: u32,
    pub(crate) block: Block,
}

/// Inclusive pixel rectangle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rect {
    pub(crate) x0: u32,
    pub(crate) y0: u32,
    pub(crate) x1: u32,
    pub(crate) y1: u32,
}

impl Rect {
    pub(crate) fn intersect(self, other: Rect) -> Option<Rect> {
        let r = Rect {
            x0: self.x0.max(other.x0),
            y0: self.y0.max(other.y0),
            x1: self.x1.min(other.x1),
            y1: self.y1.min(other.y1),
        };
        (r.x0 <= r.x1 && r.y0 <= r.y1).then_some(r)
    }

    pub(crate) fn pixels(self) -> u64 {
        u64::from(self.x1 - self.x0 + 1) * u64::from(self.y1 - self.y0 + 1)
    }
}

/// Index of pixel (x, y) inside a 16x16 tile: y3, x3^y3, y2, x2^y2, ... from the top bit down. HW:
/// Mesa pan_tiling.c, "the tricky bit is ordering along the space-filling curve".
pub(crate) fn tile_index(x: u32, y: u32) -> u32 {
    (0..4).fold(0, |index, bit| {
        let (xb, yb) = ((x >> bit) & 1, (y >> bit) & 1);
        index | (xb ^ yb) << (2 * bit) | yb << (2 * bit + 1)
    })
}

/// A pixel value, repeated so that whole runs can be written.
struct Brush {
    pattern: Vec<u8>,
    pixel: Pixel,
}

impl Brush {
    fn new(pixel: Pixel, longest: usize) -> Brush {
        let mut pattern = Vec::with_capacity(pixel.len * longest);
        for _ in 0..longest {
            pattern.extend_from_slice(&pixel.bytes[..pixel.len]);
        }
        Brush { pattern, pixel }
    }

    fn run(&self, mem: &mut Mem, va: u64, count: usize) -> Result<(), Stop> {
        let len = count * self.pixel.len;
        if !self.pixel.is_partial() {
            return mem.write(va, &self.pattern[..len]);
        }
        let mut old = vec![0; len];
        mem.read(va, &mut old)?;
        for (n, byte) in old.iter_mut().enumerate() {
            let mask = self.pixel.mask[n % self.pixel.len];
            *byte = (*byte & !mask) | (self.pattern[n] & mask);
        }
        mem.write(va, &old)
    }
}

/// Fills a rectangle with one value.
pub(crate) fn fill(mem: &mut Mem, surface: Surface, rect: Rect, pixel: Pixel) -> Result<(), Stop> {
    let bpp = pixel.len as u64;
    let stride = u64::from(surface.row_stride);
    let width = (rect.x1 - rect.x0 + 1) as usize;
    if surface.block == Block::Linear {
        let brush = Brush::new(pixel, width);
        for y in rect.y0..=rect.y1 {
            brush.run(
                mem,
                surface.base + u64::from(y) * stride + u64::from(rect.x0) * bpp,
                width,
            )?;
        }
        return Ok(());
    }
    let tiles = (rect.x1 / 16 - rect.x0 / 16 + 1) as usize;
    let brush = Brush::new(pixel, tiles * 256);
    for ty in rect.y0 / 16..=rect.y1 / 16 {
        let row = surface.base + u64::from(ty) * stride;
        let whole_rows = rect.y0 <= ty * 16 && rect.y1 >= ty * 16 + 15;
        let mut tx = rect.x0 / 16;
        while tx <= rect.x1 / 16 {
            let whole = |t: u32| whole_rows && rect.x0 <= t * 16 && rect.x1 >= t * 16 + 15;
            let va = row + u64::from(tx) * 256 * bpp;
            if whole(tx) {
                let mut end = tx;
                while whole(end) {
                    end += 1;
                }
                brush.run(mem, va, (end - tx) as usize * 256)?;
                tx = end;
            } else {
                let tile = Rect {
                    x0: tx * 16,
                    y0: ty * 16,
                    x1: tx * 16 + 15,
                    y1: ty * 16 + 15,
                };
                if let Some(part) = rect.intersect(tile) {
                    fill_part(mem, &brush, va, part, bpp)?;
                }
                tx += 1;
            }
        }
    }
    Ok(())
}

/// Fills part of one tile, in runs of pixels that lie next to each other.
fn fill_part(mem: &mut Mem, brush: &Brush, tile: u64, part: Rect, bpp: u64) -> Result<(), Stop> {
    let mut wanted = [false; 257];
    for y in part.y0..=part.y1 {
        for x in part.x0..=part.x1 {
            wanted[tile_index(x % 16, y % 16) as usize] = true;
        }
    }
    let mut start = None;
    for (n, inside) in wanted.iter().enumerate() {
        match (start, *inside) {
            (None, true) => start = Some(n),
            (Some(from), false) => {
                brush.run(mem, tile + from as u64 * bpp, n - from)?;
                start = None;
            }
            _ => (),
        }
    }
    Ok(())
}

/// Reads a whole image, rows of pixels from the top.
pub(crate) fn read(
    mem: &mut Mem,
    surface: Surface,
    width: u32,
    height: u32,
    bpp: usize,
) -> Result<Vec<u8>, Stop> {
    let row_bytes = width as usize * bpp;
    // Grown row by row, so that an image of a corrupt size reaches its page fault before it takes
    // much memory.
    let mut out = Vec::new();
    let stride = u64::from(surface.row_stride);
    if surface.block == Block::Linear {
        for y in 0..u64::from(height) {
            let start = out.len();
            out.resize(start + row_bytes, 0);
            mem.read(surface.base + y * stride, &mut out[start..])?;
        }
        return Ok(out);
    }
    let mut tile = vec![0; 256 * bpp];
    for ty in 0..height.div_ceil(16) {
        out.resize(row_bytes * (ty as usize * 16 + 16).min(height as usize), 0);
        for tx in 0..width.div_ceil(16) {
            mem.read(
                surface.base + u64::from(ty) * stride + u64::from(tx) * 256 * bpp as u64,
                &mut tile,
            )?;
            for y in ty * 16..(ty * 16 + 16).min(height) {
                for x in tx * 16..(tx * 16 + 16).min(width) {
                    let from = tile_index(x % 16, y % 16) as usize * bpp;
                    let to = y as usize * row_bytes + x as usize * bpp;
                    out[to..to + bpp].copy_from_slice(&tile[from..from + bpp]);
                }
            }
        }
    }
    Ok(out)
}
