// SPDX-License-Identifier: BSD-2-Clause
//! Resolve engine: fills and copies with one or two pixel pipes, in-place resolve.
//!
//! HW: Mesa etnaviv_rs.c etna_compile_rs_state and state_3d.xml.h. Strides of tiled images are
//! those of a row of tiles (four rows of pixels). With two pipes the window is that of one pipe
//! and each pipe starts at its own PIPE_OFFSET; a split image has one address per pipe.

use super::blt::pick;
use super::frame::{Engine, Frame};
use super::image::{resolve_in_place, Image, Layout, Rect, TileStatus};
use super::mem::Mem;
use super::mmu::Stop;
use super::regs::{d3, rs as reg};
use super::states::States;
use super::stats::Stats;
use super::variant::Identity;

// RS_CONFIG
const DOWNSAMPLE_X: u32 = 1 << 5;
const DOWNSAMPLE_Y: u32 = 1 << 6;
const SOURCE_TILED: u32 = 1 << 7;
const DEST_TILED: u32 = 1 << 14;
const SWAP_RB: u32 = 1 << 29;
const FLIP: u32 = 1 << 30;
// RS_*_STRIDE
const STRIDE: u32 = 0x3_ffff;
const MULTI: u32 = 1 << 30;
const SUPER: u32 = 1 << 31;

const BAND: u32 = 64;

/// One operation with all its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    source: Image,
    dest: Image,
    /// Windows in image coordinates of the destination, one per pipe.
    windows: Vec<Rect>,
    fill: Option<Fill>,
    downsample: [u32; 2],
    swap_rb: bool,
    flip: bool,
    in_place: Option<u32>,
    /// An unsupported feature of the operation, and the word that selects it.
    unsupported: Option<(&'static str, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Fill {
    values: [u32; 4],
    /// Byte enables: one bit per byte of four words.
    bytes: u32,
}

fn format_bytes(format: u32) -> Option<u32> {
    Some(match format {
        0x00..=0x04 | 0x07 => 2,
        0x05 | 0x06 => 4,
        0x15 => 8,
        _ => return None,
    })
}

fn image(addr: [u32; 2], stride: u32, tiled: bool, bpp: u32) -> Image {
    let (layout, divide) = match (tiled, stride & SUPER != 0) {
        (false, _) => (Layout::Linear, 1),
        (true, false) => (Layout::Tiled, 4),
        (true, true) => (Layout::SuperTiled, 4),
    };
    Image {
        addr,
        split: stride & MULTI != 0,
        layout,
        stride: (stride & STRIDE) / divide,
        bpp,
        ts: None,
    }
}

/// Tile status of the colour buffer, from the TS states.
fn tile_status(states: &States, identity: &Identity) -> TileStatus {
    TileStatus {
        status: states.get(d3::TS_COLOR_STATUS_BASE),
        surface: states.get(d3::TS_COLOR_SURFACE_BASE),
        // HW: Mesa etnaviv_screen.h: 64 bytes without CACHE128B256BPERLINE.
        tile_bytes: if identity.ts_bits == 4 { 128 } else { 64 },
        bits: identity.ts_bits,
        clear: [
            states.get(d3::TS_COLOR_CLEAR_VALUE),
            states.get(d3::TS_COLOR_CLEAR_VALUE_EXT),
        ],
    }
}

impl Op {
    /// The operation that the states describe.
    pub(crate) fn decode(states: &States, identity: &Identity) -> Op {
        let config = states.get(reg::CONFIG);
        let source_bpp = format_bytes(config & 0x1f);
        let dest_bpp = format_bytes(config >> 8 & 0x1f);
        let pipes = identity.pixel_pipes.clamp(1, 2);
        // HW: the pipe addresses on two-pipe cores, the plain ones otherwise.
        let addresses = |pipe: u32, plain: u32| {
            if pipes > 1 {
                states.pair(pipe)
            } else {
                [states.get(plain); 2]
            }
        };
        let mut source = image(
            addresses(reg::PIPE_SOURCE_ADDR, reg::SOURCE_ADDR),
            states.get(reg::SOURCE_STRIDE),
            config & SOURCE_TILED != 0,
            source_bpp.unwrap_or(4),
        );
        let dest = image(
            addresses(reg::PIPE_DEST_ADDR, reg::DEST_ADDR),
            states.get(reg::DEST_STRIDE),
            config & DEST_TILED != 0,
            dest_bpp.unwrap_or(4),
        );
        if states.get(d3::TS_MEM_CONFIG) & d3::TS_COLOR_FAST_CLEAR != 0 {
            source.ts = Some(tile_status(states, identity));
        }
        let window = states.get(reg::WINDOW_SIZE);
        let mut windows: Vec<Rect> = (0..pipes)
            .map(|pipe| {
                let offset = if pipes > 1 {
                    states.nth(reg::PIPE_OFFSET, pipe)
                } else {
                    0
                };
                Rect {
                    x: offset & 0xffff,
                    y: offset >> 16,
                    w: window & 0xffff,
                    h: window >> 16,
                }
            })
            .collect();
        // If both pipes have the same window, the work is done once.
        windows.dedup();
        let control = states.get(reg::CLEAR_CONTROL);
        let values = [0, 1, 2, 3].map(|n| states.nth(reg::FILL_VALUE, n));
        let fill = match control >> 16 & 3 {
            0 => None,
            1 if config >> 8 & 0x1f == 0x15 => Some([values[0], values[1], values[0], values[1]]),
            1 => Some([values[0]; 4]),
            _ => Some(values),
        };
        let unsupported = if source_bpp != dest_bpp || dest_bpp.is_none() {
            Some(("RS copy between formats", config))
        } else if config & FLIP != 0 && windows.len() > 1 {
            Some(("RS flip with two windows", config))
        } else {
            None
        };
        Op {
            source,
            dest,
            windows,
            fill: fill.map(|values| Fill {
                values,
                bytes: control & 0xffff,
            }),
            downsample: [
                u32::from(config & DOWNSAMPLE_X != 0),
                u32::from(config & DOWNSAMPLE_Y != 0),
            ],
            swap_rb: config & SWAP_RB != 0,
            flip: config & FLIP != 0,
            in_place: None,
            unsupported,
        }
    }

