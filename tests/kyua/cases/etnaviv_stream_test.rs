// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv: what streams may hold, and work that faults or hangs.
//!
//! Expected: nothing that a client may not do is ever run, on any MMU generation. Linux 6.1
//! inspects streams on MMUv1 only (etnaviv_cmd_parser.c), takes a count of no states for none, and
//! trusts clients on MMUv2. How work ends that goes wrong is as there; the function is named in
//! each description.
//!
//! HW: rnndb cmdstream.xml for lengths, state_hi.xml and state.xml for the states that are the
//! kernel's.

use atf::drm::{now_ns, Node};
use atf::etnaviv::{after_ms, filled, soon, state, status, Bo, Board, Client, Target, Work};
use atf::{etnaviv_cases, require, require_eq, require_errno, require_ok};
use uapi::etnaviv::*;

const PAGE: u64 = 4096;
const FILLED: u32 = Target::FILLED;
/// Where no test has a buffer.
const NOWHERE: u32 = 0x7000_0000;
/// GL_FLUSH_CACHE.
const HARMLESS: u32 = 0x380c;

fn open(board: &'static Board) -> Client {
    require_ok!(Client::open(board))
}

fn new_target(client: &Client) -> Target<'_> {
    require_ok!(Target::new(client))
}

/// Streams with `words` at their beginning, in their midst and at their end are refused, and
/// nothing of them runs.
fn refuse(board: &'static Board, forbidden: &[Vec<u32>]) {
    let client = open(board);
    let target = new_target(&client);
    for core in board.cores {
        let fill = |work: Work| work.fill(&target.bo, 512, FILLED);
        for words in forbidden {
            let start = client.work_on(core);
            let works = [
                start.clone().words(words),
                fill(start.clone().words(words)),
                fill(fill(start.clone()).words(words)),
                fill(start.clone()).words(words),
            ];
            for (n, work) in works.iter().enumerate() {
                match client.submit(work) {
                    Err(error) if error.0 == libc::EINVAL => {}
                    other => panic!("{words:x?} at place {n} on {}: {other:?}", core.name),
                }
            }
        }
        // What was around it is good.
        require_ok!(client.gem_wait(core.pipe, target.bo.handle, 0, soon()));
        require!(target.is_untouched(), "{}", core.name);
        require_eq!(client.run(&fill(client.work_on(core))), Ok(1));
        require!(filled(&target.map, 512, FILLED));
        target.forget();
    }
    require_eq!(client.is_well(), Ok(true));
}

fn forbidden_commands(board: &'static Board) {
    let mut forbidden: Vec<Vec<u32>> = [
        // END, with and without an event.
        &[0x1000_0000, 0][..],
        &[0x1000_0101, 0],
        // WAIT.
        &[0x3800_0000, 0],
        &[0x3800_00c8, 0],
        // LINK, to itself or anywhere.
        &[0x4000_0002, 0x1000],
        &[0x4000_0002, 0x1000_0000],
        // CALL and RETURN.
        &[0x5000_0002, 0x1000, 2, 0x1000],
        &[0x5800_0000, 0],
        // CHIP_SELECT.
        &[0x6800_0000, 0],
        &[0x6800_ffff, 0],
        // WAIT_FENCE.
        &[0x7800_0000, 0x1000_0000],
        // SNAP_PAGES.
        &[0x9800_0000, 0],
    ]
    .into_iter()
    .map(Vec::from)
    .collect();
    // What is no command.
    let unknown = [
        0, 14, 17, 18, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
    ];
    forbidden.extend(unknown.iter().map(|opcode| vec![opcode << 27, 0]));
    forbidden.push(vec![u32::MAX, u32::MAX]);
    if !board.softpin {
        // DRAW_INDIRECT reads at an address that no relocation goes into.
        forbidden.push(vec![0x8000_0000, 0x1000_0000]);
    }
    refuse(board, &forbidden);
}

/// The kernel's states. HW: host interface, power, MMU, memory controller, secure MMU; the front
/// end's own registers; PIPE_SELECT, EVENT and FLUSH_MMU.
const FORBIDDEN: [u32; 45] = [
    0x004, 0x008, 0x010, 0x014, 0x018, 0x01c, 0x030, 0x078, 0x0a8, 0x100, 0x104, 0x10c, 0x180,
    0x184, 0x188, 0x18c, 0x190, 0x1ac, 0x1c0, 0x380, 0x388, 0x38c, 0x390, 0x394, 0x398, 0x39c,
    0x3a0, 0x3a4, 0x3a8, 0x400, 0x410, 0x418, 0x428, 0x438, 0x470, 0x478, 0x5fc, 0x640, 0x654,
    0x658, 0x664, 0x670, 0x3800, 0x3804, 0x3810,
];

