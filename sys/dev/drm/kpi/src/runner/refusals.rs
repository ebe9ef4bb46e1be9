// SPDX-License-Identifier: BSD-2-Clause
//! Submits that were refused: counted and logged.

use crate::drm::stats::Stats;
use crate::os::{Dev, LogLimit};

/// Lines a second for the first refusals of files: opening the device over and over does not fill
/// the log.
const FIRSTS: u32 = 8;

/// The log of refused submits of a device. The first of each file is logged whatever else was, as a
/// client whose every job is refused may seem to work.
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
    /// Counts a refused submit for the device and the file, and logs `reason`.
    pub fn log(&self, dev: Dev, device: &Stats, file: &Stats, reason: core::fmt::Arguments<'_>) {
        device.refuse();
        let log = match file.refuse() {
            true => &self.firsts,
            false => &self.others,
        };
        log.warn(dev, reason);
    }
}
