// SPDX-License-Identifier: BSD-2-Clause
//! panfrost: SUBMIT. Every error, and jobs that do what they should in the order in which they
//! should.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/panfrost/panfrost_drv.c and panfrost_job.c (driver 1.2);
//! the function is named in each description. The only constant that a v5 job can write to memory
//! is zero, so memory starts as something else.

use atf::drm::client::Work;
use atf::drm::{deadline_ns, Node, BAD_ADDRESS};
use atf::mali::{Chain, Image};
use atf::process::open_descriptors;
use atf::{case, require, require_eq, require_errno, require_ok, Ctx};
use uapi::core::{SYNCOBJ_CREATE_SIGNALED, SYNCOBJ_WAIT_FOR_SUBMIT};
use uapi::panfrost::*;

/// Jobs that do nothing, long enough for what does not wait to overtake them.
const LONG: usize = 20_000;
const UNKNOWN: u32 = 77;
const FILLED: u32 = 0xdead_beef;
const PIXEL: u32 = 0x4433_2211;

fn render() -> Node {
    require_ok!(Node::render())
}

fn soon() -> i64 {
    deadline_ns(5000)
}

fn bo_handles(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, 1));
    let work = chain.null(1).work();
    let known = chain.handle();
    let other = render();
    let foreign = require_ok!(other.bo(4096, 0));
    let foreign = [known, foreign.handle + 1];
    for bos in [
        &[UNKNOWN][..],
        &[0],
        &[known, UNKNOWN],
        &[u32::MAX],
        &foreign,
    ] {
        require_errno!(node.submit(&Work { bos, ..work }), libc::ENOENT);
    }
    let mut arg = work.argument();
    arg.bo_handle_count = 1;
    for bad in [0, BAD_ADDRESS as u64, u64::MAX - 3] {
        arg.bo_handles = bad;
        require_errno!(node.ioctl(SUBMIT_40, &mut arg), libc::EFAULT);
    }
    // Without a count the pointer does not matter.
    arg.bo_handle_count = 0;
    require_ok!(node.ioctl(SUBMIT_40, &mut arg));
}

fn bo_twice(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, 1));
    let work = chain.null(1).work();
    let bos = [chain.handle(); 2];
    require_errno!(node.submit(&Work { bos: &bos, ..work }), libc::EALREADY);
    require_ok!(chain.wait(0));
    require_eq!(chain.last_status(), 0, "it did not run");
}

fn absurd_counts(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, 1));
    let handles = [chain.handle(); 4];
    let mut arg = chain.null(1).work().argument();
    arg.bo_handles = handles.as_ptr() as u64;
    arg.bo_handle_count = u32::MAX;
    require_errno!(node.ioctl(SUBMIT_40, &mut arg), libc::ENOMEM);
    arg.bo_handle_count = 0;
    arg.in_syncs = handles.as_ptr() as u64;
    arg.in_sync_count = u32::MAX;
    require_errno!(node.ioctl(SUBMIT_40, &mut arg), libc::ENOMEM);
    require_eq!(chain.last_status(), 0);
}

fn job_errors(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, 1));
    let work = chain.null(1).work();
    require_errno!(node.submit(&Work { jc: 0, ..work }), libc::EINVAL);
    for requirements in [
        REQ_CYCLE_COUNT,
        REQ_FS | REQ_CYCLE_COUNT,
        4,
        1 << 31,
        u32::MAX,
    ] {
        require_errno!(
            node.submit(&Work {
                requirements,
                ..work
            }),
            libc::EINVAL
        );
    }
    require_errno!(node.ioctl_raw(SUBMIT.code(), BAD_ADDRESS), libc::EFAULT);
    require_errno!(node.ioctl_raw(SUBMIT_40.code(), BAD_ADDRESS), libc::EFAULT);
    require_eq!(chain.last_status(), 0);
}

