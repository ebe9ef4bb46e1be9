// SPDX-License-Identifier: BSD-2-Clause
//! Descriptors of sync objects and of their fences.

use super::{render, LONG, UNKNOWN};
use atf::drm::{deadline_ns, Node, BAD_ADDRESS};
use atf::mali::Chain;
use atf::process::{channel, fork, open_descriptors, Exit};
use atf::{require, require_eq, require_errno, require_ok, Ctx};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;
use uapi::core::*;

pub(super) fn export(_: &Ctx) {
    let (node, other) = (render(), render());
    let first = require_ok!(node.syncobj(0));
    let fd = require_ok!(first.export());
    // SAFETY: F_GETFD takes no argument.
    require_eq!(
        unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) },
        libc::FD_CLOEXEC
    );
    let second = require_ok!(other.syncobj_import(&fd));
    let third = require_ok!(node.syncobj_import(&fd));
    require!(third.handle != first.handle, "each import makes a handle");
    drop(fd);
    require_ok!(first.signal());
    require_ok!(second.wait(0, 0));
    require_ok!(third.wait(0, 0));
    drop(first);
    require_ok!(second.reset());
    require_errno!(third.wait(0, 0), libc::EINVAL);
}

pub(super) fn export_to_process(_: &Ctx) {
    let (ours, theirs) = require_ok!(channel());
    let mut child = require_ok!(fork(move || {
        let (_, fd) = require_ok!(theirs.receive(&mut [0; 8]));
        let node = render();
        let syncobj = require_ok!(node.syncobj_import(&fd.unwrap()));
        require_eq!(
            syncobj.wait(deadline_ns(5000), SYNCOBJ_WAIT_FOR_SUBMIT),
            Ok(0)
        );
        0
    }));
    let node = render();
    let syncobj = require_ok!(node.syncobj(0));
    let fd = require_ok!(syncobj.export());
    require_ok!(ours.send(b"syncobj", Some(fd.as_fd())));
    require_eq!(require_ok!(child.wait_for(Duration::from_millis(30))), None);
    require_ok!(syncobj.signal());
    require_eq!(require_ok!(child.wait()), Exit::Code(0));
}

pub(super) fn export_errors(_: &Ctx) {
    let node = render();
    let empty = require_ok!(node.syncobj(0));
    let before = open_descriptors();
    require_errno!(node.syncobj_fd(UNKNOWN, 0), libc::EINVAL);
    require_errno!(node.syncobj_fd(0, 0), libc::EINVAL);
    require_errno!(node.syncobj_fd(UNKNOWN, SYNCOBJ_SYNC_FILE), libc::ENOENT);
    require_errno!(empty.sync_file(), libc::EINVAL);
    for request in [SYNCOBJ_HANDLE_TO_FD, SYNCOBJ_FD_TO_HANDLE] {
        for (flags, pad) in [(4, 0), (5, 0), (1 << 31, 0), (0, 1), (1, 1)] {
            let mut arg = SyncobjHandle {
                handle: empty.handle,
                flags,
                fd: 7,
                pad,
            };
            require_errno!(node.ioctl(request, &mut arg), libc::EINVAL);
            require_eq!((arg.handle, arg.fd), (empty.handle, 7));
        }
        require_errno!(node.ioctl_raw(request.code(), BAD_ADDRESS), libc::EFAULT);
    }
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
    let bo = require_ok!(node.bo(4096, 0));
    let fence = require_ok!(signalled.sync_file());
    let object = require_ok!(signalled.export());
    let neither = [
        require_ok!(Node::open("/dev/null")),
        require_ok!(node.duplicate()),
        require_ok!(node.export(bo.handle, libc::O_CLOEXEC)),
    ];
    for other in &neither {
        require_errno!(node.syncobj_import(other), libc::EINVAL);
        require_errno!(
            node.syncobj_import_fence(signalled.handle, other),
            libc::EINVAL
        );
    }
    for number in [-1, 9999] {
        require_errno!(node.syncobj_import(&Number(number)), libc::EINVAL);
        require_errno!(
            node.syncobj_import_fence(signalled.handle, &Number(number)),
            libc::EINVAL
        );
    }
    // Each kind is not the other.
    require_errno!(node.syncobj_import(&fence), libc::EINVAL);
    require_errno!(
        node.syncobj_import_fence(signalled.handle, &object),
        libc::EINVAL
    );
    // The descriptor is checked before the handle.
    require_errno!(node.syncobj_import_fence(UNKNOWN, &object), libc::EINVAL);
    require_errno!(node.syncobj_import_fence(UNKNOWN, &fence), libc::ENOENT);
    require_ok!(signalled.wait(0, 0));
}

pub(super) fn fences_travel(_: &Ctx) {
    let (node, other) = (render(), render());
    let mut chain = require_ok!(Chain::new(&node, LONG));
    chain.null(LONG);
    let out = require_ok!(node.syncobj(0));
    let mut work = chain.work();
    work.out_sync = out.handle;
    require_ok!(node.submit(&work));
    let fd = require_ok!(out.sync_file());
    // A sync_file is the fence of that moment: what happens to the object later is not its
    // business.
    require_ok!(out.reset());
    let theirs = require_ok!(other.syncobj(SYNCOBJ_CREATE_SIGNALED));
    require_ok!(other.syncobj_import_fence(theirs.handle, &fd));
    require_errno!(theirs.wait(0, 0), libc::ETIME);
    require_ok!(theirs.wait(deadline_ns(5000), 0));
    require_eq!(chain.last_status(), 1);
    require_errno!(out.wait(0, 0), libc::EINVAL);
}
