// SPDX-License-Identifier: BSD-2-Clause
//! Clock control, reset, power management, and the registers that have no function but to keep what
//! is written.

use super::regs::{hi, mc, mmu};
use super::stats::Stats;
use std::collections::BTreeMap;

/// HW: etnaviv.md 2.5, the value on cores where it cannot be read.
const PULSE_EATER: u32 = 0x0159_0880;
/// Counters of the clock gate; plausible, not measured.
const POWER_CONTROLS: u32 = 0x0014_0020;

/// A requested reset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reset {
    pub(crate) done_at: u64,
    /// Requested by AHB_CONTROL, not by CLOCK_CONTROL.
    by_ahb: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Host {
    clock: u32,
    /// Core clock in 64ths.
    pub(crate) fscale: u32,
    pub(crate) ahb: u32,
    pub(crate) axi_status: u32,
    pub(crate) reset: Option<Reset>,
    /// An injected reset failure: no module reports idle.
    pub(crate) stuck: bool,
    kept: BTreeMap<u32, u32>,
}

/// Whether a register only keeps what is written.
fn keeps(offset: u32) -> bool {
    matches!(
        offset,
        hi::AXI_CONFIG
            | hi::CACHE_CONTROL
            | hi::GP_OUT0..=hi::GP_OUT2
            | hi::AXI_CONTROL
            | hi::COMPRESSION_FLAGS
            | hi::AUXBIT
            | hi::PM_POWER_CONTROLS
            | hi::PM_MODULE_CONTROLS
            | hi::PM_PULSE_EATER
            | mc::DEBUG_MEMORY
            | mc::MEMORY_TIMING_CONTROL
            | mc::MEMORY_FLUSH
            | mc::BUS_CONFIG
            | mc::START_COMPOSITION..=mc::L2_CACHE_CONFIG
            | super::regs::fe::AUTO_FLUSH
    )
}

const IDLE_BITS: u32 = hi::IDLE_3D | hi::IDLE_2D | hi::IDLE_VG;

impl Host {
    pub(crate) fn new() -> Host {
        Host {
            clock: 64 << hi::FSCALE_SHIFT,
            fscale: 64,
            ahb: 0,
            axi_status: 0,
            reset: None,
            stuck: false,
            kept: BTreeMap::from([
                (hi::PM_PULSE_EATER, PULSE_EATER),
                (hi::PM_POWER_CONTROLS, POWER_CONTROLS),
            ]),
        }
    }

    /// Resets this block; the clock registers keep their values.
    pub(crate) fn apply_reset(&mut self) {
        *self = Host {
            clock: self.clock,
            fscale: self.fscale,
            ..Host::new()
        };
    }

    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        keeps(offset).then(|| self.kept.get(&offset).copied().unwrap_or(0))
    }

    pub(crate) fn write(&mut self, offset: u32, value: u32) -> Option<()> {
        keeps(offset).then(|| {
            self.kept.insert(offset, value);
        })
    }

    /// Reads CLOCK_CONTROL, given which pipes are idle.
    pub(crate) fn clock_control(&self, idle_3d: bool, idle_2d: bool) -> u32 {
        let mut value = self.clock | hi::IDLE_VG;
        if idle_3d {
            value |= hi::IDLE_3D;
        }
        if idle_2d {
            value |= hi::IDLE_2D;
        }
        value
    }

    /// Writes CLOCK_CONTROL. `secure` cores are reset by AHB_CONTROL only (etnaviv.md 2.4).
    pub(crate) fn write_clock(
        &mut self,
        value: u32,
        now: u64,
        reset_ns: u64,
        secure: bool,
        stats: &mut Stats,
    ) {
        let old = std::mem::replace(&mut self.clock, value & !IDLE_BITS);
        if value & hi::FSCALE_CMD_LOAD != 0 && old & hi::FSCALE_CMD_LOAD == 0 {
            let scale = (value & hi::FSCALE_MASK) >> hi::FSCALE_SHIFT;
            if (1..=64).contains(&scale) {
                self.fscale = scale;
            } else {
                stats.protocol("clock scale out of range");
            }
        }
        let (was, is) = (old & hi::SOFT_RESET != 0, value & hi::SOFT_RESET != 0);
        if secure {
            if is && !was {
                stats.protocol("soft reset of a secure core");
            }
            let lifted = old & hi::ISOLATE_GPU != 0 && value & hi::ISOLATE_GPU == 0;
            if lifted && self.reset.is_some() {
                stats.protocol("isolation lifted during reset");
            }
            return;
        }
        if is && !was {
            if value & hi::ISOLATE_GPU == 0 {
                stats.protocol("reset without isolation");
            }
            self.reset = Some(Reset {
                done_at: now + reset_ns,
                by_ahb: false,
            });
        } else if was && !is && self.reset.take().is_some() {
            stats.protocol("reset pulse too short");
        }
    }

    /// Writes AHB_CONTROL of a secure core.
    pub(crate) fn write_ahb(&mut self, value: u32, now: u64, reset_ns: u64, stats: &mut Stats) {
        self.ahb = value & mmu::AHB_NONSEC_ACCESS;
        if value & mmu::AHB_RESET != 0 && self.reset.is_none() {
            if self.clock & hi::ISOLATE_GPU == 0 {
                stats.protocol("reset without isolation");
            }
            self.reset = Some(Reset {
                done_at: now + reset_ns,
                by_ahb: true,
            });
        }
    }

    /// Reads AHB_CONTROL; the reset bit clears itself.
    pub(crate) fn ahb_control(&self) -> u32 {
        let resetting = self.reset.is_some_and(|r| r.by_ahb);
        self.ahb | if resetting { mmu::AHB_RESET } else { 0 }
    }

    /// Whether the soft reset bit is set.
    pub(crate) fn holds_reset(&self) -> bool {
        self.clock & hi::SOFT_RESET != 0
    }

    /// The pixel pipe that is selected for debug.
    pub(crate) fn debug_pipe(&self) -> u32 {
        self.clock >> hi::DEBUG_PIXEL_PIPE_SHIFT & 0xf
    }

    /// Whether idle modules have their clock gated. HW: state_hi.xml.h
    /// PM_POWER_CONTROLS_ENABLE_MODULE_CLOCK_GATING.
    pub(crate) fn gates_modules(&self) -> bool {
        self.read(hi::PM_POWER_CONTROLS).unwrap_or(0) & 1 != 0
    }

    /// Whether profile counters can be read.
    pub(crate) fn debug_enabled(&self) -> bool {
        self.clock & hi::DISABLE_DEBUG_REGISTERS == 0
    }

    pub(crate) fn shift(&mut self, ns: u64) {
        if let Some(reset) = &mut self.reset {
            reset.done_at += ns;
        }
    }
}
