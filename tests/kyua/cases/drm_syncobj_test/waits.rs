// SPDX-License-Identifier: BSD-2-Clause
//! Waits: errors, deadlines, jobs, signals.

use super::{render, LONG, UNKNOWN};
use atf::drm::{deadline_ns, now_ns, Node, BAD_ADDRESS};
use atf::mali::Chain;
use atf::process::{fork, Exit};
use atf::{require, require_eq, require_errno, require_ok, Ctx, Sys};
use std::time::Duration;
use uapi::core::*;

fn wait_request(node: &Node, mut arg: SyncobjWait) -> Sys<u32> {
    node.ioctl(SYNCOBJ_WAIT, &mut arg)
        .map(|_| arg.first_signaled)
}

pub(super) fn wait_errors(_: &Ctx) {
    let node = render();
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    let handles = [signalled.handle, UNKNOWN];
    let good = SyncobjWait {
        handles: handles.as_ptr() as u64,
        count_handles: 1,
        ..SyncobjWait::default()
    };
    require_eq!(wait_request(&node, good), Ok(0));
    for flags in [SYNCOBJ_WAIT_AVAILABLE, 16, 1 << 31 | SYNCOBJ_WAIT_ALL] {
        require_errno!(
            wait_request(&node, SyncobjWait { flags, ..good }),
            libc::EINVAL
        );
    }
    require_errno!(
        wait_request(
            &node,
            SyncobjWait {
                count_handles: 2,
                ..good
            }
        ),
        libc::ENOENT
    );
    let bad = BAD_ADDRESS as u64;
    require_errno!(
        wait_request(
            &node,
            SyncobjWait {
                handles: bad,
                ..good
            }
        ),
        libc::EFAULT
    );
    require_errno!(
        wait_request(&node, SyncobjWait { handles: 0, ..good }),
        libc::EFAULT
    );
    // The padding is not checked.
    require_eq!(wait_request(&node, SyncobjWait { pad: 5, ..good }), Ok(0));
}

pub(super) fn newer_waits(_: &Ctx) {
    let node = render();
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    // No handles: nothing to wait for, and the structure comes back as it was.
    for flags in [0, SYNCOBJ_WAIT_ALL, SYNCOBJ_WAIT_DEADLINE] {
        let mut none = SyncobjWait {
            handles: BAD_ADDRESS as u64,
            flags,
            first_signaled: 7,
            ..SyncobjWait::default()
        };
        require_ok!(node.ioctl(SYNCOBJ_WAIT, &mut none));
        require_eq!(none.first_signaled, 7);
        let mut none = SyncobjTimelineWait {
            points: BAD_ADDRESS as u64,
            flags,
            first_signaled: 7,
            ..SyncobjTimelineWait::default()
        };
        require_ok!(node.ioctl(SYNCOBJ_TIMELINE_WAIT, &mut none));
        require_eq!(none.first_signaled, 7);
    }
    // Bad flags come first.
    let mut bad = SyncobjWait {
        flags: 16,
        ..SyncobjWait::default()
    };
    require_errno!(node.ioctl(SYNCOBJ_WAIT, &mut bad), libc::EINVAL);
    // A deadline is a hint, with or without the field for it.
    let handles = [signalled.handle];
    for deadline_nsec in [0, 1, u64::MAX] {
        let mut wait = SyncobjWait40 {
            handles: handles.as_ptr() as u64,
            count_handles: 1,
            flags: SYNCOBJ_WAIT_DEADLINE,
            deadline_nsec,
            ..SyncobjWait40::default()
        };
        require_ok!(node.ioctl(SYNCOBJ_WAIT_40, &mut wait));
        require_eq!(
            (wait.first_signaled, wait.deadline_nsec),
            (0, deadline_nsec)
        );
        let points = [0u64];
        let mut wait = SyncobjTimelineWait48 {
            handles: handles.as_ptr() as u64,
            points: points.as_ptr() as u64,
            count_handles: 1,
            flags: SYNCOBJ_WAIT_DEADLINE,
            deadline_nsec,
            ..SyncobjTimelineWait48::default()
        };
        require_ok!(node.ioctl(SYNCOBJ_TIMELINE_WAIT_48, &mut wait));
        require_eq!(
            (wait.first_signaled, wait.deadline_nsec),
            (0, deadline_nsec)
        );
    }
    require_ok!(signalled.wait(0, SYNCOBJ_WAIT_DEADLINE));
}

pub(super) fn wait_absurd_count(_: &Ctx) {
    let node = render();
    let handles = [1u32; 4];
    for count_handles in [u32::MAX, 1 << 30] {
        let handles = handles.as_ptr() as u64;
        let arg = SyncobjWait {
            handles,
            count_handles,
            ..SyncobjWait::default()
        };
        require_errno!(wait_request(&node, arg), libc::ENOMEM);
    }
}

pub(super) fn wait_of_empty(_: &Ctx) {
    let node = render();
    let empty = require_ok!(node.syncobj(0));
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    let both = [signalled.handle, empty.handle];
    // One without a fence spoils it, even if another would do.
    require_errno!(node.syncobj_wait(&both, 0, 0), libc::EINVAL);
    require_errno!(
        node.syncobj_wait(&both, i64::MAX, SYNCOBJ_WAIT_ALL),
        libc::EINVAL
    );
    let late = SYNCOBJ_WAIT_FOR_SUBMIT;
    require_eq!(node.syncobj_wait(&both, 0, late), Ok(0));
    require_errno!(
        node.syncobj_wait(&both, 0, late | SYNCOBJ_WAIT_ALL),
        libc::ETIME
    );
    require_errno!(empty.wait(0, late), libc::ETIME);
}

