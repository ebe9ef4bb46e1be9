// SPDX-License-Identifier: BSD-2-Clause
//! A client of panfrost in the process of the driver: ioctls as a program would do them, by number
//! and bytes, and job chains written by hand. The user ABI is that of crate `uapi`.

use drm_os_host::{Caller, Config, File, World};
use drmboard::Board;
use uapi::core::{
    Auth, GemClose, GemFlink, GemOpen, PrimeHandle, SyncobjArray, SyncobjCreate, SyncobjDestroy,
    SyncobjHandle, SyncobjWait,
};
use uapi::dma_buf::{self, Fences};
use uapi::panfrost::{
    CreateBo, GetBoOffset, GetParam, Madvise, MmapBo, PerfcntDump, PerfcntEnable, Submit40, WaitBo,
};
use uapi::sync_file::{self, FileInfo, MergeData};
use uapi::{core, panfrost, Plain, Request};

mod chain;
pub mod etnaviv;
pub mod fuzz;
mod rig;

pub use chain::{compute, null, write_time, write_zero};
pub use rig::{
    charged, coherent, limits, pass, real, tunable, with_memory, Ends, Rig, Work, MS, SEC,
};

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

/// A board in this process.
pub fn board(name: &str, config: Config) -> Board {
    Board::new(name, config).expect("the board comes up")
}

/// A file on a board and the thread that uses it.
#[derive(Clone)]
pub struct Client {
    /// The file.
    pub file: File,
    /// The thread.
    pub caller: Caller,
    world: World,
}

/// A buffer object, mapped when it is no heap.
pub struct Bo {
    /// Its handle.
    pub handle: u32,
    /// Its GPU address.
    pub va: u64,
    map: Option<drm_os_host::Mapping>,
}

/// The result of a call.
pub type Result<T> = std::result::Result<T, i32>;

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// An ioctl of a file; returns the structure afterwards.
pub fn ioctl<T: Plain>(file: &File, caller: &Caller, request: Request<T>, arg: T) -> Result<T> {
    let mut bytes = arg.to_bytes();
    file.ioctl(caller, request.group(), request.nr(), &mut bytes)?;
    Ok(T::load(&bytes))
}

/// SYNC_IOC_FILE_INFO without the fences.
pub fn sync_file_info(file: &File, caller: &Caller) -> FileInfo {
    ioctl(file, caller, sync_file::FILE_INFO, FileInfo::default()).expect("the file is a sync_file")
}

impl Client {
    /// Opens the render node.
    pub fn open(board: &Board) -> Result<Client> {
        Client::open_minor(board, RENDER)
    }

    /// Opens a node.
    pub fn open_minor(board: &Board, minor: u32) -> Result<Client> {
        Client::open_at(board, 0, minor)
    }

    /// Opens a node of the `device`-th node of the device tree.
    pub fn open_at(board: &Board, device: usize, minor: u32) -> Result<Client> {
        Client::open_by(board, device, minor, 0)
    }

    /// Opens the render node as user `uid`.
    pub fn open_of(board: &Board, uid: u32) -> Result<Client> {
        Client::open_by(board, 0, RENDER, uid)
    }

    fn open_by(board: &Board, device: usize, minor: u32, uid: u32) -> Result<Client> {
        let caller = Caller::local_of(board.world(), "test", uid);
        let file = board.devices()[device].open(minor, &caller)?;
        Ok(Client {
            file,
            caller,
            world: board.world().clone(),
        })
    }

    /// Opens the primary node, authenticated by who opened it first and is its master.
    pub fn open_primary(board: &Board, master: &Client) -> Result<Client> {
        Client::open_primary_of(board, master, 0)
    }

    /// As [`Client::open_primary`], as user `uid`.
    pub fn open_primary_of(board: &Board, master: &Client, uid: u32) -> Result<Client> {
        let client = Client::open_by(board, 0, PRIMARY, uid)?;
        let magic = client.ioctl(core::GET_MAGIC, Auth::default())?;
        master.ioctl(core::AUTH_MAGIC, magic)?;
        Ok(client)
    }

    /// The same file in another thread of the same process.
    pub fn thread(&self) -> Client {
        Client {
            caller: self.caller.thread(),
            ..self.clone()
        }
    }

    /// An ioctl of a descriptor that is no device's: EBADF, and what the driver says.
    pub fn fd_ioctl<T: Plain>(&self, fd: i32, request: Request<T>, arg: T) -> Result<T> {
        let file = self.caller.fd(fd).ok_or(errno::EBADF)?;
        ioctl(&file, &self.caller, request, arg)
    }

