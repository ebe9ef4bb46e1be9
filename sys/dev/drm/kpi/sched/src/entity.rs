// SPDX-License-Identifier: BSD-2-Clause
//! Entities: ordered job queues of a client.
//!
//! An entity is either freed by `entity_free` once it is empty, or killed: then it is freed when
//! its last job is popped from the done list.

use crate::array::{Arr, Storage};
use crate::count::Count;
use crate::list::{next_of, Link, Linked, List};
use crate::pool::NIL;
use crate::{ClientId, EntityId, Error, JobId, Priority, Scheduler};

pub(crate) struct Entity {
    pub(crate) client: ClientId,
    pub(crate) group: u32,
    pub(crate) slot: usize,
    pub(crate) priority: Priority,
    /// Submitted jobs in order.
    pub(crate) queue: List,
    /// Prepared, not yet submitted jobs in order.
    pub(crate) built: List,
    /// All jobs that have not been popped from the done list.
    pub(crate) jobs: Count,
    /// Jobs in flight.
    pub(crate) running: Count,
    /// Cancelled jobs that wait for those in flight, in order; each is its own reader.
    pub(crate) parked: List,
    /// In the ready list of its group.
    pub(crate) ready: bool,
    pub(crate) killed: bool,
    /// In the scheduler's list of entities with jobs to cancel: killed, and without jobs in flight.
    pub(crate) dying: bool,
    /// Link in the ready list or in that one.
    link: Link,
}

/// Jobs that one call cancels: the others of a killed entity follow with calls of `pop_done`.
const CANCELLED_AT_ONCE: u32 = 32;

impl Linked for Entity {
    fn link(&self) -> &Link {
        &self.link
    }
    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

impl<J, S: Storage> Scheduler<J, S> {
    /// Adds an entity that feeds one slot at one priority.
    ///
    /// # Errors
    /// `Invalid` for an unknown slot, `Stale` for an unknown client, `Shutdown`, `NoMemory`.
    pub fn entity_new(
        &mut self,
        client: ClientId,
        slot: usize,
        priority: Priority,
    ) -> Result<EntityId, Error> {
        if self.dead {
            return Err(Error::Shutdown);
        }
        if slot >= self.slots.len() {
            return Err(Error::Invalid);
        }
        self.entities.reserve().map_err(|()| Error::NoMemory)?;
        let group = self.group_for(client, slot, priority)?;
        let entity = Entity {
            client,
            group,
            slot,
            priority,
            queue: List::EMPTY,
            built: List::EMPTY,
            jobs: Count::ZERO,
            running: Count::ZERO,
            parked: List::EMPTY,
            ready: false,
            killed: false,
            dying: false,
            link: Link::NONE,
        };
        let id = self.entities.insert(entity).map_err(|_| Error::NoMemory)?;
        if let Some(owner) = self.clients.get_mut(client.0) {
            owner.entities.add();
        }
        Ok(EntityId(id))
    }

    /// Frees an entity that has no jobs; those in the done list count.
    ///
    /// # Errors
    /// `Stale` for an unknown entity, `Busy` if it has a job.
    pub fn entity_free(&mut self, id: EntityId) -> Result<(), Error> {
        let entity = self.entities.get(id.0).ok_or(Error::Stale)?;
        if !entity.jobs.is_zero() {
            return Err(Error::Busy);
        }
        self.entity_remove(id);
        Ok(())
    }

    /// Cancels all jobs that are not in flight: requeued ones first, then the queue, then jobs
    /// never submitted, each in order. `pop_done` returns them after the entity's jobs in flight,
    /// so an entity's jobs end in the order in which they were submitted. Jobs in flight (see
    /// [`Self::running_of`]) stay there until they are completed, for at most `Config::grace_ns` at
    /// the head of their slot; the entity is freed when its last job is popped. The cost does not
    /// depend on the number of jobs: this cancels a few, and the others are `Queued` or `Built`
    /// until [`Self::pop_done`] reaches them. Returns false for an entity that is unknown or killed
    /// already.
    pub fn entity_kill(&mut self, id: EntityId, now_ns: u64) -> bool {
        let Some(entity) = self.entities.get_mut(id.0).filter(|entity| !entity.killed) else {
            return false;
        };
        entity.killed = true;
        let client = entity.client;
        if let Some(owner) = self.clients.get_mut(client.0) {
            owner.killed.add();
        }
        self.unready(id.0.index());
        self.cancel_resumed(id.0.index());
        self.cancel_some(id.0.index());
        self.hurry(id, now_ns);
        self.entity_reap(id);
        true
    }

