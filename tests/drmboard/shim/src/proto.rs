// SPDX-License-Identifier: BSD-2-Clause
//! The protocol between the shim and the server; this file is compiled into both.
//!
//! Two kinds of `SOCK_SEQPACKET` sockets exist. A *control* connection carries requests of one
//! thread, one at a time: header, then the argument. A *file* is one end of a socket pair; the
//! other end, which the server keeps, is bound to the abstract name `<listener>#<key in hex>`, so
//! `getpeername` on any copy of the file, in any process, returns its key. All numbers have the
//! machine's byte order, and every structure has the same layout on x86_64 and arm64.

/// The first word of every request: protocol and version.
pub(crate) const MAGIC: u32 = 0x4452_4d04;

/// `Request::op`: announces the sender's program name, which follows. No reply.
pub(crate) const OP_HELLO: u32 = 1;
/// Opens the node with minor number `code`. Reply: one descriptor.
pub(crate) const OP_OPEN: u32 = 2;
/// The ioctl `code` (Linux numbering) with user address `arg`; the bytes that it copies in follow.
pub(crate) const OP_IOCTL: u32 = 3;
/// Maps `extra` bytes at file offset `arg`. Reply: a memfd, `value` = offset in it.
pub(crate) const OP_MMAP: u32 = 4;
/// The kind of the file. Reply: `value` = device number or 0 if it is no node, `value2` = size in
/// bytes, `value3` = identity.
pub(crate) const OP_STAT: u32 = 5;
/// A signal interrupted the request `seq` of the same process's control connection `control`. No
/// reply.
pub(crate) const OP_INTERRUPT: u32 = 6;
/// The result of readlink(2) of the descriptor in /proc. Reply: the text follows.
pub(crate) const OP_LINK: u32 = 7;
/// The sender is about to poll the file. Its end is readable on return if the file is. Reply:
/// `value` = 1 if the end is readable although the file is not (or no longer): then the sender
/// empties it and sends this again with `arg` = 1.
pub(crate) const OP_POLL: u32 = 8;

/// `Reply::status` that means "do the same ioctl again, or fail with EINTR if a signal was caught".
pub(crate) const RESTART: i32 = 512;

/// The largest number of descriptors of a reply.
pub(crate) const MAX_FDS: usize = 4;
/// Major number of DRM nodes on Linux.
pub(crate) const DRM_MAJOR: u32 = 226;

/// Header of a message to the server.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Request {
    pub(crate) magic: u32,
    pub(crate) op: u32,
    /// Number of the control connection, unique in its process.
    pub(crate) control: u64,
    /// Number of the request, unique in its connection.
    pub(crate) seq: u64,
    /// The file; 0 for none.
    pub(crate) key: u64,
    pub(crate) arg: u64,
    pub(crate) extra: u64,
    pub(crate) code: u32,
    /// The number of bytes after this header.
    pub(crate) len: u32,
    /// The CPU on which the sender runs, and sleeps until the reply arrives. The server handles the
    /// request on it, as waking another CPU takes several times as long.
    pub(crate) cpu: u32,
    pub(crate) reserved: u32,
}

/// Header of a reply.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) seq: u64,
    pub(crate) value: u64,
    pub(crate) value2: u64,
    pub(crate) value3: u64,
    /// 0, a Linux errno, or [`RESTART`].
    pub(crate) status: i32,
    /// The number of bytes after this header: the argument as it is copied out.
    pub(crate) len: u32,
    /// The number of descriptors.
    pub(crate) fds: u32,
    /// Bit n: descriptor n is closed on exec.
    pub(crate) cloexec: u32,
    /// The offset in the argument where the number of descriptor n is stored.
    pub(crate) fd_at: [u32; MAX_FDS],
}
