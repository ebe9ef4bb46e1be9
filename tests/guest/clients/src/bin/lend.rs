// SPDX-License-Identifier: BSD-2-Clause
//! `lend COMMAND ARGUMENT...`: the GPU clears a linear buffer to a colour, and this process becomes
//! COMMAND, which inherits the buffer's dma-buf: after the arguments it gets the descriptor, the
//! bytes of a row, width, height and what each pixel is.

use clients::egl::{Context, Platform};
use clients::gbm::Surface;
use clients::gl::clear;
use clients::{exit_status, Outcome};
use std::convert::Infallible;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// An odd width, so that the stride matters.
const WIDTH: u32 = 333;
const HEIGHT: u32 = 77;
/// Red, green, blue, alpha; and the same as an ARGB word.
const COLOUR: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
const PIXEL: u32 = 0x7812_3456;

fn run() -> Outcome<Infallible> {
    let mut command = std::env::args().skip(1);
    let program = command.next().ok_or("lend COMMAND ARGUMENT...")?;
    let context = Context::new(Platform::Gbm)?;
    let device = context.device().ok_or("no GBM device")?;
    let surface = Surface::new(device, WIDTH, HEIGHT)?;
    context.draw_to(&surface, || clear(&context, COLOUR))?;
    let buffer = surface.front()?;
    buffer.compare("lend", |_, _| PIXEL)?;
    let fd = buffer.export()?;
    // SAFETY: a descriptor of this process; it may go on to the next program.
    if unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0) } != 0 {
        return Err(format!("fcntl: {}", std::io::Error::last_os_error()));
    }
    println!("lend {WIDTH}x{HEIGHT}");
    let place = [fd.as_raw_fd() as u32, buffer.stride(), WIDTH, HEIGHT, PIXEL];
    let error = Command::new(&program)
        .args(command)
        .args(place.map(|n| n.to_string()))
        .exec();
    Err(format!("{program}: {error}"))
}

fn main() -> ExitCode {
    exit_status("lend", run().map(|never| match never {}))
}
