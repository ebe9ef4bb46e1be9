// SPDX-License-Identifier: BSD-2-Clause
//! Killing entities and abandoning jobs at every point of their life.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests may stop at the first surprise"
)]

mod mock;

use drm_sched::{Error, Outcome, State};
use mock::Gpu;

#[test]
fn an_abandoned_job_comes_back_at_once() {
    let mut gpu = Gpu::new(&[1], 0);
    let entity = gpu.entity(0);
    let first = gpu.build(entity, 1, 1);
    let id = gpu.build(entity, 2, 1);
    gpu.sched.add_dependency(id).unwrap();
    assert_eq!(gpu.sched.abandon(id).map(|work| work.tag), Some(2));
    assert!(gpu.sched.abandon(id).is_none());
    assert_eq!(gpu.sched.dependency_done(id, Ok(())), None);
    assert_eq!(gpu.sched.abandon(first).map(|work| work.tag), Some(1));
    gpu.check();
    assert_eq!(gpu.payloads(), 0);
    assert_eq!(gpu.sched.entity_free(entity), Ok(()));
}

#[test]
fn an_abandoned_job_with_a_reader_waits_for_it() {
    let mut gpu = Gpu::new(&[1], 0);
    let entity = gpu.entity(0);
    let id = gpu.build(entity, 1, 1);
    assert!(gpu.sched.hold(id));
    assert!(gpu.sched.abandon(id).is_none());
    assert_eq!(gpu.sched.state(id), Some(State::Done));
    gpu.collect();
    assert!(gpu.finished.is_empty());
    assert!(gpu.sched.release(id));
    gpu.collect();
    assert_eq!(gpu.ends(), [(1, Outcome::Cancelled)]);
}

#[test]
fn kill_cancels_in_order_and_leaves_the_hardware_alone() {
    let mut gpu = Gpu::new(&[2], 0);
    let (victim, other) = (gpu.entity(0), gpu.entity(0));
    let built = gpu.build(victim, 9, 1);
    let running = gpu.submit(victim, 1, 10);
    let theirs = gpu.submit(other, 100, 10);
    gpu.pump();
    let waiting = gpu.build(victim, 2, 1);
    gpu.sched.add_dependency(waiting).unwrap();
    gpu.sched.submit(waiting).unwrap();
    gpu.submit(victim, 3, 1);
    assert!(gpu.sched.entity_kill(victim, gpu.now));
    assert!(!gpu.sched.entity_kill(victim, gpu.now));
    assert_eq!(gpu.sched.running_of(victim).collect::<Vec<_>>(), [running]);
    assert_eq!(gpu.sched.running_of(other).collect::<Vec<_>>(), [theirs]);
    gpu.check();
    gpu.collect();
    // A fence that is signalled early implies that the job before it has ended, too.
    assert_eq!(
        gpu.ends(),
        [],
        "cancelled jobs wait for the one in the hardware"
    );
    assert_eq!(gpu.sched.submit(built), Err(Error::Killed));
    let work = gpu.work(5, 1);
    let (error, work) = gpu.sched.prepare(victim, work).unwrap_err();
    assert_eq!((error, work.tag), (Error::Killed, 5));
    assert_eq!(gpu.sched.entity_free(victim), Err(Error::Busy));
    assert!(gpu.sched.complete(running, Outcome::Failed(4), gpu.now));
    gpu.collect();
    let cancelled = Outcome::Cancelled;
    let ends = [
        (1, Outcome::Failed(4)),
        (2, cancelled),
        (3, cancelled),
        (9, cancelled),
    ];
    assert_eq!(gpu.ends(), ends);
    assert_eq!(
        gpu.sched.entity_jobs(victim),
        None,
        "freed with its last job"
    );
    assert_eq!(gpu.sched.entity_jobs(other), Some(1));
    gpu.check();
}

#[test]
fn a_submit_after_a_kill_fails() {
    let mut gpu = Gpu::new(&[1], 0);
    let entity = gpu.entity(0);
    let id = gpu.build(entity, 1, 1);
    gpu.sched.entity_kill(entity, gpu.now);
    assert_eq!(gpu.sched.submit(id), Err(Error::Killed));
    assert!(gpu.sched.abandon(id).is_none());
    gpu.collect();
    assert_eq!(gpu.ends(), [(1, Outcome::Cancelled)]);
    gpu.check();
}

