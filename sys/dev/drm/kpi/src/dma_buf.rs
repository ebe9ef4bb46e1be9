// SPDX-License-Identifier: BSD-2-Clause
//! dma-bufs: buffers behind descriptors, for other processes and other devices.

use crate::alloc::Arc;
use crate::bell::Bell;
use crate::buffer::Buffer;
use crate::errno::{Result, EINVAL, ENOTTY};
use crate::ffi;
use crate::os::{Caller, FdFlags, FileRef, NewFile, Os, UserMapping};
use crate::resv::Usage;
use core::any::Any;

/// A device's object that has been shared.
pub trait Shared: Send + Sync {
    /// Its buffer.
    fn buffer(&self) -> &Arc<Buffer>;
    /// Itself, for the device that made it to recognise its own.
    fn as_any(&self) -> &dyn Any;
}

/// What stands behind a dma-buf descriptor.
pub struct DmaBuf {
    shared: Arc<dyn Shared>,
    bell: Arc<Bell>,
}

/// `_IOW('b', 0, struct dma_buf_sync)`.
const SYNC_NR: u32 = 0;
const SYNC_GROUP: u32 = 0x62;
/// READ 1, WRITE 2, END 4 (include/uapi/linux/dma-buf.h).
const SYNC_VALID: u64 = 7;
const SYNC_READ: u64 = 1;
const SYNC_WRITE: u64 = 2;
const SYNC_END: u64 = 4;

impl DmaBuf {
    /// Gives `caller` a descriptor of `shared`.
    ///
    /// # Errors
    ///
    /// ENOMEM, EMFILE; EINVAL for memory of a process.
    pub fn export(os: Os, caller: &Caller<'_>, shared: Arc<dyn Shared>, flags: FdFlags) -> Result<i32> {
        if shared.buffer().is_of_user() {
            return Err(EINVAL);
        }
        let content = Arc::new(
            os,
            DmaBuf {
                shared,
                bell: Bell::new(os)?,
            },
        )?;
        let file = NewFile::new(os, content.clone())?;
        content.bell.connect(file.waker());
        file.install(caller, flags)
    }

    /// What stands behind descriptor `fd` of `caller`.
    ///
    /// # Errors
    ///
    /// EBADF; EINVAL when it is no dma-buf.
    pub fn import(caller: &Caller<'_>, fd: i32) -> Result<Arc<dyn Shared>> {
        let file = FileRef::<DmaBuf>::get(caller, fd)?;
        Ok(file.shared.clone())
    }

    fn buffer(&self) -> &Arc<Buffer> {
        self.shared.buffer()
    }
}

impl Drop for DmaBuf {
    fn drop(&mut self) {
        self.bell.disconnect();
    }
}

impl ffi::PlainFile for DmaBuf {
    fn size(&self) -> u64 {
        self.buffer().size()
    }

    /// A poll for reading waits for those who write; the fences it found are told to wake it.
    fn readable(&self) -> bool {
        let hook = self.bell.clone().into_hook();
        let Ok(pending) = self.buffer().resv().pending(self.buffer().os(), Usage::Read) else {
            return true;
        };
        let mut idle = true;
        for fence in pending.iter() {
            fence.remove_hook(&hook, 0);
            idle &= !matches!(fence.add_hook(&hook, 0), Ok(true));
        }
        idle
    }

    fn mmap(&self, offset: u64, len: u64) -> Result<UserMapping> {
        let end = offset.checked_add(len).ok_or(EINVAL)?;
        if end > self.buffer().size() {
            return Err(EINVAL);
        }
        Ok(self.buffer().object().user_mapping(offset))
    }

    /// DMA_BUF_IOCTL_SYNC: a begin waits for the device, and nothing else, as for Linux's GEM drivers. A buffer that
    /// CPUs map cached has ioctls of its driver for the rest.
    fn ioctl(&self, caller: &Caller<'_>, group: u32, nr: u32, data: &mut [u8]) -> Result<()> {
        // Linux compares the whole request code, which has the size in it.
        let Ok(flags) = <[u8; 8]>::try_from(&*data) else {
            return Err(ENOTTY);
        };
        if (group, nr) != (SYNC_GROUP, SYNC_NR) {
            return Err(ENOTTY);
        }
        let flags = u64::from_ne_bytes(flags);
        if flags & !SYNC_VALID != 0 || flags & (SYNC_READ | SYNC_WRITE) == 0 {
            return Err(EINVAL);
        }
        if flags & SYNC_END == 0 {
            let usage = if flags & SYNC_WRITE != 0 {
                Usage::Write
            } else {
                Usage::Read
            };
            self.buffer()
                .resv()
                .wait(self.buffer().os(), usage, Some(caller), crate::os::NEVER)?;
        }
        Ok(())
    }
}