    /// An ioctl; returns the structure afterwards.
    pub fn ioctl<T: Plain>(&self, request: Request<T>, arg: T) -> Result<T> {
        ioctl(&self.file, &self.caller, request, arg)
    }

    /// CREATE_BO: the handle and the GPU address.
    pub fn create_bo(&self, size: u32, flags: u32) -> Result<(u32, u64)> {
        let arg = CreateBo {
            size,
            flags,
            ..CreateBo::default()
        };
        let made = self.ioctl(panfrost::CREATE_BO, arg)?;
        Ok((made.handle, made.offset))
    }

    /// MMAP_BO: the offset for mmap.
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

    /// GEM_CLOSE.
    pub fn close(&self, handle: u32) -> Result<()> {
        self.ioctl(core::GEM_CLOSE, GemClose { handle, pad: 0 })
            .map(drop)
    }

    /// GET_PARAM.
    pub fn param(&self, param: u32) -> Result<u64> {
        let arg = GetParam {
            param,
            ..GetParam::default()
        };
        Ok(self.ioctl(panfrost::GET_PARAM, arg)?.value)
    }

    /// SUBMIT of a chain: fragment or not, buffers, syncobjs to wait for, syncobj to fill.
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

    /// WAIT_BO for at most `ns` more nanoseconds.
    pub fn wait(&self, handle: u32, ns: u64) -> Result<()> {
        let until = if ns == 0 { 0 } else { self.world.now() + ns };
        let arg = WaitBo {
            handle,
            pad: 0,
            timeout_ns: until as i64,
        };
        self.ioctl(panfrost::WAIT_BO, arg).map(drop)
    }

    /// MADVISE: retained.
    pub fn madvise(&self, handle: u32, advice: u32) -> Result<bool> {
        let arg = Madvise {
            handle,
            madv: advice,
            retained: 0,
        };
        Ok(self.ioctl(panfrost::MADVISE, arg)?.retained != 0)
    }

    /// SYNCOBJ_CREATE.
    pub fn syncobj(&self, signaled: bool) -> Result<u32> {
        let flags = if signaled {
            core::SYNCOBJ_CREATE_SIGNALED
        } else {
            0
        };
        let made = self.ioctl(core::SYNCOBJ_CREATE, SyncobjCreate { handle: 0, flags })?;
        Ok(made.handle)
    }

    /// SYNCOBJ_DESTROY.
    pub fn syncobj_destroy(&self, handle: u32) -> Result<()> {
        self.ioctl(core::SYNCOBJ_DESTROY, SyncobjDestroy { handle, pad: 0 })
            .map(drop)
    }

    /// SYNCOBJ_WAIT for one, for at most `ns` more nanoseconds.
    pub fn syncobj_wait(&self, handle: u32, ns: u64) -> Result<()> {
        let until = self.world.now() + ns;
        self.syncobj_wait_many(&[handle], until as i64, 0).map(drop)
    }

    /// SYNCOBJ_WAIT until the time `timeout_nsec`: the index of the first that was signalled.
    pub fn syncobj_wait_many(&self, handles: &[u32], timeout_nsec: i64, flags: u32) -> Result<u32> {
        let arg = SyncobjWait {
            handles: handles.as_ptr() as u64,
            timeout_nsec,
            count_handles: handles.len() as u32,
            flags,
            ..SyncobjWait::default()
        };
        Ok(self.ioctl(core::SYNCOBJ_WAIT, arg)?.first_signaled)
    }

    /// SYNCOBJ_RESET or SYNCOBJ_SIGNAL.
    pub fn syncobj_array(&self, request: Request<SyncobjArray>, handles: &[u32]) -> Result<()> {
        let arg = SyncobjArray {
            handles: handles.as_ptr() as u64,
            count_handles: handles.len() as u32,
            pad: 0,
        };
        self.ioctl(request, arg).map(drop)
    }

    /// SYNCOBJ_HANDLE_TO_FD: a descriptor of the syncobj itself.
    pub fn share_syncobj(&self, handle: u32) -> Result<i32> {
        let arg = SyncobjHandle {
            handle,
            ..SyncobjHandle::default()
        };
        Ok(self.ioctl(core::SYNCOBJ_HANDLE_TO_FD, arg)?.fd)
    }

    /// SYNCOBJ_FD_TO_HANDLE: a handle of a descriptor's syncobj.
    pub fn take_syncobj(&self, fd: i32) -> Result<u32> {
        let arg = SyncobjHandle {
            fd,
            ..SyncobjHandle::default()
        };
        Ok(self.ioctl(core::SYNCOBJ_FD_TO_HANDLE, arg)?.handle)
    }

