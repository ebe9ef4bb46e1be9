// SPDX-License-Identifier: BSD-2-Clause
//! The links of /proc/self/fd: readlink(2) and realpath(3) of a descriptor of the board give the
//! name that it has on Linux.

use crate::control::{call, errno, fail, key, Raw};
use crate::proto::{Request, OP_LINK};
use libc::{c_char, c_int, c_void, size_t, ssize_t};
use std::ffi::CStr;

/// Room for the name of a descriptor; the server's are shorter.
const MAX: usize = 64;

fn number(digits: &[u8]) -> Option<c_int> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The descriptor of this process to whose link in /proc `path` leads.
pub(crate) fn own_fd(path: &[u8]) -> Option<c_int> {
    let rest = match path.strip_prefix(b"/dev/fd/") {
        Some(rest) => return number(rest),
        None => path.strip_prefix(b"/proc/")?,
    };
    let slash = rest.iter().position(|c| *c == b'/')?;
    let (process, rest) = rest.split_at(slash);
    // SAFETY: getpid has no preconditions.
    let own = matches!(process, b"self" | b"thread-self")
        || number(process) == Some(unsafe { libc::getpid() });
    if !own {
        return None;
    }
    number(rest.strip_prefix(b"/fd/")?)
}

/// As [`own_fd`], for a path that may begin at the directory `dir`.
///
/// # Safety
/// `path` is a NUL-ended string.
unsafe fn own_fd_at(dir: c_int, path: *const c_char) -> Option<c_int> {
    // SAFETY: the caller passes a string.
    let bytes = unsafe { CStr::from_ptr(path) }.to_bytes();
    if bytes.first() == Some(&b'/') {
        return own_fd(bytes);
    }
    let at = number(bytes)?;
    let mut link = [0u8; MAX];
    let mut name = [0u8; MAX];
    let text = b"/proc/self/fd/";
    name[..text.len()].copy_from_slice(text);
    let mut digits = [0u8; 12];
    let digits = decimal(dir, &mut digits)?;
    name[text.len()..text.len() + digits.len()].copy_from_slice(digits);
    // SAFETY: a NUL-ended name, and room for what is read.
    let n = unsafe {
        libc::syscall(
            libc::SYS_readlinkat,
            libc::AT_FDCWD,
            name.as_ptr(),
            link.as_mut_ptr(),
            link.len(),
        )
    };
    let end = usize::try_from(n).ok()?;
    // "/proc/PID/fd" and a number below it.
    let (mut whole, tail) = ([0u8; 2 * MAX], b"/0");
    whole.get_mut(..end)?.copy_from_slice(link.get(..end)?);
    whole.get_mut(end..end + 2)?.copy_from_slice(tail);
    own_fd(whole.get(..end + 2)?).map(|_| at)
}

/// `value` in decimal digits; None for a negative one.
pub(crate) fn decimal(value: c_int, room: &mut [u8; 12]) -> Option<&[u8]> {
    let mut rest = u32::try_from(value).ok()?;
    let mut at = room.len();
    loop {
        at -= 1;
        room[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return room.get(at..);
        }
    }
}

/// The name of `fd`, if it is one of the board's. Preserves errno.
fn name(fd: c_int, room: &mut [u8; MAX]) -> Option<&[u8]> {
    let saved = errno();
    let request = Request {
        op: OP_LINK,
        key: key(fd)?,
        ..Request::default()
    };
    let into = Raw {
        at: room.as_mut_ptr().cast::<c_void>(),
        len: room.len(),
    };
    let answer = call(request, Raw::NONE, into);
    fail(saved);
    room.get(..answer.ok()?.reply.len as usize)
}

/// The result of the kernel, or the board's name if the link leads to a socket.
///
/// # Safety
/// As readlinkat(2) in C, after the kernel has filled `n` bytes of `buf`.
unsafe fn amended(
    dir: c_int,
    path: *const c_char,
    buf: *mut c_char,
    size: size_t,
    n: ssize_t,
) -> ssize_t {
    let Ok(used) = usize::try_from(n) else {
        return n;
    };
    // SAFETY: the kernel has written so much, and read the path.
    let (said, fd) = unsafe {
        (
            std::slice::from_raw_parts(buf.cast::<u8>(), used),
            own_fd_at(dir, path),
        )
    };
    let socket = b"socket:[";
    let like = used > 0 && socket.iter().zip(said).all(|(a, b)| a == b);
    let mut room = [0u8; MAX];
    match fd.filter(|_| like).and_then(|fd| name(fd, &mut room)) {
        Some(name) => {
            let len = name.len().min(size);
            // SAFETY: the caller's buffer has `size` bytes.
            unsafe {
                buf.cast::<u8>()
                    .copy_from_nonoverlapping(name.as_ptr(), len)
            };
            len as ssize_t
        }
        None => n,
    }
}

type Readlink = unsafe extern "C" fn(*const c_char, *mut c_char, size_t) -> ssize_t;
type Readlinkat = unsafe extern "C" fn(c_int, *const c_char, *mut c_char, size_t) -> ssize_t;

