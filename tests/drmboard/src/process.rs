// SPDX-License-Identifier: BSD-2-Clause
//! A client process: its memory, its descriptors, and its counts.
//!
//! It is identified by a pidfd, so a reused process id causes no error, and its end is detected
//! even if forked children have copies of its sockets.

use crate::server::Shared;
use crate::sock;
use drm_os_host::{sys, File, Process};
use rustix::process::{pidfd_getfd, pidfd_open, Pid, PidfdFlags, PidfdGetfdFlags};
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Counts of one client, and of its files that are closed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) jobs: u64,
    pub(crate) faults: u64,
    pub(crate) resets: u64,
    /// Largest `mem_peak` of its files, bytes.
    pub(crate) peak: u64,
    /// Files that it had opened and that were open when the board was taken down.
    pub(crate) leaked: u64,
}

pub(crate) struct Client {
    pub(crate) pid: i32,
    uid: u32,
    pub(crate) pidfd: OwnedFd,
    comm: Mutex<String>,
    pub(crate) ioctls: AtomicU64,
    /// Submits that the driver refused.
    pub(crate) refused: AtomicU64,
    pub(crate) usage: Mutex<Usage>,
    asked_for_screen: AtomicBool,
}

impl Client {
    /// # Errors
    ///
    /// The process has already ended.
    pub(crate) fn new(pid: i32, uid: u32) -> std::io::Result<Client> {
        let known = Pid::from_raw(pid).ok_or(std::io::ErrorKind::NotFound)?;
        let pidfd = pidfd_open(known, PidfdFlags::empty())?;
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let client = Client {
            pid,
            uid,
            pidfd,
            comm: Mutex::default(),
            ioctls: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            usage: Mutex::default(),
            asked_for_screen: AtomicBool::new(false),
        };
        client.set_comm(&comm);
        Ok(client)
    }

    /// One word, for reports.
    pub(crate) fn comm(&self) -> String {
        self.comm.lock().unwrap().clone()
    }

    pub(crate) fn set_comm(&self, comm: &str) {
        let word: String = comm
            .trim()
            .chars()
            .map(|c| if c.is_whitespace() { '_' } else { c })
            .collect();
        *self.comm.lock().unwrap() = word;
    }

    /// Returns true the first time, when the missing screen is reported to the user.
    pub(crate) fn first_without_screen(&self) -> bool {
        !self.asked_for_screen.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn dead(&self) -> bool {
        sock::readable(&self.pidfd, Duration::ZERO)
    }

    /// Copies bytes between this process and `buf`; EFAULT unless all were copied.
    fn transfer(&self, addr: u64, buf: *mut u8, len: usize, call: libc::c_long) -> Result<(), i32> {
        if len == 0 {
            return Ok(());
        }
        let local = libc::iovec {
            iov_base: buf.cast(),
            iov_len: len,
        };
        let remote = libc::iovec {
            iov_base: addr as *mut _,
            iov_len: len,
        };
        // SAFETY: `buf` is valid for `len` bytes by the callers; the kernel checks the other side.
        let n = unsafe { libc::syscall(call, self.pid, &local, 1usize, &remote, 1usize, 0usize) };
        if usize::try_from(n) == Ok(len) {
            Ok(())
        } else {
            Err(sys::DRM_OS_EFAULT as i32)
        }
    }
}

impl Client {
    /// Whether the process can have `count` more descriptors; it has them only after the request.
    fn has_room_for(&self, count: usize) -> bool {
        let mut limit = libc::rlimit {
            rlim_cur: libc::RLIM_INFINITY,
            rlim_max: 0,
        };
        // SAFETY: the limit is ours to be filled.
        let status =
            unsafe { libc::prlimit(self.pid, libc::RLIMIT_NOFILE, std::ptr::null(), &mut limit) };
        let Ok(entries) = std::fs::read_dir(format!("/proc/{}/fd", self.pid)) else {
            return true;
        };
        let names =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u64>().ok());
        let used: BTreeSet<u64> = names.collect();
        let free = (0..limit.rlim_cur).filter(|number| !used.contains(number));
        status != 0 || free.take(count).count() == count
    }
}

/// A file that a request installed, before the client has a descriptor of it.
pub(crate) struct Installed {
    /// A placeholder for the descriptor's number in the argument until the client has one.
    pub(crate) token: i32,
    pub(crate) file: File,
    pub(crate) cloexec: bool,
}

/// A client during one request.
pub(crate) struct Call {
    pub(crate) client: Arc<Client>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) installed: Mutex<Vec<Installed>>,
}

/// Numbers that do not occur by chance in an ioctl argument.
fn token() -> i32 {
    static TOKENS: seeded::Shared = seeded::Shared::new(0);
    (TOKENS.next() & 0x3fff_ffff) as i32 | 0x4000_0000
}

impl Process for Call {
    fn pid(&self) -> i32 {
        self.client.pid
    }
    fn uid(&self) -> u32 {
        self.client.uid
    }
    fn comm(&self) -> String {
        self.client.comm()
    }
    fn privileged(&self) -> bool {
        self.client.uid == 0
    }
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), i32> {
        self.client.transfer(
            addr,
            buf.as_mut_ptr(),
            buf.len(),
            libc::SYS_process_vm_readv,
        )
    }
    fn write(&self, addr: u64, buf: &[u8]) -> Result<(), i32> {
        self.client.transfer(
            addr,
            buf.as_ptr().cast_mut(),
            buf.len(),
            libc::SYS_process_vm_writev,
        )
    }
    fn install(&self, file: File, cloexec: bool) -> Result<i32, i32> {
        let mut installed = self.installed.lock().unwrap();
        if installed.len() >= crate::proto::MAX_FDS
            || !self.client.has_room_for(installed.len() + 1)
        {
            return Err(sys::DRM_OS_EMFILE as i32);
        }
        let token = token();
        installed.push(Installed {
            token,
            file,
            cloexec,
        });
        Ok(token)
    }
    fn withdraw(&self, fd: i32) {
        self.installed
            .lock()
            .unwrap()
            .retain(|given| given.token != fd);
    }
    fn file(&self, fd: i32) -> Result<File, i32> {
        let copy = pidfd_getfd(&self.client.pidfd, fd, PidfdGetfdFlags::empty());
        // The copy is closed at once: while it is open, the last close of the file is not detected.
        let key = copy
            .map(|copy| sock::peer_key(copy, &self.shared.name))
            .map_err(|_| sys::DRM_OS_EBADF as i32)?;
        let open = key.and_then(|key| self.shared.file(key));
        open.map(|open| open.file.clone())
            .ok_or(sys::DRM_OS_EINVAL as i32)
    }
}
