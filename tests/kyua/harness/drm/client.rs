// SPDX-License-Identifier: BSD-2-Clause
//! What most tests do many times: buffers and submits. Handles are given back on
//! drop.
//!
//! Nothing here hides an error: each method is one ioctl (or the two that belong together) and
//! gives its errno.

use super::{Mapping, Node};
use crate::errno::Sys;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use uapi::core::{GemClose, PrimeHandle, GEM_CLOSE, PRIME_FD_TO_HANDLE, PRIME_HANDLE_TO_FD};
use uapi::panfrost::{
    CreateBo, GetBoOffset, GetParam, MmapBo, Submit40, WaitBo, CREATE_BO, GET_BO_OFFSET, GET_PARAM,
    MMAP_BO, SUBMIT_40, WAIT_BO,
};

/// A buffer object of a file.
#[derive(Debug)]
pub struct Bo<'a> {
    node: &'a Node,
    /// Its handle.
    pub handle: u32,
    /// Its address on the GPU.
    pub va: u64,
    /// Bytes asked for.
    pub size: u32,
}

impl Bo<'_> {
    /// Maps the whole buffer.
    ///
    /// # Errors
    /// What MMAP_BO and mmap(2) give.
    pub fn map(&self) -> Sys<Mapping> {
        let offset = self.node.map_offset(self.handle)?;
        self.node.map(offset, self.size as usize)
    }

    /// WAIT_BO with an absolute timeout.
    ///
    /// # Errors
    /// What WAIT_BO gives.
    pub fn wait(&self, timeout_ns: i64) -> Sys<i32> {
        self.node.wait_bo(self.handle, timeout_ns)
    }
}

impl Drop for Bo<'_> {
    fn drop(&mut self) {
        // A test may have closed it itself.
        let _ = self.node.gem_close(self.handle);
    }
}

/// What a submit takes, for [`Node::submit`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Work<'a> {
    /// GPU address of the first job.
    pub jc: u64,
    /// Sync objects to wait for.
    pub in_syncs: &'a [u32],
    /// Sync object to fill, or 0.
    pub out_sync: u32,
    /// Buffers that take part in implicit synchronisation.
    pub bos: &'a [u32],
    /// `REQ_` bits.
    pub requirements: u32,
}

impl Work<'_> {
    /// The ioctl's argument; it points into `self`'s slices.
    pub fn argument(&self) -> Submit40 {
        Submit40 {
            jc: self.jc,
            in_syncs: self.in_syncs.as_ptr() as u64,
            in_sync_count: self.in_syncs.len() as u32,
            out_sync: self.out_sync,
            bo_handles: self.bos.as_ptr() as u64,
            bo_handle_count: self.bos.len() as u32,
            requirements: self.requirements,
        }
    }
}

pub(super) fn take(fd: RawFd) -> Node {
    // SAFETY: the kernel has just made the descriptor for this call; it has no other owner.
    Node::from(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Handles that [`Node::live_handles`] checks.
const HANDLES_CHECKED: std::ops::Range<u32> = 1..257;

impl Node {
    /// Value of a panfrost parameter.
    ///
    /// # Errors
    /// What GET_PARAM gives.
    pub fn param(&self, param: u32) -> Sys<u64> {
        let mut arg = GetParam {
            param,
            ..GetParam::default()
        };
        self.ioctl(GET_PARAM, &mut arg)?;
        Ok(arg.value)
    }

    /// A new buffer of `size` bytes.
    ///
    /// # Errors
    /// What CREATE_BO gives.
    pub fn bo(&self, size: u32, flags: u32) -> Sys<Bo<'_>> {
        let mut arg = CreateBo {
            size,
            flags,
            ..CreateBo::default()
        };
        self.ioctl(CREATE_BO, &mut arg)?;
        Ok(Bo {
            node: self,
            handle: arg.handle,
            va: arg.offset,
            size,
        })
    }

    /// Gives up a buffer's handle.
    ///
    /// # Errors
    /// What GEM_CLOSE gives.
    pub fn gem_close(&self, handle: u32) -> Sys<()> {
        self.ioctl(GEM_CLOSE, &mut GemClose { handle, pad: 0 })
            .map(drop)
    }

    /// The address of a buffer on the GPU.
    ///
    /// # Errors
    /// What GET_BO_OFFSET gives.
    pub fn bo_offset(&self, handle: u32) -> Sys<u64> {
        let mut arg = GetBoOffset {
            handle,
            ..GetBoOffset::default()
        };
        self.ioctl(GET_BO_OFFSET, &mut arg)?;
        Ok(arg.offset)
    }

    /// The offset at which mmap(2) finds a buffer.
    ///
    /// # Errors
    /// What MMAP_BO gives.
    pub fn map_offset(&self, handle: u32) -> Sys<u64> {
        let mut arg = MmapBo {
            handle,
            ..MmapBo::default()
        };
        self.ioctl(MMAP_BO, &mut arg)?;
        Ok(arg.offset)
    }

    /// Waits for a buffer.
    ///
    /// # Errors
    /// What WAIT_BO gives.
    pub fn wait_bo(&self, handle: u32, timeout_ns: i64) -> Sys<i32> {
        self.ioctl(
            WAIT_BO,
            &mut WaitBo {
                handle,
                pad: 0,
                timeout_ns,
            },
        )
    }

    /// Handles of buffers that this file has, among the first 256 numbers.
    pub fn live_handles(&self) -> Vec<u32> {
        HANDLES_CHECKED
            .filter(|handle| self.bo_offset(*handle).is_ok())
            .collect()
    }

    /// A dma-buf of a buffer.
    ///
    /// # Errors
    /// What PRIME_HANDLE_TO_FD gives.
    pub fn export(&self, handle: u32, flags: i32) -> Sys<Node> {
        let mut arg = PrimeHandle {
            handle,
            flags: flags as u32,
            fd: -1,
        };
        self.ioctl(PRIME_HANDLE_TO_FD, &mut arg)?;
        Ok(take(arg.fd))
    }

    /// A handle of a dma-buf's buffer.
    ///
    /// # Errors
    /// What PRIME_FD_TO_HANDLE gives.
    pub fn import(&self, fd: &impl AsRawFd) -> Sys<u32> {
        let mut arg = PrimeHandle {
            fd: fd.as_raw_fd(),
            ..PrimeHandle::default()
        };
        self.ioctl(PRIME_FD_TO_HANDLE, &mut arg)?;
        Ok(arg.handle)
    }

    /// Submits in the form of driver 1.0 to 1.4, which every version takes.
    ///
    /// # Errors
    /// What SUBMIT gives.
    pub fn submit(&self, work: &Work<'_>) -> Sys<()> {
        self.ioctl(SUBMIT_40, &mut work.argument()).map(drop)
    }
}
