// SPDX-License-Identifier: BSD-2-Clause
//! Fences of a dma-buf: what it waits for, and what waits for it.

use super::{render, sync, CLOEXEC_RDWR, PAGE};
use atf::drm::{deadline_ns, Node, BAD_ADDRESS};
use atf::mali::Chain;
use atf::{require, require_eq, require_errno, require_ok, Ctx, Sys};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use uapi::dma_buf;
use uapi::sync_file::{FileInfo, FILE_INFO};

/// Jobs that do nothing, long enough to be observed while they run.
const LONG: usize = 20_000;

pub(super) fn busy(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, LONG));
    chain.null(LONG);
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    let handles = [bo.handle];
    let mut work = chain.work();
    work.bos = &handles;
    require_ok!(node.submit(&work));
    require_errno!(bo.wait(0), libc::EBUSY);
    require_ok!(sync(&fd, dma_buf::SYNC_READ));
    require_ok!(bo.wait(0));
    require_eq!(chain.last_status(), 1, "begin waits for the job");
}

/// The fences of `fd` for a reader (1) or a writer (2).
fn fences_of(fd: &Node, flags: u32) -> Sys<Node> {
    let mut arg = dma_buf::Fences { flags, fd: -1 };
    fd.ioctl(dma_buf::EXPORT_SYNC_FILE, &mut arg)?;
    // SAFETY: the descriptor is new and has no other owner.
    Ok(Node::from(unsafe { OwnedFd::from_raw_fd(arg.fd) }))
}

fn status(fences: &Node) -> i32 {
    let mut info = FileInfo::default();
    require_ok!(fences.ioctl(FILE_INFO, &mut info));
    info.status
}

pub(super) fn export_sync_file(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, LONG));
    chain.null(LONG);
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    for flags in [1, 2, 3] {
        require_eq!(status(&require_ok!(fences_of(&fd, flags))), 1, "idle");
    }
    for bad in [0, 4, 5, 8, u32::MAX] {
        require_errno!(fences_of(&fd, bad), libc::EINVAL);
    }
    let handles = [bo.handle];
    let mut work = chain.work();
    work.bos = &handles;
    require_ok!(node.submit(&work));
    // Jobs of panfrost write to their buffers.
    let waits = [1, 2].map(|flags| require_ok!(fences_of(&fd, flags)));
    require_eq!(waits.each_ref().map(status), [0, 0], "busy");
    require!(require_ok!(waits[0].poll(libc::POLLIN, 5000)));
    require_ok!(bo.wait(deadline_ns(5000)));
    require_eq!(waits.each_ref().map(status), [1, 1], "idle again");
    require_errno!(
        fd.ioctl_raw(dma_buf::EXPORT_SYNC_FILE.code(), BAD_ADDRESS),
        libc::EFAULT
    );
}

pub(super) fn import_sync_file(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, LONG));
    chain.null(LONG);
    let busy = require_ok!(node.syncobj(0));
    let mut work = chain.work();
    work.out_sync = busy.handle;
    require_ok!(node.submit(&work));
    let fence = require_ok!(busy.sync_file());
    let (reads, writes) = (
        require_ok!(node.bo(PAGE as u32, 0)),
        require_ok!(node.bo(PAGE as u32, 0)),
    );
    let import = |bo: u32, flags: u32, fd: i32| {
        let buffer = require_ok!(node.export(bo, CLOEXEC_RDWR));
        let done = buffer.ioctl(
            dma_buf::IMPORT_SYNC_FILE,
            &mut dma_buf::Fences { flags, fd },
        );
        done.map(|_| buffer)
    };
    let fd = fence.as_raw_fd();
    for bad in [0, 4, 6, u32::MAX] {
        require_errno!(import(reads.handle, bad, fd), libc::EINVAL);
    }
    require_errno!(import(reads.handle, 1, -1), libc::EINVAL);
    require_ok!(reads.wait(0));
    // A reader is waited for by writers only.
    let read = require_ok!(import(reads.handle, 1, fd));
    let written = require_ok!(import(writes.handle, 3, fd));
    require_eq!(status(&require_ok!(fences_of(&read, 1))), 1);
    require_eq!(status(&require_ok!(fences_of(&read, 2))), 0);
    require_eq!(status(&require_ok!(fences_of(&written, 1))), 0);
    require_errno!(writes.wait(0), libc::EBUSY);
    require_ok!(writes.wait(deadline_ns(5000)));
    require_eq!(status(&fence), 1);
    require_ok!(reads.wait(0));
}

/// A buffer whose job goes on does not become idle by an earlier fence of the same timeline.
pub(super) fn import_earlier_sync_file(_: &Ctx) {
    let node = render();
    let mut earlier = require_ok!(Chain::new(&node, LONG));
    earlier.null(LONG);
    let endless = require_ok!(Chain::endless(&node));
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let out = require_ok!(node.syncobj(0));
    let mut work = earlier.work();
    work.out_sync = out.handle;
    require_ok!(node.submit(&work));
    let fence = require_ok!(out.sync_file());
    let handles = [bo.handle];
    let mut work = endless.work();
    work.bos = &handles;
    require_ok!(node.submit(&work));
    let buffer = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    let fd = fence.as_raw_fd();
    require_ok!(buffer.ioctl(
        dma_buf::IMPORT_SYNC_FILE,
        &mut dma_buf::Fences { flags: 3, fd }
    ));
    require!(require_ok!(fence.poll(libc::POLLIN, 5000)));
    require_errno!(bo.wait(0), libc::EBUSY);
    require_ok!(bo.wait(deadline_ns(10_000)));
}

pub(super) fn poll(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, LONG));
    chain.null(LONG);
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    require!(require_ok!(fd.poll(libc::POLLIN, 0)), "idle");
    let handles = [bo.handle];
    let mut work = chain.work();
    work.bos = &handles;
    require_ok!(node.submit(&work));
    // That it is not readable meanwhile cannot be seen on drmboard, whose sockets stay readable
    // once they were.
    require_ok!(bo.wait(deadline_ns(5000)));
    require!(require_ok!(fd.poll(libc::POLLIN, 0)), "idle again");
    require_eq!(chain.last_status(), 1);
}

pub(super) fn shared_fences(_: &Ctx) {
    let (node, other) = (render(), render());
    let mut chain = require_ok!(Chain::new(&node, LONG));
    chain.null(LONG);
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let fd = require_ok!(node.export(bo.handle, CLOEXEC_RDWR));
    let handle = require_ok!(other.import(&fd));
    let handles = [bo.handle];
    let mut work = chain.work();
    work.bos = &handles;
    require_ok!(node.submit(&work));
    require_errno!(other.wait_bo(handle, 0), libc::EBUSY);
    require_ok!(other.wait_bo(handle, deadline_ns(2000)));
    require_ok!(bo.wait(0));
}
