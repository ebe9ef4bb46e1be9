// SPDX-License-Identifier: BSD-2-Clause
//! Jobs that end while the timeout handler begins, and hangs when much else goes on.

use driver_tests::etnaviv::{self, Place, Submit, BOARDS};
use driver_tests::panfrost::{null, write_zero, Client, Rig, Work};
use driver_tests::{errno, MS, SEC};
use drm_os_host::Config;
use models::{vivante, Injection};

/// How often a job ends about when its time does; DRIVER_TESTS_RACES asks for another number.
fn races() -> u64 {
    let count = std::env::var("DRIVER_TESTS_RACES").ok();
    count.and_then(|n| n.parse().ok()).unwrap_or(10_000)
}

/// What came first, for each of the races.
#[derive(Default)]
struct Ends {
    done: u64,
    late: u64,
}

impl Ends {
    fn count(&mut self, end: i32, n: u64) {
        match end {
            1 => self.done += 1,
            end if end == -errno::ETIMEDOUT => self.late += 1,
            end => panic!("race {n}: {end}"),
        }
    }
}

/// A job that ends within some microseconds before and after its time, with its interrupt in time
/// or not. Catches: a job that was done and is called late, one that ends twice or never, a stop
/// that hits the next job.
#[test]
fn a_job_that_ends_between_expiry_and_handler_ends_once() {
    const SPREAD: u64 = 20_000;
    let rig = Rig::new();
    let c = rig.client();
    let next = c.work().unwrap();
    let work: Work = c.work().unwrap();
    // A soft stop hits between two jobs of a chain; the second one has its end in common with no
    // other.
    work.chain.write(0, &null(work.chain.va + 64));
    work.chain.write(64, &write_zero(work.data.va + 8, 0));
    let mut ends = Ends::default();
    for n in 0..races() {
        rig.slow_jobs(500 * MS - SPREAD + n * 7_919 % (2 * SPREAD));
        if n % 3 != 0 {
            // Raised before the expiry and heard of after it.
            let ns = n * 104_729 % (2 * SPREAD);
            rig.plant(Injection::LateIrq { line: 0, ns });
        }
        let faults = rig.stat("faults");
        c.start(&work).unwrap();
        rig.advance(490 * MS);
        rig.slow_jobs(10_000);
        c.start(&next).unwrap();
        let end = c.finish(&work, SEC);
        ends.count(end, n);
        if n > 0 && n * 7_919 % (2 * SPREAD) < SPREAD / 4 {
            // It had ended before its time was, heard of or not.
            assert_eq!((end, rig.stat("faults")), (1, faults), "race {n}");
        }
        assert_eq!(work.is_done(), end == 1, "race {n}");
        assert_eq!(c.finish(&next, SEC), 1, "race {n}");
        assert!(next.is_done());
    }
    // Of those that were late some ended well all the same.
    assert!((ends.late..races()).contains(&rig.stat("faults")));
    assert_eq!((rig.stat("resets"), rig.stat("jobs")), (0, 2 * races()));
    assert!(
        ends.done > races() / 4 && ends.late > races() / 4,
        "{} {}",
        ends.done,
        ends.late
    );
    drop((work, next, c));
    rig.finish();
}

/// Catches: the same; a reset although the job had ended; a job run twice because of it.
#[test]
fn a_stream_that_ends_between_expiry_and_handler_ends_once() {
    const SPREAD: u64 = 400_000;
    let (board, places) = BOARDS[0];
    let place: Place = places[0];
    let rig = etnaviv::Rig::on(board, Config::default());
    let c = rig.client();
    c.expect_works_at(place);
    let next = c.work_at(place.nth(1), 2).unwrap();
    let work = c.work_at(place, 1).unwrap();
    let mut ends = Ends::default();
    let races = races();
    for n in 0..races {
        // It stands still, which the second look shows.
        rig.slow_jobs(SEC - SPREAD + n * 7_919 % (2 * SPREAD));
        if n % 3 != 0 {
            let ns = n * 104_729 % (2 * SPREAD);
            rig.plant(vivante::Injection::LateIrq { ns });
        }
        work.forget();
        next.forget();
        let first = c.start(&work).unwrap();
        rig.advance(900 * MS);
        rig.slow_jobs(2_000);
        let second = c.start(&next).unwrap();
        let end = c.end_of(first, SEC);
        ends.count(end, n);
        // Its memory may be written, and its end not reported yet, when the core is reset.
        assert!(work.is_done() || end != 1, "race {n}");
        assert_eq!(c.end_of(second, SEC), 1, "race {n}");
        assert!(next.is_done());
    }
    assert_eq!(
        (rig.stat("resets"), rig.stat("faults")),
        (ends.late, ends.late)
    );
    assert_eq!(rig.stat("jobs"), 2 * races + 1);
    assert!(
        ends.done > races / 4 && ends.late > races / 4,
        "{} {}",
        ends.done,
        ends.late
    );
    drop((work, next, c));
    rig.finish();
}

