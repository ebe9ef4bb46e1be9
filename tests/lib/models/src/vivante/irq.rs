// SPDX-License-Identifier: BSD-2-Clause
//! The interrupt line: level = (INTR_ACKNOWLEDGE & INTR_ENBL) != 0, except during an injection.

use super::inject::Armed;
use super::stats::Stats;
use super::IRQ;
use crate::bus::Bus;

/// Duration of a spurious interrupt if INTR_ACKNOWLEDGE is not read.
const SPURIOUS_NS: u64 = 10_000;

/// The pending and enabled causes, and the line they drive.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Irq {
    pub(crate) raw: u32,
    pub(crate) enable: u32,
    level: bool,
    /// Causes whose interrupt was lost.
    lost: u32,
    late_until: Option<u64>,
    spurious_until: Option<u64>,
}

impl Irq {
    /// INTR_ACKNOWLEDGE: reading clears. HW: etnaviv.md 2.9.
    pub(crate) fn acknowledge(&mut self) -> u32 {
        self.spurious_until = None;
        std::mem::take(&mut self.raw)
    }

    /// Recomputes the level.
    pub(crate) fn update(
        &mut self,
        now: u64,
        armed: &mut Armed,
        stats: &mut Stats,
        bus: &mut dyn Bus,
    ) {
        self.lost &= self.raw;
        self.late_until = self.late_until.filter(|t| *t > now);
        self.spurious_until = self.spurious_until.filter(|t| *t > now);
        let mut active = self.raw & self.enable & !self.lost;
        if active != 0 && !self.level && self.late_until.is_none() {
            if std::mem::take(&mut armed.lose) {
                stats.injected += 1;
                self.lost |= active;
                active = 0;
            } else if let Some(ns) = armed.late.take() {
                stats.injected += 1;
                self.late_until = Some(now + ns);
            }
        }
        let level = (active != 0 && self.late_until.is_none()) || self.spurious_until.is_some();
        if level != self.level {
            self.level = level;
            stats.irqs += u64::from(level);
            bus.irq(IRQ, level);
        }
    }

    pub(crate) fn make_spurious(&mut self, now: u64) {
        self.spurious_until = Some(now + SPURIOUS_NS);
    }

    /// Clears the causes on reset or loss of power; the line follows at the next update.
    pub(crate) fn clear(&mut self) {
        *self = Irq {
            level: self.level,
            ..Irq::default()
        };
    }

    pub(crate) fn next_event(&self) -> Option<u64> {
        [self.late_until, self.spurious_until]
            .into_iter()
            .flatten()
            .min()
    }
}
