// SPDX-License-Identifier: BSD-2-Clause
//! The oracle: jobs, entities and clients in maps, all of which it visits each time.

use super::PRIORITIES;
use crate::mock::CONFIG;
use drm_sched::{EntityId, JobId, Outcome, Priority, State};
use std::collections::BTreeMap;

pub(super) struct OracleJob {
    pub(super) id: JobId,
    pub(super) entity: usize,
    pub(super) state: State,
    pub(super) open: u32,
    pub(super) failed: u32,
    /// Order of the last change of state; for `Running` the order in the hardware.
    pub(super) since: u64,
    pub(super) first_start: u64,
    pub(super) runs: u32,
    pub(super) blames: u32,
    pub(super) run_ns: u64,
    pub(super) holders: u32,
    pub(super) token: Option<u64>,
    pub(super) kept_since: Option<u64>,
    pub(super) outcome: Outcome,
    /// Cancelled, after a job of its entity that is in flight.
    pub(super) parked: bool,
}

pub(super) struct OracleEntity {
    pub(super) id: EntityId,
    pub(super) client: usize,
    pub(super) slot: usize,
    pub(super) priority: Priority,
    pub(super) killed: bool,
    pub(super) removed: bool,
    pub(super) ready_since: Option<u64>,
}

#[derive(Default, Clone, Copy)]
pub(super) struct Share {
    pub(super) vruntime: u128,
    /// Run time times 1024, never clamped.
    pub(super) charged: u128,
    pub(super) stamp: u64,
    pub(super) active: bool,
}

#[derive(Default)]
pub(super) struct Oracle {
    pub(super) depths: Vec<u8>,
    pub(super) timeouts: Vec<u64>,
    pub(super) weights: Vec<u32>,
    pub(super) entities: Vec<OracleEntity>,
    /// By tag. A job is removed when it is popped.
    pub(super) jobs: BTreeMap<u64, OracleJob>,
    /// By (client, slot, priority).
    pub(super) shares: BTreeMap<(usize, usize, Priority), Share>,
    pub(super) floors: BTreeMap<(usize, Priority), u128>,
    /// Per slot: the last known head, since when, and its deadline.
    pub(super) heads: Vec<(Option<u64>, u64, Option<u64>)>,
    pub(super) tick: u64,
    pub(super) stopped: bool,
    pub(super) dead: bool,
}

