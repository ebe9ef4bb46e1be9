// SPDX-License-Identifier: BSD-2-Clause
//! Reset: which job is guilty, which run again, in which order, and how often.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests may stop at the first surprise"
)]

mod mock;

use drm_sched::{Outcome, Priority, State};
use mock::{Gpu, CONFIG};

#[test]
fn the_guilty_ends_and_the_others_run_again_in_order() {
    for depth in [2_u8, 3, 6] {
        let mut gpu = Gpu::new(&[depth, depth], 100);
        let entities: Vec<_> = (0..3).map(|_| gpu.entity(0)).collect();
        let elsewhere = gpu.entity(1);
        for n in 0..4 {
            for (e, entity) in entities.iter().enumerate() {
                gpu.submit(*entity, e as u64 * 10 + n, 1);
            }
            gpu.submit(elsewhere, 100 + n, 1);
        }
        gpu.pump();
        let first = gpu.starts.clone();
        let guilty = gpu.sched.running(0).next().unwrap();
        gpu.sched.stop();
        let count = gpu
            .sched
            .reset(Some(guilty), Outcome::TimedOut, gpu.now + 5);
        gpu.check();
        assert_eq!(count, gpu.sched.counters().resubmitted as u32);
        assert_eq!(gpu.sched.in_flight(0) + gpu.sched.in_flight(1), 0);
        assert_eq!(gpu.sched.next(0, gpu.now), None, "stopped");
        assert_eq!(gpu.sched.next_deadline(), None);
        gpu.collect();
        assert_eq!(gpu.ends(), [(first[0], Outcome::TimedOut)]);
        assert_eq!(gpu.finished[0].run_ns, 5);
        gpu.sched.start();
        gpu.starts.clear();
        gpu.run_for(100);
        let again: Vec<_> = gpu
            .starts
            .iter()
            .copied()
            .filter(|tag| first[1..].contains(tag))
            .collect();
        assert_eq!(again, first[1..], "slot by slot as before");
        let slot0: Vec<_> = gpu
            .starts
            .iter()
            .copied()
            .filter(|tag| *tag < 100)
            .collect();
        assert_eq!(
            slot0[..usize::from(depth) - 1],
            first[1..usize::from(depth)],
            "ahead of the queue"
        );
        assert_eq!(gpu.finished.len(), 16);
        for job in &gpu.finished[1..] {
            let ran_before = first.contains(&job.payload.tag);
            assert_eq!(job.runs, if ran_before { 2 } else { 1 });
        }
        gpu.check();
    }
}

#[test]
fn only_a_job_that_is_blamed_repeatedly_ends() {
    let mut gpu = Gpu::new(&[3], 100);
    let entity = gpu.entity(0);
    let (a, b) = (gpu.submit(entity, 1, 1), gpu.submit(entity, 2, 1));
    let c = gpu.submit(entity, 3, 1);
    for run in 1..=CONFIG.max_blames {
        gpu.pump();
        assert_eq!(
            gpu.sched.running(0).collect::<Vec<_>>(),
            [a, b, c],
            "run {run}"
        );
        assert!(gpu.sched.blame(b));
        let again = gpu.sched.reset(None, Outcome::Done, gpu.now);
        assert_eq!(again, if run < CONFIG.max_blames { 3 } else { 2 });
        assert!(!gpu.sched.blame(b), "it is not in the hardware");
        gpu.check();
    }
    gpu.collect();
    assert_eq!(gpu.ends(), [(2, Outcome::Failed(CONFIG.blame_errno))]);
    assert_eq!(gpu.finished[0].runs, CONFIG.max_blames);
    gpu.run_for(2);
    assert_eq!(gpu.ends()[1..], [(1, Outcome::Done), (3, Outcome::Done)]);
    assert!(gpu.sched.is_idle());
}

/// Catches: a job that fails because of others.
#[test]
fn the_innocent_run_again_however_often() {
    let mut gpu = Gpu::new(&[2, 2], 100);
    let (victim, beside) = (gpu.entity(0), gpu.entity(1));
    gpu.submit(victim, 1, 1);
    gpu.submit(beside, 2, 1);
    gpu.pump();
    for n in 0..100 {
        let guilty = gpu.entity(0);
        let id = gpu.submit(guilty, 100 + n, 1);
        gpu.pump();
        assert_eq!(gpu.sched.reset(Some(id), Outcome::TimedOut, gpu.now), 2);
        gpu.pump();
    }
    gpu.collect();
    assert!(gpu
        .ends()
        .iter()
        .all(|(tag, end)| *tag >= 100 && *end == Outcome::TimedOut));
    gpu.finished.clear();
    gpu.run_for(1);
    assert_eq!(gpu.ends(), [(1, Outcome::Done), (2, Outcome::Done)]);
    assert!(gpu.finished.iter().all(|job| job.runs == 101));
}

