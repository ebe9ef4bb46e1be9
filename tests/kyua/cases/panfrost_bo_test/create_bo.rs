// SPDX-License-Identifier: BSD-2-Clause
//! CREATE_BO, GET_BO_OFFSET and MMAP_BO: sizes, flags, addresses.

use super::{render, PAGE};
use atf::drm::{Node, BAD_ADDRESS};
use atf::{require, require_eq, require_errno, require_ok, Ctx, Sys};
use uapi::panfrost::*;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// What clients may be given: panfrost_mmu_ctx_create.
const WINDOW: std::ops::Range<u64> = 32 * MIB..4 * GIB;

fn create_raw(node: &Node, mut arg: CreateBo) -> Sys<CreateBo> {
    node.ioctl(CREATE_BO, &mut arg).map(|_| arg)
}

pub(super) fn create(_: &Ctx) {
    let node = render();
    for flags in [0, BO_NOEXEC, BO_NOEXEC | BO_HEAP] {
        let bo = require_ok!(node.bo(PAGE as u32, flags));
        require!(
            bo.handle != 0 && WINDOW.contains(&bo.va),
            "flags {flags}: {bo:?}"
        );
        require_eq!(bo.va % PAGE, 0);
        require_eq!(node.bo_offset(bo.handle), Ok(bo.va));
    }
    // What the caller left in the answers does not matter.
    let arg = CreateBo {
        size: 1,
        handle: 99,
        offset: 99,
        ..CreateBo::default()
    };
    let answer = require_ok!(create_raw(&node, arg));
    require_eq!(node.live_handles(), [answer.handle]);
}

pub(super) fn create_errors(_: &Ctx) {
    let node = render();
    let good = CreateBo {
        size: PAGE as u32,
        handle: 77,
        offset: 78,
        ..CreateBo::default()
    };
    for bad in [
        CreateBo { size: 0, ..good },
        CreateBo {
            size: 0,
            flags: BO_NOEXEC,
            ..good
        },
        CreateBo { pad: 1, ..good },
        CreateBo {
            flags: BO_HEAP,
            ..good
        },
        CreateBo { flags: 8, ..good },
        CreateBo {
            flags: 1 << 31,
            ..good
        },
        CreateBo {
            flags: u32::MAX,
            ..good
        },
    ] {
        let mut arg = bad;
        match node.ioctl(CREATE_BO, &mut arg) {
            Err(atf::Errno(libc::EINVAL)) => {}
            other => panic!("{bad:?} gave {other:?}"),
        }
        require_eq!((arg.handle, arg.offset), (77, 78));
    }
    require_errno!(node.ioctl_raw(CREATE_BO.code(), BAD_ADDRESS), libc::EFAULT);
    require_eq!(node.live_handles(), []);
}

pub(super) fn create_too_large(_: &Ctx) {
    let node = render();
    // More than the window; a heap, so that no memory is asked for first.
    let arg = CreateBo {
        size: u32::MAX,
        flags: BO_NOEXEC | BO_HEAP,
        ..CreateBo::default()
    };
    require_errno!(create_raw(&node, arg), libc::ENOSPC);
    require_eq!(node.live_handles(), []);
    let half = require_ok!(node.bo(2 * GIB as u32, BO_NOEXEC | BO_HEAP));
    require_errno!(node.bo(2 * GIB as u32, BO_NOEXEC | BO_HEAP), libc::ENOSPC);
    drop(half);
    require_ok!(node.bo(2 * GIB as u32, BO_NOEXEC | BO_HEAP));
}

pub(super) fn addresses(_: &Ctx) {
    let node = render();
    let sizes = [1, PAGE, PAGE + 1, 3 * PAGE, 64 << 10, MIB];
    let mut ranges = Vec::new();
    let mut bos = Vec::new();
    for size in sizes.into_iter().cycle().take(60) {
        let bo = require_ok!(node.bo(size as u32, BO_NOEXEC));
        ranges.push(bo.va..bo.va + size.next_multiple_of(PAGE));
        bos.push(bo);
    }
    ranges.sort_by_key(|range| range.start);
    require!(
        ranges.first().unwrap().start >= WINDOW.start && ranges.last().unwrap().end <= WINDOW.end
    );
    for pair in ranges.windows(2) {
        require!(pair[0].end <= pair[1].start, "{pair:x?} overlap");
    }
    // Another file's addresses are its own affair.
    let other = render();
    require!(WINDOW.contains(&require_ok!(other.bo(PAGE as u32, 0)).va));
}

