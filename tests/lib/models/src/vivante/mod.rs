// SPDX-License-Identifier: BSD-2-Clause
//! Vivante GPUs: GC7000L (i.MX8MQ), GC3000 (i.MX6QP), GC2000 and GC320 (i.MX6Q).
//!
//! Nothing happens between calls. Each call passes the current time; the model first carries out
//! all events up to that time, in order, and then the access. Time never goes backwards inside the
//! model.
//!
//! Executed: the front end with all its commands, both MMUs with page tables and TLB, semaphores
//! and events, BLT, RS and 2D clears and copies with tile status. Shaders do not run: a draw checks
//! that every address it uses can be accessed, and completes.

use crate::bus::{Access, Bus};

mod actions;
mod blt;
mod command;
mod control;
mod de;
mod draw;
mod execute;
mod fe;
mod frame;
mod host;
mod image;
mod inject;
mod irq;
mod mem;
mod mmu;
mod perf;
mod pipe;
mod registers;
mod regs;
mod rs;
mod states;
mod stats;
mod timing;
mod variant;

pub use frame::{Engine, Frame};
pub use image::Layout;
pub use inject::Injection;
pub use mmu::Tables;
pub use stats::{StateMap, Stats, STATES};
pub use timing::Timing;
pub use variant::Variant;

use mmu::Stop;
use pipe::{Tokens, Unit};
use regs::{hi, mmu as mmu_reg};
use variant::Identity;

/// The interrupt line.
pub const IRQ: usize = 0;

/// One GPU core.
#[derive(Clone, Debug)]
pub struct Vivante {
    identity: Identity,
    now: u64,
    /// Time that the current call advances to.
    target: u64,
    power_on: bool,
    /// Time at which the clock stopped.
    clock_stopped: Option<u64>,
    core_hz: u64,
    host: host::Host,
    irq: irq::Irq,
    mmu: mmu::Mmu,
    fe: fe::Fe,
    /// PE and BLT.
    units: [Unit; 2],
    tokens: Tokens,
    states: states::States,
    counters: perf::Counters,
    /// An MMU exception has stopped the GPU until a reset.
    halted: bool,
    armed: inject::Armed,
    /// Whether an injection takes effect at the next call that passes a bus.
    urgent: bool,
    stats: Stats,
    timing: Timing,
    idle_poll_ns: u64,
    frame: Option<Frame>,
    capture: bool,
    /// Address and header of every command since [`Vivante::set_trace`].
    trace: Option<Vec<(u32, u32)>>,
}

impl Vivante {
    /// A GPU with power and clock on, in its state after a reset.
    pub fn new(variant: Variant) -> Vivante {
        let identity = Identity::of(variant);
        Vivante {
            identity,
            now: 0,
            target: 0,
            power_on: true,
            clock_stopped: None,
            core_hz: identity.core_hz,
            host: host::Host::new(),
            irq: irq::Irq::default(),
            mmu: mmu::Mmu::new(identity.mmu),
            fe: fe::Fe::default(),
            units: Default::default(),
            tokens: Tokens::default(),
            states: states::States::new(),
            counters: perf::Counters::default(),
            halted: false,
            armed: inject::Armed::default(),
            urgent: false,
            stats: Stats::default(),
            timing: Timing::default(),
            idle_poll_ns: 30_000,
            frame: None,
            capture: false,
            trace: None,
        }
    }

    /// Bytes of the register window: 0x40000 (GC7000L) or 0x4000.
    pub fn window(&self) -> u32 {
        self.identity.window
    }

    /// Reads the register at byte `offset` at time `now_ns`. Reads of offsets without a register
    /// return zero and are counted.
    pub fn mmio_read(&mut self, bus: &mut dyn Bus, now_ns: u64, offset: u32) -> u32 {
        self.advance(bus, now_ns);
        if !self.alive() {
            self.stats.dead_accesses += 1;
            return 0;
        }
        let value = if offset < self.identity.window && offset.is_multiple_of(4) {
            self.read_register(offset)
        } else {
            None
        };
        self.update_line(bus);
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
        let in_reset_ok = matches!(offset, hi::CLOCK_CONTROL | mmu_reg::AHB_CONTROL);
        if self.in_reset() && !in_reset_ok {
            self.stats.protocol("register write during reset");
            return;
        }
        let known = if offset < self.identity.window && offset.is_multiple_of(4) {
            self.write_register(offset, value)
        } else {
            None
        };
        if known.is_none() {
            self.count_unknown(offset, Access::Write);
        }
        // The write may have started something that takes no time.
        self.step(bus);
        self.update_line(bus);
    }

    /// Absolute time of the next event, nanoseconds; `None` if none is pending.
    ///
    /// A running front end that is idle reads its ring again and again, so an event is always
    /// pending; [`Vivante::set_idle_poll`] sets the time between these events.
    pub fn next_event(&self) -> Option<u64> {
        let due = self.due_without_idle();
        let idle = match self.fe.state {
            fe::State::IdleLoop { next, .. } if self.running() && self.idle_poll_ns != u64::MAX => {
                Some(next.max(self.now.saturating_add(self.idle_poll_ns)))
            }
            _ => None,
        };
        [due, idle].into_iter().flatten().min()
    }

    /// Carries out all events up to `now_ns`.
    pub fn poll(&mut self, bus: &mut dyn Bus, now_ns: u64) {
        self.advance(bus, now_ns);
    }

    /// Switches the power domain. Off loses all state.
    pub fn set_power(&mut self, bus: &mut dyn Bus, now_ns: u64, on: bool) {
        self.advance(bus, now_ns);
        if self.power_on && !on {
            self.note_cut_off();
            self.host = host::Host::new();
            self.clear_state();
        }
        self.power_on = on;
        self.update_line(bus);
    }

