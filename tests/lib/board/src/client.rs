// SPDX-License-Identifier: BSD-2-Clause
//! A client of any driver: opens nodes, makes ioctls, and the ioctls of DRM, sync_file and dma-buf.

use crate::{errno, Result, PRIMARY, RENDER};
use drm_os_host::{Caller, File, World};
use drmboard::Board;
use uapi::core::{
    Auth, GemClose, GemFlink, GemOpen, PrimeHandle, SyncobjArray, SyncobjCreate, SyncobjDestroy,
    SyncobjHandle, SyncobjHandle24, SyncobjTimelineArray, SyncobjTimelineWait, SyncobjTransfer,
    SyncobjWait,
};
use uapi::dma_buf::{self, Fences};
use uapi::sync_file::{self, FileInfo, MergeData};
use uapi::{core, Plain, Request};

/// A file on a board and the thread that uses it.
#[derive(Clone)]
pub struct Client {
    /// The file.
    pub file: File,
    /// The thread.
    pub caller: Caller,
    pub(crate) world: World,
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

    /// Opens the primary node; `master`, who opened it first and is its master, authenticates the
    /// client.
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

    /// An ioctl on a descriptor that is not a node's. Errors: EBADF, or the error of the driver.
    pub fn fd_ioctl<T: Plain>(&self, fd: i32, request: Request<T>, arg: T) -> Result<T> {
        let file = self.caller.fd(fd).ok_or(errno::EBADF)?;
        ioctl(&file, &self.caller, request, arg)
    }

    /// An ioctl; returns the structure afterwards.
    pub fn ioctl<T: Plain>(&self, request: Request<T>, arg: T) -> Result<T> {
        ioctl(&self.file, &self.caller, request, arg)
    }

