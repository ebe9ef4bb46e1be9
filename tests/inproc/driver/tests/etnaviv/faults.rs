// SPDX-License-Identifier: BSD-2-Clause
//! Faults of Vivante GPUs with each kind of MMU: who is blamed, and what becomes of the others.

use crate::Rig;
use driver_tests::etnaviv::stream::Template;
use driver_tests::etnaviv::{Client, Fence, Place, Submit, Work, BOARDS, BROKEN};
use driver_tests::{errno, MS, SEC};
use drm_os_host::Config;
use models::vivante::Injection;

/// The boards whose MMU raises exceptions, and their places.
fn with_exceptions() -> impl Iterator<Item = (&'static str, Place)> {
    let all = BOARDS.into_iter().map(|(board, places)| (board, places[0]));
    all.filter(|(_, place)| place.va.is_some())
}

/// A job that writes where nothing is.
fn astray(client: &Client, place: Place) -> Fence {
    let stream = Template::fill(place.engine, 1).at(&[BROKEN]);
    client.submit_raw(&Submit::new(stream, &[])).unwrap()
}

/// Catches: the wrong job, or the wrong file, that is blamed; jobs after a fault that are lost or
/// run twice; tables that are not loaded again after the reset.
#[test]
fn an_exception_ends_one_job() {
    for (board, place) in with_exceptions() {
        for position in 0..4 {
            let rig = Rig::on(board, Config::default());
            let [guilty, other] = [rig.client(), rig.client()];
            [&guilty, &other]
                .iter()
                .for_each(|c| c.expect_works_at(place));
            // All of it is in the hardware before the first of it ends.
            rig.slow_jobs(10 * MS);
            let works: Vec<Work> = (0..4)
                .map(|n| other.work_at(place.nth(n), n).unwrap())
                .collect();
            let mut bad = None;
            let mut fences = Vec::new();
            for (n, work) in works.iter().enumerate() {
                if n == position {
                    bad = Some(astray(&guilty, place));
                    rig.advance(MS);
                }
                fences.push(other.start(work).unwrap());
                rig.advance(MS);
            }
            assert_eq!(
                guilty.end_of(bad.unwrap(), SEC),
                -errno::EFAULT,
                "{board} {position}"
            );
            for fence in fences {
                assert_eq!(other.end_of(fence, SEC), 1, "{board} {position}");
            }
            assert!(works.iter().all(Work::is_done));
            assert_eq!((guilty.stat("faults"), other.stat("faults")), (1, 0));
            assert_eq!((rig.stat("faults"), rig.stat("resets")), (1, 1));
            [&guilty, &other]
                .iter()
                .for_each(|c| c.expect_works_at(place.nth(9)));
            drop((works, guilty, other));
            assert_eq!(rig.finish().mmu_exception_count(), 1);
        }
    }
}

/// The end of the previous job was not reported. Catches: that job, which has ended, blamed for the
/// next one's fault.
#[test]
fn a_fault_after_an_end_without_notice() {
    for (board, place) in with_exceptions() {
        let rig = Rig::on(board, Config::default());
        let [guilty, other] = [rig.client(), rig.client()];
        [&guilty, &other]
            .iter()
            .for_each(|c| c.expect_works_at(place));
        rig.slow_jobs(10 * MS);
        let work = other.work_at(place, 3).unwrap();
        let fence = other.start(&work).unwrap();
        rig.advance(MS);
        let bad = astray(&guilty, place);
        rig.advance(MS);
        rig.plant(Injection::LoseIrq);
        assert_eq!(other.end_of(fence, SEC), 1, "{board}");
        assert_eq!(guilty.end_of(bad, SEC), -errno::EFAULT, "{board}");
        assert_eq!(rig.stats().injected, 1);
        assert!(work.is_done());
        assert_eq!((guilty.stat("faults"), other.stat("faults")), (1, 0));
        drop((work, guilty, other));
        rig.finish();
    }
}

/// Catches: a fault that the watchdog finds and takes for a time-out, or gives more time.
#[test]
fn a_fault_whose_interrupt_is_lost_is_a_fault() {
    for (board, place) in with_exceptions() {
        let rig = Rig::on(board, Config::default());
        let client = rig.client();
        client.expect_works_at(place);
        rig.plant(Injection::LoseIrq);
        let fence = astray(&client, place);
        rig.advance(400 * MS);
        assert_eq!(client.wait_fence(fence.id, 1, 0), Err(errno::EBUSY));
        rig.advance(200 * MS);
        assert_eq!(client.end_of(fence, 0), -errno::EFAULT, "{board}");
        client.expect_works_at(place);
        drop(client);
        assert_eq!(rig.finish().injected, 1);
    }
}

