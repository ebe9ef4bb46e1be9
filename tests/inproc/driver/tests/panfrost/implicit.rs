// SPDX-License-Identifier: BSD-2-Clause
//! Implicit synchronisation: buffers that two files share put their jobs in order.

use crate::Rig;
use driver_tests::panfrost::{write_time, Bo, Client, Work};
use driver_tests::{errno, pass, MS, SEC};
use drm_os_host::{ClockMode, Config, Trace};
use models::Injection;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;

/// Two clients and a buffer of the first that both have: handle and address in each.
struct Shared {
    a: Client,
    b: Client,
    bo: Bo,
    theirs: (u32, u64),
}

fn share(rig: &Rig) -> Shared {
    let [a, b] = [rig.client(), rig.client()];
    let bo = a.bo(4096, 1).unwrap();
    // So that their addresses differ.
    b.bo(8192, 1).unwrap();
    let theirs = share_with(&a, &b, &bo);
    assert_ne!(theirs.1, bo.va);
    Shared { a, b, bo, theirs }
}

fn share_with(a: &Client, b: &Client, bo: &Bo) -> (u32, u64) {
    let handle = pass(a, b, a.export(bo.handle).unwrap()).unwrap();
    (handle, b.va(handle).unwrap())
}

/// A job of `c` that stores the time at `at` of a buffer; its done syncobj.
fn stamp(c: &Client, (handle, va): (u32, u64), at: u64, fragment: bool) -> (u32, Bo) {
    let chain = c.bo(4096, 1).unwrap();
    chain.write(0, &write_time(va + at, 0));
    let done = c.syncobj(false).unwrap();
    c.submit(chain.va, fragment, &[chain.handle, handle], &[], done)
        .unwrap();
    (done, chain)
}

/// A writes, then B, in slots that could run at once. Catches: fences that are not added, or not
/// waited for.
#[test]
fn the_second_file_waits_for_the_first() {
    for order in [false, true] {
        let rig = Rig::new();
        let s = share(&rig);
        rig.slow_jobs(10 * MS);
        let (x, _x) = stamp(&s.a, (s.bo.handle, s.bo.va), 0, order);
        let (y, _y) = stamp(&s.b, s.theirs, 8, !order);
        rig.advance(5 * MS);
        assert_eq!(
            rig.stats().chains.iter().sum::<u64>(),
            1,
            "only the first runs"
        );
        s.b.syncobj_wait(y, SEC).unwrap();
        assert_eq!((s.a.outcome(x), s.b.outcome(y)), (1, 1));
        let (first, second) = (s.bo.read_u64(0), s.bo.read_u64(8));
        assert!(first > 0 && second - first >= 240 * 999, "{first} {second}");
        drop((_x, _y, s));
        rig.finish();
    }
}

/// WAIT_BO of one file waits for the job of the other. Catches: fences kept per file.
#[test]
fn wait_bo_sees_the_other_files_job() {
    let rig = Rig::new();
    let s = share(&rig);
    rig.slow_jobs(10 * MS);
    let (_, _chain) = stamp(&s.a, (s.bo.handle, s.bo.va), 0, false);
    assert_eq!(s.b.wait(s.theirs.0, 0), Err(errno::EBUSY));
    assert_eq!(s.b.wait(s.theirs.0, SEC), Ok(()));
    assert_ne!(s.bo.read_u64(0), 0);
    drop((_chain, s));
    rig.finish();
}

/// Two files, two buffers, named in opposite order, in all slots. Catches: jobs that wait for each
/// other.
#[test]
fn opposite_orders_do_not_deadlock() {
    let rig = Rig::new();
    let s = share(&rig);
    let other = s.b.bo(4096, 1).unwrap();
    let back = share_with(&s.b, &s.a, &other);
    let mut dones = Vec::new();
    for n in 0..40 {
        let fragment = n % 4 < 2;
        let (c, bos, va) = match n % 2 {
            0 => (&s.a, [s.bo.handle, back.0], s.bo.va),
            _ => (&s.b, [other.handle, s.theirs.0], other.va),
        };
        let chain = c.bo(4096, 1).unwrap();
        chain.write(0, &write_time(va + n / 2 * 8, 0));
        let done = c.syncobj(false).unwrap();
        c.submit(
            chain.va,
            fragment,
            &[chain.handle, bos[0], bos[1]],
            &[],
            done,
        )
        .unwrap();
        dones.push((c, done, chain));
    }
    for (c, done, _) in &dones {
        c.syncobj_wait(*done, SEC).unwrap();
        assert_eq!(c.outcome(*done), 1);
    }
    // One after another, in the order of their submission.
    let times: Vec<u64> = (0..40)
        .map(|n| {
            if n % 2 == 0 {
                s.bo.read_u64(n / 2 * 8)
            } else {
                other.read_u64(n / 2 * 8)
            }
        })
        .collect();
    assert!(times.windows(2).all(|w| w[0] < w[1]), "{times:?}");
    drop(dones);
    drop((other, s));
    rig.finish();
}

