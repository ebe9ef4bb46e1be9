// SPDX-License-Identifier: BSD-2-Clause
//! Power domains of the GPU: L2, tiler, shader cores, core stack.
//!
//! A transition whose condition does not hold (cores on without L2, L2 off with cores on) stays
//! pending, visible in PWRTRANS, until it does. HW: panfrost.md 2.1 (order, PWRTRANS polling) and
//! 2.3 (GPU_INT 0x600 after power on).

use super::regs::gpu;
use super::stats::Stats;
use super::timing::Timing;

/// A power domain inside the GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// Shader cores.
    Shader,
    /// Tiler.
    Tiler,
    /// Level 2 cache and MMU.
    L2,
    /// Core stack (absent in all modelled GPUs).
    Stack,
}

const SHADER: usize = Domain::Shader as usize;
const TILER: usize = Domain::Tiler as usize;
const L2: usize = Domain::L2 as usize;

#[derive(Clone, Debug, Default)]
struct State {
    present: u64,
    ready: u64,
    on: u64,
    off: u64,
    on_at: Option<u64>,
    off_at: Option<u64>,
    stuck: bool,
}

/// The function of a register of the power group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Present,
    Ready,
    On,
    Off,
    Trans,
    Active,
}

/// All power domains.
#[derive(Clone, Debug)]
pub(crate) struct Power {
    domains: [State; 4],
}

/// Decodes a register offset to (domain, kind, high word).
fn decode(offset: u32) -> Option<(usize, Kind, bool)> {
    const TABLE: &[(u32, Domain, Kind)] = &[
        (gpu::SHADER_PRESENT, Domain::Shader, Kind::Present),
        (gpu::TILER_PRESENT, Domain::Tiler, Kind::Present),
        (gpu::L2_PRESENT, Domain::L2, Kind::Present),
        (gpu::STACK_PRESENT, Domain::Stack, Kind::Present),
        (gpu::SHADER_READY, Domain::Shader, Kind::Ready),
        (gpu::TILER_READY, Domain::Tiler, Kind::Ready),
        (gpu::L2_READY, Domain::L2, Kind::Ready),
        (gpu::STACK_READY, Domain::Stack, Kind::Ready),
        (gpu::SHADER_PWRON, Domain::Shader, Kind::On),
        (gpu::TILER_PWRON, Domain::Tiler, Kind::On),
        (gpu::L2_PWRON, Domain::L2, Kind::On),
        (gpu::STACK_PWRON, Domain::Stack, Kind::On),
        (gpu::SHADER_PWROFF, Domain::Shader, Kind::Off),
        (gpu::TILER_PWROFF, Domain::Tiler, Kind::Off),
        (gpu::L2_PWROFF, Domain::L2, Kind::Off),
        (gpu::STACK_PWROFF, Domain::Stack, Kind::Off),
        (gpu::SHADER_PWRTRANS, Domain::Shader, Kind::Trans),
        (gpu::TILER_PWRTRANS, Domain::Tiler, Kind::Trans),
        (gpu::L2_PWRTRANS, Domain::L2, Kind::Trans),
        (gpu::STACK_PWRTRANS, Domain::Stack, Kind::Trans),
        (gpu::SHADER_PWRACTIVE, Domain::Shader, Kind::Active),
        (gpu::TILER_PWRACTIVE, Domain::Tiler, Kind::Active),
        (gpu::L2_PWRACTIVE, Domain::L2, Kind::Active),
    ];
    let base = offset & !4;
    TABLE
        .iter()
        .find(|row| row.0 == base)
        .map(|row| (row.1 as usize, row.2, offset & 4 != 0))
}

impl Power {
    pub(crate) fn new(shader_present: u64) -> Power {
        let mut domains: [State; 4] = Default::default();
        domains[SHADER].present = shader_present;
        domains[TILER].present = 1;
        domains[L2].present = 1;
        Power { domains }
    }

    pub(crate) fn ready(&self, domain: Domain) -> u64 {
        self.domains[domain as usize].ready
    }

    pub(crate) fn present(&self, domain: Domain) -> u64 {
        self.domains[domain as usize].present
    }

