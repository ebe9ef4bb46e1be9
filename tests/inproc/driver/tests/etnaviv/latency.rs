// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv: what a job held is freed by the reaper or by its client; the cores' own threads, which
//! all clients wait for, do not, nor do they wait for who does.

use driver_tests::etnaviv::{Client, Fence, Place, Rig, Work, BOARDS, WC};
use driver_tests::{check_gpu_thread, with_memory, MS, SEC};
use drm_os_host::Config;

const REAPER: &str = "etnaviv reaper";
const LARGE: u64 = 2 << 20;
const PAGES: u64 = LARGE / 4096;

/// Starts work that uses a large buffer besides, which is closed at once.
fn start_with_large(client: &Client, work: &Work, place: Place) -> Fence {
    let handle = client.gem_new(LARGE, WC).unwrap();
    let mut submit = work.submit();
    let va = place.nth(0x1000).va.unwrap_or(0);
    submit.bos.push((3, handle, u64::from(va)));
    let fence = client.submit_raw(&submit).unwrap();
    client.close(handle).unwrap();
    fence
}

/// The reaper has no time. Catches: a job whose end unmaps and frees in a core's own thread, a
/// fence that waits for that, an address that its client may not use again although the job has
/// ended, a reaper that a suspend ends.
#[test]
fn the_end_of_a_job_frees_nothing_and_the_next_ioctl_does() {
    for (board, places) in BOARDS {
        for place in places.iter().copied() {
            let rig = Rig::on(board, Config::default());
            let [hog, other] = [rig.client(), rig.client()];
            let work = hog.work_at(place.nth(1), 1).unwrap();
            let theirs = other.work_at(place.nth(2), 2).unwrap();
            let pages = || rig.world().counters().object_pages;
            let run = || {
                let fence = other.start(&theirs).unwrap();
                assert_eq!(other.end_of(fence, SEC), 1);
            };
            for suspended in [false, true] {
                if suspended {
                    rig.devices().iter().for_each(|node| node.suspend());
                    rig.devices().iter().for_each(|node| node.resume());
                }
                let without = pages();
                rig.world().stall_queue(REAPER, true);
                let fence = start_with_large(&hog, &work, place);
                let charged = hog.stat("mem");
                rig.advance(20 * MS);
                run();
                assert_eq!(pages(), without + PAGES, "{board}");
                assert_eq!(hog.stat("mem"), charged, "{board}");
                // At the same address.
                let again = start_with_large(&hog, &work, place);
                rig.advance(20 * MS);
                run();
                assert_eq!(hog.end_of(fence, SEC), 1);
                assert_eq!(hog.end_of(again, SEC), 1);
                rig.world().stall_queue(REAPER, false);
                // What a job may have in its TLB stays until the next ones have begun.
                for _ in 0..4 {
                    let fence = hog.start(&work).unwrap();
                    assert_eq!(hog.end_of(fence, SEC), 1);
                }
                rig.advance(MS);
                assert_eq!(pages(), without, "{board}");
            }
            drop((work, theirs, hog, other));
            rig.finish();
        }
    }
}

/// Catches: memory that clients leave being freed before any of them runs.
#[test]
fn what_clients_leave_is_freed_in_the_background() {
    for (board, _) in BOARDS {
        let rig = Rig::on(board, Config::default());
        let urgent = rig.world().urgent_queues();
        assert!(urgent.iter().all(|name| name == "etnaviv"), "{urgent:?}");
        assert!(!urgent.is_empty());
        rig.finish();
    }
}

/// Catches: a backlog of the reaper that grows beyond what its client may have, and a client at
/// its limit that is refused memory which its jobs no longer use.
#[test]
fn who_is_at_the_limit_does_not_wait_for_the_reaper() {
    let (board, places) = BOARDS[0];
    let rig = Rig::on(board, with_memory(4 * LARGE));
    let hog = rig.client();
    let work = hog.work_at(places[0].nth(1), 1).unwrap();
    rig.world().stall_queue(REAPER, true);
    for _ in 0..20 {
        start_with_large(&hog, &work, places[0]);
        rig.advance(20 * MS);
    }
    rig.world().stall_queue(REAPER, false);
    drop((work, hog));
    rig.finish();
}

/// A buffer of 32 MiB is moved, then it and one of a page are closed. Catches: all of a buffer
/// unmapped with the lock of its VM held once, which with MMUv1 is the lock of all clients.
#[test]
fn a_large_buffer_is_unmapped_in_parts() {
    const SIZE: u64 = 32 << 20;
    const PARTS: u64 = SIZE / (4 << 20);
    for (board, places) in BOARDS {
        let place = places[0];
        let rig = Rig::on(board, Config::default());
        let client = rig.client();
        let run = |handle: u32, at: u32| {
            let mut submit = client.work_at(place.nth(1), 1).unwrap().submit();
            submit.bos.push((3, handle, u64::from(at)));
            let fence = client.submit_raw(&submit).unwrap();
            assert_eq!(client.end_of(fence, SEC), 1);
        };
        // How often the lock is taken for it.
        let holds = |f: &dyn Fn()| {
            let before = rig.world().times_taken("etnaviv vm");
            rig.world().measure_holds(true);
            f();
            rig.world().measure_holds(false);
            rig.world().times_taken("etnaviv vm") - before
        };
        let at = |n: u32| place.nth(n).va.unwrap_or(0);
        let (large, small) = (client.gem_new(SIZE, WC), client.gem_new(4096, WC));
        let (large, small) = (large.unwrap(), small.unwrap());
        run(large, at(0x4000));
        if place.va.is_some() {
            // Its parts are mapped one by one, too.
            let moved = holds(&|| run(large, at(0x8000)));
            assert!(moved >= 2 * PARTS, "{board}: {moved}");
        }
        run(small, at(0x2000));
        let [of_large, of_small] =
            [large, small].map(|handle| holds(&|| client.close(handle).unwrap()));
        assert!(
            of_large >= of_small + PARTS - 1,
            "{board}: {of_large} {of_small}"
        );
        drop(client);
        rig.finish();
    }
}

