// SPDX-License-Identifier: BSD-2-Clause
//! Creation, destruction, reset and signal; sizes of structures.

use super::{render, UNKNOWN};
use atf::drm::BAD_ADDRESS;
use atf::{require, require_eq, require_errno, require_ok, Ctx};
use uapi::core::*;

/// What two array ioctls share.
const ARRAYS: [uapi::Request<SyncobjArray>; 2] = [SYNCOBJ_RESET, SYNCOBJ_SIGNAL];

pub(super) fn create(_: &Ctx) {
    let node = render();
    let empty = require_ok!(node.syncobj(0));
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    require!(empty.handle != 0 && signalled.handle != 0 && empty.handle != signalled.handle);
    require_errno!(empty.wait(0, 0), libc::EINVAL);
    require_ok!(signalled.wait(0, 0));
    for flags in [2, 3, 1 << 31] {
        let mut arg = SyncobjCreate { handle: 7, flags };
        require_errno!(node.ioctl(SYNCOBJ_CREATE, &mut arg), libc::EINVAL);
        require_eq!(arg.handle, 7);
    }
    require_errno!(
        node.ioctl_raw(SYNCOBJ_CREATE.code(), BAD_ADDRESS),
        libc::EFAULT
    );
}

pub(super) fn destroy(_: &Ctx) {
    let (node, other) = (render(), render());
    let syncobj = require_ok!(node.syncobj(0));
    let handle = syncobj.handle;
    require_errno!(
        node.ioctl(SYNCOBJ_DESTROY, &mut SyncobjDestroy { handle, pad: 1 }),
        libc::EINVAL
    );
    require_errno!(other.syncobj_destroy(handle), libc::EINVAL);
    require_errno!(syncobj.wait(0, SYNCOBJ_WAIT_FOR_SUBMIT), libc::ETIME);
    require_ok!(node.syncobj_destroy(handle));
    for gone in [handle, 0, UNKNOWN, u32::MAX] {
        require_errno!(node.syncobj_destroy(gone), libc::EINVAL);
    }
    require_errno!(
        node.ioctl_raw(SYNCOBJ_DESTROY.code(), BAD_ADDRESS),
        libc::EFAULT
    );
}

pub(super) fn handles_are_not_buffers(_: &Ctx) {
    let node = render();
    let syncobj = require_ok!(node.syncobj(0));
    require_errno!(node.gem_close(syncobj.handle), libc::EINVAL);
    let bo = require_ok!(node.bo(4096, 0));
    // The numbers may be the same; the tables are not.
    require_ok!(node.syncobj_destroy(syncobj.handle));
    require_errno!(node.syncobj_destroy(bo.handle), libc::EINVAL);
    require_eq!(node.live_handles(), [bo.handle]);
}

pub(super) fn reset_and_signal(_: &Ctx) {
    let node = render();
    let objects = [
        require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED)),
        require_ok!(node.syncobj(0)),
    ];
    let handles = [objects[0].handle, objects[1].handle, objects[0].handle];
    require_ok!(node.syncobj_signal(&handles));
    require_ok!(node.syncobj_wait(&handles, 0, SYNCOBJ_WAIT_ALL));
    require_ok!(node.syncobj_signal(&handles));
    require_ok!(node.syncobj_reset(&handles));
    for object in &objects {
        require_errno!(object.wait(0, 0), libc::EINVAL);
    }
    require_ok!(node.syncobj_reset(&handles));
}

pub(super) fn array_errors(_: &Ctx) {
    let node = render();
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    let empty = require_ok!(node.syncobj(0));
    let handles = [signalled.handle, empty.handle, UNKNOWN];
    for request in ARRAYS {
        let good = SyncobjArray {
            handles: handles.as_ptr() as u64,
            count_handles: 3,
            ..SyncobjArray::default()
        };
        let call = |mut arg| node.ioctl(request, &mut arg);
        require_errno!(
            call(SyncobjArray {
                pad: 1,
                count_handles: 2,
                ..good
            }),
            libc::EINVAL
        );
        require_errno!(
            call(SyncobjArray {
                count_handles: 0,
                ..good
            }),
            libc::EINVAL
        );
        require_errno!(
            call(SyncobjArray {
                handles: BAD_ADDRESS as u64,
                ..good
            }),
            libc::EFAULT
        );
        // All handles are looked up before the first is touched.
        require_errno!(call(good), libc::ENOENT);
        require_ok!(signalled.wait(0, 0));
        require_errno!(empty.wait(0, 0), libc::EINVAL);
    }
}

pub(super) fn other_requests(_: &Ctx) {
    let node = render();
    let fd = require_ok!(require_ok!(node.syncobj(0)).export());
    let mut arg = [0u64; 8];
    for code in [VERSION.code(), 0x4008_6200, 0xc038_3e04] {
        require_errno!(fd.ioctl_raw(code, arg.as_mut_ptr() as usize), libc::ENOTTY);
    }
    require_errno!(fd.map(0, 4096), libc::ENODEV);
}

pub(super) fn newer_structures(_: &Ctx) {
    let node = render();
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    // Linux 6.16 appended a timeline point to drm_syncobj_handle, 6.6 a deadline to
    // drm_syncobj_wait. They count only with their flag.
    let mut words = [signalled.handle, 0, 0, 0, 7, 7, 0, 0];
    let mut to_fd = |size: u32, tail: u32| {
        words[6] = tail;
        let code = SYNCOBJ_HANDLE_TO_FD.code() & !(0x3fff << 16) | size << 16;
        node.ioctl_raw(code, words.as_mut_ptr() as usize)?;
        // SAFETY: the descriptor is new and has no other owner.
        unsafe { libc::close(words[2] as i32) };
        Ok(())
    };
    for size in [16, 24, 32] {
        require_ok!(to_fd(size, 0));
    }
    require_errno!(to_fd(32, 1), libc::EINVAL);
    let handles = [signalled.handle];
    let mut arg = [handles.as_ptr() as u64, 0, 1, 0, 5, 0];
    let mut wait = |size: u32, tail: u64| {
        arg[5] = tail;
        let code = SYNCOBJ_WAIT.code() & !(0x3fff << 16) | size << 16;
        node.ioctl_raw(code, arg.as_mut_ptr() as usize)
    };
    for size in [32, 40, 48] {
        require_ok!(wait(size, 0));
    }
    require_errno!(wait(48, 1), libc::EINVAL);
}
