// SPDX-License-Identifier: BSD-2-Clause
//! Files closed with jobs in flight, shutdown, and parallel clients that open and close.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests may stop at the first surprise"
)]

mod mock;

use drm_sched::{Error, Outcome, Priority, WEIGHT_DEFAULT};
use mock::Gpu;

#[test]
fn a_client_closed_mid_queue_goes_away_with_its_last_job() {
    let mut gpu = Gpu::new(&[2], 0);
    let client = gpu.client();
    let entity = gpu.sched.entity_new(client, 0, Priority::Medium).unwrap();
    let other = gpu.sched.entity_new(client, 0, Priority::High).unwrap();
    let ids: Vec<_> = (0..4).map(|tag| gpu.submit(entity, tag, 5)).collect();
    gpu.pump();
    assert!(gpu.sched.entity_kill(entity, gpu.now));
    assert_eq!(gpu.sched.client_free(client), Err(Error::Busy));
    assert!(gpu.sched.entity_kill(other, gpu.now));
    assert_eq!(gpu.sched.client_free(client), Ok(()));
    assert_eq!(gpu.sched.client_free(client), Err(Error::Stale));
    assert_eq!(
        gpu.sched.entity_new(client, 0, Priority::Low),
        Err(Error::Stale)
    );
    assert_eq!(gpu.sched.client_run_ns(client, 0), Some(0));
    gpu.run_for(5);
    assert_eq!(
        gpu.sched.client_run_ns(client, 0),
        Some(5),
        "one job still runs"
    );
    gpu.run_for(5);
    assert_eq!(gpu.sched.client_run_ns(client, 0), None);
    assert!(gpu.finished.iter().all(|job| job.client == client));
    assert_eq!(gpu.finished.len(), ids.len());
    assert_eq!((gpu.sched.live_jobs(), gpu.payloads()), (0, 4));
    gpu.check();
}

#[test]
fn an_idle_entity_is_freed_by_hand() {
    let mut gpu = Gpu::new(&[1], 0);
    let client = gpu.client();
    let entity = gpu.sched.entity_new(client, 0, Priority::Medium).unwrap();
    let id = gpu.submit(entity, 1, 1);
    gpu.pump();
    gpu.sched.complete(id, Outcome::Done, gpu.now);
    assert_eq!(
        gpu.sched.entity_free(entity),
        Err(Error::Busy),
        "not popped yet"
    );
    gpu.collect();
    assert_eq!(gpu.sched.entity_free(entity), Ok(()));
    assert_eq!(gpu.sched.entity_free(entity), Err(Error::Stale));
    assert_eq!(gpu.sched.client_free(client), Ok(()));
}

#[test]
fn shutdown_cancels_all_but_the_hardware() {
    let mut gpu = Gpu::new(&[1, 1], 50);
    let entities: Vec<_> = (0..4).map(|n| gpu.entity(n % 2)).collect();
    for (n, entity) in entities.iter().enumerate() {
        gpu.submit(*entity, n as u64 * 10, 5);
        gpu.submit(*entity, n as u64 * 10 + 1, 5);
        gpu.build(*entity, n as u64 * 10 + 2, 5);
    }
    gpu.pump();
    gpu.sched.shutdown();
    gpu.check();
    gpu.collect();
    // Two entities have a job in flight, which the two after it wait for.
    assert_eq!(gpu.finished.len(), 6);
    assert!(gpu.ends().iter().all(|end| end.1 == Outcome::Cancelled));
    assert!(!gpu.sched.is_idle());
    assert_eq!(gpu.sched.client_new(1), Err(Error::Shutdown));
    let client = gpu.finished[0].client;
    assert_eq!(
        gpu.sched.entity_new(client, 0, Priority::Low),
        Err(Error::Shutdown)
    );
    let work = gpu.work(77, 1);
    assert_eq!(
        gpu.sched.prepare(entities[0], work).unwrap_err().0,
        Error::Shutdown
    );
    let running = gpu.sched.running(1).next().unwrap();
    assert!(gpu.sched.requeue(running, gpu.now));
    gpu.run_for(5);
    let cancelled = |tag| (tag, Outcome::Cancelled);
    let mut ends = gpu.ends();
    assert_eq!(ends[6..9], [10, 11, 12].map(cancelled));
    assert_eq!(
        ends.split_off(9),
        [(0, Outcome::Done), cancelled(1), cancelled(2)]
    );
    assert!(gpu.sched.is_idle());
    assert_eq!(gpu.sched.live_jobs(), 0);
    for entity in entities {
        assert_eq!(gpu.sched.entity_free(entity), Ok(()));
    }
    gpu.check();
}

#[test]
fn dropping_the_scheduler_drops_every_payload() {
    let mut gpu = Gpu::new(&[1], 0);
    let entity = gpu.entity(0);
    gpu.build(entity, 0, 1);
    for tag in 1..5 {
        gpu.submit(entity, tag, 1);
    }
    gpu.pump();
    assert_eq!(gpu.payloads(), 5);
    let alive = gpu.alive.clone();
    drop(gpu);
    assert_eq!(std::rc::Rc::strong_count(&alive), 1);
}

/// Parallel clients: in each round some open, all submit, some close; each job is returned once.
#[test]
fn clients_come_and_go() {
    let mut gpu = Gpu::new(&[2, 1, 2], 1000);
    let mut open = Vec::new();
    let mut tag = 0;
    for round in 0..200_u64 {
        let client = gpu.sched.client_new(WEIGHT_DEFAULT).unwrap();
        let priority = [Priority::Low, Priority::Medium, Priority::High][(round % 3) as usize];
        let entities: Vec<_> = (0..3)
            .map(|slot| gpu.sched.entity_new(client, slot, priority).unwrap())
            .collect();
        open.push((client, entities));
        for (_, entities) in &open {
            for entity in entities {
                let entity = *entity;
                gpu.submit(entity, tag, 1 + tag % 7);
                tag += 1;
            }
        }
        gpu.run_for(20);
        if round % 3 != 0 || open.len() > 8 {
            let (client, entities) = open.remove((round as usize * 5) % open.len());
            for entity in entities {
                assert!(gpu.sched.entity_kill(entity, gpu.now));
            }
            assert_eq!(gpu.sched.client_free(client), Ok(()));
        }
        gpu.check();
    }
    for (client, entities) in open {
        for entity in entities {
            gpu.sched.entity_kill(entity, gpu.now);
        }
        gpu.sched.client_free(client).unwrap();
    }
    gpu.run_for(100);
    let mut tags: Vec<_> = gpu.finished.iter().map(|job| job.payload.tag).collect();
    tags.sort_unstable();
    assert_eq!(tags, (0..tag).collect::<Vec<_>>());
    assert_eq!(gpu.sched.live_jobs(), 0);
    gpu.check();
}
