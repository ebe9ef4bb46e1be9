// SPDX-License-Identifier: BSD-2-Clause
//! More than one process in a case: forked children that can be killed, and a socket pair that
//! carries bytes and descriptors.

use crate::errno::{check, Errno, Sys};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::{Duration, Instant};

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this status.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}

/// A forked child; killed and reaped when dropped, so that no case leaves one running.
#[derive(Debug)]
pub struct Child {
    pid: libc::pid_t,
    exit: Option<Exit>,
}

/// Exit status of a child whose closure panicked, as std uses for a panicking `main`.
pub const PANICKED: i32 = 101;

/// Forks a child that runs `body` and exits with what it gives, or with [`PANICKED`].
///
/// # Errors
/// What fork(2) gives.
pub fn fork(body: impl FnOnce() -> i32) -> Sys<Child> {
    // SAFETY: a case runs on the only thread of the program, so the child has a consistent copy of
    // everything.
    let pid = check(unsafe { libc::fork() })?;
    if pid > 0 {
        return Ok(Child { pid, exit: None });
    }
    // A killed parent drops nothing; its children must not wait for it for ever.
    #[cfg(target_os = "linux")]
    // SAFETY: PR_SET_PDEATHSIG takes a signal number.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong)
    };
    // The child must never return into the runner, which would write a second result.
    let status = catch_unwind(AssertUnwindSafe(body)).unwrap_or(PANICKED);
    // SAFETY: _exit takes any status and runs no handler of the parent's.
    unsafe { libc::_exit(status) }
}

impl Child {
    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// What kill(2) gives; ESRCH when it has been reaped.
    pub fn kill(&self, signal: i32) -> Sys<()> {
        if self.exit.is_some() {
            return Err(Errno(libc::ESRCH));
        }
        // SAFETY: kill takes any numbers; the pid is ours until it is reaped.
        check(unsafe { libc::kill(self.pid, signal) }).map(|_| ())
    }

