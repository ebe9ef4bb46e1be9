// SPDX-License-Identifier: BSD-2-Clause
//! A client of etnaviv in the process of the driver, as the one of panfrost is. Layouts and numbers
//! are written again here, from the user ABI (etnaviv_drm.h 1.4).
//!
//! The one thing to know: addresses are the client's own (softpin) where the MMU is one of version
//! 2. The address of a [`Bo`] is only used when the buffer is part of a submit, and two clients may
//! give the same address to different memory. With MMUv1 addresses are the driver's, which writes
//! them into the stream: see [`Submit::relocated`].

mod perfmon;
mod rig;
pub mod stream;
mod submit;
pub mod sweep;
mod userptr;
mod work;

use crate::{long, word, Arg, Result};
use drm_os_host::Mapping;
use drmboard::Board;
use std::ops::Deref;

pub use perfmon::{Domain, Signal};
pub use rig::{check_manners, Rig};
pub use submit::{Fence, Pmr, Reloc, Submit};
pub use userptr::UserMemory;
pub use work::{Place, Work, BOARDS, BROKEN, IMX6Q};

/// Byte from which on addresses are the client's: softpin start, parameter 0x1b.
pub const SOFTPIN_START: u32 = 0x40_0000;
/// Cache flag of GEM_NEW: write-combining.
pub const WC: u32 = 0x2_0000;
/// Cache flag of GEM_NEW: cached.
pub const CACHED: u32 = 0x1_0000;
/// Cache flag of GEM_NEW: uncached.
pub const UNCACHED: u32 = 0x4_0000;
/// Flags of GEM_CPU_PREP.
pub mod prep {
    /// To read.
    pub const READ: u32 = 1;
    /// To write.
    pub const WRITE: u32 = 2;
    /// Do not wait.
    pub const NOSYNC: u32 = 4;
}
/// Flag of WAIT_FENCE and GEM_WAIT: do not wait.
pub const NONBLOCK: u32 = 1;

/// Requests, from 0x40 of the group "d".
mod nr {
    pub(super) const GET_PARAM: u32 = 0x40;
    pub(super) const GEM_NEW: u32 = 0x42;
    pub(super) const GEM_INFO: u32 = 0x43;
    pub(super) const GEM_CPU_PREP: u32 = 0x44;
    pub(super) const GEM_CPU_FINI: u32 = 0x45;
    pub(super) const GEM_SUBMIT: u32 = 0x46;
    pub(super) const WAIT_FENCE: u32 = 0x47;
    pub(super) const GEM_USERPTR: u32 = 0x48;
    pub(super) const GEM_WAIT: u32 = 0x49;
    pub(super) const PM_QUERY_DOM: u32 = 0x4a;
    pub(super) const PM_QUERY_SIG: u32 = 0x4b;
}

/// A file on a board, and the thread that uses it.
#[derive(Clone)]
pub struct Client(crate::Client);

impl Deref for Client {
    type Target = crate::Client;

    fn deref(&self) -> &crate::Client {
        &self.0
    }
}

impl From<crate::Client> for Client {
    fn from(client: crate::Client) -> Client {
        Client(client)
    }
}

/// A buffer object, mapped, at an address of the client's choice.
pub struct Bo {
    /// Its handle.
    pub handle: u32,
    /// Its GPU address, 0 where that is the driver's to find.
    pub va: u32,
    map: Mapping,
}

impl Client {
    /// Opens the render node.
    pub fn open(board: &Board) -> Result<Client> {
        Client::open_at(board, 0)
    }

    /// Opens the render node that belongs to the `device`-th node of the device tree.
    pub fn open_at(board: &Board, device: usize) -> Result<Client> {
        crate::Client::open_at(board, device, crate::RENDER).map(Client)
    }

    /// GET_PARAM of a core.
    pub fn param_of(&self, pipe: u32, param: u32) -> Result<u64> {
        Ok(long(
            &self.ioctl(nr::GET_PARAM, Arg::new().w(pipe).w(param).l(0))?,
            8,
        ))
    }

