// SPDX-License-Identifier: BSD-2-Clause
//! `--png`: the last colour target as a picture.

use crate::board::Frame;
use std::fs::File;
use std::io::{self, BufWriter, Error, ErrorKind};
use std::path::Path;

/// Writes the pixels of `frame`, RGBA with eight bits each, rows from the top.
///
/// # Errors
/// The file cannot be written, or the frame has no pixels (the model does not know its format).
pub(crate) fn write(path: &Path, frame: &Frame) -> io::Result<()> {
    if frame.pixels.len() as u64 != u64::from(frame.width) * u64::from(frame.height) * 4
        || frame.pixels.is_empty()
    {
        let why = format!(
            "the last frame, of format {}, has no pixels that the model can read",
            frame.format
        );
        return Err(Error::new(ErrorKind::InvalidData, why));
    }
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(path)?), frame.width, frame.height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&frame.pixels)?;
    writer.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(pixels: Vec<u8>) -> Frame {
        Frame {
            width: 2,
            height: 1,
            format: "none".into(),
            pixels,
        }
    }

    #[test]
    fn picture_reads_back() {
        let path = std::env::temp_dir().join(format!("drmboard-png-{}.png", std::process::id()));
        let pixels = vec![1, 2, 3, 255, 4, 5, 6, 128];
        write(&path, &frame(pixels.clone())).unwrap();
        let mut reader = png::Decoder::new(File::open(&path).unwrap()).read_info().unwrap();
        let mut back = vec![0; reader.output_buffer_size()];
        reader.next_frame(&mut back).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(back, pixels);
        assert!(write(&path, &frame(Vec::new())).is_err());
    }
}
