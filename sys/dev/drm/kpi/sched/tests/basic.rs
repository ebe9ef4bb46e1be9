// SPDX-License-Identifier: BSD-2-Clause
//! The life of a job, order of starts, priorities, failing calls and failing memory.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests may stop at the first surprise"
)]

mod mock;

use std::rc::Rc;

use drm_sched::{EntityId, Error, JobId, Outcome, Priority, SlotConfig, State, WEIGHT_DEFAULT};
use mock::{Gpu, Meter, Sched, CONFIG};

#[test]
fn one_job_goes_through_every_state() {
    let mut gpu = Gpu::new(&[1], 100);
    let entity = gpu.entity(0);
    let id = gpu.build(entity, 7, 10);
    assert_eq!(gpu.sched.state(id), Some(State::Built));
    assert_eq!(gpu.sched.next(0, gpu.now), None);
    gpu.sched.submit(id).unwrap();
    assert_eq!(gpu.sched.state(id), Some(State::Queued));
    assert!(!gpu.sched.is_idle());
    assert_eq!(gpu.sched.next(0, gpu.now), Some(id));
    assert_eq!(gpu.sched.state(id), Some(State::Running));
    assert_eq!(gpu.sched.in_flight(0), 1);
    assert!(gpu.sched.complete(id, Outcome::Done, gpu.now + 10));
    assert_eq!(gpu.sched.state(id), Some(State::Done));
    assert!(!gpu.sched.complete(id, Outcome::Done, gpu.now + 11));
    let done = gpu.sched.pop_done().unwrap();
    assert_eq!((done.id, done.payload.tag, done.entity), (id, 7, entity));
    assert_eq!(
        (done.outcome, done.run_ns, done.runs),
        (Outcome::Done, 10, 1)
    );
    assert!(gpu.sched.pop_done().is_none());
    assert_eq!(gpu.sched.state(id), None);
    assert!(gpu.sched.is_idle());
    gpu.check();
}

#[test]
fn starts_follow_submits_for_every_depth_and_number_of_entities() {
    for depth in [1_u8, 2, 4, 16] {
        for entities in [1_u64, 2, 5, 17] {
            let mut gpu = Gpu::new(&[depth], 0);
            let ids: Vec<_> = (0..entities).map(|_| gpu.entity(0)).collect();
            for round in 0..6 {
                for (entity, id) in (0..).zip(&ids) {
                    gpu.submit(*id, entity * 100 + round, 5);
                }
            }
            gpu.pump();
            assert_eq!(
                u64::from(gpu.sched.in_flight(0)),
                u64::from(depth).min(6 * entities)
            );
            gpu.run_for(5 * 6 * entities);
            assert_eq!(
                gpu.finished.len() as u64,
                6 * entities,
                "depth {depth}, {entities} entities"
            );
            for entity in 0..entities {
                let own: Vec<_> = gpu
                    .starts
                    .iter()
                    .copied()
                    .filter(|tag| tag / 100 == entity)
                    .collect();
                assert_eq!(
                    own,
                    (0..6).map(|round| entity * 100 + round).collect::<Vec<_>>()
                );
            }
            assert!(gpu.sched.is_idle());
            gpu.check();
        }
    }
}

#[test]
fn order_is_that_of_submits_not_of_prepares() {
    let mut gpu = Gpu::new(&[1], 0);
    let entity = gpu.entity(0);
    let late = gpu.build(entity, 1, 1);
    let early = gpu.build(entity, 2, 1);
    gpu.sched.submit(early).unwrap();
    gpu.sched.submit(late).unwrap();
    gpu.run_for(10);
    assert_eq!(gpu.starts, [2, 1]);
}

#[test]
fn higher_priority_goes_first() {
    let mut gpu = Gpu::new(&[1], 0);
    let client = gpu.client();
    for (tag, priority) in [
        (1, Priority::Low),
        (2, Priority::Medium),
        (3, Priority::High),
    ] {
        let entity = gpu.sched.entity_new(client, 0, priority).unwrap();
        gpu.submit(entity, tag, 1);
        gpu.submit(entity, tag + 10, 1);
    }
    gpu.run_for(10);
    assert_eq!(gpu.starts, [3, 13, 2, 12, 1, 11]);
}

