// SPDX-License-Identifier: BSD-2-Clause
//! Points of timelines: signal, query, transfer, and what the binary ioctls do with them.

use super::{render, LONG, UNKNOWN};
use atf::drm::{deadline_ns, Node, BAD_ADDRESS};
use atf::mali::Chain;
use atf::{require, require_eq, require_errno, require_ok, Ctx};
use std::time::Duration;
use uapi::core::*;

/// A job under way, and the syncobj with its fence.
fn busy(chain: &mut Chain<'_>, node: &Node, out: u32) {
    chain.null(LONG);
    let mut work = chain.work();
    work.out_sync = out;
    require_ok!(node.submit(&work));
}

pub(super) fn point_signal(_: &Ctx) {
    let node = render();
    let timeline = require_ok!(node.syncobj(0));
    require_eq!(timeline.points(), Ok((0, 0)));
    for point in [1, 2, 5, 1 << 40, u64::MAX] {
        require_ok!(timeline.signal_point(point));
        require_eq!(timeline.points(), Ok((point, point)));
        require_eq!(timeline.wait_point(point, 0, 0), Ok(0));
        require_eq!(timeline.wait_point(1, 0, 0), Ok(0));
    }
    // One call for several, the same one twice.
    let [a, b] = [require_ok!(node.syncobj(0)), require_ok!(node.syncobj(0))];
    require_ok!(node.timeline_signal(&[a.handle, b.handle, a.handle], &[3, 4, 7]));
    require_eq!((a.points(), b.points()), (Ok((7, 7)), Ok((4, 4))));
    let mut points = [9; 4];
    let handles = [b.handle, a.handle, b.handle, timeline.handle];
    require_ok!(node.timeline_query(&handles, &mut points, 0));
    require_eq!(points, [4, 7, 4, u64::MAX]);
}

pub(super) fn point_order(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, LONG));
    let job = require_ok!(node.syncobj(0));
    let timeline = require_ok!(node.syncobj(0));
    let handle = timeline.handle;
    require_ok!(timeline.signal_point(5));
    // A smaller point, and the same again: the last point keeps its number.
    for point in [3, 5, 0] {
        require_ok!(timeline.signal_point(point));
        require_eq!(timeline.points(), Ok((5, 5)));
    }
    busy(&mut chain, &node, job.handle);
    require_ok!(node.transfer((job.handle, 0), (handle, 3), 0));
    // A point out of order starts again: all points wait for it.
    require_eq!(timeline.points(), Ok((0, 5)));
    for point in [0, 1, 3, 5] {
        require_errno!(timeline.wait_point(point, 0, 0), libc::ETIME);
    }
    require_errno!(timeline.wait_point(6, 0, 0), libc::EINVAL);
    require_ok!(timeline.signal_point(8));
    require_eq!(timeline.points(), Ok((0, 8)));
    // Again, while that one is pending: a query no longer sees it, a wait does.
    require_ok!(timeline.signal_point(8));
    require_eq!(timeline.points(), Ok((0, 8)));
    require_ok!(timeline.signal_point(9));
    require_eq!(timeline.points(), Ok((8, 9)));
    require_errno!(timeline.wait_point(1, 0, 0), libc::ETIME);
    require_eq!(timeline.wait_point(1, deadline_ns(5000), 0), Ok(0));
    require_eq!(timeline.points(), Ok((9, 9)));
}

