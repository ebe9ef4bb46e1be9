// SPDX-License-Identifier: BSD-2-Clause
//! MADVISE, and a board that is short of memory.

use super::{render, PAGE};
use atf::drm::{Node, BAD_ADDRESS};
use atf::{require_eq, require_errno, require_ok, Ctx, Sys};
use uapi::core::{GemFlink, GemOpen, GEM_FLINK, GEM_OPEN};
use uapi::panfrost::*;

fn madvise(node: &Node, handle: u32, madv: u32) -> Sys<u32> {
    let mut arg = Madvise {
        handle,
        madv,
        retained: 9,
    };
    node.ioctl(MADVISE, &mut arg).map(|_| arg.retained)
}

pub(super) fn madvise_keeps(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE as u32, BO_NOEXEC));
    let map = require_ok!(bo.map());
    map.write_u32(0, 51);
    for madv in [
        MADV_WILLNEED,
        MADV_DONTNEED,
        MADV_DONTNEED,
        MADV_WILLNEED,
        MADV_WILLNEED,
    ] {
        require_eq!(madvise(&node, bo.handle, madv), Ok(1), "advice {madv}");
    }
    require_eq!(map.read_u32(0), 51, "without pressure nothing is lost");
    // An unneeded buffer can still be closed.
    require_eq!(madvise(&node, bo.handle, MADV_DONTNEED), Ok(1));
    require_ok!(node.gem_close(bo.handle));
}

pub(super) fn madvise_errors(_: &Ctx) {
    let (node, other) = (render(), render());
    let bo = require_ok!(node.bo(PAGE as u32, BO_NOEXEC));
    for madv in [MADV_WILLNEED, MADV_DONTNEED] {
        for handle in [0, bo.handle + 1, u32::MAX] {
            require_errno!(madvise(&node, handle, madv), libc::ENOENT);
        }
        require_errno!(madvise(&other, bo.handle, madv), libc::ENOENT);
    }
    require_errno!(node.ioctl_raw(MADVISE.code(), BAD_ADDRESS), libc::EFAULT);
}

pub(super) fn madvise_of_shared(_: &Ctx) {
    let (node, other) = (render(), render());
    let bo = require_ok!(node.bo(PAGE as u32, BO_NOEXEC));
    let fd = require_ok!(node.export(bo.handle, libc::O_CLOEXEC));
    let handle = require_ok!(other.import(&fd));
    require_errno!(madvise(&node, bo.handle, MADV_DONTNEED), libc::EINVAL);
    require_errno!(madvise(&other, handle, MADV_DONTNEED), libc::EINVAL);
    require_eq!(madvise(&node, bo.handle, MADV_WILLNEED), Ok(1));
    require_ok!(other.gem_close(handle));
    require_eq!(madvise(&node, bo.handle, MADV_DONTNEED), Ok(1));
}

pub(super) fn madvise_of_two_handles(_: &Ctx) {
    let node = require_ok!(Node::card());
    let bo = require_ok!(node.bo(PAGE as u32, BO_NOEXEC));
    let mut name = GemFlink {
        handle: bo.handle,
        name: 0,
    };
    require_ok!(node.ioctl(GEM_FLINK, &mut name));
    let mut second = GemOpen {
        name: name.name,
        ..GemOpen::default()
    };
    require_ok!(node.ioctl(GEM_OPEN, &mut second));
    // Each handle is a mapping of its own.
    require_errno!(madvise(&node, bo.handle, MADV_DONTNEED), libc::EINVAL);
    require_ok!(node.gem_close(second.handle));
    require_eq!(madvise(&node, bo.handle, MADV_DONTNEED), Ok(1));
}

const PART: u32 = 20 << 20;

pub(super) fn madvise_purged(_: &Ctx) {
    let node = render();
    let idle = require_ok!(node.bo(PART, BO_NOEXEC));
    let used = require_ok!(node.bo(PART, BO_NOEXEC));
    let map = require_ok!(used.map());
    map.write_u32(0, 61);
    require_eq!(madvise(&node, idle.handle, MADV_DONTNEED), Ok(1));
    // More than there is, unless the idle one gives way.
    let third = require_ok!(node.bo(PART, BO_NOEXEC));
    let fourth = require_ok!(node.bo(PART / 2, BO_NOEXEC));
    require_eq!(map.read_u32(0), 61);
    for madv in [MADV_WILLNEED, MADV_WILLNEED, MADV_DONTNEED] {
        require_eq!(madvise(&node, idle.handle, madv), Ok(0), "advice {madv}");
    }
    for bo in [&used, &third, &fourth] {
        require_eq!(madvise(&node, bo.handle, MADV_WILLNEED), Ok(1));
    }
    require_ok!(node.gem_close(idle.handle));
}

pub(super) fn out_of_memory(_: &Ctx) {
    let node = render();
    let used = require_ok!(node.bo(PART, BO_NOEXEC));
    require_ok!(used.map()).write_u32(0, 62);
    let mut arg = CreateBo {
        size: 80 << 20,
        flags: BO_NOEXEC,
        handle: 7,
        offset: 8,
        ..CreateBo::default()
    };
    require_errno!(node.ioctl(CREATE_BO, &mut arg), libc::ENOMEM);
    require_eq!(
        (arg.handle, arg.offset, node.live_handles()),
        (7, 8, vec![used.handle])
    );
    require_eq!(require_ok!(used.map()).read_u32(0), 62);
    // All of it came back.
    let rest = require_ok!(node.bo(PART, BO_NOEXEC));
    require_ok!(rest.map()).write_u32(0, 63);
}
