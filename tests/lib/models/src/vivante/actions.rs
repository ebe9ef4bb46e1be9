// SPDX-License-Identifier: BSD-2-Clause
//! Effects of loading a state, and of the units' work when it completes.

use super::fe::Flow;
use super::pipe::{unit_of, Work};
use super::regs::{blt as blt_reg, d3, fe as fe_reg, gl, hi, mmu as mmu_reg, rs as rs_reg};
use super::{blt, rs, Vivante};
use crate::bus::Bus;

/// Events a driver can use; the bits above are the MMU exception and the bus error.
/// HW: etnaviv.md 2.9.
const EVENTS: u32 = 30;

/// Whether the front end cannot access the state: HI, PM, MC, secure MMU, its own ring registers.
/// The effect of such a load on silicon is not published; here it is counted and has no effect.
/// State 0 is not even counted: libdrm's etnaviv_2d_test loads 0 into it three times after its
/// rectangles, and boards continue undisturbed.
fn is_blocked(address: u32) -> bool {
    if address == hi::CLOCK_CONTROL {
        return false;
    }
    let mmu = [
        mmu_reg::SAFE_ADDRESS,
        mmu_reg::CONFIGURATION,
        mmu_reg::PTA_CONFIG,
    ];
    (address < 0x600 && !mmu.contains(&address))
        || (fe_reg::COMMAND_ADDRESS..=fe_reg::DMA_HIGH).contains(&address)
}

impl Vivante {
    pub(super) fn load_state(&mut self, bus: &mut dyn Bus, address: u32, value: u32) -> Flow {
        if is_blocked(address) {
            self.stats.blocked_loads += 1;
            return Flow::Next;
        }
        self.states.set(address, value);
        match address {
            mmu_reg::SAFE_ADDRESS | mmu_reg::CONFIGURATION => {
                self.mmu.load(address, value, &mut self.stats);
            }
            mmu_reg::PTA_CONFIG => {
                if let Err(stop) = self.mmu.select(bus, value, &mut self.stats) {
                    self.fe.state = super::fe::State::Hung;
                    self.halt(stop);
                    return Flow::Stop;
                }
            }
            gl::FLUSH_MMU => self.mmu.flush_v1(value, &mut self.stats),
            gl::PIPE_SELECT => {
                let wanted = value & 1 != 0;
                if (wanted && !self.identity.has_2d) || (!wanted && !self.identity.has_3d) {
                    self.stats.protocol("selection of an absent pipe");
                }
            }
            gl::EVENT => self.event(value),
            gl::SEMAPHORE_TOKEN => self.semaphore((value & 0x1f, value >> 8 & 0x1f)),
            gl::STALL_TOKEN => return self.stall_token((value & 0x1f, value >> 8 & 0x1f)),
            gl::FLUSH_CACHE | d3::TS_FLUSH_CACHE => {
                self.units[0].push(Work::Flush, self.timing.flush_ns);
            }
            gl::OCCLUSION_QUERY_CONTROL => {
                let va = self.states.get(gl::OCCLUSION_QUERY_ADDR);
                self.units[0].push(Work::Occlusion { va }, 0);
            }
            gl::FENCE_OUT_DATA_LOW => {
                let va = self.states.get(gl::FENCE_OUT_ADDRESS);
                self.units[0].push(Work::Fence { va, value }, 0);
            }
            blt_reg::FENCE_OUT_DATA_LOW => {
                let va = self.states.get(blt_reg::FENCE_OUT_ADDRESS);
                self.units[1].push(Work::Fence { va, value }, 0);
            }
            rs_reg::KICKER | rs_reg::KICKER_INPLACE => return self.kick_rs(address, value),
            blt_reg::COMMAND | blt_reg::SET_COMMAND => return self.kick_blt(address, value),
            _ => (),
        }
        Flow::Next
    }

    fn kick_rs(&mut self, address: u32, value: u32) -> Flow {
        if self.identity.has_blt || !self.identity.has_3d {
            self.stats.protocol("RS on a core without RS");
        }
        let op = if address == rs_reg::KICKER {
            if value != rs_reg::KICKER_VALUE {
                self.stats.decode("RS kicker value", value);
            }
            rs::Op::decode(&self.states, &self.identity)
        } else {
            rs::Op::in_place(&self.states, &self.identity, value)
        };
        op.count_undefined(&mut self.stats);
        if self.job_hangs() {
            return Flow::Stop;
        }
        let ns = self.copy_ns(op.pixels());
        self.units[0].push(Work::Rs(Box::new(op)), ns);
        Flow::Next
    }

    fn kick_blt(&mut self, address: u32, value: u32) -> Flow {
        if !self.identity.has_blt {
            self.stats.protocol("BLT on a core without BLT");
            return Flow::Next;
        }
        if address == blt_reg::SET_COMMAND {
            // HW: etnaviv.md 2.8: SET_COMMAND 1 without a command flushes the tile status.
            if value == 1 {
                self.units[1].push(Work::Flush, self.timing.flush_ns);
            }
            if self.states.get(blt_reg::ENABLE) & 1 == 0 {
                self.stats.protocol("BLT command without BLT enable");
            }
            return Flow::Next;
        }
        let op = blt::Op::decode(&self.states);
        op.count_undefined(&self.states, &mut self.stats);
        if self.job_hangs() {
            return Flow::Stop;
        }
        let ns = self.copy_ns(op.pixels());
        self.units[1].push(Work::Blt(Box::new(op)), ns);
        Flow::Next
    }

