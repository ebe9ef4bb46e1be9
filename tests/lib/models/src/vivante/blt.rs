// SPDX-License-Identifier: BSD-2-Clause
//! BLT engine: clear, copy, copy of buffers, in-place resolve.
//!
//! HW: Mesa etnaviv_blt.c and state_blt.xml.h for the states of each operation; the streams in
//! tests/data/etnaviv for their values. Only the size of a format matters: Mesa requests copies
//! between equal formats only.

use super::frame::{Engine, Frame};
use super::image::{resolve_in_place, Image, Layout, Rect, TileStatus};
use super::mem::Mem;
use super::mmu::{Client, Stop};
use super::regs::blt as reg;
use super::states::States;
use super::stats::Stats;

const CLEAR: u32 = 1;
const COPY: u32 = 2;
const COPY_BUFFER: u32 = 3;
const IN_PLACE: u32 = 4;
const GEN_MIPMAPS: u32 = 6;

/// Sizes of images that have mipmaps. HW: no texture is larger.
const SIZES: std::ops::RangeInclusive<u32> = 1..=8192;

// BLT_IMAGE_CONFIG
const CONFIG_TS: u32 = 1;
const CONFIG_TS_256B: u32 = 1 << 17;
const CONFIG_FLIP_Y: u32 = 1 << 19;
const CONFIG_FROM_SUPER_TILED: u32 = 1 << 21;
const CONFIG_TO_SUPER_TILED: u32 = 1 << 26;

/// Rows that a large copy moves at a time; a multiple of every tile height.
const BAND: u32 = 64;

/// One operation with all its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    command: u32,
    source: Image,
    dest: Image,
    source_pos: [u32; 2],
    dest_pos: [u32; 2],
    size: [u32; 2],
    color: [u32; 2],
    bits: [u32; 2],
    flip: bool,
    downsample: [u32; 2],
    tiles: u32,
    bytes: u32,
    /// For each byte of a destination pixel, the index of the source byte.
    moves: Option<[usize; 4]>,
    /// An unsupported feature of the operation, and the word that selects it.
    unsupported: Option<(&'static str, u32)>,
    /// Address and stride of each level below the source, for mipmaps.
    levels: Vec<(u32, u32)>,
}

/// Bytes per pixel of a BLT_FORMAT.
fn format_bytes(format: u32) -> Option<u32> {
    Some(match format {
        0x10 | 0x21 | 0x23 => 1,
        0x00..=0x04 | 0x07 | 0x08 | 0x18 | 0x20 | 0x24 => 2,
        0x05 | 0x06 | 0x16 | 0x17 => 4,
        0x1c => 8,
        _ => return None,
    })
}

fn halves(word: u32) -> [u32; 2] {
    [word & 0xffff, word >> 16]
}

fn image(
    states: &States,
    addr: u32,
    stride: u32,
    config: u32,
    super_tiled: u32,
    ts: (u32, u32),
) -> (Image, bool) {
    let (stride, config) = (states.get(stride), states.get(config));
    let surface = states.get(addr);
    // HW: TILING 0 is linear; with 3 the config selects the kind of tiles.
    let layout = match (stride >> 29 & 3, config & super_tiled != 0) {
        (0, _) => Layout::Linear,
        (_, false) => Layout::Tiled,
        (_, true) => Layout::SuperTiled,
    };
    let status = (config & CONFIG_TS != 0).then(|| TileStatus {
        status: states.get(ts.0),
        surface,
        // HW: Mesa etnaviv_screen.h etna_screen_get_tile_size.
        tile_bytes: if config & CONFIG_TS_256B != 0 {
            256
        } else {
            128
        },
        bits: 4,
        clear: states.pair(ts.1),
    });
    // HW: six bits in the source register, where two further bits select downsampling.
    let bpp = format_bytes(stride >> 21 & 0x3f);
    let image = Image {
        addr: [surface; 2],
        split: false,
        layout,
        stride: stride & 0xf_ffff,
        bpp: bpp.unwrap_or(4),
        ts: status,
    };
    (image, bpp.is_some())
}

/// The permutation that a copy with `swizzle` applies to the bytes of a pixel; `None` if the model
/// does not know it. It knows permutations of formats of four bytes. Three bits for each channel R,
/// G, B, A select the source component that it is taken from and, in the upper half, the
/// destination component that it is written to. HW: state_blt.xml SWIZZLE; Mesa etnaviv_blt.c and
/// util_format_description for the meaning of the numbers.
fn exchange(states: &States, swizzle: u32) -> Option<[usize; 4]> {
    // HW: BLT_FORMAT X8R8G8B8 and A8R8G8B8: blue is the lowest byte.
    const BYTES: [usize; 4] = [2, 1, 0, 3];
    let formats = [reg::SRC_STRIDE, reg::DEST_STRIDE].map(|stride| states.get(stride) >> 21 & 0x3f);
    if formats.iter().any(|format| !matches!(format, 5 | 6)) {
        return None;
    }
    let byte = |channel: usize, half: u32| {
        let component = swizzle >> (half * 12 + channel as u32 * 3) & 7;
        BYTES.get(component as usize).copied()
    };
    let mut moves = [None; 4];
    for channel in 0..4 {
        moves[byte(channel, 1)?] = byte(channel, 0);
    }
    let [Some(b), Some(g), Some(r), Some(a)] = moves else {
        return None;
    };
    Some([b, g, r, a])
}

