// SPDX-License-Identifier: BSD-2-Clause
//! A client of etnaviv in the process of the driver, as the one of panfrost is. Layouts and numbers are written
//! again here, from the user ABI (etnaviv_drm.h 1.4).
//!
//! The one thing to know: addresses are the client's own (softpin). The address of a [`Bo`] is only used when the
//! buffer is part of a submit, and two clients may give the same address to different memory.

mod rig;
pub mod stream;

use crate::{long, word, Arg, Result};
use drm_os_host::Mapping;
use drmboard::Board;
use std::ops::Deref;

pub use rig::{Rig, Work, BROKEN};

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
    pub(super) const GEM_WAIT: u32 = 0x49;
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

/// A buffer object, mapped, at an address of the client's choice.
pub struct Bo {
    /// Its handle.
    pub handle: u32,
    /// Its GPU address.
    pub va: u32,
    map: Mapping,
}

/// A submit as a program writes it down.
#[derive(Clone)]
pub struct Submit {
    /// Core.
    pub pipe: u32,
    /// 3D is 0.
    pub exec_state: u32,
    /// Flags, access, handle and address of each buffer object.
    pub bos: Vec<(u32, u32, u64)>,
    /// The words.
    pub stream: Vec<u32>,
    /// Bytes of the stream, if not all of them.
    pub stream_size: Option<u32>,
    /// NO_IMPLICIT 1, FENCE_FD_IN 2, FENCE_FD_OUT 4, SOFTPIN 8.
    pub flags: u32,
    /// The descriptor to wait for.
    pub fence_fd: i32,
}

/// What a submit with an out-fence gave.
#[derive(Clone, Copy, Debug)]
pub struct Fence {
    /// For WAIT_FENCE.
    pub id: u32,
    /// A sync_file.
    pub fd: i32,
}

impl Submit {
    /// Softpin, on the first core, with a sync_file, reading and writing `bos`.
    pub fn new(stream: Vec<u32>, bos: &[&Bo]) -> Submit {
        Submit {
            pipe: 0,
            exec_state: 0,
            bos: bos.iter().map(|bo| (3, bo.handle, u64::from(bo.va))).collect(),
            stream,
            stream_size: None,
            flags: 8 | 4,
            fence_fd: -1,
        }
    }
}

impl Client {
    /// Opens the render node.
    pub fn open(board: &Board) -> Result<Client> {
        crate::Client::open(board).map(Client)
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
        self.ioctl(nr::GEM_CPU_FINI, Arg::new().w(handle).w(0)).map(drop)
    }

    /// WAIT_FENCE for at most `ns` more nanoseconds.
    pub fn wait_fence(&self, fence: u32, flags: u32, ns: u64) -> Result<()> {
        let arg = self.until(Arg::new().w(0).w(fence).w(flags).w(0), ns);
        self.ioctl(nr::WAIT_FENCE, arg).map(drop)
    }

    /// GEM_WAIT for at most `ns` more nanoseconds.
    pub fn gem_wait(&self, handle: u32, flags: u32, ns: u64) -> Result<()> {
        let arg = self.until(Arg::new().w(0).w(handle).w(flags).w(0), ns);
        self.ioctl(nr::GEM_WAIT, arg).map(drop)
    }

    /// GEM_SUBMIT. Without an out-fence asked for, the descriptor is what went in.
    pub fn submit_raw(&self, submit: &Submit) -> Result<Fence> {
        let bos: Vec<u8> = submit
            .bos
            .iter()
            .flat_map(|(flags, handle, va)| Arg::new().w(*flags).w(*handle).l(*va).0)
            .collect();
        let bytes = submit.stream.len() as u32 * 4;
        let arg = Arg::new()
            .w(0)
            .w(submit.pipe)
            .w(submit.exec_state)
            .w(submit.bos.len() as u32)
            .w(0)
            .w(submit.stream_size.unwrap_or(bytes))
            .l(bos.as_ptr() as u64)
            .l(0)
            .l(submit.stream.as_ptr() as u64)
            .w(submit.flags)
            .w(submit.fence_fd as u32)
            .l(0)
            .w(0)
            .w(0);
        let out = self.ioctl(nr::GEM_SUBMIT, arg)?;
        Ok(Fence {
            id: word(&out, 0),
            fd: word(&out, 52) as i32,
        })
    }

    /// A submit of words that use buffers.
    pub fn run(&self, stream: Vec<u32>, bos: &[&Bo]) -> Result<Fence> {
        self.submit_raw(&Submit::new(stream, bos))
    }

    /// Waits for a fence: how it ended, 1 well, less than 0 an error; 0 when it did not within `ns`. Closes the
    /// sync_file.
    pub fn end_of(&self, fence: Fence, ns: u64) -> i32 {
        let waited = self.wait_fence(fence.id, 0, ns);
        let status = self.sync_file_status(fence.fd);
        self.caller.close_fd(fence.fd);
        assert_eq!(waited.is_err(), status == 0, "{waited:?} {status}");
        status
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
