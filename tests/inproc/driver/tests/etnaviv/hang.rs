// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv's watchdog: a job that gets on may take long, one that stands still may not, and each
//! core has its own.

use crate::Rig;
use driver_tests::etnaviv::stream::{Engine, Template};
use driver_tests::etnaviv::{Client, Fence, Place, Submit, Work, BOARDS, IMX6Q};
use driver_tests::{errno, MS, SEC};
use drm_os_host::Config;
use models::vivante::Injection;

/// A submit that fills a buffer `steps` times, one after another, and the buffer.
fn long(client: &Client, place: Place, steps: usize) -> (Work, Submit) {
    let work = client.work_at(place, 5).unwrap();
    let fill = Template::fill(place.engine, 5).then(Template::stall(place.engine));
    let all = (0..steps).fold(Template::default(), |all, _| all.then(fill.clone()));
    let mut submit = Submit::relocated(&all, &[&work.data]);
    if let Some(va) = place.va {
        submit = Submit::new(all.at(&[va]), &[&work.data]);
    }
    let submit = submit.on(place.pipe, place.engine.exec_state());
    (work, submit)
}

/// How a job ended, and after how long.
fn outcome(rig: &Rig, client: &Client, fence: Fence) -> (i32, u64) {
    let begin = rig.world().now();
    let end = client.end_of(fence, 100 * SEC);
    (end, rig.world().now() - begin)
}

/// A minute's work in one job.
fn endless(client: &Client, place: Place) -> (Work, Submit) {
    long(client, place, 150)
}

/// Another client waits meanwhile, and nothing says that it should not. Catches: a watchdog that
/// does not see the front end move; one that kills for the time alone.
#[test]
fn a_long_job_that_moves_is_not_killed() {
    for (board, places) in BOARDS {
        for place in places {
            let rig = Rig::on(board, Config::default());
            let [client, other] = [rig.client(), rig.client()];
            client.expect_works_at(*place);
            let resets = rig.stats_of(place.pipe as usize).resets;
            rig.slow_jobs(400 * MS);
            let (work, submit) = endless(&client, *place);
            let fence = client.submit_raw(&submit).unwrap();
            rig.advance(MS);
            let waiting = other.work_at(place.nth(1), 7).unwrap();
            let theirs = other.start(&waiting).unwrap();
            let (end, ns) = outcome(&rig, &client, fence);
            assert_eq!(end, 1, "{board} after {ns} ns");
            assert!(ns >= 59 * SEC && work.is_done());
            assert_eq!(other.end_of(theirs, SEC), 1);
            assert!(waiting.is_done());
            assert_eq!(rig.stats_of(place.pipe as usize).resets, resets);
            drop((work, waiting, client, other));
            rig.finish();
        }
    }
}

/// Catches: a tunable without effect; a job killed though no other waits, or for its own file's
/// jobs; other jobs that end with it.
#[test]
fn a_long_job_ends_after_the_grace_period_of_others() {
    for (board, places) in BOARDS {
        let place = places[0];
        let rig = Rig::on(board, driver_tests::tunable("etnaviv_patience_ms", 5_000));
        let [client, other] = [rig.client(), rig.client()];
        client.expect_works_at(place);
        rig.slow_jobs(400 * MS);
        let (work, submit) = endless(&client, place);
        let fence = client.submit_raw(&submit).unwrap();
        let own = client.work_at(place.nth(1), 6).unwrap();
        let mine = client.start(&own).unwrap();
        rig.advance(20 * SEC);
        assert_eq!(
            client.sync_file_status(fence.fd),
            0,
            "{board}: no other client waits"
        );
        let waiting = other.work_at(place.nth(2), 7).unwrap();
        let theirs = other.start(&waiting).unwrap();
        let (end, ns) = outcome(&rig, &client, fence);
        assert_eq!(end, -errno::ETIMEDOUT, "{board}");
        assert!(
            (5 * SEC..6 * SEC + SEC / 10).contains(&ns),
            "{board}: {ns} ns"
        );
        assert_eq!(
            (client.end_of(mine, 2 * SEC), other.end_of(theirs, 2 * SEC)),
            (1, 1)
        );
        assert!(own.is_done() && waiting.is_done());
        assert_eq!((client.stat("faults"), other.stat("faults")), (1, 0));
        drop((work, own, waiting, client, other));
        rig.finish();
    }
}

