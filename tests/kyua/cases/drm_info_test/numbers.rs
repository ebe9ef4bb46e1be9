// SPDX-License-Identifier: BSD-2-Clause
//! Every number of an ioctl, for each kind of caller.

use atf::drm::Node;
use atf::process::{drop_privileges, fork, Exit};
use atf::{require_eq, require_ok, Ctx};

const CARD: &str = "/dev/dri/card0";

/// Who may call: the conditions of drm_ioctl_permit, in its order.
#[derive(Clone, Copy, PartialEq)]
enum Who {
    Render,
    Any,
    Auth,
    Master,
    /// DRM_MASTER | DRM_ROOT_ONLY.
    RootMaster,
    /// DRM_AUTH | DRM_ROOT_ONLY.
    RootAuth,
    /// DRM_AUTH | DRM_MASTER | DRM_ROOT_ONLY.
    Root,
}

const OK: i32 = 0;

/// What every number answers to an argument of zeroes: the table drm_ioctls and panfrost's.
/// Numbers that are not here have no function and give EINVAL to all.
const ANSWERS: &[(std::ops::RangeInclusive<u32>, Who, i32)] = &[
    (0x00..=0x00, Who::Render, OK),
    (0x01..=0x02, Who::Any, OK),
    (0x03..=0x03, Who::RootMaster, libc::EINVAL),
    (0x04..=0x04, Who::Any, libc::EINVAL),
    (0x05..=0x06, Who::Any, OK),
    (0x07..=0x07, Who::Master, libc::EINVAL),
    (0x08..=0x08, Who::Any, OK),
    (0x09..=0x09, Who::Render, libc::EINVAL),
    (0x0a..=0x0b, Who::Auth, libc::ENOENT),
    (0x0c..=0x0c, Who::Render, libc::EOPNOTSUPP),
    (0x0d..=0x0d, Who::Any, libc::EOPNOTSUPP),
    (0x10..=0x10, Who::Root, libc::EINVAL),
    (0x11..=0x11, Who::Master, libc::EINVAL),
    (0x12..=0x13, Who::Root, OK),
    (0x14..=0x17, Who::Root, libc::EINVAL),
    (0x18..=0x1b, Who::Auth, libc::EINVAL),
    (0x1c..=0x1c, Who::Root, libc::EINVAL),
    (0x1d..=0x1d, Who::Auth, libc::EINVAL),
    (0x20..=0x20, Who::RootAuth, libc::EINVAL),
    (0x21..=0x22, Who::Root, libc::EINVAL),
    (0x23..=0x23, Who::Auth, libc::EINVAL),
    (0x24..=0x25, Who::Root, libc::EINVAL),
    (0x26..=0x26, Who::Auth, libc::EINVAL),
    (0x27..=0x28, Who::Root, OK),
    (0x29..=0x2b, Who::Auth, libc::EINVAL),
    (0x2c..=0x2c, Who::Auth, OK),
    (0x2d..=0x2d, Who::Render, libc::ENOENT),
    // Descriptor 0, which is open and no dma-buf.
    (0x2e..=0x2e, Who::Render, libc::EINVAL),
    (0x38..=0x39, Who::Root, libc::EINVAL),
    (0x3a..=0x3c, Who::Any, libc::EOPNOTSUPP),
    (0x3f..=0x3f, Who::Root, OK),
    // panfrost_drm_driver_ioctls.
    (0x40..=0x40, Who::Render, libc::EINVAL),
    (0x41..=0x41, Who::Render, libc::ENOENT),
    (0x42..=0x42, Who::Render, libc::EINVAL),
    (0x43..=0x43, Who::Render, libc::ENOENT),
    (0x44..=0x44, Who::Render, OK),
    (0x45..=0x45, Who::Render, libc::ENOENT),
    (0x46..=0x47, Who::Render, libc::ENOSYS),
    (0x48..=0x49, Who::Render, libc::ENOENT),
    (0x4a..=0x4a, Who::Render, OK),
    (0x4b..=0x4b, Who::Render, libc::EINVAL),
    (0x4c..=0x4c, Who::Render, OK),
    (0x4d..=0x4d, Who::Render, libc::ENOENT),
    // Modes, of a driver without DRIVER_MODESET.
    (0xa0..=0xa1, Who::Any, libc::EOPNOTSUPP),
    (0xa2..=0xa3, Who::Master, libc::EOPNOTSUPP),
    (0xa4..=0xa4, Who::Any, libc::EOPNOTSUPP),
    (0xa5..=0xa5, Who::Master, libc::EOPNOTSUPP),
    (0xa6..=0xa7, Who::Any, libc::EOPNOTSUPP),
    (0xa8..=0xa9, Who::Master, OK),
    (0xaa..=0xaa, Who::Any, libc::EOPNOTSUPP),
    (0xab..=0xab, Who::Master, libc::EOPNOTSUPP),
    (0xac..=0xaf, Who::Any, libc::EOPNOTSUPP),
    (0xb0..=0xb1, Who::Master, libc::EOPNOTSUPP),
    // drm_mode_create_dumb and its like: no such driver function.
    (0xb2..=0xb4, Who::Any, libc::ENOSYS),
    (0xb5..=0xb6, Who::Any, libc::EOPNOTSUPP),
    (0xb7..=0xb7, Who::Master, libc::EOPNOTSUPP),
    (0xb8..=0xb9, Who::Any, libc::EOPNOTSUPP),
    (0xba..=0xbc, Who::Master, libc::EOPNOTSUPP),
    (0xbd..=0xbe, Who::Any, libc::EOPNOTSUPP),
    (0xbf..=0xbf, Who::Render, OK),
    (0xc0..=0xc2, Who::Render, libc::EINVAL),
    (0xc3..=0xc3, Who::Render, OK),
    (0xc4..=0xc5, Who::Render, libc::EINVAL),
    (0xc6..=0xc9, Who::Master, libc::EOPNOTSUPP),
    (0xca..=0xca, Who::Render, OK),
    (0xcb..=0xcb, Who::Render, libc::EINVAL),
    (0xcc..=0xcc, Who::Render, libc::ENOENT),
    (0xcd..=0xcd, Who::Render, libc::EINVAL),
    // drm_mode_getfb2_ioctl is the one that says EINVAL.
    (0xce..=0xce, Who::Any, libc::EINVAL),
];

