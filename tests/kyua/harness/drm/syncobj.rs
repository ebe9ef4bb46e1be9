// SPDX-License-Identifier: BSD-2-Clause
//! Sync objects and points of timelines.

use super::client::take;
use super::Node;
use crate::errno::{on_freebsd, Errno, Sys};
use std::os::fd::AsRawFd;
use uapi::core::{
    SyncobjArray, SyncobjCreate, SyncobjDestroy, SyncobjHandle, SyncobjHandle24,
    SyncobjTimelineArray, SyncobjTimelineWait, SyncobjTransfer, SyncobjWait, SYNCOBJ_CREATE,
    SYNCOBJ_DESTROY, SYNCOBJ_FD_TO_HANDLE, SYNCOBJ_HANDLE_TO_FD, SYNCOBJ_HANDLE_TO_FD_24,
    SYNCOBJ_QUERY, SYNCOBJ_QUERY_LAST_SUBMITTED, SYNCOBJ_RESET, SYNCOBJ_SIGNAL, SYNCOBJ_SYNC_FILE,
    SYNCOBJ_TIMELINE, SYNCOBJ_TIMELINE_SIGNAL, SYNCOBJ_TIMELINE_WAIT, SYNCOBJ_TRANSFER,
    SYNCOBJ_WAIT,
};
use uapi::sync_file::{FileInfo, FILE_INFO};

/// A sync object of a file.
#[derive(Debug)]
pub struct Syncobj<'a> {
    node: &'a Node,
    /// Its handle.
    pub handle: u32,
}

impl Syncobj<'_> {
    /// Waits for it alone.
    ///
    /// # Errors
    /// What SYNCOBJ_WAIT gives.
    pub fn wait(&self, timeout_nsec: i64, flags: u32) -> Sys<u32> {
        self.node.syncobj_wait(&[self.handle], timeout_nsec, flags)
    }

    /// Empties it.
    ///
    /// # Errors
    /// What SYNCOBJ_RESET gives.
    pub fn reset(&self) -> Sys<()> {
        self.node.syncobj_reset(&[self.handle])
    }

    /// Puts a signalled fence in it.
    ///
    /// # Errors
    /// What SYNCOBJ_SIGNAL gives.
    pub fn signal(&self) -> Sys<()> {
        self.node.syncobj_signal(&[self.handle])
    }

    /// A descriptor of the object itself.
    ///
    /// # Errors
    /// What SYNCOBJ_HANDLE_TO_FD gives.
    pub fn export(&self) -> Sys<Node> {
        self.node.syncobj_fd(self.handle, 0)
    }

    /// A sync_file of the fence in it.
    ///
    /// # Errors
    /// What SYNCOBJ_HANDLE_TO_FD gives.
    pub fn sync_file(&self) -> Sys<Node> {
        self.node.syncobj_fd(self.handle, SYNCOBJ_SYNC_FILE)
    }

    /// Signals a point of it.
    ///
    /// # Errors
    /// What SYNCOBJ_TIMELINE_SIGNAL gives.
    pub fn signal_point(&self, point: u64) -> Sys<()> {
        self.node.timeline_signal(&[self.handle], &[point])
    }

    /// Waits for a point of it alone.
    ///
    /// # Errors
    /// What SYNCOBJ_TIMELINE_WAIT gives.
    pub fn wait_point(&self, point: u64, timeout_nsec: i64, flags: u32) -> Sys<u32> {
        self.node
            .timeline_wait(&[self.handle], &[point], timeout_nsec, flags)
    }

    /// The point that is reached, and the last.
    ///
    /// # Errors
    /// What SYNCOBJ_QUERY gives.
    pub fn points(&self) -> Sys<(u64, u64)> {
        let ask = |flags| {
            let mut point = [u64::MAX];
            self.node
                .timeline_query(&[self.handle], &mut point, flags)
                .map(|()| point[0])
        };
        Ok((ask(0)?, ask(SYNCOBJ_QUERY_LAST_SUBMITTED)?))
    }

    /// A sync_file of a point.
    ///
    /// # Errors
    /// What SYNCOBJ_HANDLE_TO_FD gives.
    pub fn sync_file_of_point(&self, point: u64) -> Sys<Node> {
        let mut arg = SyncobjHandle24 {
            handle: self.handle,
            flags: SYNCOBJ_SYNC_FILE | SYNCOBJ_TIMELINE,
            fd: -1,
            pad: 0,
            point,
        };
        self.node.ioctl(SYNCOBJ_HANDLE_TO_FD_24, &mut arg)?;
        Ok(take(arg.fd))
    }

    /// Status of the fence in it: 1 signalled, 0 not yet, negative an errno.
    ///
    /// # Errors
    /// What SYNCOBJ_HANDLE_TO_FD and SYNC_IOC_FILE_INFO give.
    pub fn status(&self) -> Sys<i32> {
        let mut info = FileInfo::default();
        self.sync_file()?.ioctl(FILE_INFO, &mut info)?;
        Ok(info.status)
    }
}