/// readlink(2).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn readlink(path: *const c_char, buf: *mut c_char, size: size_t) -> ssize_t {
    // SAFETY: the caller's arguments.
    unsafe {
        let n = next!(c"readlink": Readlink)(path, buf, size);
        amended(libc::AT_FDCWD, path, buf, size, n)
    }
}

/// readlinkat(2).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn readlinkat(
    dir: c_int,
    path: *const c_char,
    buf: *mut c_char,
    size: size_t,
) -> ssize_t {
    // SAFETY: the caller's arguments.
    unsafe {
        let n = next!(c"readlinkat": Readlinkat)(dir, path, buf, size);
        amended(dir, path, buf, size, n)
    }
}

/// readlink(2) of programs built with _FORTIFY_SOURCE.
///
/// # Safety
/// As in C; `room` is the size of the buffer.
#[no_mangle]
pub unsafe extern "C" fn __readlink_chk(
    path: *const c_char,
    buf: *mut c_char,
    size: size_t,
    room: size_t,
) -> ssize_t {
    type Checked = unsafe extern "C" fn(*const c_char, *mut c_char, size_t, size_t) -> ssize_t;
    // SAFETY: the caller's arguments.
    unsafe {
        let n = next!(c"__readlink_chk": Checked)(path, buf, size, room);
        amended(libc::AT_FDCWD, path, buf, size, n)
    }
}

/// readlinkat(2) of programs built with _FORTIFY_SOURCE.
///
/// # Safety
/// As in C; `room` is the size of the buffer.
#[no_mangle]
pub unsafe extern "C" fn __readlinkat_chk(
    dir: c_int,
    path: *const c_char,
    buf: *mut c_char,
    size: size_t,
    room: size_t,
) -> ssize_t {
    type Checked =
        unsafe extern "C" fn(c_int, *const c_char, *mut c_char, size_t, size_t) -> ssize_t;
    // SAFETY: the caller's arguments.
    unsafe {
        let n = next!(c"__readlinkat_chk": Checked)(dir, path, buf, size, room);
        amended(dir, path, buf, size, n)
    }
}

/// The path of the node that the descriptor in `path` is open on, in `resolved` or in memory of
/// malloc(3).
unsafe fn resolve(path: *const c_char, resolved: *mut c_char) -> Option<*mut c_char> {
    if path.is_null() {
        return None;
    }
    let mut room = [0u8; MAX];
    // SAFETY: the caller passes a string.
    let fd = own_fd(unsafe { CStr::from_ptr(path) }.to_bytes())?;
    let name = name(fd, &mut room).filter(|name| name.starts_with(b"/dev/"))?;
    // SAFETY: malloc has no preconditions; a buffer of the caller's has PATH_MAX bytes.
    unsafe {
        let to: *mut c_char = match resolved.is_null() {
            true => libc::malloc(name.len() + 1).cast(),
            false => resolved,
        };
        if !to.is_null() {
            to.cast::<u8>()
                .copy_from_nonoverlapping(name.as_ptr(), name.len());
            to.add(name.len()).write(0);
        }
        Some(to)
    }
}

type Realpath = unsafe extern "C" fn(*const c_char, *mut c_char) -> *mut c_char;

/// realpath(3).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn realpath(path: *const c_char, resolved: *mut c_char) -> *mut c_char {
    // SAFETY: the caller's arguments.
    unsafe {
        resolve(path, resolved).unwrap_or_else(|| next!(c"realpath": Realpath)(path, resolved))
    }
}

/// realpath(3) of programs built with _FORTIFY_SOURCE.
///
/// # Safety
/// As in C; `room` is the size of the buffer.
#[no_mangle]
pub unsafe extern "C" fn __realpath_chk(
    path: *const c_char,
    resolved: *mut c_char,
    room: size_t,
) -> *mut c_char {
    type Checked = unsafe extern "C" fn(*const c_char, *mut c_char, size_t) -> *mut c_char;
    // SAFETY: the caller's arguments.
    unsafe {
        resolve(path, resolved)
            .unwrap_or_else(|| next!(c"__realpath_chk": Checked)(path, resolved, room))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_descriptors_are_known_by_their_paths() {
        let own = format!("/proc/{}/fd/7", std::process::id());
        for path in [
            "/proc/self/fd/7",
            "/proc/thread-self/fd/7",
            "/dev/fd/7",
            &own,
        ] {
            assert_eq!(own_fd(path.as_bytes()), Some(7), "{path}");
        }
        for path in [
            "/proc/1/fd/7",
            "/proc/self/fd/",
            "/proc/self/fdinfo/7",
            "/proc/self/fd/x",
            "7",
        ] {
            assert_eq!(own_fd(path.as_bytes()), None, "{path}");
        }
        let mut room = [0u8; 12];
        assert_eq!(decimal(i32::MAX, &mut room), Some(b"2147483647".as_slice()));
        assert_eq!(
            (decimal(0, &mut room), decimal(-1, &mut [0; 12])),
            (Some(b"0".as_slice()), None)
        );
    }
}
