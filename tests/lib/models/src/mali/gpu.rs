// SPDX-License-Identifier: BSD-2-Clause
//! GPU control block: identity, interrupts, commands, resets, quirk registers.
//!
//! A reset sets everything to its power-on state except the GPU interrupt mask: drivers unmask
//! RESET_COMPLETED first and then wait for it. HW: panfrost.md 2.1 (reset), 2.2 (quirks), 2.3
//! (interrupt bits after power on and clean).

use super::power::Power;
use super::regs::{exception as ex, gpu as reg};
use super::stats::Stats;
use super::timing::Timing;
use super::variant::{Identity, JS_FEATURES, JS_PRESENT, TEXTURE_FEATURES};
use super::Mali;

/// State of the block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gpu {
    pub(crate) raw: u32,
    pub(crate) mask: u32,
    fault_status: u32,
    fault_address: u64,
    latest_flush: u32,
    key_open: bool,
    overrides: [u32; 2],
    configs: [u32; 4],
    coherency_enable: u32,
    /// When the reset in progress completes; `Some(None)` if it never does.
    pub(crate) reset: Option<Option<u64>>,
    clean: Option<u64>,
    cycle_users: u32,
    cycles: u64,
    cycles_since: u64,
}

/// Ticks of a 24 MHz system counter. HW: facts/virtual-board.md boards; drivers accept any rate.
pub(crate) fn timestamp(now: u64) -> u64 {
    now / 1000 * 24 + now % 1000 * 24 / 1000
}

impl Gpu {
    /// Whether the cycle counter is on.
    pub(crate) fn counts_cycles(&self) -> bool {
        self.cycle_users != 0
    }

    /// GPU clock cycles while counting is on, at a nominal 500 MHz.
    pub(crate) fn cycle_count(&self, now: u64) -> u64 {
        let running = if self.cycle_users != 0 {
            now.saturating_sub(self.cycles_since) / 2
        } else {
            0
        };
        self.cycles + running
    }

    fn config_index(offset: u32) -> Option<usize> {
        match offset {
            reg::JM_CONFIG => Some(0),
            reg::SHADER_CONFIG => Some(1),
            reg::TILER_CONFIG => Some(2),
            reg::L2_MMU_CONFIG => Some(3),
            _ => None,
        }
    }

    /// Reads a register of this block that holds state. Identity and power registers are read by
    /// other functions.
    fn read(&self, offset: u32, now: u64) -> Option<u32> {
        Some(match offset {
            reg::INT_RAWSTAT => self.raw,
            reg::INT_CLEAR | reg::COMMAND | reg::PWR_KEY => 0,
            reg::INT_MASK => self.mask,
            reg::INT_STAT => self.raw & self.mask,
            reg::FAULT_STATUS => self.fault_status,
            reg::FAULT_ADDRESS_LO => self.fault_address as u32,
            reg::FAULT_ADDRESS_HI => (self.fault_address >> 32) as u32,
            reg::LATEST_FLUSH => self.latest_flush,
            reg::PWR_OVERRIDE0 => self.overrides[0],
            reg::PWR_OVERRIDE1 => self.overrides[1],
            reg::CYCLE_COUNT_LO => self.cycle_count(now) as u32,
            reg::CYCLE_COUNT_HI => (self.cycle_count(now) >> 32) as u32,
            reg::TIMESTAMP_LO => timestamp(now) as u32,
            reg::TIMESTAMP_HI => (timestamp(now) >> 32) as u32,
            reg::COHERENCY_ENABLE => self.coherency_enable,
            _ => self.configs[Gpu::config_index(offset)?],
        })
    }

    fn write_override(&mut self, n: usize, value: u32, stats: &mut Stats) {
        if !std::mem::take(&mut self.key_open) {
            stats.protocol("PWR_OVERRIDE without key");
            return;
        }
        self.overrides[n] = value;
    }