    /// SYNCOBJ_HANDLE_TO_FD as a sync_file: the descriptor.
    pub fn sync_file(&self, handle: u32) -> Result<i32> {
        let flags = core::SYNCOBJ_SYNC_FILE;
        let arg = SyncobjHandle {
            handle,
            flags,
            ..SyncobjHandle::default()
        };
        Ok(self.ioctl(core::SYNCOBJ_HANDLE_TO_FD, arg)?.fd)
    }

    /// SYNCOBJ_FD_TO_HANDLE: puts a sync_file's fence into a syncobj.
    pub fn import_sync_file(&self, handle: u32, fd: i32) -> Result<()> {
        let flags = core::SYNCOBJ_SYNC_FILE;
        let arg = SyncobjHandle {
            handle,
            flags,
            fd,
            pad: 0,
        };
        self.ioctl(core::SYNCOBJ_FD_TO_HANDLE, arg).map(drop)
    }

    /// What a sync_file of the syncobj's fence says: 0 under way, 1 done, else an error, negative.
    pub fn outcome(&self, syncobj: u32) -> i32 {
        let fd = self.sync_file(syncobj).expect("the syncobj has a fence");
        let status = self.sync_file_status(fd);
        self.caller.close_fd(fd);
        status
    }

    /// SYNC_IOC_FILE_INFO: status.
    pub fn sync_file_status(&self, fd: i32) -> i32 {
        let file = self.caller.fd(fd).expect("the descriptor is there");
        sync_file_info(&file, &self.caller).status
    }

    /// SYNC_IOC_MERGE: the descriptor.
    pub fn merge(&self, a: i32, b: i32) -> Result<i32> {
        let arg = MergeData {
            fd2: b,
            ..MergeData::default()
        };
        Ok(self.fd_ioctl(a, sync_file::MERGE, arg)?.fence)
    }

    /// DMA_BUF_IOCTL_EXPORT_SYNC_FILE: a sync_file of a dma-buf's fences.
    pub fn dma_buf_fences(&self, dma_buf: i32, flags: u32) -> Result<i32> {
        let arg = Fences { flags, fd: 0 };
        Ok(self.fd_ioctl(dma_buf, dma_buf::EXPORT_SYNC_FILE, arg)?.fd)
    }

    /// DMA_BUF_IOCTL_IMPORT_SYNC_FILE: adds a sync_file's fences to a dma-buf.
    pub fn add_dma_buf_fences(&self, dma_buf: i32, flags: u32, fd: i32) -> Result<()> {
        let arg = Fences { flags, fd };
        self.fd_ioctl(dma_buf, dma_buf::IMPORT_SYNC_FILE, arg)
            .map(drop)
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

    /// PRIME_HANDLE_TO_FD: the descriptor.
    pub fn export(&self, handle: u32) -> Result<i32> {
        let arg = PrimeHandle {
            handle,
            ..PrimeHandle::default()
        };
        Ok(self.ioctl(core::PRIME_HANDLE_TO_FD, arg)?.fd)
    }

    /// PRIME_FD_TO_HANDLE: the handle.
    pub fn import(&self, fd: i32) -> Result<u32> {
        let arg = PrimeHandle {
            fd,
            ..PrimeHandle::default()
        };
        Ok(self.ioctl(core::PRIME_FD_TO_HANDLE, arg)?.handle)
    }

    /// GEM_FLINK: the global name.
    pub fn flink(&self, handle: u32) -> Result<u32> {
        Ok(self
            .ioctl(core::GEM_FLINK, GemFlink { handle, name: 0 })?
            .name)
    }

    /// GEM_OPEN: a handle of the object with a global name.
    pub fn open_name(&self, name: u32) -> Result<u32> {
        let arg = GemOpen {
            name,
            ..GemOpen::default()
        };
        Ok(self.ioctl(core::GEM_OPEN, arg)?.handle)
    }

    /// GET_BO_OFFSET: the GPU address.
    pub fn va(&self, handle: u32) -> Result<u64> {
        let arg = GetBoOffset {
            handle,
            ..GetBoOffset::default()
        };
        Ok(self.ioctl(panfrost::GET_BO_OFFSET, arg)?.offset)
    }

    /// A counter of the file.
    pub fn stat(&self, name: &str) -> u64 {
        let stats = self.file.stats();
        stats
            .into_iter()
            .find(|(n, _)| n == name)
            .map_or(0, |(_, v)| v)
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

    /// Reads a u64.
    pub fn read_u64(&self, at: usize) -> u64 {
        long(&self.read(at, 8), 0)
    }

    /// Whether it is mapped.
    pub fn is_mapped(&self) -> bool {
        self.map.is_some()
    }
}