fn sync_errors(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, 1));
    let work = chain.null(1).work();
    let empty = require_ok!(node.syncobj(0));
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    for out_sync in [UNKNOWN, u32::MAX] {
        require_errno!(node.submit(&Work { out_sync, ..work }), libc::ENODEV);
    }
    for in_syncs in [&[UNKNOWN][..], &[0], &[signalled.handle, UNKNOWN]] {
        require_errno!(node.submit(&Work { in_syncs, ..work }), libc::ENOENT);
    }
    for in_syncs in [&[empty.handle][..], &[signalled.handle, empty.handle]] {
        require_errno!(node.submit(&Work { in_syncs, ..work }), libc::EINVAL);
    }
    let mut arg = work.argument();
    arg.in_sync_count = 1;
    for bad in [0, BAD_ADDRESS as u64] {
        arg.in_syncs = bad;
        require_errno!(node.ioctl(SUBMIT_40, &mut arg), libc::EFAULT);
    }
    require_eq!(chain.last_status(), 0);
}

fn order_of_errors(_: &Ctx) {
    let node = render();
    let empty = require_ok!(node.syncobj(0));
    let (unknown, unfilled) = ([UNKNOWN], [empty.handle]);
    // All wrong; each step puts one right.
    let mut work = Work {
        jc: 0,
        requirements: 8,
        out_sync: UNKNOWN,
        in_syncs: &unknown,
        bos: &unknown,
    };
    require_errno!(node.submit(&work), libc::EINVAL);
    work.jc = 0x1000_0000;
    require_errno!(node.submit(&work), libc::EINVAL);
    work.requirements = 0;
    require_errno!(node.submit(&work), libc::ENODEV);
    work.out_sync = empty.handle;
    require_errno!(node.submit(&work), libc::ENOENT);
    work.in_syncs = &unfilled;
    require_errno!(node.submit(&work), libc::EINVAL);
    work.in_syncs = &[];
    require_errno!(node.submit(&work), libc::ENOENT);
}

fn failure_changes_nothing(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, 1));
    let target = require_ok!(node.bo(4096, BO_NOEXEC));
    let map = require_ok!(target.map());
    map.write_u32(0, FILLED);
    let work = chain.write_zero(target.va).work();
    let empty = require_ok!(node.syncobj(0));
    let signalled = require_ok!(node.syncobj(SYNCOBJ_CREATE_SIGNALED));
    let (handles, descriptors) = (node.live_handles(), open_descriptors());
    let (bad_bo, bad_sync) = ([target.handle, UNKNOWN], [signalled.handle, UNKNOWN]);
    for out_sync in [empty.handle, signalled.handle] {
        for bad in [
            Work {
                bos: &bad_bo,
                ..work
            },
            Work {
                in_syncs: &bad_sync,
                ..work
            },
            Work {
                in_syncs: &[empty.handle],
                ..work
            },
            Work {
                requirements: 8,
                ..work
            },
            Work { jc: 0, ..work },
        ] {
            require!(node.submit(&Work { out_sync, ..bad }).is_err());
        }
    }
    require_errno!(empty.wait(0, 0), libc::EINVAL);
    require_ok!(signalled.wait(0, 0));
    require_ok!(target.wait(0));
    require_eq!(
        (node.live_handles(), open_descriptors()),
        (handles, descriptors)
    );
    require_eq!((map.read_u32(0), chain.last_status()), (FILLED, 0));
}

fn newer_form(_: &Ctx) {
    let node = render();
    let mut chain = require_ok!(Chain::new(&node, 1));
    let old = chain.null(1).work().argument();
    let mut arg = Submit {
        jc: old.jc,
        ..Submit::default()
    };
    for (jm_ctx_handle, pad) in [(1, 0), (0, 1), (u32::MAX, u32::MAX)] {
        require_errno!(
            node.ioctl(
                SUBMIT,
                &mut Submit {
                    jm_ctx_handle,
                    pad,
                    ..arg
                }
            ),
            libc::EINVAL
        );
    }
    require_eq!(chain.last_status(), 0);
    let out = require_ok!(node.syncobj(0));
    arg.out_sync = out.handle;
    require_ok!(node.ioctl(SUBMIT, &mut arg));
    require_ok!(out.wait(soon(), 0));
    require_eq!(chain.last_status(), 1);
}

