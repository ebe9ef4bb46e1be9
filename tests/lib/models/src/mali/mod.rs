// SPDX-License-Identifier: BSD-2-Clause
//! Mali GPUs with a job manager: Midgard (T720, T760, T860) and Bifrost (G31, G52).
//!
//! Nothing happens between calls. Each call passes the current time; the model first carries out
//! all events up to that time, in order, and then the access. Time never goes backwards inside the
//! model.
//!
//! Executed: the MMU with page tables and TLB, job chains, write-value jobs, and the clears of
//! fragment jobs. Shaders do not run: vertex, tiler and compute jobs check that every pointer in
//! their descriptors can be accessed, and complete.

use crate::bus::{Access, Bus};

mod chain;
mod control;
mod draw;
mod exec;
mod format;
mod fragment;
mod framebuffer;
mod gpu;
mod inject;
mod irq;
mod mem;
mod mmu;
mod perfcnt;
mod power;
mod regs;
mod slot;
mod stats;
mod surface;
mod tiler;
mod timing;
mod tlb;
mod variant;
mod walk;

pub use fragment::Frame;
pub use inject::Injection;
pub use power::Domain;
pub use stats::Stats;
pub use surface::Block;
pub use timing::Timing;
pub use variant::Variant;

use exec::{Exec, Reloads};
use mem::{Mem, Stop};
use regs::{gpu as gpu_reg, job as job_reg, mmu as mmu_reg};
use slot::Slot;
use std::collections::BTreeSet;
use variant::Identity;

/// Interrupt line of the job block.
pub const IRQ_JOB: usize = 0;
/// Interrupt line of the MMU block.
pub const IRQ_MMU: usize = 1;
/// Interrupt line of the GPU control block.
pub const IRQ_GPU: usize = 2;

/// One GPU.
#[derive(Clone, Debug)]
pub struct Mali {
    identity: Identity,
    now: u64,
    power_on: bool,
    /// Time at which the clock stopped.
    clock_stopped: Option<u64>,
    gpu: gpu::Gpu,
    power: power::Power,
    slots: [Slot; 3],
    job_raw: u32,
    job_mask: u32,
    js_state: u32,
    throttle: u32,
    mmu: mmu::Mmu,
    counters: perfcnt::Counters,
    lines: [irq::Line; 3],
    armed: inject::Armed,
    /// Injections that take effect at the next call that passes a bus.
    urgent: Vec<Injection>,
    stats: Stats,
    timing: Timing,
    reloads: Reloads,
    frame: Option<Frame>,
    capture: bool,
    afbc_absent: bool,
}

impl Mali {
    /// A GPU with power and clock on, in its state after a reset.
    pub fn new(variant: Variant) -> Mali {
        let identity = Identity::of(variant);
        Mali {
            identity,
            now: 0,
            power_on: true,
            clock_stopped: None,
            gpu: gpu::Gpu::default(),
            power: power::Power::new(identity.shader_present),
            slots: Default::default(),
            job_raw: 0,
            job_mask: 0,
            js_state: 0,
            throttle: 0,
            // HW: panfrost.md 3.3: TRANSCFG exists on Bifrost only.
            mmu: mmu::Mmu::new(identity.as_present, identity.arch == variant::Arch::V7),
            counters: perfcnt::Counters::default(),
            lines: [IRQ_JOB, IRQ_MMU, IRQ_GPU].map(irq::Line::new),
            armed: inject::Armed::default(),
            urgent: Vec::new(),
            stats: Stats::default(),
            timing: Timing::default(),
            reloads: Reloads::new(),
            frame: None,
            capture: false,
            afbc_absent: false,
        }
    }