    /// RS_KICKER_INPLACE with `tiles` tiles.
    pub(crate) fn in_place(states: &States, identity: &Identity, tiles: u32) -> Op {
        let mut op = Op::decode(states, identity);
        op.source.ts = Some(tile_status(states, identity));
        op.in_place = Some(tiles);
        op.unsupported = None;
        op
    }

    pub(crate) fn pixels(&self) -> u64 {
        match self.in_place {
            Some(tiles) => u64::from(tiles) * 16,
            None => self
                .windows
                .iter()
                .map(|r| u64::from(r.w) * u64::from(r.h))
                .sum(),
        }
    }

    /// Counts uses that hardware leaves undefined. HW: Mesa etnaviv_rs.c: with widths that are not
    /// a multiple of 16 the RS writes outside its window or hangs.
    pub(crate) fn count_undefined(&self, stats: &mut Stats) {
        if self.in_place.is_none() && self.windows.iter().any(|r| r.w % 16 != 0 || r.h % 4 != 0) {
            stats.protocol("RS window not a multiple of 16x4");
        }
    }

    /// Executes the operation.
    pub(crate) fn run(&self, mem: &mut Mem, capture: bool) -> Result<Option<Frame>, Stop> {
        mem.stats.rs_operations += 1;
        if let Some((what, word)) = self.unsupported {
            mem.stats.decode(what, word);
            return Ok(None);
        }
        if let (Some(tiles), Some(ts)) = (self.in_place, &self.source.ts) {
            resolve_in_place(mem, ts, tiles, self.source.bpp)?;
            return Ok(None);
        }
        mem.stats.pixels_written += self.pixels();
        for window in &self.windows {
            match &self.fill {
                Some(fill) => self.fill_window(mem, *window, fill)?,
                None => self.copy(mem, *window)?,
            }
        }
        if self.fill.is_some() {
            return Ok(None);
        }
        // The union of all windows: each is below the one before.
        let first = self.windows[0];
        let bottom = self.windows.iter().map(|r| r.y + r.h).max().unwrap_or(0);
        let whole = Rect {
            w: first.w >> self.downsample[0],
            h: (bottom - first.y) >> self.downsample[1],
            ..first
        };
        Frame::of(Engine::Rs, &self.dest, whole, mem, capture).map(Some)
    }

    fn fill_window(&self, mem: &mut Mem, window: Rect, fill: &Fill) -> Result<(), Stop> {
        let same = fill.values.iter().all(|v| *v == fill.values[0]);
        if !same && self.dest.bpp != 8 {
            mem.stats.decode("RS fill with four values", fill.values[0]);
        }
        // The byte enables of a pixel, as a bit mask.
        let mask = |word: u32| {
            (0..4)
                .filter(|i| fill.bytes >> (word * 4 + i) & 1 != 0)
                .fold(0, |m, i| m | 0xff << (8 * i))
        };
        self.dest.clear(
            mem,
            window,
            [fill.values[0], fill.values[1]],
            [mask(0), mask(1)],
        )
    }

    fn copy(&self, mem: &mut Mem, window: Rect) -> Result<(), Stop> {
        let [down_x, down_y] = self.downsample;
        for y in (0..window.h).step_by(BAND as usize) {
            let from = Rect {
                y: window.y + y,
                h: BAND.min(window.h - y),
                ..window
            };
            let mut pixels = self.source.read(mem, from)?;
            if down_x + down_y != 0 {
                pixels = pick(&pixels, from, self.downsample, self.source.bpp);
            }
            if self.swap_rb && self.dest.bpp == 4 {
                pixels.chunks_exact_mut(4).for_each(|p| p.swap(0, 2));
            }
            let mut to = Rect {
                x: from.x >> down_x,
                y: from.y >> down_y,
                w: from.w >> down_x,
                h: from.h >> down_y,
            };
            if self.flip {
                let bottom = (window.y + window.h) >> down_y;
                to.y = bottom - ((y >> down_y) + to.h);
                let row = (to.w * self.dest.bpp) as usize;
                pixels = pixels.chunks(row.max(1)).rev().flatten().copied().collect();
            }
            self.dest.write(mem, to, &pixels)?;
        }
        Ok(())
    }
}
