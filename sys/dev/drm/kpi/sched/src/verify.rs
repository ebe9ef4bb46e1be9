// SPDX-License-Identifier: BSD-2-Clause
//! Consistency check of the whole state, for tests and debuggers. Its cost is quadratic.

use crate::array::{Arr, Storage};
use crate::count::Count;
use crate::job::State;
use crate::list::{prev_of, List};
use crate::pool::NIL;
use crate::{JobId, Priority, Scheduler};

type Check = Result<(), &'static str>;

/// The number of `items`.
fn count<T>(items: impl Iterator<Item = T>) -> Count {
    let mut count = Count::ZERO;
    items.for_each(|_| count.add());
    count
}

/// The sum of two numbers of jobs.
fn sum(a: u32, b: u32) -> Result<u32, &'static str> {
    a.checked_add(b).ok_or("fewer jobs than 2^32")
}

fn ensure(holds: bool, rule: &'static str) -> Check {
    holds.then_some(()).ok_or(rule)
}

impl<J, S: Storage> Scheduler<J, S> {
    /// Checks every invariant of the scheduler.
    ///
    /// # Errors
    /// The invariant that does not hold.
    pub fn verify(&self) -> Result<(), &'static str> {
        let mut seen = self.verify_list(&self.done, State::Done)?;
        let mut waiting: u32 = 0;
        for index in 0..self.slots.len() {
            let (running, resumed) = self.verify_slot(index)?;
            seen = sum(sum(seen, running)?, resumed)?;
            waiting = sum(waiting, resumed)?;
        }
        for index in 0..self.entities.bound() {
            let (queued, built) = self.verify_entity(index)?;
            seen = sum(sum(seen, queued)?, built)?;
            waiting = sum(waiting, queued)?;
        }
        let held = (0..self.jobs.bound()).filter_map(|index| self.jobs.at(index));
        let held = held.filter(|job| job.state == State::Done && job.holders != 0);
        seen = sum(seen, count(held).get())?;
        ensure(
            seen == self.jobs.live(),
            "every job is in one list, or done and held",
        )?;
        ensure(waiting == self.waiting.get(), "waiting jobs are counted")?;
        self.verify_clients()
    }

    fn verify_list(&self, list: &List, state: State) -> Result<u32, &'static str> {
        let mut last = NIL;
        let mut length: u32 = 0;
        for index in list.iter(&self.jobs) {
            let job = self.jobs.at(index).ok_or("a list holds live jobs")?;
            ensure(job.state == state, "a job's state matches its list")?;
            ensure(
                state != State::Done || job.holders == 0,
                "no held job in the done list",
            )?;
            ensure(prev_of(&self.jobs, index) == last, "links agree both ways")?;
            last = index;
            length = sum(length, 1)?;
        }
        ensure(
            length == list.len() && last == list.tail(),
            "a list's length and tail are right",
        )?;
        Ok(length)
    }

    fn verify_slot(&self, index: usize) -> Result<(u32, u32), &'static str> {
        let slot = self.slots.get(index).ok_or("slot exists")?;
        let running = self.verify_list(&slot.running, State::Running)?;
        ensure(
            running <= u32::from(slot.config.depth),
            "no more in flight than the slot is deep",
        )?;
        let orphan = self.jobs.id_at(slot.running.head()).map(JobId);
        let orphan = orphan.is_some_and(|head| self.is_orphan(head));
        let timed = running != 0 && (orphan || slot.config.timeout_ns != 0);
        ensure(
            timed == slot.deadline.is_some(),
            "a timed head has a deadline",
        )?;
        let mut resumed: u32 = 0;
        for priority in [Priority::High, Priority::Medium, Priority::Low] {
            let queue = slot.queue(priority);
            resumed = sum(resumed, self.verify_list(&queue.resume, State::Requeued)?)?;
            let mut sequence = None;
            for job in queue
                .resume
                .iter(&self.jobs)
                .filter_map(|index| self.jobs.at(index))
            {
                ensure(job.sequence > sequence, "resumed jobs keep their order")?;
                sequence = job.sequence;
            }
            for position in 0..queue.heap.len() {
                let (key, member) = queue.heap.member(position).ok_or("heap is dense")?;
                let above = queue
                    .heap
                    .member(position.checked_sub(1).map_or(0, |before| before >> 1))
                    .ok_or("heap is dense")?;
                ensure(position == 0 || above.0 < key, "heap is ordered")?;
                let group = self.groups.at(member).ok_or("heap holds live groups")?;
                ensure(
                    group.position == Some(position) && group.key() == key,
                    "group knows its place",
                )?;
                ensure(
                    group.slot == index && group.priority == priority,
                    "group is in its own queue",
                )?;
                ensure(
                    !group.ready.is_empty(),
                    "group in the heap has a ready entity",
                )?;
            }
        }
        Ok((running, resumed))
    }

    fn verify_entity(&self, index: u32) -> Result<(u32, u32), &'static str> {
        let (Some(entity), Some(id)) = (self.entities.at(index), self.entities.id_at(index)) else {
            return Ok((0, 0));
        };
        let queued = self.verify_list(&entity.queue, State::Queued)?;
        let built = self.verify_list(&entity.built, State::Built)?;
        let eligible = self
            .jobs
            .at(entity.queue.head())
            .is_some_and(|job| job.open == 0);
        ensure(
            entity.ready == (eligible && !entity.killed),
            "an entity is ready if its first job may run",
        )?;
        let running = (0..self.jobs.bound()).filter_map(|index| self.jobs.at(index));
        let running = running.filter(|job| job.entity.0 == id && job.state == State::Running);
        ensure(
            count(running) == entity.running,
            "an entity counts its running jobs",
        )?;
        ensure(
            entity.parked.is_empty() || !entity.running.is_zero(),
            "jobs are parked only while others are in flight",
        )?;
        for parked in entity
            .parked
            .iter(&self.jobs)
            .filter_map(|index| self.jobs.at(index))
        {
            ensure(
                parked.state == State::Done && parked.holders != 0,
                "a parked job holds itself",
            )?;
        }
        let waits = queued != 0 || built != 0;
        ensure(
            entity.dying == (entity.killed && waits && entity.running.is_zero()),
            "a killed entity with jobs waiting is listed once the hardware has none",
        )?;
        let dying = self.dying.iter(&self.entities).any(|other| other == index);
        ensure(
            dying == entity.dying,
            "a dying entity is in the list of those",
        )?;
        let jobs = (0..self.jobs.bound()).filter_map(|index| self.jobs.at(index));
        let jobs = jobs.filter(|job| job.entity.0 == id);
        ensure(count(jobs) == entity.jobs, "an entity counts its jobs")?;
        ensure(
            !entity.killed || !entity.jobs.is_zero(),
            "a drained killed entity is freed",
        )?;
        let group = self
            .groups
            .at(entity.group)
            .ok_or("an entity has a group")?;
        let listed = group.ready.iter(&self.entities).any(|other| other == index);
        ensure(
            listed == entity.ready,
            "a ready entity is in its group's list",
        )?;
        ensure(
            !listed || group.position.is_some(),
            "a group with a ready entity is in the heap",
        )?;
        Ok((queued, built))
    }

    fn verify_clients(&self) -> Check {
        for id in (0..self.clients.bound()).filter_map(|index| self.clients.id_at(index)) {
            let client = self.clients.get(id).ok_or("client exists")?;
            let own = || {
                let all = (0..self.entities.bound()).filter_map(|index| self.entities.at(index));
                all.filter(|entity| entity.client.0 == id)
            };
            let killed = own().filter(|entity| entity.killed);
            ensure(
                count(own()) == client.entities,
                "a client counts its entities",
            )?;
            ensure(
                count(killed) == client.killed,
                "a client counts its killed entities",
            )?;
        }
        Ok(())
    }
}
