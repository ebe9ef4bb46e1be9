// SPDX-License-Identifier: BSD-2-Clause
//! VERSION, GET_UNIQUE, SET_VERSION, GET_CLIENT, GET_STATS and capabilities.

use super::nodes;
use atf::drm::{Node, BAD_ADDRESS};
use atf::process::eventually;
use atf::{require, require_eq, require_errno, require_ok, Ctx};
use uapi::core::*;

pub(super) fn version(_: &Ctx) {
    for node in nodes() {
        let mut lengths = Version {
            version_major: -1,
            ..Version::default()
        };
        require_ok!(node.ioctl(VERSION, &mut lengths));
        require_eq!((lengths.version_major, lengths.version_minor), (1, 6));
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

pub(super) fn version_truncated(_: &Ctx) {
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

pub(super) fn version_fault(_: &Ctx) {
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

pub(super) fn get_unique(_: &Ctx) {
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

pub(super) fn get_unique_of_each_master(_: &Ctx) {
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

pub(super) fn set_version(_: &Ctx) {
    let card = require_ok!(Node::card());
    let ours = SetVersion {
        drm_di_major: 1,
        drm_di_minor: 4,
        drm_dd_major: 1,
        drm_dd_minor: 6,
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
        [1, 4, 1, 6],
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
        [-1, 0, 1, 7],
        [-1, 0, 1, -1],
    ] {
        require_errno!(ask(bad), libc::EINVAL);
    }
}

pub(super) fn set_version_failure(_: &Ctx) {
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

pub(super) fn get_client(_: &Ctx) {
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

pub(super) fn get_stats(_: &Ctx) {
    let card = require_ok!(Node::card());
    let mut arg = Stats {
        count: 9,
        data: [[9; 2]; 15],
    };
    require_ok!(card.ioctl(GET_STATS, &mut arg));
    require_eq!((arg.count, arg.data), (0, [[0; 2]; 15]));
}

pub(super) fn get_cap(_: &Ctx) {
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
    }
}

pub(super) fn get_cap_of_timelines(_: &Ctx) {
    for node in nodes() {
        let mut arg = Cap {
            capability: CAP_SYNCOBJ_TIMELINE,
            value: 99,
        };
        require_ok!(node.ioctl(GET_CAP, &mut arg));
        require_eq!(arg.value, 1);
    }
}

pub(super) fn get_cap_of_modes(_: &Ctx) {
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

pub(super) fn set_client_cap(_: &Ctx) {
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
