// SPDX-License-Identifier: BSD-2-Clause
//! WAIT_BO.

use super::{render, PAGE};
use atf::drm::{deadline_ns, now_ns, Node, BAD_ADDRESS};
use atf::mali::Chain;
use atf::process::{fork, Exit};
use atf::{require, require_eq, require_errno, require_ok, Ctx};
use uapi::panfrost::*;

/// Jobs that do nothing, long enough to be observed while they run.
const LONG: usize = 20_000;

pub(super) fn wait_idle(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    for timeout in [0, 1, -1, i64::MIN, i64::MAX, now_ns(), deadline_ns(1000)] {
        require_eq!(bo.wait(timeout), Ok(0), "timeout {timeout}");
    }
}

pub(super) fn wait_errors(_: &Ctx) {
    let (node, other) = (render(), render());
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    for handle in [0, bo.handle + 1, u32::MAX] {
        require_errno!(node.wait_bo(handle, 0), libc::ENOENT);
    }
    require_errno!(other.wait_bo(bo.handle, 0), libc::ENOENT);
    for handle in [bo.handle, 0] {
        let mut arg = WaitBo {
            handle,
            pad: 1,
            timeout_ns: 0,
        };
        require_errno!(node.ioctl(WAIT_BO, &mut arg), libc::EINVAL);
    }
    require_errno!(node.ioctl_raw(WAIT_BO.code(), BAD_ADDRESS), libc::EFAULT);
}

/// Submits a long chain that has `bo`.
fn occupy<'a>(node: &'a Node, bo: u32) -> Chain<'a> {
    let mut chain = require_ok!(Chain::new(node, LONG));
    chain.null(LONG);
    let handles = [bo, chain.handle()];
    let mut work = chain.work();
    work.bos = &handles;
    require_ok!(node.submit(&work));
    chain
}

pub(super) fn wait_busy(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let chain = occupy(&node, bo.handle);
    for past in [0, 1, -1, i64::MIN, now_ns() - 1] {
        require_errno!(bo.wait(past), libc::EBUSY);
    }
    let start = now_ns();
    require_errno!(bo.wait(deadline_ns(5)), libc::ETIMEDOUT);
    require!(now_ns() - start >= 5_000_000);
    require_ok!(bo.wait(deadline_ns(5000)));
    require_eq!(chain.last_status(), 1);
    require_ok!(chain.wait(0));
}

pub(super) fn wait_for_ever(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let chain = occupy(&node, bo.handle);
    require_ok!(bo.wait(i64::MAX));
    require_eq!(chain.last_status(), 1);
}

extern "C" fn ignore(_: i32) {}

pub(super) fn wait_interrupted(_: &Ctx) {
    let mut child = require_ok!(fork(|| {
        let node = render();
        let bo = require_ok!(node.bo(PAGE as u32, 0));
        let _chain = occupy(&node, bo.handle);
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
                tv_usec: 5_000,
            },
        };
        // SAFETY: both structures live through the calls.
        unsafe {
            libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut());
            libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut());
        }
        require_errno!(bo.wait(deadline_ns(5000)), libc::EINTR);
        require_ok!(bo.wait(deadline_ns(5000)));
        0
    }));
    require_eq!(require_ok!(child.wait()), Exit::Code(0));
}

pub(super) fn close_while_busy(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, BO_NOEXEC));
    let (handle, va) = (bo.handle, bo.va);
    let chain = occupy(&node, handle);
    require_ok!(node.gem_close(handle));
    require_errno!(node.wait_bo(handle, 0), libc::ENOENT);
    // The job holds the mapping, so no other buffer gets the address yet.
    let next = require_ok!(node.bo(PAGE as u32, BO_NOEXEC));
    require!(next.va != va);
    require_ok!(chain.wait(deadline_ns(5000)));
    require_eq!(chain.last_status(), 1);
}
