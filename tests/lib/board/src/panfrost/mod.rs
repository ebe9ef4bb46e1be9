// SPDX-License-Identifier: BSD-2-Clause
//! A client of panfrost in the process of the driver, and job chains written by hand.

mod chain;
mod rig;

use crate::{long, Result, RENDER};
use drm_os_host::Mapping;
use drmboard::Board;
use std::ops::Deref;
use uapi::panfrost::{
    self, CreateBo, GetBoOffset, GetParam, Madvise, MmapBo, PerfcntDump, PerfcntEnable, Submit40,
    WaitBo,
};

pub use chain::{compute, null, write_time, write_zero};
pub use rig::{charged, Rig, RigOf, ScatteredRig, Work};

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

impl From<Client> for crate::Client {
    fn from(client: Client) -> crate::Client {
        client.0
    }
}

/// A buffer object, mapped unless it is a heap.
pub struct Bo {
    /// Its handle.
    pub handle: u32,
    /// Its GPU address.
    pub va: u64,
    map: Option<Mapping>,
}

impl Client {
    /// Opens the render node.
    pub fn open(board: &Board) -> Result<Client> {
        Client::open_minor(board, RENDER)
    }

    /// Opens a node.
    pub fn open_minor(board: &Board, minor: u32) -> Result<Client> {
        crate::Client::open_at(board, 0, minor).map(Client)
    }

    /// Opens the render node as user `uid`.
    pub fn open_of(board: &Board, uid: u32) -> Result<Client> {
        crate::Client::open_of(board, uid).map(Client)
    }

    /// Opens the primary node; `master`, who opened it first and is its master, authenticates the
    /// client.
    pub fn open_primary(board: &Board, master: &Client) -> Result<Client> {
        crate::Client::open_primary(board, master).map(Client)
    }

    /// The same file in another thread of the same process.
    pub fn thread(&self) -> Client {
        Client(self.0.thread())
    }

    /// CREATE_BO: returns the handle and the GPU address.
    pub fn create_bo(&self, size: u32, flags: u32) -> Result<(u32, u64)> {
        let arg = CreateBo {
            size,
            flags,
            ..CreateBo::default()
        };
        let made = self.ioctl(panfrost::CREATE_BO, arg)?;
        Ok((made.handle, made.offset))
    }

    /// MMAP_BO: returns the offset for mmap.
    pub fn map_offset(&self, handle: u32) -> Result<u64> {
        let arg = MmapBo {
            handle,
            ..MmapBo::default()
        };
        Ok(self.ioctl(panfrost::MMAP_BO, arg)?.offset)
    }

    /// CREATE_BO, and a mapping unless it is a heap.
    pub fn bo(&self, size: u32, flags: u32) -> Result<Bo> {
        let (handle, va) = self.create_bo(size, flags)?;
        if flags & panfrost::BO_HEAP != 0 {
            return Ok(Bo {
                handle,
                va,
                map: None,
            });
        }
        self.map(handle, va, size)
    }

    /// MMAP_BO, and a mapping, of an object of `size` bytes at `va`.
    pub fn map(&self, handle: u32, va: u64, size: u32) -> Result<Bo> {
        let offset = self.map_offset(handle)?;
        let map = Some(
            self.file
                .mmap(offset, u64::from(size).next_multiple_of(4096))?,
        );
        Ok(Bo { handle, va, map })
    }

    /// GET_PARAM.
    pub fn param(&self, param: u32) -> Result<u64> {
        let arg = GetParam {
            param,
            ..GetParam::default()
        };
        Ok(self.ioctl(panfrost::GET_PARAM, arg)?.value)
    }

    /// SUBMIT of a chain: whether it is a fragment job, buffers, syncobjs to wait for, syncobj for
    /// its fence.
    pub fn submit(
        &self,
        jc: u64,
        fragment: bool,
        bos: &[u32],
        waits: &[u32],
        out: u32,
    ) -> Result<()> {
        let arg = Submit40 {
            jc,
            in_syncs: waits.as_ptr() as u64,
            in_sync_count: waits.len() as u32,
            out_sync: out,
            bo_handles: bos.as_ptr() as u64,
            bo_handle_count: bos.len() as u32,
            requirements: if fragment { panfrost::REQ_FS } else { 0 },
        };
        self.ioctl(panfrost::SUBMIT_40, arg).map(drop)
    }

    /// WAIT_BO for at most `ns` nanoseconds.
    pub fn wait(&self, handle: u32, ns: u64) -> Result<()> {
        let until = if ns == 0 { 0 } else { self.world.now() + ns };
        let arg = WaitBo {
            handle,
            pad: 0,
            timeout_ns: until as i64,
        };
        self.ioctl(panfrost::WAIT_BO, arg).map(drop)
    }

    /// MADVISE: returns whether the pages are retained.
    pub fn madvise(&self, handle: u32, advice: u32) -> Result<bool> {
        let arg = Madvise {
            handle,
            madv: advice,
            retained: 0,
        };
        Ok(self.ioctl(panfrost::MADVISE, arg)?.retained != 0)
    }

    /// PERFCNT_ENABLE.
    pub fn perfcnt_enable(&self, on: bool, set: u32) -> Result<()> {
        let arg = PerfcntEnable {
            enable: u32::from(on),
            counterset: set,
        };
        self.ioctl(panfrost::PERFCNT_ENABLE, arg).map(drop)
    }

    /// PERFCNT_DUMP.
    pub fn perfcnt_dump(&self, to: &mut [u8]) -> Result<()> {
        let arg = PerfcntDump {
            buf_ptr: to.as_mut_ptr() as u64,
        };
        self.ioctl(panfrost::PERFCNT_DUMP, arg).map(drop)
    }

    /// GET_BO_OFFSET: returns the GPU address.
    pub fn va(&self, handle: u32) -> Result<u64> {
        let arg = GetBoOffset {
            handle,
            ..GetBoOffset::default()
        };
        Ok(self.ioctl(panfrost::GET_BO_OFFSET, arg)?.offset)
    }
}

impl Bo {
    /// Writes through the mapping.
    pub fn write(&self, at: usize, bytes: &[u8]) {
        self.map.as_ref().expect("mapped").write(at, bytes);
    }

    /// Reads through the mapping.
    pub fn read(&self, at: usize, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.map.as_ref().expect("mapped").read(at, &mut bytes);
        bytes
    }

    /// mlock(2) of the mapping, or munlock(2).
    pub fn set_locked(&self, on: bool) {
        self.map.as_ref().expect("mapped").set_locked(on);
    }

    /// Reads a u64 through the mapping.
    pub fn read_u64(&self, at: usize) -> u64 {
        long(&self.read(at, 8), 0)
    }

    /// Whether it is mapped.
    pub fn is_mapped(&self) -> bool {
        self.map.is_some()
    }
}
