// SPDX-License-Identifier: BSD-2-Clause
//! Interrupt lines: level = (RAWSTAT & MASK) != 0, except during an injection.

use super::inject::Armed;
use super::stats::Stats;
use crate::bus::Bus;

/// Duration of a spurious interrupt whose status is not read.
const SPURIOUS_NS: u64 = 10_000;

/// One line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    number: usize,
    level: bool,
    /// Causes whose interrupt was lost.
    lost: u32,
    late_until: Option<u64>,
    spurious_until: Option<u64>,
}

impl Line {
    pub(crate) fn new(number: usize) -> Line {
        Line {
            number,
            level: false,
            lost: 0,
            late_until: None,
            spurious_until: None,
        }
    }

    /// Recomputes the level from the block's registers.
    pub(crate) fn update(
        &mut self,
        raw: u32,
        mask: u32,
        now: u64,
        armed: &mut Armed,
        stats: &mut Stats,
        bus: &mut dyn Bus,
    ) {
        let n = self.number;
        self.lost &= raw;
        self.late_until = self.late_until.filter(|t| *t > now);
        self.spurious_until = self.spurious_until.filter(|t| *t > now);
        let mut active = raw & mask & !self.lost;
        if active != 0 && !self.level && self.late_until.is_none() {
            if armed.lose[n] {
                armed.lose[n] = false;
                stats.injected += 1;
                self.lost |= active;
                active = 0;
            } else if let Some(ns) = armed.late[n].take() {
                stats.injected += 1;
                self.late_until = Some(now + ns);
            }
        }
        let level = (active != 0 && self.late_until.is_none()) || self.spurious_until.is_some();
        if level != self.level {
            self.level = level;
            stats.irqs[n] += u64::from(level);
            bus.irq(n, level);
        }
    }

    pub(crate) fn make_spurious(&mut self, now: u64) {
        self.spurious_until = Some(now + SPURIOUS_NS);
    }

    /// Called when the driver reads the block's status.
    pub(crate) fn status_read(&mut self) {
        self.spurious_until = None;
    }

    /// Clears the state when power is cut.
    pub(crate) fn drop_state(&mut self) {
        *self = Line {
            level: self.level,
            ..Line::new(self.number)
        };
    }

    pub(crate) fn next_event(&self) -> Option<u64> {
        [self.late_until, self.spurious_until]
            .into_iter()
            .flatten()
            .min()
    }
}
