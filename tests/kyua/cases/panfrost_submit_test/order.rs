// SPDX-License-Identifier: BSD-2-Clause
//! Which job waits for which, many jobs, and buffers that are closed meanwhile.

use super::{render, soon, PIXEL};
use atf::drm::client::Work;
use atf::drm::Node;
use atf::mali::{Chain, Image};
use atf::{require, require_eq, require_errno, require_ok, Ctx};
use uapi::core::{SYNCOBJ_CREATE_SIGNALED, SYNCOBJ_WAIT_FOR_SUBMIT};
use uapi::panfrost::*;

/// Jobs that do nothing, long enough for what does not wait to overtake them.
const LONG: usize = 20_000;

pub(super) fn out_sync(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, LONG));
    chain.null(LONG);
    let out = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    require_ok!(node.submit(&Work {
        out_sync: out.handle,
        ..chain.work()
    }));
    require_errno!(out.wait(0, 0), libc::ETIME);
    require_eq!(out.status(), Ok(0));
    require_ok!(out.wait(soon(), 0));
    require_eq!((out.status(), chain.last_status()), (Ok(1), 1));
}

/// A long chain that ends by zeroing an image's first pixels, in the vertex and tiler slot, and a
/// clear of that image in the fragment slot: without an order between them the clear is first, and
/// its pixels are lost.
struct Race<'a> {
    image: atf::drm::client::Bo<'a>,
    slow: Chain<'a>,
}

impl<'a> Race<'a> {
    fn new(node: &'a Node) -> Race<'a> {
        let image = require_ok!(node.bo(4096, BO_NOEXEC));
        let mut slow = require_ok!(Chain::new(node, LONG + 1));
        slow.null(LONG).write_zero(image.va);
        Race { image, slow }
    }

    fn check(&self) {
        require_ok!(self.slow.wait(soon()));
        require_eq!(self.slow.last_status(), 1);
        require_eq!(require_ok!(self.image.map()).read_u32(0), PIXEL);
    }
}

fn clear<'a>(node: &'a Node, va: u64) -> Chain<'a> {
    let mut fast = require_ok!(Chain::new(node, 16));
    fast.clear(
        Image {
            va,
            width: 16,
            height: 16,
        },
        PIXEL,
    );
    fast
}

pub(super) fn in_syncs(_: &Ctx) {
    let node = render();
    let race = Race::new(&node);
    let fast = clear(&node, race.image.va);
    let (first, second) = (require_ok!(node.syncobj(0)), require_ok!(node.syncobj(0)));
    let slow_bos = [race.slow.handle()];
    require_ok!(node.submit(&Work {
        out_sync: first.handle,
        bos: &slow_bos,
        ..race.slow.work()
    }));
    let ready = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    let in_syncs = [ready.handle, first.handle];
    require_ok!(node.submit(&Work {
        in_syncs: &in_syncs,
        out_sync: second.handle,
        ..fast.fragment_work()
    }));
    // A fence that has been taken as a dependency may leave its object.
    require_ok!(first.reset());
    require_ok!(second.wait(soon(), 0));
    race.check();
}

pub(super) fn in_sync_is_out_sync(_: &Ctx) {
    let node = render();
    let race = Race::new(&node);
    let fast = clear(&node, race.image.va);
    let syncobj = require_ok!(node.syncobj(0));
    let slow_bos = [race.slow.handle()];
    require_ok!(node.submit(&Work {
        out_sync: syncobj.handle,
        bos: &slow_bos,
        ..race.slow.work()
    }));
    let in_syncs = [syncobj.handle, syncobj.handle];
    require_ok!(node.submit(&Work {
        in_syncs: &in_syncs,
        out_sync: syncobj.handle,
        ..fast.fragment_work()
    }));
    require_ok!(syncobj.wait(soon(), 0));
    require_eq!(fast.last_status(), 1);
    race.check();
}