    /// Reads the register at byte `offset` at time `now_ns`. Reads of offsets without a register
    /// return zero and are counted.
    pub fn mmio_read(&mut self, bus: &mut dyn Bus, now_ns: u64, offset: u32) -> u32 {
        self.advance(bus, now_ns);
        if !self.alive() {
            self.stats.dead_accesses += 1;
            return 0;
        }
        let value = match offset {
            0x0000..=0x0fff => self.gpu_read(offset),
            0x1000..=0x1fff => self.job_read(offset),
            0x2000..=0x2fff => self.mmu.read(offset),
            _ => None,
        };
        match offset {
            gpu_reg::INT_RAWSTAT | gpu_reg::INT_STAT => self.lines[IRQ_GPU].status_read(),
            job_reg::INT_RAWSTAT | job_reg::INT_STAT => self.lines[IRQ_JOB].status_read(),
            mmu_reg::INT_RAWSTAT | mmu_reg::INT_STAT => self.lines[IRQ_MMU].status_read(),
            _ => (),
        }
        self.update_lines(bus);
        value.unwrap_or_else(|| {
            self.count_unknown(offset, Access::Read);
            0
        })
    }

    /// Writes the register at byte `offset` at time `now_ns`.
    pub fn mmio_write(&mut self, bus: &mut dyn Bus, now_ns: u64, offset: u32, value: u32) {
        self.advance(bus, now_ns);
        if !self.alive() {
            self.stats.dead_accesses += 1;
            return;
        }
        let in_reset_ok = matches!(
            offset,
            gpu_reg::INT_CLEAR | gpu_reg::INT_MASK | gpu_reg::COMMAND
        );
        if self.gpu.reset.is_some() && !in_reset_ok {
            self.stats.protocol("register write during reset");
            return;
        }
        let known = match offset {
            0x0000..=0x0fff => self.gpu_write(offset, value),
            0x1000..=0x1fff => self.job_write(offset, value),
            0x2000..=0x2fff => {
                let (timing, stuck) = (self.timing, &mut self.armed.as_stuck);
                self.mmu
                    .write(offset, value, self.now, &timing, stuck, &mut self.stats)
            }
            _ => None,
        };
        if known.is_none() {
            self.count_unknown(offset, Access::Write);
        }
        // The write may have started something that takes no time.
        self.step(bus);
        self.update_lines(bus);
    }

    /// Absolute time of the next event, nanoseconds; `None` if none is pending.
    pub fn next_event(&self) -> Option<u64> {
        if self.clock_stopped.is_some() {
            return None;
        }
        let lines = self.lines.iter().filter_map(|l| l.next_event());
        let slots = self
            .slots
            .iter()
            .filter_map(|s| s.run.as_ref().and_then(|r| r.at));
        let others = [
            self.gpu.next_event(),
            self.power.next_event(),
            self.mmu.next_event(),
            self.counters.sample.flatten(),
            (!self.urgent.is_empty()).then_some(self.now),
        ];
        lines.chain(slots).chain(others.into_iter().flatten()).min()
    }

    /// Carries out all events up to `now_ns`.
    pub fn poll(&mut self, bus: &mut dyn Bus, now_ns: u64) {
        self.advance(bus, now_ns);
    }

    /// Switches the power domain of the whole GPU. Off loses all state.
    pub fn set_power(&mut self, bus: &mut dyn Bus, now_ns: u64, on: bool) {
        self.advance(bus, now_ns);
        if self.power_on && !on {
            self.clear_state();
            for line in &mut self.lines {
                line.drop_state();
            }
        }
        self.power_on = on;
        self.update_lines(bus);
    }

    /// Switches the clock. Off keeps all state and stops all operations in progress.
    pub fn set_clock(&mut self, bus: &mut dyn Bus, now_ns: u64, on: bool) {
        self.advance(bus, now_ns);
        match (self.clock_stopped, on) {
            (None, false) => self.clock_stopped = Some(self.now),
            (Some(since), true) => {
                self.clock_stopped = None;
                self.shift(self.now - since);
            }
            _ => (),
        }
        self.update_lines(bus);
    }

    /// Whether the cycle counter is on.
    pub fn counts_cycles(&self) -> bool {
        self.gpu.counts_cycles()
    }

    fn alive(&self) -> bool {
        self.power_on && self.clock_stopped.is_none()
    }

    fn count_unknown(&mut self, offset: u32, access: Access) {
        *self
            .stats
            .unknown_registers
            .entry((offset, access))
            .or_default() += 1;
    }