    /// Jobs of an entity that are in flight, oldest first, for the driver to hard-stop.
    pub fn running_of(&self, id: EntityId) -> impl Iterator<Item = JobId> + '_ {
        let slot = self
            .entities
            .get(id.0)
            .map_or(usize::MAX, |entity| entity.slot);
        self.running(slot)
            .filter(move |job| self.jobs.get(job.0).is_some_and(|job| job.entity == id))
    }

    /// The number of jobs of an entity that have not been popped from the done list; `None` for an
    /// unknown entity.
    pub fn entity_jobs(&self, id: EntityId) -> Option<u32> {
        self.entities.get(id.0).map(|entity| entity.jobs.get())
    }

    /// Cancels every job of an entity that is not in flight.
    pub(crate) fn cancel_waiting(&mut self, index: u32) {
        self.unready(index);
        self.cancel_resumed(index);
        if let Some(entity) = self.entities.at_mut(index).filter(|entity| entity.dying) {
            entity.dying = false;
            self.dying.remove(&mut self.entities, index);
        }
        while let Some(job) = self.pop_waiting(index) {
            self.cancel(job);
        }
    }

    /// Removes the next job of an entity that has not been started.
    fn pop_waiting(&mut self, index: u32) -> Option<u32> {
        let entity = self.entities.at_mut(index)?;
        let queued = entity.queue.pop_front(&mut self.jobs);
        queued.or_else(|| entity.built.pop_front(&mut self.jobs))
    }

    /// Cancels some jobs of a killed entity, and lists it if it has more.
    fn cancel_some(&mut self, index: u32) {
        for _ in 0..CANCELLED_AT_ONCE {
            let Some(job) = self.pop_waiting(index) else {
                return;
            };
            self.cancel(job);
        }
        self.list_dying(index);
    }

    /// Lists a killed entity that has jobs to cancel, unless it has jobs in flight, which end
    /// first.
    pub(crate) fn list_dying(&mut self, index: u32) {
        let Some(entity) = self.entities.at_mut(index) else {
            return;
        };
        let waits = !entity.queue.is_empty() || !entity.built.is_empty();
        if entity.killed && !entity.dying && waits && entity.running.is_zero() {
            entity.dying = true;
            self.dying.push_back(&mut self.entities, index);
        }
    }

    /// Cancels some jobs of the entity that has been listed longest. Returns false if none is
    /// listed.
    pub(crate) fn cancel_dying(&mut self) -> bool {
        let Some(index) = self.dying.pop_front(&mut self.entities) else {
            return false;
        };
        if let Some(entity) = self.entities.at_mut(index) {
            entity.dying = false;
        }
        self.cancel_some(index);
        true
    }

    /// Cancels an entity's requeued jobs. The resume list is shared by a queue's entities, but
    /// never longer than the slot is deep.
    fn cancel_resumed(&mut self, index: u32) {
        let Some(entity) = self.entities.at(index) else {
            return;
        };
        let (slot, priority) = (entity.slot, entity.priority);
        let mut cursor = self
            .slots
            .get(slot)
            .map_or(NIL, |slot| slot.queue(priority).resume.head());
        while cursor != NIL {
            let next = next_of(&self.jobs, cursor);
            if self
                .jobs
                .at(cursor)
                .is_some_and(|job| job.entity.0.index() == index)
            {
                if let Some(slot) = self.slots.get_mut(slot) {
                    slot.queue_mut(priority)
                        .resume
                        .remove(&mut self.jobs, cursor);
                }
                self.cancel(cursor);
            }
            cursor = next;
        }
    }

    /// Frees a killed entity that has no jobs.
    pub(crate) fn entity_reap(&mut self, id: EntityId) {
        if self
            .entities
            .get(id.0)
            .is_some_and(|entity| entity.killed && entity.jobs.is_zero())
        {
            self.entity_remove(id);
        }
    }

    fn entity_remove(&mut self, id: EntityId) {
        let Some(entity) = self.entities.remove(id.0) else {
            return;
        };
        if let Some(client) = self.clients.get_mut(entity.client.0) {
            client.entities.sub();
            if entity.killed {
                client.killed.sub();
            }
        }
        self.client_reap(entity.client);
    }
}
