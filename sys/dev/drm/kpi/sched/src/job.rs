// SPDX-License-Identifier: BSD-2-Clause
//! Jobs before they run: prepare, dependencies, submit.
//!
//! The scheduler owns a job from `prepare` until `pop_done` (or `abandon`) returns it. `prepare`
//! reserves all memory that the job needs.

use crate::array::Storage;
use crate::counters::bump;
use crate::list::{Link, Linked};
use crate::{ClientId, EntityId, Error, JobId, Outcome, Scheduler};

/// The state of a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Prepared; dependencies may be added.
    Built,
    /// In its entity's queue.
    Queued,
    /// Was in flight, and starts before all others of its queue.
    Requeued,
    /// In flight.
    Running,
    /// Ended, and not popped yet.
    Done,
}

pub(crate) struct Job<J> {
    pub(crate) payload: J,
    pub(crate) entity: EntityId,
    pub(crate) client: ClientId,
    pub(crate) slot: usize,
    pub(crate) group: u32,
    pub(crate) state: State,
    /// Dependencies that are pending. `State::Built` itself keeps the job from running.
    pub(crate) open: u32,
    pub(crate) failed_dependencies: u32,
    /// Order of first start, kept over reruns.
    pub(crate) sequence: Option<u64>,
    pub(crate) runs: u32,
    /// Resets that it was blamed for.
    pub(crate) blames: u32,
    /// Time at the head of the slot, in ns, of all runs.
    pub(crate) run_ns: u64,
    pub(crate) token: Option<u64>,
    /// Since when a job of another client is known to wait for it, in ns.
    pub(crate) kept_since: Option<u64>,
    pub(crate) holders: u32,
    pub(crate) outcome: Outcome,
    link: Link,
}

impl<J> Linked for Job<J> {
    fn link(&self) -> &Link {
        &self.link
    }
    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

impl<J, S: Storage> Scheduler<J, S> {
    /// Adds a job, in state `Built`: it does not run before [`Self::submit`], whatever its
    /// dependencies do. No later call for the job fails for lack of memory.
    ///
    /// # Errors
    /// Returns the payload with `Stale` (unknown entity), `Killed`, `Shutdown` or `NoMemory`.
    pub fn prepare(&mut self, entity: EntityId, payload: J) -> Result<JobId, (Error, J)> {
        if self.dead {
            return Err((Error::Shutdown, payload));
        }
        let Some(owner) = self.entities.get_mut(entity.0) else {
            return Err((Error::Stale, payload));
        };
        if owner.killed {
            return Err((Error::Killed, payload));
        }
        let job = Job {
            payload,
            entity,
            client: owner.client,
            slot: owner.slot,
            group: owner.group,
            state: State::Built,
            open: 0,
            failed_dependencies: 0,
            sequence: None,
            runs: 0,
            blames: 0,
            run_ns: 0,
            token: None,
            kept_since: None,
            holders: 0,
            outcome: Outcome::Cancelled,
            link: Link::NONE,
        };
        let id = self
            .jobs
            .insert(job)
            .map_err(|job| (Error::NoMemory, job.payload))?;
        owner.built.push_back(&mut self.jobs, id.index());
        owner.jobs.add();
        Ok(JobId(id))
    }

    /// Adds a dependency to a built job, which waits for one call of [`Self::dependency_done`].
    ///
    /// # Errors
    /// `Stale`, `Killed` if it has been cancelled, `Invalid` if it was submitted or has too many.
    pub fn add_dependency(&mut self, id: JobId) -> Result<(), Error> {
        self.must_be_built(id)?;
        let job = self.jobs.get_mut(id.0).ok_or(Error::Stale)?;
        job.open = job.open.checked_add(1).ok_or(Error::Invalid)?;
        Ok(())
    }

    /// Ends one dependency of a job. A failed one is counted; the job runs all the same. Ignores a
    /// job that is unknown or has been cancelled. Returns the slot if a job of it may start now.
    pub fn dependency_done(&mut self, id: JobId, result: Result<(), ()>) -> Option<usize> {
        let job = self.jobs.get_mut(id.0)?;
        job.open = job.open.checked_sub(1)?;
        if result.is_err() {
            // OVERFLOW: saturates; there is at most one for each of `open`, which is checked.
            job.failed_dependencies = job.failed_dependencies.saturating_add(1);
        }
        let (open, slot, entity) = (job.open, job.slot, job.entity.0.index());
        if open != 0 || job.state != State::Queued {
            return None;
        }
        self.refresh(entity).then_some(slot)
    }

    /// Queues a built job at the tail of its entity, which starts its jobs in this order.
    ///
    /// # Errors
    /// `Stale`, `Killed` if it has been cancelled, `Invalid` if it was submitted already.
    pub fn submit(&mut self, id: JobId) -> Result<(), Error> {
        self.must_be_built(id)?;
        let job = self.jobs.get_mut(id.0).ok_or(Error::Stale)?;
        job.state = State::Queued;
        let (index, entity) = (id.0.index(), job.entity.0.index());
        if let Some(owner) = self.entities.at_mut(entity) {
            owner.built.remove(&mut self.jobs, index);
            owner.queue.push_back(&mut self.jobs, index);
        }
        self.waiting.add();
        bump(&mut self.counters.submitted);
        self.refresh(entity);
        Ok(())
    }

    /// Removes a job that was not submitted and returns its payload. `None` if it was submitted or
    /// cancelled, or if it has a reader: then it ends `Cancelled` and `pop_done` returns it.
    pub fn abandon(&mut self, id: JobId) -> Option<J> {
        self.must_be_built(id).ok()?;
        let index = id.0.index();
        let job = self.jobs.get(id.0)?;
        let (entity, held) = (job.entity, job.holders != 0);
        self.entities
            .get_mut(entity.0)?
            .built
            .remove(&mut self.jobs, index);
        if held {
            self.finish(index, Outcome::Cancelled);
            return None;
        }
        let job = self.jobs.remove(id.0)?;
        self.job_gone(entity);
        Some(job.payload)
    }

    /// The payload of a job that has not been popped.
    pub fn job(&self, id: JobId) -> Option<&J> {
        self.jobs.get(id.0).map(|job| &job.payload)
    }

    /// The payload of a job that has not been popped, for writing.
    pub fn job_mut(&mut self, id: JobId) -> Option<&mut J> {
        self.jobs.get_mut(id.0).map(|job| &mut job.payload)
    }

    /// The state of a job; `None` if it is unknown or was popped.
    pub fn state(&self, id: JobId) -> Option<State> {
        self.jobs.get(id.0).map(|job| job.state)
    }

    /// The entity and the slot of a job.
    pub fn place_of(&self, id: JobId) -> Option<(EntityId, usize)> {
        self.jobs.get(id.0).map(|job| (job.entity, job.slot))
    }

    /// How many of a job's dependencies have failed so far.
    pub fn failed_dependencies(&self, id: JobId) -> Option<u32> {
        self.jobs.get(id.0).map(|job| job.failed_dependencies)
    }

    fn must_be_built(&self, id: JobId) -> Result<(), Error> {
        let job = self.jobs.get(id.0).ok_or(Error::Stale)?;
        let killed = || {
            self.entities
                .get(job.entity.0)
                .is_none_or(|owner| owner.killed)
        };
        match job.state {
            State::Built if killed() => Err(Error::Killed),
            State::Built => Ok(()),
            State::Done => Err(Error::Killed),
            State::Queued | State::Requeued | State::Running => Err(Error::Invalid),
        }
    }
}
