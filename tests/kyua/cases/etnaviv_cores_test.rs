// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv: a board with two cores. On the i.MX6Q pipe 0 is the GC2000, pipe 1 the GC320.
//!
//! Expected: Linux 6.1, drivers/gpu/drm/etnaviv/etnaviv_drv.c, etnaviv_gem_submit.c and
//! etnaviv_sched.c; the function is named in each description.

use atf::drm::now_ns;
use atf::etnaviv::{filled, soon, status, Board, Client, Core, SLOW_BYTES};
use atf::{etnaviv_cases, require, require_eq, require_errno, require_ok, Sys};
use std::os::fd::AsRawFd;
use uapi::etnaviv::*;

const PAGE: u64 = 4096;
const PAST: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};
const FIRST: u32 = 0x1111_1111;
const SECOND: u32 = 0x2222_2222;

fn open(board: &'static Board) -> Client {
    require_ok!(Client::open(board))
}

/// The cores of the board, 3D first.
fn cores(board: &'static Board) -> (&'static Core, &'static Core) {
    (&board.cores[0], &board.cores[1])
}

fn models(board: &'static Board) {
    let client = open(board);
    // Mesa searches for a core that does 3D, from pipe 0 on until there is none.
    require_eq!(client.param(0, PARAM_GPU_MODEL), Ok(0x2000));
    require_eq!(client.param(1, PARAM_GPU_MODEL), Ok(0x320));
    let features = [0, 1].map(|pipe| require_ok!(client.param(pipe, PARAM_GPU_FEATURES_0)));
    let (pipe_3d, pipe_2d) = (1 << 2, 1 << 9);
    require_eq!(
        features.map(|word| (word & pipe_3d != 0, word & pipe_2d != 0)),
        [(true, false), (false, true)]
    );
}

fn every_ioctl(board: &'static Board) {
    let client = open(board);
    let bo = require_ok!(client.bo(PAGE));
    let asked = |pipe: u32| -> [Sys<()>; 6] {
        let mut work = client.work().nop();
        work.pipe = pipe;
        work.exec_state = board
            .cores
            .get(pipe as usize)
            .map_or(0, |core| core.exec_state);
        let mut domain = PmDomain {
            pipe,
            iter: 0,
            id: 0,
            nr_signals: 0,
            name: [0; 64],
        };
        let mut signal = PmSignal {
            pipe,
            domain: 0,
            pad: 0,
            iter: 0,
            id: 0,
            name: [0; 64],
        };
        [
            client.param(pipe, PARAM_GPU_MODEL).map(drop),
            client.submit(&work).map(drop),
            client.wait_fence(pipe, 12345, 0, PAST),
            client.gem_wait(pipe, bo.handle, 0, PAST),
            client.node.ioctl(PM_QUERY_DOM, &mut domain).map(drop),
            client.node.ioctl(PM_QUERY_SIG, &mut signal).map(drop),
        ]
    };
    for pipe in [0, 1] {
        require_eq!(asked(pipe), [Ok(()); 6], "pipe {pipe}");
    }
    for pipe in [2, 3] {
        for (n, answer) in asked(pipe).into_iter().enumerate() {
            require_errno!(answer, libc::ENXIO);
            require!(n < 6);
        }
    }
    for pipe in [4, 5, 1 << 31, u32::MAX] {
        for answer in asked(pipe) {
            require_errno!(answer, libc::EINVAL);
        }
    }
}

fn each_does_its_own(board: &'static Board) {
    let client = open(board);
    let bos = [require_ok!(client.bo(PAGE)), require_ok!(client.bo(PAGE))];
    let mut fences = Vec::new();
    for round in 0..20 {
        for (core, bo) in board.cores.iter().zip(&bos) {
            let work = client.work_on(core).fill(bo, 512, round * 2 + core.pipe);
            fences.push((core.pipe, require_ok!(client.submit(&work)).fence));
        }
    }
    for (pipe, fence) in fences {
        require_ok!(client.wait_fence(pipe, fence, 0, soon()));
    }
    for (pipe, bo) in bos.iter().enumerate() {
        require!(filled(&require_ok!(bo.map()), 512, 38 + pipe as u32));
    }
}

