// SPDX-License-Identifier: BSD-2-Clause
//! A raw DRM client: device nodes, typed ioctl requests, mappings.
//!
//! No libdrm and nothing of the kernel crates: requests and structures are those of crate `uapi`. A
//! request code carries the type of its argument.

pub mod client;
pub mod syncobj;

mod mapping;

pub use mapping::Mapping;

use crate::errno::{check, Errno, Sys};
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use uapi::Request;

/// The first render node.
pub const RENDER_NODE: &str = "/dev/dri/renderD128";

/// An address at which no program has memory: what EFAULT is tested with.
pub const BAD_ADDRESS: usize = 0x1000;

/// An open DRM file, or any descriptor that takes ioctls.
#[derive(Debug)]
pub struct Node(OwnedFd);

impl Node {
    /// Opens a device node for reading and writing.
    ///
    /// # Errors
    /// What open(2) gives.
    pub fn open(path: &str) -> Sys<Node> {
        let path = CString::new(path).map_err(|_| Errno(libc::EINVAL))?;
        // SAFETY: path is a C string that lives through the call.
        let fd = check(unsafe { libc::open(path.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) })?;
        // SAFETY: the descriptor is new and has no other owner.
        Ok(Node(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Opens the first render node.
    ///
    /// # Errors
    /// What open(2) gives.
    pub fn render() -> Sys<Node> {
        Node::open(RENDER_NODE)
    }

    /// Opens the first primary node.
    ///
    /// # Errors
    /// What open(2) gives.
    pub fn card() -> Sys<Node> {
        Node::open("/dev/dri/card0")
    }

    /// Another descriptor of the same open file, as dup(2) makes it.
    ///
    /// # Errors
    /// What fcntl(2) gives.
    pub fn duplicate(&self) -> Sys<Node> {
        // SAFETY: F_DUPFD_CLOEXEC takes any number.
        let fd = check(unsafe { libc::fcntl(self.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 0) })?;
        // SAFETY: the descriptor is new and has no other owner.
        Ok(Node(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// One call of ioctl(2); EINTR and EAGAIN are given to the caller like any other error.
    ///
    /// Pointers inside `arg` are the test's business: the kernel checks them, and what it writes
    /// through them lands there.
    ///
    /// # Errors
    /// What ioctl(2) gives.
    pub fn ioctl<T>(&self, request: Request<T>, arg: &mut T) -> Sys<i32> {
        self.ioctl_raw(request.code(), std::ptr::from_mut(arg) as usize)
    }

    /// ioctl(2) with any code and any address: for what no well-behaved client sends.
    ///
    /// # Errors
    /// What ioctl(2) gives.
    pub fn ioctl_raw(&self, code: u32, address: usize) -> Sys<i32> {
        // SAFETY: the kernel checks the address; a test that passes one of its own owns what lies
        // there.
        check(unsafe { libc::ioctl(self.as_raw_fd(), code as _, address) })
    }

    /// Maps `len` bytes at a fake offset that the driver gave.
    ///
    /// # Errors
    /// What mmap(2) gives.
    pub fn map(&self, offset: u64, len: usize) -> Sys<Mapping> {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        self.map_as(offset, len, prot, libc::MAP_SHARED)
    }

    /// mmap(2) with any protection and flags. The mapping's methods write only where `prot` lets
    /// them.
    ///
    /// # Errors
    /// What mmap(2) gives.
    pub fn map_as(&self, offset: u64, len: usize, prot: i32, flags: i32) -> Sys<Mapping> {
        Mapping::new(self.as_fd(), offset, len, prot, flags)
    }

    /// True when poll(2) finds one of `events` within `timeout_ms` (0 looks once, -1 waits for
    /// ever).
    ///
    /// # Errors
    /// What poll(2) gives.
    pub fn poll(&self, events: i16, timeout_ms: i32) -> Sys<bool> {
        let mut entry = libc::pollfd {
            fd: self.as_raw_fd(),
            events,
            revents: 0,
        };
        // SAFETY: one entry, which lives through the call.
        check(unsafe { libc::poll(&mut entry, 1, timeout_ms) }).map(|ready| ready > 0)
    }
}

impl From<OwnedFd> for Node {
    fn from(fd: OwnedFd) -> Node {
        Node(fd)
    }
}

impl AsFd for Node {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Node {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// CLOCK_MONOTONIC now, in nanoseconds: absolute DRM timeouts count on it.
pub fn now_ns() -> i64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: now is a place to write to.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// The absolute timeout that lies `ms` milliseconds ahead.
pub fn deadline_ns(ms: i64) -> i64 {
    now_ns().saturating_add(ms.saturating_mul(1_000_000))
}
