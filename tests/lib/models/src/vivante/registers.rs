// SPDX-License-Identifier: BSD-2-Clause
//! The register window: reads and writes by offset, passed to the block of each register.

use super::pipe::Work;
use super::regs::{fe as fe_reg, hi, mc, mmu as mmu_reg};
use super::variant::MmuKind;
use super::{fe, perf, Vivante};

impl Vivante {
    fn is_secure(&self) -> bool {
        self.identity.mmu == MmuKind::V2Secure
    }

    pub(super) fn read_register(&mut self, offset: u32) -> Option<u32> {
        if let Some(value) = self.read_identity(offset) {
            return Some(value);
        }
        Some(match offset {
            hi::CLOCK_CONTROL => {
                let idle = self.idle_state();
                let idle_3d = idle & !(hi::IDLE_DE) == hi::IDLE_ALL & !hi::IDLE_DE;
                let idle_2d = idle & (hi::IDLE_FE | hi::IDLE_DE) == hi::IDLE_FE | hi::IDLE_DE;
                self.host.clock_control(idle_3d, idle_2d)
            }
            hi::IDLE_STATE => self.idle_state(),
            hi::AXI_STATUS => self.host.axi_status,
            hi::INTR_ACKNOWLEDGE => self.irq.acknowledge(),
            hi::INTR_ENBL => self.irq.enable,
            hi::BLT_INTR | hi::MEMORY_COUNTER_RESET | mc::PROFILE_L2_READ => 0,
            hi::PM_MODULE_STATUS => {
                if self.host.gates_modules() {
                    self.idle_state() & 0xff
                } else {
                    0
                }
            }
            mmu_reg::SEC_COMMAND_CONTROL if self.is_secure() => self.fe.command_control,
            mmu_reg::AHB_CONTROL if self.is_secure() => self.host.ahb_control(),
            mc::DEBUG_READ0..=mc::DEBUG_WRITE => 0,
            hi::PROFILE_READ_BYTES8
            | hi::PROFILE_WRITE_BYTES8
            | 0x04c
            | 0x050
            | 0x058..=0x060
            | hi::PROFILE_TOTAL_CYCLES
            | hi::PROFILE_IDLE_CYCLES
            | mc::PROFILE_CYCLE_COUNTER
            | mc::PROFILE_READ..=mc::PROFILE_READ_LAST => {
                let module = offset.wrapping_sub(mc::PROFILE_READ) / 4;
                let gated = offset >= mc::PROFILE_READ && perf::needs_clock(module as usize);
                if gated && self.host.gates_modules() {
                    self.stats
                        .protocol("profile counter read under module clock gating");
                }
                self.read_profile(offset)
            }
            mc::PROFILE_CONFIG0..=mc::PROFILE_CONFIG3 => {
                self.counters.config[((offset - mc::PROFILE_CONFIG0) / 4) as usize]
            }
            _ => {
                return self
                    .fe
                    .read(offset, self.now)
                    .or_else(|| self.mmu.read(offset))
                    .or_else(|| self.host.read(offset))
            }
        })
    }

    fn read_identity(&self, offset: u32) -> Option<u32> {
        let id = &self.identity;
        let indexed = |offsets: &[u32], values: &[u32]| {
            let n = offsets.iter().position(|o| *o == offset)?;
            values.get(n).copied()
        };
        Some(match offset {
            hi::CHIP_IDENTITY | hi::CHIP_CUSTOMER_ID | hi::CHIP_ECO_ID => 0,
            hi::CHIP_FEATURE => id.features,
            hi::CHIP_MODEL => id.model,
            hi::CHIP_REV => id.revision,
            hi::CHIP_DATE => id.date,
            hi::CHIP_TIME => id.time,
            hi::CHIP_PRODUCT_ID => id.product_id,
            _ => {
                return indexed(&hi::CHIP_MINOR_FEATURE, &id.minor)
                    .or_else(|| indexed(&hi::CHIP_SPECS, &id.specs))
            }
        })
    }

    fn read_profile(&self, offset: u32) -> u32 {
        if !self.host.debug_enabled() {
            return 0;
        }
        let cycles = |ns: u64| {
            let hz = self.core_hz * u64::from(self.host.fscale) / 64;
            (u128::from(ns) * u128::from(hz) / 1_000_000_000) as u32
        };
        let since = self.now - self.counters.cycles_from.min(self.now);
        let share = (self.host.debug_pipe(), self.identity.pixel_pipes);
        let idle = offset == hi::PROFILE_IDLE_CYCLES && !self.identity.old_cycles
            || offset == hi::PROFILE_TOTAL_CYCLES && self.identity.old_cycles;
        match offset {
            _ if idle => cycles(since.saturating_sub(self.busy_ns())),
            // HW: Linux 6.1 etnaviv_perfmon.c reads these two with each pixel pipe selected.
            hi::PROFILE_READ_BYTES8 => perf::part(self.counters.traffic.read / 8, share) as u32,
            hi::PROFILE_WRITE_BYTES8 => perf::part(self.counters.traffic.written / 8, share) as u32,
            hi::PROFILE_TOTAL_CYCLES | mc::PROFILE_CYCLE_COUNTER => cycles(since),
            hi::PROFILE_IDLE_CYCLES => 0,
            mc::PROFILE_READ..=mc::PROFILE_READ_LAST => {
                let n = ((offset - mc::PROFILE_READ) / 4) as usize;
                self.counters.read(n, self.current_primitive(), share)
            }
            // Bursts and requests: one per 64 bytes.
            0x04c | 0x050 => (self.counters.traffic.written / 64) as u32,
            _ => (self.counters.traffic.read / 64) as u32,
        }
    }