    pub(crate) fn raise_fault(&mut self) {
        self.raw |= if self.raw & reg::IRQ_FAULT != 0 {
            reg::IRQ_MULTIPLE_FAULT
        } else {
            reg::IRQ_FAULT
        };
        self.fault_status = u32::from(ex::GPU_SHAREABILITY_FAULT);
        self.fault_address = 0xdead_0000;
    }

    pub(crate) fn next_event(&self) -> Option<u64> {
        [self.reset.flatten(), self.clean]
            .into_iter()
            .flatten()
            .min()
    }

    pub(crate) fn shift(&mut self, ns: u64) {
        self.reset = self.reset.map(|r| r.map(|t| t + ns));
        self.clean = self.clean.map(|t| t + ns);
        self.cycles_since += ns;
    }

    /// Completes operations whose time has passed, except the reset itself.
    pub(crate) fn step(&mut self, now: u64) {
        if self.clean.is_some_and(|t| t <= now) {
            self.clean = None;
            self.raw |= reg::IRQ_CLEAN_CACHES_COMPLETED;
        }
        if self.reset.flatten().is_some_and(|t| t <= now) {
            self.reset = None;
            self.raw |= reg::IRQ_RESET_COMPLETED;
        }
    }

    fn start_clean(&mut self, now: u64, timing: &Timing, stats: &mut Stats) {
        if self.clean.is_some() {
            stats.protocol("cache clean over a cache clean");
        }
        self.clean = Some(now + timing.clean_ns);
    }
}

/// Identity registers.
fn identity(id: &Identity, offset: u32) -> Option<u32> {
    let word = |base: u32, count: u32| {
        (offset >= base && offset < base + 4 * count && offset & 3 == 0)
            .then(|| ((offset - base) / 4) as usize)
    };
    if let Some(n) = word(reg::TEXTURE_FEATURES, 4) {
        return Some(TEXTURE_FEATURES[n]);
    }
    if let Some(n) = word(reg::JS_FEATURES, 16) {
        return Some(JS_FEATURES.get(n).copied().unwrap_or(0));
    }
    Some(match offset {
        reg::ID => id.gpu_id,
        reg::L2_FEATURES => id.l2_features,
        reg::CORE_FEATURES => id.core_features,
        reg::TILER_FEATURES => id.tiler_features,
        reg::MEM_FEATURES => id.mem_features,
        reg::MMU_FEATURES => id.mmu_features,
        reg::AS_PRESENT => id.as_present,
        reg::JS_PRESENT => JS_PRESENT,
        reg::THREAD_MAX_THREADS | reg::THREAD_MAX_WORKGROUP_SIZE | reg::THREAD_MAX_BARRIER_SIZE => {
            id.max_threads
        }
        reg::THREAD_FEATURES => id.thread_features,
        reg::COHERENCY_FEATURES => id.coherency_features,
        reg::THREAD_TLS_ALLOC => 0,
        _ => return None,
    })
}

impl Mali {
    /// The shader cores that jobs use.
    fn busy_cores(&self) -> u64 {
        self.slots
            .iter()
            .filter(|s| s.run.is_some())
            .fold(0, |busy, s| busy | s.affinity)
    }

    pub(crate) fn gpu_read(&self, offset: u32) -> Option<u32> {
        if offset == reg::AFBC_FEATURES {
            return Some(u32::from(self.afbc_absent));
        }
        if offset == reg::STATUS {
            let active = self.busy_cores() != 0 || self.power.next_event().is_some();
            let flags = [
                (active, reg::STATUS_GPU_ACTIVE),
                (self.counters.sample.is_some(), reg::STATUS_PERFCNT_ACTIVE),
                (self.gpu.cycle_users != 0, reg::STATUS_CYCLE_COUNT_ACTIVE),
            ];
            return Some(flags.iter().filter(|f| f.0).map(|f| f.1).sum());
        }
        identity(&self.identity, offset)
            .or_else(|| self.power.read(offset, self.busy_cores()))
            .or_else(|| self.counters.read(offset))
            .or_else(|| self.gpu.read(offset, self.now))
    }