#[test]
fn slots_are_independent() {
    let mut gpu = Gpu::new(&[1, 2, 1], 0);
    for slot in 0..3 {
        let entity = gpu.entity(slot);
        for n in 0..3 {
            gpu.submit(entity, slot as u64 * 10 + n, 10);
        }
    }
    gpu.sched.stop_slot(2);
    gpu.pump();
    assert_eq!(
        (0..4)
            .map(|slot| gpu.sched.in_flight(slot))
            .collect::<Vec<_>>(),
        [1, 2, 0, 0]
    );
    gpu.sched.start_slot(2);
    gpu.run_for(30);
    assert_eq!(gpu.finished.len(), 9);
    assert!(!gpu.sched.stop_slot(3) && !gpu.sched.start_slot(3));
    gpu.check();
}

#[test]
fn a_ring_may_complete_out_of_order() {
    let mut gpu = Gpu::new(&[4], 100);
    let entity = gpu.entity(0);
    let ids: Vec<_> = (0..5).map(|tag| gpu.submit(entity, tag, 0)).collect();
    gpu.pump();
    assert!(gpu.sched.complete(ids[2], Outcome::Done, 1010));
    assert_eq!(gpu.sched.next_deadline(), Some(1100));
    assert_eq!(gpu.sched.next(0, 1010), Some(ids[4]));
    assert!(gpu.sched.complete(ids[0], Outcome::Done, 1050));
    assert_eq!(gpu.sched.next_deadline(), Some(1150));
    gpu.collect();
    let times: Vec<_> = gpu
        .finished
        .iter()
        .map(|job| (job.payload.tag, job.run_ns))
        .collect();
    assert_eq!(times, [(2, 0), (0, 50)]);
    assert_eq!(
        gpu.sched.running(0).collect::<Vec<_>>(),
        [ids[1], ids[3], ids[4]]
    );
    gpu.check();
}

#[test]
fn wrong_calls_are_refused_and_change_nothing() {
    let meter = Rc::new(Meter::default());
    let slot = SlotConfig {
        depth: 1,
        timeout_ns: 0,
    };
    assert_eq!(Sched::new(&meter, &[], CONFIG).err(), Some(Error::Invalid));
    assert_eq!(
        Sched::new(&meter, &[SlotConfig { depth: 0, ..slot }], CONFIG).err(),
        Some(Error::Invalid)
    );
    let never = drm_sched::Config {
        max_blames: 0,
        ..CONFIG
    };
    assert_eq!(
        Sched::new(&meter, &[slot], never).err(),
        Some(Error::Invalid)
    );

    let mut gpu = Gpu::new(&[1], 0);
    assert_eq!(gpu.sched.client_new(0), Err(Error::Invalid));
    let client = gpu.client();
    assert_eq!(
        gpu.sched.entity_new(client, 1, Priority::Low),
        Err(Error::Invalid)
    );
    let entity = gpu.sched.entity_new(client, 0, Priority::Low).unwrap();
    let id = gpu.submit(entity, 1, 1);
    assert_eq!(gpu.sched.submit(id), Err(Error::Invalid));
    assert_eq!(gpu.sched.add_dependency(id), Err(Error::Invalid));
    assert!(gpu.sched.abandon(id).is_none());
    assert!(!gpu.sched.complete(id, Outcome::Done, 0));
    assert!(!gpu.sched.requeue(id, 0));
    assert!(!gpu.sched.release(id));
    assert_eq!(gpu.sched.dependency_done(id, Ok(())), None);
    assert_eq!(gpu.sched.next(9, 0), None);
    assert_eq!(gpu.sched.entity_free(entity), Err(Error::Busy));
    assert_eq!(gpu.sched.client_free(client), Err(Error::Busy));
    for stale in [
        JobId::from_bits(0),
        JobId::from_bits(id.to_bits() + (1 << 32)),
        JobId::from_bits(u64::MAX),
    ] {
        assert_eq!(gpu.sched.state(stale), None);
        assert_eq!(gpu.sched.submit(stale), Err(Error::Stale));
        assert_eq!(gpu.sched.dependency_done(stale, Ok(())), None);
        assert!(!gpu.sched.hold(stale) && !gpu.sched.complete(stale, Outcome::Done, 0));
        assert!(!gpu.sched.requeue(stale, 0) && !gpu.sched.progress(stale, 0, 0));
    }
    assert_eq!(JobId::from_bits(id.to_bits()), id);
    assert!(!gpu.sched.entity_kill(EntityId::from_bits(77), gpu.now));
    gpu.check();
    gpu.run_for(1);
    assert_eq!(gpu.ends(), [(1, Outcome::Done)]);
}

