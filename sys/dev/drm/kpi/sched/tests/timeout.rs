// SPDX-License-Identifier: BSD-2-Clause
//! Deadlines, progress, and readers of a job that completes while they hold it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests may stop at the first surprise"
)]

mod mock;

use drm_sched::{Outcome, State};
use mock::{Gpu, CONFIG};

#[test]
fn the_clock_starts_at_the_head_not_in_second_place() {
    let mut gpu = Gpu::new(&[2], 100);
    let entity = gpu.entity(0);
    let first = gpu.submit(entity, 1, 60);
    let second = gpu.submit(entity, 2, 90);
    gpu.pump();
    assert_eq!(gpu.sched.next_deadline(), Some(1100));
    gpu.run_for(60);
    assert_eq!(gpu.sched.state(first), None);
    assert_eq!(gpu.sched.next_deadline(), Some(1160));
    gpu.run_for(45);
    assert_eq!(gpu.sched.expired(gpu.now), None);
    gpu.run_for(45);
    assert_eq!(gpu.sched.state(second), None);
    assert_eq!(gpu.ends(), [(1, Outcome::Done), (2, Outcome::Done)]);
    assert_eq!(gpu.sched.next_deadline(), None);
    let times: Vec<_> = gpu.finished.iter().map(|job| job.run_ns).collect();
    assert_eq!(times, [60, 90]);
}

#[test]
fn a_hung_head_expires_and_the_next_gets_its_full_time() {
    let mut gpu = Gpu::new(&[2], 100);
    let entity = gpu.entity(0);
    let hung = gpu.submit(entity, 1, u64::MAX / 2);
    let second = gpu.submit(entity, 2, 90);
    gpu.pump();
    gpu.run_for(99);
    assert_eq!(gpu.sched.expired(gpu.now), None);
    gpu.run_for(1);
    assert_eq!(gpu.sched.expired(gpu.now), Some((0, hung)));
    assert_eq!(
        gpu.sched.expired(gpu.now),
        Some((0, hung)),
        "stays until it is dealt with"
    );
    assert!(gpu.sched.complete(hung, Outcome::TimedOut, gpu.now));
    assert_eq!(gpu.sched.expired(gpu.now), None);
    assert_eq!(gpu.sched.next_deadline(), Some(gpu.now + 100));
    assert_eq!(gpu.sched.running(0).next(), Some(second));
    gpu.run_for(90);
    assert_eq!(gpu.ends(), [(1, Outcome::TimedOut), (2, Outcome::Done)]);
}

#[test]
fn progress_extends_for_ever_while_no_other_client_waits() {
    let mut gpu = Gpu::new(&[2], 100);
    let entity = gpu.entity(0);
    let hog = gpu.submit(entity, 1, u64::MAX / 2);
    let second = gpu.submit(entity, 2, 1);
    gpu.submit(entity, 3, 1);
    gpu.pump();
    assert!(
        !gpu.sched.progress(second, 5, 1100),
        "second place has no deadline"
    );
    assert!(
        gpu.sched.progress(hog, 5, 1099),
        "not expired: nothing to decide"
    );
    assert_eq!(gpu.sched.counters().extended, 0);
    for token in 0..1000 {
        let deadline = gpu.sched.next_deadline().unwrap();
        assert!(gpu.sched.progress(hog, token, deadline));
        assert_eq!(gpu.sched.next_deadline(), Some(deadline + 100));
        assert_eq!(gpu.sched.expired(deadline), None);
    }
    assert_eq!(gpu.sched.counters().extended, 1000);
}

/// Another client's job waits in flight, in its queue, or requeued: each counts, for as long as it
/// does.
#[test]
fn progress_counts_less_than_another_clients_patience() {
    type Wait = fn(&mut Gpu);
    let in_flight: Wait = |gpu| {
        let other = gpu.entity(0);
        gpu.submit(other, 9, 1);
        gpu.pump();
    };
    let queued: Wait = |gpu| {
        gpu.sched.stop();
        let client = gpu.client();
        let low = gpu
            .sched
            .entity_new(client, 0, drm_sched::Priority::Low)
            .unwrap();
        gpu.submit(low, 9, 1);
    };
    let requeued: Wait = |gpu| {
        let other = gpu.entity(0);
        let id = gpu.submit(other, 9, 1);
        gpu.pump();
        gpu.sched.stop();
        assert!(gpu.sched.requeue(id, gpu.now));
    };
    for wait in [in_flight, queued, requeued] {
        let mut gpu = Gpu::new(&[2], 100);
        let entity = gpu.entity(0);
        let hog = gpu.submit(entity, 1, u64::MAX / 2);
        gpu.pump();
        for token in 0..20 {
            let deadline = gpu.sched.next_deadline().unwrap();
            assert!(gpu.sched.progress(hog, token, deadline), "no job waits");
        }
        wait(&mut gpu);
        let seen = gpu.sched.next_deadline().unwrap();
        for token in 100.. {
            let deadline = gpu.sched.next_deadline().unwrap();
            let more = gpu.sched.progress(hog, token, deadline);
            assert_eq!(
                more,
                deadline - seen < CONFIG.patience_ns,
                "{}",
                deadline - seen
            );
            if !more {
                break;
            }
        }
    }
}