    pub(crate) fn gpu_write(&mut self, offset: u32, value: u32) -> Option<()> {
        match offset {
            reg::INT_CLEAR => self.gpu.raw &= !value,
            reg::INT_MASK => self.gpu.mask = value,
            reg::COMMAND => self.gpu_command(value),
            reg::PWR_KEY => self.gpu.key_open = value == reg::PWR_KEY_UNLOCK,
            reg::PWR_OVERRIDE0 => self.gpu.write_override(0, value, &mut self.stats),
            reg::PWR_OVERRIDE1 => self.gpu.write_override(1, value, &mut self.stats),
            reg::COHERENCY_ENABLE => self.gpu.coherency_enable = value,
            _ => {
                if let Some(n) = Gpu::config_index(offset) {
                    self.gpu.configs[n] = value;
                } else if self.counters.write(offset, value).is_none()
                    && self.power.write(offset, value, &mut self.stats).is_none()
                {
                    self.gpu_read(offset)?;
                    self.stats.readonly_writes += 1;
                }
            }
        }
        Some(())
    }

    fn gpu_command(&mut self, command: u32) {
        let now = self.now;
        match command {
            reg::CMD_NOP => (),
            reg::CMD_SOFT_RESET => {
                self.stats.soft_resets += 1;
                if self.gpu.reset.is_some() {
                    self.stats.protocol("soft reset during reset");
                    return;
                }
                let stuck = std::mem::take(&mut self.armed.reset_stuck);
                self.stats.injected += u64::from(stuck);
                self.start_reset((!stuck).then_some(now + self.timing.reset_ns));
            }
            reg::CMD_HARD_RESET => {
                self.stats.hard_resets += 1;
                self.start_reset(Some(now + self.timing.reset_ns));
            }
            reg::CMD_PERFCNT_CLEAR => self.counters.clear(now),
            reg::CMD_PERFCNT_SAMPLE => {
                if !self.counters.enabled() || self.counters.sample.is_some() {
                    self.stats.protocol("sample without enabled idle counters");
                } else {
                    self.counters.sample = Some(Some(now + self.timing.sample_ns));
                }
            }
            reg::CMD_CYCLE_COUNT_START => {
                if self.gpu.cycle_users == 0 {
                    self.gpu.cycles_since = now;
                }
                self.gpu.cycle_users += 1;
            }
            reg::CMD_CYCLE_COUNT_STOP => {
                let count = self.gpu.cycle_count(now);
                match self.gpu.cycle_users.checked_sub(1) {
                    Some(users) => self.gpu.cycle_users = users,
                    None => self.stats.protocol("cycle count stop without start"),
                }
                self.gpu.cycles = count;
                self.gpu.cycles_since = now;
            }
            reg::CMD_CLEAN_CACHES | reg::CMD_CLEAN_INV_CACHES => {
                self.count_flush();
                self.gpu.start_clean(now, &self.timing, &mut self.stats);
            }
            _ => self.stats.protocol("unknown GPU command"),
        }
    }

    /// Counts a cache flush. LATEST_FLUSH shows the count on parts with flush reduction. HW:
    /// panfrost.md 2.3 (FLUSH_REDUCTION is Bifrost).
    pub(crate) fn count_flush(&mut self) {
        self.stats.cache_flushes += 1;
        if self.identity.arch == super::variant::Arch::V7 {
            self.gpu.latest_flush = self.gpu.latest_flush.wrapping_add(1);
        }
    }

    fn start_reset(&mut self, done: Option<u64>) {
        let mask = self.gpu.mask;
        self.clear_state();
        self.gpu.mask = mask;
        self.gpu.reset = Some(done);
        self.stats.tlb_flushes += 1;
    }

    /// Sets all state to its values at power on.
    pub(crate) fn clear_state(&mut self) {
        self.gpu = Gpu::default();
        self.power = Power::new(self.identity.shader_present);
        self.mmu.reset();
        self.slots = Default::default();
        self.job_raw = 0;
        self.job_mask = 0;
        self.js_state = 0;
        self.throttle = 0;
        self.counters = Default::default();
        self.reloads.clear();
    }
}
