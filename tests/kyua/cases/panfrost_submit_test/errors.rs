// SPDX-License-Identifier: BSD-2-Clause
//! Arguments that are refused, and what a refused submit leaves.

use super::{render, soon, FILLED};
use atf::drm::client::Work;
use atf::drm::BAD_ADDRESS;
use atf::mali::Chain;
use atf::process::open_descriptors;
use atf::{require, require_eq, require_errno, require_ok, Ctx};
use uapi::core::SYNCOBJ_CREATE_SIGNALED;
use uapi::panfrost::*;

const UNKNOWN: u32 = 77;

pub(super) fn bo_handles(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, 1));
    let work = chain.null(1).work();
    let known = chain.handle();
    let other = render();
    let foreign = require_ok!(other.bo(4096, 0));
    let foreign = [known, foreign.handle + 1];
    for bos in [
        &[UNKNOWN][..],
        &[0],
        &[known, UNKNOWN],
        &[u32::MAX],
        &foreign,
    ] {
        require_errno!(node.submit(&Work { bos, ..work }), libc::ENOENT);
    }
    let mut arg = work.argument();
    arg.bo_handle_count = 1;
    for bad in [0, BAD_ADDRESS as u64, u64::MAX - 3] {
        arg.bo_handles = bad;
        require_errno!(node.ioctl(SUBMIT_40, &mut arg), libc::EFAULT);
    }
    // Without a count the pointer does not matter.
    arg.bo_handle_count = 0;
    require_ok!(node.ioctl(SUBMIT_40, &mut arg));
}

pub(super) fn bo_twice(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, 1));
    let work = chain.null(1).work();
    let bos = [chain.handle(); 2];
    require_errno!(node.submit(&Work { bos: &bos, ..work }), libc::EALREADY);
    require_ok!(chain.wait(0));
    require_eq!(chain.last_status(), 0, "it did not run");
}

pub(super) fn absurd_counts(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, 1));
    let handles = [chain.handle(); 4];
    let mut arg = chain.null(1).work().argument();
    arg.bo_handles = handles.as_ptr() as u64;
    arg.bo_handle_count = u32::MAX;
    require_errno!(node.ioctl(SUBMIT_40, &mut arg), libc::ENOMEM);
    arg.bo_handle_count = 0;
    arg.in_syncs = handles.as_ptr() as u64;
    arg.in_sync_count = u32::MAX;
    require_errno!(node.ioctl(SUBMIT_40, &mut arg), libc::ENOMEM);
    require_eq!(chain.last_status(), 0);
}

pub(super) fn job_errors(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, 1));
    let work = chain.null(1).work();
    require_errno!(node.submit(&Work { jc: 0, ..work }), libc::EINVAL);
    for requirements in [4, REQ_FS | 4, 1 << 31, u32::MAX] {
        require_errno!(
            node.submit(&Work {
                requirements,
                ..work
            }),
            libc::EINVAL
        );
    }
    require_errno!(node.ioctl_raw(SUBMIT.code(), BAD_ADDRESS), libc::EFAULT);
    require_errno!(node.ioctl_raw(SUBMIT_40.code(), BAD_ADDRESS), libc::EFAULT);
    require_eq!(chain.last_status(), 0);
}

pub(super) fn sync_errors(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, 1));
    let work = chain.null(1).work();
    let empty = require_ok!(node.syncobj(0));
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    for out_sync in [UNKNOWN, u32::MAX] {
        require_errno!(node.submit(&Work { out_sync, ..work }), libc::ENODEV);
    }
    for in_syncs in [&[UNKNOWN][..], &[0], &[signalled.handle, UNKNOWN]] {
        require_errno!(node.submit(&Work { in_syncs, ..work }), libc::ENOENT);
    }
    for in_syncs in [&[empty.handle][..], &[signalled.handle, empty.handle]] {
        require_errno!(node.submit(&Work { in_syncs, ..work }), libc::EINVAL);
    }
    let mut arg = work.argument();
    arg.in_sync_count = 1;
    for bad in [0, BAD_ADDRESS as u64] {
        arg.in_syncs = bad;
        require_errno!(node.ioctl(SUBMIT_40, &mut arg), libc::EFAULT);
    }
    require_eq!(chain.last_status(), 0);
}

pub(super) fn order_of_errors(_: &Ctx) {
    let node = render();
    let empty = require_ok!(node.syncobj(0));
    let (unknown, unfilled) = ([UNKNOWN], [empty.handle]);
    // All wrong; each step puts one right.
    let mut work = Work {
        jc: 0,
        requirements: 8,
        out_sync: UNKNOWN,
        in_syncs: &unknown,
        bos: &unknown,
    };
    require_errno!(node.submit(&work), libc::EINVAL);
    work.jc = 0x1000_0000;
    require_errno!(node.submit(&work), libc::EINVAL);
    work.requirements = 0;
    require_errno!(node.submit(&work), libc::ENODEV);
    work.out_sync = empty.handle;
    require_errno!(node.submit(&work), libc::ENOENT);
    work.in_syncs = &unfilled;
    require_errno!(node.submit(&work), libc::EINVAL);
    work.in_syncs = &[];
    require_errno!(node.submit(&work), libc::ENOENT);
}

pub(super) fn failure_changes_nothing(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, 1));
    let target = require_ok!(node.bo(4096, BO_NOEXEC));
    let map = require_ok!(target.map());
    map.write_u32(0, FILLED);
    let work = chain.write_zero(target.va).work();
    let empty = require_ok!(node.syncobj(0));
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    let (handles, descriptors) = (node.live_handles(), open_descriptors());
    let (bad_bo, bad_sync) = ([target.handle, UNKNOWN], [signalled.handle, UNKNOWN]);
    for out_sync in [empty.handle, signalled.handle] {
        for bad in [
            Work {
                bos: &bad_bo,
                ..work
            },
            Work {
                in_syncs: &bad_sync,
                ..work
            },
            Work {
                in_syncs: &[empty.handle],
                ..work
            },
            Work {
                requirements: 8,
                ..work
            },
            Work { jc: 0, ..work },
        ] {
            require!(node.submit(&Work { out_sync, ..bad }).is_err());
        }
    }
    require_errno!(empty.wait(0, 0), libc::EINVAL);
    require_ok!(signalled.wait(0, 0));
    require_ok!(target.wait(0));
    require_eq!(
        (node.live_handles(), open_descriptors()),
        (handles, descriptors)
    );
    require_eq!((map.read_u32(0), chain.last_status()), (FILLED, 0));
}

pub(super) fn newer_form(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, 1));
    let old = chain.null(1).work().argument();
    let mut arg = Submit {
        jc: old.jc,
        ..Submit::default()
    };
    for (jm_ctx_handle, pad) in [(1, 0), (0, 1), (u32::MAX, u32::MAX)] {
        require_errno!(
            node.ioctl(
                SUBMIT,
                &mut Submit {
                    jm_ctx_handle,
                    pad,
                    ..arg
                }
            ),
            libc::EINVAL
        );
    }
    require_eq!(chain.last_status(), 0);
    let out = require_ok!(node.syncobj(0));
    arg.out_sync = out.handle;
    require_ok!(node.ioctl(SUBMIT, &mut arg));
    require_ok!(out.wait(soon(), 0));
    require_eq!(chain.last_status(), 1);
}
