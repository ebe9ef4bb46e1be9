// SPDX-License-Identifier: BSD-2-Clause
//! Control connections: one per thread, made when first needed and again after fork.
//!
//! System calls are made through `syscall`, which is no cancellation point: a thread cancelled in
//! the middle of a request would unwind through frames that cannot be unwound. Signals have the
//! same effect as in the kernel: with SA_RESTART the kernel restarts the receive, and the request
//! continues. Without it, this library asks the server to interrupt the request, and the server's
//! reply (EINTR, or the result if the request completed first) is final.

mod message;

pub(crate) use message::Raw;

use crate::proto::{Request, MAGIC, OP_HELLO, OP_INTERRUPT, RESTART};
use libc::{c_int, sockaddr_un, socklen_t};
use message::{receive, send, Answer};
use std::cell::UnsafeCell;
use std::mem::{size_of, zeroed};
use std::ptr::{addr_of, addr_of_mut};
use std::sync::atomic::{AtomicU32, Ordering};

/// The lowest descriptor of a control connection, so that programs which expect the lowest free
/// number, or close all descriptors below a small one, are not affected.
const FD_FLOOR: c_int = 500;

struct Control {
    fd: c_int,
    pid: c_int,
    /// The autobound name of this end, to detect that the program closed or replaced the
    /// descriptor.
    name: [u8; 8],
    id: u64,
    seq: u64,
    busy: bool,
}

impl Drop for Control {
    fn drop(&mut self) {
        if self.usable() {
            close(self.fd);
        }
    }
}

thread_local! {
    static CONTROL: UnsafeCell<Control> = const {
        UnsafeCell::new(Control {
            fd: -1,
            pid: 0,
            name: [0; 8],
            id: 0,
            seq: 0,
            busy: false,
        })
    };
}

static NEXT_ID: AtomicU32 = AtomicU32::new(1);

/// errno of the calling thread.
pub(crate) fn errno() -> c_int {
    // SAFETY: __errno_location is always valid for the calling thread.
    unsafe { *libc::__errno_location() }
}

/// Sets errno and returns -1.
pub(crate) fn fail(error: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = error };
    -1
}

pub(crate) fn close(fd: c_int) {
    // SAFETY: a plain system call; the caller gives up the descriptor.
    unsafe { libc::syscall(libc::SYS_close, fd) };
}

fn own_name(fd: c_int) -> Option<[u8; 8]> {
    // SAFETY: sockaddr_un is plain data.
    let mut addr: sockaddr_un = unsafe { zeroed() };
    let mut len = size_of::<sockaddr_un>() as socklen_t;
    // SAFETY: addr and len are valid for the call.
    if unsafe {
        libc::syscall(
            libc::SYS_getsockname,
            fd,
            addr_of_mut!(addr),
            addr_of_mut!(len),
        )
    } != 0
    {
        return None;
    }
    let mut name = [0u8; 8];
    let used = (len as usize).saturating_sub(2).min(8);
    for (to, from) in name.iter_mut().zip(&addr.sun_path[..used]) {
        *to = *from as u8;
    }
    Some(name)
}

/// A connected, autobound socket above [`FD_FLOOR`] where the limits allow it.
fn connect() -> Result<c_int, c_int> {
    let server = crate::config::get().socket();
    if server.is_empty() {
        return Err(libc::ENODEV);
    }
    // SAFETY: plain system calls on values of this frame.
    unsafe {
        let fd = libc::syscall(
            libc::SYS_socket,
            libc::AF_UNIX,
            libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC,
            0,
        ) as c_int;
        if fd < 0 {
            return Err(errno());
        }
        let mut addr: sockaddr_un = zeroed();
        addr.sun_family = libc::AF_UNIX as libc::sa_family_t;
        libc::syscall(
            libc::SYS_bind,
            fd,
            addr_of!(addr),
            size_of::<libc::sa_family_t>(),
        );
        for (to, from) in addr.sun_path[1..].iter_mut().zip(server) {
            *to = *from as libc::c_char;
        }
        let len = size_of::<libc::sa_family_t>() + 1 + server.len();
        if libc::syscall(libc::SYS_connect, fd, addr_of!(addr), len) != 0 {
            close(fd);
            return Err(libc::ENODEV);
        }
        let high = libc::syscall(
            libc::SYS_fcntl,
            fd,
            libc::F_DUPFD_CLOEXEC,
            FD_FLOOR as libc::c_long,
        ) as c_int;
        if high < 0 {
            return Ok(fd);
        }
        close(fd);
        Ok(high)
    }
}

impl Control {
    fn usable(&self) -> bool {
        // SAFETY: getpid has no preconditions.
        self.fd >= 0
            && self.pid == unsafe { libc::getpid() }
            && own_name(self.fd) == Some(self.name)
    }

