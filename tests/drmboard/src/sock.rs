// SPDX-License-Identifier: BSD-2-Clause
//! Abstract SOCK_SEQPACKET sockets.

use crate::proto::MAX_FDS;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::retry_on_intr;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SocketAddrUnix};
use std::io::{IoSlice, Result};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

fn bind(fd: impl AsFd, name: &str) -> Result<()> {
    let address = SocketAddrUnix::new_abstract_name(name.as_bytes())?;
    Ok(net::bind(fd, &address)?)
}

/// A non-blocking listener.
pub(crate) fn listen(name: &str) -> Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    bind(&fd, name)?;
    net::listen(&fd, 1024)?;
    Ok(fd)
}

/// The next connection with the sender's (pid, uid); None if there is none.
pub(crate) fn accept(listener: impl AsFd) -> Option<(OwnedFd, i32, u32)> {
    let fd = net::accept_with(listener, SocketFlags::CLOEXEC).ok()?;
    let sender = socket_peercred(&fd).ok()?;
    Some((fd, sender.pid.as_raw_nonzero().get(), sender.uid.as_raw()))
}

/// The two ends of a file: the server's, bound to `name`, and the client's.
pub(crate) fn pair(name: &str) -> Result<(OwnedFd, OwnedFd)> {
    let (kind, flags) = (SocketType::SEQPACKET, SocketFlags::CLOEXEC);
    let ends = net::socketpair(AddressFamily::UNIX, kind, flags, None)?;
    bind(&ends.0, name)?;
    Ok(ends)
}

/// The key of a file of the listener `name`, from the name of the other end.
pub(crate) fn peer_key(fd: impl AsFd, name: &str) -> Option<u64> {
    let address = SocketAddrUnix::try_from(net::getpeername(fd).ok()??).ok()?;
    let path = address.abstract_name()?;
    let rest = path.strip_prefix(name.as_bytes())?.strip_prefix(b"#")?;
    u64::from_str_radix(std::str::from_utf8(rest).ok()?, 16).ok()
}

/// Receives one message; 0 or an error if the other side has closed the socket.
pub(crate) fn receive(fd: impl AsFd, buf: &mut [u8]) -> Result<usize> {
    let (n, _) = retry_on_intr(|| net::recv(&fd, &mut *buf, RecvFlags::empty()))?;
    Ok(n)
}

/// Sends header and body as one message, with descriptors.
pub(crate) fn send(
    fd: impl AsFd,
    header: &[u8],
    body: &[u8],
    fds: &[BorrowedFd<'_>],
) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS + 1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(rustix::io::Errno::TOOBIG.into());
    }
    let parts = [IoSlice::new(header), IoSlice::new(body)];
    net::sendmsg(fd, &parts, &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Sends one byte, which makes the other end readable; does nothing if the socket is full or
/// closed.
pub(crate) fn nudge(fd: impl AsFd) {
    let _ = net::send(fd, b"!", SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
}

/// Shuts both directions down: a thread that waits for the socket returns.
pub(crate) fn shutdown(fd: impl AsFd) {
    let _ = net::shutdown(fd, Shutdown::Both);
}

/// Whether `fd` becomes readable within `timeout`.
pub(crate) fn readable(fd: impl AsFd, timeout: Duration) -> bool {
    let mut polled = [PollFd::new(&fd, PollFlags::IN)];
    let timeout = Timespec::try_from(timeout).ok();
    matches!(rustix::event::poll(&mut polled, timeout.as_ref()), Ok(1))
        && polled[0].revents().contains(PollFlags::IN)
}
