// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv's watchdog: a job that gets on may take long, one that stands still may not, and each core has its own.

use driver_tests::etnaviv::stream::{Engine, Template};
use driver_tests::etnaviv::{Client, Fence, Place, Rig, Submit, Work, BOARDS, IMX6Q};
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

/// Catches: a watchdog that does not see the front end move; one that lets a job go on for ever.
#[test]
fn a_long_job_that_moves_has_half_a_minute() {
    for (board, places) in BOARDS {
        for place in places {
            let rig = Rig::on(board, Config::default());
            let client = rig.client();
            client.expect_works_at(*place);
            let resets = rig.stats_of(place.pipe as usize).resets;
            rig.slow_jobs(400 * MS);
            let (work, submit) = long(&client, *place, 70);
            let fence = client.submit_raw(&submit).unwrap();
            let (end, ns) = outcome(&rig, &client, fence);
            assert_eq!(end, 1, "{board} after {ns} ns");
            assert!(ns >= 28 * SEC && work.is_done());
            assert_eq!(rig.stats_of(place.pipe as usize).resets, resets);
            let (slow, submit) = long(&client, *place, 100);
            let fence = client.submit_raw(&submit).unwrap();
            let (end, ns) = outcome(&rig, &client, fence);
            assert_eq!(end, -errno::ETIMEDOUT, "{board}");
            assert!((30 * SEC..32 * SEC).contains(&ns), "{board}: {ns} ns");
            rig.timing(|timing| timing.copy_ns = MS);
            client.expect_works_at(place.nth(1));
            drop((work, slow, client));
            rig.finish();
        }
    }
}

/// The front end stands behind the draw, and nothing but the primitive counter says that it gets on. Catches: a
/// watchdog that only looks at the front end, and one that leaves the counters selected wrongly.
#[test]
fn a_long_draw_is_not_killed() {
    for board in ["imx6q", "imx6qp"] {
        let rig = Rig::on(board, Config::default());
        let client = rig.client();
        rig.timing(|timing| timing.vertex_ns = 1_000);
        let resets = rig.stats().resets;
        let run = |seconds: u32| {
            let submit = Submit::relocated(&Template::draw(seconds * 333_333), &[]);
            let fence = client.submit_raw(&submit).unwrap();
            outcome(&rig, &client, fence)
        };
        let (end, ns) = run(20);
        assert_eq!(end, 1, "{board} after {ns} ns");
        assert!(ns > 19 * SEC);
        assert_eq!(rig.stats().resets, resets);
        let (end, ns) = run(60);
        assert_eq!(end, -errno::ETIMEDOUT, "{board}");
        assert!((30 * SEC..32 * SEC).contains(&ns), "{board}: {ns} ns");
        client.expect_works_at(BOARDS[1].1[0].nth(1).anywhere());
        drop(client);
        rig.finish();
    }
}

/// One operation that never seems to end, a front end that hangs, and either with work of others behind it.
/// Catches: idling taken for progress; a job of somebody else that pays.
#[test]
fn a_job_that_stands_still_has_a_second() {
    for (board, places) in BOARDS {
        for (place, hang) in places.iter().flat_map(|place| [(place, false), (place, true)]) {
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
            let works: Vec<Work> = (1..6).map(|n| other.work_at(place.nth(n), n).unwrap()).collect();
            let fences: Vec<Fence> = works.iter().map(|work| other.start(work).unwrap()).collect();
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

/// Catches: a reset of the wrong core, or of all; jobs of one core that are run again because another hung.
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