pub(super) fn large_buffers(_: &Ctx) {
    let node = render();
    let _odd = require_ok!(node.bo(PAGE as u32, BO_NOEXEC));
    let bos: Vec<_> = [2 * MIB, 3 * MIB, 2 * MIB + PAGE]
        .into_iter()
        .map(|size| require_ok!(node.bo(size as u32, BO_NOEXEC)))
        .collect();
    for bo in &bos {
        require_eq!(bo.va % (2 * MIB), 0, "{bo:?}");
    }
    let heap = require_ok!(node.bo(PAGE as u32, BO_NOEXEC | BO_HEAP));
    require_eq!(heap.va % (2 * MIB), 0, "a heap is 2 MiB at least");
}

pub(super) fn executable_buffers(_: &Ctx) {
    let node = render();
    let mut bos = Vec::new();
    for size in [PAGE, 64 << 10, 16 << 10, MIB, PAGE, 4 * MIB, 16 * MIB]
        .into_iter()
        .cycle()
        .take(28)
    {
        let bo = require_ok!(node.bo(size as u32, 0));
        require_eq!(bo.va % size, 0, "{bo:?}");
        let last = bo.va + size - 1;
        require_eq!(
            bo.va / (16 * MIB),
            last / (16 * MIB),
            "{bo:?} crosses 16 MiB"
        );
        require!(bo.va + size < WINDOW.end, "{bo:?} ends at 4 GiB");
        bos.push(bo);
    }
}

pub(super) fn addresses_come_back(_: &Ctx) {
    let node = render();
    // Two thirds of the window each time: every one must have given its place back.
    for _ in 0..8 {
        let bo = require_ok!(node.bo((3 * GIB - 64 * MIB) as u32, BO_NOEXEC | BO_HEAP));
        require_ok!(node.gem_close(bo.handle));
    }
}

pub(super) fn get_bo_offset(_: &Ctx) {
    let (node, other) = (render(), render());
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    for handle in [0, bo.handle + 1, u32::MAX] {
        require_errno!(node.bo_offset(handle), libc::ENOENT);
    }
    require_errno!(other.bo_offset(bo.handle), libc::ENOENT);
    let mut arg = GetBoOffset {
        handle: bo.handle + 1,
        pad: 0,
        offset: 9,
    };
    require_errno!(node.ioctl(GET_BO_OFFSET, &mut arg), libc::ENOENT);
    require_eq!(arg.offset, 9);
    // The padding is not checked.
    let mut arg = GetBoOffset {
        handle: bo.handle,
        pad: 5,
        offset: 0,
    };
    require_ok!(node.ioctl(GET_BO_OFFSET, &mut arg));
    require_eq!(arg.offset, bo.va);
    require_errno!(
        node.ioctl_raw(GET_BO_OFFSET.code(), BAD_ADDRESS),
        libc::EFAULT
    );
}

pub(super) fn mmap_bo(_: &Ctx) {
    let (node, other) = (render(), render());
    let bo = require_ok!(node.bo(PAGE as u32, 0));
    let heap = require_ok!(node.bo(PAGE as u32, BO_HEAP | BO_NOEXEC));
    for handle in [0, heap.handle + 1, u32::MAX] {
        require_errno!(node.map_offset(handle), libc::ENOENT);
    }
    require_errno!(other.map_offset(bo.handle), libc::ENOENT);
    require_errno!(node.map_offset(heap.handle), libc::EINVAL);
    for flags in [1, 1 << 31] {
        let mut arg = MmapBo {
            handle: bo.handle,
            flags,
            offset: 9,
        };
        require_errno!(node.ioctl(MMAP_BO, &mut arg), libc::EINVAL);
        // Flags are checked before the handle.
        arg.handle = 0;
        require_errno!(node.ioctl(MMAP_BO, &mut arg), libc::EINVAL);
        require_eq!(arg.offset, 9);
    }
    require_errno!(node.ioctl_raw(MMAP_BO.code(), BAD_ADDRESS), libc::EFAULT);
}