#[test]
fn a_job_that_waits_for_something_else_does_not_count() {
    let mut gpu = Gpu::new(&[2, 2], 100);
    let (entity, elsewhere, other) = (gpu.entity(0), gpu.entity(1), gpu.entity(0));
    let hog = gpu.submit(entity, 1, u64::MAX / 2);
    gpu.submit(elsewhere, 2, 1);
    let waits = gpu.build(other, 3, 1);
    gpu.sched.add_dependency(waits).unwrap();
    gpu.sched.submit(waits).unwrap();
    gpu.pump();
    for token in 0..20 {
        let deadline = gpu.sched.overdue(0, u64::MAX).unwrap().0;
        assert!(gpu.sched.progress(hog, token, deadline));
    }
}

#[test]
fn without_patience_only_progress_counts() {
    let config = drm_sched::Config {
        patience_ns: 0,
        ..CONFIG
    };
    let mut gpu = Gpu::with(&[2], 100, config);
    let (entity, other) = (gpu.entity(0), gpu.entity(0));
    let hog = gpu.submit(entity, 1, u64::MAX / 2);
    gpu.submit(other, 2, 1);
    gpu.pump();
    for token in 0..1000 {
        let deadline = gpu.sched.next_deadline().unwrap();
        assert!(gpu.sched.progress(hog, token, deadline));
    }
}

#[test]
fn a_job_of_a_killed_entity_has_the_grace_and_no_more() {
    for timeout in [0, 100] {
        let mut gpu = Gpu::new(&[3], timeout);
        let (other, victim) = (gpu.entity(0), gpu.entity(0));
        let first = gpu.submit(victim, 1, u64::MAX / 2);
        let between = gpu.submit(other, 2, 7);
        let second = gpu.submit(victim, 3, u64::MAX / 2);
        gpu.pump();
        let full = (timeout != 0).then_some(gpu.now + timeout);
        assert_eq!(gpu.sched.next_deadline(), full);
        assert!(!gpu.sched.is_orphan(first));
        gpu.now += 5;
        gpu.sched.entity_kill(victim, gpu.now);
        let end = gpu.now + CONFIG.grace_ns;
        assert_eq!(gpu.sched.next_deadline(), Some(end));
        assert!(gpu.sched.is_orphan(first) && !gpu.sched.is_orphan(between));
        assert!(
            gpu.sched.progress(first, 1, end - 1),
            "its grace is not over"
        );
        assert!(!gpu.sched.progress(first, 2, end), "whatever its progress");
        gpu.sched.complete(first, Outcome::Cancelled, end);
        assert_eq!(
            gpu.sched.next_deadline(),
            (timeout != 0).then_some(end + timeout)
        );
        gpu.sched.complete(between, Outcome::Done, end + 7);
        assert_eq!(gpu.sched.next_deadline(), Some(end + 7 + CONFIG.grace_ns));
        assert!(!gpu.sched.progress(second, 3, end + 7 + CONFIG.grace_ns));
        gpu.check();
    }
}

#[test]
fn no_progress_is_no_extension() {
    let mut gpu = Gpu::new(&[1], 100);
    let entity = gpu.entity(0);
    let id = gpu.submit(entity, 1, u64::MAX / 2);
    gpu.pump();
    assert!(gpu.sched.progress(id, 42, 1100));
    assert!(!gpu.sched.progress(id, 42, 1200));
    assert_eq!(gpu.sched.expired(1200), Some((0, id)));
}

#[test]
fn progress_survives_a_requeue_but_not_a_reset() {
    let mut gpu = Gpu::new(&[1], 100);
    let (entity, other) = (gpu.entity(0), gpu.entity(0));
    let id = gpu.submit(entity, 1, u64::MAX / 2);
    gpu.pump();
    gpu.submit(other, 2, 1);
    let first = gpu.sched.next_deadline().unwrap();
    assert!(gpu.sched.progress(id, 77, first));
    assert!(gpu.sched.requeue(id, first));
    assert_eq!(gpu.sched.next_deadline(), None);
    gpu.now = first + CONFIG.patience_ns;
    gpu.pump();
    let deadline = gpu.sched.next_deadline().unwrap();
    assert!(!gpu.sched.progress(id, 77, deadline), "no progress");
    assert!(
        !gpu.sched.progress(id, 78, deadline),
        "the other has waited long enough"
    );
    assert_eq!(gpu.sched.reset(None, Outcome::Done, deadline), 1);
    gpu.pump();
    let deadline = gpu.sched.next_deadline().unwrap();
    assert!(gpu.sched.progress(id, 77, deadline));
}

