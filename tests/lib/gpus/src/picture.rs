// SPDX-License-Identifier: BSD-2-Clause
//! `--png`: the last colour target as a picture.

use crate::Frame;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Error, ErrorKind};
use std::path::Path;

/// Writes the pixels of `frame`, RGBA with eight bits each, rows from the top.
///
/// # Errors
///
/// The file cannot be written, or the frame has no pixels (a format that the model does
/// not know).
pub fn write(path: &Path, frame: &Frame) -> io::Result<()> {
    if frame.pixels.len() as u64 != u64::from(frame.width) * u64::from(frame.height) * 4
        || frame.pixels.is_empty()
    {
        let why = format!(
            "the last frame, of format {}, has no pixels that the model can read",
            frame.format
        );
        return Err(Error::new(ErrorKind::InvalidData, why));
    }
    let mut encoder = png::Encoder::new(
        BufWriter::new(File::create(path)?),
        frame.width,
        frame.height,
    );
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&frame.pixels)?;
    writer.finish()?;
    Ok(())
}

/// The content of a picture of eight bits a channel: for each colour a line
/// `#RRGGBBAA COUNT X,Y WIDTHxHEIGHT`, with the smallest rectangle around all its pixels, from the
/// top left on. The rectangle is filled if COUNT is its number of pixels.
///
/// # Errors
///
/// A message: the file cannot be read, has another pixel format, or more than 64 colours.
pub fn colours(path: &Path) -> Result<Vec<String>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(|error| failed(&error))?;
    let mut reader = png::Decoder::new(file)
        .read_info()
        .map_err(|error| failed(&error))?;
    let mut pixels = vec![0; reader.output_buffer_size()];
    let info = reader
        .next_frame(&mut pixels)
        .map_err(|error| failed(&error))?;
    let bytes = info.color_type.samples();
    if info.bit_depth != png::BitDepth::Eight || bytes < 3 {
        return Err(failed(&"not of red, green and blue, eight bits each"));
    }
    // For each colour: pixels; left, top, right, bottom.
    let mut seen: BTreeMap<[u8; 4], (u64, [u32; 4])> = BTreeMap::new();
    let lines = pixels.chunks_exact(info.line_size).zip(0..info.height);
    for (line, y) in lines {
        for (pixel, x) in line.chunks_exact(bytes).zip(0..info.width) {
            let alpha = pixel.get(3).copied().unwrap_or(0xff);
            let (count, [left, top, right, bottom]) = seen
                .entry([pixel[0], pixel[1], pixel[2], alpha])
                .or_insert((0, [x, y, x, y]));
            *count += 1;
            (*left, *top) = (x.min(*left), y.min(*top));
            (*right, *bottom) = (x.max(*right), y.max(*bottom));
        }
        if seen.len() > 64 {
            return Err(failed(&"more than 64 colours"));
        }
    }
    let mut all: Vec<_> = seen.into_iter().collect();
    all.sort_by_key(|(_, (_, [left, top, ..]))| (*top, *left));
    let line = |([r, g, b, a], (count, [left, top, right, bottom])): ([u8; 4], (u64, [u32; 4]))| {
        let (width, height) = (right - left + 1, bottom - top + 1);
        format!("#{r:02x}{g:02x}{b:02x}{a:02x} {count} {left},{top} {width}x{height}")
    };
    Ok(all.into_iter().map(line).collect())
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
        let mut reader = png::Decoder::new(File::open(&path).unwrap())
            .read_info()
            .unwrap();
        let mut back = vec![0; reader.output_buffer_size()];
        reader.next_frame(&mut back).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(back, pixels);
        write(&path, &frame(pixels)).unwrap();
        assert_eq!(
            colours(&path).unwrap(),
            ["#010203ff 1 0,0 1x1", "#04050680 1 1,0 1x1"]
        );
        std::fs::remove_file(&path).unwrap();
        assert!(colours(&path).is_err());
        assert!(write(&path, &frame(Vec::new())).is_err());
    }
}