pub(super) fn point_errors(_: &Ctx) {
    let node = render();
    let timeline = require_ok!(node.syncobj(0));
    require_ok!(timeline.signal_point(2));
    let handles = [timeline.handle, UNKNOWN];
    let mut points = [3u64, 4];
    let good = SyncobjTimelineArray {
        handles: handles.as_ptr() as u64,
        points: points.as_mut_ptr() as u64,
        count_handles: 1,
        flags: 0,
    };
    let bad = BAD_ADDRESS as u64;
    for (request, flags) in [
        (SYNCOBJ_TIMELINE_SIGNAL, 1),
        (SYNCOBJ_TIMELINE_SIGNAL, 1 << 31),
        (SYNCOBJ_QUERY, 2),
        (SYNCOBJ_QUERY, 1 << 31 | SYNCOBJ_QUERY_LAST_SUBMITTED),
    ] {
        let call = |mut arg| node.ioctl(request, &mut arg).map(drop);
        require_errno!(call(SyncobjTimelineArray { flags, ..good }), libc::EINVAL);
        let none = SyncobjTimelineArray {
            count_handles: 0,
            ..good
        };
        require_errno!(call(none), libc::EINVAL);
        // Handles come before points.
        let unknown = SyncobjTimelineArray {
            count_handles: 2,
            points: bad,
            ..good
        };
        require_errno!(call(unknown), libc::ENOENT);
        let handles = SyncobjTimelineArray {
            handles: bad,
            ..good
        };
        require_errno!(call(handles), libc::EFAULT);
        let points = SyncobjTimelineArray {
            points: bad,
            ..good
        };
        require_errno!(call(points), libc::EFAULT);
        require_errno!(node.ioctl_raw(request.code(), BAD_ADDRESS), libc::EFAULT);
    }
    require_eq!(timeline.points(), Ok((2, 2)));
    require_eq!(points, [3, 4]);
    let mut no_points = SyncobjTimelineArray { points: 0, ..good };
    require_errno!(node.ioctl(SYNCOBJ_QUERY, &mut no_points), libc::EFAULT);
    // Without points, all are 0.
    require_ok!(node.ioctl(SYNCOBJ_TIMELINE_SIGNAL, &mut no_points));
    require_eq!(timeline.points(), Ok((2, 2)));
}

pub(super) fn binary_of_points(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, LONG));
    let job = require_ok!(node.syncobj(0));
    let timeline = require_ok!(node.syncobj(0));
    let handle = timeline.handle;
    busy(&mut chain, &node, job.handle);
    require_ok!(node.transfer((job.handle, 0), (handle, 4), 0));
    require_ok!(timeline.signal_point(6));
    // WAIT and EXPORT_SYNC_FILE are for the last point, which ends with those before.
    require_errno!(timeline.wait(0, 0), libc::ETIME);
    require_eq!(timeline.status(), Ok(0));
    let file = require_ok!(timeline.sync_file());
    require_eq!(timeline.wait(deadline_ns(5000), 0), Ok(0));
    require_eq!(timeline.status(), Ok(1));
    require_eq!(timeline.points(), Ok((6, 6)));
    // IMPORT_SYNC_FILE and SIGNAL make it binary, RESET empty.
    require_ok!(node.syncobj_import_fence(handle, &file));
    require_eq!(timeline.points(), Ok((0, 0)));
    require_errno!(timeline.wait_point(1, 0, 0), libc::EINVAL);
    require_eq!(timeline.wait_point(0, 0, 0), Ok(0));
    require_ok!(timeline.signal_point(7));
    require_ok!(timeline.signal());
    require_eq!(timeline.points(), Ok((0, 0)));
    require_ok!(timeline.signal_point(7));
    require_ok!(timeline.reset());
    require_eq!(timeline.points(), Ok((0, 0)));
    for point in [0, 1, 7] {
        require_errno!(timeline.wait_point(point, 0, 0), libc::EINVAL);
    }
    // Another process or handle sees the same points.
    let fd = require_ok!(timeline.export());
    let same = require_ok!(node.syncobj_import(&fd));
    require_ok!(same.signal_point(3));
    require_eq!(timeline.points(), Ok((3, 3)));
}