    /// GEM_NEW: the handle.
    pub fn gem_new(&self, size: u64, flags: u32) -> Result<u32> {
        Ok(word(
            &self.ioctl(nr::GEM_NEW, Arg::new().l(size).w(flags).w(0))?,
            12,
        ))
    }

    /// GEM_INFO: the offset for mmap.
    pub fn gem_info(&self, handle: u32) -> Result<u64> {
        Ok(long(
            &self.ioctl(nr::GEM_INFO, Arg::new().w(handle).w(0).l(0))?,
            8,
        ))
    }

    /// A write-combining buffer at `va`, mapped.
    pub fn bo_at(&self, size: u64, va: u32) -> Result<Bo> {
        let handle = self.gem_new(size, WC)?;
        self.adopt(handle, size, va).inspect_err(|_| {
            let _ = self.close(handle);
        })
    }

    /// A write-combining buffer, mapped, whose address the driver finds.
    pub fn bo_unplaced(&self, size: u64) -> Result<Bo> {
        self.bo_at(size, 0)
    }

    /// Maps what has a handle.
    pub fn adopt(&self, handle: u32, size: u64, va: u32) -> Result<Bo> {
        let offset = self.gem_info(handle)?;
        let map = self.file.mmap(offset, size.next_multiple_of(4096))?;
        Ok(Bo { handle, va, map })
    }

    /// struct drm_etnaviv_timespec: absolute.
    fn until(&self, arg: Arg, ns: u64) -> Arg {
        let until = self.0.world.now().saturating_add(ns);
        arg.l(until / 1_000_000_000).l(until % 1_000_000_000)
    }

    /// GEM_CPU_PREP for at most `ns` more nanoseconds.
    pub fn cpu_prep(&self, handle: u32, op: u32, ns: u64) -> Result<()> {
        let arg = self.until(Arg::new().w(handle).w(op), ns);
        self.ioctl(nr::GEM_CPU_PREP, arg).map(drop)
    }

    /// GEM_CPU_FINI.
    pub fn cpu_fini(&self, handle: u32) -> Result<()> {
        self.ioctl(nr::GEM_CPU_FINI, Arg::new().w(handle).w(0))
            .map(drop)
    }

    /// WAIT_FENCE on the first core for at most `ns` more nanoseconds.
    pub fn wait_fence(&self, fence: u32, flags: u32, ns: u64) -> Result<()> {
        self.wait_fence_on(0, fence, flags, ns)
    }

    /// WAIT_FENCE on a core for at most `ns` more nanoseconds.
    pub fn wait_fence_on(&self, pipe: u32, fence: u32, flags: u32, ns: u64) -> Result<()> {
        let arg = self.until(Arg::new().w(pipe).w(fence).w(flags).w(0), ns);
        self.ioctl(nr::WAIT_FENCE, arg).map(drop)
    }

    /// GEM_WAIT on the first core for at most `ns` more nanoseconds.
    pub fn gem_wait(&self, handle: u32, flags: u32, ns: u64) -> Result<()> {
        self.gem_wait_on(0, handle, flags, ns)
    }

    /// GEM_WAIT on a core for at most `ns` more nanoseconds.
    pub fn gem_wait_on(&self, pipe: u32, handle: u32, flags: u32, ns: u64) -> Result<()> {
        let arg = self.until(Arg::new().w(pipe).w(handle).w(flags).w(0), ns);
        self.ioctl(nr::GEM_WAIT, arg).map(drop)
    }
}

impl Bo {
    /// Writes a word through the mapping.
    pub fn put(&self, at: usize, value: u32) {
        self.map.write_u32(at, value);
    }

    /// Reads a word through the mapping.
    pub fn get(&self, at: usize) -> u32 {
        self.map.read_u32(at)
    }
}