impl Oracle {
    pub(super) fn tick(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    pub(super) fn tags(&self, wanted: impl Fn(&OracleJob) -> bool) -> Vec<u64> {
        let mut tags: Vec<_> = self
            .jobs
            .iter()
            .filter(|(_, job)| wanted(job))
            .map(|(tag, _)| *tag)
            .collect();
        tags.sort_by_key(|tag| self.jobs[tag].since);
        tags
    }

    pub(super) fn running(&self, slot: usize) -> Vec<u64> {
        self.tags(|job| job.state == State::Running && self.entities[job.entity].slot == slot)
    }

    pub(super) fn set(&mut self, tag: u64, state: State) {
        let tick = self.tick();
        let job = self.jobs.get_mut(&tag).unwrap();
        job.state = state;
        job.since = tick;
    }

    /// Recomputes which entities are ready, after any change.
    pub(super) fn settle(&mut self, now: u64) {
        for entity in 0..self.entities.len() {
            let queue = self.tags(|job| job.state == State::Queued && job.entity == entity);
            let may = queue.first().is_some_and(|tag| self.jobs[tag].open == 0);
            if !may {
                self.entities[entity].ready_since = None;
            } else if self.entities[entity].ready_since.is_none() {
                let tick = self.tick();
                self.entities[entity].ready_since = Some(tick);
            }
        }
        for (key, share) in &mut self.shares {
            let (client, slot, priority) = *key;
            let mine =
                |e: &&OracleEntity| (e.client, e.slot, e.priority) == (client, slot, priority);
            let active = self
                .entities
                .iter()
                .filter(mine)
                .any(|e| e.ready_since.is_some());
            if active && !share.active {
                self.tick += 1;
                share.stamp = self.tick;
                share.vruntime = share
                    .vruntime
                    .max(*self.floors.get(&(slot, priority)).unwrap_or(&0));
            }
            share.active = active;
        }
        for slot in 0..self.depths.len() {
            let head = self.running(slot).first().copied();
            if self.heads[slot].0 != head {
                self.heads[slot] = (head, now, self.deadline(head, slot, now));
            }
        }
    }

    /// The deadline of a job that becomes the head now.
    pub(super) fn deadline(&self, head: Option<u64>, slot: usize, now: u64) -> Option<u64> {
        let killed = self.entities[self.jobs[&head?].entity].killed;
        let full = Some(self.timeouts[slot]).filter(|timeout| *timeout != 0);
        let grace = killed.then_some(CONFIG.grace_ns);
        full.into_iter().chain(grace).min().map(|time| now + time)
    }

    /// Whether a job of another client is ready or in flight in the slot of this one.
    pub(super) fn keeps_others(&self, tag: u64) -> bool {
        let mine = &self.entities[self.jobs[&tag].entity];
        self.jobs.values().any(|job| {
            let entity = &self.entities[job.entity];
            let waits = match job.state {
                State::Running | State::Requeued => true,
                State::Queued => entity.ready_since.is_some(),
                State::Built | State::Done => false,
            };
            waits && entity.slot == mine.slot && entity.client != mine.client
        })
    }

    pub(super) fn next(&mut self, slot: usize, now: u64) -> Option<u64> {
        if self.stopped || self.running(slot).len() >= usize::from(self.depths[slot]) {
            return None;
        }
        let tag = PRIORITIES
            .iter()
            .rev()
            .find_map(|p| self.resumed(slot, *p).or_else(|| self.fair(slot, *p)))?;
        self.set(tag, State::Running);
        let tick = self.tick;
        let job = self.jobs.get_mut(&tag).unwrap();
        job.runs += 1;
        if job.runs == 1 {
            job.first_start = tick;
        }
        self.settle(now);
        Some(tag)
    }

    pub(super) fn resumed(&self, slot: usize, priority: Priority) -> Option<u64> {
        let here = |job: &OracleJob| {
            let entity = &self.entities[job.entity];
            job.state == State::Requeued && (entity.slot, entity.priority) == (slot, priority)
        };
        self.tags(here)
            .into_iter()
            .min_by_key(|tag| self.jobs[tag].first_start)
    }

    pub(super) fn fair(&mut self, slot: usize, priority: Priority) -> Option<u64> {
        let active = self
            .shares
            .iter()
            .filter(|((_, s, p), share)| (*s, *p) == (slot, priority) && share.active);
        let (key, vruntime) = active
            .min_by_key(|(_, share)| (share.vruntime, share.stamp))
            .map(|(k, s)| (*k, s.vruntime))?;
        let floor = self.floors.entry((slot, priority)).or_default();
        *floor = vruntime.max(*floor);
        let ready = self
            .entities
            .iter()
            .enumerate()
            .filter(|(_, e)| (e.client, e.slot, e.priority) == key);
        let (entity, _) = ready
            .filter_map(|(n, e)| Some((n, e.ready_since?)))
            .min_by_key(|(_, since)| *since)?;
        self.entities[entity].ready_since = None;
        let tick = self.tick();
        self.shares.get_mut(&key).unwrap().stamp = tick;
        self.tags(|job| job.state == State::Queued && job.entity == entity)
            .first()
            .copied()
    }

    /// Charges a job that leaves the hardware.
    pub(super) fn leave(&mut self, tag: u64, now: u64) {
        let entity = self.jobs[&tag].entity;
        let (client, slot, priority) = (
            self.entities[entity].client,
            self.entities[entity].slot,
            self.entities[entity].priority,
        );
        if self.running(slot).first() == Some(&tag) {
            let ran = now - self.heads[slot].1;
            self.jobs.get_mut(&tag).unwrap().run_ns += ran;
            let share = self.shares.get_mut(&(client, slot, priority)).unwrap();
            let weight = u128::from(self.weights[client]);
            let before = share.charged / weight;
            share.charged += u128::from(ran) * 1024;
            share.vruntime += share.charged / weight - before;
        }
        self.set(tag, State::Built);
        self.settle_heads(now);
    }

    pub(super) fn settle_heads(&mut self, now: u64) {
        for slot in 0..self.depths.len() {
            let head = self.running(slot).first().copied();
            if self.heads[slot].0 != head {
                self.heads[slot] = (head, now, self.deadline(head, slot, now));
            }
        }
    }

    pub(super) fn finish(&mut self, tag: u64, outcome: Outcome) {
        self.set(tag, State::Done);
        self.jobs.get_mut(&tag).unwrap().outcome = outcome;
    }

    pub(super) fn again(&mut self, tag: u64) {
        let entity = self.jobs[&tag].entity;
        if self.dead || self.entities[entity].killed {
            self.finish(tag, Outcome::Cancelled);
        } else {
            self.set(tag, State::Requeued);
        }
    }

    pub(super) fn cancel_waiting(&mut self, entity: usize) {
        let mut tags = self.tags(|job| job.entity == entity && job.state == State::Requeued);
        tags.sort_by_key(|tag| self.jobs[tag].first_start);
        tags.extend(self.tags(|job| job.entity == entity && job.state == State::Queued));
        tags.extend(self.tags(|job| job.entity == entity && job.state == State::Built));
        for tag in tags {
            self.finish(tag, Outcome::Cancelled);
            self.jobs.get_mut(&tag).unwrap().parked = self.has_running(entity);
        }
    }

    pub(super) fn has_running(&self, entity: usize) -> bool {
        self.jobs
            .values()
            .any(|job| job.entity == entity && job.state == State::Running)
    }

    /// Parked jobs follow the last job of their entity that is in flight.
    pub(super) fn unpark(&mut self, entity: usize) {
        if self.has_running(entity) {
            return;
        }
        for tag in self.tags(|job| job.entity == entity && job.parked) {
            self.set(tag, State::Done);
            self.jobs.get_mut(&tag).unwrap().parked = false;
        }
    }

    pub(super) fn reset(&mut self, guilty: Option<u64>, outcome: Outcome, now: u64) -> u32 {
        if let Some(tag) = guilty {
            self.leave(tag, now);
            self.finish(tag, outcome);
            self.unpark(self.jobs[&tag].entity);
        }
        let mut again = 0;
        for slot in 0..self.depths.len() {
            for tag in self.running(slot) {
                self.leave(tag, now);
                let job = self.jobs.get_mut(&tag).unwrap();
                job.token = None;
                job.kept_since = None;
                let spent = job.blames >= CONFIG.max_blames;
                if spent && !self.dead && !self.entities[self.jobs[&tag].entity].killed {
                    self.finish(tag, Outcome::Failed(CONFIG.blame_errno));
                } else {
                    self.again(tag);
                    again += u32::from(self.jobs[&tag].state == State::Requeued);
                }
                self.unpark(self.jobs[&tag].entity);
            }
        }
        self.settle(now);
        again
    }

    pub(super) fn pop(&mut self) -> Option<(u64, OracleJob)> {
        let tag = *self
            .tags(|job| job.state == State::Done && job.holders == 0 && !job.parked)
            .first()?;
        let job = self.jobs.remove(&tag)?;
        let entity = &mut self.entities[job.entity];
        let left = self.jobs.values().any(|other| other.entity == job.entity);
        entity.removed |= entity.killed && !left;
        Some((tag, job))
    }

    pub(super) fn deadlines(&self) -> Vec<(u64, usize, u64)> {
        (0..self.depths.len())
            .filter_map(|slot| Some((self.heads[slot].2?, slot, self.heads[slot].0?)))
            .collect()
    }
}