pub(super) fn transfer(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, LONG));
    let [job, a, b] = [(); 3].map(|()| require_ok!(node.syncobj(0)));
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    require_ok!(a.signal_point(2));
    busy(&mut chain, &node, job.handle);
    // Of a binary syncobj, to a point, and on to another's.
    require_ok!(node.transfer((job.handle, 0), (a.handle, 5), 0));
    require_ok!(node.transfer((a.handle, 4), (b.handle, 9), 0));
    // A point that is reached is a signalled fence.
    require_ok!(node.transfer((a.handle, 1), (b.handle, 10), 0));
    require_ok!(node.transfer((signalled.handle, 0), (a.handle, 6), 0));
    require_eq!((a.points(), b.points()), (Ok((2, 6)), Ok((0, 10))));
    require_errno!(b.wait_point(9, 0, 0), libc::ETIME);
    // To a binary one: it is replaced.
    require_ok!(node.transfer((a.handle, 1), (signalled.handle, 0), 0));
    require_eq!(signalled.status(), Ok(1));
    require_ok!(node.transfer((a.handle, 6), (signalled.handle, 0), 0));
    require_eq!(signalled.status(), Ok(0));
    require_eq!(signalled.points(), Ok((0, 0)));
    require_eq!(signalled.wait(deadline_ns(5000), 0), Ok(0));
    require_eq!((a.points(), b.points()), (Ok((6, 6)), Ok((10, 10))));
    // To itself: a point after all of it.
    require_ok!(node.transfer((a.handle, 0), (a.handle, 7), 0));
    require_eq!(a.points(), Ok((7, 7)));
}

pub(super) fn transfer_errors(_: &Ctx) {
    let node = render();
    let [from, to, empty] = [(); 3].map(|()| require_ok!(node.syncobj(0)));
    require_ok!(from.signal_point(2));
    let good = SyncobjTransfer {
        src_handle: from.handle,
        dst_handle: to.handle,
        src_point: 2,
        dst_point: 1,
        flags: 0,
        pad: 0,
    };
    let call = |mut arg| node.ioctl(SYNCOBJ_TRANSFER, &mut arg).map(drop);
    let unknown = SyncobjTransfer {
        src_handle: UNKNOWN,
        dst_handle: UNKNOWN,
        ..good
    };
    require_errno!(call(SyncobjTransfer { pad: 1, ..unknown }), libc::EINVAL);
    require_errno!(call(unknown), libc::ENOENT);
    for dst_point in [0, 1] {
        let good = SyncobjTransfer { dst_point, ..good };
        let src_handle = UNKNOWN;
        let source = SyncobjTransfer { src_handle, ..good };
        require_errno!(call(source), libc::ENOENT);
        let missing = SyncobjTransfer {
            src_point: 3,
            ..good
        };
        require_errno!(call(missing), libc::EINVAL);
        let src_handle = empty.handle;
        for src_point in [0, 1] {
            let arg = SyncobjTransfer {
                src_handle,
                src_point,
                ..good
            };
            require_errno!(call(arg), libc::EINVAL);
        }
    }
    require_errno!(
        node.ioctl_raw(SYNCOBJ_TRANSFER.code(), BAD_ADDRESS),
        libc::EFAULT
    );
    require_eq!(to.points(), Ok((0, 0)));
    require_errno!(to.wait(0, 0), libc::EINVAL);
}

pub(super) fn transfer_flags(_: &Ctx) {
    let node = render();
    let from = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    for flags in [SYNCOBJ_WAIT_ALL, SYNCOBJ_WAIT_AVAILABLE, 1 << 31] {
        let (from, to) = ((from.handle, 0), (from.handle, 1));
        require_errno!(node.transfer(from, to, flags), libc::EINVAL);
    }
    // Before the source is looked up, after the target.
    let known = (from.handle, 0);
    let unknown = (UNKNOWN, 0);
    require_errno!(node.transfer(unknown, known, 1), libc::EINVAL);
    require_errno!(node.transfer(known, unknown, 1), libc::ENOENT);
    require_eq!(from.points(), Ok((0, 0)));
}

