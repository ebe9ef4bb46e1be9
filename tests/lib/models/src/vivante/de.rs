// SPDX-License-Identifier: BSD-2-Clause
//! 2D drawing engine: rectangles of DRAW_2D. Clears are executed; every other command checks that
//! its source and destination can be accessed, and does not write the destination.
//!
//! HW: libdrm tests/etnaviv/state_2d.xml.h and etnaviv_2d_test.c.

use super::frame::{Engine, Frame};
use super::image::{Image, Layout, Rect};
use super::mem::Mem;
use super::mmu::{Client, Stop};
use super::regs::de as reg;
use super::states::States;

/// One rectangle list with all its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    dest: Image,
    format: u32,
    command: u32,
    rects: Vec<Rect>,
    color: u32,
    source: (u32, u32),
    /// An unsupported feature of the operation, and the word that selects it.
    unsupported: Option<(&'static str, u32)>,
}

/// Bytes per pixel of a DE_FORMAT.
fn format_bytes(format: u32) -> Option<u32> {
    Some(match format {
        0x00..=0x04 => 2,
        0x05 | 0x06 => 4,
        0x10 => 1,
        _ => return None,
    })
}

/// Converts A8R8G8B8 to a pixel of the format.
fn pack(format: u32, argb: u32) -> u32 {
    let channel = |shift: u32, bits: u32| argb >> (shift + 8 - bits) & ((1 << bits) - 1);
    let (a, r, g, b) = (24, 16, 8, 0);
    match format {
        0x00 | 0x01 => {
            channel(a, 4) << 12 | channel(r, 4) << 8 | channel(g, 4) << 4 | channel(b, 4)
        }
        0x02 | 0x03 => {
            channel(a, 1) << 15 | channel(r, 5) << 10 | channel(g, 5) << 5 | channel(b, 5)
        }
        0x04 => channel(r, 5) << 11 | channel(g, 6) << 5 | channel(b, 5),
        0x10 => channel(a, 8),
        _ => argb,
    }
}

fn corner(word: u32) -> [u32; 2] {
    [word & 0xffff, word >> 16]
}

impl Op {
    /// Decodes the operation. `rects` are pairs of words: top left, and the corner after bottom
    /// right.
    pub(crate) fn decode(states: &States, rects: &[u32]) -> Op {
        let config = states.get(reg::DEST_CONFIG);
        let format = config & 0x1f;
        let [left, top] = corner(states.get(reg::CLIP_TOP_LEFT)).map(|v| v & 0x7fff);
        let [right, bottom] = corner(states.get(reg::CLIP_BOTTOM_RIGHT)).map(|v| v & 0x7fff);
        let rects = rects
            .chunks_exact(2)
            .filter_map(|pair| {
                let ([x0, y0], [x1, y1]) = (corner(pair[0]), corner(pair[1]));
                let (x0, y0) = (x0.max(left), y0.max(top));
                let (x1, y1) = (x1.min(right), y1.min(bottom));
                (x1 > x0 && y1 > y0).then(|| Rect {
                    x: x0,
                    y: y0,
                    w: x1 - x0,
                    h: y1 - y0,
                })
            })
            .collect();
        let rotation = states.get(reg::DEST_ROTATION_CONFIG);
        let unsupported = if format_bytes(format).is_none() {
            Some(("2D destination format", config))
        } else if config >> 8 & 1 != 0 || config >> 26 & 1 != 0 {
            Some(("2D tiled destination", config))
        } else if rotation >> 16 & 1 != 0 {
            Some(("2D rotation", rotation))
        } else {
            None
        };
        Op {
            dest: Image {
                addr: [states.get(reg::DEST_ADDRESS); 2],
                split: false,
                layout: Layout::Linear,
                stride: states.get(reg::DEST_STRIDE) & 0x3_ffff,
                bpp: format_bytes(format).unwrap_or(4),
                ts: None,
            },
            format,
            command: config >> 12 & 0xf,
            rects,
            color: states.get(reg::CLEAR_PIXEL_VALUE32),
            source: (
                states.get(reg::SRC_ADDRESS),
                states.get(reg::SRC_STRIDE) & 0x3_ffff,
            ),
            unsupported,
        }
    }

    pub(crate) fn pixels(&self) -> u64 {
        self.rects
            .iter()
            .map(|r| u64::from(r.w) * u64::from(r.h))
            .sum()
    }

    /// Executes the operation.
    pub(crate) fn run(&self, mem: &mut Mem, capture: bool) -> Result<Option<Frame>, Stop> {
        mem.stats.rectangles += self.rects.len() as u64;
        if let Some((what, word)) = self.unsupported {
            mem.stats.decode(what, word);
            return Ok(None);
        }
        let value = pack(self.format, self.color);
        for rect in &self.rects {
            if self.command == 0 {
                self.dest.clear(mem, *rect, [value; 2], [u32::MAX; 2])?;
                mem.stats.pixels_written += u64::from(rect.w) * u64::from(rect.h);
                continue;
            }
            mem.stats
                .decode("2D command other than clear", self.command);
            let row = self.dest.addr[0].wrapping_add(rect.y.wrapping_mul(self.dest.stride));
            let len = (rect.h - 1)
                .saturating_mul(self.dest.stride)
                .saturating_add(rect.w * self.dest.bpp);
            mem.check(
                Client::Pe,
                row.wrapping_add(rect.x * self.dest.bpp),
                len,
                true,
            )?;
            if self.command != 1 {
                mem.check(Client::Pe, self.source.0, self.source.1, false)?;
            }
        }
        let Some(first) = self.rects.first() else {
            return Ok(None);
        };
        let all = self.rects.iter().fold(*first, |all, r| {
            let (x, y) = (all.x.min(r.x), all.y.min(r.y));
            Rect {
                x,
                y,
                w: (all.x + all.w).max(r.x + r.w) - x,
                h: (all.y + all.h).max(r.y + r.h) - y,
            }
        });
        Frame::of(Engine::De, &self.dest, all, mem, capture).map(Some)
    }
}