#[test]
fn a_requeue_does_not_count_as_a_reset() {
    let mut gpu = Gpu::new(&[2], 0);
    let entity = gpu.entity(0);
    let id = gpu.submit(entity, 1, 1);
    for _ in 0..20 {
        gpu.pump();
        assert!(gpu.sched.requeue(id, gpu.now));
        assert_eq!(gpu.sched.state(id), Some(State::Requeued));
    }
    gpu.pump();
    assert_eq!(gpu.sched.reset(None, Outcome::Done, gpu.now), 1);
    gpu.run_for(1);
    assert_eq!(gpu.ends(), [(1, Outcome::Done)]);
    assert_eq!(gpu.finished[0].runs, 22);
}

#[test]
fn the_second_place_is_requeued_when_the_first_fails() {
    let mut gpu = Gpu::new(&[2], 100);
    let (one, two) = (gpu.entity(0), gpu.entity(0));
    let first = gpu.submit(one, 1, 1);
    let second = gpu.submit(two, 2, 1);
    gpu.submit(one, 3, 1);
    gpu.submit(two, 4, 1);
    gpu.pump();
    assert!(gpu.sched.complete(first, Outcome::Failed(22), gpu.now + 7));
    assert!(gpu.sched.requeue(second, gpu.now + 7));
    assert_eq!(gpu.sched.next_deadline(), None);
    gpu.check();
    gpu.starts.clear();
    gpu.run_for(10);
    // The first client has used 7 ns by then, so the other's next job precedes its next.
    assert_eq!(gpu.starts, [2, 4, 3]);
}

#[test]
fn requeued_jobs_keep_their_order_whatever_the_order_of_calls() {
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let mut gpu = Gpu::new(&[3], 0);
        let entity = gpu.entity(0);
        let ids: Vec<_> = (0..5).map(|tag| gpu.submit(entity, tag, 1)).collect();
        gpu.pump();
        for n in order {
            assert!(gpu.sched.requeue(ids[n], gpu.now));
            gpu.check();
        }
        gpu.starts.clear();
        gpu.run_for(10);
        assert_eq!(gpu.starts, [0, 1, 2, 3, 4], "given back as {order:?}");
    }
}

#[test]
fn a_higher_priority_still_goes_before_what_was_given_back() {
    let mut gpu = Gpu::new(&[1], 0);
    let client = gpu.client();
    let low = gpu.sched.entity_new(client, 0, Priority::Low).unwrap();
    let high = gpu.sched.entity_new(client, 0, Priority::High).unwrap();
    let id = gpu.submit(low, 1, 10);
    gpu.submit(low, 2, 10);
    gpu.pump();
    gpu.submit(high, 3, 10);
    assert!(gpu.sched.requeue(id, gpu.now));
    gpu.starts.clear();
    gpu.run_for(30);
    assert_eq!(gpu.starts, [3, 1, 2]);
}

#[test]
fn jobs_of_killed_entities_do_not_run_again() {
    let mut gpu = Gpu::new(&[3], 100);
    let (victim, other) = (gpu.entity(0), gpu.entity(0));
    gpu.submit(victim, 1, 1);
    gpu.submit(other, 2, 1);
    gpu.submit(victim, 3, 1);
    gpu.pump();
    gpu.sched.entity_kill(victim, gpu.now);
    assert_eq!(gpu.sched.reset(None, Outcome::Done, gpu.now), 1);
    gpu.collect();
    assert_eq!(
        gpu.ends(),
        [(1, Outcome::Cancelled), (3, Outcome::Cancelled)]
    );
    assert_eq!(gpu.sched.entity_jobs(victim), None);
    gpu.run_for(5);
    assert_eq!(gpu.ends().last(), Some(&(2, Outcome::Done)));
}

#[test]
fn a_guilty_job_that_completed_meanwhile_is_no_ones_business() {
    let mut gpu = Gpu::new(&[2], 100);
    let entity = gpu.entity(0);
    let (fast, rest) = (gpu.submit(entity, 1, 1), gpu.submit(entity, 2, 1));
    gpu.pump();
    assert!(gpu.sched.complete(fast, Outcome::Done, gpu.now));
    assert_eq!(gpu.sched.reset(Some(fast), Outcome::TimedOut, gpu.now), 1);
    gpu.collect();
    assert_eq!(gpu.ends(), [(1, Outcome::Done)]);
    assert_eq!(gpu.sched.state(rest), Some(State::Requeued));
    assert_eq!(gpu.sched.counters().timed_out, 0);
}
