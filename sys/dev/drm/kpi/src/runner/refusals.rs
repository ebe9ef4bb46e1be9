// SPDX-License-Identifier: BSD-2-Clause
//! Counting and logging refused submits.

use crate::drm::stats::Stats;
use crate::os::{Dev, LogLimit};

/// The number of lines a second for the first refusals of files, which keeps a client that opens
/// the device again and again from filling the log.
const FIRSTS: u32 = 8;

/// The log of the refused submits of a device. The first refusal of each file has a limit of its
/// own, since a client all of whose jobs are refused may seem to work.
pub struct Refusals {
    firsts: LogLimit,
    others: LogLimit,
}

impl Default for Refusals {
    fn default() -> Refusals {
        Refusals {
            firsts: LogLimit::with_burst(FIRSTS),
            others: LogLimit::new(),
        }
    }
}

impl Refusals {
    /// Counts a refused submit for the device and the file, and logs `reason`, within the limits.
    pub fn log(&self, dev: Dev, device: &Stats, file: &Stats, reason: core::fmt::Arguments<'_>) {
        device.refuse();
        let log = match file.refuse() {
            true => &self.firsts,
            false => &self.others,
        };
        log.warn(dev, reason);
    }
}
