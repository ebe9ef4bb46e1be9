// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv: the arguments of GEM_SUBMIT. Every error in its order, limits, older forms.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/etnaviv/etnaviv_gem_submit.c; the function is named in each
//! description. Addresses are in etnaviv_address_test, what streams may hold in
//! etnaviv_stream_test, fences in etnaviv_fence_test.

mod bos;
mod errors;
mod sizes;

use atf::drm::{Node, BAD_ADDRESS};
use atf::etnaviv::{filled, soon, Board, Client, Target, FILL_WORDS};
use atf::{etnaviv_cases, require, require_eq, require_ok, Sys};
use bos::{bad_bos, bo_flags, bo_twice};
use errors::{
    bad_exec_state, bad_flags, bad_pipe, bad_size, order_of_errors, refusal_changes_nothing,
    unreadable,
};
use sizes::{empty, limits, longest_stream, many_bos};
use uapi::etnaviv::*;
use uapi::sync_file::{FileInfo, FILE_INFO};

const PAGE: u64 = 4096;
/// The longest stream, and the largest number of buffers and relocations.
const LIMIT: u32 = 128 * 1024;
const MAX_PMRS: u32 = 128;
/// A number that no buffer of a test has.
const UNKNOWN: u32 = 77;
const FILLED: u32 = Target::FILLED;

fn open(board: &'static Board) -> Client {
    require_ok!(Client::open(board))
}

fn new_target(client: &Client) -> Target<'_> {
    require_ok!(Target::new(client))
}

/// Sends an argument that is to be taken, and waits for its end.
fn take(client: &Client, mut arg: GemSubmit) -> Sys<()> {
    client.node.ioctl(GEM_SUBMIT, &mut arg)?;
    client.wait_fence(arg.pipe, arg.fence, 0, soon())
}

fn runs(board: &'static Board) {
    let client = open(board);
    for core in board.cores {
        let target = require_ok!(client.bo(3 * PAGE));
        let map = require_ok!(target.map());
        let mut fences = Vec::new();
        for (n, offset) in [0, 4096, 8192, 12288 - 512].into_iter().enumerate() {
            let work = client
                .work_on(core)
                .fill(&target, offset, FILLED + n as u32);
            let done = require_ok!(client.submit(&work));
            require!(!fences.contains(&done.fence), "fence {} again", done.fence);
            fences.push(done.fence);
            require_ok!(client.wait_fence(core.pipe, done.fence, 0, soon()));
            require!(
                filled(&map, offset as usize, FILLED + n as u32),
                "{} at {offset:#x}",
                core.name
            );
        }
        let others = (0..3 * PAGE as usize)
            .step_by(4)
            .filter(|at| map.read_u32(*at) != 0);
        require_eq!(others.count(), 4 * FILL_WORDS);
    }
}

fn primary_node(board: &'static Board) {
    let client = Client::of(require_ok!(Node::card()), board);
    require_eq!(client.is_well(), Ok(true));
}

fn older_forms(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let code = |bytes: u32| GEM_SUBMIT.code() & !(0x3fff << 16) | bytes << 16;
    let work = target.work(&client);
    // After the known part are bytes that the kernel must not take for a field.
    let mut arg = GemSubmit {
        pmrs: BAD_ADDRESS as u64,
        nr_pmrs: 1,
        pad: 1,
        ..work.argument()
    };
    let address = std::ptr::from_mut(&mut arg) as usize;
    require_ok!(client.node.ioctl_raw(code(SUBMIT_1_1_BYTES), address));
    require_ok!(client.wait_fence(arg.pipe, arg.fence, 0, soon()));
    require!(target.is_done());
    // The first form has no flags: addresses are the kernel's.
    let target = new_target(&client);
    let mut work = client.work();
    work.flags = 0;
    work = work.fill(&target.bo, 0, FILLED);
    let mut arg = GemSubmit {
        flags: u32::MAX,
        ..work.argument()
    };
    let address = std::ptr::from_mut(&mut arg) as usize;
    require_ok!(client.node.ioctl_raw(code(SUBMIT_1_0_BYTES), address));
    require_ok!(client.wait_fence(arg.pipe, arg.fence, 0, soon()));
    require!(target.is_done());
}

fn no_fence_descriptor(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let work = target.work(&client);
    let mut arg = work.argument();
    arg.fence_fd = 55;
    require_ok!(client.node.ioctl(GEM_SUBMIT, &mut arg));
    require_eq!(arg.fence_fd, -1, "who asks for none gets none");
    require_ok!(client.wait_fence(arg.pipe, arg.fence, 0, soon()));
    let (_, fd) = require_ok!(client.start(&target.work(&client)));
    let mut info = FileInfo::default();
    require_ok!(fd.ioctl(FILE_INFO, &mut info));
    require_eq!(info.num_fences, 1);
}

fn main() {
    atf::main(&etnaviv_cases! {
        runs [imx8mq imx6q imx6qp] "etnaviv_ioctl_gem_submit: work is done, on every core";
        primary_node [imx8mq imx6q] "DRM_RENDER_ALLOW: the same on the primary node";
        bad_pipe [imx8mq imx6q imx6qp] "etnaviv_ioctl_gem_submit: ENXIO, EINVAL for a core that is \
            not there";
        bad_size [imx8mq imx6q] "etnaviv_ioctl_gem_submit: EINVAL for a stream that is no words";
        bad_exec_state [imx8mq imx6q imx6qp] "differs from etnaviv_ioctl_gem_submit: EINVAL for a \
            pipe that the core lacks";
        bad_flags [imx8mq imx6q] "etnaviv_ioctl_gem_submit: EINVAL for unknown flags";
        limits [imx8mq imx6q] "etnaviv_ioctl_gem_submit: EINVAL beyond 128 Ki of each, and 128 \
            requests";
        longest_stream [imx8mq imx6q imx6qp] "etnaviv_ioctl_gem_submit: a stream of 128 KiB runs";
        many_bos [imx8mq imx6q] "submit_lookup_objects: hundreds of buffers";
        empty [imx8mq imx6q] "etnaviv_ioctl_gem_submit: a stream of no words ends";
        unreadable [imx8mq imx6q] "etnaviv_ioctl_gem_submit: EFAULT for each of the arrays";
        bad_bos [imx8mq imx6q] "submit_lookup_objects: EINVAL for handles and flags";
        bo_flags [imx8mq imx6q] "submit_lookup_objects: no flags are taken, too";
        bo_twice [imx8mq imx6q] "submit_lock_objects: EALREADY for a buffer named twice";
        order_of_errors [imx8mq imx6q] "etnaviv_ioctl_gem_submit: which of several errors is \
            reported";
        refusal_changes_nothing [imx8mq imx6q imx6qp] "submit_cleanup: nothing is left of what was \
            refused";
        older_forms [imx8mq imx6q imx6qp] "drm_ioctl: the structures of 1.0 and 1.1";
        no_fence_descriptor [imx8mq imx6q] "etnaviv_ioctl_gem_submit: -1 where no descriptor was \
            asked for";
    });
}
