// SPDX-License-Identifier: BSD-2-Clause
//! Limits the rate of log lines that a client can cause.

use super::{Dev, Level};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const WINDOW_NS: u64 = 1_000_000_000;

/// Passes a number of lines per window of a second.
pub struct LogLimit {
    /// When the window ends; 0 before the first line.
    until: AtomicU64,
    /// Lines that are left in it.
    left: AtomicU32,
    most: u32,
}

impl Default for LogLimit {
    fn default() -> LogLimit {
        LogLimit::new()
    }
}

impl LogLimit {
    /// One line per window.
    pub const fn new() -> LogLimit {
        LogLimit::with_burst(1)
    }

    /// `most` lines per window.
    pub const fn with_burst(most: u32) -> LogLimit {
        LogLimit {
            until: AtomicU64::new(0),
            left: AtomicU32::new(0),
            most,
        }
    }

    /// Logs a warning, or drops it.
    pub fn warn(&self, dev: Dev, args: core::fmt::Arguments<'_>) {
        let now = dev.os().now();
        // OVERFLOW: saturates: after 584 years of uptime, the last window does not end.
        let over = |until: u64| (now >= until).then(|| now.saturating_add(WINDOW_NS));
        let opened = self
            .until
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, over)
            .is_ok();
        let allowed = if opened {
            // OVERFLOW: saturates: a burst of 0 lets one line through as well.
            self.left
                .store(self.most.saturating_sub(1), Ordering::Relaxed);
            true
        } else {
            let one_less = |left: u32| left.checked_sub(1);
            self.left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
                .is_ok()
        };
        if allowed {
            dev.log(Level::Warning, args);
        }
    }
}
