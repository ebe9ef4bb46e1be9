// SPDX-License-Identifier: BSD-2-Clause
//! What a device says of itself, and how any ioctl is taken: VERSION, GET_UNIQUE, GET_CLIENT,
//! GET_STATS, capabilities, SET_VERSION; unknown numbers, argument sizes, directions and bad
//! pointers.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/drm_ioctl.c; the function is named in each description.

use atf::drm::{Node, BAD_ADDRESS};
use atf::process::{drop_privileges, eventually, fork, Exit};
use atf::{case, require, require_eq, require_errno, require_ok, Ctx};
use uapi::core::*;
use uapi::panfrost::{GetParam, GET_PARAM, PARAM_GPU_PROD_ID};

const BOARD: &str = "rk3399";
const CARD: &str = "/dev/dri/card0";

fn nodes() -> [Node; 2] {
    [require_ok!(Node::card()), require_ok!(Node::render())]
}

fn version(_: &Ctx) {
    for node in nodes() {
        let mut lengths = Version {
            version_major: -1,
            ..Version::default()
        };
        require_ok!(node.ioctl(VERSION, &mut lengths));
        require_eq!((lengths.version_major, lengths.version_minor), (1, 2));
        let mut texts = [[0xee_u8; 64]; 3];
        let mut full = lengths;
        [full.name, full.date, full.desc] = [0, 1, 2].map(|i| texts[i].as_mut_ptr() as u64);
        require_ok!(node.ioctl(VERSION, &mut full));
        for (text, want, len) in [
            (&texts[0], "panfrost", full.name_len),
            (&texts[1], "20180908", full.date_len),
            (&texts[2], "panfrost DRM", full.desc_len),
        ] {
            require_eq!(len as usize, want.len(), "{want}");
            require_eq!(&text[..want.len()], want.as_bytes());
            require_eq!(text[want.len()], 0xee, "no NUL is written after {want}");
        }
        require_eq!(
            [lengths.name_len, lengths.date_len, lengths.desc_len],
            [8, 8, 12]
        );
    }
}

fn version_truncated(_: &Ctx) {
    let node = require_ok!(Node::render());
    let mut name = [0xee_u8; 16];
    let mut arg = Version {
        name_len: 3,
        name: name.as_mut_ptr() as u64,
        ..Version::default()
    };
    require_ok!(node.ioctl(VERSION, &mut arg));
    require_eq!(&name[..4], b"pan\xee");
    require_eq!(arg.name_len, 8, "the whole length is reported");
    // A length of 0 writes nothing, so the pointer does not matter; nor does a length without a
    // pointer.
    let mut arg = Version {
        name: BAD_ADDRESS as u64,
        desc_len: 100,
        ..Version::default()
    };
    require_ok!(node.ioctl(VERSION, &mut arg));
    require_eq!((arg.name_len, arg.desc_len), (8, 12));
    let mut arg = Version {
        name_len: u64::MAX,
        name: name.as_mut_ptr() as u64,
        ..Version::default()
    };
    require_ok!(node.ioctl(VERSION, &mut arg));
    require_eq!(&name[..9], b"panfrost\xee");
}

fn version_fault(_: &Ctx) {
    let node = require_ok!(Node::render());
    let bad = BAD_ADDRESS as u64;
    require_errno!(
        node.ioctl(
            VERSION,
            &mut Version {
                name_len: 8,
                name: bad,
                ..Version::default()
            }
        ),
        libc::EFAULT
    );
    require_errno!(
        node.ioctl(
            VERSION,
            &mut Version {
                date_len: 8,
                date: bad,
                ..Version::default()
            }
        ),
        libc::EFAULT
    );
    require_errno!(
        node.ioctl(
            VERSION,
            &mut Version {
                desc_len: 1,
                desc: bad,
                ..Version::default()
            }
        ),
        libc::EFAULT
    );
}

fn unique_len(node: &Node) -> u64 {
    let mut arg = Unique::default();
    require_ok!(node.ioctl(GET_UNIQUE, &mut arg));
    arg.unique_len
}

fn set_interface(node: &Node, major: i32, minor: i32) -> atf::Sys<SetVersion> {
    let mut arg = SetVersion {
        drm_di_major: major,
        drm_di_minor: minor,
        drm_dd_major: -1,
        drm_dd_minor: -1,
    };
    node.ioctl(SET_VERSION, &mut arg).map(|_| arg)
}

fn get_unique(_: &Ctx) {
    let card = require_ok!(Node::card());
    require_eq!(unique_len(&card), 0, "no name before SET_VERSION");
    require_ok!(set_interface(&card, 1, 0));
    require_eq!(unique_len(&card), 0, "interface 1.0 has no names");
    require_ok!(set_interface(&card, 1, 1));
    let len = unique_len(&card) as usize;
    require!((1..=64).contains(&len), "length {len}");
    let mut name = [0xee_u8; 64];
    let mut arg = Unique {
        unique_len: len as u64 - 1,
        unique: name.as_mut_ptr() as u64,
    };
    require_ok!(card.ioctl(GET_UNIQUE, &mut arg));
    require_eq!(arg.unique_len as usize, len);
    require_eq!(name, [0xee; 64], "too short a buffer gets nothing");
    require_ok!(card.ioctl(GET_UNIQUE, &mut arg));
    require!(
        name[..len].iter().all(u8::is_ascii_graphic) && name[len] == 0xee,
        "{name:?}"
    );
    let mut arg = Unique {
        unique_len: 64,
        unique: BAD_ADDRESS as u64,
    };
    require_errno!(card.ioctl(GET_UNIQUE, &mut arg), libc::EFAULT);
    // Another file of the same master gets it too; the name belongs to the master.
    require_eq!(unique_len(&require_ok!(Node::card())) as usize, len);
}

