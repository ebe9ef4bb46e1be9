// SPDX-License-Identifier: BSD-2-Clause
//! What a reset leaves: registers as they were after attach, and jobs that fail at once, on each
//! GPU that there is a model of.

use driver_tests::etnaviv::stream::Template;
use driver_tests::etnaviv::{self, Place, Submit, BOARDS, BROKEN};
use driver_tests::panfrost::{null, write_zero, Client, Rig, Work};
use driver_tests::{errno, MS, SEC};
use drm_os_host::{Config, Device};
use models::{vivante, Bus, BusError, Injection};

const MALIS: [&str; 5] = ["rk3399", "mali-t720", "mali-t760", "mali-g31", "mali-g52"];

/// The bus of a model that is only checked.
struct NoBus;

impl Bus for NoBus {
    fn read(&mut self, _: u64, _: &mut [u8]) -> Result<(), BusError> {
        Err(BusError)
    }
    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), BusError> {
        Err(BusError)
    }
    fn irq(&mut self, _: usize, _: bool) {}
}

/// Offsets and values of registers.
type Registers = Vec<(u32, u32)>;

/// JM_, SHADER_, TILER_ and L2_MMU_CONFIG, COHERENCY_ENABLE, and the masks of the three interrupts.
/// They are read from a copy of the model, which reading does not change.
fn of_mali(rig: &Rig) -> Registers {
    const OFFSETS: [u32; 8] = [0xf00, 0xf04, 0xf08, 0xf0c, 0x304, 0x028, 0x1008, 0x2008];
    let now = rig.world().now();
    let mut copy = rig.with_mali(|mali| mali.clone()).expect("a Mali");
    let read = |at: u32| (at, copy.mmio_read(&mut NoBus, now, at));
    OFFSETS.map(read).into()
}

/// Bus, interrupt, clock gating and debug registers, and those that give the MMU the place of its
/// tables: as far as the core has them.
fn of_vivante(rig: &etnaviv::Rig, core: usize) -> Registers {
    const OFFSETS: [u32; 27] = [
        0x008, 0x014, 0x100, 0x104, 0x10c, 0x18c, 0x388, 0x38c, 0x390, 0x394, 0x398, 0x39c, 0x3a0,
        0x3a8, 0x400, 0x404, 0x408, 0x40c, 0x410, 0x414, 0x418, 0x41c, 0x420, 0x424, 0x428, 0x470,
        0x480,
    ];
    let now = rig.world().now();
    let copy = rig.with_vivante_core(core, |gpu| gpu.clone());
    let mut copy = copy.expect("a Vivante");
    let read = |at: u32| (at, copy.mmio_read(&mut NoBus, now, at));
    OFFSETS.map(read).into()
}

/// A job that no stop moves, to its end.
fn hang(rig: &Rig) {
    let c = rig.client();
    let work = c.work().unwrap();
    work.chain.write(0, &write_zero(0x7000_0000, 0));
    rig.plant(Injection::LoseIrq { line: 1 });
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, 2 * SEC), -errno::ETIMEDOUT);
}

