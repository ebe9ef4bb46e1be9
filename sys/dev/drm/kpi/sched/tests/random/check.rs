// SPDX-License-Identifier: BSD-2-Clause
//! Checks between two steps of a schedule, and after the last one.

use super::run::Run;
use drm_sched::State;

impl Run {
    pub(super) fn compare(&self) {
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
    pub(super) fn drain(&mut self) {
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
