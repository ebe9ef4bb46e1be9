// SPDX-License-Identifier: BSD-2-Clause
//! The stat family on descriptors. Paths are left to the kernel: the nodes below /dev/dri are real
//! device nodes.
//!
//! The kernel is called first; only if the descriptor is a socket, the server is asked.

use crate::control::{call, key, Raw};
use crate::proto::{Request, OP_STAT};
use libc::{c_char, c_int, c_uint, mode_t};
use std::ptr::addr_of;

pub(crate) struct What {
    /// 0 if it is no device node.
    pub(crate) device: u64,
    size: u64,
    identity: u64,
}

impl What {
    /// Device nodes are character devices; Linux gives a dma-buf and a sync_file an inode without a
    /// type.
    fn mode(&self) -> mode_t {
        if self.device != 0 {
            libc::S_IFCHR | 0o660
        } else {
            0o600
        }
    }
}

/// Asks the server; None if `fd` is not of the board. Preserves errno.
pub(crate) fn what(fd: c_int) -> Option<What> {
    let key = key(fd)?;
    let saved = crate::control::errno();
    let answer = call(
        Request {
            op: OP_STAT,
            key,
            ..Request::default()
        },
        Raw::NONE,
        Raw::NONE,
    );
    crate::control::fail(saved);
    let reply = answer.ok()?.reply;
    Some(What {
        device: reply.value,
        size: reply.value2,
        identity: reply.value3,
    })
}

/// The path of the node with this number.
pub(crate) fn node_path(device: u64) -> [u8; 32] {
    let minor = libc::minor(device);
    let stem: &[u8] = if minor < 128 {
        b"/dev/dri/card"
    } else {
        b"/dev/dri/renderD"
    };
    let mut path = [0u8; 32];
    path[..stem.len()].copy_from_slice(stem);
    let mut digits = [0u8; 12];
    if let Some(digits) = crate::links::decimal(minor as c_int, &mut digits) {
        path[stem.len()..stem.len() + digits.len()].copy_from_slice(digits);
    }
    path
}

/// # Safety
/// `st` was filled by the kernel for `fd`.
unsafe fn amend(fd: c_int, st: *mut libc::stat) {
    // SAFETY: the caller's.
    let st = unsafe { &mut *st };
    if st.st_mode & libc::S_IFMT != libc::S_IFSOCK {
        return;
    }
    if let Some(what) = what(fd) {
        // All fields of a node (owner, times, inode and others) are those of its path, if it is
        // visible. SAFETY: stat is plain data; the path is NUL-ended.
        let (there, node) = unsafe {
            let (mut node, path): (libc::stat, _) = (std::mem::zeroed(), node_path(what.device));
            let result = libc::syscall(
                libc::SYS_newfstatat,
                libc::AT_FDCWD,
                path.as_ptr(),
                &raw mut node,
                0,
            );
            (what.device != 0 && result == 0, node)
        };
        if there && node.st_rdev == what.device {
            *st = node;
            return;
        }
        st.st_mode = what.mode();
        st.st_rdev = what.device;
        st.st_size = what.size as libc::off_t;
        st.st_ino = what.identity;
        st.st_nlink = 1;
    }
}

unsafe fn by_fd(fd: c_int, st: *mut libc::stat) -> c_int {
    // SAFETY: the caller's arguments; the kernel's structure is the C library's on both machines.
    unsafe {
        let result = libc::syscall(libc::SYS_fstat, fd, st) as c_int;
        if result == 0 {
            amend(fd, st);
        }
        result
    }
}

/// True if a path is empty: then the call is for the descriptor itself.
unsafe fn empty(path: *const c_char, flags: c_int) -> bool {
    // SAFETY: the kernel has read the path already, without fault.
    flags & libc::AT_EMPTY_PATH != 0 && (path.is_null() || unsafe { *path } == 0)
}

unsafe fn by_path(dir: c_int, path: *const c_char, st: *mut libc::stat, flags: c_int) -> c_int {
    // SAFETY: the caller's arguments.
    unsafe {
        let result = libc::syscall(libc::SYS_newfstatat, dir, path, st, flags) as c_int;
        if result == 0 && empty(path, flags) {
            amend(dir, st);
        }
        result
    }
}

macro_rules! fstats {
    ($($name:ident),*) => {$(
        /// fstat(2).
        ///
        /// # Safety
        /// As in C.
        #[no_mangle]
        pub unsafe extern "C" fn $name(fd: c_int, st: *mut libc::stat) -> c_int {
            // SAFETY: the caller's arguments.
            unsafe { by_fd(fd, st) }
        }
    )*};
}
fstats!(fstat, fstat64);

macro_rules! old_fstats {
    ($($name:ident),*) => {$(
        /// fstat(2) as programs built against C libraries before 2.33 call it.
        ///
        /// # Safety
        /// As in C.
        #[no_mangle]
        pub unsafe extern "C" fn $name(_version: c_int, fd: c_int, st: *mut libc::stat) -> c_int {
            // SAFETY: the caller's arguments.
            unsafe { by_fd(fd, st) }
        }
    )*};
}
old_fstats!(__fxstat, __fxstat64);

macro_rules! fstatats {
    ($($name:ident),*) => {$(
        /// fstatat(2).
        ///
        /// # Safety
        /// As in C.
        #[no_mangle]
        pub unsafe extern "C" fn $name(
            dir: c_int,
            path: *const c_char,
            st: *mut libc::stat,
            flags: c_int,
        ) -> c_int {
            // SAFETY: the caller's arguments.
            unsafe { by_path(dir, path, st, flags) }
        }
    )*};
}
fstatats!(fstatat, fstatat64);

macro_rules! old_fstatats {
    ($($name:ident),*) => {$(
        /// fstatat(2) as programs built against C libraries before 2.33 call it.
        ///
        /// # Safety
        /// As in C.
        #[no_mangle]
        pub unsafe extern "C" fn $name(
            _version: c_int,
            dir: c_int,
            path: *const c_char,
            st: *mut libc::stat,
            flags: c_int,
        ) -> c_int {
            // SAFETY: the caller's arguments.
            unsafe { by_path(dir, path, st, flags) }
        }
    )*};
}
old_fstatats!(__fxstatat, __fxstatat64);

/// statx(2).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn statx(
    dir: c_int,
    path: *const c_char,
    flags: c_int,
    mask: c_uint,
    st: *mut libc::statx,
) -> c_int {
    // SAFETY: the caller's arguments.
    unsafe {
        let result = libc::syscall(libc::SYS_statx, dir, path, flags, mask, st) as c_int;
        if result != 0
            || !empty(path, flags)
            || addr_of!((*st).stx_mode).read() as mode_t & libc::S_IFMT != libc::S_IFSOCK
        {
            return result;
        }
        if let Some(what) = what(dir) {
            let path = node_path(what.device);
            let mut node: libc::statx = std::mem::zeroed();
            let there = libc::syscall(
                libc::SYS_statx,
                libc::AT_FDCWD,
                path.as_ptr(),
                0,
                mask,
                &raw mut node,
            ) == 0;
            let device = libc::makedev(node.stx_rdev_major, node.stx_rdev_minor);
            if what.device != 0 && there && device == what.device {
                st.write(node);
                return result;
            }
            (*st).stx_mode = what.mode() as u16;
            (*st).stx_rdev_major = libc::major(what.device);
            (*st).stx_rdev_minor = libc::minor(what.device);
            (*st).stx_size = what.size;
            (*st).stx_ino = what.identity;
        }
        result
    }
}
