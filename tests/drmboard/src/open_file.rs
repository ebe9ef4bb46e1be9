// SPDX-License-Identifier: BSD-2-Clause
//! The server's side of an open file of the board, from open or install to the last close.

use crate::namespace::NODES;
use crate::process::Client;
use crate::sock;
use drm_os_host::File;
use std::os::fd::OwnedFd;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

/// An open file of the board, and the server's end of its socket.
pub(crate) struct OpenFile {
    pub(crate) key: u64,
    pub(crate) file: File,
    /// Device number of a node; 0 for a dma-buf or sync_file.
    pub(crate) device: u64,
    pub(crate) owner: Arc<Client>,
    pub(crate) socket: OwnedFd,
    /// The other end was made readable. Only a client can undo this, before it polls: see
    /// [`Self::ask`].
    readable: Mutex<bool>,
}

impl OpenFile {
    pub(crate) fn new(
        key: u64,
        file: File,
        device: u64,
        owner: &Arc<Client>,
        socket: OwnedFd,
    ) -> OpenFile {
        OpenFile {
            key,
            file,
            device,
            owner: owner.clone(),
            socket,
            readable: Mutex::new(false),
        }
    }

    /// Makes the other end readable when the file is.
    pub(crate) fn look(&self) {
        self.update(&mut self.readable.lock().unwrap());
    }

    /// Under the lock, so that the byte has been sent when `readable` is found set.
    fn update(&self, readable: &mut bool) {
        if self.file.poll() && !*readable {
            *readable = true;
            sock::nudge(&self.socket);
        }
    }

    /// A client is about to poll. Returns true if its end is readable and the file is not: the
    /// client then empties its end and asks again with `emptied`, so that no change in between is
    /// lost.
    pub(crate) fn ask(&self, emptied: bool) -> bool {
        let mut readable = self.readable.lock().unwrap();
        if emptied {
            *readable = false;
        }
        self.update(&mut readable);
        *readable && !self.file.poll()
    }

    /// The target of the link /proc/PID/fd/N on Linux.
    pub(crate) fn link(&self) -> String {
        let minor = libc::minor(self.device);
        match (
            self.device,
            NODES.iter().find(|(_, number)| *number == minor),
        ) {
            (1.., Some((name, _))) => format!("/dev/dri/{name}"),
            _ if self.file.size().is_ok() => "/dmabuf:".into(),
            _ if self.file.polls() => "anon_inode:sync_file".into(),
            _ => "anon_inode:syncobj_file".into(),
        }
    }
}

/// Reads the statistics of a file that is about to be closed.
fn account(open: &OpenFile) {
    if open.device == 0 {
        return;
    }
    let mut usage = open.owner.usage.lock().unwrap();
    for (name, value) in open.file.stats() {
        match name.as_str() {
            "jobs" => usage.jobs += value,
            "faults" => usage.faults += value,
            "resets" => usage.resets += value,
            "mem_peak" => usage.peak = usage.peak.max(value),
            _ => {}
        }
    }
}

/// The closer's thread: last closes, which may sleep.
pub(crate) fn close_files(files: &Receiver<Arc<OpenFile>>) {
    for open in files {
        account(&open);
    }
}
