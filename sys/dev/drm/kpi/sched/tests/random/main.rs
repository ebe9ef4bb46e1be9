// SPDX-License-Identifier: BSD-2-Clause
//! Two thousand random schedules against an oracle without heap, list and pool: it keeps everything
//! in maps and visits everything each time.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests may stop at the first surprise"
)]

#[path = "../mock/mod.rs"]
mod mock;

use std::collections::BTreeMap;

use drm_sched::{ClientId, EntityId, Error, JobId, Outcome, Priority, State};
use mock::{Gpu, CONFIG};
use seeded::Random;

const SCHEDULES: u64 = 2000;
const STEPS: u32 = 150;
const PRIORITIES: [Priority; 3] = [Priority::Low, Priority::Medium, Priority::High];

struct OracleJob {
    id: JobId,
    entity: usize,
    state: State,
    open: u32,
    failed: u32,
    /// Order of the last change of state; for `Running` the order in the hardware.
    since: u64,
    first_start: u64,
    runs: u32,
    blames: u32,
    run_ns: u64,
    holders: u32,
    token: Option<u64>,
    kept_since: Option<u64>,
    outcome: Outcome,
    /// Cancelled, after a job of its entity that is in flight.
    parked: bool,
}

struct OracleEntity {
    id: EntityId,
    client: usize,
    slot: usize,
    priority: Priority,
    killed: bool,
    removed: bool,
    ready_since: Option<u64>,
}

#[derive(Default, Clone, Copy)]
struct Share {
    vruntime: u128,
    /// Run time times 1024, never clamped.
    charged: u128,
    stamp: u64,
    active: bool,
}

#[derive(Default)]
struct Oracle {
    depths: Vec<u8>,
    timeouts: Vec<u64>,
    weights: Vec<u32>,
    entities: Vec<OracleEntity>,
    /// By tag. A job is removed when it is popped.
    jobs: BTreeMap<u64, OracleJob>,
    /// By (client, slot, priority).
    shares: BTreeMap<(usize, usize, Priority), Share>,
    floors: BTreeMap<(usize, Priority), u128>,
    /// Per slot: the last known head, since when, and its deadline.
    heads: Vec<(Option<u64>, u64, Option<u64>)>,
    tick: u64,
    stopped: bool,
    dead: bool,
}