pub(super) fn wait_any_and_all(_: &Ctx) {
    let node = render();
    let empty = require_ok!(node.syncobj(0));
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    let (e, s) = (empty.handle, signalled.handle);
    let late = SYNCOBJ_WAIT_FOR_SUBMIT;
    require_eq!(node.syncobj_wait(&[e, s], 0, late), Ok(1));
    require_eq!(node.syncobj_wait(&[e, e, s, s], 0, late), Ok(2));
    require_eq!(node.syncobj_wait(&[s, s], 0, SYNCOBJ_WAIT_ALL), Ok(0));
    require_eq!(node.syncobj_wait(&[s], i64::MAX, SYNCOBJ_WAIT_ALL), Ok(0));
    let many = vec![s; 1000];
    require_eq!(node.syncobj_wait(&many, 0, SYNCOBJ_WAIT_ALL), Ok(0));
}

pub(super) fn wait_deadline(_: &Ctx) {
    let node = render();
    let empty = require_ok!(node.syncobj(0));
    let late = SYNCOBJ_WAIT_FOR_SUBMIT;
    for past in [0, 1, -1, i64::MIN, now_ns() - 1] {
        require_errno!(empty.wait(past, late), libc::ETIME);
    }
    let start = now_ns();
    require_errno!(empty.wait(deadline_ns(20), late), libc::ETIME);
    let waited = now_ns() - start;
    require!(
        (20_000_000..500_000_000).contains(&waited),
        "waited {waited} ns"
    );
}

pub(super) fn wait_for_submit(_: &Ctx) {
    let node = render();
    let empty = require_ok!(node.syncobj(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            empty.signal()
        });
        let start = now_ns();
        require_eq!(
            empty.wait(deadline_ns(5000), SYNCOBJ_WAIT_FOR_SUBMIT),
            Ok(0)
        );
        require!(now_ns() - start < 4_000_000_000);
    });
    // Of several, the one that comes.
    let other = require_ok!(node.syncobj(0));
    let third = require_ok!(node.syncobj(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            other.signal()
        });
        let handles = [third.handle, other.handle];
        require_eq!(
            node.syncobj_wait(&handles, deadline_ns(5000), SYNCOBJ_WAIT_FOR_SUBMIT),
            Ok(1)
        );
    });
}

pub(super) fn wait_for_submit_of_all(_: &Ctx) {
    let node = render();
    let both = [require_ok!(node.syncobj(0)), require_ok!(node.syncobj(0))];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for syncobj in &both {
                std::thread::sleep(Duration::from_millis(15));
                require_ok!(syncobj.signal());
            }
        });
        let flags = SYNCOBJ_WAIT_FOR_SUBMIT | SYNCOBJ_WAIT_ALL;
        require_ok!(node.syncobj_wait(&[both[0].handle, both[1].handle], deadline_ns(5000), flags));
        require_ok!(both[1].wait(0, 0));
    });
}

pub(super) fn wait_for_job(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, LONG));
    chain.null(LONG);
    let out = require_ok!(node.syncobj(0));
    let mut work = chain.work();
    work.out_sync = out.handle;
    require_ok!(node.submit(&work));
    require_errno!(out.wait(0, 0), libc::ETIME);
    require_errno!(out.wait(deadline_ns(5), 0), libc::ETIME);
    require_eq!(out.wait(deadline_ns(5000), 0), Ok(0));
    require_eq!(out.wait(0, 0), Ok(0));
    require_eq!(out.status(), Ok(1));
}

pub(super) fn wait_for_submitted_job(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, LONG));
    chain.null(LONG);
    let out = require_ok!(node.syncobj(0));
    let mut work = chain.work();
    work.out_sync = out.handle;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            node.submit(&work)
        });
        // The fence comes with the submit, the end with the job.
        require_eq!(out.wait(deadline_ns(5000), SYNCOBJ_WAIT_FOR_SUBMIT), Ok(0));
        require_eq!(chain.last_status(), 1);
    });
}

extern "C" fn ignore(_: i32) {}

pub(super) fn wait_interrupted(_: &Ctx) {
    let mut child = require_ok!(fork(|| {
        let node = render();
        let empty = require_ok!(node.syncobj(0));
        // SAFETY: all zero is a valid sigaction: no flags, so no restart.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = ignore as extern "C" fn(i32) as usize;
        let timer = libc::itimerval {
            it_interval: libc::timeval {
                tv_sec: 0,
                tv_usec: 0,
            },
            it_value: libc::timeval {
                tv_sec: 0,
                tv_usec: 20_000,
            },
        };
        // SAFETY: both structures live through the calls.
        unsafe {
            libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut());
            libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut());
        }
        require_errno!(
            empty.wait(deadline_ns(5000), SYNCOBJ_WAIT_FOR_SUBMIT),
            libc::EINTR
        );
        0
    }));
    require_eq!(require_ok!(child.wait()), Exit::Code(0));
}

pub(super) fn killed_waiter(_: &Ctx) {
    let node = render();
    let shared = require_ok!(node.syncobj(0));
    let mut child = require_ok!(fork(|| {
        let _ = shared.wait(i64::MAX, SYNCOBJ_WAIT_FOR_SUBMIT);
        0
    }));
    require_eq!(require_ok!(child.wait_for(Duration::from_millis(50))), None);
    require_ok!(child.kill(libc::SIGKILL));
    let exit = require_ok!(child.wait_for(Duration::from_secs(2)));
    require_eq!(exit, Some(Exit::Signal(libc::SIGKILL)));
    require_ok!(shared.signal());
    require_ok!(shared.wait(0, 0));
}
