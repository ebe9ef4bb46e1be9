// SPDX-License-Identifier: BSD-2-Clause
//! Requests that are not DRM's, argument sizes, directions and bad pointers.

use super::nodes;
use atf::drm::{Node, BAD_ADDRESS};
use atf::{require, require_eq, require_errno, require_ok, Ctx};
use uapi::core::*;
use uapi::panfrost::{GetParam, GET_PARAM, PARAM_GPU_PROD_ID};

pub(super) fn wrong_group(_: &Ctx) {
    for node in nodes() {
        for group in [0u8, b'D', b'e', b'T', 0xff] {
            let code = VERSION.code() & !0xff00 | u32::from(group) << 8;
            let mut arg = Version::default();
            require_errno!(
                node.ioctl_raw(code, std::ptr::from_mut(&mut arg) as usize),
                libc::ENOTTY
            );
        }
        // Groups that other files of the same kernel take.
        for code in [0x4008_6200, 0xc038_3e04] {
            let mut arg = [0u64; 8];
            require_errno!(
                node.ioctl_raw(code, arg.as_mut_ptr() as usize),
                libc::ENOTTY
            );
        }
    }
}

/// The code of `request` with another size.
fn sized(code: u32, size: usize) -> u32 {
    code & !(0x3fff << 16) | (size as u32) << 16
}

pub(super) fn shorter_argument(_: &Ctx) {
    let node = require_ok!(Node::render());
    // The value follows the eight bytes that the caller passes.
    let mut arg = GetParam {
        param: PARAM_GPU_PROD_ID,
        pad: 0,
        value: 0x5555,
    };
    require_ok!(node.ioctl_raw(
        sized(GET_PARAM.code(), 8),
        std::ptr::from_mut(&mut arg) as usize
    ));
    require_eq!(arg.value, 0x5555);
    // A pad that does not travel is zero.
    let mut arg = GetParam {
        param: PARAM_GPU_PROD_ID,
        pad: 1,
        value: 0x5555,
    };
    require_ok!(node.ioctl_raw(
        sized(GET_PARAM.code(), 4),
        std::ptr::from_mut(&mut arg) as usize
    ));
    require_eq!((arg.pad, arg.value), (1, 0x5555));
    let mut cap = Cap {
        capability: CAP_PRIME,
        value: 0x5555,
    };
    require_ok!(node.ioctl_raw(
        sized(GET_CAP.code(), 8),
        std::ptr::from_mut(&mut cap) as usize
    ));
    require_eq!(cap.value, 0x5555);
    // A length that travels in part.
    let mut cap = Cap {
        capability: CAP_PRIME | 1 << 40,
        value: 0x5555,
    };
    require_ok!(node.ioctl_raw(
        sized(GET_CAP.code(), 4),
        std::ptr::from_mut(&mut cap) as usize
    ));
    require_eq!(cap.capability, CAP_PRIME | 1 << 40);
}

pub(super) fn longer_argument(_: &Ctx) {
    let node = require_ok!(Node::render());
    for len in [17, 24, 64, 512] {
        let mut arg = vec![0u8; len];
        require_ok!(node.ioctl_raw(sized(GET_PARAM.code(), len), arg.as_mut_ptr() as usize));
        require_eq!(
            u64::from_le_bytes(arg[8..16].try_into().unwrap()),
            0x860,
            "{len} bytes"
        );
        require!(arg[16..].iter().all(|byte| *byte == 0));
        // Linux ignores what it does not know; here a newer client gets an error.
        arg[len - 1] = 1;
        require_errno!(
            node.ioctl_raw(sized(GET_PARAM.code(), len), arg.as_mut_ptr() as usize),
            libc::EINVAL
        );
    }
}

pub(super) fn directions(_: &Ctx) {
    const WRITE_ONLY: u32 = 1 << 30;
    const READ_ONLY: u32 = 2 << 30;
    let node = require_ok!(Node::render());
    let code = |direction| GET_CAP.code() & !(3 << 30) | direction;
    let mut arg = Cap {
        capability: CAP_PRIME,
        value: 0x5555,
    };
    require_ok!(node.ioctl_raw(code(WRITE_ONLY), std::ptr::from_mut(&mut arg) as usize));
    require_eq!(arg.value, 0x5555, "nothing comes back");
    // Nothing goes in: capability 0 is none that a render driver has.
    require_errno!(
        node.ioctl_raw(code(READ_ONLY), std::ptr::from_mut(&mut arg) as usize),
        libc::EOPNOTSUPP
    );
}

pub(super) fn bad_argument(_: &Ctx) {
    let [card, render] = nodes();
    for code in [
        VERSION.code(),
        GET_CAP.code(),
        GEM_CLOSE.code(),
        PRIME_HANDLE_TO_FD.code(),
        SYNCOBJ_CREATE.code(),
        SYNCOBJ_WAIT.code(),
        GET_PARAM.code(),
        uapi::panfrost::SUBMIT_40.code(),
        uapi::panfrost::CREATE_BO.code(),
    ] {
        require_errno!(render.ioctl_raw(code, BAD_ADDRESS), libc::EFAULT);
        require_errno!(render.ioctl_raw(code, 0), libc::EFAULT);
    }
    // The argument is read before permission is checked.
    require_errno!(
        render.ioctl_raw(GEM_FLINK.code(), BAD_ADDRESS),
        libc::EFAULT
    );
    require_errno!(card.ioctl_raw(GET_MAGIC.code(), BAD_ADDRESS), libc::EFAULT);
}

pub(super) fn read_only_argument(_: &Ctx) {
    let node = require_ok!(Node::render());
    let zero = require_ok!(Node::open("/dev/zero"));
    let page = require_ok!(zero.map_as(0, 4096, libc::PROT_READ, libc::MAP_PRIVATE));
    require_errno!(
        node.ioctl_raw(GET_PARAM.code(), page.address()),
        libc::EFAULT
    );
    // What only the kernel reads may lie there.
    require_errno!(
        node.ioctl_raw(GEM_CLOSE.code(), page.address()),
        libc::EINVAL
    );
}