fn forbidden_states(board: &'static Board) {
    let mut forbidden = Vec::new();
    for address in FORBIDDEN {
        for value in [0, 1, u32::MAX] {
            forbidden.push(state(address, value).to_vec());
        }
        // As a converted number, and with a neighbour.
        forbidden.push(vec![0x0c01_0000 | (address / 4), 0x1_0000]);
        forbidden.push(vec![0x0802_0000 | (address / 4), 0, 0, 0]);
    }
    refuse(board, &forbidden);
}

fn ranges_of_states(board: &'static Board) {
    let load = |first: u32, count: usize| {
        let mut words = vec![0x0800_0000 | (count as u32 & 0x3ff) << 16 | (first / 4)];
        words.resize((count + 2) & !1, 0);
        words
    };
    let forbidden = [
        // Vertex streams, then the front end's ring.
        load(0x64c, 3),
        load(0x648, 12),
        // From the last before PIPE_SELECT on, and to the first after FLUSH_CACHE.
        load(0x37fc, 2),
        load(HARMLESS, 2),
        load(0x3808, 3),
        // A count of 0 is 1024: of the host interface, and over the event.
        load(0x000, 1024),
        load(0x3000, 1024),
        // Beyond the last state.
        load(0x3_fff8, 5),
        load(0x3_fffc, 2),
        // A semaphore that is left for the stall of the next stream.
        vec![0x0801_0000 | (0x3808 / 4), 0x0701],
        vec![0x0801_0000 | (0x3808 / 4), 0x0701, 0x4800_0000, 0x1001],
    ];
    refuse(board, &forbidden);
}

fn cut_off(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    for core in board.cores {
        let fill = client.work_on(core).fill(&target.bo, 512, FILLED);
        for words in [
            // Half of 64 bits.
            &[0x1800_0000][..],
            &[0x0801_0000 | (HARMLESS / 4)],
            // LOAD_STATE of more than there is; a count of 0 is 1024.
            &[0x0802_0000 | (HARMLESS / 4), 0],
            &[0x0800_0000 | (0x4000 / 4), 0],
            &[0x0bff_0000 | (0x4000 / 4), 0],
            // Draws.
            &[0x2800_0000, 4],
            &[0x3000_0000, 4, 0, 0],
            &[0x6000_0000, 4],
            &[0x2000_0100, 0],
            &[0x2000_0200, 0, 0, 0],
            &[0x2000_0000, 0, 0, 0],
            // STALL.
            &[0x4800_0000],
        ] {
            let work = fill.clone().words(words);
            require_errno!(client.submit(&work), libc::EINVAL);
        }
    }
    require!(target.is_untouched());
}

/// Where one command ends and the next begins is the front end's business: who counts otherwise
/// checks the wrong words.
fn hidden_commands(board: &'static Board) {
    const END: [u32; 2] = [0x1000_0000, 0];
    let hidden = |start: &[u32]| [start, &END[..]].concat();
    refuse(
        board,
        &[
            // After a load of two states, which takes four words.
            hidden(&[0x0802_0000 | (0x3814 / 4), 0, 0, 0]),
            // After what looks like a long load to a parser that ignores that a count has ten bits.
            hidden(&[0x0801_0000 | (HARMLESS / 4) | 1 << 26, 0]),
            hidden(&[0x1800_ffff, 0]),
            // After a rectangle whose data count, if there is such a thing, covers it.
            hidden(&[0x2002_0100, 0, 0, 0]),
            hidden(&[0x2000_0100, 0, 0, 0]),
            hidden(&[0x4800_0000, 0x0701]),
        ],
    );
}

fn allowed(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    for core in board.cores {
        let work = client
            .work_on(core)
            .nop()
            .words(&[0x1800_ffff, u32::MAX])
            // Two states, with the padding that goes with them, and one.
            .words(&[0x0802_0000 | (0x3814 / 4), 0, 0, u32::MAX])
            .state(HARMLESS, 0)
            .sync()
            .fill(&target.bo, 512, FILLED)
            .sync();
        require_eq!(client.run(&work), Ok(1));
        require!(filled(&target.map, 512, FILLED), "{}", core.name);
    }
}

