// SPDX-License-Identifier: BSD-2-Clause
//! What drivers count, per open file and per device.

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
    /// A job is over after `busy_ns` in the hardware.
    pub fn job(&self, busy_ns: u64) {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        self.busy_ns.fetch_add(busy_ns, Ordering::Relaxed);
    }

    /// A job failed, hung, or its address space faulted.
    pub fn fault(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }

    /// The GPU was reset.
    pub fn reset(&self) {
        self.resets.fetch_add(1, Ordering::Relaxed);
    }

    /// A submit was refused; the answer is whether it is the first.
    pub fn refuse(&self) -> bool {
        self.refused.fetch_add(1, Ordering::Relaxed) == 0
    }

    /// The `index`-th of them.
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
