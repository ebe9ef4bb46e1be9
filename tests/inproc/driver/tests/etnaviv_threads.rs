// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv with many threads on the real clock, as panfrost_threads.rs has panfrost. What they do
//! is in no order, so these tests say only what holds in any.
//!
//! Catches: deadlocks, locks taken in two orders, objects that die while another thread uses them.

use driver_tests::etnaviv::stream::{self, Template};
use driver_tests::etnaviv::{prep, Client, Fence, Place, Rig, Submit, Work, BOARDS};
use driver_tests::{errno, pass, real, Ends, MS, SEC};
use drm_os_host::Config;
use models::vivante::Injection;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

const THREADS: u32 = 3;

/// Waits for work that must do what it is for, as long as the device is there.
fn expect(client: &Client, work: &Work, fence: Fence) -> Result<(), i32> {
    let waited = client.wait_fence_on(fence.pipe, fence.id, 0, 20 * SEC);
    let status = client.sync_file_status(fence.fd);
    client.caller.close_fd(fence.fd);
    waited?;
    if status != 1 || !work.is_done() {
        client.param_of(0, 1)?;
        panic!("a job ended with {status}, done {}", work.is_done());
    }
    Ok(())
}

/// Starts work with a long stream.
fn start_long(client: &Client, work: &Work) -> Result<Fence, i32> {
    let mut submit = work.submit();
    submit.stream.extend(stream::nop().repeat(8192));
    client.submit_raw(&submit)
}

/// All that a client does, and leaves with work under way.
fn visit(rig: &Rig, places: &[Place], n: u32) -> Result<(), i32> {
    let place = places[n as usize % places.len()];
    let c = Client::open(rig)?;
    let first = c.work_at(place, n)?;
    let fence = c.start(&first)?;
    // While a job uses it.
    c.close(first.data.handle)?;
    let second = c.work_at(place.nth(1 + n % 2), n ^ 0xff_ffff)?;
    let later = start_long(&c, &second)?;
    // To another client, whose job waits for it.
    let other = Client::open(rig)?;
    let theirs = pass(&c, &other, c.export(second.data.handle)?)?;
    let lent = other.adopt(theirs, 4096, place.nth(5).va.unwrap_or(0))?;
    let mine = other.work_at(place, n)?;
    let mut submit = mine.submit();
    submit.bos.push((3, lent.handle, u64::from(lent.va)));
    let across = other.submit_raw(&submit)?;
    expect(&c, &first, fence)?;
    expect(&c, &second, later)?;
    c.cpu_prep(second.data.handle, prep::READ | prep::WRITE, 20 * SEC)?;
    c.cpu_fini(second.data.handle)?;
    if n.is_multiple_of(2) {
        expect(&other, &mine, across)?;
        other.gem_wait_on(place.pipe, mine.data.handle, 0, 20 * SEC)?;
    }
    let last = c.work_at(place.nth(9), n)?;
    start_long(&c, &last)?;
    Ok(())
}

/// Clients come and go in all threads while memory is short and interrupts lie.
#[test]
fn clients_come_and_go() {
    for (board, places) in BOARDS {
        let rig = Rig::on(board, real(&[]));
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let ends = Ends(&over);
            let workers: Vec<_> = (0..THREADS)
                .map(|t| {
                    let rig = &rig;
                    scope.spawn(move || (0..30).for_each(|n| visit(rig, places, n + t).unwrap()))
                })
                .collect();
            scope.spawn(|| {
                let mut n = 0;
                while !over.load(Relaxed) {
                    n += 1;
                    rig.world().lowmem(10);
                    let core = n % places.len();
                    rig.plant_on(core, Injection::SpuriousIrq);
                    rig.plant_on(core, Injection::LateIrq { ns: MS });
                    rig.stat("jobs");
                    thread::sleep(Duration::from_millis(1));
                }
            });
            let results: Vec<_> = workers.into_iter().map(|w| w.join()).collect();
            drop(ends);
            assert!(results.iter().all(Result::is_ok), "{board}");
        });
        assert_eq!((rig.stat("resets"), rig.stat("faults")), (0, 0), "{board}");
        rig.finish();
    }
}

/// Jobs in between that others lose their patience with, each of which costs a reset; all jobs of
/// the other threads succeed, however often they were in the ring after one of those.
#[test]
fn resets_under_load() {
    const RESETS: u64 = 2;
    let (board, places) = BOARDS[1];
    let place = places[0];
    let config = Config {
        tunables: [("etnaviv_patience_ms".to_owned(), 100)].into(),
        ..real(&[])
    };
    let rig = Rig::on(board, config);
    rig.timing(|timing| timing.vertex_ns = 1_000);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let ends = Ends(&over);
        for t in 0..THREADS - 1 {
            let (rig, over) = (&rig, &over);
            scope.spawn(move || {
                let c = rig.client();
                let mut n = 0;
                while !over.load(Relaxed) {
                    n += 1;
                    let work = c.work_at(place.nth(t), n).unwrap();
                    let fence = match n % 2 {
                        0 => c.start(&work).unwrap(),
                        _ => start_long(&c, &work).unwrap(),
                    };
                    assert_eq!(c.end_of(fence, 20 * SEC), 1);
                    assert!(work.is_done());
                    c.close(work.data.handle).unwrap();
                }
            });
        }
        let bad = rig.client();
        for _ in 0..RESETS {
            let minute = Submit::relocated(&Template::draw(60 * 333_333), &[]);
            let fence = bad.submit_raw(&minute).unwrap();
            assert_eq!(bad.end_of(fence, 20 * SEC), -errno::ETIMEDOUT);
        }
        drop(ends);
    });
    assert_eq!((rig.stat("resets"), rig.stat("faults")), (RESETS, RESETS));
    rig.finish();
}

/// The device goes while all threads are in the middle of something: each gets ENXIO, and none
/// remains.
#[test]
fn a_forced_detach_under_load() {
    for (round, (board, places)) in BOARDS.into_iter().enumerate() {
        let rig = Rig::on(board, real(&[]));
        let refused = AtomicU32::new(0);
        thread::scope(|scope| {
            for t in 0..THREADS {
                let (rig, refused) = (&rig, &refused);
                scope.spawn(move || {
                    for n in t.. {
                        match visit(rig, places, n) {
                            Ok(()) => {}
                            Err(errno::ENXIO) => break,
                            Err(e) => panic!("error {e}"),
                        }
                    }
                    refused.fetch_add(1, Relaxed);
                });
            }
            thread::sleep(Duration::from_millis(20 + round as u64 * 15));
            rig.detach(true).unwrap();
        });
        assert_eq!(refused.load(Relaxed), THREADS);
        rig.finish_detached();
    }
}
