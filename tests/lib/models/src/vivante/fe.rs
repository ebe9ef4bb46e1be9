// SPDX-License-Identifier: BSD-2-Clause
//! The front end: fetches the command stream and executes it.
//!
//! A start, a LINK, a CALL or a RETURN allows a number of 64-bit words to be fetched; when they are
//! used up and none of them was another jump or END, the front end waits without end (etnaviv.md 5:
//! "not too low, nothing else will be fetched"). Up to 32 words are fetched in one burst, so
//! changes of memory after the burst take effect only after the next jump.
//!
//! `WAIT; LINK` back to the WAIT is recognised as the idle loop: see [`State::IdleLoop`].

use super::command;
use super::mmu::{Client, Stop};
use super::regs::fe as reg;
use super::Vivante;
use crate::bus::Bus;
use std::collections::VecDeque;

/// Words of 64 bits in a burst.
const BURST: u32 = 32;
/// Plain state loads are executed in one event up to this total duration.
const QUANTUM_NS: u64 = 2_000;

/// State of the front end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not started, or stopped by END.
    Idle,
    /// The next command executes at this time.
    Run(u64),
    /// In WAIT until this time.
    Wait(u64),
    /// In `WAIT; LINK` back to it; reads memory again at `next`. Memory can only change between
    /// calls of the model, so it is read once per call and not once per period.
    IdleLoop { next: u64, period: u64 },
    /// In a stall until the token has been reached `count` times.
    Stall { pair: (u32, u32), count: u64 },
    /// In WAIT_FENCE; reads memory at `next`.
    Fence { next: u64, period: u64, va: u32 },
    /// Out of prefetched words; only a new start ends this state.
    Starved,
    /// Stopped by an illegal command, a bus error, or an injection.
    Hung,
}

#[derive(Clone, Debug)]
pub(crate) struct Fe {
    pub(crate) state: State,
    /// Address of the next burst.
    pub(crate) address: u32,
    /// 64-bit words that may still be fetched.
    pub(crate) remaining: u32,
    pub(crate) fifo: VecDeque<u32>,
    pub(crate) command_address: u32,
    pub(crate) command_control: u32,
    /// Value of DMA_DEBUG_STATE.CMD_STATE.
    pub(crate) command_state: u32,
    /// Last 64-bit word used.
    last: [u32; 2],
    /// Return prefetch and address of CALL.
    pub(crate) returns: Option<(u32, u32)>,
    /// Whether CHIP_SELECT includes this core.
    pub(crate) selected: bool,
    /// Address and words of the idle loop.
    pub(crate) idle: (u32, [u32; 4]),
    /// The part of a turn of the idle loop that is not its WAIT.
    pub(crate) link_ns: u64,
}

impl Default for Fe {
    fn default() -> Fe {
        Fe {
            state: State::Idle,
            address: 0,
            remaining: 0,
            fifo: VecDeque::new(),
            command_address: 0,
            command_control: 0,
            command_state: reg::CMD_IDLE,
            last: [0; 2],
            returns: None,
            selected: true,
            idle: (0, [0; 4]),
            link_ns: 0,
        }
    }
}

impl Fe {
    /// Address of the next word to execute. HW: etnaviv.md 2.7: after END a driver continues at
    /// DMA_ADDRESS + 2; the low bits of an address are ignored.
    fn pc(&self) -> u32 {
        self.address.wrapping_sub(self.fifo.len() as u32 * 4)
    }

    pub(crate) fn jump(&mut self, address: u32, prefetch: u32) {
        self.address = address & !7;
        self.remaining = prefetch;
        self.fifo.clear();
    }

    pub(crate) fn read(&self, offset: u32, now: u64) -> Option<u32> {
        let running = self.state != State::Idle;
        // The idle loop is at its LINK at the end of each turn: a reader that reads often enough
        // observes a change of both registers. HW: etnaviv.md 2.16 (the stuck test of 500 reads).
        let linking = match self.state {
            State::IdleLoop { next, .. } => next.saturating_sub(now) <= self.link_ns,
            _ => false,
        };
        Some(match offset {
            reg::COMMAND_ADDRESS => self.command_address,
            reg::COMMAND_CONTROL => self.command_control,
            reg::DMA_STATUS => u32::from(running),
            reg::DMA_DEBUG_STATE => {
                let fetching = matches!(self.state, State::Run(_) | State::IdleLoop { .. });
                let valid = if self.fifo.is_empty() {
                    0
                } else {
                    reg::CMD_FETCH_VALID
                };
                let command = if linking {
                    reg::CMD_LINK
                } else {
                    self.command_state
                };
                command | valid | if fetching { reg::CMD_DMA_REQ } else { 0 }
            }
            reg::DMA_ADDRESS => self.pc().wrapping_add(if linking { 8 } else { 0 }),
            reg::DMA_LOW => self.last[0],
            reg::DMA_HIGH => self.last[1],
            _ => return None,
        })
    }