/// The tasks of the GPU have all to do, all the time: a heap that grows, jobs that fault, clients
/// that come and go. Catches: a hang that is not checked while there is other work.
#[test]
fn a_hang_is_seen_while_the_task_queue_is_busy() {
    const CHUNK: u64 = 2 << 20;
    let rig = Rig::new();
    let guilty = rig.client();
    let bad = guilty.work().unwrap();
    rig.plant(Injection::HangNextJob { slot: 1 });
    let begin = rig.world().now();
    guilty.start(&bad).unwrap();
    rig.slow_jobs(100_000);
    let mut rounds = 0;
    while guilty.outcome(bad.done) == 0 {
        let busy: Client = rig.client();
        let chain = busy.bo(4096, 1).unwrap();
        let heap = busy.bo(4 * CHUNK as u32, 3).unwrap();
        for n in 0..4u64 {
            let next = if n == 3 {
                0x7000_0000
            } else {
                chain.va + (n + 1) * 64
            };
            chain.write(n as usize * 64, &write_zero(heap.va + n * CHUNK, next));
        }
        for _ in 0..4 {
            busy.submit(chain.va, true, &[chain.handle, heap.handle], &[], 0)
                .unwrap();
        }
        rig.advance(5 * MS);
        rounds += 1;
        assert!(
            rig.world().now() - begin < 520 * MS,
            "after {rounds} rounds"
        );
    }
    assert_eq!(guilty.outcome(bad.done), -errno::ETIMEDOUT);
    assert!(rounds > 90 && rig.stats().mmu_faults.values().sum::<u64>() > 300);
    rig.slow_jobs(5_000);
    guilty.expect_works();
    drop((bad, guilty));
    rig.finish();
}

/// Files that are closed with 64 jobs queued, of which some run. Catches: jobs that end twice or
/// never, what they hold kept, a queue that is longer each time.
#[test]
fn a_thousand_kills_with_64_jobs_queued() {
    const KILLS: u64 = 1_000;
    for slow in [false, true] {
        let kills = if slow { KILLS / 4 } else { KILLS };
        let rig = Rig::new();
        let other = rig.client();
        for n in 0..kills {
            let c = rig.client();
            let work = c.work().unwrap();
            rig.slow_jobs(if slow { 50 * MS } else { 5_000 });
            (0..64).for_each(|job| c.start_in(&work, job % 2 == 0).unwrap());
            rig.advance([0, 100_000][n as usize % 2]);
            drop((work, c));
            rig.slow_jobs(5_000);
            let begin = rig.world().now();
            other.expect_works();
            assert!(rig.world().now() - begin < MS, "kill {n}");
        }
        rig.advance(MS);
        assert_eq!(rig.stat("jobs"), kills * 65);
        assert_eq!((rig.stat("resets"), rig.stat("faults")), (0, 0));
        drop(other);
        rig.finish();
    }
}

/// Catches: the same, where only a reset stops a job.
#[test]
fn a_thousand_kills_with_64_streams_queued() {
    const KILLS: u64 = 1_000;
    let (board, places) = BOARDS[0];
    let place = places[0];
    for slow in [false, true] {
        let kills = if slow { KILLS / 10 } else { KILLS };
        let rig = etnaviv::Rig::on(board, Config::default());
        let other = rig.client();
        for n in 0..kills {
            let c = rig.client();
            let work = c.work_at(place, 5).unwrap();
            rig.slow_jobs(if slow { 50 * MS } else { 2_000 });
            let submit = Submit {
                flags: 8,
                ..work.submit()
            };
            (0..64).for_each(|_| {
                c.submit_raw(&submit).unwrap();
            });
            // An idle front end searches for work now and then.
            rig.advance(if slow { MS } else { n % 2 * 100_000 });
            drop((work, c));
            rig.slow_jobs(2_000);
            let begin = rig.world().now();
            other.expect_works_at(place);
            assert!(rig.world().now() - begin < 15 * MS, "kill {n}");
        }
        rig.advance(MS);
        assert_eq!(rig.stat("jobs"), kills * 65);
        assert_eq!(rig.stat("faults"), 0);
        assert_eq!(rig.stat("resets"), if slow { kills } else { 0 });
        drop(other);
        rig.finish();
    }
}
