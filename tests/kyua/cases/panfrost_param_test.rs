// SPDX-License-Identifier: BSD-2-Clause
//! panfrost: GET_PARAM, and the performance counters that are off.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/panfrost/panfrost_drv.c and panfrost_perfcnt.c (driver
//! 1.2); values are those of the RK3399's Mali-T860 r2p0.

use atf::drm::{Node, BAD_ADDRESS};
use atf::{case, require, require_eq, require_errno, require_ok, Ctx};
use uapi::panfrost::*;

fn render() -> Node {
    require_ok!(Node::render())
}

/// HW: what the registers of an RK3399 read, as reported by users of FreeBSD (evadot/drm-subtree
/// issue 14).
const VALUES: &[(u32, u64)] = &[
    (PARAM_GPU_PROD_ID, 0x860),
    (PARAM_GPU_REVISION, 0x2000),
    (PARAM_SHADER_PRESENT, 0xf),
    // Tiler and level 2 cache: one of each.
    (3, 1),
    (4, 1),
    (PARAM_AS_PRESENT, 0xff),
    (PARAM_JS_PRESENT, 7),
    (PARAM_L2_FEATURES, 0x0712_0206),
    (9, 0),
    (PARAM_TILER_FEATURES, 0x809),
    (PARAM_MEM_FEATURES, 1),
    (PARAM_MMU_FEATURES, 0x2830),
    (PARAM_NR_CORE_GROUPS, 1),
    // Only Bifrost has the register; and nonzero would say that AFBC is missing.
    (PARAM_THREAD_TLS_ALLOC, 0),
    (PARAM_AFBC_FEATURES, 0),
];

fn values(_: &Ctx) {
    let node = render();
    for (param, value) in VALUES {
        require_eq!(node.param(*param), Ok(*value), "parameter {param}");
    }
}

fn all(_: &Ctx) {
    let nodes = [render(), require_ok!(Node::card())];
    for param in 0..=40 {
        let values = [0, 1].map(|i| require_ok!(nodes[i].param(param)));
        require_eq!(values[0], values[1], "parameter {param} of both nodes");
        require!(
            values[0] <= u64::from(u32::MAX),
            "parameter {param}: {:#x}",
            values[0]
        );
    }
    // Slots that exist do something, slots that do not read as zero.
    for slot in 0..16 {
        let features = require_ok!(nodes[0].param(PARAM_JS_FEATURES0 + slot));
        require_eq!(
            features != 0,
            slot < 3,
            "JS_FEATURES of slot {slot}: {features:#x}"
        );
    }
}

fn unknown(_: &Ctx) {
    let node = render();
    for param in [45, 256, 1 << 16, u32::MAX] {
        let mut arg = GetParam {
            param,
            pad: 0,
            value: 0x5555,
        };
        require_errno!(node.ioctl(GET_PARAM, &mut arg), libc::EINVAL);
        require_eq!(arg.value, 0x5555);
    }
}

fn pad(_: &Ctx) {
    let node = render();
    for pad in [1, 1 << 31] {
        let mut arg = GetParam {
            param: PARAM_GPU_PROD_ID,
            pad,
            value: 0x5555,
        };
        require_errno!(node.ioctl(GET_PARAM, &mut arg), libc::EINVAL);
        require_eq!(arg.value, 0x5555);
    }
    // What the caller left in the value does not matter.
    let mut arg = GetParam {
        param: PARAM_GPU_PROD_ID,
        pad: 0,
        value: u64::MAX,
    };
    require_ok!(node.ioctl(GET_PARAM, &mut arg));
    require_eq!(arg.value, 0x860);
}

fn fault(_: &Ctx) {
    require_errno!(
        render().ioctl_raw(GET_PARAM.code(), BAD_ADDRESS),
        libc::EFAULT
    );
}

fn counters(_: &Ctx) {
    for node in [render(), require_ok!(Node::card())] {
        for (enable, counterset) in [(0, 0), (1, 0), (1, 1), (2, 7)] {
            let mut arg = PerfcntEnable { enable, counterset };
            require_errno!(node.ioctl(PERFCNT_ENABLE, &mut arg), libc::ENOSYS);
        }
        let mut buffer = vec![0u8; 1 << 16];
        let mut arg = PerfcntDump {
            buf_ptr: buffer.as_mut_ptr() as u64,
        };
        require_errno!(node.ioctl(PERFCNT_DUMP, &mut arg), libc::ENOSYS);
        require_errno!(
            node.ioctl(PERFCNT_DUMP, &mut PerfcntDump::default()),
            libc::ENOSYS
        );
    }
}

fn newer_requests(_: &Ctx) {
    let node = render();
    let mut arg = [0u64; 4];
    let at = arg.as_mut_ptr() as usize;
    // The numbers after the last one of driver 1.6.
    for n in 1..=3 {
        require_errno!(node.ioctl_raw(QUERY_BO_INFO.code() + n, at), libc::EINVAL);
    }
}

fn main() {
    let cases = [
        case!(
            "values",
            "panfrost_ioctl_get_param: what the GPU's registers say",
            values
        ),
        case!(
            "all",
            "panfrost_ioctl_get_param: every parameter that is a register, on both nodes",
            all
        ),
        case!(
            "unknown",
            "panfrost_ioctl_get_param: EINVAL for what driver 1.6 does not have",
            unknown
        ),
        case!("pad", "panfrost_ioctl_get_param: EINVAL for padding", pad),
        case!("fault", "drm_ioctl: EFAULT", fault),
        case!(
            "counters",
            "panfrost_unstable_ioctl_check: ENOSYS before anything else",
            counters
        ),
        case!(
            "newer_requests",
            "drm_ioctl: EINVAL for requests of later drivers",
            newer_requests
        ),
    ];
    atf::main(&cases.map(|case| case.board("rk3399").timeout(30)));
}
