// SPDX-License-Identifier: BSD-2-Clause
//! poll(2), select(2) and epoll_wait(2): before each, the server updates the readiness of the
//! board's files.
//!
//! A file is a socket, which the server makes readable by sending a byte when the file becomes
//! readable; a waiter is woken by that. The server cannot remove the byte, and sends it from a
//! thread of its own, some time after the file became readable. So the client asks the server
//! before it polls: when the reply arrives, either the byte has been sent or the client has removed
//! it.

use crate::control::{call, errno, fail, key, Raw};
use crate::proto::{Request, OP_POLL};
use libc::{
    c_int, c_void, epoll_event, fd_set, nfds_t, pollfd, sigset_t, size_t, timespec, timeval,
};

/// The number of requests for a file whose readiness keeps changing.
const TRIES: u64 = 8;

/// Removes all bytes from this end.
fn empty(fd: c_int) {
    let mut byte = 0u8;
    // SAFETY: one byte of this frame.
    while unsafe {
        libc::syscall(
            libc::SYS_recvfrom,
            fd,
            &raw mut byte,
            1,
            libc::MSG_DONTWAIT,
            0usize,
            0usize,
        )
    } > 0
    {}
}

/// Makes `fd` readable exactly if its file of the board is. Preserves errno.
fn settle(fd: c_int) {
    let Some(key) = key(fd) else { return };
    let saved = errno();
    for tried in 0..TRIES {
        let request = Request {
            op: OP_POLL,
            key,
            arg: u64::from(tried > 0),
            ..Request::default()
        };
        match call(request, Raw::NONE, Raw::NONE) {
            Ok(answer) if answer.reply.value == 1 => empty(fd),
            _ => break,
        }
    }
    fail(saved);
}

/// Whether this process belongs to a board.
fn active() -> bool {
    !crate::config::get().socket().is_empty()
}

/// # Safety
/// `fds` and `count` as of poll(2) in C.
unsafe fn settle_all(fds: *const pollfd, count: nfds_t) {
    // NULL, or more than a process may have, is an error.
    if !active() || fds.is_null() || count > 1 << 20 {
        return;
    }
    // SAFETY: the caller's array.
    for entry in unsafe { std::slice::from_raw_parts(fds, count as usize) } {
        if entry.events & libc::POLLIN != 0 {
            settle(entry.fd);
        }
    }
}

/// poll(2).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn poll(fds: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int {
    type Poll = unsafe extern "C" fn(*mut pollfd, nfds_t, c_int) -> c_int;
    // SAFETY: the caller's arguments.
    unsafe {
        settle_all(fds, count);
        next!(c"poll": Poll)(fds, count, timeout)
    }
}

/// poll(2) of programs built with _FORTIFY_SOURCE.
///
/// # Safety
/// As in C; `room` is the size of the array in bytes.
#[no_mangle]
pub unsafe extern "C" fn __poll_chk(
    fds: *mut pollfd,
    count: nfds_t,
    timeout: c_int,
    room: size_t,
) -> c_int {
    type Checked = unsafe extern "C" fn(*mut pollfd, nfds_t, c_int, size_t) -> c_int;
    // SAFETY: the caller's arguments; an array that is too short ends the program in the call.
    unsafe {
        if room / size_of::<pollfd>() >= count as usize {
            settle_all(fds, count);
        }
        next!(c"__poll_chk": Checked)(fds, count, timeout, room)
    }
}

/// ppoll(2).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn ppoll(
    fds: *mut pollfd,
    count: nfds_t,
    timeout: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    type Ppoll =
        unsafe extern "C" fn(*mut pollfd, nfds_t, *const timespec, *const sigset_t) -> c_int;
    // SAFETY: the caller's arguments.
    unsafe {
        settle_all(fds, count);
        next!(c"ppoll": Ppoll)(fds, count, timeout, mask)
    }
}

/// ppoll(2) of programs built with _FORTIFY_SOURCE.
///
/// # Safety
/// As in C; `room` is the size of the array in bytes.
#[no_mangle]
pub unsafe extern "C" fn __ppoll_chk(
    fds: *mut pollfd,
    count: nfds_t,
    timeout: *const timespec,
    mask: *const sigset_t,
    room: size_t,
) -> c_int {
    type Checked = unsafe extern "C" fn(
        *mut pollfd,
        nfds_t,
        *const timespec,
        *const sigset_t,
        size_t,
    ) -> c_int;
    // SAFETY: as above.
    unsafe {
        if room / size_of::<pollfd>() >= count as usize {
            settle_all(fds, count);
        }
        next!(c"__ppoll_chk": Checked)(fds, count, timeout, mask, room)
    }
}

/// # Safety
/// `count` and `set` as of select(2) in C.
unsafe fn settle_set(count: c_int, set: *const fd_set) {
    if !active() || set.is_null() {
        return;
    }
    for fd in 0..count.min(libc::FD_SETSIZE as c_int) {
        // SAFETY: the caller's set, and a number below its size.
        if unsafe { libc::FD_ISSET(fd, set) } {
            settle(fd);
        }
    }
}

