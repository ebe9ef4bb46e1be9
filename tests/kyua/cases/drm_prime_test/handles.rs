// SPDX-License-Identifier: BSD-2-Clause
//! Handles and descriptors: import into files and processes, flags, errors.

use super::{render, CLOEXEC_RDWR, PAGE};
use atf::drm::{Node, BAD_ADDRESS};
use atf::process::{channel, fork, open_descriptors, Exit};
use atf::{require, require_eq, require_errno, require_ok, Ctx};
use std::os::fd::{AsFd, AsRawFd};
use uapi::core::{PrimeHandle, PRIME_HANDLE_TO_FD, SYNCOBJ_CREATE_SIGNALED};
use uapi::panfrost::{BO_HEAP, BO_NOEXEC};

pub(super) fn self_import(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    require_eq!(node.import(&fd), Ok(bo.handle));
    require_eq!(node.import(&fd), Ok(bo.handle), "however often");
    let second = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    require_eq!(
        node.import(&second),
        Ok(bo.handle),
        "by whichever descriptor"
    );
    require_eq!(node.live_handles(), [bo.handle]);
    require_ok!(node.gem_close(bo.handle));
    require_eq!(node.live_handles(), []);
    // It counts as one handle, and the dma-buf brings it back.
    let handle = require_ok!(node.import(&fd));
    require_eq!(node.live_handles(), [handle]);
    require_ok!(node.gem_close(handle));
}

pub(super) fn other_file(_: &Ctx) {
    let (node, other) = (render(), render());
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    let handle = require_ok!(other.import(&fd));
    require_eq!(
        other.import(&fd),
        Ok(handle),
        "one handle in the other file too"
    );
    let ours = require_ok!(bo.map());
    let theirs = require_ok!(other.map(require_ok!(other.map_offset(handle)), PAGE));
    ours.write_u32(0, 1);
    theirs.write_u32(4, 2);
    require_eq!((theirs.read_u32(0), ours.read_u32(4)), (1, 2));
    // Exported again it is the same dma-buf.
    let again = require_ok!(other.export(handle, CLOEXEC_RDWR));
    require_eq!(node.import(&again), Ok(bo.handle));
    // On the GPU each file has it at its own address.
    require!(require_ok!(other.bo_offset(handle)) >= 32 << 20);
    require_ok!(other.gem_close(handle));
    require_eq!(ours.read_u32(4), 2);
}

pub(super) fn close_order(_: &Ctx) {
    let (node, other) = (render(), render());
    // Maker's handle first, then the descriptor, then the importer's.
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    require_ok!(bo.map()).write_u32(0, 11);
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    drop(bo);
    let handle = require_ok!(other.import(&fd));
    drop(fd);
    let map = require_ok!(other.map(require_ok!(other.map_offset(handle)), PAGE));
    require_eq!(map.read_u32(0), 11);
    require_ok!(other.gem_close(handle));
    // Maker's file first.
    let maker = render();
    let bo = require_ok!(maker.bo(PAGE as u32, 0));
    require_ok!(bo.map()).write_u32(0, 12);
    let fd = require_ok!(maker.export(bo.handle, CLOEXEC_RDWR));
    std::mem::forget(bo);
    drop(maker);
    require_eq!(require_ok!(fd.map(0, PAGE)).read_u32(0), 12);
    let handle = require_ok!(other.import(&fd));
    drop(fd);
    require_ok!(other.gem_close(handle));
    require_eq!(
        map.read_u32(0),
        11,
        "the mapping is the last that holds the first buffer"
    );
}

pub(super) fn other_process(_: &Ctx) {
    let (ours, theirs) = require_ok!(channel());
    let mut child = require_ok!(fork(move || {
        let (_, fd) = require_ok!(theirs.receive(&mut [0; 8]));
        let fd = Node::from(fd.unwrap());
        let node = render();
        let handle = require_ok!(node.import(&fd));
        let map = require_ok!(node.map(require_ok!(node.map_offset(handle)), PAGE));
        assert_eq!(map.read_u32(0), 21);
        map.write_u32(4, 22);
        require_ok!(theirs.send(b"written", None));
        // Waits until the parent has given everything up.
        require_ok!(theirs.receive(&mut [0; 8]));
        assert_eq!(map.read_u32(4), 22);
        0
    }));
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let map = require_ok!(bo.map());
    map.write_u32(0, 21);
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    require_ok!(ours.send(b"dma-buf", Some(fd.as_fd())));
    require_ok!(ours.receive(&mut [0; 8]));
    require_eq!(map.read_u32(4), 22);
    drop((fd, map, bo));
    drop(node);
    require_ok!(ours.send(b"gone", None));
    require_eq!(require_ok!(child.wait()), Exit::Code(0));
}

pub(super) fn descriptor_flags(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    // SAFETY: F_GETFD takes no argument.
    let flags = |fd: &Node| unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) };
    require_eq!(
        flags(&require_ok!(node.export(bo.handle, libc::O_CLOEXEC))),
        libc::FD_CLOEXEC
    );
    require_eq!(flags(&require_ok!(node.export(bo.handle, 0))), 0);
    require_eq!(
        flags(&require_ok!(node.export(bo.handle, CLOEXEC_RDWR))),
        libc::FD_CLOEXEC
    );
}

pub(super) fn export_errors(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let before = open_descriptors();
    for flags in [1, 4, libc::O_NONBLOCK, libc::O_CLOEXEC | 1, i32::MIN] {
        require_errno!(node.export(bo.handle, flags), libc::EINVAL);
        // Flags are checked before the handle.
        require_errno!(node.export(0, flags), libc::EINVAL);
    }
    for handle in [0, bo.handle + 1, u32::MAX] {
        require_errno!(node.export(handle, libc::O_CLOEXEC), libc::ENOENT);
    }
    let mut arg = PrimeHandle {
        handle: bo.handle + 1,
        flags: 0,
        fd: 77,
    };
    require_errno!(node.ioctl(PRIME_HANDLE_TO_FD, &mut arg), libc::ENOENT);
    require_eq!(arg.fd, 77);
    require_errno!(
        node.ioctl_raw(PRIME_HANDLE_TO_FD.code(), BAD_ADDRESS),
        libc::EFAULT
    );
    require_eq!(open_descriptors(), before);
}

/// A number that is no descriptor.
struct Number(i32);

impl AsRawFd for Number {
    fn as_raw_fd(&self) -> i32 {
        self.0
    }
}

pub(super) fn import_errors(_: &Ctx) {
    let node = render();
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    let others = [
        require_ok!(Node::open("/dev/null")),
        require_ok!(node.duplicate()),
        require_ok!(signalled.export()),
        require_ok!(signalled.sync_file()),
    ];
    for other in &others {
        require_errno!(node.import(other), libc::EINVAL);
    }
    for number in [-1, 9999, i32::MIN] {
        require_errno!(node.import(&Number(number)), libc::EBADF);
    }
    require_eq!(node.live_handles(), []);
}

pub(super) fn heap(_: &Ctx) {
    let (node, other) = (render(), render());
    let bo = require_ok!(node.bo(2 << 20, BO_HEAP | BO_NOEXEC));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    require_eq!(node.import(&fd), Ok(bo.handle));
    let handle = require_ok!(other.import(&fd));
    require_errno!(other.map_offset(handle), libc::EINVAL);
}
