// SPDX-License-Identifier: BSD-2-Clause
//! A client: a file on a board, its buffers, and the address that each has.
//!
//! Nothing here hides an error: each method is one ioctl (or the two that belong together) and
//! gives its errno.

use super::boards::{Board, Core};
use super::soon;
use super::work::{Work, FILL_WORDS};
use crate::drm::{Mapping, Node};
use crate::errno::{Errno, Sys};
use std::cell::Cell;
use std::os::fd::{FromRawFd, OwnedFd};
use uapi::etnaviv::*;
use uapi::sync_file::{FileInfo, FILE_INFO};

/// Where a client's buffers begin with softpin.
const FIRST_VA: u32 = 0x1000_0000;
const PAGE: u64 = 4096;

/// A file on a board.
#[derive(Debug)]
pub struct Client {
    /// The file.
    pub node: Node,
    /// The board.
    pub board: &'static Board,
    next_va: Cell<u32>,
}

/// A buffer of a client.
#[derive(Debug)]
pub struct Bo<'a> {
    client: &'a Client,
    /// Its handle.
    pub handle: u32,
    /// The address that it is given where addresses are the client's.
    pub va: u32,
    /// Bytes asked for.
    pub size: u64,
}

/// What a submit gives.
#[derive(Debug)]
pub struct Submitted {
    /// Number of the fence.
    pub fence: u32,
    /// What is in `fence_fd` afterwards; nobody's when the submit had no SUBMIT_FENCE_FD_OUT.
    pub fence_fd: i32,
}

impl Client {
    /// Opens the render node of a board.
    ///
    /// # Errors
    /// What open(2) gives.
    pub fn open(board: &'static Board) -> Sys<Client> {
        Node::render().map(|node| Client::of(node, board))
    }

    /// A client with a file that is open already.
    pub fn of(node: Node, board: &'static Board) -> Client {
        Client {
            node,
            board,
            next_va: Cell::new(FIRST_VA),
        }
    }

    /// A parameter of a core.
    ///
    /// # Errors
    /// What GET_PARAM gives.
    pub fn param(&self, pipe: u32, param: u32) -> Sys<u64> {
        let mut arg = Param {
            pipe,
            param,
            value: 0,
        };
        self.node.ioctl(GET_PARAM, &mut arg)?;
        Ok(arg.value)
    }

    /// A handle of a new buffer.
    ///
    /// # Errors
    /// What GEM_NEW gives.
    pub fn gem_new(&self, size: u64, flags: u32) -> Sys<u32> {
        let mut arg = GemNew {
            size,
            flags,
            handle: 0,
        };
        self.node.ioctl(GEM_NEW, &mut arg)?;
        Ok(arg.handle)
    }

