// SPDX-License-Identifier: BSD-2-Clause
//! Images in memory: the addresses of pixels, and the effects of tile status on reads and clears.
//!
//! HW: drm_fourcc.h, DRM_FORMAT_MOD_VIVANTE_*: tiles are 4x4 pixels in rows; a super-tile is 64x64
//! pixels of 8x4 groups of 2x4 tiles, all in rows; a split image has every second row of
//! (super-)tiles at a second address (Mesa etnaviv_rs.c etna_compute_tileoffset halves y).

mod tile_status;

use super::mem::Mem;
use super::mmu::{Client, Stop};
use tile_status::{split, StatusCache};

pub(crate) use tile_status::{resolve_in_place, TileStatus};

/// Layout of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Rows of pixels.
    Linear,
    /// 4x4 tiles.
    Tiled,
    /// 4x4 tiles in 64x64 super-tiles.
    SuperTiled,
}

/// A rectangle: left, top, width, height, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rect {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) w: u32,
    pub(crate) h: u32,
}

/// An image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Image {
    /// The second address is that of the odd rows of tiles of a split image.
    pub(crate) addr: [u32; 2],
    pub(crate) split: bool,
    pub(crate) layout: Layout,
    /// Bytes from one row of pixels to the next, as if linear.
    pub(crate) stride: u32,
    /// Bytes per pixel.
    pub(crate) bpp: u32,
    pub(crate) ts: Option<TileStatus>,
}

/// Rows of a band: a multiple of every tile height, so that no tile is in two bands.
const BAND: u32 = 64;

/// Contiguous pixels of one row: `n` from (x, y) on, at `va`.
struct Span {
    va: u32,
    x: u32,
    y: u32,
    n: u32,
    /// Rows that are contiguous: 1, or 4 for a whole tile.
    rows: u32,
}

impl Image {
    fn place(&self, x: u32, y: u32) -> u32 {
        let (bpp, stride) = (self.bpp, self.stride);
        let height = match self.layout {
            Layout::Linear => 1,
            Layout::Tiled => 4,
            Layout::SuperTiled => 64,
        };
        let (base, y) = match (self.split, y / height) {
            (false, _) => (self.addr[0], y),
            (true, row) => (self.addr[(row & 1) as usize], row / 2 * height + y % height),
        };
        let row = (y / height).wrapping_mul(height).wrapping_mul(stride);
        let inside = match self.layout {
            Layout::Linear => x * bpp,
            Layout::Tiled => (x / 4 * 16 + y % 4 * 4 + x % 4) * bpp,
            Layout::SuperTiled => {
                let group = y % 64 / 16 * 8 + x % 64 / 8;
                let tile = y % 16 / 4 * 2 + x % 8 / 4;
                (x / 64 * 4096 + group * 128 + tile * 16 + y % 4 * 4 + x % 4) * bpp
            }
        };
        base.wrapping_add(row).wrapping_add(inside)
    }

