// SPDX-License-Identifier: BSD-2-Clause
//! Completion of jobs: outcome, readers, and the payload, which is returned exactly once.
//!
//! A job with readers is not in the done list; the last `release` puts it there. So a timeout
//! handler can read a job that completes at the same time (Asahi Linux issue #309 is the use after
//! free that this prevents).

use crate::array::Storage;
use crate::job::State;
use crate::{ClientId, EntityId, JobId, Outcome, Scheduler};

/// A job that has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Finished<J> {
    /// The job's id, stale from now on.
    pub id: JobId,
    /// The payload that `prepare` was given.
    pub payload: J,
    /// The job's entity; already stale if it was killed and this was its last job.
    pub entity: EntityId,
    /// The job's client; already stale if it was freed and this was its last job.
    pub client: ClientId,
    /// How it ended.
    pub outcome: Outcome,
    /// Time at the head of its slot, in ns, of all runs.
    pub run_ns: u64,
    /// How often it was started.
    pub runs: u32,
    /// Dependencies that failed.
    pub failed_dependencies: u32,
}

impl<J, S: Storage> Scheduler<J, S> {
    /// Ends a running job. Returns false, and changes nothing, if it is not running (a late or
    /// spurious interrupt).
    pub fn complete(&mut self, id: JobId, outcome: Outcome, now_ns: u64) -> bool {
        if self.state(id) != Some(State::Running) {
            return false;
        }
        let entity = self.leave_hardware(id.0.index(), now_ns);
        self.finish(id.0.index(), outcome);
        self.unpark(entity);
        true
    }

    /// Adds a reader to a job, whatever its state. Returns false for an unknown job, which must not
    /// be used.
    #[must_use]
    pub fn hold(&mut self, id: JobId) -> bool {
        let Some(job) = self.jobs.get_mut(id.0) else {
            return false;
        };
        let Some(holders) = job.holders.checked_add(1) else {
            return false;
        };
        let listed = job.holders == 0 && job.state == State::Done;
        job.holders = holders;
        if listed {
            self.done.remove(&mut self.jobs, id.0.index());
        }
        true
    }

    /// Removes a reader. If it is the last one of a job that has ended, the job joins the done
    /// list. Returns false if the job has no readers.
    pub fn release(&mut self, id: JobId) -> bool {
        let Some(job) = self.jobs.get_mut(id.0) else {
            return false;
        };
        let Some(holders) = job.holders.checked_sub(1) else {
            return false;
        };
        job.holders = holders;
        if holders == 0 && job.state == State::Done {
            self.done.push_back(&mut self.jobs, id.0.index());
        }
        true
    }

    /// Returns the oldest ended job without readers. Each job is returned exactly once.
    pub fn pop_done(&mut self) -> Option<Finished<J>> {
        while self.done.is_empty() && self.cancel_dying() {}
        let index = self.done.pop_front(&mut self.jobs)?;
        let id = self.jobs.id_at(index)?;
        let job = self.jobs.remove(id)?;
        self.job_gone(job.entity);
        Some(Finished {
            id: JobId(id),
            payload: job.payload,
            entity: job.entity,
            client: job.client,
            outcome: job.outcome,
            run_ns: job.run_ns,
            runs: job.runs,
            failed_dependencies: job.failed_dependencies,
        })
    }

    /// Whether `pop_done` would return a job.
    pub fn has_done(&self) -> bool {
        !self.done.is_empty() || !self.dying.is_empty()
    }

    /// Ends a job that is in no list.
    pub(crate) fn finish(&mut self, index: u32, outcome: Outcome) {
        let Some(job) = self.jobs.at_mut(index) else {
            return;
        };
        if matches!(job.state, State::Queued | State::Requeued) {
            self.waiting.sub();
        }
        job.state = State::Done;
        job.outcome = outcome;
        let held = job.holders != 0;
        self.counters.count(outcome);
        if !held {
            self.done.push_back(&mut self.jobs, index);
        }
    }

    /// Ends a job that is in no list and has not completed. While its entity has jobs in flight, it
    /// is parked until those have ended: it is its own reader.
    pub(crate) fn cancel(&mut self, index: u32) {
        let Some(job) = self.jobs.at_mut(index) else {
            return;
        };
        let entity = job.entity;
        if self
            .entities
            .get(entity.0)
            .is_none_or(|owner| owner.running.is_zero())
        {
            return self.finish(index, Outcome::Cancelled);
        }
        let Some(holders) = job.holders.checked_add(1) else {
            return self.finish(index, Outcome::Cancelled);
        };
        job.holders = holders;
        self.finish(index, Outcome::Cancelled);
        if let Some(owner) = self.entities.get_mut(entity.0) {
            owner.parked.push_back(&mut self.jobs, index);
        }
    }

    /// Releases the parked jobs of an entity that has none in flight, and lists it if it was killed
    /// and has more to cancel.
    pub(crate) fn unpark(&mut self, entity: u32) {
        while let Some(owner) = self
            .entities
            .at_mut(entity)
            .filter(|owner| owner.running.is_zero())
        {
            let Some(id) = owner
                .parked
                .pop_front(&mut self.jobs)
                .and_then(|index| self.jobs.id_at(index))
            else {
                break;
            };
            self.release(JobId(id));
        }
        self.list_dying(entity);
    }

    /// A job has left the pool: its entity has one less.
    pub(crate) fn job_gone(&mut self, entity: EntityId) {
        if let Some(owner) = self.entities.get_mut(entity.0) {
            owner.jobs.sub();
        }
        self.entity_reap(entity);
    }
}