/// A buffer takes the address of another one, after a job has used many. Catches: a lock of a VM
/// that is held for as long as there are buffers that jobs have begun or ceased to use.
#[test]
fn changed_regions_are_handled_in_parts() {
    const MANY: u32 = 2048;
    const PART: u64 = 256;
    const FIRST: u32 = 0x1000_0000;
    let rig = Rig::new();
    let client = rig.client();
    let at = |n: u32| u64::from(FIRST + n * 0x1000);
    let run = |bos: &[(u32, u32, u64)]| {
        let mut submit = client.work(0x2000_0000, 1).unwrap().submit();
        submit.bos.extend_from_slice(bos);
        let fence = client.submit_raw(&submit).unwrap();
        assert_eq!(client.end_of(fence, SEC), 1);
    };
    let new = |n: u32| (3, client.gem_new(4096, WC).unwrap(), at(n));
    let many: Vec<_> = (0..MANY).map(new).collect();
    run(&many);
    let [first, second] = [1, 2].map(|n| {
        let bo = new(n);
        let before = rig.world().times_taken("etnaviv vm");
        rig.world().measure_holds(true);
        run(&[bo]);
        rig.world().measure_holds(false);
        rig.world().times_taken("etnaviv vm") - before
    });
    let parts = u64::from(MANY) / PART;
    assert!(first >= second + parts, "{first} {second}");
    // A buffer that a job uses keeps its address.
    rig.slow_jobs(20 * MS);
    let busy = client.work(0x3000_0000, 1).unwrap();
    let fence = client.start(&busy).unwrap();
    let mut submit = client.work(0x2000_0000, 1).unwrap().submit();
    submit.bos.push((3, new(0).1, 0x3000_0000));
    assert!(client.submit_raw(&submit).is_err());
    assert_eq!(client.end_of(fence, SEC), 1);
    drop((busy, client));
    rig.finish();
}

/// Catches: what the client of a job frees itself being left to the reaper, too.
#[test]
fn the_reaper_is_not_called_for_what_an_ioctl_frees() {
    let rig = Rig::new();
    let client = rig.client();
    let work = client.work(0x2000_0000, 1).unwrap();
    let place = BOARDS[0].1[0];
    let pages = || rig.world().counters().object_pages;
    for _ in 0..3 {
        let fence = client.start(&work).unwrap();
        assert_eq!(client.end_of(fence, SEC), 1);
    }
    let without = pages();
    rig.world().stall_queue(REAPER, true);
    let fence = start_with_large(&client, &work, place);
    rig.advance(20 * MS);
    assert_eq!(pages(), without + PAGES);
    let before = rig.world().times_taken("drm reaper task");
    rig.world().measure_holds(true);
    client.gem_wait(work.data.handle, 0, 0).unwrap();
    rig.world().measure_holds(false);
    assert_eq!(pages(), without, "it is freed");
    assert_eq!(rig.world().times_taken("drm reaper task"), before);
    rig.world().stall_queue(REAPER, false);
    assert_eq!(client.end_of(fence, SEC), 1);
    drop((work, client));
    rig.finish();
}

/// Catches: a core's own thread taking a lock of one client, which may be held for as long as that
/// client likes; the others wait then.
#[test]
fn the_cores_thread_takes_no_lock_of_a_client() {
    let (board, places) = BOARDS[0];
    let rig = Rig::on(board, Config::default());
    let [hog, other] = [rig.client(), rig.client()];
    let work = hog.work_at(places[0].nth(1), 1).unwrap();
    let theirs = other.work_at(places[0].nth(2), 2).unwrap();
    rig.world().measure_holds(true);
    for _ in 0..3 {
        start_with_large(&hog, &work, places[0]);
        other.start(&theirs).unwrap();
        rig.advance(20 * MS);
    }
    rig.slow_jobs(5 * MS);
    start_with_large(&hog, &work, places[0]);
    for _ in 0..8 {
        hog.start(&work).unwrap();
    }
    drop((work, hog));
    rig.advance(SEC);
    check_gpu_thread(
        rig.world(),
        "etnaviv",
        &["etnaviv vm jobs", "etnaviv fences", "etnaviv tables"],
    );
    drop((theirs, other));
    rig.finish();
}