    /// Calls `f` for each contiguous part of `rect`.
    fn each(&self, rect: Rect, mut f: impl FnMut(Span) -> Result<(), Stop>) -> Result<(), Stop> {
        if rect.w == 0 {
            return Ok(());
        }
        if self.layout == Layout::Linear {
            return (rect.y..rect.y + rect.h).try_for_each(|y| {
                f(Span {
                    va: self.place(rect.x, y),
                    x: rect.x,
                    y,
                    n: rect.w,
                    rows: 1,
                })
            });
        }
        let (right, bottom) = (rect.x + rect.w, rect.y + rect.h);
        for ty in (rect.y & !3..bottom).step_by(4) {
            for tx in (rect.x & !3..right).step_by(4) {
                let (x0, x1) = (tx.max(rect.x), (tx + 4).min(right));
                let (y0, y1) = (ty.max(rect.y), (ty + 4).min(bottom));
                let whole = x1 - x0 == 4 && y1 - y0 == 4;
                let rows = if whole { 4 } else { 1 };
                for y in (y0..y1).step_by(rows as usize) {
                    f(Span {
                        va: self.place(x0, y),
                        x: x0,
                        y,
                        n: x1 - x0,
                        rows,
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Pixels of `rect`, row by row without gaps; cleared tiles have their clear value.
    pub(crate) fn read(&self, mem: &mut Mem, rect: Rect) -> Result<Vec<u8>, Stop> {
        let bpp = self.bpp as usize;
        let row = rect.w as usize * bpp;
        let mut out = vec![0; row * rect.h as usize];
        let mut status = StatusCache::default();
        self.each(rect, |span| {
            let len = span.n as usize * bpp;
            let mut data = vec![0; len * span.rows as usize];
            self.read_bytes(mem, &mut status, span.va, &mut data)?;
            for (i, part) in data.chunks_exact(len).enumerate() {
                let at = ((span.y - rect.y) as usize + i) * row + (span.x - rect.x) as usize * bpp;
                out[at..at + len].copy_from_slice(part);
            }
            Ok(())
        })?;
        Ok(out)
    }

    fn read_bytes(
        &self,
        mem: &mut Mem,
        status: &mut StatusCache,
        va: u32,
        data: &mut [u8],
    ) -> Result<(), Stop> {
        let Some(ts) = self.ts else {
            return mem.read(Client::Pe, va, data);
        };
        // A linear row may be in several tiles.
        let mut done = 0;
        while done < data.len() {
            let at = va.wrapping_add(done as u32);
            let offset = at.wrapping_sub(ts.surface);
            let left = (ts.tile_bytes - offset % ts.tile_bytes) as usize;
            let end = data.len().min(done + left);
            let piece = &mut data[done..end];
            match status.get(mem, &ts, offset / ts.tile_bytes)? {
                1 => {
                    mem.stats.tiles_filled += 1;
                    fill(piece, ts.clear, self.bpp);
                }
                value => {
                    if value != 0 {
                        mem.stats.decode("compressed tile", value);
                    }
                    mem.read(Client::Pe, at, piece)?;
                }
            }
            done = end;
        }
        Ok(())
    }

    /// Writes pixels in the order that [`Image::read`] returns; tile status is not checked.
    pub(crate) fn write(&self, mem: &mut Mem, rect: Rect, pixels: &[u8]) -> Result<(), Stop> {
        let bpp = self.bpp as usize;
        let row = rect.w as usize * bpp;
        self.each(rect, |span| {
            let len = span.n as usize * bpp;
            let mut data = Vec::with_capacity(len * span.rows as usize);
            for i in 0..span.rows as usize {
                let at = ((span.y - rect.y) as usize + i) * row + (span.x - rect.x) as usize * bpp;
                data.extend_from_slice(&pixels[at..at + len]);
            }
            mem.write(Client::Pe, span.va, &data)
        })
    }

    /// Sets the bits of `mask` in all pixels of `rect` to those of `value`. With tile status, tiles
    /// that are cleared completely are only marked in it; `ts.clear` must then be `value`.
    pub(crate) fn clear(
        &self,
        mem: &mut Mem,
        rect: Rect,
        value: [u32; 2],
        mask: [u32; 2],
    ) -> Result<(), Stop> {
        // In bands, so that an image larger than memory stops at its first fault.
        let (mut y, bottom) = (rect.y, rect.y + rect.h);
        while y < bottom {
            let next = bottom.min((y / BAND + 1) * BAND);
            self.clear_band(
                mem,
                Rect {
                    y,
                    h: next - y,
                    ..rect
                },
                value,
                mask,
            )?;
            y = next;
        }
        Ok(())
    }

    fn clear_band(
        &self,
        mem: &mut Mem,
        rect: Rect,
        value: [u32; 2],
        mask: [u32; 2],
    ) -> Result<(), Stop> {
        let whole = mask[0] == u32::MAX && (self.bpp < 8 || mask[1] == u32::MAX);
        let Some(ts) = self.ts else {
            return self.each(rect, |span| {
                let len = (span.n * span.rows * self.bpp) as usize;
                self.set(
                    mem,
                    span.va,
                    len,
                    value,
                    if whole { None } else { Some(mask) },
                )
            });
        };
        let mut cover = std::collections::BTreeMap::<u32, u32>::new();
        if whole {
            self.each(rect, |span| {
                split(
                    &ts,
                    span.va,
                    span.n * span.rows * self.bpp,
                    |_, tile, len| {
                        *cover.entry(tile).or_default() += len;
                        Ok(())
                    },
                )
            })?;
        }
        let mut status = StatusCache::default();
        self.each(rect, |span| {
            split(
                &ts,
                span.va,
                span.n * span.rows * self.bpp,
                |va, tile, len| {
                    if cover.get(&tile) == Some(&ts.tile_bytes) {
                        return Ok(());
                    }
                    if status.get(mem, &ts, tile)? == 1 {
                        // A cleared tile is written to memory before a part of it changes.
                        let mut bytes = vec![0; ts.tile_bytes as usize];
                        fill(&mut bytes, ts.clear, self.bpp);
                        let at = ts.surface.wrapping_add(tile * ts.tile_bytes);
                        mem.write(Client::Pe, at, &bytes)?;
                        status.put(mem, &ts, tile, 0)?;
                    }
                    self.set(
                        mem,
                        va,
                        len as usize,
                        value,
                        if whole { None } else { Some(mask) },
                    )
                },
            )
        })?;
        for (tile, len) in cover {
            if len == ts.tile_bytes {
                status.put(mem, &ts, tile, 1)?;
                mem.stats.tiles_cleared += 1;
            }
        }
        status.flush(mem, &ts)
    }

    fn set(
        &self,
        mem: &mut Mem,
        va: u32,
        len: usize,
        value: [u32; 2],
        mask: Option<[u32; 2]>,
    ) -> Result<(), Stop> {
        let mut new = vec![0; len];
        fill(&mut new, value, self.bpp);
        if let Some(mask) = mask {
            let (mut old, mut keep) = (vec![0; len], vec![0; len]);
            mem.read(Client::Pe, va, &mut old)?;
            fill(&mut keep, mask, self.bpp);
            for ((new, old), keep) in new.iter_mut().zip(old).zip(keep) {
                *new = *new & keep | old & !keep;
            }
        }
        mem.write(Client::Pe, va, &new)
    }
}

/// Fills `bytes` with a repeated pixel; pixels of up to four bytes are the low bytes of the first
/// word.
pub(crate) fn fill(bytes: &mut [u8], value: [u32; 2], bpp: u32) {
    let mut pattern = [0; 8];
    pattern[..4].copy_from_slice(&value[0].to_le_bytes());
    pattern[4..].copy_from_slice(&value[1].to_le_bytes());
    let n = bpp.clamp(1, 8) as usize;
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = pattern[i % n];
    }
}