pub(super) fn unordered(_: &Ctx) {
    let node = render();
    let race = Race::new(&node);
    let fast = clear(&node, race.image.va);
    let slow_bos = [race.slow.handle()];
    let out = require_ok!(node.syncobj(0));
    require_ok!(node.submit(&Work {
        bos: &slow_bos,
        ..race.slow.work()
    }));
    require_ok!(node.submit(&Work {
        out_sync: out.handle,
        ..fast.fragment_work()
    }));
    require_ok!(out.wait(soon(), 0));
    require_errno!(race.slow.wait(0), libc::EBUSY);
    require_ok!(race.slow.wait(soon()));
    require_eq!(
        require_ok!(race.image.map()).read_u32(0),
        0,
        "the slots run side by side"
    );
}

pub(super) fn implicit_sync(_: &Ctx) {
    let node = render();
    let race = Race::new(&node);
    let fast = clear(&node, race.image.va);
    let slow_bos = [race.slow.handle(), race.image.handle];
    let fast_bos = [race.image.handle];
    require_ok!(node.submit(&Work {
        bos: &slow_bos,
        ..race.slow.work()
    }));
    require_ok!(node.submit(&Work {
        bos: &fast_bos,
        ..fast.fragment_work()
    }));
    require_ok!(race.image.wait(soon()));
    require_eq!(fast.last_status(), 1);
    race.check();
}

pub(super) fn implicit_sync_of_files(_: &Ctx) {
    let (node, other) = (render(), render());
    let race = Race::new(&node);
    let fd = require_ok!(node.export(race.image.handle, libc::O_CLOEXEC));
    let shared = require_ok!(other.import(&fd));
    let fast = clear(&other, require_ok!(other.bo_offset(shared)));
    let slow_bos = [race.slow.handle(), race.image.handle];
    let fast_bos = [shared];
    require_ok!(node.submit(&Work {
        bos: &slow_bos,
        ..race.slow.work()
    }));
    require_ok!(other.submit(&Work {
        bos: &fast_bos,
        ..fast.fragment_work()
    }));
    require_ok!(other.wait_bo(shared, soon()));
    race.check();
}

pub(super) fn in_order(_: &Ctx) {
    let node = render();
    let bo = require_ok!(node.bo(4096, BO_NOEXEC));
    let chains: Vec<_> = (0..8)
        .map(|_| {
            let mut chain = require_ok!(Chain::new(&node, 200));
            chain.null(200);
            chain
        })
        .collect();
    let bos = [bo.handle];
    let out = require_ok!(node.syncobj(0));
    for chain in &chains {
        require_ok!(node.submit(&Work {
            out_sync: out.handle,
            bos: &bos,
            ..chain.work()
        }));
    }
    require_ok!(out.wait(soon(), 0));
    require!(
        chains.iter().all(|chain| chain.last_status() == 1),
        "the last fence stands for all before it"
    );
    require_ok!(bo.wait(0));
}

pub(super) fn many(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, 1));
    let work = chain.null(1).work();
    let out = require_ok!(node.syncobj(0));
    let bos = [chain.handle()];
    for _ in 0..500 {
        require_ok!(node.submit(&Work {
            out_sync: out.handle,
            bos: &bos,
            ..work
        }));
    }
    require_eq!(out.wait(soon(), SYNCOBJ_WAIT_FOR_SUBMIT), Ok(0));
    require_ok!(chain.wait(0));
}

pub(super) fn buffers_may_be_closed(_: &Ctx) {
    let node = render();
    let out = require_ok!(node.syncobj(0));
    {
        let mut chain = require_ok!(Chain::new(&node, LONG));
        chain.null(LONG);
        let bos = [chain.handle()];
        require_ok!(node.submit(&Work {
            out_sync: out.handle,
            bos: &bos,
            ..chain.work()
        }));
        // The chain goes, with its mapping and its handle, while the GPU reads it.
    }
    require_errno!(out.wait(0, 0), libc::ETIME);
    require_ok!(out.wait(soon(), 0));
    require_eq!(out.status(), Ok(1));
}

pub(super) fn primary_node(_: &Ctx) {
    let node = require_ok!(Node::card());
    let mut chain = require_ok!(Chain::new(&node, 1));
    let bos = [chain.handle()];
    require_ok!(node.submit(&Work {
        bos: &bos,
        ..chain.null(1).work()
    }));
    require_ok!(chain.wait(soon()));
    require_eq!(chain.last_status(), 1);
}
