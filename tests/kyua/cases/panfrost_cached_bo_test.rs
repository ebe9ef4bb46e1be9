// SPDX-License-Identifier: BSD-2-Clause
//! panfrost: BOs that users map cached (WB_MMAP, SYNC_BO), QUERY_BO_INFO, SET_LABEL_BO.
//!
//! Expected: Linux 7.2, drivers/gpu/drm/panfrost/panfrost_drv.c and panfrost_gem.c (driver 1.6).
//! Older drivers have none of this.

use atf::drm::{deadline_ns, Node, BAD_ADDRESS};
use atf::mali::Chain;
use atf::{case, require_eq, require_errno, require_ok, Ctx};
use uapi::panfrost::*;

const PAGE: u32 = 4096;

fn render() -> Node {
    require_ok!(Node::render())
}

fn soon() -> i64 {
    deadline_ns(5000)
}

fn sync(node: &Node, ops: &[BoSyncOp]) -> atf::Sys<i32> {
    let mut arg = SyncBo {
        ops: ops.as_ptr() as u64,
        op_count: ops.len() as u32,
        pad: 0,
    };
    node.ioctl(SYNC_BO, &mut arg)
}

/// A job reads what the CPU has written to cached BOs and flushed, and the CPU reads what it wrote
/// after an invalidation.
fn cached(_: &Ctx) {
    let node = render();
    let flags = BO_NOEXEC | BO_WB_MMAP;
    let target = require_ok!(node.bo(2 * PAGE, flags));
    let map = require_ok!(target.map());
    map.write_u32(PAGE as usize, 0xdead_beef);
    map.write_u32(PAGE as usize + 64, 0xdead_beef);
    let whole = BoSyncOp {
        handle: target.handle,
        kind: SYNC_CPU_CACHE_FLUSH,
        offset: 0,
        size: 2 * PAGE,
    };
    require_ok!(sync(&node, &[whole]));
    let mut chain = require_ok!(Chain::new(&node, 1));
    chain.write_zero(target.va + u64::from(PAGE));
    require_ok!(node.submit(&atf::drm::client::Work {
        bos: &[chain.handle(), target.handle],
        ..chain.work()
    }));
    require_ok!(target.wait(soon()));
    require_ok!(sync(
        &node,
        &[BoSyncOp {
            kind: SYNC_CPU_CACHE_FLUSH_AND_INVALIDATE,
            offset: PAGE,
            size: PAGE,
            ..whole
        }]
    ));
    require_eq!(
        (
            chain.last_status(),
            map.read_u32(PAGE as usize),
            map.read_u32(PAGE as usize + 64)
        ),
        (1, 0, 0xdead_beef)
    );
}

fn create(_: &Ctx) {
    let node = render();
    for flags in [BO_HEAP | BO_NOEXEC | BO_WB_MMAP, BO_HEAP | BO_WB_MMAP, 8] {
        let mut arg = CreateBo {
            size: PAGE,
            flags,
            ..CreateBo::default()
        };
        require_errno!(node.ioctl(CREATE_BO, &mut arg), libc::EINVAL);
    }
    require_eq!(node.live_handles(), []);
    require_ok!(node.bo(PAGE, BO_WB_MMAP));
}

fn sync_errors(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE, BO_WB_MMAP));
    let good = BoSyncOp {
        handle: bo.handle,
        kind: SYNC_CPU_CACHE_FLUSH,
        offset: 0,
        size: PAGE,
    };
    require_ok!(sync(&node, &[]));
    require_ok!(sync(&node, &[good; 16]));
    require_ok!(sync(&node, &[BoSyncOp { size: 0, ..good }]));
    require_ok!(sync(
        &node,
        &[BoSyncOp {
            offset: PAGE,
            size: 0,
            ..good
        }]
    ));
    for bad in [
        BoSyncOp { kind: 2, ..good },
        BoSyncOp { offset: 1, ..good },
        BoSyncOp {
            offset: u32::MAX,
            ..good
        },
        BoSyncOp {
            size: PAGE + 1,
            ..good
        },
    ] {
        require_errno!(sync(&node, &[good, bad]), libc::EINVAL);
    }
    let unknown = BoSyncOp {
        handle: 0x1234,
        ..good
    };
    require_errno!(sync(&node, &[good, unknown]), libc::ENOENT);
    let mut arg = SyncBo {
        ops: BAD_ADDRESS as u64,
        op_count: 1,
        pad: 0,
    };
    require_errno!(node.ioctl(SYNC_BO, &mut arg), libc::EFAULT);
    arg = SyncBo {
        ops: 0,
        op_count: 0,
        pad: 1,
    };
    require_errno!(node.ioctl(SYNC_BO, &mut arg), libc::EINVAL);
    require_errno!(node.ioctl_raw(SYNC_BO.code(), BAD_ADDRESS), libc::EFAULT);
    // Nothing is to be done for a BO that is not cached.
    let plain = require_ok!(node.bo(PAGE, 0));
    require_ok!(sync(
        &node,
        &[BoSyncOp {
            handle: plain.handle,
            ..good
        }]
    ));
}