#[test]
fn kill_takes_jobs_the_hardware_gave_back_first() {
    let mut gpu = Gpu::new(&[4], 0);
    let (victim, other) = (gpu.entity(0), gpu.entity(0));
    let ids: Vec<_> = [(victim, 1), (other, 2), (victim, 3), (other, 4)]
        .map(|(e, tag)| gpu.submit(e, tag, 1))
        .into();
    gpu.submit(victim, 5, 1);
    gpu.pump();
    for id in ids.iter().rev() {
        assert!(gpu.sched.requeue(*id, gpu.now));
    }
    gpu.check();
    gpu.sched.entity_kill(victim, gpu.now);
    gpu.check();
    gpu.collect();
    assert_eq!(
        gpu.ends().iter().map(|end| end.0).collect::<Vec<_>>(),
        [1, 3, 5]
    );
    gpu.starts.clear();
    gpu.run_for(10);
    assert_eq!(gpu.starts, [2, 4]);
}

#[test]
fn a_killed_job_given_back_is_cancelled() {
    let mut gpu = Gpu::new(&[1], 0);
    let entity = gpu.entity(0);
    let id = gpu.submit(entity, 1, 1);
    gpu.pump();
    gpu.sched.entity_kill(entity, gpu.now);
    assert!(gpu.sched.requeue(id, gpu.now + 3));
    gpu.collect();
    assert_eq!(gpu.ends(), [(1, Outcome::Cancelled)]);
    assert_eq!(gpu.finished[0].run_ns, 3);
    assert_eq!(gpu.sched.next(0, gpu.now), None);
    assert!(gpu.sched.is_idle());
}

#[test]
fn a_killed_entity_does_not_hide_the_clients_others() {
    let mut gpu = Gpu::new(&[1], 0);
    let client = gpu.client();
    let make = |gpu: &mut Gpu| {
        gpu.sched
            .entity_new(client, 0, drm_sched::Priority::Medium)
            .unwrap()
    };
    let (first, second) = (make(&mut gpu), make(&mut gpu));
    gpu.submit(first, 1, 1);
    gpu.submit(second, 2, 1);
    gpu.sched.entity_kill(first, gpu.now);
    gpu.check();
    gpu.run_for(5);
    assert_eq!(gpu.starts, [2]);
}

/// Jobs in the queue of a killed entity count as cancelled. Catches: one that is submitted, waited
/// for or started after that.
#[test]
fn jobs_that_are_yet_to_be_cancelled_do_nothing_more() {
    let mut gpu = Gpu::new(&[1], 0);
    let (victim, other) = (gpu.entity(0), gpu.entity(0));
    let queued: Vec<_> = (0..100).map(|tag| gpu.submit(victim, tag, 1)).collect();
    let built: Vec<_> = (100..200).map(|tag| gpu.build(victim, tag, 1)).collect();
    gpu.sched.add_dependency(built[99]).unwrap();
    gpu.sched.entity_kill(victim, gpu.now);
    gpu.check();
    assert_eq!(gpu.sched.state(queued[99]), Some(State::Queued));
    assert_eq!(gpu.sched.state(built[99]), Some(State::Built));
    assert_eq!(gpu.sched.next(0, gpu.now), None);
    assert_eq!(gpu.sched.dependency_done(built[99], Ok(())), None);
    assert_eq!(gpu.sched.add_dependency(built[99]), Err(Error::Killed));
    assert_eq!(gpu.sched.submit(built[99]), Err(Error::Killed));
    assert!(gpu.sched.abandon(built[98]).is_none());
    // Half of them step by step, the others in one loop.
    for _ in 0..90 {
        assert!(gpu.sched.pop_done().is_some());
    }
    gpu.check();
    gpu.submit(other, 900, 1);
    gpu.sched.shutdown();
    gpu.check();
    gpu.collect();
    let mut expected: Vec<_> = (90..200).map(|tag| (tag, Outcome::Cancelled)).collect();
    expected.push((900, Outcome::Cancelled));
    let mut ends = gpu.ends();
    ends.sort_by_key(|(tag, _)| *tag);
    assert_eq!(ends, expected);
    assert_eq!(gpu.sched.entity_jobs(victim), None);
}