#[test]
fn slots_expire_on_their_own() {
    let mut gpu = Gpu::new(&[1, 1, 1], 100);
    let ids: Vec<_> = (0..3)
        .map(|slot| {
            let entity = gpu.entity(slot);
            gpu.now += 10;
            let id = gpu.submit(entity, slot as u64, u64::MAX / 2);
            gpu.pump();
            id
        })
        .collect();
    assert_eq!(gpu.sched.next_deadline(), Some(1110));
    assert_eq!(gpu.sched.expired(1120), Some((0, ids[0])));
    gpu.sched.complete(ids[0], Outcome::TimedOut, 1120);
    assert_eq!(gpu.sched.expired(1120), Some((1, ids[1])));
    assert!(gpu.sched.progress(ids[1], 1, 1120));
    assert_eq!(gpu.sched.expired(1120), None);
    assert_eq!(gpu.sched.next_deadline(), Some(1130));
    gpu.sched.stop();
    assert_eq!(
        gpu.sched.expired(1130),
        Some((2, ids[2])),
        "a stopped scheduler still watches"
    );
}

/// Catches: the lower slot blamed although the other one was overdue first.
#[test]
fn the_head_that_is_late_for_longest_expires_first() {
    let mut gpu = Gpu::new(&[1, 1, 1], 100);
    let ids: Vec<_> = [2, 0, 1]
        .map(|slot| {
            let entity = gpu.entity(slot);
            gpu.now += 10;
            let id = gpu.submit(entity, slot as u64, u64::MAX / 2);
            gpu.pump();
            id
        })
        .into();
    assert_eq!(gpu.sched.expired(1109), None);
    for now in [1110, 1120, 1130, 5000] {
        assert_eq!(gpu.sched.expired(now), Some((2, ids[0])), "at {now}");
    }
    let overdue = [0, 1, 2, 3].map(|slot| gpu.sched.overdue(slot, 1120));
    assert_eq!(
        overdue,
        [Some((1120, ids[1])), None, Some((1110, ids[0])), None]
    );
    gpu.sched.complete(ids[0], Outcome::TimedOut, 1120);
    assert_eq!(gpu.sched.expired(1130), Some((0, ids[1])));
}

#[test]
fn times_at_the_end_of_the_clock_saturate() {
    let mut gpu = Gpu::new(&[1], u64::MAX);
    let entity = gpu.entity(0);
    let id = gpu.submit(entity, 1, 1);
    gpu.now = u64::MAX - 1;
    gpu.sched.next(0, gpu.now);
    assert_eq!(gpu.sched.next_deadline(), Some(u64::MAX));
    assert!(
        gpu.sched.complete(id, Outcome::Done, 5),
        "a clock that went back counts nothing"
    );
    assert_eq!(gpu.sched.pop_done().unwrap().run_ns, 0);
}

/// The Asahi #309 race: the timeout handler reads a job while its completion interrupt ends it.
#[test]
fn a_held_job_outlives_its_completion() {
    let mut gpu = Gpu::new(&[2], 100);
    let entity = gpu.entity(0);
    let slow = gpu.submit(entity, 1, 0);
    let other = gpu.submit(entity, 2, 0);
    gpu.pump();
    let (_, late) = gpu.sched.expired(1100).unwrap();
    assert_eq!(late, slow);
    assert!(gpu.sched.hold(late));
    assert!(gpu.sched.hold(late));
    assert!(gpu.sched.complete(slow, Outcome::Done, 1101));
    assert!(gpu.sched.complete(other, Outcome::Done, 1102));
    assert!(!gpu.sched.progress(late, 1, 1103));
    gpu.collect();
    assert_eq!(gpu.ends(), [(2, Outcome::Done)], "others pass the held one");
    assert_eq!(gpu.sched.job(late).map(|work| work.tag), Some(1));
    assert_eq!(gpu.sched.state(late), Some(State::Done));
    gpu.check();
    assert!(gpu.sched.release(late));
    assert!(gpu.sched.pop_done().is_none(), "one reader left");
    assert!(gpu.sched.release(late));
    assert!(!gpu.sched.release(late));
    gpu.collect();
    assert_eq!(gpu.ends(), [(2, Outcome::Done), (1, Outcome::Done)]);
    assert!(!gpu.sched.hold(late));
}

#[test]
fn a_job_in_the_done_list_can_still_be_held() {
    let mut gpu = Gpu::new(&[3], 0);
    let entity = gpu.entity(0);
    let ids: Vec<_> = (0..3).map(|tag| gpu.submit(entity, tag, 0)).collect();
    gpu.pump();
    for id in &ids {
        gpu.sched.complete(*id, Outcome::Done, 1000);
    }
    assert!(gpu.sched.hold(ids[1]));
    gpu.check();
    gpu.collect();
    assert!(gpu.sched.release(ids[1]));
    gpu.collect();
    assert_eq!(
        gpu.ends().iter().map(|end| end.0).collect::<Vec<_>>(),
        [0, 2, 1]
    );
    gpu.check();
}
