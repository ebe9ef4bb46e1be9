// SPDX-License-Identifier: BSD-2-Clause
//! Many threads on the real clock. What they do is in no order, so these tests say only what holds
//! in any.
//!
//! Catches: deadlocks, locks taken in two orders, objects that die while another thread uses them.

use driver_tests::panfrost::{write_zero, Client, Rig};
use driver_tests::{errno, pass, real, Ends, MS, SEC};
use models::Injection;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const THREADS: u32 = 4;

/// What must hold as long as the device is there.
fn ensure(c: &Client, good: bool) -> Result<(), i32> {
    if !good {
        c.param(0)?;
        panic!("a job did not do its work");
    }
    Ok(())
}

/// All that a client does, and leaves with work under way.
fn visit(rig: &Rig, n: u32) -> Result<(), i32> {
    let c = Client::open(rig)?;
    let work = c.work()?;
    let heap = c.bo(4 << 20, 3)?;
    for fragment in [false, true] {
        c.start_in(&work, fragment)?;
        c.syncobj_wait(work.done, 10 * SEC)?;
        ensure(&c, work.is_done())?;
    }
    work.chain
        .write(0, &write_zero(heap.va + u64::from(n % 2) * (2 << 20), 0));
    c.start(&work)?;
    c.wait(work.data.handle, 10 * SEC)?;
    let fd = c.sync_file(work.done)?;
    ensure(&c, c.sync_file_status(fd) == 1)?;
    // To another client and back, whose job is in its way.
    let other = Client::open(rig)?;
    let theirs = pass(&c, &other, c.export(work.data.handle)?)?;
    let mine = other.work()?;
    c.start_in(&work, n.is_multiple_of(3))?;
    other.submit(
        mine.chain.va,
        false,
        &[mine.chain.handle, mine.data.handle, theirs],
        &[],
        mine.done,
    )?;
    other.syncobj_wait(mine.done, 10 * SEC)?;
    ensure(&c, mine.is_done())?;
    if n.is_multiple_of(2) {
        work.chain.write(0, &write_zero(0x7000_0000, 0));
    }
    // From here on a touch of it may be a SIGBUS.
    match c.madvise(work.chain.handle, 1) {
        Ok(_) | Err(errno::EINVAL) => {}
        Err(e) => return Err(e),
    }
    c.start(&work)?;
    c.close(heap.handle)
}

/// Clients come and go in all threads while memory is short and interrupts lie. Nothing hangs, so
/// nothing is reset, unless a thread of the driver or of the model waits so long for a processor
/// that the driver takes that for a hang: on the real clock it expects the end of a job that it
/// stops within 10 ms. A thread that sleeps for a millisecond meanwhile shows how long it is here.
#[test]
fn clients_come_and_go() {
    const STALL: Duration = Duration::from_millis(4);
    let rig = Rig::with("rk3399", real(&[]));
    let over = AtomicBool::new(false);
    let mut longest = Duration::ZERO;
    thread::scope(|scope| {
        let ends = Ends(&over);
        let workers: Vec<_> = (0..THREADS)
            .map(|t| {
                let rig = &rig;
                scope.spawn(move || (0..40).for_each(|n| visit(rig, n + t).unwrap()))
            })
            .collect();
        let watch = scope.spawn(|| {
            let (mut n, mut longest) = (0, Duration::ZERO);
            while !over.load(Relaxed) {
                n += 1;
                rig.world().lowmem(10);
                rig.plant(Injection::SpuriousIrq { line: n % 3 });
                rig.plant(Injection::LateIrq {
                    line: n % 2,
                    ns: MS,
                });
                rig.device().stats();
                let began = Instant::now();
                thread::sleep(Duration::from_millis(1));
                longest = longest.max(began.elapsed());
            }
            longest
        });
        let results: Vec<_> = workers.into_iter().map(|w| w.join()).collect();
        drop(ends);
        assert!(results.iter().all(Result::is_ok));
        longest = watch.join().unwrap();
    });
    let resets = rig.stat("resets");
    assert!(
        resets == 0 || longest > STALL,
        "{resets} resets, {longest:?}"
    );
    rig.finish();
}

/// Hangs in between, each of which costs a stop or a reset; the other threads' jobs all succeed.
#[test]
fn hangs_under_load() {
    let rig = Rig::with("rk3399", real(&[]));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let ends = Ends(&over);
        for t in 0..THREADS - 1 {
            let (rig, over) = (&rig, &over);
            scope.spawn(move || {
                let c = rig.client();
                while !over.load(Relaxed) {
                    let work = c.work().unwrap();
                    c.start_in(&work, t % 2 == 0).unwrap();
                    assert_eq!(c.finish(&work, 10 * SEC), 1);
                    assert!(work.is_done());
                    c.discard(work);
                }
            });
        }
        let bad = rig.client();
        // Its addresses differ from the others': this one is after a large buffer.
        bad.bo(512 << 20, 3).unwrap();
        let work = bad.work().unwrap();
        let at = work.chain.va;
        rig.plant(Injection::HangJobsAt {
            first: at,
            last: at,
        });
        for _ in 0..2 {
            bad.start(&work).unwrap();
            assert_eq!(bad.finish(&work, 10 * SEC), -errno::ETIMEDOUT);
        }
        drop(ends);
    });
    assert_eq!(rig.stat("resets"), 2);
    rig.finish();
}

/// The device goes while all threads are in the middle of something: each gets ENXIO, and none
/// remains.
#[test]
fn a_forced_detach_under_load() {
    for round in 0..3 {
        let rig = Rig::with("rk3399", real(&[("unstable_ioctls", 1)]));
        let refused = AtomicU32::new(0);
        thread::scope(|scope| {
            for t in 0..THREADS {
                let (rig, refused) = (&rig, &refused);
                scope.spawn(move || {
                    for n in t.. {
                        match visit(rig, n) {
                            Ok(()) => {}
                            Err(errno::ENXIO) => break,
                            Err(e) => panic!("error {e}"),
                        }
                    }
                    refused.fetch_add(1, Relaxed);
                });
            }
            thread::sleep(Duration::from_millis(20 + round * 15));
            rig.device().detach(true).unwrap();
        });
        assert_eq!(refused.load(Relaxed), THREADS);
        rig.finish_detached();
    }
}

/// Counters read by one thread while others work and the GPU is reset.
#[test]
fn counters_under_load() {
    let rig = Rig::with("rk3399", real(&[("unstable_ioctls", 1)]));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let ends = Ends(&over);
        scope.spawn(|| {
            let c = rig.client();
            while !over.load(Relaxed) {
                c.expect_works();
            }
        });
        let c = rig.client();
        c.perfcnt_enable(true, 0).unwrap();
        // How many dumps a reset costs depends on how long it takes.
        const TRIES: usize = 10_000;
        let (mut good, mut n) = (0, 0);
        while good < 150 && n < TRIES {
            n += 1;
            if n % 50 == 0 {
                rig.plant(Injection::AsStuck(n / 50 % 2));
            }
            match c.perfcnt_dump(&mut [0; 7 * 256]) {
                Ok(()) => good += 1,
                // A reset is under way, or took the dump, or the address space was the stuck one.
                Err(errno::EIO | errno::ETIMEDOUT) => thread::sleep(Duration::from_millis(20)),
                Err(e) => panic!("error {e}"),
            }
        }
        assert!(good == 150, "{good} of {n} dumps");
        drop(ends);
    });
    rig.finish();
}