    /// Connects again. The previous descriptor belongs to the parent process, or to the program.
    fn renew(&mut self) -> Result<(), c_int> {
        if self.fd >= 0 && own_name(self.fd) == Some(self.name) {
            close(self.fd);
        }
        self.fd = -1;
        let fd = connect()?;
        self.name = own_name(fd).ok_or(libc::ENODEV)?;
        // SAFETY: getpid has no preconditions.
        self.pid = unsafe { libc::getpid() };
        self.fd = fd;
        // SAFETY: as above.
        let tid = unsafe { libc::syscall(libc::SYS_gettid) } as u64;
        self.id = tid << 32 | u64::from(NEXT_ID.fetch_add(1, Ordering::Relaxed));
        self.seq = 0;
        let name = crate::config::program_name();
        let hello = Request {
            magic: MAGIC,
            op: OP_HELLO,
            control: self.id,
            len: name.len as u32,
            ..Request::default()
        };
        send(fd, &hello, name)
    }

    fn interrupt(&self) {
        if let Ok(fd) = connect() {
            let op = Request {
                magic: MAGIC,
                op: OP_INTERRUPT,
                control: self.id,
                seq: self.seq,
                ..Request::default()
            };
            // If the server has ended, the request itself fails with a hang-up.
            let _ = send(fd, &op, Raw::NONE);
            close(fd);
        }
    }

    fn call(&mut self, mut request: Request, out: Raw, into: Raw) -> Result<Answer, c_int> {
        if !self.usable() {
            self.renew()?;
        }
        request.magic = MAGIC;
        request.control = self.id;
        request.len = out.len as u32;
        // SAFETY: no preconditions. -1, where there is no such call, is no CPU of the server's.
        request.cpu = unsafe { libc::sched_getcpu() } as u32;
        loop {
            self.seq += 1;
            request.seq = self.seq;
            send(self.fd, &request, out)?;
            let mut interrupted = false;
            let answer = loop {
                match receive(self.fd, into) {
                    Ok(answer) => break answer,
                    Err(libc::EINTR) => {
                        interrupted = true;
                        self.interrupt();
                    }
                    Err(libc::EFAULT) => {
                        // The kernel may have refused before it took the answer, which would be the
                        // next one's.
                        close(std::mem::replace(&mut self.fd, -1));
                        return Err(libc::EFAULT);
                    }
                    Err(_) => return Err(libc::ENODEV),
                }
            };
            match answer.reply.status {
                0 => return Ok(answer),
                RESTART if interrupted => return Err(libc::EINTR),
                RESTART => {}
                error => return Err(error),
            }
        }
    }
}

/// Sends `request` with the bytes `out` and waits for the reply, whose body is stored in `into`.
///
/// Fails with a Linux errno: the server's, EFAULT for bad memory, ENODEV when the server has ended.
pub(crate) fn call(request: Request, out: Raw, into: Raw) -> Result<Answer, c_int> {
    let result = CONTROL.try_with(|cell| {
        let control = cell.get();
        // SAFETY: the cell is this thread's; a signal handler that comes in between sees `busy` and
        // keeps off.
        unsafe {
            if (*control).busy {
                return None;
            }
            (*control).busy = true;
            let result = (*control).call(request, out, into);
            (*control).busy = false;
            Some(result)
        }
    });
    match result {
        Ok(Some(result)) => result,
        // In a signal handler that interrupted a request of this thread, or in a thread that is
        // ending.
        _ => Control {
            fd: -1,
            pid: 0,
            name: [0; 8],
            id: 0,
            seq: 0,
            busy: true,
        }
        .call(request, out, into),
    }
}

/// The key of the file of `fd`, if it is one of the board's.
pub(crate) fn key(fd: c_int) -> Option<u64> {
    let server = crate::config::get().socket();
    if fd < 0 || server.is_empty() {
        return None;
    }
    let saved = errno();
    // SAFETY: sockaddr_un is plain data.
    let mut addr: sockaddr_un = unsafe { zeroed() };
    let mut len = size_of::<sockaddr_un>() as socklen_t;
    // SAFETY: addr and len are valid for the call.
    if unsafe {
        libc::syscall(
            libc::SYS_getpeername,
            fd,
            addr_of_mut!(addr),
            addr_of_mut!(len),
        )
    } != 0
    {
        fail(saved);
        return None;
    }
    let used = (len as usize)
        .saturating_sub(size_of::<libc::sa_family_t>())
        .min(addr.sun_path.len());
    let mut path = addr.sun_path[..used].iter().map(|c| *c as u8);
    if path.next() != Some(0)
        || !server.iter().all(|want| path.next() == Some(*want))
        || path.next() != Some(b'#')
    {
        return None;
    }
    path.try_fold(0u64, |key, digit| {
        Some(key << 4 | u64::from((digit as char).to_digit(16)?))
    })
}
