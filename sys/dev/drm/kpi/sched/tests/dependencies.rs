// SPDX-License-Identifier: BSD-2-Clause
//! Dependencies: nothing starts early, errors are recorded, late and stale signals are harmless.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests may stop at the first surprise"
)]

mod mock;

use drm_sched::{Error, JobId, Outcome, State};
use mock::Gpu;

#[test]
fn the_submit_guard_holds_a_job_whose_dependencies_are_done() {
    let mut gpu = Gpu::new(&[1], 0);
    let entity = gpu.entity(0);
    let id = gpu.build(entity, 1, 1);
    gpu.sched.add_dependency(id).unwrap();
    assert_eq!(gpu.sched.dependency_done(id, Ok(())), None);
    assert_eq!(
        gpu.sched.dependency_done(id, Ok(())),
        None,
        "one too many is ignored"
    );
    assert_eq!(gpu.sched.next(0, 0), None);
    gpu.sched.submit(id).unwrap();
    assert_eq!(gpu.sched.next(0, 0), Some(id));
}

#[test]
fn the_last_dependency_makes_it_eligible() {
    let mut gpu = Gpu::new(&[1], 0);
    let entity = gpu.entity(0);
    let id = gpu.build(entity, 1, 1);
    for _ in 0..3 {
        gpu.sched.add_dependency(id).unwrap();
    }
    gpu.sched.submit(id).unwrap();
    for left in [2, 1] {
        assert_eq!(gpu.sched.dependency_done(id, Ok(())), None, "{left} left");
        assert_eq!(gpu.sched.next(0, 0), None);
        gpu.check();
    }
    assert_eq!(gpu.sched.dependency_done(id, Ok(())), Some(0));
    assert_eq!(gpu.sched.next(0, 0), Some(id));
    gpu.check();
}

#[test]
fn a_waiting_head_blocks_its_entity_only() {
    let mut gpu = Gpu::new(&[2], 0);
    let (blocked, free) = (gpu.entity(0), gpu.entity(0));
    let head = gpu.build(blocked, 1, 1);
    gpu.sched.add_dependency(head).unwrap();
    gpu.sched.submit(head).unwrap();
    let second = gpu.submit(blocked, 2, 1);
    gpu.submit(free, 3, 1);
    gpu.run_for(5);
    assert_eq!(gpu.starts, [3]);
    assert_eq!(gpu.sched.state(second), Some(State::Queued));
    gpu.sched.dependency_done(head, Ok(()));
    gpu.run_for(5);
    assert_eq!(gpu.starts, [3, 1, 2]);
}

#[test]
fn a_later_job_may_have_its_dependencies_first() {
    let mut gpu = Gpu::new(&[1], 0);
    let entity = gpu.entity(0);
    let ids: Vec<_> = (0..3).map(|tag| gpu.build(entity, tag, 1)).collect();
    for id in &ids {
        gpu.sched.add_dependency(*id).unwrap();
        gpu.sched.submit(*id).unwrap();
    }
    assert_eq!(gpu.sched.dependency_done(ids[1], Ok(())), None);
    assert_eq!(gpu.sched.dependency_done(ids[0], Ok(())), Some(0));
    gpu.run_for(10);
    assert_eq!(gpu.starts, [0, 1]);
    assert_eq!(gpu.sched.dependency_done(ids[2], Ok(())), Some(0));
    gpu.run_for(10);
    assert_eq!(gpu.starts, [0, 1, 2]);
}

#[test]
fn an_error_is_recorded_and_the_job_runs() {
    let mut gpu = Gpu::new(&[1], 0);
    let entity = gpu.entity(0);
    let id = gpu.build(entity, 1, 1);
    gpu.sched.add_dependency(id).unwrap();
    gpu.sched.add_dependency(id).unwrap();
    gpu.sched.submit(id).unwrap();
    gpu.sched.dependency_done(id, Err(()));
    gpu.sched.dependency_done(id, Ok(()));
    assert_eq!(gpu.sched.failed_dependencies(id), Some(1));
    gpu.run_for(1);
    assert_eq!(gpu.finished[0].outcome, Outcome::Done);
    assert_eq!(gpu.finished[0].failed_dependencies, 1);
}

#[test]
fn a_signal_for_a_cancelled_job_is_ignored() {
    let mut gpu = Gpu::new(&[1], 0);
    let entity = gpu.entity(0);
    let id = gpu.build(entity, 1, 1);
    gpu.sched.add_dependency(id).unwrap();
    gpu.sched.submit(id).unwrap();
    gpu.sched.entity_kill(entity, gpu.now);
    assert_eq!(gpu.sched.dependency_done(id, Ok(())), None);
    assert_eq!(gpu.sched.add_dependency(id), Err(Error::Killed));
    gpu.collect();
    let other = gpu.entity(0);
    let newer = gpu.build(other, 2, 1);
    gpu.sched.add_dependency(newer).unwrap();
    gpu.sched.submit(newer).unwrap();
    assert_eq!(
        gpu.sched.dependency_done(id, Ok(())),
        None,
        "same place, other generation"
    );
    assert_eq!(gpu.sched.next(0, 0), None);
    assert_eq!(gpu.ends(), [(1, Outcome::Cancelled)]);
}

/// Chains of jobs over entities, each depending on the one before, for every queue depth.
#[test]
fn chains_run_in_order() {
    for depth in [1_u8, 2, 8] {
        for entities in [1_u64, 3, 8] {
            for chain in [2_u64, 7, 40] {
                let mut gpu = Gpu::new(&[depth, depth], 0);
                let ids: Vec<_> = (0..entities)
                    .map(|n| gpu.entity((n % 2) as usize))
                    .collect();
                let jobs: Vec<JobId> = (0..chain)
                    .map(|n| gpu.build(ids[(n * 7 % entities) as usize], n, 3))
                    .collect();
                for id in jobs.iter().skip(1) {
                    gpu.sched.add_dependency(*id).unwrap();
                }
                for id in &jobs {
                    gpu.sched.submit(*id).unwrap();
                }
                for n in 0..jobs.len() {
                    gpu.run_for(3);
                    assert_eq!(
                        gpu.finished.len(),
                        n + 1,
                        "depth {depth}, {entities} entities, {chain} long"
                    );
                    if let Some(next) = jobs.get(n + 1) {
                        assert!(gpu.sched.dependency_done(*next, Ok(())).is_some());
                    }
                }
                assert_eq!(gpu.starts, (0..chain).collect::<Vec<_>>());
                gpu.check();
            }
        }
    }
}
