// SPDX-License-Identifier: BSD-2-Clause
//! Timeline syncobjs: jobs, threads, what is charged, and calls that are interrupted.

use driver_tests::panfrost::{null, Client, Rig};
use driver_tests::{errno, MS, SEC};
use drm_os_host::{ClockMode, Config};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use uapi::core::{
    SyncobjTimelineArray, SYNCOBJ_QUERY as QUERY, SYNCOBJ_QUERY_LAST_SUBMITTED as LAST_SUBMITTED,
    SYNCOBJ_RESET as RESET, SYNCOBJ_TIMELINE_SIGNAL as TIMELINE_SIGNAL, SYNCOBJ_WAIT_ALL as ALL,
    SYNCOBJ_WAIT_AVAILABLE as AVAILABLE, SYNCOBJ_WAIT_FOR_SUBMIT as FOR_SUBMIT,
};

fn real() -> Config {
    Config {
        clock: ClockMode::Real,
        ..Config::default()
    }
}

/// Jobs as points: what is reached, what waits return, and a submit that waits for a timeline.
#[test]
fn points_of_jobs() {
    let rig = Rig::new();
    rig.slow_jobs(10 * MS);
    let c = rig.client();
    let works = [(); 4].map(|()| c.work().unwrap());
    let [a, b] = [(); 2].map(|()| c.syncobj(false).unwrap());
    for (work, point) in works.iter().zip([10, 20, 30]) {
        c.start(work).unwrap();
        c.transfer((work.done, 0), (a, point), 0).unwrap();
    }
    let bos = [works[3].chain.handle, works[3].data.handle];
    c.transfer((a, 15), (b, 0), 0).unwrap();
    c.submit(works[3].chain.va, true, &bos, &[b, a], works[3].done)
        .unwrap();
    let points = || {
        let ask = |flags| c.timeline_point(a, flags).unwrap();
        (ask(0), ask(LAST_SUBMITTED))
    };
    let ms = |n: u64| (rig.world().now() + n * MS) as i64;
    assert_eq!(points(), (0, 30));
    assert_eq!(c.timeline_wait(&[(a, 30)], 0, AVAILABLE), Ok(0));
    let both = [(a, 25), (a, 10)];
    assert_eq!(c.timeline_wait(&both, ms(5), 0), Err(errno::ETIME));
    assert_eq!(c.timeline_wait(&both, ms(1000), 0), Ok(1));
    assert_eq!(points(), (10, 30));
    let works_done = || works.each_ref().map(|work| work.is_done());
    assert_eq!(works_done(), [true, false, false, false]);
    assert_eq!(c.timeline_wait(&both, ms(1000), ALL), Ok(1));
    assert_eq!(
        (points(), works_done()),
        ((30, 30), [true, true, true, false])
    );
    assert_eq!(c.finish(&works[3], SEC), 1);
    // The most, and the one that is missing.
    let missing = [(a, 31)];
    assert_eq!(c.timeline_wait(&missing, ms(5), 0), Err(errno::EINVAL));
    assert_eq!(
        c.timeline_wait(&missing, ms(5), FOR_SUBMIT),
        Err(errno::ETIME)
    );
    drop((works, c));
    rig.finish();
}

/// A job that fails is a point that is reached; its sync_file has the error while the point is the
/// last.
#[test]
fn a_failed_job_is_a_point() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work().unwrap();
    work.chain.write(0, &null(work.chain.va));
    c.start(&work).unwrap();
    let timeline = c.syncobj(false).unwrap();
    c.transfer((work.done, 0), (timeline, 4), 0).unwrap();
    assert_eq!(c.finish(&work, 100 * SEC), -errno::ETIMEDOUT);
    assert_eq!(c.timeline_point(timeline, 0), Ok(4));
    assert_eq!(c.outcome(timeline), -errno::ETIMEDOUT);
    c.timeline_signal(timeline, 5).unwrap();
    let fd = c.sync_file_of_point(timeline, 4).unwrap();
    assert_eq!(c.sync_file_status(fd), 1);
    c.caller.close_fd(fd);
    drop((work, c));
    rig.finish();
}