/// What a caller is.
#[derive(Clone, Copy)]
struct Caller {
    render: bool,
    root: bool,
    auth: bool,
    master: bool,
}

impl Caller {
    fn may(self, who: Who) -> bool {
        match who {
            Who::Render => true,
            _ if self.render => false,
            Who::Any => true,
            Who::Auth => self.auth,
            Who::Master => self.master,
            Who::RootMaster => self.root && self.master,
            Who::RootAuth => self.root && self.auth,
            Who::Root => self.root && self.auth && self.master,
        }
    }
}

/// Bytes of an argument that is longer than most; its zeroes say the same as no bytes.
const ROOM: u32 = 64;

/// Tries every number but SET_MASTER and DROP_MASTER, which change who the caller is, with no bytes
/// and with zeroes; says where Linux differs.
fn sweep(node: &Node, caller: Caller) -> String {
    let mut wrong = String::new();
    let numbers = (0..=0xff).filter(|nr| !(0x1e..=0x1f).contains(nr));
    for (nr, size) in numbers.flat_map(|nr| [(nr, 0), (nr, ROOM)]) {
        let row = ANSWERS.iter().find(|(range, _, _)| range.contains(&nr));
        let want = match row {
            None => libc::EINVAL,
            Some((_, who, answer)) if caller.may(*who) => *answer,
            Some(_) => libc::EACCES,
        };
        let mut arg = [0u8; ROOM as usize];
        let code = if size == 0 { 0 } else { 3 << 30 | size << 16 } | u32::from(b'd') << 8 | nr;
        let got = node
            .ioctl_raw(code, arg.as_mut_ptr() as usize)
            .map_or_else(|errno| errno.0, |_| OK);
        if got != want {
            wrong += &format!(" {nr:#04x} of {size} bytes gave {got}, expected {want};");
        }
    }
    wrong
}

pub(super) fn numbers_render(_: &Ctx) {
    let node = require_ok!(Node::render());
    let caller = Caller {
        render: true,
        root: true,
        auth: false,
        master: false,
    };
    require_eq!(sweep(&node, caller), "");
}

pub(super) fn numbers_master(_: &Ctx) {
    let node = require_ok!(Node::card());
    let caller = Caller {
        render: false,
        root: true,
        auth: true,
        master: true,
    };
    require_eq!(sweep(&node, caller), "");
}

pub(super) fn numbers_second(_: &Ctx) {
    let _master = require_ok!(Node::card());
    let node = require_ok!(Node::card());
    let caller = Caller {
        render: false,
        root: true,
        auth: true,
        master: false,
    };
    require_eq!(sweep(&node, caller), "");
}

/// Runs `body` as a user without privileges.
fn unprivileged(body: impl FnOnce()) {
    let mut child = require_ok!(fork(|| {
        require_ok!(drop_privileges(CARD));
        body();
        0
    }));
    require_eq!(require_ok!(child.wait()), Exit::Code(0));
}

pub(super) fn numbers_unprivileged(_: &Ctx) {
    unprivileged(|| {
        let master = require_ok!(Node::card());
        let caller = Caller {
            render: false,
            root: false,
            auth: true,
            master: true,
        };
        require_eq!(sweep(&master, caller), "");
        let stranger = require_ok!(Node::card());
        require_eq!(
            sweep(
                &stranger,
                Caller {
                    auth: false,
                    master: false,
                    ..caller
                }
            ),
            ""
        );
    });
}