fn writes_value(_: &Ctx) {
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

fn across_pages(_: &Ctx) {
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

fn clears_image(_: &Ctx) {
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

fn out_sync(_: &Ctx) {
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

fn in_syncs(_: &Ctx) {
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

fn in_sync_is_out_sync(_: &Ctx) {
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

fn unordered(_: &Ctx) {
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

fn implicit_sync(_: &Ctx) {
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

fn implicit_sync_of_files(_: &Ctx) {
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

fn in_order(_: &Ctx) {
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

fn many(_: &Ctx) {
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

fn buffers_may_be_closed(_: &Ctx) {
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

fn primary_node(_: &Ctx) {
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

fn main() {
    let cases = [
        case!(
            "bo_handles",
            "drm_gem_objects_lookup: ENOENT, EFAULT",
            bo_handles
        ),
        case!(
            "bo_twice",
            "drm_gem_lock_reservations: EALREADY for a buffer named twice",
            bo_twice
        ),
        case!(
            "absurd_counts",
            "drm_gem_objects_lookup, panfrost_copy_in_sync: ENOMEM",
            absurd_counts
        ),
        case!(
            "job_errors",
            "panfrost_ioctl_submit: EINVAL for no job and unknown requirements",
            job_errors
        ),
        case!(
            "sync_errors",
            "panfrost_copy_in_sync: ENODEV, ENOENT, EINVAL, EFAULT",
            sync_errors
        ),
        case!(
            "order_of_errors",
            "panfrost_ioctl_submit: which of several errors is reported",
            order_of_errors
        ),
        case!(
            "failure_changes_nothing",
            "panfrost_ioctl_submit: no fence, handle, descriptor or byte after a refusal",
            failure_changes_nothing
        ),
        case!(
            "newer_form",
            "differs from drm_ioctl: what driver 1.5 appended must be zero",
            newer_form
        ),
        case!(
            "writes_value",
            "panfrost_job_run: a chain runs to its end, and WAIT_BO sees it",
            writes_value
        ),
        case!(
            "across_pages",
            "panfrost_mmu_map: small and large pages",
            across_pages
        ),
        case!(
            "clears_image",
            "panfrost_job_get_slot: a fragment job",
            clears_image
        ),
        case!(
            "out_sync",
            "drm_syncobj_replace_fence: the job's fence in place of the old one",
            out_sync
        ),
        case!(
            "in_syncs",
            "panfrost_copy_in_sync: a job waits for fences",
            in_syncs
        ),
        case!(
            "in_sync_is_out_sync",
            "panfrost_ioctl_submit: the old fence is waited for",
            in_sync_is_out_sync
        ),
        case!(
            "unordered",
            "panfrost_job_get_slot: what names nothing in common waits for nothing",
            unordered
        ),
        case!(
            "implicit_sync",
            "panfrost_acquire_object_fences: a job waits for its buffers",
            implicit_sync
        ),
        case!(
            "implicit_sync_of_files",
            "panfrost_acquire_object_fences: also for those of another file's jobs",
            implicit_sync_of_files
        ),
        case!(
            "in_order",
            "drm_sched_entity_push_job: jobs of a slot end in order",
            in_order
        ),
        case!(
            "many",
            "panfrost_job_push: more jobs than the hardware holds",
            many
        ),
        case!(
            "buffers_may_be_closed",
            "panfrost_job_cleanup: a job holds its buffers",
            buffers_may_be_closed
        ),
        case!(
            "primary_node",
            "DRM_RENDER_ALLOW: the same on the primary node",
            primary_node
        ),
    ];
    atf::main(&cases.map(|case| case.board("rk3399").timeout(30)));
}
