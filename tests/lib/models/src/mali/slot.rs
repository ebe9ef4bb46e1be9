// SPDX-License-Identifier: BSD-2-Clause
//! Job block: interrupts, JS_STATE, and the slots with their two-deep queue and stops.
//! [`chain`](super::chain) executes the chains.
//!
//! When a chain completes, NEXT starts at once, without an action of the driver. When a chain
//! fails, NEXT does not start until the driver clears the ERR bit. HW: panfrost.md 2.5 (queue,
//! stops, JS_STATE).

use super::regs::job as reg;
use super::stats::Stats;
use super::Mali;
use std::collections::BTreeSet;

/// Phase of a running chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The header of the current job will be read.
    Fetch,
    /// The current job runs; its effects happen at the end of its duration.
    Execute,
    /// The current job never ends (injected).
    Hung,
    /// As `Hung`, and stops have no effect either.
    Stuck,
    /// A hard stop is in progress.
    Stopping,
}

/// A chain in execution.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) space: usize,
    pub(crate) job: u64,
    pub(crate) kind: u32,
    pub(crate) index: u16,
    pub(crate) next: u64,
    pub(crate) phase: Phase,
    /// When the phase ends; `None` while stalled or hung.
    pub(crate) at: Option<u64>,
    /// An access waits for the MMU.
    pub(crate) stalled: bool,
    pub(crate) soft_stop: bool,
    pub(crate) hard_stop: bool,
    /// Indices of the completed jobs of this chain.
    pub(crate) done: BTreeSet<u16>,
    /// Words that compute jobs of this chain received as push uniforms.
    pub(crate) pushed: BTreeSet<u64>,
}

/// One job slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot {
    pub(crate) head: u64,
    pub(crate) tail: u64,
    pub(crate) affinity: u64,
    pub(crate) xaffinity: u32,
    pub(crate) config: u32,
    pub(crate) status: u8,
    next_head: u64,
    next_affinity: u64,
    next_xaffinity: u32,
    next_config: u32,
    next_flush_id: u32,
    /// START was written to COMMAND_NEXT and the chain has not started.
    pub(crate) next_pending: bool,
    pub(crate) run: Option<Run>,
}

fn low(value: u64) -> u32 {
    value as u32
}

fn high(value: u64) -> u32 {
    (value >> 32) as u32
}

fn set_low(value: &mut u64, word: u32) {
    *value = (*value & !0xffff_ffff) | u64::from(word);
}

fn set_high(value: &mut u64, word: u32) {
    *value = (*value & 0xffff_ffff) | u64::from(word) << 32;
}

/// What a write to a slot requests from the job manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    None,
    /// NEXT may be able to start.
    TryStart,
    SoftStop,
    HardStop,
}

impl Slot {
    pub(crate) fn read(&self, rel: u32) -> Option<u32> {
        Some(match rel {
            reg::HEAD_LO => low(self.head),
            reg::HEAD_HI => high(self.head),
            reg::TAIL_LO => low(self.tail),
            reg::TAIL_HI => high(self.tail),
            reg::AFFINITY_LO => low(self.affinity),
            reg::AFFINITY_HI => high(self.affinity),
            reg::CONFIG => self.config,
            reg::XAFFINITY => self.xaffinity,
            reg::COMMAND => 0,
            reg::STATUS => u32::from(self.status),
            reg::HEAD_NEXT_LO => low(self.next_head),
            reg::HEAD_NEXT_HI => high(self.next_head),
            reg::AFFINITY_NEXT_LO => low(self.next_affinity),
            reg::AFFINITY_NEXT_HI => high(self.next_affinity),
            reg::CONFIG_NEXT => self.next_config,
            reg::XAFFINITY_NEXT => self.next_xaffinity,
            reg::COMMAND_NEXT => u32::from(self.next_pending) * reg::CMD_START,
            reg::FLUSH_ID_NEXT => self.next_flush_id,
            _ => return None,
        })
    }

    pub(crate) fn write(
        &mut self,
        rel: u32,
        value: u32,
        disambiguation: bool,
        stats: &mut Stats,
    ) -> Option<Action> {
        match rel {
            reg::HEAD_NEXT_LO => set_low(&mut self.next_head, value),
            reg::HEAD_NEXT_HI => set_high(&mut self.next_head, value),
            reg::AFFINITY_NEXT_LO => set_low(&mut self.next_affinity, value),
            reg::AFFINITY_NEXT_HI => set_high(&mut self.next_affinity, value),
            reg::CONFIG_NEXT => self.next_config = value,
            reg::XAFFINITY_NEXT => self.next_xaffinity = value,
            reg::FLUSH_ID_NEXT => self.next_flush_id = value,
            reg::COMMAND_NEXT => return Some(self.command_next(value, stats)),
            reg::COMMAND => return Some(self.command(value, disambiguation, stats)),
            reg::HEAD_LO
            | reg::HEAD_HI
            | reg::TAIL_LO
            | reg::TAIL_HI
            | reg::AFFINITY_LO
            | reg::AFFINITY_HI
            | reg::CONFIG
            | reg::XAFFINITY
            | reg::STATUS => stats.readonly_writes += 1,
            _ => return None,
        }
        Some(Action::None)
    }

