// SPDX-License-Identifier: BSD-2-Clause
//! A window of known contents that the GPU made: four quarters, each cleared to a colour of its own
//! and read back, in one Wayland window that fills the output. Prints `shown` when the compositor
//! has drawn it, and stays until the compositor is gone.
//!
//! The pixels go through shared memory: a compositor that draws them with the GPU would run
//! shaders, which the models do not, so that only what it copies with the CPU is seen. Wayland's
//! protocol is spoken here by hand, as far as one window needs it.

use clients::egl::{Context, Platform};
use clients::gl::{renderer, Order, Target};
use clients::{exit_status, Outcome};
use std::ffi::c_void;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

/// The quarters: top left, top right, bottom left, bottom right; red, green, blue.
const QUARTERS: [[u8; 3]; 4] = [[0xff, 0, 0], [0, 0xff, 0], [0, 0, 0xff], [0xff, 0xc0, 0]];
const WIDTH: usize = 320;
const HEIGHT: usize = 240;
/// wl_shm's name for words of 0xXXRRGGBB.
const XRGB8888: u32 = 1;

// Objects, by the numbers that this client gives them.
const DISPLAY: u32 = 1;
const REGISTRY: u32 = 2;
const GLOBALS_DONE: u32 = 3;
const COMPOSITOR: u32 = 4;
const SHM: u32 = 5;
const WM_BASE: u32 = 6;
const SURFACE: u32 = 7;
const XDG_SURFACE: u32 = 8;
const TOPLEVEL: u32 = 9;
const POOL: u32 = 10;
const BUFFER: u32 = 11;
const FRAME: u32 = 12;

#[repr(C, align(8))]
struct Ancillary([u8; 24]);

/// The connection to the compositor.
struct Wayland {
    socket: UnixStream,
}

/// One message: its object, its opcode, its arguments.
struct Message {
    object: u32,
    opcode: u32,
    body: Vec<u8>,
}

impl Message {
    fn word(&self, at: usize) -> u32 {
        let bytes = self
            .body
            .get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_ne_bytes)
    }

    /// The string whose length is at `at`.
    fn text(&self, at: usize) -> String {
        let bytes = self.body.get(at + 4..).unwrap_or_default();
        let len = (self.word(at) as usize).saturating_sub(1).min(bytes.len());
        String::from_utf8_lossy(&bytes[..len]).into_owned()
    }
}

impl Wayland {
    fn connect() -> Outcome<Wayland> {
        let variable = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
        let path = format!(
            "{}/{}",
            variable("XDG_RUNTIME_DIR")?,
            variable("WAYLAND_DISPLAY")?
        );
        let socket = UnixStream::connect(&path).map_err(|error| format!("{path}: {error}"))?;
        Ok(Wayland { socket })
    }

    fn message(object: u32, opcode: u32, body: &[u8]) -> Vec<u8> {
        let head = [object, (8 + body.len() as u32) << 16 | opcode];
        [&head.map(u32::to_ne_bytes).concat(), body].concat()
    }

    fn send(&mut self, object: u32, opcode: u32, words: &[u32]) -> Outcome<()> {
        let body: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let message = Wayland::message(object, opcode, &body);
        self.socket
            .write_all(&message)
            .map_err(|error| error.to_string())
    }

    /// Binds the global `name`, which is an `interface`, to the object `id`.
    fn bind(&mut self, name: u32, interface: &str, version: u32, id: u32) -> Outcome<()> {
        let mut body = [name, interface.len() as u32 + 1]
            .map(u32::to_ne_bytes)
            .concat();
        body.extend(interface.bytes().chain([0]));
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend([version, id].map(u32::to_ne_bytes).concat());
        let message = Wayland::message(REGISTRY, 0, &body);
        self.socket
            .write_all(&message)
            .map_err(|error| error.to_string())
    }

