// SPDX-License-Identifier: BSD-2-Clause
//! Profile counters. They grow as work is done; their values are not those of silicon.
//!
//! HW: etnaviv.md 2.12; state_hi.xml.h MC_PROFILE_*. Drivers since Linux 6.13 read the front end's
//! current primitive (select 9) to distinguish a long draw from a hang (etnaviv.md 2.10).

use super::mem::Traffic;

/// Select value that resets the counters of a module.
const RESET: u32 = 0xf;

/// Modules of the read registers from PROFILE_READ on.
const RA: usize = 0;
const TX: usize = 1;
const FE: usize = 2;
const PE: usize = 3;
const SH: usize = 5;
const PA: usize = 6;
const MC: usize = 8;

/// Location of each module's select: configuration register, byte.
const SELECT: [(usize, u32); 10] = [
    (1, 2),
    (1, 3),
    (0, 0),
    (0, 2),
    (0, 1),
    (0, 3),
    (1, 0),
    (1, 1),
    (2, 0),
    (2, 1),
];

/// Whether a counter exists once per pixel pipe, so that a driver reads it with each pipe selected
/// in turn and adds the values. HW: Linux 6.1 etnaviv_perfmon.c, the signals it samples that way.
fn is_per_pipe(module: usize, select: u32) -> bool {
    match module {
        PE => true,
        SH => matches!(select, 9..=14),
        PA => matches!(select, 6..=8),
        _ => false,
    }
}

/// The part of one pixel pipe: `share` is (this pipe, number of pipes).
pub(crate) fn part(value: u64, share: (u32, u32)) -> u64 {
    let (pipe, pipes) = (u64::from(share.0), u64::from(share.1.max(1)));
    match pipe {
        0 => value / pipes + value % pipes,
        pipe if pipe < pipes => value / pipes,
        _ => 0,
    }
}

/// Whether reads of module `n` need its clock, which module clock gating turns off while it is
/// idle. HW: etnaviv.md 2.12 (gating is off around all sampling) and 2.10 (the front end's current
/// primitive is read without that).
pub(crate) fn needs_clock(n: usize) -> bool {
    n != FE
}

/// Work done since the last reset of the counters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) draws: u64,
    pub(crate) primitives: u64,
    pub(crate) vertices: u64,
    pub(crate) pixels_2d: u64,
    /// Time during which any unit was busy, ns.
    pub(crate) busy_ns: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) totals: Totals,
    pub(crate) traffic: Traffic,
    pub(crate) config: [u32; 4],
    base: [Totals; 10],
    base_traffic: [Traffic; 10],
    /// Time at which HI_MEMORY_COUNTER_RESET was written.
    pub(crate) cycles_from: u64,
}

impl Counters {
    /// Counters that start at the time `now`.
    pub(crate) fn from(now: u64) -> Counters {
        Counters {
            cycles_from: now,
            ..Counters::default()
        }
    }

    pub(crate) fn write_config(&mut self, n: usize, value: u32) {
        self.config[n] = value;
        for (module, (register, byte)) in SELECT.into_iter().enumerate() {
            if register == n && value >> (8 * byte) & 0xff == RESET {
                self.base[module] = self.totals;
                self.base_traffic[module] = self.traffic;
            }
        }
    }

    pub(crate) fn reset_memory(&mut self, now: u64) {
        self.traffic = Traffic::default();
        self.base_traffic = [Traffic::default(); 10];
        self.cycles_from = now;
    }

    /// Reads module `n`, counted from PROFILE_READ in registers. `current` is the number of
    /// completed primitives of the running draw; `share` is (this pipe, number of pipes).
    pub(crate) fn read(&self, n: usize, current: u64, share: (u32, u32)) -> u32 {
        let Some((register, byte)) = SELECT.get(n) else {
            return 0;
        };
        let select = self.config[*register] >> (8 * byte) & 0xff;
        let (now, base) = (self.totals, self.base[n]);
        let primitives = now.primitives + current - base.primitives;
        let vertices = now.vertices - base.vertices;
        let value = match (n, select) {
            (FE, 9) => now.primitives + current,
            (FE, _) => now.draws - base.draws,
            (PE, 0x0b) => now.pixels_2d - base.pixels_2d,
            (PE, 2 | 3) => primitives * 64,
            (SH, 4) => now.busy_ns - base.busy_ns,
            (SH, 9 | 10) => vertices,
            (SH, 7 | 8) => primitives * 64,
            (PA, 3) => vertices,
            (PA, 4 | 5) | (RA, 3) => primitives,
            (RA, 0..=2) => primitives * 16,
            (TX, 3 | 5 | 6) => (self.traffic.read - self.base_traffic[n].read) / 64,
            (MC, 1) => (self.traffic.read - self.base_traffic[n].read) / 8,
            (MC, 3) => (self.traffic.written - self.base_traffic[n].written) / 8,
            _ => 0,
        };
        if is_per_pipe(n, select) {
            part(value, share) as u32
        } else {
            value as u32
        }
    }
}