/// The stream is copied before it is checked: what a client writes to it later is nowhere.
fn later_changes(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let mut work = client.work().fill(&target.bo, 512, FILLED);
    let fence = require_ok!(client.submit(&work)).fence;
    work.stream.fill(0x1000_0000);
    work.bos.clear();
    require_ok!(client.wait_fence(work.pipe, fence, 0, soon()));
    require!(filled(&target.map, 512, FILLED));
}

/// A fill at an address that the client has no buffer at.
fn fill_at(client: &Client, va: u32) -> Work {
    let mut spare = require_ok!(client.bo(PAGE));
    spare.va = va;
    let mut work = client.work().fill(&spare, 0, FILLED);
    work.bos.clear();
    work
}

fn page_fault(board: &'static Board) {
    let (client, other) = (open(board), open(board));
    for va in [NOWHERE, 0x3f_f000, 0x1000, 0x8000_0000, 0xffff_f000] {
        let work = fill_at(&client, va);
        let from = now_ns();
        let ended = require_ok!(client.run(&work));
        require!(ended < 0, "{va:#x}: {ended}");
        // The MMU reports it; no wait for the watchdog is needed.
        let waited_ms = (now_ns() - from) / 1_000_000;
        require!(waited_ms < 450, "{va:#x}: {waited_ms} ms");
        require_eq!((client.is_well(), other.is_well()), (Ok(true), Ok(true)));
    }
}

fn fault_in_the_midst(board: &'static Board) {
    let (client, other) = (open(board), open(board));
    let [first, second, third] = [0; 3].map(|_| new_target(&client));
    let theirs = new_target(&other);
    let mut astray = require_ok!(client.bo(PAGE));
    let good = require_ok!(client.start(&client.work().fill(&first.bo, 0, FILLED)));
    astray.va = NOWHERE;
    let mut bad = client
        .work()
        .fill(&second.bo, 0, FILLED)
        .sync()
        .fill(&astray, 0, FILLED)
        .sync()
        .fill(&second.bo, 512, FILLED);
    bad.bos.retain(|bo| bo.handle != astray.handle);
    let bad = require_ok!(client.start(&bad));
    let next = require_ok!(client.start(&client.work().fill(&third.bo, 0, FILLED)));
    let other_next = require_ok!(other.start(&other.work().fill(&theirs.bo, 0, FILLED)));
    for (client, (fence, _)) in [
        (&client, &good),
        (&client, &bad),
        (&client, &next),
        (&other, &other_next),
    ] {
        // A wait is for the end, however it is.
        require_ok!(client.wait_fence(0, *fence, 0, soon()));
    }
    let ends = [&good.1, &bad.1, &next.1, &other_next.1].map(|fd| require_ok!(status(fd)));
    require!(
        ends[1] < 0 && [0, 2, 3].iter().all(|n| ends[*n] == 1),
        "{ends:?}"
    );
    require!(filled(&first.map, 0, FILLED) && filled(&third.map, 0, FILLED));
    require!(filled(&theirs.map, 0, FILLED));
    require!(
        filled(&second.map, 0, FILLED),
        "what came before it happened"
    );
    require!(
        filled(&second.map, 512, Target::BEFORE),
        "what came after it did not"
    );
    require_ok!(client.cpu_prep(second.bo.handle, PREP_WRITE, soon()));
}

fn other_files_memory(board: &'static Board) {
    let (client, other) = (open(board), open(board));
    let mut theirs = new_target(&other);
    theirs.bo.va = NOWHERE;
    require_eq!(
        other.run(&other.work().fill(&theirs.bo, 512, FILLED)),
        Ok(1)
    );
    require!(require_ok!(client.run(&fill_at(&client, NOWHERE))) < 0);
    require!(filled(&theirs.map, 512, FILLED) && filled(&theirs.map, 0, Target::BEFORE));
    require_eq!(other.is_well(), Ok(true));
}

fn closed_buffer(board: &'static Board) {
    let client = open(board);
    let target = new_target(&client);
    let va = target.bo.va;
    require_eq!(
        client.run(&client.work().fill(&target.bo, 512, FILLED)),
        Ok(1)
    );
    let Target { bo, map } = target;
    drop(bo);
    require!(require_ok!(client.run(&fill_at(&client, va))) < 0);
    require!(filled(&map, 0, Target::BEFORE));
    require_eq!(client.is_well(), Ok(true));
}

