// SPDX-License-Identifier: BSD-2-Clause
//! The image that the last image operation wrote, for tests to check.

use super::image::{Image, Layout, Rect};
use super::mem::Mem;
use super::mmu::Stop;

/// The engine that wrote a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// BLT clear or copy.
    Blt,
    /// RS copy. RS fills are not recorded: they also write tile status.
    Rs,
    /// 2D engine; a rectangle list is one frame with the bounds of the list.
    De,
}

/// Target of the last image operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The engine that wrote it.
    pub engine: Engine,
    /// GPU virtual address of the image, not of the part that was written.
    pub va: u32,
    /// Left edge of the part that was written, pixels.
    pub x: u32,
    /// Top edge of the part that was written, pixels.
    pub y: u32,
    /// Width of the part that was written, pixels.
    pub width: u32,
    /// Height of the part that was written, pixels.
    pub height: u32,
    /// Bytes from one row of pixels to the next, as if linear.
    pub stride: u32,
    /// Bytes per pixel.
    pub bytes_per_pixel: u32,
    /// Layout of the image.
    pub layout: Layout,
    /// The part that was written, as in memory, rows from the top without gaps. Tiles that only the
    /// tile status marks as cleared have the clear value. Filled if capture is on.
    pub pixels: Vec<u8>,
}

impl Frame {
    pub(crate) fn of(
        engine: Engine,
        image: &Image,
        rect: Rect,
        mem: &mut Mem,
        capture: bool,
    ) -> Result<Frame, Stop> {
        let pixels = if capture {
            image.read(mem, rect)?
        } else {
            Vec::new()
        };
        Ok(Frame {
            engine,
            va: image.addr[0],
            x: rect.x,
            y: rect.y,
            width: rect.w,
            height: rect.h,
            stride: image.stride,
            bytes_per_pixel: image.bpp,
            layout: image.layout,
            pixels,
        })
    }
}
