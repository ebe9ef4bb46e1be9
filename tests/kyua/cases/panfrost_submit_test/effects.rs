// SPDX-License-Identifier: BSD-2-Clause
//! What jobs write.

use super::{render, soon, FILLED, PIXEL};
use atf::drm::client::Work;
use atf::mali::{Chain, Image};
use atf::{require, require_eq, require_ok, Ctx};
use uapi::panfrost::*;

pub(super) fn writes_value(_: &Ctx) {
    let node = render();
    let target = require_ok!(node.bo(4096, BO_NOEXEC));
    let map = require_ok!(target.map());
    for at in (0..64).step_by(4) {
        map.write_u32(at, FILLED);
    }
    let mut chain = require_ok!(Chain::new(&node, 4));
    chain
        .null(1)
        .write_zero(target.va + 8)
        .write_zero(target.va + 32)
        .null(1);
    let bos = [chain.handle(), target.handle];
    require_ok!(node.submit(&Work {
        bos: &bos,
        ..chain.work()
    }));
    require_ok!(target.wait(soon()));
    require_ok!(chain.wait(0));
    let words: Vec<_> = (0..64).step_by(4).map(|at| map.read_u32(at)).collect();
    let zeroed: Vec<_> = (0..16).filter(|i| words[*i] == 0).collect();
    require_eq!(zeroed, [2, 3, 8, 9]);
    require!(
        words.iter().all(|word| *word == 0 || *word == FILLED),
        "{words:x?}"
    );
    require_eq!(chain.last_status(), 1);
}

pub(super) fn across_pages(_: &Ctx) {
    let node = render();
    // More than a 2 MiB block of page table.
    let target = require_ok!(node.bo(5 << 20, BO_NOEXEC));
    let map = require_ok!(target.map());
    let places: Vec<usize> = (0..5)
        .flat_map(|mib| [mib << 20, ((mib + 1) << 20) - 8])
        .collect();
    let mut chain = require_ok!(Chain::new(&node, places.len()));
    for place in &places {
        map.write_u64(*place, u64::MAX);
        chain.write_zero(target.va + *place as u64);
    }
    let bos = [target.handle];
    require_ok!(node.submit(&Work {
        bos: &bos,
        ..chain.work()
    }));
    require_ok!(target.wait(soon()));
    require!(places.iter().all(|place| map.read(*place, 8) == [0; 8]));
}

pub(super) fn clears_image(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(64 * 64 * 4 + 4096, BO_NOEXEC));
    let map = require_ok!(bo.map());
    let mut chain = require_ok!(Chain::new(&node, 16));
    chain.clear(
        Image {
            va: bo.va,
            width: 64,
            height: 64,
        },
        PIXEL,
    );
    let bos = [chain.handle(), bo.handle];
    require_ok!(node.submit(&Work {
        bos: &bos,
        ..chain.fragment_work()
    }));
    require_ok!(bo.wait(soon()));
    require_eq!(chain.last_status(), 1);
    for at in (0..64 * 64 * 4).step_by(4) {
        require_eq!(map.read_u32(at), PIXEL, "byte {at}");
    }
    require!(
        map.read(64 * 64 * 4, 4096).iter().all(|byte| *byte == 0),
        "nothing after the image"
    );
}