    fn command_next(&mut self, value: u32, stats: &mut Stats) -> Action {
        match value {
            reg::CMD_NOP => self.next_pending = false,
            reg::CMD_START => {
                if self.next_pending {
                    stats.protocol("START over a pending START");
                }
                self.next_pending = true;
                return Action::TryStart;
            }
            _ => stats.protocol("unknown command in COMMAND_NEXT"),
        }
        Action::None
    }

    fn command(&mut self, value: u32, disambiguation: bool, stats: &mut Stats) -> Action {
        let flag = self.config & reg::CONFIG_JOB_CHAIN_FLAG != 0;
        let action = match value {
            reg::CMD_NOP => Action::None,
            reg::CMD_SOFT_STOP => Action::SoftStop,
            reg::CMD_HARD_STOP => Action::HardStop,
            reg::CMD_SOFT_STOP_0..=reg::CMD_HARD_STOP_1 if !disambiguation => {
                stats.protocol("stop by chain flag without disambiguation");
                Action::None
            }
            reg::CMD_SOFT_STOP_0 if !flag => Action::SoftStop,
            reg::CMD_SOFT_STOP_1 if flag => Action::SoftStop,
            reg::CMD_HARD_STOP_0 if !flag => Action::HardStop,
            reg::CMD_HARD_STOP_1 if flag => Action::HardStop,
            reg::CMD_SOFT_STOP_0..=reg::CMD_HARD_STOP_1 => Action::None,
            _ => {
                stats.protocol("unknown job slot command");
                Action::None
            }
        };
        if self.run.is_some() {
            action
        } else {
            Action::None
        }
    }

    /// Moves NEXT into the current registers. HEAD_NEXT then reads zero, so a driver that cancels
    /// NEXT can detect that the chain has started; the other NEXT registers keep their values.
    pub(crate) fn promote(&mut self, fetch_at: u64) {
        self.head = self.next_head;
        self.tail = self.next_head;
        self.affinity = self.next_affinity;
        self.xaffinity = self.next_xaffinity;
        self.config = self.next_config;
        self.next_head = 0;
        self.next_pending = false;
        self.run = Some(Run {
            space: (self.config & reg::CONFIG_AS_MASK) as usize,
            // Limited like any pointer, to an address that never translates.
            job: self.head.min(1 << 56),
            kind: 0,
            index: 0,
            next: 0,
            phase: Phase::Fetch,
            at: Some(fetch_at),
            stalled: false,
            soft_stop: false,
            hard_stop: false,
            done: BTreeSet::new(),
            pushed: BTreeSet::new(),
        });
    }
}

impl Mali {
    pub(crate) fn job_read(&self, offset: u32) -> Option<u32> {
        match offset {
            reg::INT_RAWSTAT => return Some(self.job_raw),
            reg::INT_CLEAR => return Some(0),
            reg::INT_MASK => return Some(self.job_mask),
            reg::INT_STAT => return Some(self.job_raw & self.job_mask),
            reg::JS_STATE => return Some(self.js_state),
            reg::THROTTLE => return Some(self.throttle),
            _ => (),
        }
        let rel = offset.checked_sub(reg::SLOT_BASE)?;
        let n = (rel / reg::SLOT_STRIDE) as usize;
        self.slots.get(n)?.read(rel % reg::SLOT_STRIDE)
    }

    pub(crate) fn job_write(&mut self, offset: u32, value: u32) -> Option<()> {
        match offset {
            reg::INT_CLEAR => self.job_clear(value),
            reg::INT_MASK => self.job_mask = value,
            reg::THROTTLE => self.throttle = value,
            reg::INT_RAWSTAT | reg::INT_STAT | reg::JS_STATE => self.stats.readonly_writes += 1,
            _ => {
                let rel = offset.checked_sub(reg::SLOT_BASE)?;
                let n = (rel / reg::SLOT_STRIDE) as usize;
                let flags = self.identity.chain_disambiguation;
                let slot = self.slots.get_mut(n)?;
                let action = slot.write(rel % reg::SLOT_STRIDE, value, flags, &mut self.stats)?;
                self.slot_action(n, action);
            }
        }
        Some(())
    }

    /// Acknowledges job interrupts. JS_STATE is updated only here, for the slots in `bits`: bit n =
    /// a chain runs in slot n, bit 16 + n = another waits in NEXT. HW: panfrost.md 2.5 "JS_STATE
    /// (only updated by INT_CLEAR)".
    fn job_clear(&mut self, bits: u32) {
        self.job_raw &= !bits;
        for n in 0..self.slots.len() {
            let both = 0x1_0001 << n;
            if bits & both == 0 {
                continue;
            }
            let slot = &self.slots[n];
            let state =
                u32::from(slot.run.is_some()) << n | u32::from(slot.next_pending) << (16 + n);
            self.js_state = (self.js_state & !both) | state;
            self.try_start(n);
        }
    }
}