#[test]
fn counters_add_up() {
    let mut gpu = Gpu::new(&[1], 0);
    let entity = gpu.entity(0);
    for (tag, outcome) in [
        Outcome::Done,
        Outcome::Failed(9),
        Outcome::TimedOut,
        Outcome::Cancelled,
    ]
    .iter()
    .enumerate()
    {
        let id = gpu.submit(entity, tag as u64, 0);
        gpu.pump();
        assert!(gpu.sched.complete(id, *outcome, gpu.now));
    }
    let stats = gpu.sched.counters();
    assert_eq!((stats.submitted, stats.started), (4, 4));
    assert_eq!(
        (
            stats.completed,
            stats.failed,
            stats.timed_out,
            stats.cancelled
        ),
        (1, 1, 1, 1)
    );
}

/// Makes a scheduler, two clients, entities on all queues and some jobs; `Err` at the first lack of
/// memory.
fn build_all(
    meter: &Rc<Meter>,
    made: &mut Option<Sched>,
    alive: &Rc<()>,
) -> Result<Vec<JobId>, Error> {
    let slots = [SlotConfig {
        depth: 2,
        timeout_ns: 5,
    }; 2];
    if made.is_none() {
        *made = Some(Sched::new(meter, &slots, CONFIG)?);
    }
    let sched = made.as_mut().unwrap();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let client = sched.client_new(WEIGHT_DEFAULT)?;
        for (slot, priority) in [(0, Priority::Low), (0, Priority::Low), (1, Priority::High)] {
            let entity = sched.entity_new(client, slot, priority)?;
            for tag in 0..2 {
                let work = mock::Work {
                    tag,
                    ns: 1,
                    alive: alive.clone(),
                };
                let id = sched.prepare(entity, work).map_err(|(error, work)| {
                    assert_eq!(work.tag, tag, "the payload comes back");
                    error
                })?;
                sched.submit(id).unwrap();
                ids.push(id);
            }
        }
    }
    Ok(ids)
}

#[test]
fn every_growth_may_fail() {
    let count = {
        let meter = Rc::new(Meter::default());
        build_all(&meter, &mut None, &Rc::new(())).unwrap();
        meter.pushes.get()
    };
    assert!(count > 10, "{count}");
    for nth in 0..count {
        for sticky in [false, true] {
            let meter = Rc::new(Meter::default());
            meter.fail_at.set(Some(nth));
            meter.sticky.set(sticky);
            let alive = Rc::new(());
            let mut made = None;
            assert_eq!(
                build_all(&meter, &mut made, &alive),
                Err(Error::NoMemory),
                "growth {nth}"
            );
            let Some(sched) = made.as_mut() else {
                continue;
            };
            assert_eq!(sched.verify(), Ok(()));
            assert_eq!(
                Rc::strong_count(&alive) as u32,
                sched.live_jobs() + 1,
                "no payload lost"
            );
            // Submitted jobs complete although there is still no memory.
            let mut done = 0;
            let live = sched.live_jobs();
            for now in 0..100 {
                for slot in 0..2 {
                    while sched.next(slot, now).is_some() {}
                    let head = sched.running(slot).next();
                    head.map(|id| sched.complete(id, Outcome::Done, now));
                }
                sched.shutdown_if(now == 50);
                while sched.pop_done().is_some() {
                    done += 1;
                }
            }
            assert_eq!((done, sched.live_jobs()), (live, 0));
            assert_eq!(Rc::strong_count(&alive), 1);
        }
    }
}

#[test]
fn a_refused_call_can_be_repeated() {
    let meter = Rc::new(Meter::default());
    let mut made = Some(
        Sched::new(
            &meter,
            &[SlotConfig {
                depth: 1,
                timeout_ns: 0,
            }],
            CONFIG,
        )
        .unwrap(),
    );
    let sched = made.as_mut().unwrap();
    let client = sched.client_new(1).unwrap();
    // A call that has failed succeeds once there is memory. Memory for the list of chunks and a
    // chunk, of entities and of groups, and for the heap.
    for nth in 0..5 {
        meter.fail_at.set(Some(meter.pushes.get()));
        let refused = sched.entity_new(client, 0, Priority::Low);
        assert_eq!(refused, Err(Error::NoMemory), "step {nth}");
        assert_eq!(sched.verify(), Ok(()));
        // Lets one more growth succeed, so that the next failure hits a later step.
        meter.fail_at.set(Some(meter.pushes.get() + 1));
        let again = sched.entity_new(client, 0, Priority::Low);
        assert_eq!(again.is_err(), nth < 4);
    }
    assert_eq!(sched.client_free(client), Err(Error::Busy));
}

/// Shutdown on a condition, so that the loop above stays a plain timeline.
trait ShutdownIf {
    fn shutdown_if(&mut self, condition: bool);
}

impl ShutdownIf for Sched {
    fn shutdown_if(&mut self, condition: bool) {
        if condition {
            self.shutdown();
        }
    }
}
