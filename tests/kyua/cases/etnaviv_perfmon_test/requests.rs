// SPDX-License-Identifier: BSD-2-Clause
//! The counter requests of GEM_SUBMIT.

use super::domains::domains;
use super::open;
use atf::drm::Mapping;
use atf::etnaviv::{filled, soon, Bo, Board, Client, Core, Engine, SLOW_BYTES};
use atf::process::eventually;
use atf::{require, require_eq, require_errno, require_ok};
use uapi::etnaviv::*;

const PAGE: u64 = 4096;
const BEFORE: u32 = 0x5a5a_5a5a;
const FILLED: u32 = 0x1234_5678;
const SEQUENCE: u32 = 0x77;

/// HI TOTAL_CYCLES.
const CYCLES: (u8, u16) = (0, 2);
/// PE PIXELS_RENDERED_2D.
const PIXELS_2D: (u8, u16) = (0, 0);

/// A counter that every job of a core moves.
fn counter(core: &Core) -> (u8, u16) {
    match core.engine {
        Engine::De => PIXELS_2D,
        Engine::Blt | Engine::Rs => CYCLES,
    }
}

/// A buffer for samples.
struct Samples<'a> {
    bo: Bo<'a>,
    map: Mapping,
}

impl<'a> Samples<'a> {
    fn new(client: &'a Client) -> Samples<'a> {
        let bo = require_ok!(client.bo(PAGE));
        let map = require_ok!(bo.map());
        let samples = Samples { bo, map };
        samples.forget();
        samples
    }

    fn forget(&self) {
        (0..PAGE as usize / 4).for_each(|word| self.map.write_u32(4 * word, BEFORE));
    }

    fn word(&self, word: u32) -> u32 {
        self.map.read_u32(4 * word as usize)
    }

    /// ABI: the fence may come before the samples; the sequence number comes after them.
    fn are_there(&self, sequence: u32) -> bool {
        eventually(|| self.word(0) == sequence)
    }

    /// Words that were written to.
    fn written(&self) -> Vec<u32> {
        (0..PAGE as u32 / 4)
            .filter(|word| self.word(*word) != BEFORE)
            .collect()
    }
}

fn request(flags: u32, (domain, signal): (u8, u16), read_offset: u32) -> SubmitPmr {
    SubmitPmr {
        flags,
        domain,
        signal,
        sequence: SEQUENCE,
        read_offset,
        ..SubmitPmr::default()
    }
}

pub(super) fn samples(board: &'static Board) {
    let client = open(board);
    for core in board.cores {
        let samples = Samples::new(&client);
        let target = require_ok!(client.bo(SLOW_BYTES));
        let start = client.work_on(core);
        let work = match core.engine {
            Engine::De => start.fill(&target, 0, FILLED),
            // Cycles go by in any case, so many only with work between the two.
            Engine::Blt | Engine::Rs => start.slow(&target, FILLED),
        };
        // As Mesa has it: before in word 2, after in word 3.
        let work = work
            .counter(&samples.bo, request(PM_PROCESS_PRE, counter(core), 2))
            .counter(&samples.bo, request(PM_PROCESS_POST, counter(core), 3));
        for round in 0..2 {
            let mut work = work.clone();
            let sequence = SEQUENCE + round;
            work.pmrs[0].sequence = sequence;
            work.pmrs[1].sequence = sequence;
            samples.forget();
            require_eq!(client.run(&work), Ok(1));
            require!(samples.are_there(sequence), "{} round {round}", core.name);
            require_eq!(samples.written(), [0, 2, 3]);
            let moved = samples.word(3).wrapping_sub(samples.word(2));
            match core.engine {
                Engine::De => require_eq!(moved, 16 * 8),
                Engine::Blt | Engine::Rs => {
                    require!((1 << 20..1 << 31).contains(&moved), "{moved:#x}")
                }
            }
            require!(filled(&require_ok!(target.map()), 0, FILLED));
        }
    }
}

pub(super) fn every_signal(board: &'static Board) {
    let client = open(board);
    for core in board.cores {
        let samples = Samples::new(&client);
        let mut work = client.work_on(core).nop();
        let mut at = 0;
        for (domain, (_, signals)) in domains(core).iter().enumerate() {
            for signal in 0..signals.len() {
                at += 1;
                let which = (domain as u8, signal as u16);
                work = work.counter(&samples.bo, request(PM_PROCESS_POST, which, at));
            }
        }
        require_eq!(client.run(&work), Ok(1));
        require!(samples.are_there(SEQUENCE));
        let written: Vec<u32> = (0..=at).collect();
        require_eq!(samples.written(), written, "{}", core.name);
    }
    // Counting leaves nothing after that would stop a pipe.
    require_eq!(client.is_well(), Ok(true));
}

pub(super) fn limit(board: &'static Board) {
    let client = open(board);
    let core = board.core();
    let samples = Samples::new(&client);
    let mut work = client.work().nop();
    for at in 1..=128 {
        work = work.counter(&samples.bo, request(PM_PROCESS_POST, counter(core), at));
    }
    require_eq!(client.run(&work), Ok(1));
    require!(samples.are_there(SEQUENCE));
    require_eq!(samples.written(), (0..=128).collect::<Vec<_>>());
    work = work.counter(&samples.bo, request(PM_PROCESS_POST, counter(core), 129));
    require_errno!(client.submit(&work), libc::EINVAL);
}

pub(super) fn bounds(board: &'static Board) {
    let client = open(board);
    let counter = counter(board.core());
    let samples = Samples::new(&client);
    let submit = |read_offset| {
        let work = client.work().nop();
        work.counter(&samples.bo, request(PM_PROCESS_POST, counter, read_offset))
    };
    // Word 0 is the sequence number's.
    for read_offset in [
        0,
        // Words after the buffer, which Linux would write to.
        1024,
        1025,
        2048,
        4088,
        4091,
        4092,
        4096,
        // What comes back to the beginning when it is multiplied by four.
        0x3fff_ffff,
        0x4000_0000,
        0x4000_0001,
        0x8000_0001,
        0xc000_0001,
        u32::MAX,
    ] {
        require_errno!(client.submit(&submit(read_offset)), libc::EINVAL);
    }
    require_eq!(samples.written(), []);
    for read_offset in [1, 1023] {
        samples.forget();
        require_eq!(client.run(&submit(read_offset)), Ok(1));
        require!(samples.are_there(SEQUENCE));
        require_eq!(samples.written(), [0, read_offset]);
    }
}

pub(super) fn bad_requests(board: &'static Board) {
    let client = open(board);
    let samples = Samples::new(&client);
    for core in board.cores {
        let good = client
            .work_on(core)
            .nop()
            .counter(&samples.bo, request(PM_PROCESS_POST, counter(core), 1));
        require_eq!(client.run(&good), Ok(1));
        require!(samples.are_there(SEQUENCE));
        samples.forget();
        let refused = |change: &dyn Fn(&mut SubmitPmr)| {
            let mut work = good.clone();
            change(&mut work.pmrs[0]);
            require_errno!(client.submit(&work), libc::EINVAL);
            // Also as the second of two.
            let second = work.pmrs[0];
            work.pmrs = vec![good.pmrs[0], second];
            require_errno!(client.submit(&work), libc::EINVAL);
        };
        for flags in [4, 8, PM_PROCESS_POST | 4, 1 << 31, u32::MAX] {
            refused(&|request| request.flags = flags);
        }
        for idx in [1, 2, 1 << 31, u32::MAX] {
            refused(&|request| request.read_idx = idx);
        }
        // ABI: a request names the domain within the pipe of exec_state.
        let count = domains(core).len() as u8;
        for domain in [count, count + 1, 0xff] {
            refused(&|request| request.domain = domain);
        }
        for (domain, (_, signals)) in domains(core).iter().enumerate() {
            for signal in [signals.len() as u16, 0xff, 0xffff] {
                refused(&|request| {
                    request.domain = domain as u8;
                    request.signal = signal;
                });
            }
        }
    }
    require_eq!(samples.written(), []);
}

pub(super) fn flags(board: &'static Board) {
    let client = open(board);
    let counter = counter(board.core());
    let samples = Samples::new(&client);
    // Neither before nor after: nothing to sample, but the sequence number comes.
    let work = client
        .work()
        .nop()
        .counter(&samples.bo, request(0, counter, 5));
    require_eq!(client.run(&work), Ok(1));
    require!(samples.are_there(SEQUENCE));
    require_eq!(samples.written(), [0]);
    // Both: Linux takes it, and samples at neither time; when is not said here.
    let both = PM_PROCESS_PRE | PM_PROCESS_POST;
    let mut work = client
        .work()
        .nop()
        .counter(&samples.bo, request(both, counter, 6));
    work.pmrs[0].pad = 0xff;
    work.pmrs[0].sequence = 1;
    require_eq!(client.run(&work), Ok(1));
    require!(samples.are_there(1));
}

pub(super) fn two_buffers(board: &'static Board) {
    let client = open(board);
    let counter = counter(board.core());
    let all = [0; 3].map(|_| Samples::new(&client));
    let mut work = client.work().names(&all[0].bo).nop();
    for (n, samples) in all.iter().enumerate().skip(1) {
        work = work.counter(&samples.bo, request(PM_PROCESS_POST, counter, 8 + n as u32));
        work.pmrs[n - 1].sequence = 100 + n as u32;
    }
    require_eq!(client.run(&work), Ok(1));
    require!(all[1].are_there(101) && all[2].are_there(102));
    require_eq!(
        (all[0].written(), all[1].written(), all[2].written()),
        (vec![], vec![0, 9], vec![0, 10])
    );
}

/// Each request stops the front end twice; other work goes on around that.
pub(super) fn among_others(board: &'static Board) {
    let (client, other) = (open(board), open(board));
    let counter = counter(board.core());
    let samples = Samples::new(&client);
    let targets = [require_ok!(client.bo(PAGE)), require_ok!(other.bo(PAGE))];
    for sequence in 0..40 {
        let mut work = client
            .work()
            .fill(&targets[0], 0, sequence)
            .counter(&samples.bo, request(PM_PROCESS_PRE, counter, 2))
            .counter(&samples.bo, request(PM_PROCESS_POST, counter, 3));
        work.pmrs.iter_mut().for_each(|pmr| pmr.sequence = sequence);
        require_ok!(client.submit(&work));
        require_ok!(other.submit(&other.work().fill(&targets[1], 0, sequence)));
    }
    let pipe = board.core().pipe;
    require_ok!(client.gem_wait(pipe, targets[0].handle, 0, soon()));
    require_ok!(other.gem_wait(pipe, targets[1].handle, 0, soon()));
    require!(samples.are_there(39));
    require!(targets
        .iter()
        .all(|target| filled(&require_ok!(target.map()), 0, 39)));
}
