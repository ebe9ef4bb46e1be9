// SPDX-License-Identifier: BSD-2-Clause
//! The picture of a board: the last image that its GPU rendered, for any model.

use models::{mali, vivante};

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Why there are no pixels, if there are none.
    pub format: String,
    /// RGBA, eight bits a channel, rows from the top; empty if capture is off or the format has no
    /// channels that the model knows.
    pub pixels: Vec<u8>,
}

impl From<&mali::Frame> for Frame {
    fn from(frame: &mali::Frame) -> Frame {
        Frame {
            width: frame.width,
            height: frame.height,
            format: format!("{:#x}", frame.format),
            pixels: frame.pixels.clone(),
        }
    }
}

/// The commands of this GPU do not contain the format: four bytes are interpreted as A8R8G8B8,
/// little-endian, to which Mesa's etnaviv renders.
impl From<&vivante::Frame> for Frame {
    fn from(frame: &vivante::Frame) -> Frame {
        let mut pixels = Vec::new();
        if frame.bytes_per_pixel == 4 {
            let rgba = |p: &[u8]| [p[2], p[1], p[0], p[3]];
            pixels = frame.pixels.chunks_exact(4).flat_map(rgba).collect();
        }
        Frame {
            width: frame.width,
            height: frame.height,
            format: format!("{} bytes a pixel", frame.bytes_per_pixel),
            pixels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(bytes_per_pixel: u32, pixels: Vec<u8>) -> vivante::Frame {
        vivante::Frame {
            engine: vivante::Engine::Blt,
            va: 0,
            x: 3,
            y: 4,
            width: 2,
            height: 1,
            stride: 8,
            bytes_per_pixel,
            layout: vivante::Layout::Linear,
            pixels,
        }
    }

    #[test]
    fn a_word_is_alpha_red_green_blue() {
        let bytes = [0xff33_6699_u32, 0x0102_0304]
            .map(u32::to_le_bytes)
            .concat();
        let frame = Frame::from(&moved(4, bytes));
        assert_eq!((frame.width, frame.height), (2, 1));
        assert_eq!(frame.pixels, [0x33, 0x66, 0x99, 0xff, 2, 3, 4, 1]);
        assert_eq!(Frame::from(&moved(2, vec![1; 4])).pixels, []);
    }
}
