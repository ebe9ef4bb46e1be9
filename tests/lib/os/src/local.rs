// SPDX-License-Identifier: BSD-2-Clause
//! The process of [`crate::Caller::local`]: this program's memory, accessed so that a bad pointer
//! returns EFAULT.

use crate::caller::Process;
use crate::file::File;
use crate::sys;
use crate::util::lk;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::Mutex;

const FIRST_FD: i32 = 3;
const MAX_FDS: i32 = 4096;

pub(crate) struct LocalProcess {
    comm: String,
    uid: u32,
    fds: Mutex<BTreeMap<i32, File>>,
    /// See [`crate::Caller::keep_withdrawn`].
    withdrawn: Mutex<Option<Vec<File>>>,
}

impl LocalProcess {
    pub(crate) fn new(comm: &str, uid: u32) -> LocalProcess {
        LocalProcess {
            comm: comm.to_string(),
            uid,
            fds: Mutex::default(),
            withdrawn: Mutex::default(),
        }
    }

    pub(crate) fn keep_withdrawn(&self, on: bool) -> Vec<File> {
        let kept = std::mem::replace(&mut *lk(&self.withdrawn), on.then(Vec::new));
        kept.unwrap_or_default()
    }

    pub(crate) fn descriptors(&self) -> usize {
        lk(&self.fds).len()
    }

    pub(crate) fn close(&self, fd: i32) {
        let file = lk(&self.fds).remove(&fd);
        // Dropped without the lock: the last close calls the driver.
        drop(file);
    }
}

type Vm = unsafe extern "C" fn(
    libc::pid_t,
    *const libc::iovec,
    libc::c_ulong,
    *const libc::iovec,
    libc::c_ulong,
    libc::c_ulong,
) -> libc::ssize_t;

fn transfer(f: Vm, ours: *mut c_void, addr: u64, len: usize) -> Result<(), i32> {
    let local = libc::iovec {
        iov_base: ours,
        iov_len: len,
    };
    let remote = libc::iovec {
        iov_base: addr as *mut c_void,
        iov_len: len,
    };
    // SAFETY: `ours` is a buffer of len bytes; the kernel checks the other side.
    let n = unsafe { f(libc::getpid(), &local, 1, &remote, 1, 0) };
    if usize::try_from(n) == Ok(len) {
        Ok(())
    } else {
        Err(sys::DRM_OS_EFAULT as i32)
    }
}

impl Process for LocalProcess {
    fn withdraw(&self, fd: i32) {
        if let (Some(kept), Ok(file)) = (&mut *lk(&self.withdrawn), self.file(fd)) {
            kept.push(file);
        }
        self.close(fd);
    }

    fn pid(&self) -> i32 {
        std::process::id() as i32
    }

    fn uid(&self) -> u32 {
        self.uid
    }

    fn comm(&self) -> String {
        self.comm.clone()
    }

    fn privileged(&self) -> bool {
        false
    }

    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), i32> {
        transfer(
            libc::process_vm_readv,
            buf.as_mut_ptr().cast(),
            addr,
            buf.len(),
        )
    }

    fn write(&self, addr: u64, buf: &[u8]) -> Result<(), i32> {
        transfer(
            libc::process_vm_writev,
            buf.as_ptr().cast_mut().cast(),
            addr,
            buf.len(),
        )
    }

    fn install(&self, f: File, _cloexec: bool) -> Result<i32, i32> {
        let mut fds = lk(&self.fds);
        let fd = (FIRST_FD..MAX_FDS)
            .find(|n| !fds.contains_key(n))
            .ok_or(sys::DRM_OS_EMFILE as i32)?;
        fds.insert(fd, f);
        Ok(fd)
    }

    fn file(&self, fd: i32) -> Result<File, i32> {
        lk(&self.fds)
            .get(&fd)
            .cloned()
            .ok_or(sys::DRM_OS_EBADF as i32)
    }
}