fn hang(board: &'static Board) {
    for core in board.cores {
        let (client, other) = (open(board), open(board));
        let [stuck, later] = [0; 2].map(|_| new_target(&client));
        let theirs = new_target(&other);
        let work = |client: &Client, bo: &Bo<'_>| client.work_on(core).fill(bo, 512, FILLED);
        let hang = client.work_on(core).hang().fill(&stuck.bo, 512, FILLED);
        let from = now_ns();
        let first = require_ok!(client.start(&hang));
        let second = require_ok!(other.start(&work(&other, &theirs.bo)));
        let third = require_ok!(client.start(&work(&client, &later.bo)));
        require_errno!(
            client.wait_fence(core.pipe, first.0, 0, after_ms(50)),
            libc::ETIMEDOUT
        );
        for (client, (fence, _)) in [(&client, &first), (&other, &second), (&client, &third)] {
            require_ok!(client.wait_fence(core.pipe, *fence, 0, soon()));
        }
        let waited_ms = (now_ns() - from) / 1_000_000;
        require!((300..5000).contains(&waited_ms), "{waited_ms} ms");
        let ends = [&first.1, &second.1, &third.1].map(|fd: &Node| require_ok!(status(fd)));
        require!(
            ends[0] < 0 && ends[1..] == [1, 1],
            "{}: {ends:?}",
            core.name
        );
        require!(stuck.is_untouched(), "what hung is not run again");
        require!(filled(&theirs.map, 512, FILLED) && filled(&later.map, 512, FILLED));
        require_ok!(client.cpu_prep(stuck.bo.handle, PREP_WRITE, soon()));
        require_eq!((client.is_well(), other.is_well()), (Ok(true), Ok(true)));
    }
}

fn failed_dependency(board: &'static Board) {
    let (client, other) = (open(board), open(board));
    let target = new_target(&client);
    let hang = client.work().names(&target.bo).hang();
    let (_, fd) = require_ok!(client.start(&hang));
    let theirs = new_target(&other);
    let mut after = other
        .work()
        .fill(&theirs.bo, 512, FILLED)
        .flags(SUBMIT_FENCE_FD_IN);
    after.fence_fd = std::os::fd::AsRawFd::as_raw_fd(&fd);
    // A dependency has ended when it failed, too.
    require_eq!(other.run(&after), Ok(1));
    require!(require_ok!(status(&fd)) < 0);
    require!(filled(&theirs.map, 512, FILLED));
    require_eq!(
        client.run(&client.work().fill(&target.bo, 512, FILLED)),
        Ok(1)
    );
}

fn main() {
    atf::main(&etnaviv_cases! {
        forbidden_commands [imx8mq imx6q imx6qp] "differs from etnaviv_cmd_validate_one: EINVAL \
            for the kernel's commands";
        forbidden_states [imx8mq imx6q imx6qp] "differs from etnaviv_cmd_validate_one: EINVAL for \
            the kernel's states";
        ranges_of_states [imx8mq imx6q imx6qp] "differs from etnaviv_cmd_validate_one: EINVAL for \
            loads that reach them";
        cut_off [imx8mq imx6q imx6qp] "etnaviv_cmd_validate_one: EINVAL for a command that is not \
            all there";
        hidden_commands [imx8mq imx6q imx6qp] "etnaviv_cmd_validate_one: commands are where the \
            front end finds them";
        allowed [imx8mq imx6q imx6qp] "etnaviv_cmd_validate_one: what clients need is taken";
        later_changes [imx8mq imx6q] "etnaviv_ioctl_gem_submit: a stream is copied";
        page_fault [imx8mq imx6qp] "sched_fault: work that uses what is not mapped fails at once";
        fault_in_the_midst [imx8mq imx6qp] "etnaviv_sched_timedout_job: all other work is done";
        other_files_memory [imx8mq imx6qp] "etnaviv_iommu_context_init: files have address spaces \
            of their own";
        closed_buffer [imx8mq imx6qp] "etnaviv_gem_free_object: a closed buffer is out of the \
            GPU's reach";
        hang [imx8mq imx6q imx6qp] "etnaviv_sched_timedout_job: work that never ends is ended";
        failed_dependency [imx8mq imx6q] "drm_sched_entity_pop_job: a failed dependency has ended";
    });
}
