// SPDX-License-Identifier: BSD-2-Clause
//! The units after the front end, each with a queue of work in order: PE (with the 3D pipeline, RS
//! and the 2D engine) and BLT. Work accesses memory at the end of its duration, so memory that is
//! freed too early causes a fault.

use super::regs::gl;
use super::{blt, de, draw, rs};
use std::collections::{BTreeMap, VecDeque};

/// One item of work.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Draw(Box<draw::Op>),
    Rs(Box<rs::Op>),
    De(Box<de::Op>),
    Blt(Box<blt::Op>),
    Flush,
    Event(u32),
    /// The recipient reaches the semaphore.
    Token((u32, u32)),
    /// Work after it starts when the token has been reached that often.
    Barrier((u32, u32), u64),
    /// A fence value is written.
    Fence {
        va: u32,
        value: u32,
    },
    /// An occlusion query result is written; the model counts no samples.
    Occlusion {
        va: u32,
    },
}

/// Semaphores between one pair of units.
#[derive(Clone, Copy, Debug, Default)]
struct Token {
    sent: u64,
    reached: u64,
    stalled: u64,
}

/// All semaphores. HW: etnaviv.md 5: GL_SEMAPHORE_TOKEN, then a stall on the same pair.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens(BTreeMap<(u32, u32), Token>);

impl Tokens {
    pub(crate) fn send(&mut self, pair: (u32, u32)) {
        self.0.entry(pair).or_default().sent += 1;
    }

    pub(crate) fn reach(&mut self, pair: (u32, u32)) {
        self.0.entry(pair).or_default().reached += 1;
    }

    /// The arrival that a stall waits for; `None` if no semaphore was sent.
    pub(crate) fn stall(&mut self, pair: (u32, u32)) -> Option<u64> {
        let token = self.0.entry(pair).or_default();
        if token.stalled >= token.sent {
            return None;
        }
        token.stalled += 1;
        Some(token.stalled)
    }

    /// Semaphores that no stall has received.
    pub(crate) fn open(&self) -> u64 {
        self.0.values().map(|t| t.sent - t.stalled).sum()
    }

    pub(crate) fn is_reached(&self, pair: (u32, u32), count: u64) -> bool {
        self.0.get(&pair).is_some_and(|t| t.reached >= count)
    }
}

/// One unit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unit {
    queue: VecDeque<(Work, u64)>,
    /// When the item at the head of the queue completes.
    pub(crate) done_at: Option<u64>,
    /// When the item at the head of the queue started.
    pub(crate) started: u64,
}

impl Unit {
    pub(crate) fn push(&mut self, work: Work, ns: u64) {
        self.queue.push_back((work, ns));
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn head(&self) -> Option<&Work> {
        self.queue.front().map(|(work, _)| work)
    }

    /// Starts the item at the head if the unit is idle and no barrier holds it.
    pub(crate) fn start(&mut self, now: u64, tokens: &Tokens) {
        if self.done_at.is_some() {
            return;
        }
        if let Some((work, ns)) = self.queue.front() {
            if matches!(work, Work::Barrier(pair, count) if !tokens.is_reached(*pair, *count)) {
                return;
            }
            self.started = now;
            self.done_at = Some(now.saturating_add(*ns));
        }
    }

    /// Removes and returns the item at the head if its time has passed.
    pub(crate) fn finished(&mut self, now: u64) -> Option<(Work, u64)> {
        if self.done_at? > now {
            return None;
        }
        self.done_at = None;
        self.queue.pop_front()
    }

    pub(crate) fn clear(&mut self) {
        *self = Unit::default();
    }

    pub(crate) fn shift(&mut self, ns: u64) {
        self.done_at = self.done_at.map(|t| t + ns);
        self.started += ns;
    }
}

/// Index of the unit that a recipient belongs to: 0 PE, 1 BLT. `None` for units without a queue in
/// the model: they reach a semaphore at once.
pub(crate) fn unit_of(recipient: u32) -> Option<usize> {
    match recipient {
        gl::PE | gl::DE | gl::RA => Some(0),
        gl::BLT => Some(1),
        _ => None,
    }
}
