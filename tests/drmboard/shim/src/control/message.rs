// SPDX-License-Identifier: BSD-2-Clause
//! One message of a control connection, sent or received with its descriptors.

use super::{close, errno};
use crate::proto::{Reply, Request, MAX_FDS};
use libc::{c_int, c_void, iovec, msghdr};
use std::mem::{size_of, zeroed};
use std::ptr::{addr_of, addr_of_mut, null_mut};

/// A range of the program's memory, possibly not mapped: the kernel checks it.
#[derive(Clone, Copy)]
pub(crate) struct Raw {
    pub(crate) at: *mut c_void,
    pub(crate) len: usize,
}

impl Raw {
    pub(crate) const NONE: Raw = Raw {
        at: null_mut(),
        len: 0,
    };
}

/// A reply with its descriptors, -1 for none.
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    pub(crate) fds: [c_int; MAX_FDS],
}

/// Sends header and body; EFAULT if the body is not readable.
pub(super) fn send(fd: c_int, request: &Request, body: Raw) -> Result<(), c_int> {
    let mut iov = [
        iovec {
            iov_base: request as *const Request as *mut c_void,
            iov_len: size_of::<Request>(),
        },
        iovec {
            iov_base: body.at,
            iov_len: body.len,
        },
    ];
    loop {
        // SAFETY: msghdr is plain data; its pointers live as long as the call.
        let n = unsafe {
            let mut msg: msghdr = zeroed();
            msg.msg_iov = iov.as_mut_ptr();
            msg.msg_iovlen = (1 + usize::from(body.len > 0)) as _;
            libc::syscall(libc::SYS_sendmsg, fd, addr_of!(msg), libc::MSG_NOSIGNAL)
        };
        match (n, errno()) {
            (0.., _) => return Ok(()),
            (_, libc::EINTR) => {}
            (_, libc::EFAULT) => return Err(libc::EFAULT),
            _ => return Err(libc::ENODEV),
        }
    }
}

/// Room for one SCM_RIGHTS message of [`MAX_FDS`] descriptors, aligned as cmsghdr requires.
#[repr(C, align(8))]
struct Ancillary([u8; 64]);

/// Receives one reply, with its body in `body`. EINTR if a signal handler ran.
pub(super) fn receive(fd: c_int, body: Raw) -> Result<Answer, c_int> {
    let mut answer = Answer {
        reply: Reply::default(),
        fds: [-1; MAX_FDS],
    };
    let mut ancillary = Ancillary([0; 64]);
    let mut iov = [
        iovec {
            iov_base: addr_of_mut!(answer.reply).cast(),
            iov_len: size_of::<Reply>(),
        },
        iovec {
            iov_base: body.at,
            iov_len: body.len,
        },
    ];
    // SAFETY: all pointers are valid for the call; the ancillary data is walked as the kernel laid
    // it out.
    unsafe {
        let mut msg: msghdr = zeroed();
        msg.msg_iov = iov.as_mut_ptr();
        msg.msg_iovlen = (1 + usize::from(body.len > 0)) as _;
        msg.msg_control = addr_of_mut!(ancillary).cast();
        msg.msg_controllen = size_of::<Ancillary>() as _;
        let n = libc::syscall(
            libc::SYS_recvmsg,
            fd,
            addr_of_mut!(msg),
            libc::MSG_CMSG_CLOEXEC,
        );
        if n < 0 {
            return Err(errno());
        }
        if (n as usize) < size_of::<Reply>() {
            return Err(libc::ENODEV);
        }
        let cut = (n as usize) < size_of::<Reply>() + answer.reply.len as usize;
        let cmsg = libc::CMSG_FIRSTHDR(addr_of!(msg));
        if !cmsg.is_null()
            && (*cmsg).cmsg_level == libc::SOL_SOCKET
            && (*cmsg).cmsg_type == libc::SCM_RIGHTS
        {
            let bytes = ((*cmsg).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
            let data: *const c_int = libc::CMSG_DATA(cmsg).cast();
            for (i, slot) in answer
                .fds
                .iter_mut()
                .enumerate()
                .take(bytes / size_of::<c_int>())
            {
                *slot = data.add(i).read_unaligned();
            }
        }
        // QEMU truncates a message that does not fit, where the kernel returns EFAULT.
        if cut {
            answer
                .fds
                .iter()
                .filter(|fd| **fd >= 0)
                .for_each(|fd| close(*fd));
            return Err(libc::EFAULT);
        }
    }
    Ok(answer)
}
