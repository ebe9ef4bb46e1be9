// SPDX-License-Identifier: BSD-2-Clause
//! Clears framebuffers of several sizes to several colours, reads them back and compares every
//! pixel exactly.
//!
//! `gles_clear [--frames N] [--platform gbm|surfaceless]`: a frame is one clear with its read-back;
//! without `--frames` each case is one frame, with it the cases are gone through again until N
//! frames are done. Exit status 1 on the first frame that differs.

use clients::egl::{Context, Platform};
use clients::gl::{renderer, Order, Target};
use clients::{exit_status, Outcome};
use std::process::ExitCode;

/// The last is the one that a picture shows; Vivante GPUs know no other order, so that no picture
/// of theirs can distinguish it.
const SIZES: [(u32, u32, Order); 3] = [
    (1, 1, Order::Rgba),
    (255, 255, Order::Rgba),
    (1920, 1080, Order::Bgra),
];
/// Red, green, blue, alpha: all of them differ in most colours, so that no exchange of channels
/// goes unseen.
const COLOURS: [[u8; 4]; 5] = [
    [0, 0, 0, 0],
    [255, 255, 255, 255],
    [255, 0, 0, 255],
    [0x12, 0x34, 0x56, 0x78],
    [0xfe, 0x01, 0x80, 0x7f],
];

struct Options {
    frames: usize,
    platform: Platform,
}

fn options(mut args: impl Iterator<Item = String>) -> Outcome<Options> {
    let mut options = Options {
        frames: SIZES.len() * COLOURS.len(),
        platform: Platform::of_this_machine(),
    };
    while let Some(option) = args.next() {
        let value = args.next().ok_or(format!("{option} needs a value"))?;
        match (option.as_str(), value.as_str()) {
            ("--frames", number) => {
                options.frames = number
                    .parse()
                    .map_err(|_| format!("not a number: {number}"))?
            }
            ("--platform", "gbm") => options.platform = Platform::Gbm,
            ("--platform", "surfaceless") => options.platform = Platform::Surfaceless,
            _ => {
                return Err(format!(
                    "{option} {value}: expected --frames N or --platform gbm|surfaceless"
                ))
            }
        }
    }
    Ok(options)
}

/// One frame; the message of a mismatch names the first wrong pixel.
fn frame(target: &Target<'_>, width: u32, colour: [u8; 4]) -> Outcome<()> {
    target.clear(colour);
    let pixels = target.read()?;
    let mut wrong = pixels
        .chunks_exact(4)
        .enumerate()
        .filter(|(_, pixel)| **pixel != colour);
    let Some((at, pixel)) = wrong.next() else {
        return Ok(());
    };
    let (x, y) = (at % width as usize, at / width as usize);
    Err(format!(
        "{} pixels differ, first at {x},{y}: {pixel:02x?}, expected {colour:02x?}",
        1 + wrong.count()
    ))
}

fn run() -> Outcome<()> {
    let options = options(std::env::args().skip(1))?;
    let context = Context::new(options.platform)?;
    println!("renderer: {}", renderer(&context));
    let mut done = 0;
    let mut first_round = true;
    while done < options.frames {
        for (width, height, order) in SIZES {
            let target = Target::new(&context, order, width, height)?;
            for colour in COLOURS.into_iter().take(options.frames - done) {
                let [r, g, b, a] = colour;
                let case = format!("clear {width}x{height} #{r:02X}{g:02X}{b:02X}{a:02X}");
                frame(&target, width, colour)
                    .map_err(|why| format!("{case}: frame {done}: {why}"))?;
                done += 1;
                if first_round {
                    println!("{case} ok");
                }
            }
        }
        first_round = false;
    }
    println!("frames {done} ok");
    Ok(())
}

fn main() -> ExitCode {
    clients::linear_images();
    exit_status("gles_clear", run())
}