impl Op {
    /// The operation that the states describe.
    pub(crate) fn decode(states: &States) -> Op {
        let command = states.get(reg::COMMAND) & 0xf;
        let config = states.get(reg::CONFIG);
        let source_ts = (reg::SRC_TS, reg::SRC_TS_CLEAR_VALUE0);
        let dest_ts = (reg::DEST_TS, reg::DEST_TS_CLEAR_VALUE0);
        let (source, source_known) = image(
            states,
            reg::SRC_ADDR,
            reg::SRC_STRIDE,
            reg::SRC_CONFIG,
            CONFIG_FROM_SUPER_TILED,
            source_ts,
        );
        let (mut dest, dest_known) = image(
            states,
            reg::DEST_ADDR,
            reg::DEST_STRIDE,
            reg::DEST_CONFIG,
            CONFIG_TO_SUPER_TILED,
            dest_ts,
        );
        let swizzle = states.get(reg::SWIZZLE);
        let (mut unsupported, mut moves) = (None, None);
        match command {
            CLEAR => dest.bpp = (config >> 7 & 7) + 1,
            COPY if !source_known || !dest_known || source.bpp != dest.bpp => {
                unsupported = Some(("BLT copy between formats", states.get(reg::DEST_STRIDE)));
            }
            COPY if swizzle & 0xfff != swizzle >> 12 & 0xfff => match exchange(states, swizzle) {
                None => unsupported = Some(("BLT swizzle", swizzle)),
                moved => moves = moved,
            },
            COPY if config & 0x1e != 0 => unsupported = Some(("BLT endian", config)),
            COPY if dest.ts.is_some() => {
                unsupported = Some(("BLT copy into tile status", states.get(reg::DEST_CONFIG)));
            }
            IN_PLACE => {
                // HW: INPLACE_BPP is a logarithm, INPLACE_TS_MODE the tile size.
                dest.bpp = 1 << (config >> 15 & 7).min(3);
                dest.ts = Some(TileStatus {
                    status: states.get(reg::DEST_TS),
                    surface: dest.addr[0],
                    tile_bytes: if config >> 10 & 1 != 0 { 256 } else { 128 },
                    bits: 4,
                    clear: states.pair(reg::DEST_TS_CLEAR_VALUE0),
                });
            }
            GEN_MIPMAPS if !source_known => {
                unsupported = Some(("BLT mipmaps of a format", states.get(reg::SRC_STRIDE)));
            }
            GEN_MIPMAPS
                if !halves(states.get(reg::IMAGE_SIZE))
                    .iter()
                    .all(|n| SIZES.contains(n)) =>
            {
                unsupported = Some(("BLT mipmaps of a size", states.get(reg::IMAGE_SIZE)));
            }
            COPY | COPY_BUFFER | GEN_MIPMAPS => (),
            _ => unsupported = Some(("BLT command", states.get(reg::COMMAND))),
        }
        let source_stride = states.get(reg::SRC_STRIDE);
        Op {
            command,
            source,
            dest,
            source_pos: halves(states.get(reg::SRC_POS)),
            dest_pos: halves(states.get(reg::DEST_POS)),
            size: halves(states.get(reg::IMAGE_SIZE)),
            color: states.pair(reg::CLEAR_COLOR0),
            bits: states.pair(reg::CLEAR_BITS0),
            flip: states.get(reg::DEST_CONFIG) & CONFIG_FLIP_Y != 0,
            downsample: [source_stride >> 27 & 1, source_stride >> 28 & 1],
            tiles: states.get(reg::INPLACE_TILE_COUNT),
            bytes: states.get(reg::BUFFER_SIZE),
            moves,
            unsupported,
            levels: (1..states.get(reg::MIPMAP_CONFIG) & 0x1f)
                .map(|n| {
                    (
                        states.nth(reg::MIP_ADDR, n - 1),
                        states.nth(reg::MIP_STRIDE, n - 1) & 0xf_ffff,
                    )
                })
                .collect(),
        }
    }

    /// Number of pixels, from which the duration follows.
    pub(crate) fn pixels(&self) -> u64 {
        match self.command {
            IN_PLACE => u64::from(self.tiles) * 64,
            COPY_BUFFER => u64::from(self.bytes) / 4,
            _ => u64::from(self.size[0]) * u64::from(self.size[1]),
        }
    }

