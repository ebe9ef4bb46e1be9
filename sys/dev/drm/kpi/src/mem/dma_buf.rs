// SPDX-License-Identifier: BSD-2-Clause
//! dma-bufs: descriptors of buffers, for other processes and other devices.

use crate::alloc::Arc;
use crate::mem::buffer::Buffer;
use crate::os::{Caller, FdFlags, FileRef, NewFile, Os, PlainFile, UserMapping};
use crate::sync::fence::Fence;
use crate::sync::fences::Fences;
use crate::sync::poll_waker::Poll;
use crate::sync::resv::Usage;
use crate::sync::sync_file::SyncFile;
use crate::util::account::{Account, Charge, DMA_BUF_BYTES};
use crate::util::errno::{Result, EINVAL, ENOTTY};
use crate::util::uapi::{uapi_struct, Field, Uapi};
use core::any::Any;

/// A shared object of a device: its buffer, and the object, by which its device recognises it.
#[derive(Clone)]
pub struct Shared {
    /// Its buffer.
    pub buffer: Arc<Buffer>,
    /// The object.
    pub object: Arc<dyn Any + Send + Sync>,
}

/// A shared object with a descriptor.
pub struct DmaBuf {
    shared: Shared,
    poll: Poll,
    _charge: Charge,
}

/// 'b' of the request codes (include/uapi/linux/dma-buf.h).
const GROUP: u32 = 0x62;
const SYNC: u32 = 0;
const SET_NAME: u32 = 1;
const EXPORT_SYNC_FILE: u32 = 2;
const IMPORT_SYNC_FILE: u32 = 3;
/// READ 1, WRITE 2, END 4.
const SYNC_VALID: u64 = 7;
const SYNC_READ: u64 = 1;
const SYNC_WRITE: u64 = 2;
const SYNC_END: u64 = 4;

uapi_struct! {
    /// `struct dma_buf_export_sync_file`, and `struct dma_buf_import_sync_file`, in which the
    /// descriptor is an input.
    struct FencesAs {
        flags: u32,
        fd: i32,
    }
}

impl DmaBuf {
    /// Makes a descriptor of `shared` for `caller`, charged to `account`.
    ///
    /// # Errors
    ///
    /// ENOMEM, also over the account's limit; EMFILE; EINVAL for memory of a process.
    pub fn export(
        os: Os,
        caller: &Caller<'_>,
        account: &Arc<Account>,
        shared: Shared,
        flags: FdFlags,
    ) -> Result<i32> {
        if shared.buffer.is_userptr() {
            return Err(EINVAL);
        }
        let content = Arc::new(
            os,
            DmaBuf {
                shared,
                poll: Poll::new(os)?,
                _charge: Charge::new(account, DMA_BUF_BYTES)?,
            },
        )?;
        let file = NewFile::new(os, content.clone())?;
        content.poll.connect(file.waker());
        file.install(caller, flags)
    }

    /// The shared object of descriptor `fd` of `caller`.
    ///
    /// # Errors
    ///
    /// EBADF; EINVAL if it is not a dma-buf.
    pub fn import(caller: &Caller<'_>, fd: i32) -> Result<Shared> {
        let file = FileRef::<DmaBuf>::get(caller, fd)?;
        Ok(file.shared.clone())
    }

    fn buffer(&self) -> &Arc<Buffer> {
        &self.shared.buffer
    }
}

impl PlainFile for DmaBuf {
    fn size(&self) -> u64 {
        self.buffer().size()
    }

    /// Readable when no writer is pending.
    fn readable(&self) -> bool {
        while let Some(fence) = self.buffer().resv().first_pending(Usage::Read) {
            if !self.poll.is_ready(&fence) {
                return false;
            }
            if !fence.is_signaled() {
                // Without memory for a hook: better too early than never.
                break;
            }
        }
        true
    }

    fn mmap(&self, offset: u64, len: u64) -> Result<UserMapping> {
        let end = offset.checked_add(len).ok_or(EINVAL)?;
        if end > self.buffer().size() || !self.buffer().may_be_mapped() {
            return Err(EINVAL);
        }
        Ok(self.buffer().object().user_mapping(offset))
    }

    fn ioctl(&self, caller: &Caller<'_>, group: u32, nr: u32, data: &mut [u8]) -> Result<()> {
        // Linux compares the whole request code, which has the size in it.
        match (group, nr, data.len()) {
            (GROUP, SYNC, 8) => self.sync(caller, u64::load(data)),
            // The argument is the address of a name, which is not used.
            (GROUP, SET_NAME, 4 | 8) => Ok(()),
            (GROUP, EXPORT_SYNC_FILE, 8) => {
                let mut arg = FencesAs::read(data);
                arg.fd = self.export_fences(caller, arg.usage()?)?;
                arg.write(data);
                Ok(())
            }
            (GROUP, IMPORT_SYNC_FILE, 8) => {
                let arg = FencesAs::read(data);
                self.import_fences(caller, arg.usage()?, arg.fd)
            }
            _ => Err(ENOTTY),
        }
    }
}

impl FencesAs {
    /// As a reader or a writer; EINVAL if neither.
    fn usage(&self) -> Result<Usage> {
        match u64::from(self.flags) {
            SYNC_READ => Ok(Usage::Read),
            flags if flags & SYNC_WRITE != 0 && flags & !(SYNC_READ | SYNC_WRITE) == 0 => {
                Ok(Usage::Write)
            }
            _ => Err(EINVAL),
        }
    }
}

impl DmaBuf {
    /// A begin waits for the device. The caches are maintained for buffers whose driver says so;
    /// for others that CPUs map cached, by ioctls of their driver.
    fn sync(&self, caller: &Caller<'_>, flags: u64) -> Result<()> {
        if flags & !SYNC_VALID != 0 || flags & (SYNC_READ | SYNC_WRITE) == 0 {
            return Err(EINVAL);
        }
        if flags & SYNC_END != 0 {
            if flags & SYNC_WRITE != 0 {
                self.buffer().end_cpu_access();
            }
            return Ok(());
        }
        let usage = if flags & SYNC_WRITE != 0 {
            Usage::Write
        } else {
            Usage::Read
        };
        let buffer = self.buffer();
        buffer
            .resv()
            .wait(buffer.os(), usage, Some(caller), crate::os::NEVER)?;
        if flags & SYNC_READ != 0 {
            buffer.begin_cpu_access();
        }
        Ok(())
    }

    /// Makes a sync_file of the fences that a reader or a writer waits for now.
    fn export_fences(&self, caller: &Caller<'_>, usage: Usage) -> Result<i32> {
        let os = self.buffer().os();
        let account = self.buffer().charge().account();
        let fences = match self.buffer().resv().pending(os, usage)?.fences(account)? {
            Some(fences) => fences,
            None => Fences::One(Fence::stub(os)?),
        };
        SyncFile::export(os, account, caller, fences, b"dma-buf")
    }

    /// Makes later users wait for a sync_file, as for a reader or a writer.
    fn import_fences(&self, caller: &Caller<'_>, usage: Usage, fd: i32) -> Result<()> {
        let os = self.buffer().os();
        let fences = SyncFile::import(caller, fd)?;
        self.buffer().resv().import(os, caller, &fences, usage)
    }
}