/// Catches: a file whose job moves, and that keeps the core from all others after it was closed.
#[test]
fn a_long_job_of_a_closed_file_is_ended_at_once() {
    for (board, places) in BOARDS {
        let place = places[0];
        let rig = Rig::on(board, Config::default());
        let [client, other] = [rig.client(), rig.client()];
        other.expect_works_at(place);
        rig.slow_jobs(400 * MS);
        let (work, submit) = endless(&client, place);
        client.submit_raw(&submit).unwrap();
        // It is in the hardware after the other one, and must not begin.
        let (again, submit) = endless(&client, place.nth(1));
        client.submit_raw(&submit).unwrap();
        rig.advance(SEC);
        rig.slow_jobs(2_000);
        let waiting = other.work_at(place.nth(2), 7).unwrap();
        let theirs = other.start(&waiting).unwrap();
        let begin = rig.world().now();
        drop((work, again, client));
        assert_eq!(other.end_of(theirs, SEC), 1, "{board}");
        assert!(
            rig.world().now() - begin < 20 * MS,
            "{board}: {}",
            rig.world().now() - begin
        );
        assert!(waiting.is_done());
        assert_eq!((rig.stat("resets"), rig.stat("faults")), (1, 0), "{board}");
        drop((waiting, other));
        rig.finish();
    }
}

/// A frame that is nearly over has its time. Catches: a reset for each program that ends.
#[test]
fn a_short_job_of_a_closed_file_ends_by_itself() {
    for (board, places) in BOARDS {
        let place = places[0];
        let rig = Rig::on(board, Config::default());
        for _ in 0..3 {
            let client = rig.client();
            rig.slow_jobs(5 * MS);
            let work = client.work_at(place, 1).unwrap();
            client.start(&work).unwrap();
            rig.advance(MS);
            drop((work, client));
            rig.advance(100 * MS);
        }
        assert_eq!((rig.stat("resets"), rig.stat("faults")), (0, 0), "{board}");
        rig.finish();
    }
}

/// The front end waits after the draw, and only the primitive counter shows progress. Catches: a
/// watchdog that only checks the front end, and one that leaves the counters selected wrongly.
#[test]
fn a_long_draw_is_not_killed() {
    for board in ["imx6q", "imx6qp"] {
        let rig = Rig::on(board, Config::default());
        let client = rig.client();
        rig.timing(|timing| timing.vertex_ns = 1_000);
        let resets = rig.stats().resets;
        let submit = Submit::relocated(&Template::draw(60 * 333_333), &[]);
        let fence = client.submit_raw(&submit).unwrap();
        let (end, ns) = outcome(&rig, &client, fence);
        assert_eq!(end, 1, "{board} after {ns} ns");
        assert!(ns > 59 * SEC);
        assert_eq!(rig.stats().resets, resets);
        client.expect_works_at(BOARDS[1].1[0].nth(1).anywhere());
        drop(client);
        rig.finish();
    }
}

/// Jobs of seven clients hang one after the other, and one of another client waits for them all.
/// Catches: a run counted against a job that waited.
#[test]
fn hangs_of_others_are_nothing_to_a_job() {
    const HANGS: u32 = 7;
    for (board, places) in BOARDS {
        let place = places[0];
        let rig = Rig::on(board, Config::default());
        let victim = rig.client();
        victim.expect_works_at(place);
        let bad: Vec<Client> = (0..HANGS).map(|_| rig.client()).collect();
        let works: Vec<Work> = (0..)
            .zip(&bad)
            .map(|(n, client)| client.work_at(place.nth(n), n).unwrap())
            .collect();
        let plant = || rig.plant_on(place.pipe as usize, Injection::HangNextJob);
        plant();
        let start = |(client, work): (&Client, &Work)| client.start(work).unwrap();
        let fences: Vec<Fence> = bad.iter().zip(&works).map(start).collect();
        let work = victim.work_at(place.nth(HANGS), 7).unwrap();
        let fence = victim.start(&work).unwrap();
        for (n, (client, bad)) in bad.iter().zip(&fences).enumerate() {
            rig.advance(400 * MS);
            if n + 1 != fences.len() {
                plant();
            }
            assert_eq!(
                client.end_of(*bad, 2 * SEC),
                -errno::ETIMEDOUT,
                "{board} {n}"
            );
            assert_eq!(rig.stat("resets"), n as u64 + 1);
            // The ring has room for four jobs: it was in the hardware at the last three resets at
            // least.
        }
        assert_eq!(victim.end_of(fence, SEC), 1, "{board}");
        assert!(work.is_done());
        assert_eq!(victim.stat("faults"), 0);
        drop((works, work, bad, victim));
        rig.finish();
    }
}

