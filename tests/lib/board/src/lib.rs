// SPDX-License-Identifier: BSD-2-Clause
//! Clients in the process of the driver: ioctls as a program would do them. The user ABI is that of
//! crate `uapi`. [`Client`] is one of any driver; [`panfrost`] and [`etnaviv`] have theirs, and the
//! boards that they are on.

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
/// The primary node's.
pub const PRIMARY: u32 = 0;
/// FreeBSD's numbers.
pub mod errno {
    /// Interrupted.
    pub const EINTR: i32 = 4;
    /// Interrupted; the call is made again.
    pub const ERESTART: i32 = -1;
    /// No such descriptor.
    pub const EBADF: i32 = 9;
    /// No memory.
    pub const ENOMEM: i32 = 12;
    /// Busy.
    pub const EBUSY: i32 = 16;
    /// Invalid.
    pub const EINVAL: i32 = 22;
    /// Already so; FreeBSD's number.
    pub const EALREADY: i32 = 37;
    /// Gone.
    pub const ENXIO: i32 = 6;
    /// Timed out.
    pub const ETIMEDOUT: i32 = 60;
    /// Input or output.
    pub const EIO: i32 = 5;
    /// No such device.
    pub const ENODEV: i32 = 19;
    /// Not there.
    pub const ENOENT: i32 = 2;
    /// Not allowed.
    pub const EACCES: i32 = 13;
    /// No such request.
    pub const ENOTTY: i32 = 25;
    /// Bad address.
    pub const EFAULT: i32 = 14;
    /// No room.
    pub const ENOSPC: i32 = 28;
    /// Not offered.
    pub const ENOSYS: i32 = 78;
    /// Timed out, as syncobjs say it; drm_os.h gives it a number that FreeBSD has not.
    pub const ETIME: i32 = 1062;
    /// Cancelled.
    pub const ECANCELED: i32 = 85;
}

/// The result of a call.
pub type Result<T> = std::result::Result<T, i32>;

/// A board in this process.
pub fn board(name: &str, config: Config) -> Board {
    Board::new(name, config).expect("the board comes up")
}

/// Drops a board whose driver is detached; everything is to be gone.
fn end(board: Board) {
    let world = board.world().clone();
    drop(board);
    world.assert_clean();
    assert_eq!(
        world.counters().bad_dma,
        0,
        "the GPU used memory that is not there"
    );
}

/// One of several counters; 0 if there is none of that name.
fn counter(counters: Vec<(String, u64)>, name: &str) -> u64 {
    let found = counters.into_iter().find(|(n, _)| n == name);
    found.map_or(0, |(_, value)| value)
}

/// The little-endian word at `at`, which panics if there is none.
pub fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The little-endian pair of words at `at`, which panics if there is none.
pub fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Notifies the other threads of a test when it is dropped, be it by a failed assertion.
pub struct Ends<'a>(pub &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Release);
    }
}

/// Hands a descriptor of `a`'s to `b`, as over a socket, and imports it there: `b`'s handle. `a`'s
/// descriptor is closed.
pub fn pass(a: &Client, b: &Client, fd: i32) -> Result<u32> {
    let file = a.caller.fd(fd).expect("the descriptor is there");
    a.caller.close_fd(fd);
    let fd = b.caller.install(file)?;
    let handle = b.import(fd);
    b.caller.close_fd(fd);
    handle
}
