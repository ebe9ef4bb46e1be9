// SPDX-License-Identifier: BSD-2-Clause
//! Abstract SOCK_SEQPACKET sockets: the few calls that std has not.

use std::io::{Error, Result};
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

fn check(result: libc::c_int) -> Result<libc::c_int> {
    if result < 0 {
        Err(Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// The abstract address `name`.
fn address(name: &str) -> (libc::sockaddr_un, libc::socklen_t) {
    // SAFETY: sockaddr_un is plain data.
    let mut addr: libc::sockaddr_un = unsafe { zeroed() };
    addr.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (to, from) in addr.sun_path[1..].iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    let len = size_of::<libc::sa_family_t>() + 1 + name.len().min(addr.sun_path.len() - 1);
    (addr, len as libc::socklen_t)
}

fn bind(fd: RawFd, name: &str) -> Result<()> {
    let (addr, len) = address(name);
    // SAFETY: addr is valid for len bytes.
    check(unsafe { libc::bind(fd, (&raw const addr).cast(), len) }).map(|_| ())
}

/// A non-blocking listener.
pub(crate) fn listen(name: &str) -> Result<OwnedFd> {
    // SAFETY: plain system calls.
    unsafe {
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        let fd = OwnedFd::from_raw_fd(check(libc::socket(libc::AF_UNIX, kind, 0))?);
        bind(fd.as_raw_fd(), name)?;
        check(libc::listen(fd.as_raw_fd(), 1024))?;
        Ok(fd)
    }
}

/// The next connection with the sender's (pid, uid); None when there is none.
pub(crate) fn accept(listener: RawFd) -> Option<(OwnedFd, i32, u32)> {
    // SAFETY: plain system calls; cred and len are valid for the call.
    unsafe {
        let fd = libc::accept4(
            listener,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            libc::SOCK_CLOEXEC,
        );
        let fd = OwnedFd::from_raw_fd(check(fd).ok()?);
        let mut cred: libc::ucred = zeroed();
        let mut len = size_of::<libc::ucred>() as libc::socklen_t;
        let at = (&raw mut cred).cast();
        check(libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            at,
            &mut len,
        ))
        .ok()?;
        Some((fd, cred.pid, cred.uid))
    }
}

/// A file's two ends: (ours, bound to `name`; the client's).
pub(crate) fn pair(name: &str) -> Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: fds has room for two; both are new and ours.
    let ends = unsafe {
        check(libc::socketpair(
            libc::AF_UNIX,
            libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC,
            0,
            fds.as_mut_ptr(),
        ))?;
        (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1]))
    };
    bind(ends.0.as_raw_fd(), name)?;
    Ok(ends)
}

/// The key of a file of the listener `name`, from the name of the other end.
pub(crate) fn peer_key(fd: RawFd, name: &str) -> Option<u64> {
    // SAFETY: sockaddr_un is plain data.
    let mut addr: libc::sockaddr_un = unsafe { zeroed() };
    let mut len = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: addr and len are valid for the call.
    check(unsafe { libc::getpeername(fd, (&raw mut addr).cast(), &mut len) }).ok()?;
    let used = (len as usize)
        .saturating_sub(size_of::<libc::sa_family_t>())
        .min(addr.sun_path.len());
    let path: Vec<u8> = addr.sun_path[..used].iter().map(|c| *c as u8).collect();
    let rest = path
        .strip_prefix(&[0])?
        .strip_prefix(name.as_bytes())?
        .strip_prefix(b"#")?;
    u64::from_str_radix(std::str::from_utf8(rest).ok()?, 16).ok()
}

/// Receives one message; 0 or an error: the other side is gone.
pub(crate) fn receive(fd: RawFd, buf: &mut [u8]) -> Result<usize> {
    loop {
        // SAFETY: buf is valid for its length.
        let n = unsafe { libc::recv(fd, buf.as_mut_ptr().cast(), buf.len(), 0) };
        match usize::try_from(n) {
            Ok(n) => return Ok(n),
            Err(_) if Error::last_os_error().raw_os_error() == Some(libc::EINTR) => {}
            Err(_) => return Err(Error::last_os_error()),
        }
    }
}

#[repr(C, align(8))]
struct Ancillary([u8; 64]);

/// Sends header and body as one message, with descriptors.
pub(crate) fn send(fd: RawFd, header: &[u8], body: &[u8], fds: &[RawFd]) -> Result<()> {
    let mut iov = [
        libc::iovec {
            iov_base: header.as_ptr().cast_mut().cast(),
            iov_len: header.len(),
        },
        libc::iovec {
            iov_base: body.as_ptr().cast_mut().cast(),
            iov_len: body.len(),
        },
    ];
    let mut ancillary = Ancillary([0; 64]);
    // SAFETY: the pointers live as long as the call; the control buffer has room for MAX_FDS
    // descriptors.
    unsafe {
        let mut msg: libc::msghdr = zeroed();
        msg.msg_iov = iov.as_mut_ptr();
        msg.msg_iovlen = 2;
        if !fds.is_empty() {
            let bytes = std::mem::size_of_val(fds) as u32;
            msg.msg_control = (&raw mut ancillary).cast();
            msg.msg_controllen = libc::CMSG_SPACE(bytes) as _;
            let cmsg = libc::CMSG_FIRSTHDR(&msg);
            (*cmsg).cmsg_level = libc::SOL_SOCKET;
            (*cmsg).cmsg_type = libc::SCM_RIGHTS;
            (*cmsg).cmsg_len = libc::CMSG_LEN(bytes) as _;
            libc::CMSG_DATA(cmsg)
                .cast::<RawFd>()
                .copy_from_nonoverlapping(fds.as_ptr(), fds.len());
        }
        check(libc::sendmsg(fd, &msg, libc::MSG_NOSIGNAL) as libc::c_int).map(|_| ())
    }
}

/// One byte that makes the other end readable; a full or closed socket needs none.
pub(crate) fn nudge(fd: RawFd) {
    // SAFETY: one byte of a literal.
    unsafe {
        libc::send(
            fd,
            b"!".as_ptr().cast(),
            1,
            libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT,
        )
    };
}

/// Ends both directions: who waits on the socket sees it closed.
pub(crate) fn shutdown(fd: RawFd) {
    // SAFETY: plain system call.
    unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
}

/// True when `fd` is readable within `timeout_ms`.
pub(crate) fn readable(fd: RawFd, timeout_ms: i32) -> bool {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one valid pollfd.
    unsafe { libc::poll(&mut poll, 1, timeout_ms) == 1 && poll.revents & libc::POLLIN != 0 }
}
