// SPDX-License-Identifier: BSD-2-Clause
//! A client of etnaviv in the process of the driver.
//!
//! With MMUv2 the client chooses addresses (softpin). The address of a [`Bo`] is only used when the
//! buffer is part of a submit, and two clients may use the same address for different memory. With
//! MMUv1 the driver chooses addresses and writes them into the stream: see [`Submit::relocated`].

mod perfmon;
mod rig;
pub mod stream;
mod submit;
mod userptr;
mod work;

use crate::Result;
use drm_os_host::Mapping;
use drmboard::Board;
use std::ops::Deref;
use uapi::etnaviv::{
    CpuFini, CpuPrep, GemInfo, GemNew, GemWait, Param, Timespec, WaitFence, GEM_CPU_FINI,
    GEM_CPU_PREP, GEM_INFO, GEM_NEW, GEM_WAIT, GET_PARAM, WAIT_FENCE,
};

pub use perfmon::{Domain, Signal};
pub use rig::{check_manners, Rig, RigOf, ScatteredRig};
pub use submit::{Fence, Submit};
pub use uapi::etnaviv::{
    BO_CACHED as CACHED, BO_UNCACHED as UNCACHED, BO_WC as WC, WAIT_NONBLOCK as NONBLOCK,
};
pub use userptr::UserMemory;
pub use work::{Place, Work, BOARDS, BROKEN, IMX6Q};

/// First address that the client may choose: softpin start, parameter 0x1b.
pub const SOFTPIN_START: u32 = 0x40_0000;
/// Flags of GEM_CPU_PREP.
pub mod prep {
    pub use uapi::etnaviv::{PREP_NOSYNC as NOSYNC, PREP_READ as READ, PREP_WRITE as WRITE};
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

/// A mapped buffer object, at an address that the client chose.
pub struct Bo {
    /// Its handle.
    pub handle: u32,
    /// Its GPU address; 0 if the driver chooses it.
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
        let arg = Param {
            pipe,
            param,
            value: 0,
        };
        Ok(self.ioctl(GET_PARAM, arg)?.value)
    }

    /// GEM_NEW: returns the handle.
    pub fn gem_new(&self, size: u64, flags: u32) -> Result<u32> {
        let arg = GemNew {
            size,
            flags,
            handle: 0,
        };
        Ok(self.ioctl(GEM_NEW, arg)?.handle)
    }

    /// GEM_INFO: returns the offset for mmap.
    pub fn gem_info(&self, handle: u32) -> Result<u64> {
        let arg = GemInfo {
            handle,
            ..GemInfo::default()
        };
        Ok(self.ioctl(GEM_INFO, arg)?.offset)
    }

    /// A write-combining buffer at `va`, mapped.
    pub fn bo_at(&self, size: u64, va: u32) -> Result<Bo> {
        let handle = self.gem_new(size, WC)?;
        self.adopt(handle, size, va).inspect_err(|_| {
            let _ = self.close(handle);
        })
    }

    /// A write-combining buffer, mapped, at an address that the driver chooses.
    pub fn bo_unplaced(&self, size: u64) -> Result<Bo> {
        self.bo_at(size, 0)
    }

    /// Maps the object of a handle.
    pub fn adopt(&self, handle: u32, size: u64, va: u32) -> Result<Bo> {
        let offset = self.gem_info(handle)?;
        let map = self.file.mmap(offset, size.next_multiple_of(4096))?;
        Ok(Bo { handle, va, map })
    }

    /// The time `ns` nanoseconds from now.
    fn until(&self, ns: u64) -> Timespec {
        let until = self.0.world.now().saturating_add(ns);
        Timespec {
            tv_sec: (until / 1_000_000_000) as i64,
            tv_nsec: (until % 1_000_000_000) as i64,
        }
    }

    /// GEM_CPU_PREP for at most `ns` nanoseconds.
    pub fn cpu_prep(&self, handle: u32, op: u32, ns: u64) -> Result<()> {
        let timeout = self.until(ns);
        self.ioctl(
            GEM_CPU_PREP,
            CpuPrep {
                handle,
                op,
                timeout,
            },
        )
        .map(drop)
    }

    /// GEM_CPU_FINI.
    pub fn cpu_fini(&self, handle: u32) -> Result<()> {
        self.ioctl(GEM_CPU_FINI, CpuFini { handle, flags: 0 })
            .map(drop)
    }

    /// WAIT_FENCE on the first core for at most `ns` nanoseconds.
    pub fn wait_fence(&self, fence: u32, flags: u32, ns: u64) -> Result<()> {
        self.wait_fence_on(0, fence, flags, ns)
    }

    /// WAIT_FENCE on a core for at most `ns` nanoseconds.
    pub fn wait_fence_on(&self, pipe: u32, fence: u32, flags: u32, ns: u64) -> Result<()> {
        let timeout = self.until(ns);
        let arg = WaitFence {
            pipe,
            fence,
            flags,
            pad: 0,
            timeout,
        };
        self.ioctl(WAIT_FENCE, arg).map(drop)
    }

    /// GEM_WAIT on the first core for at most `ns` nanoseconds.
    pub fn gem_wait(&self, handle: u32, flags: u32, ns: u64) -> Result<()> {
        self.gem_wait_on(0, handle, flags, ns)
    }

    /// GEM_WAIT on a core for at most `ns` nanoseconds.
    pub fn gem_wait_on(&self, pipe: u32, handle: u32, flags: u32, ns: u64) -> Result<()> {
        let timeout = self.until(ns);
        let arg = GemWait {
            pipe,
            handle,
            flags,
            pad: 0,
            timeout,
        };
        self.ioctl(GEM_WAIT, arg).map(drop)
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
