// SPDX-License-Identifier: BSD-2-Clause
//! Masters, magics and authentication of the primary node.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/drm_auth.c; the function is named in each description.

use atf::drm::Node;
use atf::process::{channel, drop_privileges, eventually, fork, Exit};
use atf::{case, require, require_eq, require_errno, require_ok, Ctx, Sys};
use std::os::fd::AsFd;
use uapi::core::*;

const CARD: &str = "/dev/dri/card0";

fn card() -> Node {
    require_ok!(Node::card())
}

fn magic(node: &Node) -> Sys<u32> {
    let mut arg = Auth::default();
    node.ioctl(GET_MAGIC, &mut arg).map(|_| arg.magic)
}

fn authenticate(node: &Node, magic: u32) -> Sys<i32> {
    node.ioctl(AUTH_MAGIC, &mut Auth { magic })
}

fn set_master(node: &Node) -> Sys<i32> {
    node.ioctl(SET_MASTER, &mut ())
}

fn drop_master(node: &Node) -> Sys<i32> {
    node.ioctl(DROP_MASTER, &mut ())
}

/// SET_MASTER once a master that was closed is gone.
fn succeed(node: &Node) {
    require!(
        eventually(|| set_master(node).is_ok()),
        "SET_MASTER gives {:?}",
        set_master(node)
    );
}

fn is_authenticated(node: &Node) -> bool {
    let mut arg = Client::default();
    require_ok!(node.ioctl(GET_CLIENT, &mut arg));
    arg.auth == 1
}

