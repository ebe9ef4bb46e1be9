// SPDX-License-Identifier: BSD-2-Clause
//! Jobs that never end, and clients that are closed or killed while jobs run.

use super::{render, require_well, run, soon, LONG};
use atf::drm::client::Work;
use atf::drm::{deadline_ns, now_ns, Node};
use atf::mali::Chain;
use atf::process::{channel, fork, Exit};
use atf::{require, require_eq, require_errno, require_ok, Ctx};
use std::time::Duration;
use uapi::panfrost::*;

/// A chain whose only job is its own successor.
fn endless(node: &Node) -> Chain<'_> {
    require_ok!(Chain::endless(node))
}

pub(super) fn timeout(_: &Ctx) {
    let (node, other) = (render(), render());
    let chain = endless(&node);
    let out = require_ok!(node.syncobj(0));
    let start = now_ns();
    require_ok!(node.submit(&Work {
        out_sync: out.handle,
        ..chain.work()
    }));
    // JOB_TIMEOUT_MS is 500.
    require_errno!(out.wait(deadline_ns(200), 0), libc::ETIME);
    require_ok!(out.wait(soon(), 0));
    let ran = (now_ns() - start) / 1_000_000;
    require!((400..3000).contains(&ran), "stopped after {ran} ms");
    let status = require_ok!(out.status());
    require_eq!(status, -libc::ETIMEDOUT);
    require_well(&node);
    require_well(&other);
}

pub(super) fn timeout_spares_others(_: &Ctx) {
    let (node, other) = (render(), render());
    let chain = endless(&node);
    require_ok!(node.submit(&chain.work()));
    let mut waiting = require_ok!(Chain::new(&other, 1));
    // After the endless chain in the same slot: it must run after the reset.
    require_eq!(run(&other, &waiting.null(1).work()), 1);
    require_eq!(waiting.last_status(), 1);
}

pub(super) fn close_while_running(_: &Ctx) {
    let other = render();
    for long in [true, false] {
        let node = render();
        let chain = if long {
            let mut chain = require_ok!(Chain::new(&node, LONG));
            chain.null(LONG);
            chain
        } else {
            endless(&node)
        };
        for _ in 0..3 {
            require_ok!(node.submit(&chain.work()));
        }
        drop(chain);
        drop(node);
        let start = now_ns();
        require_well(&other);
        require!(
            now_ns() - start < 3_000_000_000,
            "a dead client's jobs block others"
        );
    }
}

pub(super) fn killed_client(_: &Ctx) {
    let node = render();
    let (ours, theirs) = require_ok!(channel());
    let mut child = require_ok!(fork(move || {
        let node = render();
        let mut chain = require_ok!(Chain::new(&node, LONG));
        chain.null(LONG);
        let bos = [chain.handle()];
        for _ in 0..3 {
            require_ok!(node.submit(&Work {
                bos: &bos,
                ..chain.work()
            }));
        }
        require_ok!(theirs.send(b"busy", None));
        let _ = chain.wait(i64::MAX);
        std::thread::sleep(Duration::from_secs(10));
        0
    }));
    require_ok!(ours.receive(&mut [0; 8]));
    let mut long = require_ok!(Chain::new(&node, 1000));
    let out = require_ok!(node.syncobj(0));
    require_ok!(node.submit(&Work {
        out_sync: out.handle,
        ..long.null(1000).work()
    }));
    require_ok!(child.kill(libc::SIGKILL));
    require_eq!(
        require_ok!(child.wait_for(Duration::from_secs(2))),
        Some(Exit::Signal(libc::SIGKILL))
    );
    require_ok!(out.wait(soon(), 0));
    require_eq!((out.status(), long.last_status()), (Ok(1), 1));
    require_well(&node);
}

pub(super) fn killed_with_shared_buffer(_: &Ctx) {
    let (ours, theirs) = require_ok!(channel());
    let mut child = require_ok!(fork(move || {
        let node = render();
        let bo = require_ok!(node.bo(4096, BO_NOEXEC));
        let fd = require_ok!(node.export(bo.handle, libc::O_CLOEXEC | libc::O_RDWR));
        let mut chain = require_ok!(Chain::new(&node, LONG));
        let bos = [bo.handle];
        require_ok!(node.submit(&Work {
            bos: &bos,
            ..chain.null(LONG).work()
        }));
        require_ok!(theirs.send(b"shared", Some(std::os::fd::AsFd::as_fd(&fd))));
        std::thread::sleep(Duration::from_secs(10));
        0
    }));
    let (_, fd) = require_ok!(ours.receive(&mut [0; 8]));
    let node = render();
    let handle = require_ok!(node.import(&fd.unwrap()));
    require_ok!(child.kill(libc::SIGKILL));
    require_ok!(child.wait());
    // The dead client's fence must end, one way or the other.
    require_ok!(node.wait_bo(handle, soon()));
    let mut chain = require_ok!(Chain::new(&node, 1));
    let va = require_ok!(node.bo_offset(handle));
    let bos = [handle];
    require_eq!(
        run(
            &node,
            &Work {
                bos: &bos,
                ..chain.write_zero(va).work()
            }
        ),
        1
    );
}

pub(super) fn inherited_file(_: &Ctx) {
    let node = render();
    let target = require_ok!(node.bo(4096, BO_NOEXEC));
    let map = require_ok!(target.map());
    map.write_u64(0, u64::MAX);
    let mut child = require_ok!(fork(|| {
        let mut chain = require_ok!(Chain::new(&node, 1));
        require_eq!(run(&node, &chain.write_zero(target.va).work()), 1);
        0
    }));
    require_eq!(require_ok!(child.wait()), Exit::Code(0));
    require_eq!(map.read(0, 8), [0; 8]);
    require_well(&node);
}