fn one_buffer_in_one_order(board: &'static Board) {
    let client = open(board);
    let (gc2000, gc320) = cores(board);
    for (first, second) in [(gc2000, gc320), (gc320, gc2000)] {
        let bo = require_ok!(client.bo(SLOW_BYTES));
        let map = require_ok!(bo.map());
        let slow = require_ok!(client.start(&client.work_on(first).slow(&bo, FIRST)));
        // The other core would be there long before.
        let fast = client.work_on(second).fill(&bo, 0, SECOND);
        require_eq!(client.run(&fast), Ok(1));
        require_eq!(
            status(&slow.1),
            Ok(1),
            "{} before {}",
            first.name,
            second.name
        );
        require!(filled(&map, 0, SECOND));
        require_eq!(map.read_u32(map.len() - 4), FIRST);
    }
    // Back and forth.
    let bo = require_ok!(client.bo(PAGE));
    for round in 0..40 {
        let core = &board.cores[round % 2];
        require_ok!(client.submit(&client.work_on(core).fill(&bo, 0, round as u32)));
    }
    require_ok!(client.cpu_prep(bo.handle, PREP_READ, soon()));
    require!(filled(&require_ok!(bo.map()), 0, 39));
}

fn side_by_side(board: &'static Board) {
    let client = open(board);
    let (gc2000, gc320) = cores(board);
    for (slow, fast) in [(gc2000, gc320), (gc320, gc2000)] {
        let (long, short) = (
            require_ok!(client.bo(SLOW_BYTES)),
            require_ok!(client.bo(PAGE)),
        );
        let (_, running) = require_ok!(client.start(&client.work_on(slow).slow(&long, FIRST)));
        let work = client.work_on(fast).fill(&short, 0, SECOND);
        require_eq!(client.run(&work), Ok(1));
        require_eq!(
            status(&running),
            Ok(0),
            "{} waits for {}",
            fast.name,
            slow.name
        );
        // GEM_WAIT checks the buffer, whatever core it is asked of.
        for core in board.cores {
            require_errno!(
                client.gem_wait(core.pipe, long.handle, WAIT_NONBLOCK, PAST),
                libc::EBUSY
            );
            require_ok!(client.gem_wait(core.pipe, short.handle, WAIT_NONBLOCK, PAST));
        }
        require_ok!(client.gem_wait(fast.pipe, long.handle, 0, soon()));
        require_eq!(status(&running), Ok(1));
    }
}

fn no_implicit(board: &'static Board) {
    let client = open(board);
    let (gc2000, gc320) = cores(board);
    let bo = require_ok!(client.bo(SLOW_BYTES));
    let map = require_ok!(bo.map());
    let (_, running) = require_ok!(client.start(&client.work_on(gc2000).slow(&bo, FIRST)));
    let work = client
        .work_on(gc320)
        .fill(&bo, 0, SECOND)
        .flags(SUBMIT_NO_IMPLICIT);
    require_eq!(client.run(&work), Ok(1));
    require_eq!(status(&running), Ok(0), "it does not wait");
    require_ok!(client.cpu_prep(bo.handle, PREP_READ, soon()));
    require_eq!(status(&running), Ok(1));
    require!(filled(&map, 0, FIRST), "so the other one came last");
}

fn readers_side_by_side(board: &'static Board) {
    let client = open(board);
    let (gc2000, gc320) = cores(board);
    let both = require_ok!(client.bo(PAGE));
    let (long, short) = (
        require_ok!(client.bo(SLOW_BYTES)),
        require_ok!(client.bo(PAGE)),
    );
    let slow = client
        .work_on(gc2000)
        .names_for(&both, SUBMIT_BO_READ)
        .slow(&long, FIRST);
    let (_, running) = require_ok!(client.start(&slow));
    let reads = client
        .work_on(gc320)
        .names_for(&both, SUBMIT_BO_READ)
        .fill(&short, 0, SECOND);
    require_eq!(client.run(&reads), Ok(1));
    require_eq!(
        status(&running),
        Ok(0),
        "two that read do not wait for each other"
    );
    let writes = client
        .work_on(gc320)
        .names_for(&both, SUBMIT_BO_WRITE)
        .fill(&short, 0, SECOND);
    require_eq!(client.run(&writes), Ok(1));
    require_eq!(status(&running), Ok(1), "who writes waits for who reads");
}

