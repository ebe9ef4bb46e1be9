// SPDX-License-Identifier: BSD-2-Clause
//! Statistics of jobs, per open file and per device.

use crate::drm::driver::Statistic;
use core::sync::atomic::{AtomicU64, Ordering};

/// Counters of jobs.
#[derive(Default)]
pub struct Stats {
    jobs: AtomicU64,
    busy_ns: AtomicU64,
    faults: AtomicU64,
    resets: AtomicU64,
    refused: AtomicU64,
}

impl Stats {
    /// Counts a job that has ended, after `busy_ns` in the hardware.
    pub fn job(&self, busy_ns: u64) {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        self.busy_ns.fetch_add(busy_ns, Ordering::Relaxed);
    }

    /// Counts a job that failed or hung, or a fault in its address space.
    pub fn fault(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a reset of the GPU.
    pub fn reset(&self) {
        self.resets.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a refused submit; returns whether it is the first.
    pub fn refuse(&self) -> bool {
        self.refused.fetch_add(1, Ordering::Relaxed) == 0
    }

    /// The `index`-th statistic.
    pub fn get(&self, index: u32) -> Option<Statistic> {
        let (name, counter) = match index {
            0 => (c"jobs", &self.jobs),
            1 => (c"busy_ns", &self.busy_ns),
            2 => (c"faults", &self.faults),
            3 => (c"resets", &self.resets),
            4 => (c"refused", &self.refused),
            _ => return None,
        };
        Some((name, counter.load(Ordering::Relaxed)))
    }
}