/// What leads to a reset, by name.
type Reset = (&'static str, fn(&Rig));

/// Each kind of reset.
const RESETS: [Reset; 7] = [
    ("a hang", hang),
    ("a hang and a soft reset that is stuck", |rig| {
        rig.plant(Injection::ResetStuck);
        hang(rig);
    }),
    ("a bus error", |rig| {
        let c = rig.client();
        let work = c.work().unwrap();
        rig.plant(Injection::JobFault {
            slot: 1,
            code: 0x48,
        });
        c.start(&work).unwrap();
        assert!(c.finish(&work, SEC) < 0);
    }),
    ("a stuck flush", |rig| {
        let c = rig.client();
        c.expect_works();
        let extra = c.bo(4096, 1).unwrap();
        (0..4).for_each(|n| rig.plant(Injection::AsStuck(n)));
        c.close(extra.handle).unwrap();
    }),
    ("cores that do not come on after a reset", |rig| {
        rig.plant(Injection::PowerStuck(models::Domain::L2));
        hang(rig);
    }),
    ("suspend and resume", |rig| {
        rig.device().suspend();
        rig.advance(100 * MS);
        assert_eq!(rig.world().counters().power_domains_on, 0);
        rig.device().resume();
    }),
    ("an idle time", |rig| {
        rig.advance(100 * MS);
        assert_eq!(rig.world().counters().power_domains_on, 0);
    }),
];

/// Catches: quirks that a reset undid and that are not applied again, interrupts that stay masked.
#[test]
fn registers_of_a_mali_are_those_of_attach_after_each_reset() {
    for board in MALIS {
        let rig = Rig::with(board, Config::default());
        let attached = of_mali(&rig);
        assert!(
            attached[5..].iter().all(|(_, mask)| *mask != 0),
            "{attached:x?}"
        );
        for (what, reset) in RESETS {
            reset(&rig);
            // It turns the GPU on, and uses up what is planted.
            let c = rig.client();
            let tries = (0..9).find(|_| {
                let work = c.work().unwrap();
                c.start(&work).unwrap();
                c.finish(&work, 2 * SEC) == 1
            });
            assert!(tries.is_some(), "{board} after {what}");
            drop(c);
            assert_eq!(of_mali(&rig), attached, "{board} after {what}");
        }
        assert!(rig.stat("resets") >= 4 && rig.stats().hard_resets == 1);
        rig.finish();
    }
    // HW: what the stock driver writes on the RK3399.
    let rig = Rig::new();
    assert_eq!(
        of_mali(&rig)[..3],
        [(0xf00, 0x1f8), (0xf04, 0x1_0000), (0xf08, 1)]
    );
    rig.finish();
}

/// Catches: the same; a core whose MMU gets its tables only once.
#[test]
fn registers_of_a_vivante_are_those_of_attach_after_each_reset() {
    use vivante::Injection;
    for (board, places) in BOARDS {
        for place in places {
            let core = place.pipe as usize;
            let rig = etnaviv::Rig::on(board, Config::default());
            let attached = of_vivante(&rig, core);
            let works = |what: &str| {
                let c = rig.client();
                c.expect_works_at(*place);
                drop(c);
                of_vivante(&rig, core)
                    .into_iter()
                    .zip(attached.iter().copied())
                    .filter(|(now, then)| now != then)
                    .map(|(now, _)| now)
                    .inspect(|(at, _)| {
                        // The first job sets the tables.
                        let tables = (0x18c..=0x3a0).contains(at) || (0x400..=0x428).contains(at);
                        assert!(tables, "{board} {core}: {at:#x} after {what}");
                    })
                    .collect::<Registers>()
            };
            let tables = works("attach");
            let fails = |what: Injection| {
                let c = rig.client();
                let work = c.work_at(*place, 3).unwrap();
                rig.plant_on(core, what);
                let fence = c.start(&work).unwrap();
                c.end_of(fence, 5 * SEC)
            };
            let resets = |rig: &etnaviv::Rig| rig.stats_of(core).resets;
            let mut seen = resets(&rig);
            let mut expect = |what: &str, reset: &dyn Fn()| {
                reset();
                assert_eq!(works(what), tables, "{board} {core} after {what}");
                assert!(resets(&rig) > seen, "{board} {core}: no reset after {what}");
                seen = resets(&rig);
            };
            expect("a hang", &|| {
                assert_eq!(fails(Injection::HangNextJob), -errno::ETIMEDOUT)
            });
            expect("a hang and a reset without effect", &|| {
                rig.plant_on(core, Injection::ResetStuck);
                assert_eq!(fails(Injection::HangNextJob), -errno::ETIMEDOUT);
            });
            expect("a bus error", &|| {
                assert_eq!(fails(Injection::BusErrorAt(1)), -errno::EFAULT)
            });
            if place.va.is_some() {
                expect("an exception of the MMU", &|| {
                    assert_eq!(fails(Injection::MmuExceptionAt(1)), -errno::EFAULT)
                });
            }
            expect("the end of a closed file's job", &|| {
                let c = rig.client();
                let work = c.work_at(*place, 3).unwrap();
                rig.plant_on(core, Injection::HangNextJob);
                c.start(&work).unwrap();
                rig.advance(MS);
            });
            expect("suspend and resume", &|| {
                rig.devices().iter().for_each(Device::suspend);
                rig.advance(SEC);
                assert_eq!(rig.world().counters().power_domains_on, 0);
                rig.devices().iter().for_each(Device::resume);
            });
            expect("an idle time", &|| {
                rig.advance(SEC);
                assert_eq!(rig.world().counters().power_domains_on, 0);
            });
            rig.finish();
        }
    }
}

/// What the first cycle of a job after a reset may meet.
const FIRST: [(&str, Option<Injection>); 4] = [
    ("a chain where nothing is", None),
    ("a page fault", Some(Injection::PageFaultAtAccess(0))),
    ("a bus error", Some(Injection::BusErrorAt(0))),
    (
        "a bad job",
        Some(Injection::JobFault {
            slot: 1,
            code: 0x40,
        }),
    ),
];

/// It is in the hardware after the one that hangs, and the first to run after the reset; in the
/// other slot is one that runs again. Catches: an address space that is on by half, a fault that is
/// not served, a job blamed for both.
#[test]
fn a_job_that_faults_on_its_first_cycle_after_a_reset_ends() {
    for board in MALIS {
        for (what, planted) in FIRST {
            let rig = Rig::with(board, Config::default());
            let [guilty, next, other] = [rig.client(), rig.client(), rig.client()];
            let bad = guilty.work().unwrap();
            bad.chain.write(0, &write_zero(0x7000_0000, 0));
            rig.plant(Injection::LoseIrq { line: 1 });
            guilty.start(&bad).unwrap();
            rig.advance(MS);
            let first = next.work().unwrap();
            match planted {
                None => next
                    .submit(0x7000_0000, false, &[first.data.handle], &[], first.done)
                    .unwrap(),
                Some(_) => next.start(&first).unwrap(),
            }
            rig.advance(490 * MS);
            if let Some(injection) = planted {
                rig.plant(injection);
            }
            assert_eq!(
                guilty.finish(&bad, SEC),
                -errno::ETIMEDOUT,
                "{board} {what}"
            );
            let begin = rig.world().now();
            let end = next.finish(&first, SEC);
            assert!(end < 0 && end != -errno::ETIMEDOUT, "{board} {what}: {end}");
            assert!(rig.world().now() - begin < 50 * MS, "{board} {what}");
            other.expect_works();
            next.expect_works();
            drop((bad, first, guilty, next, other));
            rig.finish();
        }
    }
}

/// Catches: the same.
#[test]
fn a_stream_that_faults_on_its_first_cycle_after_a_reset_ends() {
    use vivante::Injection;
    for (board, places) in BOARDS {
        for place in places {
            let core = place.pipe as usize;
            let rig = etnaviv::Rig::on(board, Config::default());
            let [guilty, next, other] = [rig.client(), rig.client(), rig.client()];
            guilty.expect_works_at(*place);
            let bad = guilty.work_at(*place, 1).unwrap();
            rig.plant_on(core, Injection::HangNextJob);
            let hung = guilty.start(&bad).unwrap();
            rig.advance(MS);
            let first = next.work_at(place.nth(1), 2).unwrap();
            let fence = match place.va {
                Some(_) => {
                    let stream = Template::fill(place.engine, 1).at(&[BROKEN]);
                    next.submit_raw(&Submit::new(stream, &[])).unwrap()
                }
                None => next.start(&first).unwrap(),
            };
            rig.advance(900 * MS);
            assert_eq!(guilty.sync_file_status(hung.fd), 0);
            if place.va.is_none() {
                rig.plant_on(core, Injection::BusErrorAt(0));
            }
            assert_eq!(
                guilty.end_of(hung, SEC),
                -errno::ETIMEDOUT,
                "{board} {core}"
            );
            let begin = rig.world().now();
            assert_eq!(next.end_of(fence, SEC), -errno::EFAULT, "{board} {core}");
            assert!(rig.world().now() - begin < 50 * MS, "{board} {core}");
            for client in [&other, &next] {
                client.expect_works_at(place.nth(2));
            }
            assert_eq!((guilty.stat("faults"), next.stat("faults")), (1, 1));
            drop((bad, first, guilty, next, other));
            rig.finish();
        }
    }
}

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
