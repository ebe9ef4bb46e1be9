// SPDX-License-Identifier: BSD-2-Clause
//! Deadlines of the slots' heads.
//!
//! The time of a job starts when it becomes the head of its slot, not when it is queued in the
//! hardware after another. Deadlines also hold while the scheduler is stopped: a suspend that waits
//! for the hardware needs them.

use crate::array::{Arr, Storage};
use crate::counters::bump;
use crate::list::List;
use crate::{EntityId, JobId, Priority, Scheduler};

impl<J, S: Storage> Scheduler<J, S> {
    /// When the driver's timer should fire next, in ns; `None` if no job with a deadline is in
    /// flight.
    pub fn next_deadline(&self) -> Option<u64> {
        (0..self.slots.len())
            .filter_map(|slot| self.slots.get(slot)?.deadline)
            .min()
    }

    /// The head of a slot if its deadline has passed, with the deadline. It stays overdue until it
    /// is completed, requeued or granted more time by [`Self::progress`].
    pub fn overdue(&self, slot: usize, now_ns: u64) -> Option<(u64, JobId)> {
        let slot = self.slots.get(slot)?;
        let deadline = slot.deadline.filter(|deadline| *deadline <= now_ns)?;
        let id = self.jobs.id_at(slot.running.head())?;
        Some((deadline, JobId(id)))
    }

    /// The head that has been overdue longest, and its slot.
    pub fn expired(&self, now_ns: u64) -> Option<(usize, JobId)> {
        (0..self.slots.len())
            .filter_map(|slot| {
                self.overdue(slot, now_ns)
                    .map(|(when, id)| (when, slot, id))
            })
            .min_by_key(|(when, ..)| *when)
            .map(|(_, slot, id)| (slot, id))
    }

    /// Asks for more time for an overdue head. `token` changes as the hardware makes progress (a
    /// job chain pointer, a sequence number). Grants a full time-out if the token differs from the
    /// last one for this job (the first one always does), unless a job of another client is known
    /// to have waited for it for `Config::patience_ns`, or its entity was killed. Returns true also
    /// for a head that is not overdue. On false the timeout handler stops the job.
    pub fn progress(&mut self, id: JobId, token: u64, now_ns: u64) -> bool {
        let Some(job) = self.jobs.get(id.0) else {
            return false;
        };
        let place = job.slot;
        let Some(slot) = self.slots.get(place) else {
            return false;
        };
        if slot.running.head() != id.0.index() {
            return false;
        }
        if slot.deadline.is_none_or(|deadline| deadline > now_ns) {
            return true;
        }
        if job.token == Some(token) || self.is_orphan(id) {
            return false;
        }
        let (kept_since, patience_ns) = (job.kept_since, self.config.patience_ns);
        let kept_since = if patience_ns != 0 && self.keeps_others(id) {
            let since = kept_since.unwrap_or(now_ns);
            // OVERFLOW: saturates; a clock that steps back counts as no time passed.
            if now_ns.saturating_sub(since) >= patience_ns {
                return false;
            }
            Some(since)
        } else {
            None
        };
        if let Some(job) = self.jobs.get_mut(id.0) {
            job.token = Some(token);
            job.kept_since = kept_since;
        }
        self.arm(place, now_ns);
        bump(&mut self.counters.extended);
        true
    }

    /// Whether a job's entity was killed: no client needs its result.
    pub fn is_orphan(&self, id: JobId) -> bool {
        let entity = self.jobs.get(id.0).map(|job| job.entity);
        entity.is_some_and(|entity| self.entities.get(entity.0).is_none_or(|owner| owner.killed))
    }

    /// Sets the deadline of a slot's head: its full time from `now_ns` on.
    pub(crate) fn arm(&mut self, slot: usize, now_ns: u64) {
        let Some(head) = self.slots.get(slot).map(|slot| slot.running.head()) else {
            return;
        };
        let head = self.jobs.id_at(head).map(JobId);
        let orphan = head.is_some_and(|head| self.is_orphan(head));
        let grace_ns = self.config.grace_ns;
        let Some(slot) = self.slots.get_mut(slot) else {
            return;
        };
        let timeout_ns = Some(slot.config.timeout_ns).filter(|ns| *ns != 0);
        let time_ns = match head {
            None => None,
            Some(_) if orphan => Some(timeout_ns.unwrap_or(u64::MAX).min(grace_ns)),
            Some(_) => timeout_ns,
        };
        // OVERFLOW: saturates; a deadline beyond 2^64 ns never comes.
        slot.deadline = time_ns.map(|ns| now_ns.saturating_add(ns));
    }

    /// Shortens the deadline of a slot's head to `Config::grace_ns` if its entity is the one that
    /// was just killed.
    pub(crate) fn hurry(&mut self, entity: EntityId, now_ns: u64) {
        let Some(place) = self.entities.get(entity.0).map(|owner| owner.slot) else {
            return;
        };
        let Some(slot) = self.slots.get_mut(place) else {
            return;
        };
        let head = self.jobs.at(slot.running.head());
        if head.is_some_and(|job| job.entity == entity) {
            // OVERFLOW: saturates; a deadline beyond 2^64 ns never comes.
            let end = now_ns.saturating_add(self.config.grace_ns);
            slot.deadline = Some(slot.deadline.map_or(end, |deadline| deadline.min(end)));
        }
    }

    /// Whether a job of another client waits for the slot of a job: in flight after it, requeued,
    /// or ready to run.
    fn keeps_others(&self, id: JobId) -> bool {
        let Some(job) = self.jobs.get(id.0) else {
            return false;
        };
        let Some(slot) = self.slots.get(job.slot) else {
            return false;
        };
        let others = |list: &List| {
            list.iter(&self.jobs)
                .filter_map(|index| self.jobs.at(index))
                .any(|other| other.client != job.client)
        };
        let queues =
            [Priority::High, Priority::Medium, Priority::Low].map(|priority| slot.queue(priority));
        others(&slot.running)
            || queues.iter().any(|queue| others(&queue.resume))
            // A client has at most one group in a queue.
            || queues.iter().any(|queue| {
                (0..2)
                    .filter_map(|position| queue.heap.member(position))
                    .any(|(_, group)| !self.is_group_of(group, job.client))
            })
    }
}
