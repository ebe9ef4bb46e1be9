// SPDX-License-Identifier: BSD-2-Clause
//! A schedule: the same calls to the scheduler and to the oracle, whose results are compared.

use super::oracle::{Oracle, OracleEntity, OracleJob};
use super::PRIORITIES;
use crate::mock::{Gpu, CONFIG};
use drm_sched::{ClientId, Error, JobId, Outcome, State};
use seeded::Random;

/// One schedule: the same calls to both must have the same results.
pub(super) struct Run {
    pub(super) gpu: Gpu,
    pub(super) oracle: Oracle,
    pub(super) rng: Random,
    pub(super) clients: Vec<ClientId>,
    pub(super) next_tag: u64,
    pub(super) returned: Vec<u64>,
}

impl Run {
    pub(super) fn new(seed: u64) -> Self {
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

    pub(super) fn any(&mut self, states: &[State]) -> Option<(u64, JobId)> {
        let tags = self.oracle.tags(|job| states.contains(&job.state));
        self.rng
            .pick(&tags)
            .copied()
            .map(|tag| (tag, self.oracle.jobs[&tag].id))
    }

    pub(super) fn entity_new(&mut self) {
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

    pub(super) fn prepare(&mut self) {
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

    pub(super) fn submit(&mut self, tag: u64, id: JobId) {
        assert_eq!(self.gpu.sched.submit(id), Ok(()));
        self.oracle.set(tag, State::Queued);
        self.oracle.settle(self.gpu.now);
    }

    pub(super) fn dependency_done(&mut self) {
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

    pub(super) fn start(&mut self) {
        let slot = self.rng.index(self.oracle.depths.len());
        let wanted = self.oracle.next(slot, self.gpu.now);
        let got = self.gpu.sched.next(slot, self.gpu.now);
        assert_eq!(
            got.map(|id| self.gpu.sched.job(id).unwrap().tag),
            wanted,
            "what starts next"
        );
    }

    pub(super) fn complete(&mut self) {
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

    pub(super) fn requeue(&mut self) {
        if let Some((tag, id)) = self.any(&[State::Running]) {
            assert!(self.gpu.sched.requeue(id, self.gpu.now));
            self.oracle.leave(tag, self.gpu.now);
            self.oracle.again(tag);
            self.oracle.unpark(self.oracle.jobs[&tag].entity);
            self.oracle.settle(self.gpu.now);
        }
    }

    pub(super) fn kill(&mut self) {
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

    pub(super) fn abandon(&mut self) {
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

    pub(super) fn readers(&mut self) {
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

    pub(super) fn reset(&mut self) {
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

    pub(super) fn progress(&mut self) {
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

    pub(super) fn pop(&mut self) {
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

    pub(super) fn step(&mut self) {
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
}
