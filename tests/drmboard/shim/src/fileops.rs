// SPDX-License-Identifier: BSD-2-Clause
//! open, ioctl, mmap and lseek.
//!
//! The variadic functions are defined with their full argument lists: on the System V x86_64 and
//! AAPCS64 calling conventions integer arguments of a variadic call travel in the same registers.

use crate::control::{call, close, fail, key, Raw};
use crate::links::own_fd;
use crate::proto::{Request, DRM_MAJOR, OP_IOCTL, OP_MMAP, OP_OPEN, OP_STAT};
use crate::stat::{node_path, what};
use libc::{c_char, c_int, c_long, c_ulong, c_void, mode_t, off_t, size_t};
use std::ffi::CStr;
use std::mem::zeroed;
use std::ptr::addr_of_mut;

/// True if a path can name a DRM node, or a descriptor of one in /proc; what passes is checked
/// with stat.
fn plausible(path: &[u8]) -> bool {
    path.windows(4)
        .any(|w| matches!(w, b"card" | b"rend" | b"/fd/"))
}

/// Opens a node of the board; None if `path` is not one.
///
/// # Safety
/// `path` is NULL or a NUL-ended string.
unsafe fn open_node(dir: c_int, path: *const c_char, flags: c_int) -> Option<c_int> {
    if path.is_null() || flags & libc::O_PATH != 0 {
        return None;
    }
    // SAFETY: the caller passes a string.
    if !plausible(unsafe { CStr::from_ptr(path) }.to_bytes())
        || crate::config::get().socket().is_empty()
    {
        return None;
    }
    let mode = match flags & libc::O_ACCMODE {
        libc::O_RDONLY => libc::R_OK,
        libc::O_WRONLY => libc::W_OK,
        _ => libc::R_OK | libc::W_OK,
    };
    // SAFETY: plain system calls; st is valid for the call.
    let (mut st, mut allowed) = unsafe {
        let mut st: libc::stat = zeroed();
        let follow = if flags & libc::O_NOFOLLOW != 0 {
            libc::AT_SYMLINK_NOFOLLOW
        } else {
            0
        };
        if libc::syscall(libc::SYS_newfstatat, dir, path, addr_of_mut!(st), follow) != 0 {
            return None;
        }
        (st, libc::syscall(libc::SYS_faccessat, dir, path, mode) == 0)
    };
    if st.st_mode & libc::S_IFMT == libc::S_IFSOCK {
        // The kernel can open a node by its name in /proc, but neither a socket nor a dma-buf.
        // SAFETY: as above.
        let fd = own_fd(unsafe { CStr::from_ptr(path) }.to_bytes())?;
        let node = what(fd).filter(|what| what.device != 0)?;
        (st.st_mode, st.st_rdev) = (libc::S_IFCHR, node.device);
        let path = node_path(node.device);
        // SAFETY: a NUL-ended path.
        allowed =
            unsafe { libc::syscall(libc::SYS_faccessat, libc::AT_FDCWD, path.as_ptr(), mode) } == 0;
    }
    if st.st_mode & libc::S_IFMT != libc::S_IFCHR || libc::major(st.st_rdev) != DRM_MAJOR {
        return None;
    }
    if !allowed {
        return Some(fail(libc::EACCES));
    }
    let request = Request {
        op: OP_OPEN,
        code: libc::minor(st.st_rdev),
        ..Request::default()
    };
    let answer = match call(request, Raw::NONE, Raw::NONE) {
        Ok(answer) => answer,
        Err(error) => return Some(fail(error)),
    };
    let fd = answer.fds[0];
    if fd < 0 {
        // The kernel drops descriptors that do not fit into the process's table.
        return Some(fail(libc::EMFILE));
    }
    // SAFETY: plain system calls on a descriptor of ours.
    unsafe {
        if flags & libc::O_CLOEXEC == 0 {
            libc::syscall(libc::SYS_fcntl, fd, libc::F_SETFD, 0 as c_long);
        }
        if flags & libc::O_NONBLOCK != 0 {
            libc::syscall(
                libc::SYS_fcntl,
                fd,
                libc::F_SETFL,
                c_long::from(libc::O_NONBLOCK),
            );
        }
    }
    Some(fd)
}