    fn advance(&mut self, bus: &mut dyn Bus, now_ns: u64) {
        let target = self.now.max(now_ns);
        while let Some(at) = self.next_event().filter(|t| *t <= target) {
            self.now = self.now.max(at);
            self.step(bus);
            self.update_lines(bus);
        }
        self.now = target;
    }

    /// Runs one round of all events at `self.now`.
    fn step(&mut self, bus: &mut dyn Bus) {
        for f in std::mem::take(&mut self.urgent) {
            self.stats.injected += 1;
            match f {
                Injection::SpuriousIrq { line } => self.lines[line].make_spurious(self.now),
                _ => self.gpu.raise_fault(),
            }
        }
        self.gpu.step(self.now);
        let timing = self.timing;
        // Twice, because the completion of one transition may let another start.
        for _ in 0..2 {
            let raised = self.power.step(
                self.now,
                &timing,
                &mut self.armed.power_stuck,
                &mut self.stats,
            );
            self.gpu.raw |= raised;
        }
        self.mmu.step(self.now, &mut self.stats);
        self.release_stalled();
        for n in 0..self.slots.len() {
            self.step_slot(bus, n);
        }
        self.step_sample(bus);
    }

    fn step_sample(&mut self, bus: &mut dyn Bus) {
        let space = self.counters.space();
        match self.counters.sample {
            Some(Some(at)) if at <= self.now => (),
            // A stalled sample is retried when its address space is clear.
            Some(None) if self.mmu.spaces.get(space).is_some_and(mmu::Space::is_clear) => (),
            _ => return,
        }
        if space >= self.mmu.spaces.len() {
            self.counters.sample = None;
            self.stats.protocol("sample into an absent address space");
            return;
        }
        let mut counters = self.counters.clone();
        let (identity, now) = (self.identity, self.now);
        let result = self.with_exec(bus, space, |e| counters.dump(&mut e.mem, &identity, now));
        self.counters = counters;
        match result {
            Ok(()) => {
                self.counters.sample = None;
                self.stats.perfcnt_samples += 1;
                self.gpu.raw |= gpu_reg::IRQ_PERFCNT_SAMPLE_COMPLETED;
            }
            Err(Stop::Fault(fault)) => {
                self.counters.sample = Some(None);
                self.mmu.raise(space, fault, 0x90, &mut self.stats);
            }
            Err(Stop::Locked) => self.counters.sample = Some(None),
            // The hardware does not notify the driver: the sample never completes.
            Err(_) => self.counters.sample = None,
        }
    }

    fn update_lines(&mut self, bus: &mut dyn Bus) {
        let blocks = [
            (self.job_raw, self.job_mask),
            (self.mmu.raw, self.mmu.mask),
            (self.gpu.raw, self.gpu.mask),
        ];
        for (n, (raw, mask)) in blocks.into_iter().enumerate() {
            self.lines[n].update(raw, mask, self.now, &mut self.armed, &mut self.stats, bus);
        }
    }

    fn shift(&mut self, ns: u64) {
        self.gpu.shift(ns);
        self.power.shift(ns);
        self.mmu.shift(ns);
        for slot in &mut self.slots {
            if let Some(run) = &mut slot.run {
                run.at = run.at.map(|t| t + ns);
            }
        }
        self.counters.sample = self.counters.sample.map(|s| s.map(|t| t + ns));
    }

    /// Runs `f` with memory access through address space `space`.
    fn with_exec<R>(
        &mut self,
        bus: &mut dyn Bus,
        space: usize,
        f: impl FnOnce(&mut Exec) -> R,
    ) -> R {
        let mut exec = Exec {
            mem: Mem {
                bus,
                space: &mut self.mmu.spaces[space],
                armed: &mut self.armed,
                stats: &mut self.stats,
                va_bits: self.identity.va_bits(),
                pa_bits: self.identity.pa_bits(),
            },
            arch: self.identity.arch,
            address_space: space,
            cycles: self.gpu.cycle_count(self.now),
            timestamp: gpu::timestamp(self.now),
            reloads: &mut self.reloads,
            frame: &mut self.frame,
            capture: self.capture,
            pushed: BTreeSet::new(),
        };
        f(&mut exec)
    }
}
