// SPDX-License-Identifier: BSD-2-Clause
//! Two buffers, two processes. The parent allocates and writes the first, a forked child imports
//! its dma-buf, compares, and writes back. The second is one that the GPU draws to for the parent;
//! the child compares that, too.
//!
//! The descriptors travel by SCM_RIGHTS. The child opens the device itself, after the fork, and
//! checks the memory twice: through GBM, as a compositor would, and on panfrost through
//! PRIME_FD_TO_HANDLE and MMAP_BO, with nothing of Mesa in between.

use clients::drm::Node;
use clients::egl::{Context, Platform};
use clients::errno::Errno;
use clients::gbm::{Buffer, Device, Surface};
use clients::gl::clear;
use clients::process::{channel, fork, Channel, Exit};
use clients::{exit_status, Outcome};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::ExitCode;
use std::time::Duration;
use uapi::{core, panfrost};

/// An odd width, so that a row is not a power of two and the stride matters.
const WIDTH: u32 = 333;
const HEIGHT: u32 = 77;

/// What the GPU draws: red, green, blue, alpha; and the same as an ARGB word.
const DRAWN: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
const DRAWN_PIXEL: u32 = 0x7812_3456;

fn parents_pixel(x: u32, y: u32) -> u32 {
    0x1000_0000 | y << 12 | x
}

fn childs_pixel(x: u32, y: u32) -> u32 {
    0xe000_0000 | x << 12 | y
}

fn open() -> Outcome<Device> {
    Device::new(Node::render().map_err(|errno| format!("render node: {errno}"))?)
}

fn failed(what: &str) -> impl Fn(Errno) -> String + '_ {
    move |errno| format!("{what}: {errno}")
}

fn driver_name(node: &Node) -> Outcome<String> {
    let mut text = [0u8; 32];
    let mut version = core::Version {
        name_len: text.len() as u64,
        name: text.as_mut_ptr() as u64,
        ..core::Version::default()
    };
    node.ioctl(core::VERSION, &mut version)
        .map_err(failed("VERSION"))?;
    let len = text.len().min(version.name_len as usize);
    Ok(String::from_utf8_lossy(&text[..len]).into_owned())
}

/// Compares the parent's pixels through the kernel's interface alone.
fn compare_raw(node: &Node, fd: &OwnedFd, stride: u32) -> Outcome<()> {
    let mut prime = core::PrimeHandle {
        fd: fd.as_raw_fd(),
        ..core::PrimeHandle::default()
    };
    node.ioctl(core::PRIME_FD_TO_HANDLE, &mut prime)
        .map_err(failed("PRIME_FD_TO_HANDLE"))?;
    let mut place = panfrost::MmapBo {
        handle: prime.handle,
        ..panfrost::MmapBo::default()
    };
    node.ioctl(panfrost::MMAP_BO, &mut place)
        .map_err(failed("MMAP_BO"))?;
    let map = node
        .map(place.offset, stride as usize * HEIGHT as usize)
        .map_err(failed("mmap"))?;
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let found = map.read_u32(y as usize * stride as usize + x as usize * 4);
            if found != parents_pixel(x, y) {
                return Err(format!(
                    "raw: {found:#010x} at {x},{y}, expected {:#010x}",
                    parents_pixel(x, y)
                ));
            }
        }
    }
    drop(map);
    let mut close = core::GemClose {
        handle: prime.handle,
        pad: 0,
    };
    node.ioctl(core::GEM_CLOSE, &mut close)
        .map_err(failed("GEM_CLOSE"))?;
    Ok(())
}

fn child(parent: &Channel) -> Outcome<()> {
    let (fd, stride) = receive(parent)?;

    // A file of its own: GBM takes over handles of the one it is given.
    let node = Node::render().map_err(failed("render node"))?;
    let driver = driver_name(&node)?;
    if driver == "panfrost" {
        compare_raw(&node, &fd, stride)?;
        println!("child: {driver}: the raw mapping shows the parent's pixels");
    }
    let device = open()?;
    let buffer = device.import(&fd, WIDTH, HEIGHT, stride)?;
    buffer.compare("child", parents_pixel)?;
    println!("child: the imported buffer shows the parent's pixels");
    buffer.fill(childs_pixel)?;
    parent.send(b"done", None).map_err(failed("sendmsg"))?;

    let (fd, stride) = receive(parent)?;
    let drawn = device.import(&fd, WIDTH, HEIGHT, stride)?;
    drawn.compare("child", |_, _| DRAWN_PIXEL)?;
    println!("child: the imported buffer shows what the GPU drew");
    parent.send(b"done", None).map_err(failed("sendmsg"))
}

/// A buffer that the parent sends, and the bytes of its rows.
fn receive(parent: &Channel) -> Outcome<(OwnedFd, u32)> {
    let mut message = [0; 4];
    let (len, fd) = parent.receive(&mut message).map_err(failed("recvmsg"))?;
    let fd = fd.filter(|_| len == 4).ok_or("the parent sent no buffer")?;
    Ok((fd, u32::from_le_bytes(message)))
}

/// Has the child check a buffer.
fn lend(child: &Channel, buffer: &Buffer<'_>) -> Outcome<()> {
    let fd = buffer.export()?;
    child
        .send(&buffer.stride().to_le_bytes(), Some(fd.as_fd()))
        .map_err(failed("sendmsg"))?;
    let mut message = [0; 4];
    let (len, _) = child.receive(&mut message).map_err(failed("recvmsg"))?;
    if message.get(..len) != Some(b"done") {
        return Err("the child gave up".to_string());
    }
    Ok(())
}

fn parent(child: &Channel) -> Outcome<()> {
    let device = open()?;
    let buffer = device.create(WIDTH, HEIGHT)?;
    buffer.fill(parents_pixel)?;
    lend(child, &buffer)?;
    buffer.compare("parent", childs_pixel)?;

    let context = Context::new(Platform::Gbm)?;
    let device = context.device().ok_or("no GBM device")?;
    let surface = Surface::new(device, WIDTH, HEIGHT)?;
    context.draw_to(&surface, || clear(&context, DRAWN))?;
    lend(child, &*surface.front()?)
}

fn run() -> Outcome<()> {
    let (ours, theirs) = channel().map_err(failed("socketpair"))?;
    let mut forked = fork(move || match child(&theirs) {
        Ok(()) => 0,
        Err(why) => {
            eprintln!("share: child: {why}");
            1
        }
    })
    .map_err(failed("fork"))?;
    parent(&ours)?;
    match forked
        .wait_for(Duration::from_secs(30))
        .map_err(failed("waitpid"))?
    {
        Some(Exit::Code(0)) => {
            println!("share {WIDTH}x{HEIGHT} ok");
            Ok(())
        }
        other => Err(format!("the child ended with {other:?}")),
    }
}

fn main() -> ExitCode {
    exit_status("share", run())
}