/// One operation that never seems to end, a front end that hangs, and either with work of others
/// after it. Catches: idling taken for progress; a job of another client that is blamed.
#[test]
fn a_job_that_stands_still_has_a_second() {
    for (board, places) in BOARDS {
        for (place, hang) in places
            .iter()
            .flat_map(|place| [(place, false), (place, true)])
        {
            let rig = Rig::on(board, Config::default());
            let [guilty, other] = [rig.client(), rig.client()];
            guilty.expect_works_at(*place);
            let (work, submit) = long(&guilty, *place, 1);
            if hang {
                rig.plant_on(place.pipe as usize, Injection::HangNextJob);
            } else {
                rig.slow_jobs(100 * SEC);
            }
            let fence = guilty.submit_raw(&submit).unwrap();
            rig.advance(MS);
            rig.slow_jobs(2_000);
            let works: Vec<Work> = (1..6)
                .map(|n| other.work_at(place.nth(n), n).unwrap())
                .collect();
            let fences: Vec<Fence> = works
                .iter()
                .map(|work| other.start(work).unwrap())
                .collect();
            let (end, ns) = outcome(&rig, &guilty, fence);
            assert_eq!(end, -errno::ETIMEDOUT, "{board}");
            assert!((SEC / 2..3 * SEC / 2).contains(&ns), "{board}: {ns} ns");
            for fence in fences {
                assert_eq!(other.end_of(fence, SEC), 1);
            }
            assert!(works.iter().all(Work::is_done) && work.is_untouched());
            assert_eq!((guilty.stat("faults"), other.stat("faults")), (1, 0));
            drop((work, works, guilty, other));
            rig.finish();
        }
    }
}

/// Catches: a reset of the wrong core, or of all; jobs of one core that are run again because
/// another hung.
#[test]
fn a_hang_of_one_core_is_nothing_to_the_other() {
    for (hung, busy) in [(IMX6Q[0], IMX6Q[1]), (IMX6Q[1], IMX6Q[0])] {
        let rig = Rig::on("imx6q", Config::default());
        let [guilty, other] = [rig.client(), rig.client()];
        guilty.expect_works_at(hung);
        other.expect_works_at(busy);
        let before = rig.stats_of(busy.pipe as usize);
        let work = guilty.work_at(hung, 1).unwrap();
        rig.plant_on(hung.pipe as usize, Injection::HangNextJob);
        let fence = guilty.start(&work).unwrap();
        rig.timing_of(busy.pipe as usize, |timing| timing.copy_ns = 45 * MS);
        let mut runs = 0;
        while guilty.wait_fence_on(hung.pipe, fence.id, 1, 0).is_err() {
            // Both from one file: it is only that core that stands.
            for client in [&other, &guilty] {
                let work = client.work_at(busy, runs).unwrap();
                let fence = client.start(&work).unwrap();
                assert_eq!(client.end_of(fence, 100 * MS), 1, "run {runs}");
                assert!(work.is_done());
                client.close(work.data.handle).unwrap();
                runs += 1;
            }
            assert!(runs < 100, "the watchdog does not come");
        }
        assert!(runs > 8);
        assert_eq!(guilty.end_of(fence, 0), -errno::ETIMEDOUT);
        let after = rig.stats_of(busy.pipe as usize);
        assert_eq!(after.resets, before.resets);
        let operations = |stats: &models::vivante::Stats| match busy.engine {
            Engine::De => stats.rectangles,
            _ => stats.rs_operations,
        };
        assert_eq!(operations(&after) - operations(&before), u64::from(runs));
        guilty.expect_works_at(hung);
        drop((work, guilty, other));
        rig.finish();
    }
}
