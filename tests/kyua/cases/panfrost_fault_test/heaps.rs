// SPDX-License-Identifier: BSD-2-Clause
//! Heaps that grow.

use super::{render, require_well, run, soon};
use atf::drm::client::Work;
use atf::mali::{Chain, Image};
use atf::{require, require_eq, require_ok, Ctx};
use uapi::panfrost::*;

const BLOCK: u64 = 2 << 20;

pub(super) fn heap_grows(_: &Ctx) {
    let node = render();
    let heap = require_ok!(node.bo(8 * BLOCK as u32, BO_HEAP | BO_NOEXEC));
    let mut chain = require_ok!(Chain::new(&node, 16));
    // Both ends, both sides of each 2 MiB boundary, and one place twice.
    chain
        .write_zero(heap.va)
        .write_zero(heap.va + 8 * BLOCK - 8)
        .write_zero(heap.va + 16);
    for block in [2, 5] {
        chain
            .write_zero(heap.va + block * BLOCK - 8)
            .write_zero(heap.va + block * BLOCK);
    }
    let bos = [heap.handle, chain.handle()];
    require_eq!(
        run(
            &node,
            &Work {
                bos: &bos,
                ..chain.work()
            }
        ),
        1
    );
    require_eq!(chain.last_status(), 1);
    require_eq!(run(&node, &chain.work()), 1, "again, with the memory there");
    require_ok!(heap.wait(0));
    require_well(&node);
}

pub(super) fn heap_of_two_slots(_: &Ctx) {
    let node = render();
    let heap = require_ok!(node.bo(4 * BLOCK as u32, BO_HEAP | BO_NOEXEC));
    let mut jobs = require_ok!(Chain::new(&node, 4));
    jobs.write_zero(heap.va + BLOCK)
        .write_zero(heap.va + 3 * BLOCK);
    let mut fragment = require_ok!(Chain::new(&node, 16));
    fragment.clear(
        Image {
            va: heap.va + 2 * BLOCK - 4096,
            width: 16,
            height: 128,
        },
        7,
    );
    let outs = [require_ok!(node.syncobj(0)), require_ok!(node.syncobj(0))];
    require_ok!(node.submit(&Work {
        out_sync: outs[0].handle,
        ..jobs.work()
    }));
    require_ok!(node.submit(&Work {
        out_sync: outs[1].handle,
        ..fragment.fragment_work()
    }));
    for out in &outs {
        require_ok!(out.wait(soon(), 0));
        require_eq!(out.status(), Ok(1));
    }
}

pub(super) fn heap_ends(_: &Ctx) {
    let node = render();
    let heap = require_ok!(node.bo(100, BO_HEAP | BO_NOEXEC));
    let mut chain = require_ok!(Chain::new(&node, 1));
    require_eq!(
        run(&node, &chain.write_zero(heap.va + BLOCK - 8).work()),
        1,
        "rounded up to 2 MiB"
    );
    let mut chain = require_ok!(Chain::new(&node, 1));
    let status = run(&node, &chain.write_zero(heap.va + 8 * BLOCK).work());
    require!(status < 0, "status {status}");
    require_well(&node);
}

pub(super) fn heap_of_two_files(_: &Ctx) {
    let (node, other) = (render(), render());
    let heap = require_ok!(node.bo(2 * BLOCK as u32, BO_HEAP | BO_NOEXEC));
    let fd = require_ok!(node.export(heap.handle, libc::O_CLOEXEC));
    let theirs = require_ok!(other.import(&fd));
    let va = require_ok!(other.bo_offset(theirs));
    let mut ours = require_ok!(Chain::new(&node, 1));
    require_eq!(run(&node, &ours.write_zero(heap.va).work()), 1);
    let mut chain = require_ok!(Chain::new(&other, 2));
    require_eq!(
        run(&other, &chain.write_zero(va).write_zero(va + BLOCK).work()),
        1
    );
}
