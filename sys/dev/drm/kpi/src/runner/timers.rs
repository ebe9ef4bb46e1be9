// SPDX-License-Identifier: BSD-2-Clause
//! The timers of a device: when they are to fire, and whether they are armed.
//!
//! Jobs end much more often than a timer has to fire, and arming one is expensive. So a timer stays
//! armed when its job ends. If it fires too early, it is armed again for what is left.

use crate::os::NEVER;

/// The state of a device's two timers, guarded by the job lock.
pub(super) struct Timers {
    /// When the timeout task runs, in ns; `NEVER` if it is not armed.
    timeout: u64,
    /// Since when, in ns, there has been no job in flight; `None` if there is one.
    idle_since: Option<u64>,
    /// Whether the idle task is armed.
    idle_armed: bool,
}

impl Timers {
    pub(super) const fn new() -> Timers {
        Timers {
            timeout: NEVER,
            idle_since: None,
            idle_armed: false,
        }
    }

    /// A job may be overdue from `when` on, in ns. Returns whether the timeout task has to be armed
    /// for that time.
    pub(super) fn arm_timeout(&mut self, when: u64) -> bool {
        let earlier = when < self.timeout;
        if earlier {
            self.timeout = when;
        }
        earlier
    }

    /// The timeout task runs: it is not armed.
    pub(super) fn timeout_fired(&mut self) {
        self.timeout = NEVER;
    }

    /// The device is in use.
    pub(super) fn busy(&mut self) {
        self.idle_since = None;
    }

    /// No job is in flight at `now`. Returns the time for which the idle task has to be armed, if
    /// it is not.
    pub(super) fn arm_idle(&mut self, now: u64, idle_ns: u64) -> Option<u64> {
        let since = *self.idle_since.get_or_insert(now);
        if self.idle_armed {
            return None;
        }
        self.idle_armed = true;
        // OVERFLOW: saturates: a deadline.
        Some(since.saturating_add(idle_ns))
    }

    /// The idle task runs at `now`. Returns whether the device has been idle for the idle time.
    pub(super) fn idle_fired(&mut self, now: u64, idle_ns: u64) -> bool {
        self.idle_armed = false;
        // OVERFLOW: saturates: a duration.
        self.idle_since
            .is_some_and(|since| now.saturating_sub(since) >= idle_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_deadline_leaves_the_armed_timer() {
        let mut timers = Timers::new();
        assert!(timers.arm_timeout(500));
        assert!(!timers.arm_timeout(600) && !timers.arm_timeout(500));
        assert!(timers.arm_timeout(400));
        timers.timeout_fired();
        assert!(timers.arm_timeout(600));
    }

    #[test]
    fn the_idle_time_starts_with_the_end_of_the_last_job() {
        let mut timers = Timers::new();
        assert_eq!(timers.arm_idle(10, 50), Some(60));
        timers.busy();
        assert_eq!(timers.arm_idle(40, 50), None);
        assert!(!timers.idle_fired(60, 50));
        assert_eq!(timers.arm_idle(60, 50), Some(90));
        assert!(timers.idle_fired(90, 50));
    }

    #[test]
    fn a_busy_device_is_not_idle() {
        let mut timers = Timers::new();
        assert_eq!(timers.arm_idle(10, 50), Some(60));
        timers.busy();
        assert!(!timers.idle_fired(60, 50));
        assert_eq!(timers.arm_idle(100, 50), Some(150));
    }
}