impl Drop for Syncobj<'_> {
    fn drop(&mut self) {
        // A test may have destroyed it itself.
        let _ = self.node.syncobj_destroy(self.handle);
    }
}

impl Node {
    /// A new sync object.
    ///
    /// # Errors
    /// What SYNCOBJ_CREATE gives.
    pub fn syncobj(&self, flags: u32) -> Sys<Syncobj<'_>> {
        let mut arg = SyncobjCreate { handle: 0, flags };
        self.ioctl(SYNCOBJ_CREATE, &mut arg)?;
        Ok(Syncobj {
            node: self,
            handle: arg.handle,
        })
    }

    /// Gives up a sync object's handle.
    ///
    /// # Errors
    /// What SYNCOBJ_DESTROY gives.
    pub fn syncobj_destroy(&self, handle: u32) -> Sys<()> {
        self.ioctl(SYNCOBJ_DESTROY, &mut SyncobjDestroy { handle, pad: 0 })
            .map(drop)
    }

    /// SYNCOBJ_WAIT; gives the index of the first that was signalled.
    ///
    /// # Errors
    /// What SYNCOBJ_WAIT gives.
    pub fn syncobj_wait(&self, handles: &[u32], timeout_nsec: i64, flags: u32) -> Sys<u32> {
        let mut arg = SyncobjWait {
            handles: handles.as_ptr() as u64,
            timeout_nsec,
            count_handles: handles.len() as u32,
            flags,
            ..SyncobjWait::default()
        };
        etime(self.ioctl(SYNCOBJ_WAIT, &mut arg)).map(|_| arg.first_signaled)
    }

    /// SYNCOBJ_TIMELINE_WAIT; gives the index of the first that was signalled.
    ///
    /// # Errors
    /// What SYNCOBJ_TIMELINE_WAIT gives.
    pub fn timeline_wait(
        &self,
        handles: &[u32],
        points: &[u64],
        timeout_nsec: i64,
        flags: u32,
    ) -> Sys<u32> {
        let mut arg = SyncobjTimelineWait {
            handles: handles.as_ptr() as u64,
            points: points.as_ptr() as u64,
            timeout_nsec,
            count_handles: handles.len() as u32,
            flags,
            ..SyncobjTimelineWait::default()
        };
        etime(self.ioctl(SYNCOBJ_TIMELINE_WAIT, &mut arg)).map(|_| arg.first_signaled)
    }

    /// Signals points of sync objects.
    ///
    /// # Errors
    /// What SYNCOBJ_TIMELINE_SIGNAL gives.
    pub fn timeline_signal(&self, handles: &[u32], points: &[u64]) -> Sys<()> {
        let mut arg = SyncobjTimelineArray {
            handles: handles.as_ptr() as u64,
            points: points.as_ptr() as u64,
            count_handles: handles.len() as u32,
            flags: 0,
        };
        self.ioctl(SYNCOBJ_TIMELINE_SIGNAL, &mut arg).map(drop)
    }

    /// SYNCOBJ_QUERY.
    ///
    /// # Errors
    /// What SYNCOBJ_QUERY gives.
    pub fn timeline_query(&self, handles: &[u32], points: &mut [u64], flags: u32) -> Sys<()> {
        assert_eq!(handles.len(), points.len(), "a place for each");
        let mut arg = SyncobjTimelineArray {
            handles: handles.as_ptr() as u64,
            points: points.as_mut_ptr() as u64,
            count_handles: handles.len() as u32,
            flags,
        };
        self.ioctl(SYNCOBJ_QUERY, &mut arg).map(drop)
    }

    /// Adds the fences of a sync object's point to another's; 0 for all of it.
    ///
    /// # Errors
    /// What SYNCOBJ_TRANSFER gives.
    pub fn transfer(&self, from: (u32, u64), to: (u32, u64), flags: u32) -> Sys<()> {
        let mut arg = SyncobjTransfer {
            src_handle: from.0,
            dst_handle: to.0,
            src_point: from.1,
            dst_point: to.1,
            flags,
            pad: 0,
        };
        etime(self.ioctl(SYNCOBJ_TRANSFER, &mut arg)).map(drop)
    }

    /// Empties sync objects.
    ///
    /// # Errors
    /// What SYNCOBJ_RESET gives.
    pub fn syncobj_reset(&self, handles: &[u32]) -> Sys<()> {
        self.ioctl(SYNCOBJ_RESET, &mut array(handles)).map(drop)
    }

    /// Puts a signalled fence in sync objects.
    ///
    /// # Errors
    /// What SYNCOBJ_SIGNAL gives.
    pub fn syncobj_signal(&self, handles: &[u32]) -> Sys<()> {
        self.ioctl(SYNCOBJ_SIGNAL, &mut array(handles)).map(drop)
    }

    /// SYNCOBJ_HANDLE_TO_FD.
    ///
    /// # Errors
    /// What SYNCOBJ_HANDLE_TO_FD gives.
    pub fn syncobj_fd(&self, handle: u32, flags: u32) -> Sys<Node> {
        let mut arg = SyncobjHandle {
            handle,
            flags,
            fd: -1,
            pad: 0,
        };
        self.ioctl(SYNCOBJ_HANDLE_TO_FD, &mut arg)?;
        Ok(take(arg.fd))
    }

    /// A handle of a descriptor's sync object.
    ///
    /// # Errors
    /// What SYNCOBJ_FD_TO_HANDLE gives.
    pub fn syncobj_import(&self, fd: &impl AsRawFd) -> Sys<Syncobj<'_>> {
        let mut arg = SyncobjHandle {
            fd: fd.as_raw_fd(),
            ..SyncobjHandle::default()
        };
        self.ioctl(SYNCOBJ_FD_TO_HANDLE, &mut arg)?;
        Ok(Syncobj {
            node: self,
            handle: arg.handle,
        })
    }

    /// Puts the fence of a sync_file in a sync object.
    ///
    /// # Errors
    /// What SYNCOBJ_FD_TO_HANDLE gives.
    pub fn syncobj_import_fence(&self, handle: u32, fd: &impl AsRawFd) -> Sys<()> {
        let mut arg = SyncobjHandle {
            handle,
            flags: SYNCOBJ_SYNC_FILE,
            fd: fd.as_raw_fd(),
            pad: 0,
        };
        self.ioctl(SYNCOBJ_FD_TO_HANDLE, &mut arg).map(drop)
    }
}

/// FreeBSD has no ETIME to translate.
fn etime<T>(done: Sys<T>) -> Sys<T> {
    match done {
        Err(Errno(libc::ETIMEDOUT)) if on_freebsd() => Err(Errno(libc::ETIME)),
        done => done,
    }
}

fn array(handles: &[u32]) -> SyncobjArray {
    SyncobjArray {
        handles: handles.as_ptr() as u64,
        count_handles: handles.len() as u32,
        pad: 0,
    }
}
