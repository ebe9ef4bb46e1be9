// SPDX-License-Identifier: BSD-2-Clause
//! Waits for points of timelines.

use super::{render, LONG, UNKNOWN};
use atf::drm::{deadline_ns, BAD_ADDRESS};
use atf::mali::Chain;
use atf::{require, require_eq, require_errno, require_ok, Ctx};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use uapi::core::*;

pub(super) fn point_wait(_: &Ctx) {
    let node = render();
    let [a, b] = [(); 2].map(|()| require_ok!(node.syncobj(0)));
    let both = [a.handle, b.handle];
    require_ok!(node.timeline_signal(&both, &[3, 5]));
    let wait = |points: [u64; 2], flags| node.timeline_wait(&both, &points, 0, flags);
    require_eq!(wait([3, 5], SYNCOBJ_WAIT_ALL), Ok(0));
    require_eq!(wait([1, 5], 0), Ok(0));
    // One that is missing spoils it, even if another would do.
    require_errno!(wait([3, 6], 0), libc::EINVAL);
    require_errno!(wait([4, 5], SYNCOBJ_WAIT_ALL), libc::EINVAL);
    let late = SYNCOBJ_WAIT_FOR_SUBMIT;
    require_eq!(wait([4, 5], late), Ok(1));
    require_errno!(wait([4, 5], late | SYNCOBJ_WAIT_ALL), libc::ETIME);
    require_errno!(wait([4, 6], late), libc::ETIME);
    require_errno!(wait([u64::MAX, u64::MAX], late), libc::ETIME);
    // Of one syncobj, several points.
    let twice = [a.handle; 3];
    require_eq!(node.timeline_wait(&twice, &[9, 4, 2], 0, late), Ok(2));
    // Without points, each is 0: the last.
    let mut arg = SyncobjTimelineWait {
        handles: both.as_ptr() as u64,
        count_handles: 2,
        flags: SYNCOBJ_WAIT_ALL,
        ..SyncobjTimelineWait::default()
    };
    require_ok!(node.ioctl(SYNCOBJ_TIMELINE_WAIT, &mut arg));
    // A binary syncobj has no points but 0.
    let binary = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    require_eq!(binary.wait_point(0, 0, 0), Ok(0));
    require_errno!(binary.wait_point(1, 0, 0), libc::EINVAL);
    require_errno!(binary.wait_point(1, 0, late), libc::ETIME);
}

pub(super) fn point_wait_errors(_: &Ctx) {
    let node = render();
    let timeline = require_ok!(node.syncobj(0));
    require_ok!(timeline.signal_point(2));
    let handles = [timeline.handle, UNKNOWN];
    let points = [2u64, 2];
    let good = SyncobjTimelineWait {
        handles: handles.as_ptr() as u64,
        points: points.as_ptr() as u64,
        count_handles: 1,
        ..SyncobjTimelineWait::default()
    };
    let call = |mut arg| node.ioctl(SYNCOBJ_TIMELINE_WAIT, &mut arg).map(drop);
    require_ok!(call(good));
    require_ok!(call(SyncobjTimelineWait { pad: 5, ..good }));
    for flags in [16, 1 << 31 | SYNCOBJ_WAIT_ALL] {
        require_errno!(call(SyncobjTimelineWait { flags, ..good }), libc::EINVAL);
    }
    let bad = BAD_ADDRESS as u64;
    let two = SyncobjTimelineWait {
        count_handles: 2,
        points: bad,
        ..good
    };
    require_errno!(call(two), libc::ENOENT);
    let no_handles = SyncobjTimelineWait {
        handles: bad,
        ..good
    };
    require_errno!(call(no_handles), libc::EFAULT);
    let no_points = SyncobjTimelineWait {
        points: bad,
        ..good
    };
    require_errno!(call(no_points), libc::EFAULT);
    for count_handles in [u32::MAX, 1 << 30] {
        let arg = SyncobjTimelineWait {
            count_handles,
            ..good
        };
        require_errno!(call(arg), libc::ENOMEM);
    }
    for past in [0, 1, -1, i64::MIN] {
        require_errno!(
            timeline.wait_point(3, past, SYNCOBJ_WAIT_FOR_SUBMIT),
            libc::ETIME
        );
    }
    require_errno!(
        node.ioctl_raw(SYNCOBJ_TIMELINE_WAIT.code(), BAD_ADDRESS),
        libc::EFAULT
    );
}