type Open = unsafe extern "C" fn(*const c_char, c_int, mode_t) -> c_int;
type OpenAt = unsafe extern "C" fn(c_int, *const c_char, c_int, mode_t) -> c_int;
type Mmap = unsafe extern "C" fn(*mut c_void, size_t, c_int, c_int, c_int, off_t) -> *mut c_void;

macro_rules! opens {
    ($($name:ident $literal:literal),*) => {$(
        /// open(2).
        ///
        /// # Safety
        /// As in C.
        #[no_mangle]
        pub unsafe extern "C" fn $name(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
            // SAFETY: the caller's arguments.
            unsafe {
                match open_node(libc::AT_FDCWD, path, flags) {
                    Some(fd) => fd,
                    None => next!($literal: Open)(path, flags, mode),
                }
            }
        }
    )*};
}
opens!(open c"open", open64 c"open64", __open_2 c"__open_2", __open64_2 c"__open64_2");

macro_rules! openats {
    ($($name:ident $literal:literal),*) => {$(
        /// openat(2).
        ///
        /// # Safety
        /// As in C.
        #[no_mangle]
        pub unsafe extern "C" fn $name(
            dir: c_int,
            path: *const c_char,
            flags: c_int,
            mode: mode_t,
        ) -> c_int {
            // SAFETY: the caller's arguments.
            unsafe {
                match open_node(dir, path, flags) {
                    Some(fd) => fd,
                    None => next!($literal: OpenAt)(dir, path, flags, mode),
                }
            }
        }
    )*};
}
openats!(
    openat c"openat", openat64 c"openat64", __openat_2 c"__openat_2",
    __openat64_2 c"__openat64_2"
);

/// Fields of a Linux ioctl code.
const WRITE: u32 = 1;
const READ: u32 = 2;

/// ioctl(2). Only DRM ('d'), dma-buf ('b') and sync_file ('>') requests on the board's files go to
/// the server.
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn ioctl(fd: c_int, code: c_ulong, arg: *mut c_void) -> c_int {
    let code = code as u32;
    let ours = match (code >> 8) as u8 {
        b'd' | b'b' | b'>' => key(fd),
        _ => None,
    };
    let Some(key) = ours else {
        // SAFETY: the caller's arguments.
        return unsafe {
            next!(c"ioctl": unsafe extern "C" fn(c_int, c_ulong, *mut c_void) -> c_int)(
                fd,
                code.into(),
                arg,
            )
        };
    };
    let size = (code >> 16 & 0x3fff) as usize;
    let out = Raw {
        at: arg,
        len: if code >> 30 & WRITE != 0 { size } else { 0 },
    };
    let into = Raw {
        at: arg,
        len: if code >> 30 & READ != 0 { size } else { 0 },
    };
    let request = Request {
        op: OP_IOCTL,
        key,
        code,
        arg: arg as u64,
        ..Request::default()
    };
    let answer = match call(request, out, into) {
        Ok(answer) => answer,
        Err(error) => return fail(error),
    };
    for i in 0..(answer.reply.fds as usize).min(answer.fds.len()) {
        let new = answer.fds[i];
        let at = answer.reply.fd_at[i] as usize;
        if new < 0 || at + 4 > into.len {
            answer
                .fds
                .iter()
                .filter(|fd| **fd >= 0)
                .for_each(|fd| close(*fd));
            return fail(libc::EMFILE);
        }
        if answer.reply.cloexec & 1 << i == 0 {
            // SAFETY: plain system call on a descriptor of ours.
            unsafe { libc::syscall(libc::SYS_fcntl, new, libc::F_SETFD, 0 as c_long) };
        }
        // SAFETY: the kernel has just written `into.len` bytes at `arg`, and `at + 4` is within.
        unsafe {
            arg.cast::<u8>()
                .add(at)
                .cast::<c_int>()
                .write_unaligned(new)
        };
    }
    answer.reply.value as c_int
}

