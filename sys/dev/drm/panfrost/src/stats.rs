// SPDX-License-Identifier: BSD-2-Clause
//! What is counted, per open file and per device.

use core::sync::atomic::{AtomicU64, Ordering};
use drmkpi::driver::Statistic;

/// Counters of jobs.
#[derive(Default)]
pub(crate) struct Stats {
    jobs: AtomicU64,
    busy_ns: AtomicU64,
    faults: AtomicU64,
    resets: AtomicU64,
}

impl Stats {
    /// A job is over after `busy_ns` in the hardware.
    pub(crate) fn job(&self, busy_ns: u64) {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        self.busy_ns.fetch_add(busy_ns, Ordering::Relaxed);
    }

    /// A job failed, hung, or its address space faulted.
    pub(crate) fn fault(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }

    /// The GPU was reset.
    pub(crate) fn reset(&self) {
        self.resets.fetch_add(1, Ordering::Relaxed);
    }

    /// The `index`-th of them.
    pub(crate) fn get(&self, index: u32) -> Option<Statistic> {
        let (name, counter) = match index {
            0 => (c"jobs", &self.jobs),
            1 => (c"busy_ns", &self.busy_ns),
            2 => (c"faults", &self.faults),
            3 => (c"resets", &self.resets),
            _ => return None,
        };
        Some((name, counter.load(Ordering::Relaxed)))
    }
}