    /// Executes the operation.
    pub(crate) fn run(&self, mem: &mut Mem, capture: bool) -> Result<Option<Frame>, Stop> {
        mem.stats.blt_operations[self.command as usize] += 1;
        if let Some((what, word)) = self.unsupported {
            mem.stats.decode(what, word);
            return Ok(None);
        }
        let [w, h] = self.size;
        let mut rect = Rect {
            x: self.dest_pos[0],
            y: self.dest_pos[1],
            w,
            h,
        };
        match self.command {
            CLEAR => self.dest.clear(mem, rect, self.color, self.bits)?,
            COPY => {
                rect.w >>= self.downsample[0];
                rect.h >>= self.downsample[1];
                self.copy(mem, rect)?;
            }
            GEN_MIPMAPS => {
                self.mipmaps(mem)?;
                return Ok(None);
            }
            COPY_BUFFER => {
                self.copy_buffer(mem)?;
                return Ok(None);
            }
            _ => {
                if let Some(ts) = &self.dest.ts {
                    resolve_in_place(mem, ts, self.tiles, self.dest.bpp)?;
                }
                return Ok(None);
            }
        }
        mem.stats.pixels_written += u64::from(rect.w) * u64::from(rect.h);
        Frame::of(Engine::Blt, &self.dest, rect, mem, capture).map(Some)
    }

    fn copy(&self, mem: &mut Mem, rect: Rect) -> Result<(), Stop> {
        let [down_x, down_y] = self.downsample;
        for y in (0..rect.h).step_by(BAND as usize) {
            let rows = BAND.min(rect.h - y);
            let from = Rect {
                x: self.source_pos[0],
                y: self.source_pos[1] + (y << down_y),
                w: rect.w << down_x,
                h: rows << down_y,
            };
            let mut pixels = self.source.read(mem, from)?;
            if down_x + down_y != 0 {
                pixels = pick(&pixels, from, self.downsample, self.source.bpp);
            }
            if let Some(moves) = self.moves {
                for pixel in pixels.chunks_exact_mut(4) {
                    let from = [pixel[0], pixel[1], pixel[2], pixel[3]];
                    pixel.copy_from_slice(&moves.map(|byte| from[byte]));
                }
            }
            let mut to = Rect {
                y: rect.y + y,
                h: rows,
                ..rect
            };
            if self.flip {
                to.y = rect.y + rect.h - y - rows;
                let row = (rect.w * self.dest.bpp) as usize;
                pixels = pixels.chunks(row.max(1)).rev().flatten().copied().collect();
            }
            self.dest.write(mem, to, &pixels)?;
        }
        Ok(())
    }

    /// Makes each level from the one above it; all have the same layout. HW: state_blt.xml
    /// MIPMAP_CONFIG, MIP; the count includes the source. The filter is not published: here each
    /// byte is the mean of four.
    fn mipmaps(&self, mem: &mut Mem) -> Result<(), Stop> {
        let mut from = self.source;
        let [mut w, mut h] = self.size;
        for &(addr, stride) in &self.levels {
            let (x, y) = (0, 0);
            let above = from.read(mem, Rect { x, y, w, h })?;
            let (wide, high) = (w, h);
            (w, h) = ((w / 2).max(1), (h / 2).max(1));
            let bpp = from.bpp;
            let at = |x: u32, y: u32, byte: u32| {
                let (x, y) = (x.min(wide - 1), y.min(high - 1));
                above
                    .get(((y * wide + x) * bpp + byte) as usize)
                    .map_or(0, |byte| u32::from(*byte))
            };
            let mut pixels = Vec::with_capacity((w * h * bpp) as usize);
            for (x, y) in (0..h).flat_map(|y| (0..w).map(move |x| (2 * x, 2 * y))) {
                for byte in 0..bpp {
                    let sum = at(x, y, byte)
                        + at(x + 1, y, byte)
                        + at(x, y + 1, byte)
                        + at(x + 1, y + 1, byte);
                    pixels.push((sum / 4) as u8);
                }
            }
            from = Image {
                addr: [addr; 2],
                stride,
                ts: None,
                ..from
            };
            from.write(mem, Rect { x, y, w, h }, &pixels)?;
        }
        Ok(())
    }

    fn copy_buffer(&self, mem: &mut Mem) -> Result<(), Stop> {
        let mut buf = vec![0; 4096];
        let mut done = 0;
        while done < self.bytes {
            let len = (self.bytes - done).min(4096) as usize;
            mem.read(
                Client::Pe,
                self.source.addr[0].wrapping_add(done),
                &mut buf[..len],
            )?;
            mem.write(
                Client::Pe,
                self.dest.addr[0].wrapping_add(done),
                &buf[..len],
            )?;
            done += len as u32;
        }
        Ok(())
    }

    /// Counts uses that hardware leaves undefined.
    pub(crate) fn count_undefined(&self, states: &States, stats: &mut Stats) {
        if states.get(reg::ENABLE) & 1 == 0 {
            stats.protocol("BLT command without BLT enable");
        }
    }
}

/// Takes the first sample of each group; hardware averages.
pub(crate) fn pick(pixels: &[u8], from: Rect, downsample: [u32; 2], bpp: u32) -> Vec<u8> {
    let (row, bpp) = ((from.w * bpp) as usize, bpp as usize);
    let mut out = Vec::new();
    for line in pixels.chunks(row.max(1)).step_by(1 << downsample[1]) {
        for pixel in line.chunks(bpp).step_by(1 << downsample[0]) {
            out.extend_from_slice(pixel);
        }
    }
    out
}