impl Oracle {
    fn tick(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    fn tags(&self, wanted: impl Fn(&OracleJob) -> bool) -> Vec<u64> {
        let mut tags: Vec<_> = self
            .jobs
            .iter()
            .filter(|(_, job)| wanted(job))
            .map(|(tag, _)| *tag)
            .collect();
        tags.sort_by_key(|tag| self.jobs[tag].since);
        tags
    }

    fn running(&self, slot: usize) -> Vec<u64> {
        self.tags(|job| job.state == State::Running && self.entities[job.entity].slot == slot)
    }

    fn set(&mut self, tag: u64, state: State) {
        let tick = self.tick();
        let job = self.jobs.get_mut(&tag).unwrap();
        job.state = state;
        job.since = tick;
    }

    /// Recomputes which entities are ready, after any change.
    fn settle(&mut self, now: u64) {
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
    fn deadline(&self, head: Option<u64>, slot: usize, now: u64) -> Option<u64> {
        let killed = self.entities[self.jobs[&head?].entity].killed;
        let full = Some(self.timeouts[slot]).filter(|timeout| *timeout != 0);
        let grace = killed.then_some(CONFIG.grace_ns);
        full.into_iter().chain(grace).min().map(|time| now + time)
    }

    /// Whether a job of another client is ready or in flight in the slot of this one.
    fn keeps_others(&self, tag: u64) -> bool {
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

    fn next(&mut self, slot: usize, now: u64) -> Option<u64> {
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

    fn resumed(&self, slot: usize, priority: Priority) -> Option<u64> {
        let here = |job: &OracleJob| {
            let entity = &self.entities[job.entity];
            job.state == State::Requeued && (entity.slot, entity.priority) == (slot, priority)
        };
        self.tags(here)
            .into_iter()
            .min_by_key(|tag| self.jobs[tag].first_start)
    }

    fn fair(&mut self, slot: usize, priority: Priority) -> Option<u64> {
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
    fn leave(&mut self, tag: u64, now: u64) {
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

    fn settle_heads(&mut self, now: u64) {
        for slot in 0..self.depths.len() {
            let head = self.running(slot).first().copied();
            if self.heads[slot].0 != head {
                self.heads[slot] = (head, now, self.deadline(head, slot, now));
            }
        }
    }

    fn finish(&mut self, tag: u64, outcome: Outcome) {
        self.set(tag, State::Done);
        self.jobs.get_mut(&tag).unwrap().outcome = outcome;
    }

    fn again(&mut self, tag: u64) {
        let entity = self.jobs[&tag].entity;
        if self.dead || self.entities[entity].killed {
            self.finish(tag, Outcome::Cancelled);
        } else {
            self.set(tag, State::Requeued);
        }
    }

    fn cancel_waiting(&mut self, entity: usize) {
        let mut tags = self.tags(|job| job.entity == entity && job.state == State::Requeued);
        tags.sort_by_key(|tag| self.jobs[tag].first_start);
        tags.extend(self.tags(|job| job.entity == entity && job.state == State::Queued));
        tags.extend(self.tags(|job| job.entity == entity && job.state == State::Built));
        for tag in tags {
            self.finish(tag, Outcome::Cancelled);
            self.jobs.get_mut(&tag).unwrap().parked = self.has_running(entity);
        }
    }

    fn has_running(&self, entity: usize) -> bool {
        self.jobs
            .values()
            .any(|job| job.entity == entity && job.state == State::Running)
    }

    /// Parked jobs follow the last job of their entity that is in flight.
    fn unpark(&mut self, entity: usize) {
        if self.has_running(entity) {
            return;
        }
        for tag in self.tags(|job| job.entity == entity && job.parked) {
            self.set(tag, State::Done);
            self.jobs.get_mut(&tag).unwrap().parked = false;
        }
    }

    fn reset(&mut self, guilty: Option<u64>, outcome: Outcome, now: u64) -> u32 {
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

    fn pop(&mut self) -> Option<(u64, OracleJob)> {
        let tag = *self
            .tags(|job| job.state == State::Done && job.holders == 0 && !job.parked)
            .first()?;
        let job = self.jobs.remove(&tag)?;
        let entity = &mut self.entities[job.entity];
        let left = self.jobs.values().any(|other| other.entity == job.entity);
        entity.removed |= entity.killed && !left;
        Some((tag, job))
    }

    fn deadlines(&self) -> Vec<(u64, usize, u64)> {
        (0..self.depths.len())
            .filter_map(|slot| Some((self.heads[slot].2?, slot, self.heads[slot].0?)))
            .collect()
    }
}

/// One schedule: the same calls to both must have the same results.
struct Run {
    gpu: Gpu,
    oracle: Oracle,
    rng: Random,
    clients: Vec<ClientId>,
    next_tag: u64,
    returned: Vec<u64>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut rng = Random::new(seed);
        let depths: Vec<u8> = (0..1 + rng.index(3))
            .map(|_| [1, 2, 2, 5][rng.index(4)])
            .collect();
        let timeout = [0, 20, 1000][rng.index(3)];
        let mut gpu = Gpu::new(&depths, timeout);
        let mut oracle = Oracle {
            timeouts: vec![timeout; depths.len()],
            heads: vec![(None, 0, None); depths.len()],
            depths,
            ..Oracle::default()
        };
        let clients = (0..1 + rng.index(4))
            .map(|_| {
                let weight = [1024, 1024, 512, 3000, 1][rng.index(5)];
                oracle.weights.push(weight);
                gpu.sched.client_new(weight).unwrap()
            })
            .collect();
        Self {
            gpu,
            oracle,
            rng,
            clients,
            next_tag: 0,
            returned: Vec::new(),
        }
    }

    fn any(&mut self, states: &[State]) -> Option<(u64, JobId)> {
        let tags = self.oracle.tags(|job| states.contains(&job.state));
        self.rng
            .pick(&tags)
            .copied()
            .map(|tag| (tag, self.oracle.jobs[&tag].id))
    }

    fn entity_new(&mut self) {
        let client = self.rng.index(self.clients.len());
        let slot = self.rng.index(self.oracle.depths.len());
        let priority = PRIORITIES[self.rng.index(3)];
        let made = self
            .gpu
            .sched
            .entity_new(self.clients[client], slot, priority);
        if self.oracle.dead {
            return assert_eq!(made, Err(Error::Shutdown));
        }
        self.oracle
            .shares
            .entry((client, slot, priority))
            .or_default();
        let (id, killed, removed) = (made.unwrap(), false, false);
        let ready_since = None;
        self.oracle.entities.push(OracleEntity {
            id,
            client,
            slot,
            priority,
            killed,
            removed,
            ready_since,
        });
    }

    fn prepare(&mut self) {
        if self.oracle.entities.is_empty() {
            return;
        }
        let entity = self.rng.index(self.oracle.entities.len());
        let (tag, known) = (self.next_tag, &self.oracle.entities[entity]);
        let work = self.gpu.work(tag, 1);
        let made = self
            .gpu
            .sched
            .prepare(known.id, work)
            .map_err(|(error, work)| (error, work.tag));
        if self.oracle.dead {
            return assert_eq!(made, Err((Error::Shutdown, tag)));
        } else if known.removed {
            return assert_eq!(made, Err((Error::Stale, tag)));
        } else if known.killed {
            return assert_eq!(made, Err((Error::Killed, tag)));
        }
        let id = made.unwrap();
        self.next_tag += 1;
        let open = self.rng.index(3) as u32 / 2;
        for _ in 0..open {
            self.gpu.sched.add_dependency(id).unwrap();
        }
        let since = self.oracle.tick();
        let job = OracleJob {
            id,
            entity,
            state: State::Built,
            open,
            failed: 0,
            since,
            first_start: 0,
            runs: 0,
            blames: 0,
            run_ns: 0,
            holders: 0,
            token: None,
            kept_since: None,
            parked: false,
            outcome: Outcome::Done,
        };
        self.oracle.jobs.insert(tag, job);
        if self.rng.index(4) != 0 {
            self.submit(tag, id);
        }
    }

    fn submit(&mut self, tag: u64, id: JobId) {
        assert_eq!(self.gpu.sched.submit(id), Ok(()));
        self.oracle.set(tag, State::Queued);
        self.oracle.settle(self.gpu.now);
    }

    fn dependency_done(&mut self) {
        let states = [State::Built, State::Queued, State::Done];
        let open = self
            .oracle
            .tags(|job| job.open != 0 && states.contains(&job.state));
        let Some(tag) = self.rng.pick(&open).copied() else {
            return;
        };
        let result = if self.rng.index(3) == 0 {
            Err(())
        } else {
            Ok(())
        };
        let entity = self.oracle.jobs[&tag].entity;
        let was = self.oracle.entities[entity].ready_since;
        let job = self.oracle.jobs.get_mut(&tag).unwrap();
        job.open -= 1;
        job.failed += u32::from(result.is_err());
        let id = job.id;
        self.oracle.settle(self.gpu.now);
        let now_ready = was.is_none() && self.oracle.entities[entity].ready_since.is_some();
        let slot = now_ready.then_some(self.oracle.entities[entity].slot);
        assert_eq!(self.gpu.sched.dependency_done(id, result), slot);
    }

    fn start(&mut self) {
        let slot = self.rng.index(self.oracle.depths.len());
        let wanted = self.oracle.next(slot, self.gpu.now);
        let got = self.gpu.sched.next(slot, self.gpu.now);
        assert_eq!(
            got.map(|id| self.gpu.sched.job(id).unwrap().tag),
            wanted,
            "what starts next"
        );
    }

    fn complete(&mut self) {
        let Some((tag, id)) = self.any(&[State::Running]) else {
            return;
        };
        // Mostly the head, as the hardware does; a ring may also end a later one.
        let slot = self.oracle.entities[self.oracle.jobs[&tag].entity].slot;
        let head = self.oracle.running(slot)[0];
        let (tag, id) = if self.rng.index(4) == 0 {
            (tag, id)
        } else {
            (head, self.oracle.jobs[&head].id)
        };
        let outcome = [
            Outcome::Done,
            Outcome::Done,
            Outcome::Failed(7),
            Outcome::TimedOut,
        ][self.rng.index(4)];
        assert!(self.gpu.sched.complete(id, outcome, self.gpu.now));
        self.oracle.leave(tag, self.gpu.now);
        self.oracle.finish(tag, outcome);
        self.oracle.unpark(self.oracle.jobs[&tag].entity);
        self.oracle.settle(self.gpu.now);
    }

    fn requeue(&mut self) {
        if let Some((tag, id)) = self.any(&[State::Running]) {
            assert!(self.gpu.sched.requeue(id, self.gpu.now));
            self.oracle.leave(tag, self.gpu.now);
            self.oracle.again(tag);
            self.oracle.unpark(self.oracle.jobs[&tag].entity);
            self.oracle.settle(self.gpu.now);
        }
    }

    fn kill(&mut self) {
        if self.oracle.entities.is_empty() {
            return;
        }
        let entity = self.rng.index(self.oracle.entities.len());
        let known = &mut self.oracle.entities[entity];
        assert_eq!(
            self.gpu.sched.entity_kill(known.id, self.gpu.now),
            !known.killed
        );
        let first = !known.killed;
        known.killed = true;
        self.oracle.cancel_waiting(entity);
        let slot = self.oracle.entities[entity].slot;
        let (head, _, deadline) = self.oracle.heads[slot];
        if first && head.is_some_and(|tag| self.oracle.jobs[&tag].entity == entity) {
            let end = self.gpu.now + CONFIG.grace_ns;
            self.oracle.heads[slot].2 = deadline.into_iter().chain([end]).min();
        }
        let left = self.oracle.jobs.values().any(|job| job.entity == entity);
        self.oracle.entities[entity].removed |= !left;
        self.oracle.settle(self.gpu.now);
    }

    fn abandon(&mut self) {
        if let Some((tag, id)) = self.any(&[State::Built]) {
            let got = self.gpu.sched.abandon(id);
            if self.oracle.jobs[&tag].holders != 0 {
                assert!(got.is_none());
                self.oracle.finish(tag, Outcome::Cancelled);
            } else {
                assert_eq!(got.map(|work| work.tag), Some(tag));
                self.oracle.jobs.remove(&tag);
                self.returned.push(tag);
            }
        }
    }

    fn readers(&mut self) {
        let held = self.oracle.tags(|job| job.holders != 0);
        if let Some(tag) = self
            .rng
            .pick(&held)
            .copied()
            .filter(|_| self.rng.index(16) < 9)
        {
            let job = self.oracle.jobs.get_mut(&tag).unwrap();
            job.holders -= 1;
            assert!(self.gpu.sched.release(job.id));
            if job.holders == 0 && job.state == State::Done && !job.parked {
                self.oracle.set(tag, State::Done);
            }
        } else if let Some((tag, id)) =
            self.any(&[State::Built, State::Queued, State::Running, State::Done])
        {
            assert!(self.gpu.sched.hold(id));
            self.oracle.jobs.get_mut(&tag).unwrap().holders += 1;
        }
    }

    fn reset(&mut self) {
        self.gpu.sched.stop();
        self.oracle.stopped = true;
        for _ in 0..self.rng.index(4) {
            if let Some((tag, id)) = self.any(&[State::Running]) {
                assert!(self.gpu.sched.blame(id));
                self.oracle.jobs.get_mut(&tag).unwrap().blames += 1;
            }
        }
        let guilty = if self.rng.index(2) == 0 {
            self.any(&[State::Running])
        } else {
            None
        };
        let wanted = self
            .oracle
            .reset(guilty.map(|job| job.0), Outcome::TimedOut, self.gpu.now);
        let got = self
            .gpu
            .sched
            .reset(guilty.map(|job| job.1), Outcome::TimedOut, self.gpu.now);
        assert_eq!(got, wanted, "how many run again");
        if self.rng.index(4) != 0 {
            self.gpu.sched.start();
            self.oracle.stopped = false;
        }
    }

    fn progress(&mut self) {
        let Some((tag, id)) = self.any(&[State::Running, State::Queued]) else {
            return;
        };
        let token = self.rng.index(9) as u64;
        let now = self.gpu.now;
        let slot = self.oracle.entities[self.oracle.jobs[&tag].entity].slot;
        let (head, _, deadline) = self.oracle.heads[slot];
        let killed = self.oracle.entities[self.oracle.jobs[&tag].entity].killed;
        let keeps = self.oracle.keeps_others(tag);
        let again = self.oracle.deadline(Some(tag), slot, now);
        let job = self.oracle.jobs.get_mut(&tag).unwrap();
        let kept = if keeps {
            job.kept_since.or(Some(now))
        } else {
            None
        };
        let wanted = if head != Some(tag) {
            false
        } else if deadline.is_none_or(|deadline| deadline > now) {
            true
        } else if job.token == Some(token)
            || killed
            || kept.is_some_and(|since| now - since >= CONFIG.patience_ns)
        {
            false
        } else {
            job.token = Some(token);
            job.kept_since = kept;
            self.oracle.heads[slot].2 = again;
            true
        };
        assert_eq!(self.gpu.sched.progress(id, token, now), wanted);
    }

    fn pop(&mut self) {
        for _ in 0..self.rng.index(4) {
            let (got, wanted) = (self.gpu.sched.pop_done(), self.oracle.pop());
            let got = got.map(|job| {
                self.returned.push(job.payload.tag);
                (
                    job.id,
                    job.payload.tag,
                    job.outcome,
                    job.run_ns,
                    job.runs,
                    job.failed_dependencies,
                )
            });
            let wanted = wanted
                .map(|(tag, job)| (job.id, tag, job.outcome, job.run_ns, job.runs, job.failed));
            assert_eq!(got, wanted, "what is given back");
        }
    }

    fn step(&mut self) {
        match self.rng.index(100) {
            0..=4 => self.entity_new(),
            5..=29 => self.prepare(),
            30..=33 => {
                if let Some((tag, id)) = self.any(&[State::Built]) {
                    self.submit(tag, id);
                }
            }
            34..=44 => self.dependency_done(),
            45..=62 => self.start(),
            63..=74 => self.complete(),
            75..=77 => self.requeue(),
            78 => self.kill(),
            79 => self.abandon(),
            80..=83 => self.readers(),
            84 => self.reset(),
            85..=88 => self.progress(),
            89..=91 => {
                self.gpu.sched.start();
                self.oracle.stopped = false;
            }
            _ => self.pop(),
        }
        self.gpu.now += self.rng.index(30) as u64;
    }

    fn compare(&self) {
        self.gpu.check();
        let sched = &self.gpu.sched;
        assert_eq!(sched.live_jobs() as usize, self.oracle.jobs.len());
        for (tag, job) in &self.oracle.jobs {
            assert_eq!(sched.state(job.id), Some(job.state), "job {tag}");
            assert_eq!(sched.job(job.id).map(|work| work.tag), Some(*tag));
        }
        for slot in 0..self.oracle.depths.len() {
            let running: Vec<_> = sched
                .running(slot)
                .map(|id| sched.job(id).unwrap().tag)
                .collect();
            assert_eq!(running, self.oracle.running(slot));
        }
        let deadlines = self.oracle.deadlines();
        assert_eq!(
            sched.next_deadline(),
            deadlines.iter().map(|(at, _, _)| *at).min()
        );
        let late = deadlines.iter().filter(|(at, _, _)| *at <= self.gpu.now);
        let late = late.min_by_key(|(at, _, _)| *at);
        let got = sched
            .expired(self.gpu.now)
            .map(|(slot, id)| (slot, sched.job(id).unwrap().tag));
        assert_eq!(got, late.map(|(_, slot, tag)| (*slot, *tag)));
        for entity in &self.oracle.entities {
            assert_eq!(sched.entity_jobs(entity.id).is_none(), entity.removed);
        }
        let idle = [State::Queued, State::Requeued, State::Running];
        assert_eq!(
            sched.is_idle(),
            !self
                .oracle
                .jobs
                .values()
                .any(|job| idle.contains(&job.state))
        );
    }

    /// Ends everything: half of the schedules by shutdown, half by running it all.
    fn drain(&mut self) {
        let held: Vec<_> = self.oracle.tags(|job| job.holders != 0);
        for tag in held {
            while self.oracle.jobs[&tag].holders != 0 {
                let job = self.oracle.jobs.get_mut(&tag).unwrap();
                job.holders -= 1;
                assert!(self.gpu.sched.release(job.id));
                if job.holders == 0 && job.state == State::Done && !job.parked {
                    self.oracle.set(tag, State::Done);
                }
            }
        }
        if self.rng.index(2) == 0 {
            self.gpu.sched.shutdown();
            self.oracle.dead = true;
            // The scheduler visits entities by index, and killed ones have nothing to cancel.
            let mut order: Vec<_> = (0..self.oracle.entities.len()).collect();
            order.retain(|entity| !self.oracle.entities[*entity].killed);
            order.sort_by_key(|entity| self.oracle.entities[*entity].id.to_bits() & 0xffff_ffff);
            for entity in order {
                self.oracle.cancel_waiting(entity);
            }
            self.oracle.settle(self.gpu.now);
            self.compare();
            for _ in 0..5 {
                self.prepare();
                self.entity_new();
                self.requeue();
            }
            self.compare();
        } else {
            for tag in self.oracle.tags(|job| job.state == State::Built) {
                let id = self.oracle.jobs[&tag].id;
                self.submit(tag, id);
            }
        }
        self.gpu.sched.start();
        self.oracle.stopped = false;
        let mut rounds = 0;
        while !self.oracle.jobs.is_empty() {
            self.dependency_done();
            self.start();
            self.complete();
            self.pop();
            self.gpu.now += self.rng.index(30) as u64;
            rounds += 1;
            assert!(rounds < 20_000, "drains");
        }
        self.compare();
        self.returned.sort_unstable();
        assert_eq!(
            self.returned,
            (0..self.next_tag).collect::<Vec<_>>(),
            "each job once"
        );
        assert_eq!(self.gpu.payloads(), 0, "no payload leaked");
        let stats = self.gpu.sched.counters();
        let resumed_ends = stats.completed + stats.failed + stats.cancelled + stats.timed_out;
        assert!(resumed_ends <= self.next_tag && stats.submitted <= self.next_tag);
        assert!(stats.started >= stats.completed + stats.failed + stats.timed_out);
        for entity in self.oracle.entities.iter().filter(|entity| !entity.killed) {
            assert_eq!(self.gpu.sched.entity_free(entity.id), Ok(()));
        }
        for client in &self.clients {
            assert_eq!(self.gpu.sched.client_free(*client), Ok(()));
        }
    }
}

#[test]
fn two_thousand_schedules_agree_with_the_oracle() {
    let (mut jobs, mut reruns, mut given_up) = (0, 0, 0);
    for seed in 0..SCHEDULES {
        let mut run = Run::new(seed);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..STEPS {
                run.step();
                run.compare();
            }
            run.drain();
        }));
        if let Err(cause) = outcome {
            println!("schedule {seed} differs");
            std::panic::resume_unwind(cause);
        }
        jobs += run.next_tag;
        reruns += run.gpu.sched.counters().resubmitted;
        given_up += run.gpu.sched.counters().failed;
    }
    // The schedules must have covered these cases.
    assert!(
        jobs > SCHEDULES * 10 && reruns > SCHEDULES && given_up > SCHEDULES,
        "{jobs} {reruns} {given_up}"
    );
}