pub(super) fn transfer_for_submit(_: &Ctx) {
    let node = render();
    let [from, to] = [(); 2].map(|()| require_ok!(node.syncobj(0)));
    let late = SYNCOBJ_WAIT_FOR_SUBMIT;
    for point in [0, 4] {
        require_ok!(from.reset());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(20));
                if point == 0 {
                    return require_ok!(from.signal());
                }
                // Not yet that one.
                require_ok!(from.signal_point(point - 1));
                std::thread::sleep(Duration::from_millis(20));
                require_ok!(from.signal_point(point));
            });
            let (from, to) = ((from.handle, point), (to.handle, point + 1));
            require_ok!(node.transfer(from, to, late));
        });
        require_eq!(to.points(), Ok((point + 1, point + 1)));
        require!(from.wait_point(point, 0, 0).is_ok(), "it was there");
    }
}

pub(super) fn point_files(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, LONG));
    let [job, a, b] = [(); 3].map(|()| require_ok!(node.syncobj(0)));
    require_ok!(a.signal_point(2));
    busy(&mut chain, &node, job.handle);
    require_ok!(node.transfer((job.handle, 0), (a.handle, 5), 0));
    let status = |file: &Node| {
        let mut info = uapi::sync_file::FileInfo::default();
        require_ok!(file.ioctl(uapi::sync_file::FILE_INFO, &mut info));
        (info.status, info.num_fences)
    };
    let [ended, pending] = [1, 3].map(|point| require_ok!(a.sync_file_of_point(point)));
    require_eq!((status(&ended), status(&pending)), ((1, 1), (0, 1)));
    require_errno!(a.sync_file_of_point(6), libc::EINVAL);
    let import = |handle: u32, point: u64, file: &Node| {
        let mut arg = SyncobjHandle24 {
            handle,
            flags: SYNCOBJ_SYNC_FILE | SYNCOBJ_TIMELINE,
            fd: std::os::fd::AsRawFd::as_raw_fd(file),
            pad: 0,
            point,
        };
        node.ioctl(SYNCOBJ_FD_TO_HANDLE_24, &mut arg).map(drop)
    };
    require_ok!(import(b.handle, 1, &ended));
    require_ok!(import(b.handle, 2, &pending));
    require_eq!(b.points(), Ok((1, 2)));
    require_errno!(import(UNKNOWN, 1, &pending), libc::ENOENT);
    require_errno!(import(b.handle, 3, &node), libc::EINVAL);
    // Point 0 replaces all.
    require_ok!(import(b.handle, 0, &pending));
    require_eq!(b.points(), Ok((0, 0)));
    require_errno!(b.wait(0, 0), libc::ETIME);
    require_eq!(b.wait(deadline_ns(5000), 0), Ok(0));
    require_eq!((status(&pending), a.points()), ((1, 1), Ok((5, 5))));
    // The flag is for sync_files; alone it needs a point of 0.
    for request in [SYNCOBJ_HANDLE_TO_FD_24, SYNCOBJ_FD_TO_HANDLE_24] {
        for (flags, pad, point) in [(2, 0, 1), (3, 1, 0), (4, 0, 0), (6, 0, 0)] {
            let mut arg = SyncobjHandle24 {
                handle: a.handle,
                flags,
                fd: 7,
                pad,
                point,
            };
            require_errno!(node.ioctl(request, &mut arg), libc::EINVAL);
            require_eq!((arg.handle, arg.fd), (a.handle, 7));
        }
    }
    let mut whole = SyncobjHandle24 {
        handle: a.handle,
        flags: SYNCOBJ_TIMELINE,
        ..SyncobjHandle24::default()
    };
    require_ok!(node.ioctl(SYNCOBJ_HANDLE_TO_FD_24, &mut whole));
    require_ok!(node.ioctl(SYNCOBJ_FD_TO_HANDLE_24, &mut whole));
    require!(whole.handle != a.handle, "another handle");
    // SAFETY: the descriptor is new and has no other owner.
    unsafe { libc::close(whole.fd) };
}