fn get_unique_of_each_master(_: &Ctx) {
    let first = require_ok!(Node::card());
    require_ok!(set_interface(&first, 1, 4));
    let len = unique_len(&first);
    require_ok!(first.ioctl(DROP_MASTER, &mut ()));
    let second = require_ok!(Node::card());
    require_eq!(unique_len(&second), 0, "a new master starts without a name");
    require_eq!(unique_len(&first), len, "the old one keeps its name");
    drop(second);
    require!(eventually(|| first.ioctl(SET_MASTER, &mut ()).is_ok()));
    require_eq!(
        unique_len(&first),
        len,
        "and has it when it is master again"
    );
}

fn set_version(_: &Ctx) {
    let card = require_ok!(Node::card());
    let ours = SetVersion {
        drm_di_major: 1,
        drm_di_minor: 4,
        drm_dd_major: 1,
        drm_dd_minor: 2,
    };
    let numbers = |v: &SetVersion| {
        [
            v.drm_di_major,
            v.drm_di_minor,
            v.drm_dd_major,
            v.drm_dd_minor,
        ]
    };
    let ask = |wanted: [i32; 4]| {
        let [drm_di_major, drm_di_minor, drm_dd_major, drm_dd_minor] = wanted;
        let mut arg = SetVersion {
            drm_di_major,
            drm_di_minor,
            drm_dd_major,
            drm_dd_minor,
        };
        card.ioctl(SET_VERSION, &mut arg).map(|_| numbers(&arg))
    };
    for valid in [
        [-1, 0, -1, 0],
        [-1, 77, -1, -5],
        [1, 0, -1, -1],
        [1, 4, 1, 2],
        [-1, -1, 1, 0],
    ] {
        require_eq!(ask(valid), Ok(numbers(&ours)), "{valid:?}");
    }
    for bad in [
        [0, 0, -1, 0],
        [2, 0, -1, 0],
        [1, 5, -1, 0],
        [1, -1, -1, 0],
        [-1, 0, 0, 0],
        [-1, 0, 2, 0],
        [-1, 0, 1, 3],
        [-1, 0, 1, -1],
    ] {
        require_errno!(ask(bad), libc::EINVAL);
    }
}

fn set_version_failure(_: &Ctx) {
    let card = require_ok!(Node::card());
    let mut arg = SetVersion {
        drm_di_major: 9,
        drm_di_minor: 9,
        drm_dd_major: 9,
        drm_dd_minor: 9,
    };
    require_errno!(card.ioctl(SET_VERSION, &mut arg), libc::EINVAL);
    let left = [
        arg.drm_di_major,
        arg.drm_di_minor,
        arg.drm_dd_major,
        arg.drm_dd_minor,
    ];
    require_eq!(left, [9; 4]);
    require_eq!(unique_len(&card), 0);
}

fn get_client(_: &Ctx) {
    let card = require_ok!(Node::card());
    let mut arg = Client {
        auth: 7,
        pid: 7,
        uid: 7,
        magic: 7,
        iocs: 7,
        idx: 0,
    };
    require_ok!(card.ioctl(GET_CLIENT, &mut arg));
    require_eq!((arg.auth, arg.pid), (1, u64::from(std::process::id())));
    require_eq!((arg.uid, arg.magic, arg.iocs), (65534, 0, 0));
    for idx in [1, -1, i32::MAX] {
        require_errno!(
            card.ioctl(
                GET_CLIENT,
                &mut Client {
                    idx,
                    ..Client::default()
                }
            ),
            libc::EINVAL
        );
    }
}

fn get_stats(_: &Ctx) {
    let card = require_ok!(Node::card());
    let mut arg = Stats {
        count: 9,
        data: [[9; 2]; 15],
    };
    require_ok!(card.ioctl(GET_STATS, &mut arg));
    require_eq!((arg.count, arg.data), (0, [[0; 2]; 15]));
}

fn get_cap(_: &Ctx) {
    for node in nodes() {
        let ask = |capability| {
            let mut arg = Cap {
                capability,
                value: 99,
            };
            node.ioctl(GET_CAP, &mut arg).map(|_| arg.value)
        };
        require_eq!(ask(CAP_PRIME), Ok(PRIME_CAP_IMPORT | PRIME_CAP_EXPORT));
        require_eq!(ask(CAP_TIMESTAMP_MONOTONIC), Ok(1));
        require_eq!(ask(CAP_SYNCOBJ), Ok(1));
        require_eq!(ask(CAP_SYNCOBJ_TIMELINE), Ok(0));
    }
}