/// select(2).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn select(
    count: c_int,
    read: *mut fd_set,
    write: *mut fd_set,
    except: *mut fd_set,
    timeout: *mut timeval,
) -> c_int {
    type Select =
        unsafe extern "C" fn(c_int, *mut fd_set, *mut fd_set, *mut fd_set, *mut timeval) -> c_int;
    // SAFETY: the caller's arguments.
    unsafe {
        settle_set(count, read);
        next!(c"select": Select)(count, read, write, except, timeout)
    }
}

/// pselect(2).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn pselect(
    count: c_int,
    read: *mut fd_set,
    write: *mut fd_set,
    except: *mut fd_set,
    timeout: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    type Pselect = unsafe extern "C" fn(
        c_int,
        *mut fd_set,
        *mut fd_set,
        *mut fd_set,
        *const timespec,
        *const sigset_t,
    ) -> c_int;
    // SAFETY: the caller's arguments.
    unsafe {
        settle_set(count, read);
        next!(c"pselect": Pselect)(count, read, write, except, timeout, mask)
    }
}

/// Calls `settle` on the numbers that the text of an epoll's fdinfo has after "tfd:".
#[derive(Default)]
struct Members {
    /// The number of bytes of "tfd:" that were read; 4 while its number is read.
    seen: usize,
    number: Option<c_int>,
}

impl Members {
    fn take(&mut self, text: &[u8], mut member: impl FnMut(c_int)) {
        for byte in text {
            match (self.seen, *byte) {
                (4, b' ' | b'\t') if self.number.is_none() => {}
                (4, digit @ b'0'..=b'9') => {
                    let so_far = self.number.unwrap_or(0);
                    self.number = so_far
                        .checked_mul(10)
                        .and_then(|n| n.checked_add((digit - b'0').into()));
                }
                (4, _) => {
                    if let Some(fd) = std::mem::take(self).number {
                        member(fd);
                    }
                    self.seen = 0;
                }
                (seen, byte) if byte == b"tfd:"[seen] => self.seen = seen + 1,
                (_, byte) => self.seen = usize::from(byte == b't'),
            }
        }
    }
}

/// Calls `settle` for the members of an epoll, which only the kernel knows.
fn settle_members(epoll: c_int) {
    if !active() || epoll < 0 {
        return;
    }
    let saved = errno();
    let mut path = *b"/proc/self/fdinfo/\0\0\0\0\0\0\0\0\0\0\0\0";
    let mut digits = [0u8; 12];
    let Some(digits) = crate::links::decimal(epoll, &mut digits) else {
        return;
    };
    path[18..18 + digits.len()].copy_from_slice(digits);
    let mut members = Members::default();
    let mut text = [0u8; 1024];
    // SAFETY: a NUL-ended path, and room for what is read; the descriptor is ours.
    unsafe {
        let flags = libc::O_RDONLY | libc::O_CLOEXEC;
        let file =
            libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0) as c_int;
        if file >= 0 {
            loop {
                let n = libc::syscall(libc::SYS_read, file, text.as_mut_ptr(), text.len());
                match usize::try_from(n) {
                    Ok(n @ 1..) => members.take(text.get(..n).unwrap_or_default(), settle),
                    _ => break,
                }
            }
            crate::control::close(file);
        }
    }
    fail(saved);
}

/// epoll_wait(2).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn epoll_wait(
    epoll: c_int,
    events: *mut epoll_event,
    count: c_int,
    timeout: c_int,
) -> c_int {
    type Wait = unsafe extern "C" fn(c_int, *mut epoll_event, c_int, c_int) -> c_int;
    settle_members(epoll);
    // SAFETY: the caller's arguments.
    unsafe { next!(c"epoll_wait": Wait)(epoll, events, count, timeout) }
}

/// epoll_pwait(2).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn epoll_pwait(
    epoll: c_int,
    events: *mut epoll_event,
    count: c_int,
    timeout: c_int,
    mask: *const sigset_t,
) -> c_int {
    type Wait =
        unsafe extern "C" fn(c_int, *mut epoll_event, c_int, c_int, *const sigset_t) -> c_int;
    settle_members(epoll);
    // SAFETY: the caller's arguments.
    unsafe { next!(c"epoll_pwait": Wait)(epoll, events, count, timeout, mask) }
}

/// epoll_pwait2(2).
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn epoll_pwait2(
    epoll: c_int,
    events: *mut epoll_event,
    count: c_int,
    timeout: *const timespec,
    mask: *const c_void,
) -> c_int {
    type Wait = unsafe extern "C" fn(
        c_int,
        *mut epoll_event,
        c_int,
        *const timespec,
        *const c_void,
    ) -> c_int;
    settle_members(epoll);
    // SAFETY: the caller's arguments.
    unsafe { next!(c"epoll_pwait2": Wait)(epoll, events, count, timeout, mask) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_an_epoll_are_found_however_its_text_is_cut() {
        let text =
            b"pos:\t0\nflags:\t02\ntfd:        3 events:       1 data: 5\ntfd:     1024 events: 19 \
                tfd\n";
        for step in 1..text.len() {
            let (mut members, mut found) = (Members::default(), Vec::new());
            text.chunks(step)
                .for_each(|part| members.take(part, |fd| found.push(fd)));
            assert_eq!(found, [3, 1024], "in pieces of {step}");
        }
    }
}