    /// Switches the clocks. Off keeps all state and stops all operations in progress.
    pub fn set_clock(&mut self, bus: &mut dyn Bus, now_ns: u64, on: bool) {
        self.advance(bus, now_ns);
        match (self.clock_stopped, on) {
            (None, false) => {
                self.note_cut_off();
                self.clock_stopped = Some(self.now);
            }
            (Some(since), true) => {
                self.clock_stopped = None;
                let ns = self.now - since;
                self.fe.shift(ns);
                self.host.shift(ns);
                self.units.iter_mut().for_each(|u| u.shift(ns));
            }
            _ => (),
        }
        self.update_line(bus);
    }

    fn note_cut_off(&mut self) {
        let fetching = matches!(
            self.fe.state,
            fe::State::Run(_)
                | fe::State::Wait(_)
                | fe::State::IdleLoop { .. }
                | fe::State::Stall { .. }
                | fe::State::Fence { .. }
        );
        let working = self.units.iter().any(|unit| unit.done_at.is_some());
        self.stats.cut_off += u64::from(self.running() && (fetching || working));
    }

    fn alive(&self) -> bool {
        self.power_on && self.clock_stopped.is_none()
    }

    /// Whether front end and units make progress.
    fn running(&self) -> bool {
        self.alive() && !self.halted && self.host.reset.is_none()
    }

    /// Whether a reset is in progress, or held by its bit.
    fn in_reset(&self) -> bool {
        let secure = self.identity.mmu == variant::MmuKind::V2Secure;
        self.host.reset.is_some() || (!secure && self.host.holds_reset())
    }

    fn count_unknown(&mut self, offset: u32, access: Access) {
        *self
            .stats
            .unknown_registers
            .entry((offset, access))
            .or_default() += 1;
    }

    fn mem<'a>(&'a mut self, bus: &'a mut dyn Bus) -> mem::Mem<'a> {
        mem::Mem {
            bus,
            mmu: &mut self.mmu,
            armed: &mut self.armed,
            stats: &mut self.stats,
            traffic: &mut self.counters.traffic,
        }
    }

    /// Duration of core clock cycles.
    fn cycles_ns(&self, cycles: u64) -> u64 {
        let hz = self.core_hz * u64::from(self.host.fscale) / 64;
        cycles * 1_000_000_000 / hz.max(1)
    }

    fn copy_ns(&self, pixels: u64) -> u64 {
        let ns = (pixels / 1024).saturating_mul(self.timing.kilopixel_ns);
        self.timing.copy_ns.max(1).saturating_add(ns)
    }

    fn due_without_idle(&self) -> Option<u64> {
        if self.clock_stopped.is_some() {
            return None;
        }
        let always = [
            self.irq.next_event(),
            self.host.reset.map(|r| r.done_at),
            self.urgent.then_some(self.now),
        ];
        let mut working = [None; 3];
        if self.running() {
            let idle = matches!(self.fe.state, fe::State::IdleLoop { .. });
            let front_end = if idle { None } else { self.fe_due() };
            working = [self.units[0].done_at, self.units[1].done_at, front_end];
        }
        always.into_iter().chain(working).flatten().min()
    }

    fn advance(&mut self, bus: &mut dyn Bus, now_ns: u64) {
        self.target = self.now.max(now_ns);
        loop {
            let idle = if self.running() { self.fe_due() } else { None };
            let due = [self.due_without_idle(), idle].into_iter().flatten().min();
            let Some(at) = due.filter(|t| *t <= self.target) else {
                break;
            };
            self.now = self.now.max(at);
            self.step(bus);
            self.update_line(bus);
        }
        self.now = self.target;
    }

    /// Runs one round of all events at `self.now`.
    fn step(&mut self, bus: &mut dyn Bus) {
        if std::mem::take(&mut self.urgent) {
            self.stats.injected += 1;
            self.irq.make_spurious(self.now);
        }
        if self.host.reset.is_some_and(|r| r.done_at <= self.now) {
            self.finish_reset();
        }
        if !self.running() {
            return;
        }
        self.run_units(bus);
        if !self.halted {
            self.run_fe(bus);
        }
        if !self.halted {
            self.run_units(bus);
        }
    }

    fn finish_reset(&mut self) {
        if std::mem::take(&mut self.armed.reset_stuck) {
            self.stats.injected += 1;
            self.host.reset = None;
            self.host.stuck = true;
            return;
        }
        self.stats.resets += 1;
        self.host.apply_reset();
        self.clear_state();
    }

    /// Clears everything but the host registers, as a reset or loss of power does.
    fn clear_state(&mut self) {
        self.mmu.reset(&mut self.stats);
        self.fe = fe::Fe::default();
        self.units.iter_mut().for_each(Unit::clear);
        self.tokens = Tokens::default();
        self.states.clear();
        self.counters = perf::Counters::from(self.now);
        self.irq.clear();
        self.halted = false;
    }

    /// Halts the GPU after a failed access.
    fn halt(&mut self, stop: Stop) {
        match stop {
            // HW: etnaviv.md 2.10: the GPU is halted by the exception.
            Stop::Exception { code, va } => {
                self.mmu.raise(code, va, &mut self.stats);
                self.irq.raw |= hi::INTR_MMU_EXCEPTION;
                self.halted = true;
            }
            Stop::Bus { write } => {
                self.stats.bus_errors += 1;
                self.irq.raw |= hi::INTR_AXI_BUS_ERROR;
                self.host.axi_status |= if write {
                    hi::AXI_DET_WR_ERR
                } else {
                    hi::AXI_DET_RD_ERR
                };
            }
        }
    }

    fn update_line(&mut self, bus: &mut dyn Bus) {
        self.irq
            .update(self.now, &mut self.armed, &mut self.stats, bus);
    }
}