    /// As `send`, with a descriptor.
    fn send_fd(&mut self, object: u32, opcode: u32, words: &[u32], fd: &OwnedFd) -> Outcome<()> {
        let body: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let mut message = Wayland::message(object, opcode, &body);
        let mut iov = libc::iovec {
            iov_base: message.as_mut_ptr().cast::<c_void>(),
            iov_len: message.len(),
        };
        let mut ancillary = Ancillary([0; 24]);
        // SAFETY: all pointers live as long as the call, and the control buffer has room for one
        // descriptor.
        let sent = unsafe {
            let mut header: libc::msghdr = std::mem::zeroed();
            header.msg_iov = &mut iov;
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut ancillary).cast();
            header.msg_controllen = libc::CMSG_SPACE(4) as _;
            let control = libc::CMSG_FIRSTHDR(&header);
            (*control).cmsg_level = libc::SOL_SOCKET;
            (*control).cmsg_type = libc::SCM_RIGHTS;
            (*control).cmsg_len = libc::CMSG_LEN(4) as _;
            libc::CMSG_DATA(control)
                .cast::<i32>()
                .write_unaligned(fd.as_raw_fd());
            libc::sendmsg(self.socket.as_raw_fd(), &header, libc::MSG_NOSIGNAL)
        };
        match usize::try_from(sent) {
            Ok(n) if n == message.len() => Ok(()),
            _ => Err(format!("sendmsg: {}", std::io::Error::last_os_error())),
        }
    }

    /// The next event; None when the compositor is gone. Answers its pings.
    fn next(&mut self) -> Outcome<Option<Message>> {
        loop {
            let mut head = [0u8; 8];
            if self.socket.read_exact(&mut head).is_err() {
                return Ok(None);
            }
            let word = |at: usize| {
                u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
            };
            let size = (word(4) >> 16) as usize;
            let mut body = vec![0; size.saturating_sub(8)];
            self.socket
                .read_exact(&mut body)
                .map_err(|error| error.to_string())?;
            let message = Message {
                object: word(0),
                opcode: word(4) & 0xffff,
                body,
            };
            match (message.object, message.opcode) {
                (DISPLAY, 0) => return Err(format!("the compositor refuses: {}", message.text(8))),
                (WM_BASE, 0) => self.send(WM_BASE, 3, &[message.word(0)])?,
                _ => return Ok(Some(message)),
            }
        }
    }

    /// Waits for an event of `object`.
    fn until(&mut self, object: u32, opcode: u32) -> Outcome<Message> {
        while let Some(message) = self.next()? {
            if (message.object, message.opcode) == (object, opcode) {
                return Ok(message);
            }
        }
        Err("the compositor is gone".into())
    }

    /// Finds and binds the three globals that a window takes.
    fn globals(&mut self) -> Outcome<()> {
        self.send(DISPLAY, 1, &[REGISTRY])?;
        self.send(DISPLAY, 0, &[GLOBALS_DONE])?;
        let wanted = [
            ("wl_compositor", COMPOSITOR),
            ("wl_shm", SHM),
            ("xdg_wm_base", WM_BASE),
        ];
        let mut found = 0;
        while let Some(message) = self.next()? {
            match (message.object, message.opcode) {
                (REGISTRY, 0) => {
                    let interface = message.text(4);
                    if let Some((_, id)) = wanted.iter().find(|(name, _)| *name == interface) {
                        self.bind(message.word(0), &interface, 1, *id)?;
                        found += 1;
                    }
                }
                (GLOBALS_DONE, 0) if found == wanted.len() => return Ok(()),
                (GLOBALS_DONE, 0) => {
                    return Err("the compositor has no xdg-shell or no wl_shm".into())
                }
                _ => {}
            }
        }
        Err("the compositor is gone".into())
    }

    /// Shows `pixels` in a window.
    fn show(&mut self, pixels: &[u8]) -> Outcome<()> {
        self.globals()?;
        self.send(COMPOSITOR, 0, &[SURFACE])?;
        self.send(WM_BASE, 2, &[XDG_SURFACE, SURFACE])?;
        self.send(XDG_SURFACE, 1, &[TOPLEVEL])?;
        // All of the output, whichever that is.
        self.send(TOPLEVEL, 11, &[0])?;
        self.send(SURFACE, 6, &[])?;
        let serial = self.until(XDG_SURFACE, 0)?.word(0);
        self.send(XDG_SURFACE, 4, &[serial])?;
        // SAFETY: a NUL-ended name.
        let fd = unsafe { libc::memfd_create(c"scene".as_ptr(), libc::MFD_CLOEXEC) };
        if fd < 0 {
            return Err(format!("memfd_create: {}", std::io::Error::last_os_error()));
        }
        // SAFETY: a new descriptor of ours.
        let mut memory = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(fd) });
        memory
            .write_all(pixels)
            .map_err(|error| error.to_string())?;
        let (width, height, len) = (WIDTH as u32, HEIGHT as u32, pixels.len() as u32);
        self.send_fd(SHM, 0, &[POOL, len], &memory.into())?;
        self.send(POOL, 0, &[BUFFER, 0, width, height, width * 4, XRGB8888])?;
        self.send(SURFACE, 1, &[BUFFER, 0, 0])?;
        self.send(SURFACE, 2, &[0, 0, width, height])?;
        self.send(SURFACE, 3, &[FRAME])?;
        self.send(SURFACE, 6, &[])?;
        self.until(FRAME, 0).map(drop)
    }
}

/// The scene as words of 0xffRRGGBB, each pixel of it cleared by the GPU.
fn scene(context: &Context) -> Outcome<Vec<u8>> {
    let (width, height) = (WIDTH / 2, HEIGHT / 2);
    let mut pixels = vec![0; WIDTH * HEIGHT * 4];
    for (n, [r, g, b]) in QUARTERS.into_iter().enumerate() {
        let target = Target::new(context, Order::Bgra, width as u32, height as u32)?;
        target.clear([r, g, b, 0xff]);
        let quarter = target.read()?;
        let (left, top) = (n % 2 * width, n / 2 * height);
        for (row, line) in quarter.chunks_exact(width * 4).enumerate() {
            // GL's rows begin at the bottom.
            let at = ((top + height - 1 - row) * WIDTH + left) * 4;
            let to = pixels[at..at + width * 4].chunks_exact_mut(4);
            to.zip(line.chunks_exact(4))
                .for_each(|(to, from)| to.copy_from_slice(&[from[2], from[1], from[0], from[3]]));
        }
    }
    Ok(pixels)
}

fn run() -> Outcome<()> {
    let context = Context::new(Platform::of_this_machine())?;
    println!("renderer: {}", renderer(&context));
    let pixels = scene(&context)?;
    let mut wayland = Wayland::connect()?;
    wayland.show(&pixels)?;
    println!("shown");
    while wayland.next()?.is_some() {}
    Ok(())
}

fn main() -> ExitCode {
    clients::linear_images();
    exit_status("scene", run())
}