    /// GEM_CLOSE.
    pub fn close(&self, handle: u32) -> Result<()> {
        self.ioctl(core::GEM_CLOSE, GemClose { handle, pad: 0 })
            .map(drop)
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

    /// SYNCOBJ_WAIT for one syncobj, for at most `ns` nanoseconds.
    pub fn syncobj_wait(&self, handle: u32, ns: u64) -> Result<()> {
        let until = self.world.now() + ns;
        self.syncobj_wait_many(&[handle], until as i64, 0).map(drop)
    }

    /// SYNCOBJ_WAIT until the time `timeout_nsec`; returns the index of the first that was
    /// signalled.
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

    /// SYNCOBJ_FD_TO_HANDLE: a new handle of a descriptor's syncobj.
    pub fn take_syncobj(&self, fd: i32) -> Result<u32> {
        let arg = SyncobjHandle {
            fd,
            ..SyncobjHandle::default()
        };
        Ok(self.ioctl(core::SYNCOBJ_FD_TO_HANDLE, arg)?.handle)
    }

    /// SYNCOBJ_HANDLE_TO_FD as a sync_file; returns the descriptor.
    pub fn sync_file(&self, handle: u32) -> Result<i32> {
        let flags = core::SYNCOBJ_SYNC_FILE;
        let arg = SyncobjHandle {
            handle,
            flags,
            ..SyncobjHandle::default()
        };
        Ok(self.ioctl(core::SYNCOBJ_HANDLE_TO_FD, arg)?.fd)
    }

    /// SYNCOBJ_FD_TO_HANDLE: imports a sync_file's fence into a syncobj.
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

    /// SYNCOBJ_TIMELINE_SIGNAL of one point.
    pub fn timeline_signal(&self, handle: u32, point: u64) -> Result<()> {
        let arg = SyncobjTimelineArray {
            handles: &raw const handle as u64,
            points: &raw const point as u64,
            count_handles: 1,
            flags: 0,
        };
        self.ioctl(core::SYNCOBJ_TIMELINE_SIGNAL, arg).map(drop)
    }

    /// SYNCOBJ_TIMELINE_WAIT until the time `timeout_nsec`, for syncobjs and points; returns the
    /// index of the first that was signalled.
    pub fn timeline_wait(
        &self,
        places: &[(u32, u64)],
        timeout_nsec: i64,
        flags: u32,
    ) -> Result<u32> {
        let (handles, points): (Vec<u32>, Vec<u64>) = places.iter().copied().unzip();
        let arg = SyncobjTimelineWait {
            handles: handles.as_ptr() as u64,
            points: points.as_ptr() as u64,
            timeout_nsec,
            count_handles: handles.len() as u32,
            flags,
            ..SyncobjTimelineWait::default()
        };
        let arg = self.ioctl(core::SYNCOBJ_TIMELINE_WAIT, arg)?;
        Ok(arg.first_signaled)
    }

    /// SYNCOBJ_QUERY of one syncobj: the point that is reached, or with
    /// `SYNCOBJ_QUERY_LAST_SUBMITTED` the last.
    pub fn timeline_point(&self, handle: u32, flags: u32) -> Result<u64> {
        let mut point = u64::MAX;
        let arg = SyncobjTimelineArray {
            handles: &raw const handle as u64,
            points: &raw mut point as u64,
            count_handles: 1,
            flags,
        };
        self.ioctl(core::SYNCOBJ_QUERY, arg)?;
        Ok(point)
    }

    /// SYNCOBJ_TRANSFER from a syncobj's point to another's; 0 for all of it.
    pub fn transfer(&self, from: (u32, u64), to: (u32, u64), flags: u32) -> Result<()> {
        let arg = SyncobjTransfer {
            src_handle: from.0,
            dst_handle: to.0,
            src_point: from.1,
            dst_point: to.1,
            flags,
            pad: 0,
        };
        self.ioctl(core::SYNCOBJ_TRANSFER, arg).map(drop)
    }

    /// SYNCOBJ_HANDLE_TO_FD as a sync_file of a point; returns the descriptor.
    pub fn sync_file_of_point(&self, handle: u32, point: u64) -> Result<i32> {
        let arg = SyncobjHandle24 {
            handle,
            flags: core::SYNCOBJ_SYNC_FILE | core::SYNCOBJ_TIMELINE,
            point,
            ..SyncobjHandle24::default()
        };
        Ok(self.ioctl(core::SYNCOBJ_HANDLE_TO_FD_24, arg)?.fd)
    }

    /// SYNCOBJ_FD_TO_HANDLE: imports a sync_file's fence as a point of a syncobj.
    pub fn import_sync_file_at(&self, handle: u32, point: u64, fd: i32) -> Result<()> {
        let arg = SyncobjHandle24 {
            handle,
            flags: core::SYNCOBJ_SYNC_FILE | core::SYNCOBJ_TIMELINE,
            fd,
            pad: 0,
            point,
        };
        self.ioctl(core::SYNCOBJ_FD_TO_HANDLE_24, arg).map(drop)
    }

    /// The status of the syncobj's fence: 0 active, 1 signalled, negative an error.
    pub fn outcome(&self, syncobj: u32) -> i32 {
        let fd = self.sync_file(syncobj).expect("the syncobj has a fence");
        let status = self.sync_file_status(fd);
        self.caller.close_fd(fd);
        status
    }

    /// SYNC_IOC_FILE_INFO: the status.
    pub fn sync_file_status(&self, fd: i32) -> i32 {
        let file = self.caller.fd(fd).expect("the descriptor is open");
        sync_file_info(&file, &self.caller).status
    }

    /// SYNC_IOC_MERGE: returns the descriptor.
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

    /// PRIME_HANDLE_TO_FD: returns the descriptor.
    pub fn export(&self, handle: u32) -> Result<i32> {
        let arg = PrimeHandle {
            handle,
            ..PrimeHandle::default()
        };
        Ok(self.ioctl(core::PRIME_HANDLE_TO_FD, arg)?.fd)
    }

    /// PRIME_FD_TO_HANDLE: returns the handle.
    pub fn import(&self, fd: i32) -> Result<u32> {
        let arg = PrimeHandle {
            fd,
            ..PrimeHandle::default()
        };
        Ok(self.ioctl(core::PRIME_FD_TO_HANDLE, arg)?.handle)
    }

    /// GEM_FLINK: returns the global name.
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

    /// A statistic of the file.
    pub fn stat(&self, name: &str) -> u64 {
        crate::counter(self.file.stats(), name)
    }
}
