// SPDX-License-Identifier: BSD-2-Clause
//! Choice of the next job.
//!
//! Priorities are strict. Within a priority requeued jobs come first, then the client group with
//! the least virtual run time, and of that its entities in turn. Each step is O(1) or O(log
//! groups).

use crate::array::{Arr, Storage};
use crate::count::next_number;
use crate::counters::bump;
use crate::job::State;
use crate::list::prev_of;
use crate::pool::NIL;
use crate::{JobId, Outcome, Priority, Scheduler};

impl<J, S: Storage> Scheduler<J, S> {
    /// Picks the next job of a slot, which is in flight from `now_ns` on; `None` if the slot is
    /// full or stopped or no job is ready. The driver starts the job on the hardware before it
    /// releases the lock.
    pub fn next(&mut self, slot: usize, now_ns: u64) -> Option<JobId> {
        let place = self.slots.get(slot)?;
        if self.stopped || !place.has_room() {
            return None;
        }
        let priority = place.ready()?;
        let index = self
            .take_resumed(slot, priority)
            .or_else(|| self.take_fair(slot, priority))?;
        self.enter_hardware(index, slot, now_ns);
        self.jobs.id_at(index).map(JobId)
    }

    /// Whether a job of any slot waits to run.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_zero()
    }

    /// Whether `next` would pick a job.
    pub fn is_ready(&self, slot: usize) -> bool {
        let slot = self.slots.get(slot).filter(|slot| slot.has_room());
        !self.stopped && slot.is_some_and(|slot| slot.ready().is_some())
    }

    /// Returns a job in flight to its queue: it was second when the first failed, or it was
    /// soft-stopped. It starts again before all others of its slot and priority, requeued jobs
    /// among themselves in the order of their first start. A job of a killed entity ends
    /// `Cancelled`. Returns false if the job was not in flight.
    pub fn requeue(&mut self, id: JobId, now_ns: u64) -> bool {
        if self.state(id) != Some(State::Running) {
            return false;
        }
        let entity = self.leave_hardware(id.0.index(), now_ns);
        self.resume_or_cancel(id.0.index());
        self.unpark(entity);
        true
    }

    /// Puts a job that has left the hardware into the resume list, in the order of first starts, or
    /// cancels it if its entity was killed. The list has at most as many jobs as the slot is deep.
    pub(crate) fn resume_or_cancel(&mut self, index: u32) {
        let Some(job) = self.jobs.at_mut(index) else {
            return;
        };
        let killed = self
            .entities
            .get(job.entity.0)
            .is_none_or(|entity| entity.killed);
        if killed || self.dead {
            return self.finish(index, Outcome::Cancelled);
        }
        job.state = State::Requeued;
        let (sequence, slot, group) = (job.sequence, job.slot, job.group);
        let Some(priority) = self.groups.at(group).map(|group| group.priority) else {
            return;
        };
        let Some(slot) = self.slots.get_mut(slot) else {
            return;
        };
        let resume = &mut slot.queue_mut(priority).resume;
        let mut before = resume.tail();
        while before != NIL
            && self
                .jobs
                .at(before)
                .is_some_and(|other| other.sequence > sequence)
        {
            before = prev_of(&self.jobs, before);
        }
        resume.insert_after(&mut self.jobs, before, index);
        self.waiting.add();
        bump(&mut self.counters.resubmitted);
    }

    /// Puts an entity into its group's ready list if its first job may run. Returns true if it did.
    pub(crate) fn refresh(&mut self, index: u32) -> bool {
        let Some(entity) = self.entities.at_mut(index) else {
            return false;
        };
        let first_may_run = self
            .jobs
            .at(entity.queue.head())
            .is_some_and(|job| job.open == 0);
        if entity.ready || entity.killed || !first_may_run {
            return false;
        }
        entity.ready = true;
        let Some(group_index) = self.entities.at(index).map(|entity| entity.group) else {
            return false;
        };
        let Some(group) = self.groups.at_mut(group_index) else {
            return false;
        };
        group.ready.push_back(&mut self.entities, index);
        if group.position.is_none() {
            group.stamp = next_number(&mut self.stamp);
            if let Some(slot) = self.slots.get_mut(group.slot) {
                let queue = slot.queue_mut(group.priority);
                // A client that was idle has no claim on the time that others used.
                group.vruntime = group.vruntime.max(queue.floor);
                let key = group.key();
                queue.heap.push(key, group_index, &mut self.groups);
            }
        }
        true
    }

    /// Removes an entity from its group's ready list, and the group from its queue if that was the
    /// last.
    pub(crate) fn unready(&mut self, index: u32) {
        let Some(entity) = self.entities.at_mut(index).filter(|entity| entity.ready) else {
            return;
        };
        entity.ready = false;
        let group = entity.group;
        let Some(group) = self.groups.at_mut(group) else {
            return;
        };
        group.ready.remove(&mut self.entities, index);
        if !group.ready.is_empty() {
            return;
        }
        let (slot, priority) = (group.slot, group.priority);
        if let (Some(position), Some(slot)) = (group.position, self.slots.get_mut(slot)) {
            slot.queue_mut(priority)
                .heap
                .remove(position, &mut self.groups);
        }
    }

    fn take_resumed(&mut self, slot: usize, priority: Priority) -> Option<u32> {
        self.slots
            .get_mut(slot)?
            .queue_mut(priority)
            .resume
            .pop_front(&mut self.jobs)
    }

    fn take_fair(&mut self, slot: usize, priority: Priority) -> Option<u32> {
        let queue = self.slots.get_mut(slot)?.queue_mut(priority);
        let (key, group_index) = queue.heap.first()?;
        queue.floor = queue.floor.max(key.vruntime);
        let group = self.groups.at_mut(group_index)?;
        let entity_index = group.ready.pop_front(&mut self.entities)?;
        let entity = self.entities.at_mut(entity_index)?;
        let job = entity.queue.pop_front(&mut self.jobs)?;
        entity.ready = self
            .jobs
            .at(entity.queue.head())
            .is_some_and(|job| job.open == 0);
        if entity.ready {
            group.ready.push_back(&mut self.entities, entity_index);
        }
        if group.ready.is_empty() {
            queue.heap.remove(0, &mut self.groups);
        } else {
            // After groups with the same run time, so that equals take turns.
            group.stamp = next_number(&mut self.stamp);
            let key = group.key();
            queue.heap.update(0, key, &mut self.groups);
        }
        Some(job)
    }

    fn enter_hardware(&mut self, index: u32, slot: usize, now_ns: u64) {
        let sequence = self.sequence;
        if let Some(job) = self.jobs.at_mut(index) {
            if let Some(owner) = self.entities.get_mut(job.entity.0) {
                owner.running.add();
            }
            job.state = State::Running;
            // OVERFLOW: saturates; a report, and 2^32 runs take decades.
            job.runs = job.runs.saturating_add(1);
            if job.sequence.is_none() {
                job.sequence = Some(sequence);
                next_number(&mut self.sequence);
            }
        }
        self.waiting.sub();
        bump(&mut self.counters.started);
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.running.push_back(&mut self.jobs, index);
            if entry.running.head() != index {
                return;
            }
        }
        self.head_changed(slot, now_ns);
    }
}