    pub(crate) fn shift(&mut self, ns: u64) {
        match &mut self.state {
            State::Run(at) | State::Wait(at) => *at += ns,
            State::IdleLoop { next, .. } | State::Fence { next, .. } => *next += ns,
            _ => (),
        }
    }
}

/// Whether the front end continues with the next command.
#[derive(PartialEq, Eq)]
pub(crate) enum Flow {
    Next,
    Stop,
}

impl Vivante {
    /// Starts the front end: COMMAND_CONTROL, or SEC_COMMAND_CONTROL of a secure core, was written
    /// with ENABLE set.
    pub(super) fn start_fe(&mut self, prefetch: u32) {
        if self.fe.state != State::Idle {
            self.stats.protocol("start of a running front end");
        }
        if self.halted {
            self.stats.protocol("start of a halted GPU");
        }
        self.stats.starts += 1;
        let address = self.fe.command_address;
        self.fe.jump(address, prefetch);
        self.fe.returns = None;
        self.fe.state = State::Run(self.now);
    }

    /// Time of the front end's next event; `None` if it has none.
    pub(super) fn fe_due(&self) -> Option<u64> {
        match self.fe.state {
            State::Run(at) | State::Wait(at) => Some(at),
            State::IdleLoop { next, .. } | State::Fence { next, .. } => Some(next),
            State::Stall { pair, count } => self.tokens.is_reached(pair, count).then_some(self.now),
            State::Idle | State::Starved | State::Hung => None,
        }
    }

    pub(super) fn run_fe(&mut self, bus: &mut dyn Bus) {
        if self.fe_due().is_none_or(|at| at > self.now) {
            return;
        }
        match self.fe.state {
            State::IdleLoop { next, period } => self.poll_idle(bus, next, period),
            State::Fence { period, va, .. } => self.poll_fence(bus, period, va),
            _ => self.execute(bus),
        }
    }

    fn fetch(&mut self, bus: &mut dyn Bus) -> Result<(), Stop> {
        let fe = &self.fe;
        // A burst does not cross a page boundary.
        let room = (0x1000 - (fe.address & 0xfff)) / 8;
        let words = fe.remaining.min(BURST).min(room);
        let address = fe.address;
        let mut bytes = vec![0; words as usize * 8];
        self.mem(bus).read(Client::Fe, address, &mut bytes)?;
        let fe = &mut self.fe;
        for word in bytes.chunks_exact(4) {
            fe.fifo
                .push_back(u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        }
        fe.address = fe.address.wrapping_add(words * 8);
        fe.remaining -= words;
        Ok(())
    }

    /// Makes `words` words available. Returns false if the front end stops here.
    pub(super) fn need(&mut self, bus: &mut dyn Bus, words: usize, cost: &mut u64) -> bool {
        while self.fe.fifo.len() < words {
            if self.fe.remaining == 0 {
                self.fe.state = State::Starved;
                self.stats.starved += 1;
                return false;
            }
            if let Err(stop) = self.fetch(bus) {
                self.fe.state = State::Hung;
                self.halt(stop);
                return false;
            }
            *cost += self.timing.fetch_ns;
        }
        true
    }

    fn execute(&mut self, bus: &mut dyn Bus) {
        let mut cost = 0;
        loop {
            // A command with an effect outside the front end is executed in its own event.
            let again = State::Run(self.now + cost.max(1));
            if !self.need(bus, 2, &mut cost) {
                return;
            }
            let header = self.fe.fifo[0];
            let Some(len) = command::words(header) else {
                self.stats.illegal_commands += 1;
                self.fe.command_state = reg::CMD_DEC;
                self.fe.state = State::Hung;
                return;
            };
            if cost > 0 && command::acts(header) {
                self.fe.state = State::Run(self.now + cost);
                return;
            }
            if !self.need(bus, len.next_multiple_of(2), &mut cost) {
                return;
            }
            let at = self.fe.pc();
            let mut words: Vec<u32> = self.fe.fifo.drain(..len.next_multiple_of(2)).collect();
            self.fe.last = [words[words.len() - 2], words[words.len() - 1]];
            words.truncate(len);
            self.stats.commands[(header >> 27) as usize] += 1;
            if let Some(trace) = &mut self.trace {
                trace.push((at, header));
            }
            cost += (len as u64 * self.timing.word_ns).max(1);
            self.fe.state = again;
            if self.command(bus, at, &words) == Flow::Stop {
                return;
            }
            if cost > QUANTUM_NS {
                self.fe.state = State::Run(self.now + cost);
                return;
            }
        }
    }
}
