// SPDX-License-Identifier: BSD-2-Clause
//! Deadlines of the slots' heads.
//!
//! The clock of a job starts when it becomes the head of its slot, not when it enters the hardware's second
//! place. Deadlines hold while the scheduler is stopped too: a suspend that drains the hardware needs them.

use crate::stats::bump;
use crate::storage::{Arr, Storage};
use crate::{JobId, Scheduler};

impl<J, S: Storage> Scheduler<J, S> {
    /// When the driver's timer should fire next, ns; `None` if nothing with a timeout runs.
    pub fn next_deadline(&self) -> Option<u64> {
        (0..self.slots.len())
            .filter_map(|slot| self.slots.get(slot)?.deadline)
            .min()
    }

    /// A slot and its head whose deadline has passed, lowest slot first. The answer stays the same until
    /// the job is completed, given back or granted more time by [`Self::progress`].
    pub fn expired(&self, now_ns: u64) -> Option<(usize, JobId)> {
        (0..self.slots.len()).find_map(|index| {
            let slot = self.slots.get(index)?;
            let late = slot.deadline.is_some_and(|deadline| deadline <= now_ns);
            let id = self.jobs.id_at(slot.running.head()).filter(|_| late)?;
            Some((index, JobId(id)))
        })
    }

    /// The driver asks for more time for an expired head, with a token that changes as the hardware gets on
    /// (a job chain pointer, a sequence number). Granted, for one more full timeout, if the token differs from
    /// the last one seen for this job (the first one always does) and the job was granted fewer than
    /// `Config::max_extensions` before. True also for a head that has not expired. False means: act on it.
    pub fn progress(&mut self, id: JobId, token: u64, now_ns: u64) -> bool {
        let Some(job) = self.jobs.get_mut(id.0) else {
            return false;
        };
        let Some(slot) = self.slots.get_mut(job.slot) else {
            return false;
        };
        if slot.running.head() != id.0.index() {
            return false;
        }
        if slot.deadline.is_none_or(|deadline| deadline > now_ns) {
            return true;
        }
        if job.token == Some(token) || job.extensions >= self.config.max_extensions {
            return false;
        }
        job.token = Some(token);
        job.extensions = job.extensions.saturating_add(1);
        slot.arm(now_ns);
        bump(&mut self.stats.extended);
        true
    }
}
