// SPDX-License-Identifier: BSD-2-Clause
//! One hardware slot: its jobs in flight, and a run queue per priority.
//!
//! The oldest job in flight in a slot is its head: only the head is charged run time and only the
//! head has a deadline.

use crate::array::{Arr, Storage};
use crate::count::Count;
use crate::heap::Heap;
use crate::list::List;
use crate::pool::NIL;
use crate::{JobId, Priority, Scheduler};

/// The properties of a hardware slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlotConfig {
    /// How many jobs the hardware takes at a time, at least 1.
    pub depth: u8,
    /// How long a job may be at the head of the slot, in ns; 0 is forever.
    pub timeout_ns: u64,
}

/// The run queue of one slot and priority.
pub(crate) struct RunQueue<S: Storage> {
    /// Groups with at least one ready entity.
    pub(crate) heap: Heap<S>,
    /// The number of groups of this queue; the heap has room for all of them.
    pub(crate) groups: Count,
    /// Requeued jobs, which start first, in the order of their first start.
    pub(crate) resume: List,
    /// The least virtual run time of a group that becomes ready again.
    pub(crate) floor: u128,
}

pub(crate) struct Slot<S: Storage> {
    pub(crate) config: SlotConfig,
    pub(crate) stopped: bool,
    /// Jobs in flight, oldest first.
    pub(crate) running: List,
    /// When the current head became head, in ns.
    pub(crate) head_since: u64,
    pub(crate) deadline: Option<u64>,
    queues: [RunQueue<S>; 3],
}

impl<S: Storage> Slot<S> {
    pub(crate) fn new(ctx: &S::Ctx, config: SlotConfig) -> Self {
        let queue = || RunQueue {
            heap: Heap::new(ctx),
            groups: Count::ZERO,
            resume: List::EMPTY,
            floor: 0,
        };
        Self {
            config,
            stopped: false,
            running: List::EMPTY,
            head_since: 0,
            deadline: None,
            queues: [queue(), queue(), queue()],
        }
    }

    pub(crate) fn queue(&self, priority: Priority) -> &RunQueue<S> {
        let [high, medium, low] = &self.queues;
        match priority {
            Priority::High => high,
            Priority::Medium => medium,
            Priority::Low => low,
        }
    }

    pub(crate) fn queue_mut(&mut self, priority: Priority) -> &mut RunQueue<S> {
        let [high, medium, low] = &mut self.queues;
        match priority {
            Priority::High => high,
            Priority::Medium => medium,
            Priority::Low => low,
        }
    }

    /// The highest priority with a job that may run.
    pub(crate) fn ready(&self) -> Option<Priority> {
        let by_priority = [Priority::High, Priority::Medium, Priority::Low];
        by_priority
            .into_iter()
            .zip(&self.queues)
            .find_map(|(priority, queue)| {
                let is_ready = !queue.resume.is_empty() || queue.heap.len() != 0;
                is_ready.then_some(priority)
            })
    }

    pub(crate) fn has_room(&self) -> bool {
        !self.stopped && self.running.len() < u32::from(self.config.depth)
    }
}

impl<J, S: Storage> Scheduler<J, S> {
    /// Jobs in flight in a slot, oldest (the head) first; at most as many as the slot is deep.
    pub fn running(&self, slot: usize) -> impl Iterator<Item = JobId> + '_ {
        let list = self
            .slots
            .get(slot)
            .map_or(List::EMPTY, |slot| slot.running);
        list.iter(&self.jobs)
            .filter_map(|index| self.jobs.id_at(index))
            .map(JobId)
    }

    /// The number of jobs in flight in a slot.
    pub fn in_flight(&self, slot: usize) -> u32 {
        self.slots.get(slot).map_or(0, |slot| slot.running.len())
    }

    /// Number of hardware slots.
    pub fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// Starts the time of a slot's new head.
    pub(crate) fn head_changed(&mut self, slot: usize, now_ns: u64) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.head_since = now_ns;
        }
        self.arm(slot, now_ns);
    }

    /// Removes a job from those in flight, charges its run time and starts the time of the next
    /// head. Returns the job's entity, for `unpark`.
    pub(crate) fn leave_hardware(&mut self, index: u32, now_ns: u64) -> u32 {
        let Some(job) = self.jobs.at_mut(index) else {
            return NIL;
        };
        let (place, group, entity) = (job.slot, job.group, job.entity.0.index());
        if let Some(owner) = self.entities.at_mut(entity) {
            owner.running.sub();
        }
        let Some(slot) = self.slots.get_mut(place) else {
            return entity;
        };
        let was_head = slot.running.head() == index;
        slot.running.remove(&mut self.jobs, index);
        if !was_head {
            return entity;
        }
        // OVERFLOW: saturates; a clock that steps back counts as no time passed.
        let ran_ns = now_ns.saturating_sub(slot.head_since);
        self.head_changed(place, now_ns);
        if let Some(job) = self.jobs.at_mut(index) {
            // OVERFLOW: an account; 2^64 ns are 584 years.
            job.run_ns = job.run_ns.saturating_add(ran_ns);
        }
        self.charge(group, ran_ns);
        entity
    }
}