/// Four threads of two files that share eight buffers, each thread with an order of its own, on the
/// real clock. Catches: reservations that are taken in the order in which they are named, a thread
/// that is never woken.
#[test]
fn threads_with_any_order_of_buffers_do_not_deadlock() {
    let real = Config {
        clock: ClockMode::Real,
        ..Config::default()
    };
    let rig = Rig::with("rk3399", real);
    let [a, b] = [rig.client(), rig.client()];
    let bos: Vec<Bo> = (0..8).map(|_| a.bo(4096, 1).unwrap()).collect();
    let mine: Vec<u32> = bos.iter().map(|bo| bo.handle).collect();
    let theirs: Vec<u32> = bos.iter().map(|bo| share_with(&a, &b, bo).0).collect();
    let users = [(&a, &mine), (&b, &theirs), (&a, &mine), (&b, &theirs)];
    std::thread::scope(|scope| {
        for (n, (c, handles)) in users.into_iter().enumerate() {
            scope.spawn(move || {
                let work = c.work().unwrap();
                for round in 0..300 {
                    let mut order = handles.clone();
                    order.rotate_left((round + n) % 8);
                    if n % 2 == 0 {
                        order.reverse();
                    }
                    c.submit(work.chain.va, n < 2, &order, &[], work.done)
                        .unwrap();
                }
                c.syncobj_wait(work.done, 30 * SEC).unwrap();
                assert_eq!(c.outcome(work.done), 1);
            });
        }
    });
    drop((bos, a, b));
    rig.finish();
}

/// A buffer that is named twice, next to itself or not. Catches: a job that waits for itself.
#[test]
fn a_buffer_is_named_once() {
    let rig = Rig::new();
    let c = rig.client();
    let [x, y] = [c.work().unwrap(), c.work().unwrap()];
    let (x_bo, y_bo) = (x.data.handle, y.data.handle);
    for bos in [
        &[x_bo, x_bo][..],
        &[x_bo, y_bo, x_bo],
        &[y_bo, x_bo, y_bo, x_bo],
    ] {
        assert_eq!(
            c.submit(x.chain.va, false, bos, &[], x.done),
            Err(errno::EALREADY)
        );
        assert_eq!(c.wait(x_bo, 0), Ok(()));
    }
    c.start(&x).unwrap();
    assert_eq!(c.finish(&x, SEC), 1);
    drop((x, y, c));
    rig.finish();
}

/// The first file has a job that no stop moves, and after it in its queue one on the shared buffer,
/// when it is closed. The second file's job on that buffer must not run before the first file is
/// out of the hardware: fences of one queue end in order. Catches: a cancelled job that overtakes a
/// running one.
#[test]
fn a_cancelled_job_does_not_let_others_pass_a_running_one() {
    let rig = Rig::new();
    let Shared { a, b, bo, theirs } = share(&rig);
    let stuck = a.work().unwrap();
    let at = stuck.chain.va;
    rig.plant(Injection::HangJobsAt {
        first: at,
        last: at,
    });
    // The running job is declared to write to the shared buffer, too.
    a.submit(at, false, &[stuck.chain.handle, bo.handle], &[], stuck.done)
        .unwrap();
    let more: Vec<Work> = (0..3).map(|_| a.work().unwrap()).collect();
    for work in &more {
        let bos = [work.chain.handle, work.data.handle, bo.handle];
        a.submit(work.chain.va, false, &bos, &[], work.done)
            .unwrap();
    }
    rig.advance(MS);
    let (done, _chain) = stamp(&b, theirs, 0, true);
    rig.advance(MS);
    let begin = rig.world().now();
    drop((more, stuck, bo, a));
    // The job of a closed file is stopped at once, and after 10 ms the GPU is reset.
    rig.advance(5 * MS);
    assert_eq!(b.outcome(done), 0, "the stuck job is still in the hardware");
    assert_eq!(rig.stats().chains[0], 0);
    assert_eq!(b.syncobj_wait(done, SEC), Ok(()));
    assert!(rig.world().now() - begin < 60 * MS);
    assert_eq!((b.outcome(done), rig.stat("resets")), (1, 1));
    drop((_chain, b));
    rig.finish();
}

/// The reader's file goes while it waits for the writer's. Catches: hooks of a closed file that are
/// called.
#[test]
fn a_waiting_job_of_a_closed_file_goes() {
    let rig = Rig::new();
    let s = share(&rig);
    rig.slow_jobs(10 * MS);
    let (x, _x) = stamp(&s.a, (s.bo.handle, s.bo.va), 0, false);
    let (_, y) = stamp(&s.b, s.theirs, 8, true);
    let Shared { a, b, bo, .. } = s;
    rig.advance(MS);
    drop((y, b));
    a.syncobj_wait(x, SEC).unwrap();
    rig.advance(20 * MS);
    assert_eq!((a.outcome(x), bo.read_u64(8)), (1, 0));
    assert_eq!(a.wait(bo.handle, 0), Ok(()));
    drop((_x, bo, a));
    rig.finish();
}