/// TRANSFER waits for at most five seconds. Catches: a wait that a client cannot end.
#[test]
fn a_transfer_waits_for_five_seconds() {
    let rig = Rig::new();
    let c = rig.client();
    let [a, b] = [(); 2].map(|()| c.syncobj(false).unwrap());
    for point in [0, 3] {
        let before = rig.world().now();
        let moved = c.transfer((a, point), (b, 1), FOR_SUBMIT);
        assert_eq!(moved, Err(errno::ETIME));
        let waited = rig.world().now() - before;
        assert!((5 * SEC..6 * SEC).contains(&waited), "{waited} ns");
        c.caller.interrupt();
        let moved = c.transfer((a, point), (b, 1), FOR_SUBMIT);
        assert_eq!(moved, Err(errno::EINTR));
    }
    c.timeline_signal(a, 3).unwrap();
    assert_eq!(c.transfer((a, 3), (b, 1), FOR_SUBMIT), Ok(()));
    assert_eq!(c.timeline_point(b, 0), Ok(1));
    drop(c);
    rig.finish();
}

/// What is charged to a client whose jobs have ended, as soon as it is `known` or does not change.
fn settled(c: &Client, known: u64) -> u64 {
    let mut last = u64::MAX;
    loop {
        let mem = c.stat("mem");
        if mem == known || mem == last {
            return mem;
        }
        last = mem;
        thread::sleep(Duration::from_millis(100));
    }
}

/// Threads that signal points, transfer jobs, reset, and wait for any and all of them. Catches: a
/// waiter that is not woken, or woken for an earlier point; a charge that stays.
#[test]
fn many_threads_share_a_timeline() {
    const POINTS: u64 = 300;
    let rig = Rig::with("rk3399", real());
    let c = rig.client();
    let works = [(); 3].map(|()| c.work().unwrap());
    for work in &works {
        c.start(work).unwrap();
        assert_eq!(c.finish(work, 10 * SEC), 1);
    }
    let mem = settled(&c, 0);
    let [shared, echo, noise] = [(); 3].map(|()| c.syncobj(false).unwrap());
    let until = (rig.world().now() + 60 * SEC) as i64;
    let next = AtomicU64::new(1);
    thread::scope(|scope| {
        for (n, work) in works.iter().enumerate() {
            let (c, next) = (c.thread(), &next);
            scope.spawn(move || loop {
                let point = next.fetch_add(1, Ordering::Relaxed);
                if point > POINTS {
                    break;
                }
                if n == 0 {
                    c.timeline_signal(shared, point).unwrap();
                } else {
                    c.start_in(work, n == 1).unwrap();
                    c.transfer((work.done, 0), (shared, point), 0).unwrap();
                }
            });
        }
        for step in 1..=3 {
            let c = c.thread();
            scope.spawn(move || {
                for point in (1..=POINTS).step_by(step) {
                    // The second never comes.
                    let places = [(shared, point), (noise, u64::MAX)];
                    let waited = c.timeline_wait(&places, until, FOR_SUBMIT);
                    assert_eq!(waited, Ok(0), "point {point}");
                    let reached = c.timeline_point(shared, 0).unwrap();
                    let last = c.timeline_point(shared, LAST_SUBMITTED).unwrap();
                    assert!(reached <= last && last >= point, "{reached} of {last}");
                    // As many waits as points, woken out of order.
                    if step == 2 {
                        c.transfer((shared, point), (echo, point), FOR_SUBMIT)
                            .unwrap();
                    }
                }
            });
        }
        let watcher = c.thread();
        scope.spawn(move || {
            let all: Vec<_> = (1..=POINTS).map(|point| (shared, point)).collect();
            let wanted = ALL | FOR_SUBMIT;
            watcher.timeline_wait(&all, until, wanted).unwrap();
            let echoed = [(echo, POINTS - 1)];
            let waited = watcher.timeline_wait(&echoed, until, FOR_SUBMIT);
            assert_eq!(waited, Ok(0));
        });
        for _ in 0..POINTS {
            c.syncobj_array(RESET, &[noise]).unwrap();
            c.timeline_signal(noise, 1).unwrap();
        }
    });
    assert_eq!(c.timeline_wait(&[(shared, POINTS)], until, 0), Ok(0));
    assert_eq!(c.timeline_point(shared, LAST_SUBMITTED), Ok(POINTS));
    assert_eq!(c.timeline_point(shared, 0), Ok(POINTS));
    for work in &works {
        c.finish(work, 10 * SEC);
    }
    for handle in [shared, echo, noise] {
        c.syncobj_destroy(handle).unwrap();
    }
    assert_eq!(settled(&c, mem), mem);
    drop((works, c));
    rig.finish();
}