    /// Reads a register of the group; `busy` = shader cores in use by jobs.
    pub(crate) fn read(&self, offset: u32, busy: u64) -> Option<u32> {
        let (n, kind, high) = decode(offset)?;
        let d = &self.domains[n];
        let value = match kind {
            Kind::Present => d.present,
            Kind::Ready => d.ready,
            // Write-only triggers read as zero.
            Kind::On | Kind::Off => 0,
            Kind::Trans => d.on | d.off,
            Kind::Active if n == SHADER => d.ready & busy,
            Kind::Active => d.ready & if busy != 0 { u64::MAX } else { 0 },
        };
        Some(if high {
            (value >> 32) as u32
        } else {
            value as u32
        })
    }

    /// Writes a register of the group; `None` if there is none at the offset.
    pub(crate) fn write(&mut self, offset: u32, value: u32, stats: &mut Stats) -> Option<()> {
        let (n, kind, high) = decode(offset)?;
        let bits = u64::from(value) << if high { 32 } else { 0 };
        let l2_up = self.domains[L2].ready | self.domains[L2].on;
        let d = &mut self.domains[n];
        match kind {
            Kind::On => {
                // A core that is on, or powering on, ignores the write.
                let start = bits & d.present & !d.on & (!d.ready | d.off);
                d.on |= start;
                if start != 0 && n != L2 && l2_up == 0 {
                    stats.protocol("core power on without L2");
                }
            }
            Kind::Off => d.off |= bits & d.present & !d.off & (d.ready | d.on),
            _ => stats.readonly_writes += 1,
        }
        Some(())
    }

    /// Starts transitions whose conditions hold and completes those whose time has passed. Returns
    /// the GPU interrupt bits to raise.
    pub(crate) fn step(
        &mut self,
        now: u64,
        timing: &Timing,
        stuck: &mut [bool; 4],
        stats: &mut Stats,
    ) -> u32 {
        let mut raised = 0;
        for (n, stuck) in stuck.iter_mut().enumerate() {
            let l2_ready = self.domains[L2].ready != 0;
            let users =
                self.domains[SHADER].ready | self.domains[SHADER].on | self.domains[TILER].ready;
            let d = &mut self.domains[n];
            if (d.on | d.off) != 0 && !d.stuck && *stuck {
                *stuck = false;
                d.stuck = true;
                d.on_at = None;
                d.off_at = None;
                stats.injected += 1;
            }
            if d.stuck {
                continue;
            }
            // Power down first: a core that is turned off and on again goes through both
            // transitions.
            if d.off != 0 && d.off_at.is_none() && d.on_at.is_none() && (n != L2 || users == 0) {
                d.off_at = Some(now + timing.power_off_ns);
            }
            if d.off_at.is_some_and(|t| t <= now) {
                d.ready &= !d.off;
                d.off = 0;
                d.off_at = None;
                raised |= gpu::IRQ_POWER_CHANGED;
            }
            let may_rise = d.on_at.is_none() && d.off_at.is_none() && d.on & d.off == 0;
            if d.on != 0 && may_rise && (n == L2 || l2_ready) {
                d.on_at = Some(now + timing.power_on_ns);
            }
            if d.on_at.is_some_and(|t| t <= now) {
                d.ready |= d.on;
                d.on = 0;
                d.on_at = None;
                raised |= gpu::IRQ_POWER_CHANGED;
            }
        }
        if raised != 0 && self.domains.iter().all(|d| d.on | d.off == 0) {
            raised |= gpu::IRQ_POWER_CHANGED_ALL;
        }
        raised
    }

    pub(crate) fn next_event(&self) -> Option<u64> {
        self.domains
            .iter()
            .flat_map(|d| [d.on_at, d.off_at])
            .flatten()
            .min()
    }

    /// Adds `ns` to the time of every pending transition.
    pub(crate) fn shift(&mut self, ns: u64) {
        for d in &mut self.domains {
            for at in [&mut d.on_at, &mut d.off_at] {
                *at = at.map(|t| t + ns);
            }
        }
    }
}
