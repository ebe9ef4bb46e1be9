// SPDX-License-Identifier: BSD-2-Clause
//! Suspend, resume and shutdown of a Vivante GPU, whose cores are nodes of their own. That no
//! register is touched while the power is off, and that power does not go under a running front
//! end, is checked by [`Rig::finish`].

use driver_tests::etnaviv::{Client, Fence, Rig, Work, BOARDS, IMX6Q};
use driver_tests::{errno, MS, SEC};
use drm_os_host::Config;
use models::vivante::Injection;

fn is_off(rig: &Rig) -> bool {
    let c = rig.world().counters();
    c.power_domains_on == 0 && c.clocks_enabled == 0
}

/// Jobs of 20 ms on all cores, submitted.
fn start(rig: &Rig, board: usize, client: &Client) -> Vec<(Work, Fence)> {
    rig.slow_jobs(20 * MS);
    let places = BOARDS[board].1;
    let start = |n: usize| {
        let work = client
            .work_at(places[n % places.len()].nth(n as u32), n as u32)
            .unwrap();
        let fence = client.start(&work).unwrap();
        (work, fence)
    };
    let works = (0..12).map(start).collect();
    rig.advance(MS);
    works
}

fn done(works: &[(Work, Fence)]) -> usize {
    works.iter().filter(|(work, _)| work.is_done()).count()
}

/// Catches: a suspend that does nothing, one that fails or forgets jobs, a job that starts while
/// the device is suspended, a core that stays on, a resume of one node that starts the other.
#[test]
fn jobs_wait_for_the_resume() {
    for (board, (name, _)) in BOARDS.iter().enumerate() {
        let rig = Rig::on(name, Config::default());
        let client = rig.client();
        let works = start(&rig, board, &client);
        rig.devices().iter().for_each(|node| node.suspend());
        assert!(is_off(&rig), "{name}");
        let ended = done(&works);
        assert!((1..works.len()).contains(&ended), "{name}: {ended}");
        rig.advance(10 * SEC);
        assert!(is_off(&rig), "{name}");
        let (last, others) = rig.devices().split_last().unwrap();
        others.iter().for_each(|node| node.resume());
        rig.advance(SEC);
        assert_eq!(done(&works), ended, "{name}");
        last.resume();
        for (work, fence) in &works {
            assert_eq!(client.end_of(*fence, SEC), 1, "{name}");
            assert!(work.is_done(), "{name}");
        }
        assert_eq!(rig.stat("resets"), 0);
        drop((works, client));
        rig.finish();
    }
}

/// Catches: a suspend that waits for a job without end, and one that fails the jobs after it.
#[test]
fn a_hung_core_is_suspended_all_the_same() {
    let rig = Rig::on("imx6q", Config::default());
    let client = rig.client();
    rig.plant(Injection::HangNextJob);
    let works = [0, 1, 2].map(|n| {
        let work = client.work_at(IMX6Q[0].nth(n), n).unwrap();
        let fence = client.start(&work).unwrap();
        (work, fence)
    });
    rig.advance(MS);
    let begin = rig.world().now();
    rig.devices()[1].suspend();
    assert!(is_off(&rig));
    assert!(rig.world().now() - begin < 1_100 * MS);
    rig.devices()[1].resume();
    for (n, (_, fence)) in works.iter().enumerate() {
        let expected = if n == 0 { -errno::ETIMEDOUT } else { 1 };
        assert_eq!(client.end_of(*fence, 2 * SEC), expected, "job {n}");
    }
    drop((works, client));
    rig.finish();
}

/// Catches: a GPU that writes to memory of the next kernel, a shutdown that waits for jobs, a
/// resume that turns it on again.
#[test]
fn nothing_runs_after_the_shutdown() {
    for (board, (name, _)) in BOARDS.iter().enumerate() {
        let rig = Rig::on(name, Config::default());
        let client = rig.client();
        let works = start(&rig, board, &client);
        let begin = rig.world().now();
        rig.devices().iter().for_each(|node| node.shutdown());
        assert!(is_off(&rig), "{name}");
        assert!(rig.world().now() - begin < 20 * MS, "{name}");
        let ended = done(&works);
        assert!(ended < works.len(), "{name}");
        rig.devices().iter().for_each(|node| node.resume());
        rig.advance(10 * SEC);
        assert!(is_off(&rig) && done(&works) == ended, "{name}");
        drop((works, client));
        rig.finish();
    }
}