fn fence_between_cores(board: &'static Board) {
    let client = open(board);
    let (gc2000, gc320) = cores(board);
    for (first, second) in [(gc2000, gc320), (gc320, gc2000)] {
        let (long, short) = (
            require_ok!(client.bo(SLOW_BYTES)),
            require_ok!(client.bo(PAGE)),
        );
        let (_, fd) = require_ok!(client.start(&client.work_on(first).slow(&long, FIRST)));
        let mut work = client
            .work_on(second)
            .fill(&short, 0, SECOND)
            .flags(SUBMIT_FENCE_FD_IN);
        work.fence_fd = fd.as_raw_fd();
        require_eq!(client.run(&work), Ok(1));
        require_eq!(status(&fd), Ok(1), "{} before {}", first.name, second.name);
    }
}

/// ABI: the number of a fence is one of a core.
fn numbers_of_cores(board: &'static Board) {
    let client = open(board);
    let (gc2000, gc320) = cores(board);
    let bo = require_ok!(client.bo(SLOW_BYTES));
    let slow = require_ok!(client.submit(&client.work_on(gc2000).slow(&bo, FIRST)));
    let short = require_ok!(client.submit(&client.work_on(gc320).nop()));
    require_ok!(client.wait_fence(gc320.pipe, short.fence, 0, soon()));
    require_errno!(
        client.wait_fence(gc2000.pipe, slow.fence, WAIT_NONBLOCK, PAST),
        libc::EBUSY
    );
    require_ok!(client.wait_fence(gc2000.pipe, slow.fence, 0, soon()));
}

fn hang_of_one(board: &'static Board) {
    let (client, other) = (open(board), open(board));
    for (stuck, well) in [(0, 1), (1, 0)].map(|(a, b)| (&board.cores[a], &board.cores[b])) {
        let bos = [
            require_ok!(other.bo(SLOW_BYTES)),
            require_ok!(client.bo(PAGE)),
        ];
        let from = now_ns();
        let (_, hung) = require_ok!(client.start(&client.work_on(stuck).hang()));
        let (_, slow) = require_ok!(other.start(&other.work_on(well).slow(&bos[0], FIRST)));
        // The other core continues meanwhile, for all clients.
        let work = client.work_on(well).fill(&bos[1], 0, SECOND);
        require_eq!(client.run(&work), Ok(1));
        require_eq!(slow.poll(libc::POLLIN, 10_000), Ok(true));
        require_eq!(
            status(&slow),
            Ok(1),
            "{} while {} hangs",
            well.name,
            stuck.name
        );
        // Unless this took so long that the watchdog has been there.
        if now_ns() - from < 400_000_000 {
            require_eq!(status(&hung), Ok(0));
        }
        require_eq!(hung.poll(libc::POLLIN, 10_000), Ok(true));
        require!(require_ok!(status(&hung)) < 0);
        require!(filled(&require_ok!(bos[0].map()), 0, FIRST));
        require_eq!((client.is_well(), other.is_well()), (Ok(true), Ok(true)));
    }
}

fn hang_of_both(board: &'static Board) {
    let (client, other) = (open(board), open(board));
    let hung: Vec<_> = board
        .cores
        .iter()
        .map(|core| require_ok!(client.start(&client.work_on(core).hang())).1)
        .collect();
    require_eq!(other.is_well(), Ok(true), "after them, on both cores");
    require!(hung.iter().all(|fd| require_ok!(status(fd)) < 0));
    require_eq!(client.is_well(), Ok(true));
}

fn main() {
    atf::main(&etnaviv_cases! {
        models [imx6q] "etnaviv_gpu_bind: the order of cores";
        every_ioctl [imx6q] "etnaviv_ioctl_*: pipes 0 and 1, ENXIO for 2 and 3, EINVAL beyond";
        each_does_its_own [imx6q] "etnaviv_sched_push_job: a queue for each core";
        one_buffer_in_one_order [imx6q] "submit_fence_sync: work of two cores on a buffer, one \
            after the other";
        side_by_side [imx6q] "etnaviv_gpu_wait_obj_inactive: cores do not wait for each other \
            without a reason";
        no_implicit [imx6q] "submit_fence_sync: nor with one, with the flag";
        readers_side_by_side [imx6q] "submit_fence_sync: two that read a buffer run at once";
        fence_between_cores [imx6q] "sync_file_get_fence: one core waits for the other";
        numbers_of_cores [imx6q] "etnaviv_gpu_wait_fence_interruptible: a number is one of a core";
        hang_of_one [imx6q] "etnaviv_sched_timedout_job: the other core goes on";
        hang_of_both [imx6q] "etnaviv_sched_timedout_job: each core is brought back";
    });
}
