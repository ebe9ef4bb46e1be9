// SPDX-License-Identifier: BSD-2-Clause
//! Clients in the process of the driver; they make ioctls as a program does. The user ABI is that
//! of crate `uapi`. [`Client`] is a client of any driver; [`panfrost`] and [`etnaviv`] have their
//! own, and the boards for them.

use drm_os_host::Config;
use drmboard::Board;
use std::sync::atomic::{AtomicBool, Ordering::Release};

mod client;
mod config;
pub mod etnaviv;
pub mod panfrost;
pub mod sweep;

pub use client::{ioctl, sync_file_info, Client};
pub use config::{coherent, limits, real, scattered, tunable, with_memory};

/// A millisecond, in ns.
pub const MS: u64 = 1_000_000;
/// A second, in ns.
pub const SEC: u64 = 1_000_000_000;

/// The render node's minor type.
pub const RENDER: u32 = 2;
/// The primary node's minor type.
pub const PRIMARY: u32 = 0;
/// FreeBSD's error numbers.
pub mod errno {
    /// Interrupted by a signal.
    pub const EINTR: i32 = 4;
    /// Interrupted by a signal; the call is restarted.
    pub const ERESTART: i32 = -1;
    /// Not an open descriptor.
    pub const EBADF: i32 = 9;
    /// Out of memory.
    pub const ENOMEM: i32 = 12;
    /// Busy.
    pub const EBUSY: i32 = 16;
    /// Invalid argument.
    pub const EINVAL: i32 = 22;
    /// Already in progress; FreeBSD's number.
    pub const EALREADY: i32 = 37;
    /// Device not configured.
    pub const ENXIO: i32 = 6;
    /// Timed out.
    pub const ETIMEDOUT: i32 = 60;
    /// Input/output error.
    pub const EIO: i32 = 5;
    /// Operation not supported by device.
    pub const ENODEV: i32 = 19;
    /// No such object.
    pub const ENOENT: i32 = 2;
    /// Permission denied.
    pub const EACCES: i32 = 13;
    /// No such ioctl.
    pub const ENOTTY: i32 = 25;
    /// Bad address.
    pub const EFAULT: i32 = 14;
    /// No space left.
    pub const ENOSPC: i32 = 28;
    /// Not implemented.
    pub const ENOSYS: i32 = 78;
    /// Timed out, as syncobjs return it; FreeBSD has no such error, so drm_os.h defines the number.
    pub const ETIME: i32 = 1062;
    /// Cancelled.
    pub const ECANCELED: i32 = 85;
}

/// The result of a call.
pub type Result<T> = std::result::Result<T, i32>;

/// A board in this process.
pub fn board(name: &str, config: Config) -> Board {
    Board::new(name, config).expect("the board attaches")
}

/// Drops a board whose driver is detached, then checks that no object is live.
fn end(board: Board) {
    let world = board.world().clone();
    drop(board);
    world.assert_clean();
    assert_eq!(
        world.counters().bad_dma,
        0,
        "the GPU accessed an address without a page"
    );
}

/// One of several counters; 0 if there is none of that name.
fn counter(counters: Vec<(String, u64)>, name: &str) -> u64 {
    let found = counters.into_iter().find(|(n, _)| n == name);
    found.map_or(0, |(_, value)| value)
}

/// The little-endian word at `at`. Panics if `bytes` is too short.
pub fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The little-endian 64-bit word at `at`. Panics if `bytes` is too short.
pub fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Sets the flag when it is dropped, also by a failed assertion, so that the other threads of a
/// test end.
pub struct Ends<'a>(pub &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Release);
    }
}

/// Passes a descriptor of `a` to `b`, as over a socket, and imports it there; returns `b`'s handle.
/// `a`'s descriptor is closed.
pub fn pass(a: &Client, b: &Client, fd: i32) -> Result<u32> {
    let file = a.caller.fd(fd).expect("the descriptor is open");
    a.caller.close_fd(fd);
    let fd = b.caller.install(file)?;
    let handle = b.import(fd);
    b.caller.close_fd(fd);
    handle
}