    /// Time during which units were busy, including the work in progress, so that the value grows
    /// steadily.
    fn busy_ns(&self) -> u64 {
        let running = |unit: &super::Unit| {
            let until = unit.done_at.map_or(unit.started, |end| end.min(self.now));
            until.saturating_sub(unit.started)
        };
        let now: u64 = self.units.iter().map(running).sum();
        self.counters.totals.busy_ns.saturating_add(now)
    }

    /// Completed primitives of the running draw.
    fn current_primitive(&self) -> u64 {
        let unit = &self.units[0];
        let (Some(Work::Draw(op)), Some(end)) = (unit.head(), unit.done_at) else {
            return 0;
        };
        let total = u128::from(op.primitives());
        let (done, all) = (self.now.saturating_sub(unit.started), end - unit.started);
        (total * u128::from(done) / u128::from(all.max(1))).min(total) as u64
    }

    pub(super) fn write_register(&mut self, offset: u32, value: u32) -> Option<()> {
        if self.read_identity(offset).is_some() {
            self.stats.readonly_writes += 1;
            return Some(());
        }
        let reset_ns = self.timing.reset_ns;
        match offset {
            hi::CLOCK_CONTROL => {
                let secure = self.is_secure();
                self.host
                    .write_clock(value, self.now, reset_ns, secure, &mut self.stats);
            }
            hi::INTR_ENBL => self.irq.enable = value,
            hi::MEMORY_COUNTER_RESET => self.counters.reset_memory(self.now),
            hi::IDLE_STATE
            | hi::AXI_STATUS
            | hi::INTR_ACKNOWLEDGE
            | hi::PM_MODULE_STATUS
            | hi::PROFILE_READ_BYTES8
            | hi::PROFILE_WRITE_BYTES8
            | hi::PROFILE_TOTAL_CYCLES
            | hi::PROFILE_IDLE_CYCLES
            | mc::PROFILE_CYCLE_COUNTER
            | mc::PROFILE_READ..=mc::PROFILE_READ_LAST
            | fe_reg::DMA_STATUS..=fe_reg::DMA_HIGH => self.stats.readonly_writes += 1,
            mc::PROFILE_CONFIG0..=mc::PROFILE_CONFIG3 => {
                let n = ((offset - mc::PROFILE_CONFIG0) / 4) as usize;
                self.counters.write_config(n, value);
            }
            fe_reg::COMMAND_ADDRESS => self.fe.command_address = value,
            fe_reg::COMMAND_CONTROL => {
                self.fe.command_control = value;
                if value & fe_reg::COMMAND_ENABLE != 0 && !self.is_secure() {
                    self.start_fe(value & 0xffff);
                }
            }
            mmu_reg::SEC_COMMAND_CONTROL if self.is_secure() => self.start_secure(value),
            mmu_reg::AHB_CONTROL if self.is_secure() => {
                self.host
                    .write_ahb(value, self.now, reset_ns, &mut self.stats);
            }
            _ => {
                let enabling = matches!(offset, mmu_reg::CONTROL | mmu_reg::SEC_CONTROL);
                if enabling && self.fe.state != fe::State::Idle && !self.mmu.enabled {
                    self.stats.protocol("MMU enabled under a running front end");
                }
                return self
                    .mmu
                    .write(offset, value, &mut self.stats)
                    .or_else(|| self.host.write(offset, value));
            }
        }
        Some(())
    }

    /// HW: etnaviv.md 2.4: a secure core starts when both control registers have ENABLE set, and
    /// only with non-secure access granted.
    fn start_secure(&mut self, value: u32) {
        if value & fe_reg::COMMAND_ENABLE == 0 {
            return;
        }
        if self.fe.command_control != value {
            self.stats
                .protocol("secure start differs from the non-secure one");
            return;
        }
        if self.host.ahb & mmu_reg::AHB_NONSEC_ACCESS == 0 {
            self.stats.protocol("start without non-secure access");
            return;
        }
        self.start_fe(value & 0xffff);
    }
}