fn get_cap_of_modes(_: &Ctx) {
    for node in nodes() {
        for capability in [
            0,
            1,
            2,
            3,
            4,
            7,
            8,
            9,
            0xa,
            0x10,
            0x11,
            0x12,
            0x15,
            1 << 32 | 5,
            u64::MAX,
        ] {
            let mut arg = Cap {
                capability,
                value: 99,
            };
            require_errno!(node.ioctl(GET_CAP, &mut arg), libc::EOPNOTSUPP);
        }
    }
}

fn set_client_cap(_: &Ctx) {
    let [card, render] = nodes();
    for capability in 0..=7 {
        let mut arg = Cap {
            capability,
            value: 1,
        };
        require_errno!(card.ioctl(SET_CLIENT_CAP, &mut arg), libc::EOPNOTSUPP);
        require_errno!(render.ioctl(SET_CLIENT_CAP, &mut arg), libc::EACCES);
    }
}

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
    (0x48..=0x48, Who::Render, libc::ENOENT),
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
    (0xc0..=0xc5, Who::Render, libc::EINVAL),
    (0xc6..=0xc9, Who::Master, libc::EOPNOTSUPP),
    (0xca..=0xcd, Who::Render, libc::EOPNOTSUPP),
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

fn numbers_render(_: &Ctx) {
    let node = require_ok!(Node::render());
    let caller = Caller {
        render: true,
        root: true,
        auth: false,
        master: false,
    };
    require_eq!(sweep(&node, caller), "");
}

fn numbers_master(_: &Ctx) {
    let node = require_ok!(Node::card());
    let caller = Caller {
        render: false,
        root: true,
        auth: true,
        master: true,
    };
    require_eq!(sweep(&node, caller), "");
}

fn numbers_second(_: &Ctx) {
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

fn numbers_unprivileged(_: &Ctx) {
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

fn wrong_group(_: &Ctx) {
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

fn shorter_argument(_: &Ctx) {
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

fn longer_argument(_: &Ctx) {
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

fn directions(_: &Ctx) {
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

fn bad_argument(_: &Ctx) {
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

fn read_only_argument(_: &Ctx) {
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

fn main() {
    let cases = [
        case!(
            "version",
            "drm_version: lengths, then texts without NUL",
            version
        ),
        case!(
            "version_truncated",
            "drm_copy_field: short, absent and huge buffers",
            version_truncated
        ),
        case!(
            "version_fault",
            "drm_copy_field: EFAULT for each text",
            version_fault
        ),
        case!(
            "get_unique",
            "drm_getunique, drm_set_busid: the bus name after SET_VERSION 1.1",
            get_unique
        ),
        case!(
            "get_unique_of_each_master",
            "drm_getunique: the name belongs to the master",
            get_unique_of_each_master
        ),
        case!(
            "set_version",
            "drm_setversion: what is taken and what is EINVAL",
            set_version
        ),
        case!(
            "set_version_failure",
            "differs from drm_setversion: a refused call changes nothing, not even its argument",
            set_version_failure
        ),
        case!(
            "get_client",
            "drm_getclient: only client 0, which is the caller",
            get_client
        ),
        case!("get_stats", "drm_getstats: all zero", get_stats),
        case!("get_cap", "drm_getcap: what a render driver has", get_cap),
        case!(
            "get_cap_of_modes",
            "drm_getcap: EOPNOTSUPP for what is about modes or unknown",
            get_cap_of_modes
        ),
        case!(
            "set_client_cap",
            "drm_setclientcap: EOPNOTSUPP; EACCES on the render node",
            set_client_cap
        ),
        case!(
            "numbers_render",
            "drm_ioctl, drm_ioctl_permit: every number on the render node",
            numbers_render
        )
        .require_user("root"),
        case!(
            "numbers_master",
            "drm_ioctl: every number, as master",
            numbers_master
        )
        .require_user("root"),
        case!(
            "numbers_second",
            "drm_ioctl_permit: every number on a second primary file",
            numbers_second
        )
        .require_user("root"),
        case!(
            "numbers_unprivileged",
            "drm_ioctl_permit: every number, as master and as stranger without privileges",
            numbers_unprivileged
        )
        .require_user("root"),
        case!(
            "wrong_group",
            "drm_ioctl: ENOTTY for requests that are not DRM's",
            wrong_group
        ),
        case!(
            "shorter_argument",
            "drm_ioctl: an older structure is zero-extended",
            shorter_argument
        ),
        case!(
            "longer_argument",
            "differs from drm_ioctl: a newer structure must end in zeroes, else EINVAL",
            longer_argument
        ),
        case!(
            "directions",
            "drm_ioctl: the direction in the code decides what is copied",
            directions
        ),
        case!(
            "bad_argument",
            "drm_ioctl: EFAULT before anything else",
            bad_argument
        ),
        case!(
            "read_only_argument",
            "drm_ioctl: EFAULT when the answer cannot be written",
            read_only_argument
        ),
    ];
    atf::main(&cases.map(|case| case.board(BOARD).timeout(30)));
}