pub(super) fn point_wait_for_submit(_: &Ctx) {
    let node = render();
    let [a, b] = [(); 2].map(|()| require_ok!(node.syncobj(0)));
    let handles = [a.handle, b.handle];
    let late = SYNCOBJ_WAIT_FOR_SUBMIT;
    for (flags, known) in [(late, 1), (late | SYNCOBJ_WAIT_ALL, u32::MAX)] {
        require_ok!(node.syncobj_reset(&handles));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // None of these is it: fences without points, smaller points, a reset.
                for step in [1, 2] {
                    std::thread::sleep(Duration::from_millis(10));
                    require_ok!(a.signal());
                    require_ok!(b.signal_point(step));
                }
                require_ok!(b.reset());
                std::thread::sleep(Duration::from_millis(10));
                require_ok!(b.signal_point(7));
                if flags & SYNCOBJ_WAIT_ALL != 0 {
                    require_ok!(a.signal_point(3));
                }
            });
            let waited = node.timeline_wait(&handles, &[2, 3], deadline_ns(5000), flags);
            require_eq!(waited, Ok(known));
            require_eq!(b.points(), Ok((7, 7)));
        });
    }
}

pub(super) fn point_wait_available(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, LONG));
    chain.null(LONG);
    let [job, timeline] = [(); 2].map(|()| require_ok!(node.syncobj(0)));
    let available = SYNCOBJ_WAIT_AVAILABLE;
    // No error if the point is missing, with or without FOR_SUBMIT.
    require_errno!(timeline.wait_point(2, 0, available), libc::ETIME);
    let both = available | SYNCOBJ_WAIT_FOR_SUBMIT;
    require_errno!(timeline.wait_point(2, 0, both), libc::ETIME);
    let mut work = chain.work();
    work.out_sync = job.handle;
    require_ok!(node.submit(&work));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            let to = (timeline.handle, 2);
            require_ok!(node.transfer((job.handle, 0), to, 0));
        });
        require_eq!(timeline.wait_point(2, deadline_ns(5000), available), Ok(0));
    });
    // It is there now, signalled or not.
    for flags in [available, both, available | SYNCOBJ_WAIT_ALL] {
        require_eq!(timeline.wait_point(1, 0, flags), Ok(0));
        require_eq!(timeline.wait_point(0, 0, flags), Ok(0));
    }
    require_eq!(timeline.wait_point(2, deadline_ns(5000), 0), Ok(0));
    require_eq!(chain.last_status(), 1);
}

pub(super) fn point_wait_for_jobs(_: &Ctx) {
    let node = render();
    let mut chains = [(); 3].map(|()| require_ok!(Chain::new(&node, LONG)));
    let timeline = require_ok!(node.syncobj(0));
    let job = require_ok!(node.syncobj(0));
    for chain in &mut chains {
        chain.null(LONG);
    }
    for (chain, point) in chains.iter().zip([10, 20, 30]) {
        let mut work = chain.work();
        work.out_sync = job.handle;
        require_ok!(node.submit(&work));
        let to = (timeline.handle, point);
        require_ok!(node.transfer((job.handle, 0), to, 0));
    }
    let (reached, last) = require_ok!(timeline.points());
    require!(reached < 30 && last == 30, "{reached} of {last}");
    require_errno!(timeline.wait_point(30, 0, 0), libc::ETIME);
    for (chain, point) in chains.iter().zip([5, 11, 30]) {
        require_eq!(timeline.wait_point(point, deadline_ns(5000), 0), Ok(0));
        require_eq!(chain.last_status(), 1);
    }
    require_eq!(timeline.points(), Ok((30, 30)));
}

pub(super) fn point_threads(_: &Ctx) {
    const POINTS: u64 = 400;
    let node = render();
    let timeline = require_ok!(node.syncobj(0));
    let next = AtomicU64::new(1);
    let late = SYNCOBJ_WAIT_FOR_SUBMIT;
    std::thread::scope(|scope| {
        for waiter in 1..=4 {
            let timeline = &timeline;
            scope.spawn(move || {
                for point in (1..=POINTS).step_by(waiter) {
                    let waited = timeline.wait_point(point, deadline_ns(20_000), late);
                    require_eq!(waited, Ok(0), "point {point}");
                    let (reached, last) = require_ok!(timeline.points());
                    require!(reached >= point && last >= reached, "{reached} of {last}");
                }
            });
        }
        for _ in 0..3 {
            // Out of order, as threads are: a point that is not larger changes no number.
            scope.spawn(|| loop {
                let point = next.fetch_add(1, Ordering::Relaxed);
                if point > POINTS {
                    break;
                }
                require_ok!(timeline.signal_point(point));
            });
        }
    });
    require_eq!(timeline.points(), Ok((POINTS, POINTS)));
}
