// SPDX-License-Identifier: BSD-2-Clause
//! A frame costs the same after 100,000 jobs as after 1,000, with any number of idle entities.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests may stop at the first surprise"
)]

mod mock;

use drm_sched::{EntityId, Outcome, Priority};
use mock::Gpu;

/// Array accesses of one job from prepare to pop.
fn one_job(gpu: &mut Gpu, entity: EntityId, tag: u64) -> u64 {
    let before = gpu.meter.accesses.get();
    let work = gpu.work(tag, 1);
    let id = gpu
        .sched
        .prepare(entity, work)
        .map_err(|(error, _)| error)
        .unwrap();
    gpu.sched.add_dependency(id).unwrap();
    gpu.sched.submit(id).unwrap();
    gpu.sched.dependency_done(id, Ok(()));
    assert!(gpu.sched.next_deadline().is_none());
    assert_eq!(gpu.sched.next(0, gpu.now), Some(id));
    gpu.now += 10;
    assert!(gpu.sched.complete(id, Outcome::Done, gpu.now));
    assert_eq!(gpu.sched.pop_done().map(|job| job.payload.tag), Some(tag));
    gpu.meter.accesses.get() - before
}

#[test]
fn a_job_costs_the_same_with_uptime_and_with_idle_entities() {
    let mut costs = Vec::new();
    for idle in [1, 500] {
        let mut gpu = Gpu::new(&[2, 2, 2], 1000);
        let client = gpu.client();
        for n in 0..idle {
            // Half of the idle entities have a job that waits for a fence.
            let idle = gpu
                .sched
                .entity_new(client, n % 3, Priority::Medium)
                .unwrap();
            if n % 2 == 1 {
                let id = gpu.build(idle, u64::MAX, 1);
                gpu.sched.add_dependency(id).unwrap();
                gpu.sched.submit(id).unwrap();
            }
        }
        let entity = gpu.entity(0);
        for tag in 1..=100_000 {
            let cost = one_job(&mut gpu, entity, tag);
            if tag == 1000 || tag == 100_000 {
                costs.push(cost);
            }
        }
        gpu.check();
    }
    // A few more or less, by whether the job is the only one of its chunk.
    let least = costs.iter().min().unwrap();
    assert!(costs.iter().all(|cost| *cost <= least + 8), "{costs:?}");
    // A cell costs two accesses: its chunk, and the offset in it.
    assert!(costs[0] <= 150, "{costs:?}");
}

#[test]
fn nothing_grows_once_the_busiest_moment_has_passed() {
    let mut gpu = Gpu::new(&[2], 0);
    let entity = gpu.entity(0);
    for tag in 0..8 {
        gpu.submit(entity, tag, 1);
    }
    gpu.run_for(8);
    let grown = gpu.meter.pushes.get();
    for tag in 8..5000 {
        gpu.submit(entity, tag, 1);
        gpu.run_for(2);
        gpu.finished.clear();
    }
    assert_eq!(gpu.meter.pushes.get(), grown);
}

/// With `n` clients ready, a job costs O(log n).
#[test]
fn many_ready_clients_cost_a_logarithm() {
    let mut costs = Vec::new();
    for clients in [8_u64, 64, 512] {
        let mut gpu = Gpu::new(&[1], 0);
        let entities: Vec<_> = (0..clients).map(|_| gpu.entity(0)).collect();
        for entity in &entities {
            for tag in 0..4 {
                gpu.submit(*entity, tag, 1);
            }
        }
        let before = gpu.meter.accesses.get();
        for n in 0..clients {
            let id = gpu.sched.next(0, gpu.now).unwrap();
            gpu.now += 1 + n % 7;
            assert!(gpu.sched.complete(id, Outcome::Done, gpu.now));
            assert!(gpu.sched.pop_done().is_some());
        }
        costs.push((gpu.meter.accesses.get() - before) / clients);
    }
    // Three levels more in the heap for each step; two sift-downs of at most 6 accesses per level.
    assert!(
        costs[1] <= costs[0] + 36 && costs[2] <= costs[1] + 36,
        "{costs:?}"
    );
}

/// A client that queues many jobs and is closed does not keep the lock for long. Catches: a kill,
/// or the end of the job that the others wait for, that visits each of them.
#[test]
fn a_kill_costs_the_same_however_many_jobs_wait() {
    let mut costs = Vec::new();
    for count in [100, 20_000] {
        for running in [false, true] {
            let mut gpu = Gpu::new(&[1], 0);
            let (victim, other) = (gpu.entity(0), gpu.entity(0));
            let first = running.then(|| gpu.submit(victim, 0, 1));
            gpu.pump();
            for tag in 1..=count {
                gpu.submit(victim, tag, 1);
            }
            let mut most = 0;
            let mut cost = |gpu: &mut Gpu, act: &mut dyn FnMut(&mut Gpu)| {
                let before = gpu.meter.accesses.get();
                act(gpu);
                most = most.max(gpu.meter.accesses.get() - before);
            };
            cost(&mut gpu, &mut |gpu| {
                assert!(gpu.sched.entity_kill(victim, gpu.now))
            });
            gpu.check();
            if let Some(first) = first {
                assert!(
                    gpu.sched.pop_done().is_none(),
                    "they come after the one in the hardware"
                );
                cost(&mut gpu, &mut |gpu| {
                    assert!(gpu.sched.complete(first, Outcome::Done, gpu.now));
                });
                gpu.check();
            }
            // A job of another client ends: few of the killed entity's come before it.
            let theirs = gpu.submit(other, u64::MAX, 1);
            assert_eq!(gpu.sched.next(0, gpu.now), Some(theirs));
            assert!(gpu.sched.complete(theirs, Outcome::Done, gpu.now));
            let mut tags = Vec::new();
            loop {
                let mut tag = None;
                cost(&mut gpu, &mut |gpu| {
                    tag = gpu.sched.pop_done().map(|job| job.payload.tag)
                });
                let Some(tag) = tag else { break };
                tags.push(tag);
            }
            let place = tags.iter().position(|tag| *tag == u64::MAX).unwrap();
            assert!(place <= 40, "after {place} jobs of the killed entity");
            tags.remove(place);
            let own: Vec<u64> = (u64::from(!running)..=count).collect();
            assert_eq!(tags, own, "each once, in order");
            assert_eq!(
                gpu.sched.entity_jobs(victim),
                None,
                "freed with its last job"
            );
            gpu.check();
            costs.push(most);
        }
    }
    // Of the first two kills one, of the others all cancelled as many jobs as one call does.
    assert!(costs.iter().all(|cost| *cost <= 3_000), "{costs:?}");
}