/// AUTH_MAGIC with a magic that no file has is EINVAL to the master and EACCES to others.
fn is_master(node: &Node) -> bool {
    match authenticate(node, u32::MAX).map_err(|errno| errno.0) {
        Err(libc::EINVAL) => true,
        Err(libc::EACCES) => false,
        other => panic!("AUTH_MAGIC gave {other:?}"),
    }
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

fn first_is_master(_: &Ctx) {
    let first = card();
    require!(is_master(&first));
    let second = card();
    require!(!is_master(&second));
    // There is no master until a file is opened or asks to be.
    drop(first);
    require!(!is_master(&second));
    let mut third = card();
    let heard = eventually(|| {
        third = card();
        is_master(&third)
    });
    require!(heard && !is_master(&second));
}

fn magics(_: &Ctx) {
    let (master, second, third) = (card(), card(), card());
    let numbers = [&master, &second, &third].map(|node| require_ok!(magic(node)));
    require!(numbers.iter().all(|number| *number != 0), "{numbers:?}");
    require!(numbers[0] != numbers[1] && numbers[1] != numbers[2] && numbers[0] != numbers[2]);
    require_eq!(
        require_ok!(magic(&second)),
        numbers[1],
        "a file has one magic"
    );
    require_ok!(authenticate(&master, numbers[1]));
    require_errno!(authenticate(&master, numbers[1]), libc::EINVAL);
    require_eq!(
        require_ok!(magic(&second)),
        numbers[1],
        "also when it was used"
    );
    // Closed for sure when the name of its buffer is gone.
    let bo = require_ok!(third.bo(4096, 0));
    let mut name = GemFlink {
        handle: bo.handle,
        name: 0,
    };
    require_ok!(third.ioctl(GEM_FLINK, &mut name));
    std::mem::forget(bo);
    drop(third);
    let still_there = || {
        let mut arg = GemOpen {
            name: name.name,
            ..GemOpen::default()
        };
        master
            .ioctl(GEM_OPEN, &mut arg)
            .map(|_| master.gem_close(arg.handle))
            .is_ok()
    };
    require!(eventually(|| !still_there()));
    require_errno!(authenticate(&master, numbers[2]), libc::EINVAL);
    require_errno!(authenticate(&master, 0), libc::EINVAL);
}

fn authentication(_: &Ctx) {
    unprivileged(|| {
        let (master, second) = (card(), card());
        require!(is_authenticated(&master) && !is_authenticated(&second));
        let bo = require_ok!(second.bo(4096, 0));
        let mut name = GemFlink {
            handle: bo.handle,
            name: 0,
        };
        require_errno!(second.ioctl(GEM_FLINK, &mut name), libc::EACCES);
        require_errno!(
            second.ioctl(GEM_OPEN, &mut GemOpen::default()),
            libc::EACCES
        );
        require_errno!(authenticate(&second, 1), libc::EACCES);
        require_ok!(authenticate(&master, require_ok!(magic(&second))));
        require!(is_authenticated(&second) && !is_master(&second));
        require_ok!(second.ioctl(GEM_FLINK, &mut name));
        // It lasts when the master goes.
        require_ok!(drop_master(&master));
        require!(is_authenticated(&second));
    });
}

fn foreign_magic(_: &Ctx) {
    unprivileged(|| {
        let (first, member) = (card(), card());
        let number = require_ok!(magic(&member));
        require_ok!(drop_master(&first));
        // The new master has magics of its own, and the member is not of its clients.
        let second = card();
        require!(is_master(&second));
        require_errno!(authenticate(&second, number), libc::EINVAL);
        require!(!is_authenticated(&member));
        drop(second);
        succeed(&first);
        require_ok!(authenticate(&first, number));
        require!(is_authenticated(&member));
    });
}

fn privileged_is_authenticated(_: &Ctx) {
    let (_master, second) = (card(), card());
    require!(is_authenticated(&second));
}

fn masters(_: &Ctx) {
    let (first, second) = (card(), card());
    require_ok!(set_master(&first));
    require_errno!(set_master(&second), libc::EBUSY);
    require_errno!(drop_master(&second), libc::EINVAL);
    require!(is_master(&first), "the refused calls changed nothing");
    require_ok!(drop_master(&first));
    require!(!is_master(&first));
    require_errno!(drop_master(&first), libc::EINVAL);
    require_ok!(set_master(&second));
    require!(is_master(&second));
    require_errno!(set_master(&first), libc::EBUSY);
    drop(second);
    succeed(&first);
    require!(is_master(&first));
}

fn masters_without_privileges(_: &Ctx) {
    unprivileged(|| {
        let (first, second) = (card(), card());
        // Never was master: drm_master_check_perm comes first.
        require_errno!(set_master(&second), libc::EACCES);
        require_errno!(drop_master(&second), libc::EACCES);
        require_ok!(drop_master(&first));
        require_errno!(drop_master(&first), libc::EINVAL);
        require_errno!(set_master(&second), libc::EACCES);
        require_ok!(set_master(&first));
        require!(is_master(&first));
    });
}

fn master_of_another_process(_: &Ctx) {
    let (ours, theirs) = require_ok!(channel());
    let mut child = require_ok!(fork(move || {
        require_ok!(drop_privileges(CARD));
        let (_, fd) = require_ok!(theirs.receive(&mut [0; 8]));
        let passed = Node::from(fd.unwrap());
        // It is master, but this process did not open it.
        require!(is_master(&passed));
        require_errno!(drop_master(&passed), libc::EACCES);
        require_errno!(set_master(&passed), libc::EACCES);
        0
    }));
    let first = card();
    require_ok!(ours.send(b"card", Some(first.as_fd())));
    require_eq!(require_ok!(child.wait()), Exit::Code(0));
    require!(is_master(&first));
}

fn render_node(_: &Ctx) {
    let render = require_ok!(Node::render());
    require_errno!(set_master(&render), libc::EACCES);
    require_errno!(drop_master(&render), libc::EACCES);
    require_errno!(magic(&render), libc::EACCES);
    require_errno!(authenticate(&render, 1), libc::EACCES);
    let mut unique = Unique::default();
    require_errno!(render.ioctl(GET_UNIQUE, &mut unique), libc::EACCES);
    require_errno!(
        render.ioctl(GET_CLIENT, &mut Client::default()),
        libc::EACCES
    );
    // And it is nobody's master: the primary node's first file still is.
    require!(is_master(&card()));
}

fn duplicates(_: &Ctx) {
    let first = card();
    let copy = require_ok!(first.duplicate());
    require!(is_master(&copy));
    drop(first);
    require!(
        is_master(&copy),
        "the file is closed with its last descriptor"
    );
    let second = card();
    require!(!is_master(&second));
    drop(copy);
    succeed(&second);
}

fn main() {
    let cases = [
        case!(
            "first_is_master",
            "drm_master_open, drm_master_release: who is master",
            first_is_master
        ),
        case!(
            "magics",
            "drm_getmagic, drm_authmagic: each magic works once, EINVAL otherwise",
            magics
        )
        .require_user("root"),
        case!(
            "authentication",
            "drm_authmagic: what an authenticated file may",
            authentication
        )
        .require_user("root"),
        case!(
            "foreign_magic",
            "drm_authmagic: EINVAL for a magic of another master",
            foreign_magic
        )
        .require_user("root"),
        case!(
            "privileged_is_authenticated",
            "drm_file_alloc: the privileged are authenticated",
            privileged_is_authenticated
        )
        .require_user("root"),
        case!(
            "masters",
            "drm_setmaster_ioctl, drm_dropmaster_ioctl: EBUSY and EINVAL",
            masters
        )
        .require_user("root"),
        case!(
            "masters_without_privileges",
            "drm_master_check_perm: EACCES for who never was master",
            masters_without_privileges
        )
        .require_user("root"),
        case!(
            "master_of_another_process",
            "drm_master_check_perm: EACCES in a process that did not open the file",
            master_of_another_process
        )
        .require_user("root"),
        case!(
            "render_node",
            "drm_ioctl_permit: EACCES for all of it on the render node",
            render_node
        ),
        case!(
            "duplicates",
            "drm_release: a duplicate keeps the file, and its mastership",
            duplicates
        )
        .require_user("root"),
    ];
    atf::main(&cases.map(|case| case.board("rk3399").timeout(30)));
}
