// SPDX-License-Identifier: BSD-2-Clause
//! Waits for many syncobjs.

use driver_tests::panfrost::Rig;
use driver_tests::{errno, MS, SEC};
use drm_os_host::{ClockMode, Config};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use uapi::core::{
    SYNCOBJ_RESET as RESET, SYNCOBJ_SIGNAL as SIGNAL, SYNCOBJ_WAIT_ALL as ALL,
    SYNCOBJ_WAIT_FOR_SUBMIT as FOR_SUBMIT,
};

fn real() -> Config {
    Config {
        clock: ClockMode::Real,
        ..Config::default()
    }
}

/// This thread.
#[allow(unsafe_code, reason = "a system call")]
fn tid() -> i32 {
    // SAFETY: it has no arguments.
    unsafe { libc::gettid() }
}

/// Whether a thread sleeps.
fn sleeps(tid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{tid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().starts_with('S')
}

/// A signal that is taken back at once. Catches: a waiter that inspects the box when it wakes, and
/// not at what it was woken for.
#[test]
fn a_waiter_gets_the_fence_of_the_moment() {
    let rig = Rig::with("rk3399", real());
    let c = rig.client();
    for n in 0..100 {
        let boxes = [c.syncobj(false).unwrap(), c.syncobj(false).unwrap()];
        let until = (rig.world().now() + 5 * SEC) as i64;
        let result = thread::scope(|scope| {
            let flags = FOR_SUBMIT | if n % 2 == 0 { ALL } else { 0 };
            let (d, cvs) = (&c, rig.world().counters().cvs);
            let (outbox, inbox) = mpsc::channel();
            let waiter = scope.spawn(move || {
                outbox.send(tid()).unwrap();
                d.syncobj_wait_many(&boxes, until, flags)
            });
            let waiter_tid = inbox.recv().unwrap();
            while rig.world().counters().cvs == cvs || !sleeps(waiter_tid) {
                thread::yield_now();
            }
            for handle in boxes {
                c.syncobj_array(SIGNAL, &[handle]).unwrap();
                c.syncobj_array(RESET, &[handle]).unwrap();
            }
            waiter.join().unwrap()
        });
        let expected = if n % 2 == 0 { u32::MAX } else { 0 };
        assert_eq!(result, Ok(expected), "round {n}");
    }
    drop(c);
    rig.finish();
}

/// Every answer of a wait for several boxes. Catches: the wrong index, boxes named twice, a wait
/// that ends too early.
#[test]
fn waits_for_boxes_named_twice() {
    let rig = Rig::new();
    rig.slow_jobs(10 * MS);
    let c = rig.client();
    let [x, y] = [c.work().unwrap(), c.work().unwrap()];
    c.start(&x).unwrap();
    c.start(&y).unwrap();
    let empty = c.syncobj(false).unwrap();
    let ms = |n: u64| (rig.world().now() + n * MS) as i64;
    let (x_done, y_done) = (x.done, y.done);
    let any = [y_done, y_done, x_done, x_done];
    assert_eq!(c.syncobj_wait_many(&any, ms(5), 0), Err(errno::ETIME));
    assert_eq!(c.syncobj_wait_many(&any, ms(1000), 0), Ok(2));
    assert_eq!((c.outcome(x_done), c.outcome(y_done)), (1, 0));
    assert_eq!(c.syncobj_wait_many(&any, ms(5), ALL), Err(errno::ETIME));
    assert_eq!(c.syncobj_wait_many(&any, ms(1000), ALL), Ok(2));
    assert_eq!(c.outcome(y_done), 1);
    let with_empty = [empty, x_done, empty];
    assert_eq!(
        c.syncobj_wait_many(&with_empty, ms(5), 0),
        Err(errno::EINVAL)
    );
    assert_eq!(c.syncobj_wait_many(&with_empty, ms(5), FOR_SUBMIT), Ok(1));
    assert_eq!(
        c.syncobj_wait_many(&with_empty, ms(5), FOR_SUBMIT | ALL),
        Err(errno::ETIME)
    );
    assert_eq!(
        c.syncobj_wait_many(&[empty, empty], ms(5), FOR_SUBMIT),
        Err(errno::ETIME)
    );
    drop((x, y, c));
    rig.finish();
}

/// Catches: a waiter for all of many syncobjs that each of them wakes. On the virtual clock this
/// thread sleeps, and the jobs end one after the other.
#[test]
fn a_wait_for_all_wakes_once() {
    for count in [2, 64, 1024] {
        let rig = Rig::new();
        let c = rig.client();
        let work = c.work().unwrap();
        let boxes: Vec<u32> = (0..count).map(|_| c.syncobj(false).unwrap()).collect();
        for done in &boxes {
            c.submit(work.chain.va, false, &[], &[], *done).unwrap();
        }
        let before = rig.world().cv_sleeps();
        let waited = c.syncobj_wait_many(&boxes, i64::MAX, ALL);
        assert_eq!(waited, Ok(u32::MAX));
        assert_eq!(rig.world().cv_sleeps() - before, 1, "of {count}");
        // One more that was not submitted: its fence, and then its end.
        c.submit(work.chain.va, false, &[], &[], boxes[0]).unwrap();
        let until = (rig.world().now() + SEC) as i64;
        let both = [boxes[0], c.syncobj(false).unwrap()];
        let waited = c.syncobj_wait_many(&both, until, ALL | FOR_SUBMIT);
        assert_eq!(waited, Err(errno::ETIME));
        drop((work, c));
        rig.finish();
    }
}

/// Arrays of handles have a bound, and what a wait holds is small and paid for. Catches: a count
/// that a client chooses taken as it is.
#[test]
fn arrays_of_handles_are_bounded() {
    let rig = Rig::with("rk3399", real());
    let c = rig.client();
    let work = c.work().unwrap();
    let full = vec![c.syncobj(true).unwrap(); 65_537];
    for request in [RESET, SIGNAL] {
        assert_eq!(c.syncobj_array(request, &full), Err(errno::ENOMEM));
    }
    assert_eq!(c.syncobj_wait_many(&full, 0, 0), Err(errno::ENOMEM));
    let (jc, out) = (work.chain.va, work.done);
    assert_eq!(c.submit(jc, false, &[], &full, out), Err(errno::ENOMEM));
    assert_eq!(c.submit(jc, false, &full, &[], out), Err(errno::ENOMEM));
    assert_eq!(
        c.sync_file(out),
        Err(errno::EINVAL),
        "nothing was submitted"
    );
    assert_eq!(c.syncobj_wait_many(&full[1..], 0, ALL), Ok(0));
    let handles = vec![out; 65_536];
    let (mem, bytes) = (c.stat("mem"), rig.world().counters().malloc_bytes);
    thread::scope(|scope| {
        let d = &c;
        let (outbox, inbox) = mpsc::channel();
        let waiter = scope.spawn(move || {
            outbox.send(tid()).unwrap();
            d.syncobj_wait_many(&handles, i64::MAX, ALL | FOR_SUBMIT)
        });
        let waiter_tid = inbox.recv().unwrap();
        let taken = || rig.world().counters().malloc_bytes.saturating_sub(bytes);
        while taken() < 1 << 20 || !sleeps(waiter_tid) {
            thread::yield_now();
        }
        let (charged, taken) = (c.stat("mem") - mem, taken());
        assert!(
            charged >= taken && taken < 9 << 20,
            "{taken} bytes, {charged} charged"
        );
        c.syncobj_array(SIGNAL, &[out]).unwrap();
        assert_eq!(waiter.join().unwrap(), Ok(u32::MAX));
    });
    assert_eq!(c.stat("mem"), mem);
    drop((work, c));
    rig.finish();
}

/// Catches: a loop over a client's handles that a signal does not end, or that has done a part of
/// its work then.
#[test]
fn long_calls_end_with_a_signal() {
    let rig = Rig::new();
    let c = rig.client();
    let empty = c.syncobj(false).unwrap();
    let full = c.syncobj(true).unwrap();
    let mut handles = vec![empty; 10_000];
    c.caller.interrupt();
    assert_eq!(c.syncobj_array(SIGNAL, &handles), Err(errno::EINTR));
    assert_eq!(c.sync_file(empty), Err(errno::EINVAL), "nothing was done");
    handles.fill(full);
    c.caller.interrupt();
    assert_eq!(c.syncobj_array(RESET, &handles), Err(errno::EINTR));
    assert_eq!(c.outcome(full), 1);
    c.caller.interrupt();
    assert_eq!(c.syncobj_wait_many(&handles, 0, ALL), Err(errno::EINTR));
    let work = c.work().unwrap();
    c.caller.interrupt();
    let submit = || {
        c.submit(
            work.chain.va,
            false,
            &[work.chain.handle],
            &handles,
            work.done,
        )
    };
    assert_eq!(submit(), Err(errno::EINTR));
    assert_eq!(c.sync_file(work.done), Err(errno::EINVAL));
    assert_eq!(submit(), Ok(()));
    assert_eq!(c.syncobj_wait(work.done, SEC), Ok(()));
    drop((work, c));
    rig.finish();
}

/// Processor time of this thread, ns.
fn cpu_ns() -> u64 {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    #[allow(unsafe_code, reason = "a system call")]
    // SAFETY: `t` is there to be filled.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t) };
    assert_eq!(failed, 0);
    t.tv_sec as u64 * SEC + t.tv_nsec as u64
}

/// What a wait for `count` boxes that are filled one after another costs the waiter.
fn wait_cost(count: usize) -> u64 {
    let rig = Rig::with("rk3399", real());
    let c = rig.client();
    let handles: Vec<u32> = (0..count).map(|_| c.syncobj(false).unwrap()).collect();
    let cost = thread::scope(|scope| {
        let (d, boxes, cvs) = (&c, &handles, rig.world().counters().cvs);
        let (outbox, inbox) = mpsc::channel();
        let waiter = scope.spawn(move || {
            outbox.send(tid()).unwrap();
            let begin = cpu_ns();
            let flags = ALL | FOR_SUBMIT;
            assert_eq!(d.syncobj_wait_many(boxes, i64::MAX, flags), Ok(u32::MAX));
            cpu_ns() - begin
        });
        let waiter_tid = inbox.recv().unwrap();
        while rig.world().counters().cvs == cvs || !sleeps(waiter_tid) {
            thread::yield_now();
        }
        for handle in &handles {
            c.syncobj_array(SIGNAL, &[*handle]).unwrap();
            // So that the waiter sees each by itself.
            thread::sleep(Duration::from_micros(100));
        }
        waiter.join().unwrap()
    });
    drop(c);
    rig.finish();
    cost
}

/// Four times the boxes cost about four times as much. Catches: a waiter that checks all of them
/// at each wake-up.
#[test]
fn the_cost_of_waking_is_linear() {
    let least = |count| (0..3).map(|_| wait_cost(count)).min().unwrap();
    let (few, many) = (least(500), least(2000));
    assert!(many < 8 * few, "{few} ns for 500, {many} ns for 2000");
}
