// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv on boards with two cores, MMUv1, relocations, counters and memory of clients: the n-th
//! allocation fails, for every n. As allocation.rs, which says what it catches.

use driver_tests::etnaviv::{
    prep, Client, Fence, Place, Rig, Submit, UserMemory, Work, BOARDS, IMX6Q,
};
use driver_tests::sweep::{self, MOST, MTXS, PAGES, SXS};
use driver_tests::{errno, MS, SEC};
use drm_os_host::Config;
use models::vivante::Injection;

#[test]
fn attach() {
    for (name, places) in BOARDS {
        let failures = sweep::attach(name, |board| {
            let client = Client::open(board).unwrap();
            places
                .iter()
                .for_each(|place| client.expect_works_at(*place));
        });
        assert!(failures >= 20 * places.len() as u64, "{name}: {failures}");
    }
}

/// The second core does not come, and comes later. Catches: a first core that suffers from it.
#[test]
fn attach_of_the_second_core() {
    for n in 0..MOST {
        let rig = Rig::on("imx6q", Config::default());
        rig.detach(true).unwrap();
        rig.attach(0).unwrap();
        let client = rig.client();
        client.expect_works_at(IMX6Q[0]);
        rig.slow_jobs(20 * MS);
        let work = client.work_at(IMX6Q[0], 4).unwrap();
        let fence = client.start(&work).unwrap();
        rig.advance(MS);
        let before = rig.world().counters().mallocs;
        rig.world().fail_allocation(Some(n));
        let attached = rig.attach(1);
        rig.world().fail_allocation(None);
        let hit = rig.world().counters().failed_allocations != 0;
        assert_eq!(
            attached,
            if hit { Err(errno::ENOMEM) } else { Ok(()) },
            "allocation {n}"
        );
        if hit {
            assert_eq!(client.param_of(1, 1), Err(errno::ENXIO));
            assert_eq!(
                rig.world().counters().mallocs,
                before,
                "allocation {n} leaks"
            );
            rig.attach(1).unwrap();
        }
        assert_eq!(client.end_of(fence, SEC), 1);
        assert!(work.is_done());
        rig.slow_jobs(2_000);
        IMX6Q
            .iter()
            .for_each(|place| client.expect_works_at(*place));
        drop((work, client));
        rig.finish();
        if !hit {
            assert!(n > 15, "{n}");
            return;
        }
    }
    panic!("it never attaches");
}

/// The board and place of each core.
fn everywhere() -> impl Iterator<Item = (&'static str, Place)> {
    BOARDS
        .into_iter()
        .flat_map(|(board, places)| places.iter().map(move |place| (board, *place)))
}

/// A client whose work is under way.
fn busy(rig: &Rig, place: Place) -> (Client, Work, Fence) {
    let client = rig.client();
    rig.slow_jobs(20 * MS);
    let work = client.work_at(place, 0x7777).unwrap();
    let fence = client.start(&work).unwrap();
    rig.advance(MS);
    (client, work, fence)
}

/// A counter that every core has.
fn counter(client: &Client, place: Place) -> (u8, u16) {
    let names = ["TOTAL_WRITE_BYTES8", "PIXELS_RENDERED_2D"];
    names
        .into_iter()
        .find_map(|name| client.counter(place.pipe, name))
        .unwrap()
}

/// With addresses that the driver writes, and counters. Besides: a fence that is never signaled, a
/// buffer that stays busy, a kernel mapping of the samples.
#[test]
fn submit() {
    for (board, place) in everywhere() {
        let place = place.anywhere();
        let setup = |rig: &Rig| {
            let running = busy(rig, place);
            let client = rig.client();
            let counter = counter(&client, place);
            client.expect_works_at(place);
            let samples = client.bo_unplaced(4096).unwrap();
            let work = client.work_at(place, 1).unwrap();
            let submit = work.sampled(&[counter; 3], 5, &samples);
            (running, client, work, samples, submit)
        };
        let failures = sweep::on(
            board,
            &[PAGES, MTXS],
            setup,
            |rig, (_, client, work, samples, submit)| {
                let result = client.submit_raw(submit);
                rig.world().fail_allocation(None);
                if result.is_err() {
                    // ABI: a job whose out-fence found no descriptor runs all the same.
                    rig.advance(50 * MS);
                    for bo in [&work.data, samples] {
                        let idle = client.cpu_prep(bo.handle, prep::WRITE | prep::NOSYNC, 0);
                        assert_eq!(idle, Ok(()), "no client waits for a failed submit");
                    }
                    assert!(work.is_untouched() || work.is_done());
                    work.forget();
                }
                let fence = result?;
                assert_eq!(client.end_of(fence, SEC), 1);
                assert!(work.is_done());
                work.forget();
                Ok(())
            },
        );
        assert!(failures > 8, "{board} {failures}");
    }
}

