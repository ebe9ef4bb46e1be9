// SPDX-License-Identifier: BSD-2-Clause
//! Log lines that a client can cause come once a second at the most.

use super::{Dev, Level};
use core::sync::atomic::{AtomicU64, Ordering};

const WINDOW_NS: u64 = 1_000_000_000;

/// Lets one line through per window.
#[derive(Default)]
pub struct LogLimit {
    /// When the window ends; 0 before the first line.
    until: AtomicU64,
}

impl LogLimit {
    /// Nothing has been logged.
    pub const fn new() -> LogLimit {
        LogLimit {
            until: AtomicU64::new(0),
        }
    }

    /// Logs a warning, or swallows it.
    pub fn warn(&self, dev: Dev, args: core::fmt::Arguments<'_>) {
        let now = dev.os().now();
        let open = |until: u64| (now >= until).then(|| now.saturating_add(WINDOW_NS));
        if self
            .until
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, open)
            .is_ok()
        {
            dev.log(Level::Warning, args);
        }
    }
}