/// The watchdog has been there once already, and the fault came after that. Catches: a front end
/// that stands because of a fault and is blamed for standing.
#[test]
fn a_late_fault_whose_interrupt_is_lost_is_a_fault() {
    for (board, place) in with_exceptions() {
        let rig = Rig::on(board, Config::default());
        let client = rig.client();
        client.expect_works_at(place);
        rig.slow_jobs(700 * MS);
        rig.plant(Injection::LoseIrq);
        let fence = astray(&client, place);
        rig.advance(900 * MS);
        assert_eq!(client.wait_fence(fence.id, 1, 0), Err(errno::EBUSY));
        rig.advance(200 * MS);
        assert_eq!(client.end_of(fence, 0), -errno::EFAULT, "{board}");
        rig.slow_jobs(2_000);
        client.expect_works_at(place);
        drop(client);
        assert_eq!(rig.finish().injected, 1);
    }
}

/// An error of the bus at any transfer of a job, with its interrupt and without. Catches: a core
/// that stays as it is, a fault that ends somebody's job twice or never, and an other core that is
/// reset.
#[test]
fn bus_errors() {
    for (board, places) in BOARDS {
        for (n, lost) in (0..24).flat_map(|n| [(n, false), (n, true)]) {
            let rig = Rig::on(board, Config::default());
            let place = places[n as usize % places.len()];
            let core = place.pipe as usize;
            let [a, b] = [rig.client(), rig.client()];
            [&a, &b].iter().for_each(|c| c.expect_works_at(place));
            let works = [&a, &b].map(|c| c.work_at(place, 7).unwrap());
            // The error and the end of the job are two interrupts: a handler that gets both at once
            // cannot know whose it was.
            rig.slow_jobs(MS);
            rig.plant_on(core, Injection::BusErrorAt(n));
            if lost {
                rig.plant_on(core, Injection::LoseIrq);
            }
            let fences = [a.start(&works[0]).unwrap(), b.start(&works[1]).unwrap()];
            let ends = [a.end_of(fences[0], 10 * SEC), b.end_of(fences[1], 10 * SEC)];
            assert!(
                ends.iter().all(|end| [1, -errno::EFAULT].contains(end)),
                "{board} {n} {lost}: {ends:?}"
            );
            if rig.stats_of(core).bus_errors == 0 {
                // There are not that many transfers; it is not to happen later.
                rig.plant_on(core, Injection::BusErrorAt(u64::MAX));
            } else {
                let failed = ends.iter().filter(|end| **end < 0).count();
                assert!(
                    failed <= 1,
                    "{board} {n} {lost}: one error ends one job: {ends:?}"
                );
                assert!(lost || failed == 1, "{board} {n}: not noticed");
                for (work, end) in works.iter().zip(ends) {
                    assert!(end < 0 || lost || work.is_done(), "{board} {n}");
                }
            }
            [&a, &b].iter().for_each(|c| c.expect_works_at(place));
            drop((works, a, b));
            let all = rig.finish_all();
            for (pipe, stats) in all.iter().enumerate() {
                assert!(pipe == core || stats.bus_errors == 0);
            }
        }
    }
}

/// The bus fails in what the front end still fetches when it is stopped to be turned off. Catches:
/// an interrupt that is no longer served and not masked, which keeps a processor busy.
#[test]
fn a_fault_while_a_core_is_turned_off() {
    for (board, places) in BOARDS {
        let rig = Rig::on(board, Config::default());
        let client = rig.client();
        for place in places {
            client.expect_works_at(*place);
            rig.advance(199 * MS);
            rig.plant_on(place.pipe as usize, Injection::BusErrorAt(0));
            rig.advance(SEC);
            assert_eq!(rig.world().counters().power_domains_on, 0, "{board}");
            assert_eq!(rig.stats_of(place.pipe as usize).bus_errors, 1, "{board}");
            client.expect_works_at(*place);
            rig.advance(SEC);
        }
        assert_eq!((rig.stat("faults"), rig.stat("resets")), (0, 0), "{board}");
        drop(client);
        rig.finish();
    }
}