unsafe fn map(
    addr: *mut c_void,
    len: size_t,
    prot: c_int,
    flags: c_int,
    fd: c_int,
    off: off_t,
) -> *mut c_void {
    let fd = if flags & libc::MAP_ANONYMOUS == 0 {
        key(fd).ok_or(fd)
    } else {
        Err(fd)
    };
    let key = match fd {
        Ok(key) => key,
        Err(fd) => {
            // SAFETY: the caller's arguments.
            return unsafe { next!(c"mmap": Mmap)(addr, len, prot, flags, fd, off) };
        }
    };
    let kind = flags & libc::MAP_TYPE;
    if kind != libc::MAP_SHARED && kind != libc::MAP_SHARED_VALIDATE {
        fail(libc::EINVAL);
        return libc::MAP_FAILED;
    }
    let request = Request {
        op: OP_MMAP,
        key,
        arg: off as u64,
        extra: len as u64,
        ..Request::default()
    };
    let answer = match call(request, Raw::NONE, Raw::NONE) {
        Ok(answer) if answer.fds[0] >= 0 => answer,
        Ok(_) => {
            fail(libc::ENFILE);
            return libc::MAP_FAILED;
        }
        Err(error) => {
            fail(error);
            return libc::MAP_FAILED;
        }
    };
    // SAFETY: the caller's arguments, with a memfd in place of the file.
    let at = unsafe {
        libc::syscall(
            libc::SYS_mmap,
            addr,
            len,
            c_long::from(prot),
            c_long::from(flags),
            c_long::from(answer.fds[0]),
            answer.reply.value,
        )
    };
    let saved = crate::control::errno();
    close(answer.fds[0]);
    fail(saved);
    at as *mut c_void
}

/// mmap(2).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn mmap(
    addr: *mut c_void,
    len: size_t,
    prot: c_int,
    flags: c_int,
    fd: c_int,
    off: off_t,
) -> *mut c_void {
    // SAFETY: the caller's arguments.
    unsafe { map(addr, len, prot, flags, fd, off) }
}

/// mmap(2).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn mmap64(
    addr: *mut c_void,
    len: size_t,
    prot: c_int,
    flags: c_int,
    fd: c_int,
    off: off_t,
) -> *mut c_void {
    // SAFETY: the caller's arguments.
    unsafe { map(addr, len, prot, flags, fd, off) }
}

/// The result of lseek on a file of the board; None if `fd` is not one. A dma-buf reports its size
/// at SEEK_END and has no other offset than 0; a node stays at 0.
fn seek(fd: c_int, off: off_t, whence: c_int) -> Option<off_t> {
    let request = Request {
        op: OP_STAT,
        key: key(fd)?,
        ..Request::default()
    };
    Some(match call(request, Raw::NONE, Raw::NONE) {
        Err(error) => fail(error).into(),
        Ok(answer) if answer.reply.value != 0 => 0,
        // A sync_file or a sync object has no size, and no offset.
        Ok(answer) if answer.reply.value2 == 0 => fail(libc::ESPIPE).into(),
        Ok(_) if off != 0 => fail(libc::EINVAL).into(),
        Ok(answer) => match whence {
            libc::SEEK_SET => 0,
            libc::SEEK_END => answer.reply.value2 as off_t,
            _ => fail(libc::EINVAL).into(),
        },
    })
}

macro_rules! seeks {
    ($($name:ident),*) => {$(
        /// lseek(2). A socket has no offset, so only ESPIPE makes us look closer.
        ///
        /// # Safety
        /// As in C.
        #[no_mangle]
        pub unsafe extern "C" fn $name(fd: c_int, off: off_t, whence: c_int) -> off_t {
            // SAFETY: the caller's arguments.
            let at = unsafe { libc::syscall(libc::SYS_lseek, fd, off, whence) };
            if at == -1 && crate::control::errno() == libc::ESPIPE {
                if let Some(at) = seek(fd, off, whence) {
                    return at;
                }
                fail(libc::ESPIPE);
            }
            at
        }
    )*};
}
seeks!(lseek, lseek64);