/// The queue of a file on a core comes with the first job for it, and stays.
#[test]
fn first_submit_to_each_core() {
    for (board, place) in everywhere() {
        let failures = sweep::on(board, &[PAGES, MTXS, SXS], Rig::client, |rig, client| {
            let submit = Submit::new(driver_tests::etnaviv::stream::nop(), &[]);
            let submit = Submit { flags: 4, ..submit };
            let result = client.submit_raw(&submit.on(place.pipe, place.engine.exec_state()));
            rig.world().fail_allocation(None);
            if result.is_err() {
                rig.advance(MS);
            }
            assert_eq!(client.end_of(result?, SEC), 1);
            Ok(())
        });
        assert!(failures > 4, "{board} {failures}");
    }
}

/// Catches: pages of the client that stay held.
#[test]
fn userptr() {
    for (board, place) in everywhere() {
        let setup = |rig: &Rig| (rig.client(), UserMemory::new(3));
        let failures = sweep::on(board, &[], setup, |_, (client, memory)| {
            let handle = client.userptr(memory.address(), memory.size(), 3)?;
            assert_eq!(handle, 1, "a failed call keeps no handle");
            client.close(handle).unwrap();
            Ok(())
        });
        assert!(failures > 2, "{board} {failures}");
        // And its first use.
        let setup = |rig: &Rig| {
            let client = rig.client();
            client.expect_works_at(place);
            let memory = UserMemory::new(3);
            let handle = client.userptr(memory.address(), memory.size(), 3).unwrap();
            (client, memory, handle)
        };
        let failures = sweep::on(
            board,
            &[PAGES, MTXS],
            setup,
            |rig, (client, memory, handle)| {
                let template = driver_tests::etnaviv::stream::Template::fill(place.engine, 8);
                let submit = Submit {
                    bos: vec![(3, *handle, 0)],
                    ..Submit::relocated(&template, &[])
                };
                let result = client.submit_raw(&submit.on(place.pipe, place.engine.exec_state()));
                rig.world().fail_allocation(None);
                if result.is_err() {
                    rig.advance(MS);
                }
                assert_eq!(client.end_of(result?, SEC), 1);
                assert_eq!(memory.get(60), 8);
                memory.put(60, 0);
                Ok(())
            },
        );
        assert!(failures > 4, "{board} {failures}");
    }
}

/// Start, counters, end, error of the bus, exception, hang, reset, sleep.
#[test]
fn jobs_under_way_need_no_memory() {
    for (board, place) in everywhere() {
        let rig = Rig::on(board, Config::default());
        let [client, other] = [rig.client(), rig.client()];
        let counter = counter(&client, place);
        // Only the first crash is dumped, and goes without if there is no memory.
        rig.plant_on(place.pipe as usize, Injection::HangNextJob);
        let first = client.work_at(place, 1).unwrap();
        let fence = client.start(&first).unwrap();
        assert!(client.end_of(fence, 5 * SEC) < 0);
        let samples =
            [&client, &other].map(|c| c.bo_at(4096, place.nth(20).va.unwrap_or(0)).unwrap());
        let works: Vec<Work> = (0..6)
            .map(|n| client.work_at(place.nth(n), n).unwrap())
            .collect();
        let theirs: Vec<Work> = (0..6)
            .map(|n| other.work_at(place.nth(n), n).unwrap())
            .collect();
        let faults = [
            None,
            Some(Injection::HangNextJob),
            Some(Injection::BusErrorAt(3)),
            place.va.map(|_| Injection::MmuExceptionAt(3)),
            Some(Injection::LoseIrq),
            Some(Injection::ResetStuck),
        ];
        for fault in faults {
            let starts = rig.world().counters().failed_allocations;
            let mut fences = Vec::new();
            for (mine, other_work) in works.iter().zip(&theirs) {
                fences.push((
                    &client,
                    client
                        .submit_raw(&mine.sampled(&[counter], 3, &samples[0]))
                        .unwrap(),
                ));
                let submit = other_work.sampled(&[counter], 4, &samples[1]);
                fences.push((&other, other.submit_raw(&submit).unwrap()));
            }
            if let Some(fault) = fault {
                rig.plant_on(place.pipe as usize, fault);
            }
            rig.world().fail_allocation(Some(0));
            rig.advance(8 * SEC);
            rig.world().fail_allocation(None);
            let ends: Vec<i32> = fences
                .into_iter()
                .map(|(c, fence)| c.end_of(fence, 0))
                .collect();
            assert!(
                ends.iter().all(|end| *end != 0),
                "{board} {fault:?}: {ends:?}"
            );
            assert!(
                ends.iter().filter(|end| **end < 0).count() <= 1,
                "{board} {fault:?}: {ends:?}"
            );
            let failed = rig.world().counters().failed_allocations;
            assert_eq!(
                failed, starts,
                "{board} {fault:?}: a job's life asks for memory"
            );
        }
        drop((first, samples, works, theirs, client, other));
        rig.finish();
    }
}
