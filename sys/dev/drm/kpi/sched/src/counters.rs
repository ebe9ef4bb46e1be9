// SPDX-License-Identifier: BSD-2-Clause
//! Event counters since the scheduler was made. They never decrease.

use crate::Outcome;

/// Event counters; each job that has ended is in exactly one of the four of its outcome.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Jobs queued by `submit`.
    pub submitted: u64,
    /// Starts of jobs, reruns included.
    pub started: u64,
    /// Jobs that ended `Done`.
    pub completed: u64,
    /// Jobs that ended `Failed`.
    pub failed: u64,
    /// Jobs that ended `Cancelled`.
    pub cancelled: u64,
    /// Jobs that ended `TimedOut`.
    pub timed_out: u64,
    /// How often a job returned from the hardware to its queue.
    pub resubmitted: u64,
    /// How often a deadline was extended for a job that made progress.
    pub extended: u64,
}

impl Counters {
    pub(crate) fn count(&mut self, outcome: Outcome) {
        bump(match outcome {
            Outcome::Done => &mut self.completed,
            Outcome::Failed(_) => &mut self.failed,
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::TimedOut => &mut self.timed_out,
        });
    }
}

/// Counts one event.
pub(crate) fn bump(counter: &mut u64) {
    // OVERFLOW: wraps after 2^64 events, as counters do.
    *counter = counter.wrapping_add(1);
}