fn info(_: &Ctx) {
    let node = render();
    for flags in [
        0,
        BO_NOEXEC,
        BO_WB_MMAP,
        BO_NOEXEC | BO_WB_MMAP,
        BO_NOEXEC | BO_HEAP,
    ] {
        let bo = require_ok!(node.bo(PAGE, flags));
        let mut arg = QueryBoInfo {
            handle: bo.handle,
            extra_flags: 0x5555,
            create_flags: 0x5555,
            pad: 0,
        };
        require_ok!(node.ioctl(QUERY_BO_INFO, &mut arg));
        require_eq!((arg.create_flags, arg.extra_flags), (flags, 0));
        // An import of one's own buffer is the buffer.
        let fd = require_ok!(node.export(bo.handle, libc::O_CLOEXEC));
        let other = render();
        arg.handle = require_ok!(other.import(&fd));
        require_ok!(other.ioctl(QUERY_BO_INFO, &mut arg));
        require_eq!((arg.create_flags, arg.extra_flags), (flags, 0));
    }
    let mut arg = QueryBoInfo {
        handle: 0x1234,
        ..QueryBoInfo::default()
    };
    require_errno!(node.ioctl(QUERY_BO_INFO, &mut arg), libc::ENOENT);
    require_errno!(
        node.ioctl_raw(QUERY_BO_INFO.code(), BAD_ADDRESS),
        libc::EFAULT
    );
}

fn coherency(_: &Ctx) {
    // No board here snoops: none.
    require_eq!(render().param(PARAM_SELECTED_COHERENCY), Ok(31));
}

fn label(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(PAGE, 0));
    let set = |handle, pad, label: u64| {
        let mut arg = SetLabelBo { handle, pad, label };
        node.ioctl(SET_LABEL_BO, &mut arg)
    };
    let at = |bytes: &[u8]| bytes.as_ptr() as u64;
    require_ok!(set(bo.handle, 0, at(b"a vertex buffer\0")));
    require_ok!(set(bo.handle, 0, at(b"\0")));
    require_ok!(set(bo.handle, 0, 0));
    let mut long = [b'x'; 4097];
    require_errno!(set(bo.handle, 0, at(&long)), libc::E2BIG);
    long[4096] = 0;
    require_errno!(set(bo.handle, 0, at(&long)), libc::E2BIG);
    long[4095] = 0;
    require_ok!(set(bo.handle, 0, at(&long)));
    require_errno!(set(bo.handle, 1, 0), libc::EINVAL);
    require_errno!(set(0x1234, 0, 0), libc::ENOENT);
    require_errno!(set(bo.handle, 0, BAD_ADDRESS as u64), libc::EFAULT);
    require_errno!(
        node.ioctl_raw(SET_LABEL_BO.code(), BAD_ADDRESS),
        libc::EFAULT
    );
}

fn main() {
    let cases = [
        case!(
            "cached",
            "panfrost_gem_sync: what is flushed and invalidated is seen",
            cached
        ),
        case!("create", "panfrost_ioctl_create_bo: EINVAL", create),
        case!(
            "sync_errors",
            "panfrost_ioctl_sync_bo: EINVAL, ENOENT, EFAULT",
            sync_errors
        ),
        case!("info", "panfrost_ioctl_query_bo_info", info),
        case!("coherency", "panfrost_ioctl_get_param", coherency),
        case!(
            "label",
            "panfrost_ioctl_set_label_bo: E2BIG, EFAULT, ENOENT",
            label
        ),
    ];
    atf::main(&cases.map(|case| case.board("rk3399")))
}