/// A job fails; those that wait for it run. Catches: an error that is handed on, a job that waits
/// for ever.
#[test]
fn a_failed_job_lets_the_others_run() {
    let rig = Rig::new();
    let s = share(&rig);
    let stray = s.a.work().unwrap();
    s.a.submit(0x7000_0000, false, &[s.bo.handle], &[], stray.done)
        .unwrap();
    let (y, _y) = stamp(&s.b, s.theirs, 8, true);
    s.b.syncobj_wait(y, SEC).unwrap();
    assert_eq!(
        (s.a.outcome(stray.done), s.b.outcome(y)),
        (-errno::EINVAL, 1)
    );
    drop((stray, _y, s));
    rig.finish();
}

/// In-syncobjs, too, put jobs of two slots in order. Catches: in_syncs not waited for, out_sync
/// filled too early.
#[test]
fn syncobjs_put_jobs_in_order() {
    let rig = Rig::new();
    let c = rig.client();
    rig.slow_jobs(10 * MS);
    let [x, y] = [c.work().unwrap(), c.work().unwrap()];
    c.start_in(&x, true).unwrap();
    c.submit(
        y.chain.va,
        false,
        &[y.chain.handle, y.data.handle],
        &[x.done],
        y.done,
    )
    .unwrap();
    rig.advance(5 * MS);
    assert_eq!(rig.stats().chains, [1, 0, 0]);
    assert_eq!(c.finish(&y, SEC), 1);
    assert!(x.is_done() && y.is_done());
    // One that has no fence is refused; so is one that is not there, and a bad out-syncobj.
    let empty = c.syncobj(false).unwrap();
    let bos = [y.chain.handle];
    assert_eq!(
        c.submit(y.chain.va, false, &bos, &[empty], 0),
        Err(errno::EINVAL)
    );
    assert_eq!(
        c.submit(y.chain.va, false, &bos, &[999], 0),
        Err(errno::ENOENT)
    );
    assert_eq!(c.submit(y.chain.va, false, &bos, &[], 999), Err(19));
    drop((x, y, c));
    rig.finish();
}

/// A signal ends a wait and nothing else. Catches: waits that cannot be interrupted, jobs that
/// suffer from it.
#[test]
fn a_signal_ends_the_wait_only() {
    let rig = Rig::new();
    let c = rig.client();
    rig.slow_jobs(10 * MS);
    let work = c.work().unwrap();
    c.start(&work).unwrap();
    c.caller.interrupt();
    assert_eq!(c.wait(work.data.handle, SEC), Err(errno::EINTR));
    assert_eq!(c.wait(work.data.handle, SEC), Ok(()));
    assert!(work.is_done());
    drop((work, c));
    rig.finish();
}

/// Jobs of one file for one slot that share a buffer: the slot runs them in order, so that it gets
/// the second one while the first runs. Catches: a job that waits for fences of its own run queue,
/// after which the GPU is idle between the two.
#[test]
fn jobs_of_one_run_queue_do_not_wait_for_each_other() {
    // HW: COMMAND_NEXT of the slot of vertex jobs, and its value for START. Other bits are flags.
    const COMMAND_NEXT: u32 = 0x18e0;
    let rig = Rig::new();
    let c = rig.client();
    let bo = c.bo(4096, 1).unwrap();
    rig.slow_jobs(10 * MS);
    let starts = Arc::new(AtomicU64::new(0));
    let count = starts.clone();
    rig.world().set_trace(Some(Box::new(move |event| {
        if let Trace::MmioWrite {
            off: COMMAND_NEXT,
            val: 1,
            ..
        } = event
        {
            count.fetch_add(1, Relaxed);
        }
    })));
    let (x, _x) = stamp(&c, (bo.handle, bo.va), 0, false);
    let (y, _y) = stamp(&c, (bo.handle, bo.va), 8, false);
    rig.advance(5 * MS);
    let given = starts.load(Relaxed);
    rig.world().set_trace(None);
    assert_eq!(given, 2, "both are in the slot");
    assert_eq!(rig.stats().chains.iter().sum::<u64>(), 1, "one runs");
    c.syncobj_wait(y, SEC).unwrap();
    assert_eq!((c.outcome(x), c.outcome(y)), (1, 1));
    let (first, second) = (bo.read_u64(0), bo.read_u64(8));
    assert!(first > 0 && second > first, "{first} {second}");
    drop((_x, _y, bo, c));
    rig.finish();
}
