// SPDX-License-Identifier: BSD-2-Clause
//! Jobs that fault, and jobs that do not after them.

use super::{render, require_well, run, soon, LONG};
use atf::drm::client::Work;
use atf::drm::syncobj::Syncobj;
use atf::mali::{Chain, Image, NO_SUCH_JOB};
use atf::{require, require_eq, require_ok, Ctx};
use uapi::panfrost::*;

/// In the window, where these tests never have a buffer.
const NOWHERE: u64 = 0xf000_0000;

pub(super) fn unmapped_chain(_: &Ctx) {
    let (node, other) = (render(), render());
    for requirements in [0, REQ_FS] {
        let status = run(
            &node,
            &Work {
                jc: NOWHERE,
                requirements,
                ..Work::default()
            },
        );
        require!(status < 0, "status {status}");
        require_well(&node);
    }
    require_well(&other);
}

pub(super) fn unmapped_target(_: &Ctx) {
    let node = render();
    let target = require_ok!(node.bo(4096, BO_NOEXEC));
    let map = require_ok!(target.map());
    for at in [0, 8] {
        map.write_u64(at, u64::MAX);
    }
    let mut chain = require_ok!(Chain::new(&node, 4));
    chain
        .write_zero(target.va)
        .write_zero(NOWHERE)
        .write_zero(target.va + 8);
    let status = run(&node, &chain.work());
    require!(status < 0, "status {status}");
    require_eq!(map.read(0, 8), [0; 8], "what came before it happened");
    require_eq!(map.read(8, 8), [0xff; 8], "what came after it did not");
    require_well(&node);
}

pub(super) fn closed_buffer(_: &Ctx) {
    let node = render();
    let target = require_ok!(node.bo(4096, BO_NOEXEC));
    let mut chain = require_ok!(Chain::new(&node, 4));
    chain.write_zero(target.va);
    require_eq!(run(&node, &chain.work()), 1);
    drop(target);
    let status = run(&node, &chain.work());
    require!(status < 0, "status {status}");
    require_well(&node);
}

pub(super) fn other_files_memory(_: &Ctx) {
    let (node, other) = (render(), render());
    // At an address at which the faulting file has nothing.
    let spacer = require_ok!(other.bo(64 << 20, BO_NOEXEC | BO_HEAP));
    let target = require_ok!(other.bo(4096, BO_NOEXEC));
    let map = require_ok!(target.map());
    map.write_u64(0, u64::MAX);
    let mut chain = require_ok!(Chain::new(&node, 1));
    require!(chain.head() != target.va && spacer.va != target.va);
    let free = node
        .live_handles()
        .iter()
        .all(|handle| node.bo_offset(*handle) != Ok(target.va));
    require!(free, "{:#x} is in use in both files", target.va);
    let status = run(&node, &chain.write_zero(target.va).work());
    require!(status < 0, "status {status}");
    require_eq!(map.read(0, 8), [0xff; 8]);
    require_well(&other);
}

pub(super) fn bad_descriptors(_: &Ctx) {
    let node = render();
    let mut unknown = require_ok!(Chain::new(&node, 4));
    unknown.null(1).job(NO_SUCH_JOB, &[]);
    let mut wrong_slot = require_ok!(Chain::new(&node, 16));
    wrong_slot.clear(
        Image {
            va: NOWHERE,
            width: 16,
            height: 16,
        },
        0,
    );
    let mut crooked = require_ok!(Chain::new(&node, 4));
    crooked.null(2);
    for work in [
        unknown.work(),
        // A fragment job in the slot that does not take it.
        wrong_slot.work(),
        Work {
            jc: crooked.head() + 8,
            ..Work::default()
        },
    ] {
        let status = run(&node, &work);
        require!(status < 0, "{work:?} gave {status}");
        require_well(&node);
    }
}

pub(super) fn next_jobs_run(_: &Ctx) {
    let (node, other) = (render(), render());
    let mut good = require_ok!(Chain::new(&node, 1));
    let good = good.null(1).work();
    let outs: Vec<Syncobj<'_>> = (0..10).map(|_| require_ok!(node.syncobj(0))).collect();
    for out in &outs {
        require_ok!(other.submit(&Work {
            jc: NOWHERE,
            ..Work::default()
        }));
        require_ok!(node.submit(&Work {
            out_sync: out.handle,
            ..good
        }));
    }
    for (i, out) in outs.iter().enumerate() {
        require_ok!(out.wait(soon(), 0));
        require_eq!(out.status(), Ok(1), "job {i}");
    }
    require_well(&other);
}

pub(super) fn next_jobs_of_the_file_run(_: &Ctx) {
    let node = render();
    let mut good = require_ok!(Chain::new(&node, 1));
    let good = good.null(1).work();
    let outs: Vec<Syncobj<'_>> = (0..12).map(|_| require_ok!(node.syncobj(0))).collect();
    for (i, out) in outs.iter().enumerate() {
        let jc = if i % 4 == 0 { NOWHERE } else { good.jc };
        require_ok!(node.submit(&Work {
            jc,
            out_sync: out.handle,
            ..good
        }));
    }
    for (i, out) in outs.iter().enumerate() {
        require_ok!(out.wait(soon(), 0));
        let status = require_ok!(out.status());
        match i % 4 {
            0 => require!(status < 0, "bad job {i} ended with {status}"),
            // The hardware may have had it already, and its address space is the one that was
            // switched off; Linux starts it again without switching that on.
            1 => {}
            _ => require_eq!(status, 1, "job {i}"),
        }
    }
    require_well(&node);
}

pub(super) fn others_go_on(_: &Ctx) {
    let (node, other) = (render(), render());
    let mut long = require_ok!(Chain::new(&other, LONG));
    long.null(LONG);
    let out = require_ok!(other.syncobj(0));
    require_ok!(other.submit(&Work {
        out_sync: out.handle,
        ..long.work()
    }));
    // Faults in the other slot while the long chain runs.
    for _ in 0..3 {
        let status = run(
            &node,
            &Work {
                jc: NOWHERE,
                requirements: REQ_FS,
                ..Work::default()
            },
        );
        require!(status < 0, "status {status}");
    }
    require_ok!(out.wait(soon(), 0));
    require_eq!((out.status(), long.last_status()), (Ok(1), 1));
}

pub(super) fn wait_bo_after_fault(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(4096, BO_NOEXEC));
    let bos = [bo.handle];
    require_ok!(node.submit(&Work {
        jc: NOWHERE,
        bos: &bos,
        ..Work::default()
    }));
    // A wait is for the end, however it is.
    require_eq!(bo.wait(soon()), Ok(0));
}

pub(super) fn failed_dependency(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(4096, BO_NOEXEC));
    let bos = [bo.handle];
    let first = require_ok!(node.syncobj(0));
    require_ok!(node.submit(&Work {
        jc: NOWHERE,
        bos: &bos,
        out_sync: first.handle,
        ..Work::default()
    }));
    let mut chain = require_ok!(Chain::new(&node, 1));
    let in_syncs = [first.handle];
    // A dependency has ended when it failed, too.
    require_eq!(
        run(
            &node,
            &Work {
                bos: &bos,
                in_syncs: &in_syncs,
                ..chain.null(1).work()
            }
        ),
        1
    );
    require!(require_ok!(first.status()) < 0);
}