    fn event(&mut self, value: u32) {
        let id = value & 0x1f;
        if id >= EVENTS {
            self.stats.protocol("event id out of range");
            return;
        }
        if value & gl::EVENT_FROM_PE != 0 {
            self.units[0].push(Work::Event(id), 0);
        } else if value & gl::EVENT_FROM_BLT != 0 {
            if !self.identity.has_blt {
                self.stats.protocol("BLT event on a core without BLT");
            }
            self.units[1].push(Work::Event(id), 0);
        } else {
            if value & gl::EVENT_FROM_FE == 0 {
                self.stats.protocol("event without a source");
            }
            self.raise_event(id);
        }
    }

    pub(super) fn raise_event(&mut self, id: u32) {
        self.stats.events[id as usize] += 1;
        if id >= EVENTS {
            self.stats.protocol("event id out of range");
            return;
        }
        if self.irq.raw >> id & 1 != 0 {
            self.stats.merged_events += 1;
        }
        self.irq.raw |= 1 << id;
    }

    fn semaphore(&mut self, pair: (u32, u32)) {
        self.tokens.send(pair);
        if pair.1 == gl::BLT && self.states.get(blt_reg::ENABLE) & 1 == 0 {
            self.stats.protocol("BLT semaphore without BLT enable");
        }
        match unit_of(pair.1) {
            // The sender does not exist: a stall on it never ends.
            Some(1) if !self.identity.has_blt => {
                self.stats.protocol("BLT semaphore on a core without BLT");
            }
            Some(unit) => self.units[unit].push(Work::Token(pair), 0),
            None => self.tokens.reach(pair),
        }
    }

    /// A stall by a state: the sender waits. For units after the front end their queue waits.
    fn stall_token(&mut self, pair: (u32, u32)) -> Flow {
        match unit_of(pair.0) {
            Some(unit) if pair.0 != gl::FE => {
                match self.tokens.stall(pair) {
                    Some(count) => self.units[unit].push(Work::Barrier(pair, count), 0),
                    None => self.stats.protocol("stall without semaphore"),
                }
                Flow::Next
            }
            _ => self.stall(pair),
        }
    }

    /// Completes and starts all work of the units whose time has come.
    pub(super) fn run_units(&mut self, bus: &mut dyn Bus) {
        loop {
            let mut progress = false;
            for n in 0..self.units.len() {
                if self.halted {
                    return;
                }
                self.units[n].start(self.now, &self.tokens);
                if let Some((work, ns)) = self.units[n].finished(self.now) {
                    progress = true;
                    self.counters.totals.busy_ns += ns;
                    self.perform(bus, work);
                }
            }
            if !progress {
                return;
            }
        }
    }

    fn perform(&mut self, bus: &mut dyn Bus, work: Work) {
        let capture = self.capture;
        let result = match work {
            Work::Draw(op) => {
                let result = op.run(&mut self.mem(bus));
                let totals = &mut self.counters.totals;
                totals.draws += 1;
                totals.primitives += u64::from(op.primitives());
                totals.vertices += u64::from(op.command.vertices);
                result.map(|()| None)
            }
            Work::Rs(op) => op.run(&mut self.mem(bus), capture),
            Work::De(op) => {
                self.counters.totals.pixels_2d += op.pixels();
                op.run(&mut self.mem(bus), capture)
            }
            Work::Blt(op) => op.run(&mut self.mem(bus), capture),
            Work::Flush => {
                self.stats.cache_flushes += 1;
                Ok(None)
            }
            Work::Event(id) => {
                self.raise_event(id);
                Ok(None)
            }
            Work::Token(pair) => {
                self.tokens.reach(pair);
                Ok(None)
            }
            Work::Barrier(..) => Ok(None),
            Work::Fence { va, value } => {
                let write = self
                    .mem(bus)
                    .write(super::mmu::Client::Pe, va, &value.to_le_bytes());
                write.map(|()| None)
            }
            Work::Occlusion { va } => {
                let write = self.mem(bus).write(super::mmu::Client::Pe, va, &[0; 8]);
                write.map(|()| None)
            }
        };
        match result {
            Ok(Some(frame)) => self.frame = Some(frame),
            Ok(None) => (),
            Err(stop) => self.halt(stop),
        }
    }

    /// Idle modules, as bits of IDLE_STATE.
    pub(super) fn idle_state(&self) -> u32 {
        if self.host.reset.is_some() {
            return 0;
        }
        let mut idle = hi::IDLE_ALL;
        if self.host.stuck {
            idle &= !(hi::IDLE_FE | hi::IDLE_PE | hi::IDLE_DE);
        }
        if self.fe.state != super::fe::State::Idle {
            idle &= !hi::IDLE_FE;
        }
        if !self.units[0].is_idle() {
            idle &= !(hi::IDLE_PE | hi::IDLE_MC);
            idle &= match self.units[0].head() {
                Some(Work::Draw(_)) => {
                    !(hi::IDLE_SH | hi::IDLE_PA | hi::IDLE_SE | hi::IDLE_RA | hi::IDLE_TX)
                }
                Some(Work::De(_)) => !hi::IDLE_DE,
                Some(Work::Rs(_)) => !hi::IDLE_TS,
                _ => !0,
            };
        }
        if !self.units[1].is_idle() {
            idle &= !(hi::IDLE_BL | hi::IDLE_MC);
        }
        idle
    }
}