    fn reap(&mut self, flags: i32) -> Sys<Option<Exit>> {
        if self.exit.is_some() {
            return Ok(self.exit);
        }
        let mut status = 0;
        loop {
            // SAFETY: status is a place to write to.
            match check(unsafe { libc::waitpid(self.pid, &mut status, flags) }) {
                Err(Errno(libc::EINTR)) => {}
                Err(errno) => return Err(errno),
                Ok(0) => return Ok(None),
                Ok(_) => break,
            }
        }
        self.exit = Some(match libc::WIFSIGNALED(status) {
            true => Exit::Signal(libc::WTERMSIG(status)),
            false => Exit::Code(libc::WEXITSTATUS(status)),
        });
        Ok(self.exit)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What waitpid(2) gives.
    pub fn wait(&mut self) -> Sys<Exit> {
        self.reap(0)?.ok_or(Errno(libc::ECHILD))
    }

    /// Waits for its end, but no longer than `limit`; `None` when it still runs then.
    ///
    /// # Errors
    /// What waitpid(2) gives.
    pub fn wait_for(&mut self, limit: Duration) -> Sys<Option<Exit>> {
        let start = Instant::now();
        loop {
            let exit = self.reap(libc::WNOHANG)?;
            if exit.is_some() || start.elapsed() >= limit {
                return Ok(exit);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail only when it is gone already, which is what is wanted.
        let _ = self.kill(libc::SIGKILL);
        let _ = self.wait();
    }
}

/// Waits, for two seconds at most, until `condition` holds; returns whether it did.
///
/// For what the last close of a file does: on a virtual board the close of a descriptor returns
/// before the board has heard of it.
pub fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if start.elapsed() > Duration::from_secs(2) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How many descriptors this process has open.
pub fn open_descriptors() -> usize {
    // The directory that is being read is one of them, each time.
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Becomes a user without privileges who may open `node` by its group; for a child, as there is no
/// way back.
///
/// # Errors
/// What stat(2), setgroups(2), setresgid(2) and setresuid(2) give; EPERM when the process was not
/// privileged.
pub fn drop_privileges(node: &str) -> Sys<()> {
    use std::os::unix::fs::MetadataExt as _;
    const UNPRIVILEGED: libc::uid_t = 65534;
    let status =
        std::fs::metadata(node).map_err(|error| Errno(error.raw_os_error().unwrap_or(0)))?;
    let gid = status.gid();
    // SAFETY: these take any numbers, and an empty list.
    check(unsafe { libc::setgroups(0, std::ptr::null()) })?;
    // SAFETY: as above.
    check(unsafe { libc::setresgid(gid, gid, gid) })?;
    // SAFETY: as above.
    check(unsafe { libc::setresuid(UNPRIVILEGED, UNPRIVILEGED, UNPRIVILEGED) }).map(drop)
}

/// One end of a socket pair: messages of bytes, each with at most one descriptor.
#[derive(Debug)]
pub struct Channel(OwnedFd);

/// Two connected ends, one for each side of a fork.
///
/// # Errors
/// What socketpair(2) gives.
pub fn channel() -> Sys<(Channel, Channel)> {
    let mut fds = [-1; 2];
    // SAFETY: fds has room for the two descriptors.
    check(unsafe {
        libc::socketpair(
            libc::AF_UNIX,
            libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC,
            0,
            fds.as_mut_ptr(),
        )
    })?;
    // SAFETY: both were just made and have no other owner.
    Ok(unsafe {
        (
            Channel(OwnedFd::from_raw_fd(fds[0])),
            Channel(OwnedFd::from_raw_fd(fds[1])),
        )
    })
}

/// Room for one descriptor's control message, aligned for its header.
#[repr(C, align(8))]
struct Control([u8; 64]);

impl Channel {
    /// Sends one message, with a descriptor or without.
    ///
    /// # Errors
    /// What sendmsg(2) gives.
    pub fn send(&self, bytes: &[u8], fd: Option<BorrowedFd<'_>>) -> Sys<()> {
        let mut iov = libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        };
        let mut control = Control([0; 64]);
        // SAFETY: all zero is a valid msghdr.
        let mut msg: libc::msghdr = unsafe { std::mem::zeroed() };
        msg.msg_iov = &mut iov;
        msg.msg_iovlen = 1;
        if let Some(fd) = fd {
            msg.msg_control = control.0.as_mut_ptr().cast();
            // SAFETY: control is large enough and aligned; the header and the one descriptor lie
            // inside it.
            unsafe {
                msg.msg_controllen = libc::CMSG_SPACE(4) as _;
                let header = libc::CMSG_FIRSTHDR(&msg);
                (*header).cmsg_level = libc::SOL_SOCKET;
                (*header).cmsg_type = libc::SCM_RIGHTS;
                (*header).cmsg_len = libc::CMSG_LEN(4) as _;
                libc::CMSG_DATA(header)
                    .cast::<i32>()
                    .write_unaligned(fd.as_raw_fd());
            }
        }
        // SAFETY: msg points to live buffers of the stated sizes.
        let sent = unsafe { libc::sendmsg(self.0.as_raw_fd(), &msg, libc::MSG_NOSIGNAL) };
        match sent {
            0.. => Ok(()),
            _ => Err(Errno::last()),
        }
    }

    /// Receives one message into `bytes`; gives its length (0 when the other end closed) and its
    /// descriptor.
    ///
    /// # Errors
    /// What recvmsg(2) gives.
    pub fn receive(&self, bytes: &mut [u8]) -> Sys<(usize, Option<OwnedFd>)> {
        let mut iov = libc::iovec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: bytes.len(),
        };
        let mut control = Control([0; 64]);
        // SAFETY: all zero is a valid msghdr.
        let mut msg: libc::msghdr = unsafe { std::mem::zeroed() };
        msg.msg_iov = &mut iov;
        msg.msg_iovlen = 1;
        msg.msg_control = control.0.as_mut_ptr().cast();
        msg.msg_controllen = control.0.len() as _;
        // SAFETY: msg points to live buffers of the stated sizes.
        let got = unsafe { libc::recvmsg(self.0.as_raw_fd(), &mut msg, libc::MSG_CMSG_CLOEXEC) };
        let len = usize::try_from(got).map_err(|_| Errno::last())?;
        // SAFETY: the kernel filled msg; a descriptor in it is new and has no other owner.
        let fd = unsafe {
            let header = libc::CMSG_FIRSTHDR(&msg);
            let carries = !header.is_null() && (*header).cmsg_type == libc::SCM_RIGHTS;
            carries.then(|| {
                OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<i32>().read_unaligned())
            })
        };
        Ok((len, fd))
    }
}