/// Catches: a loop over a client's handles that a signal does not end, or that has done a part of
/// its work then; arrays without a bound.
#[test]
fn long_calls_end_with_a_signal_and_are_bounded() {
    let rig = Rig::new();
    let c = rig.client();
    let timeline = c.syncobj(false).unwrap();
    let mut points = vec![1u64; 65_537];
    let handles = vec![timeline; 65_537];
    let mut array = |request, count: u32| {
        let arg = SyncobjTimelineArray {
            handles: handles.as_ptr() as u64,
            points: points.as_mut_ptr() as u64,
            count_handles: count,
            flags: 0,
        };
        c.ioctl(request, arg).map(drop)
    };
    for request in [TIMELINE_SIGNAL, QUERY] {
        assert_eq!(array(request, 65_537), Err(errno::ENOMEM));
        c.caller.interrupt();
        assert_eq!(array(request, 10_000), Err(errno::EINTR));
    }
    assert_eq!(c.timeline_point(timeline, LAST_SUBMITTED), Ok(0));
    let bytes = rig.world().counters().malloc_bytes;
    array(TIMELINE_SIGNAL, 65_536).unwrap();
    array(QUERY, 65_536).unwrap();
    assert!(rig.world().counters().malloc_bytes < bytes + 4096);
    assert!(points[..65_536].iter().all(|point| *point == 1));
    let places = vec![(timeline, 1); 65_537];
    assert_eq!(c.timeline_wait(&places, 0, ALL), Err(errno::ENOMEM));
    c.caller.interrupt();
    assert_eq!(
        c.timeline_wait(&places[..10_000], 0, ALL),
        Err(errno::EINTR)
    );
    assert_eq!(c.timeline_wait(&places[1..], 0, ALL), Ok(0));
    drop(c);
    rig.finish();
}

/// A wait for as many points as one can. Catches: memory that is not charged, that stays, or that a
/// signal of one point goes through.
#[test]
fn waits_for_many_points_are_charged() {
    const COUNT: u64 = 20_000;
    let rig = Rig::with("rk3399", real());
    let c = rig.client();
    let timeline = c.syncobj(false).unwrap();
    let places: Vec<_> = (1..=COUNT).map(|point| (timeline, point)).collect();
    let (mem, bytes) = (c.stat("mem"), rig.world().counters().malloc_bytes);
    thread::scope(|scope| {
        let waiting = c.thread();
        let places = &places;
        let waiter = scope.spawn(move || waiting.timeline_wait(places, i64::MAX, ALL | FOR_SUBMIT));
        let taken = || rig.world().counters().malloc_bytes.saturating_sub(bytes);
        let mut highest = 0;
        // Until it is listed for all of them.
        loop {
            thread::sleep(Duration::from_millis(20));
            let now = taken();
            if now > 1 << 20 && now == highest {
                break;
            }
            highest = now;
        }
        let charged = c.stat("mem") - mem;
        for point in [1, 2, 3, COUNT] {
            c.timeline_signal(timeline, point).unwrap();
        }
        assert_eq!(waiter.join().unwrap(), Ok(u32::MAX));
        assert!(charged >= highest, "{highest} bytes, {charged} charged");
    });
    assert_eq!(c.stat("mem"), mem);
    assert!(rig.world().counters().malloc_bytes <= bytes + 4096);
    drop(c);
    rig.finish();
}