    /// A new write-combining buffer.
    ///
    /// # Errors
    /// What GEM_NEW gives.
    pub fn bo(&self, size: u64) -> Sys<Bo<'_>> {
        self.bo_with(size, BO_WC)
    }

    /// A new buffer.
    ///
    /// # Errors
    /// What GEM_NEW gives.
    pub fn bo_with(&self, size: u64, flags: u32) -> Sys<Bo<'_>> {
        self.gem_new(size, flags)
            .map(|handle| self.adopt(handle, size))
    }

    /// Makes a buffer of a handle; the handle is given up with it.
    pub fn adopt(&self, handle: u32, size: u64) -> Bo<'_> {
        let va = self.next_va.get();
        // A page stays free after each.
        let pages = size.div_ceil(PAGE).saturating_add(1);
        let end = u64::from(va).saturating_add(pages.saturating_mul(PAGE));
        self.next_va.set(u32::try_from(end).unwrap_or(FIRST_VA));
        Bo {
            client: self,
            handle,
            va,
            size,
        }
    }

    /// A handle of memory of this process.
    ///
    /// # Errors
    /// What GEM_USERPTR gives.
    pub fn userptr(&self, address: usize, size: u64, flags: u32) -> Sys<Bo<'_>> {
        let mut arg = GemUserptr {
            user_ptr: address as u64,
            user_size: size,
            flags,
            handle: 0,
        };
        self.node.ioctl(GEM_USERPTR, &mut arg)?;
        Ok(self.adopt(arg.handle, size))
    }

    /// The offset at which mmap(2) finds a buffer.
    ///
    /// # Errors
    /// What GEM_INFO gives.
    pub fn gem_info(&self, handle: u32) -> Sys<u64> {
        let mut arg = GemInfo {
            handle,
            ..GemInfo::default()
        };
        self.node.ioctl(GEM_INFO, &mut arg)?;
        Ok(arg.offset)
    }

    /// Begins access of the processor.
    ///
    /// # Errors
    /// What GEM_CPU_PREP gives.
    pub fn cpu_prep(&self, handle: u32, op: u32, timeout: Timespec) -> Sys<()> {
        let mut arg = CpuPrep {
            handle,
            op,
            timeout,
        };
        self.node.ioctl(GEM_CPU_PREP, &mut arg).map(drop)
    }

    /// Ends access of the processor.
    ///
    /// # Errors
    /// What GEM_CPU_FINI gives.
    pub fn cpu_fini(&self, handle: u32, flags: u32) -> Sys<()> {
        self.node
            .ioctl(GEM_CPU_FINI, &mut CpuFini { handle, flags })
            .map(drop)
    }

    /// Waits for a fence of a core.
    ///
    /// # Errors
    /// What WAIT_FENCE gives.
    pub fn wait_fence(&self, pipe: u32, fence: u32, flags: u32, timeout: Timespec) -> Sys<()> {
        let mut arg = WaitFence {
            pipe,
            fence,
            flags,
            pad: 0,
            timeout,
        };
        self.node.ioctl(WAIT_FENCE, &mut arg).map(drop)
    }

    /// Waits for a buffer.
    ///
    /// # Errors
    /// What GEM_WAIT gives.
    pub fn gem_wait(&self, pipe: u32, handle: u32, flags: u32, timeout: Timespec) -> Sys<()> {
        let mut arg = GemWait {
            pipe,
            handle,
            flags,
            pad: 0,
            timeout,
        };
        self.node.ioctl(GEM_WAIT, &mut arg).map(drop)
    }

    /// No commands for the core that most cases use.
    pub fn work(&self) -> Work {
        self.work_on(self.board.core())
    }

    /// No commands for a core.
    pub fn work_on(&self, core: &Core) -> Work {
        Work::new(self.board, core)
    }

    /// Submits.
    ///
    /// # Errors
    /// What GEM_SUBMIT gives.
    pub fn submit(&self, work: &Work) -> Sys<Submitted> {
        let mut arg = work.argument();
        self.node.ioctl(GEM_SUBMIT, &mut arg)?;
        Ok(Submitted {
            fence: arg.fence,
            fence_fd: arg.fence_fd,
        })
    }

    /// Submits with a sync_file of the end.
    ///
    /// # Errors
    /// What GEM_SUBMIT gives.
    pub fn start(&self, work: &Work) -> Sys<(u32, Node)> {
        let done = self.submit(&work.clone().flags(SUBMIT_FENCE_FD_OUT))?;
        if done.fence_fd < 0 {
            return Err(Errno(libc::EBADF));
        }
        // SAFETY: the kernel has just made the descriptor for this call; it has no other owner.
        let fd = unsafe { OwnedFd::from_raw_fd(done.fence_fd) };
        Ok((done.fence, Node::from(fd)))
    }

    /// Submits, waits, and gives how it ended: 1 well, negative an errno.
    ///
    /// # Errors
    /// What GEM_SUBMIT, WAIT_FENCE and SYNC_IOC_FILE_INFO give.
    pub fn run(&self, work: &Work) -> Sys<i32> {
        let (fence, fd) = self.start(work)?;
        self.wait_fence(work.pipe, fence, 0, soon())?;
        status(&fd)
    }

    /// Whether every core of the board fills memory.
    ///
    /// # Errors
    /// What the ioctls of it give.
    pub fn is_well(&self) -> Sys<bool> {
        let target = self.bo(PAGE)?;
        let map = target.map()?;
        let mut well = true;
        for core in self.board.cores {
            let value = 0x600d_0000 | core.pipe;
            let work = self.work_on(core).fill(&target, 512, value);
            well &= self.run(&work)? == 1 && filled(&map, 512, value) && map.read_u32(0) == 0;
        }
        Ok(well)
    }
}

impl Bo<'_> {
    /// Maps the whole buffer.
    ///
    /// # Errors
    /// What GEM_INFO and mmap(2) give.
    pub fn map(&self) -> Sys<Mapping> {
        let offset = self.client.gem_info(self.handle)?;
        self.client.node.map(offset, self.size as usize)
    }
}

impl Drop for Bo<'_> {
    fn drop(&mut self) {
        // A test may have closed it itself.
        let _ = self.client.node.gem_close(self.handle);
    }
}

/// Status of a sync_file: 1 signalled, 0 not yet, negative an errno.
///
/// # Errors
/// What SYNC_IOC_FILE_INFO gives.
pub fn status(fd: &Node) -> Sys<i32> {
    let mut info = FileInfo::default();
    fd.ioctl(FILE_INFO, &mut info)?;
    Ok(info.status)
}

/// Whether the words that a fill at `at` fills have a value.
pub fn filled(map: &Mapping, at: usize, value: u32) -> bool {
    (0..FILL_WORDS).all(|word| map.read_u32(at + 4 * word) == value)
}
