// SPDX-License-Identifier: BSD-2-Clause
//! GPU time is shared between clients by weight, and an idle client saves nothing up.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests may stop at the first surprise"
)]

mod mock;

use drm_sched::{ClientId, EntityId, Outcome, Priority, WEIGHT_DEFAULT};
use mock::Gpu;

/// A client that always has work: one entity, jobs of `ns`.
fn busy(gpu: &mut Gpu, weight: u32, ns: u64, jobs: u64) -> ClientId {
    let client = gpu.sched.client_new(weight).unwrap();
    feed(gpu, client, ns, jobs);
    client
}

fn feed(gpu: &mut Gpu, client: ClientId, ns: u64, jobs: u64) -> EntityId {
    let entity = gpu.sched.entity_new(client, 0, Priority::Medium).unwrap();
    for _ in 0..jobs {
        gpu.submit(entity, client.to_bits() & 0xffff_ffff, ns);
    }
    entity
}

#[test]
fn long_and_short_jobs_get_the_same_time() {
    for depth in [1, 2] {
        let mut gpu = Gpu::new(&[depth], 0);
        let short = busy(&mut gpu, WEIGHT_DEFAULT, 10, 1000);
        let long = busy(&mut gpu, WEIGHT_DEFAULT, 90, 200);
        gpu.run_for(9000);
        let times = [short, long].map(|client| gpu.sched.client_run_ns(client, 0).unwrap());
        assert!(
            times[0].abs_diff(times[1]) <= 90 * (u64::from(depth) + 1),
            "depth {depth}: {times:?}"
        );
        assert_eq!(gpu.sched.client_run_ns(short, 1), Some(0));
        gpu.check();
    }
}

#[test]
fn more_entities_do_not_get_more_time() {
    let mut gpu = Gpu::new(&[1], 0);
    let one = busy(&mut gpu, WEIGHT_DEFAULT, 10, 500);
    let many = gpu.client();
    for _ in 0..20 {
        feed(&mut gpu, many, 10, 50);
    }
    gpu.run_for(4000);
    let times = [one, many].map(|client| gpu.sched.client_run_ns(client, 0).unwrap());
    assert_eq!(times, [2000, 2000]);
}

#[test]
fn weight_is_a_share() {
    let mut gpu = Gpu::new(&[1], 0);
    let heavy = busy(&mut gpu, 3 * WEIGHT_DEFAULT, 10, 1000);
    let light = busy(&mut gpu, WEIGHT_DEFAULT, 10, 1000);
    gpu.run_for(8000);
    let times = [heavy, light].map(|client| gpu.sched.client_run_ns(client, 0).unwrap());
    assert!(
        times[0].abs_diff(6000) <= 30 && times[1].abs_diff(2000) <= 30,
        "{times:?}"
    );
}

#[test]
fn an_idle_client_saves_nothing_up() {
    let mut gpu = Gpu::new(&[1], 0);
    let old = busy(&mut gpu, WEIGHT_DEFAULT, 10, 2000);
    let sleeper = gpu.client();
    gpu.run_for(10_000);
    let before = gpu.sched.client_run_ns(old, 0).unwrap();
    feed(&mut gpu, sleeper, 10, 500);
    gpu.run_for(1000);
    let gained = gpu.sched.client_run_ns(old, 0).unwrap() - before;
    assert!(
        gained.abs_diff(500) <= 20,
        "the old client got {gained} of 1000"
    );
}

#[test]
fn a_new_entity_does_not_shed_a_clients_debt() {
    let mut gpu = Gpu::new(&[1], 0);
    let (cheat, other) = (gpu.client(), gpu.client());
    feed(&mut gpu, other, 10, 500);
    for _ in 0..100 {
        let entity = feed(&mut gpu, cheat, 50, 1);
        gpu.run_for(60);
        assert!(gpu.sched.entity_free(entity).is_ok() || gpu.sched.entity_kill(entity, gpu.now));
    }
    let times = [cheat, other].map(|client| gpu.sched.client_run_ns(client, 0).unwrap());
    assert!(times[0] <= times[1] + 50, "{times:?}");
}

#[test]
fn entities_of_a_client_take_turns() {
    let mut gpu = Gpu::new(&[1], 0);
    let client = gpu.client();
    let make = |gpu: &mut Gpu| gpu.sched.entity_new(client, 0, Priority::Medium).unwrap();
    let entities = [make(&mut gpu), make(&mut gpu), make(&mut gpu)];
    for (e, entity) in (0..).zip(entities) {
        for n in 0..2 {
            gpu.submit(entity, e * 10 + n, 1);
        }
    }
    gpu.run_for(10);
    assert_eq!(gpu.starts, [0, 10, 20, 1, 11, 21]);
}

#[test]
fn equal_clients_go_round_before_any_time_is_charged() {
    let mut gpu = Gpu::new(&[8], 0);
    let entities: Vec<_> = (0..4).map(|_| gpu.entity(0)).collect();
    for (e, entity) in (0..).zip(&entities) {
        for n in 0..3 {
            gpu.submit(*entity, e * 10 + n, 1);
        }
    }
    gpu.pump();
    assert_eq!(gpu.starts, [0, 10, 20, 30, 1, 11, 21, 31]);
}

#[test]
fn aborted_runs_are_charged_too() {
    let mut gpu = Gpu::new(&[1], 0);
    let (a, b) = (gpu.entity(0), gpu.entity(0));
    let id = gpu.submit(a, 1, 10);
    gpu.submit(a, 2, 10);
    gpu.submit(b, 3, 10);
    gpu.pump();
    assert!(gpu.sched.requeue(id, gpu.now + 40));
    assert_eq!(gpu.sched.next(0, gpu.now + 40), Some(id));
    assert!(gpu.sched.complete(id, Outcome::Done, gpu.now + 45));
    gpu.collect();
    assert_eq!((gpu.finished[0].run_ns, gpu.finished[0].runs), (45, 2));
    gpu.starts.clear();
    gpu.run_for(20);
    assert_eq!(gpu.starts, [3, 2]);
}
