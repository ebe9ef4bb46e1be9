// SPDX-License-Identifier: BSD-2-Clause
//! Memory of the host: anonymous mappings, and memfds with their mappings.

use std::ffi::c_void;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Maps anonymous zeroed memory; null on failure.
pub(crate) fn map_anonymous(len: usize) -> *mut u8 {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping at an address of the system's choice.
    let p = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            flags,
            -1,
            0,
        )
    };
    if p == libc::MAP_FAILED {
        std::ptr::null_mut()
    } else {
        p.cast()
    }
}

/// Creates a sparse file of zeroes.
pub(crate) fn new_memfd(size: u64) -> Option<OwnedFd> {
    // SAFETY: a literal name.
    let fd = unsafe { libc::memfd_create(c"drm_os_object".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return None;
    }
    // SAFETY: a new descriptor of ours.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let len = libc::off_t::try_from(size).ok()?;
    // SAFETY: our own descriptor.
    (unsafe { libc::ftruncate(fd.as_raw_fd(), len) } == 0).then_some(fd)
}

/// Maps the file shared; 0 on failure.
pub(crate) fn map_file(fd: BorrowedFd<'_>, off: u64, len: usize) -> usize {
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at an address of the system's choice.
    let p = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            len,
            prot,
            libc::MAP_SHARED,
            fd.as_raw_fd(),
            off as libc::off_t,
        )
    };
    if p == libc::MAP_FAILED {
        0
    } else {
        p as usize
    }
}

pub(crate) fn unmap(addr: usize, len: usize) {
    if addr != 0 {
        // SAFETY: the callers pass mappings of their own that are no longer used.
        unsafe { libc::munmap(addr as *mut c_void, len) };
    }
}
