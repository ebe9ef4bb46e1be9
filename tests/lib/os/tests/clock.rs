// SPDX-License-Identifier: BSD-2-Clause
//! The virtual clock: the order of events.
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "calls of drm_os.h as C makes them, with handles that the test made"
)]

mod common;
use common::*;
use drm_os_host::{sys, Caller, Config, World};
use std::ffi::c_void;
use std::sync::Mutex;

struct Note {
    os: *mut sys::drm_os,
    log: *const Mutex<Vec<(u64, &'static str)>>,
    name: &'static str,
}

unsafe extern "C" fn note(arg: *mut c_void) {
    let n = &*arg.cast::<Note>();
    (*n.log)
        .lock()
        .unwrap()
        .push((sys::drm_os_now(n.os), n.name));
}

struct Notes {
    w: World,
    log: Box<Mutex<Vec<(u64, &'static str)>>>,
}

impl Notes {
    fn new(w: &World) -> Notes {
        Notes {
            w: w.clone(),
            log: Box::default(),
        }
    }

    fn arg(&self, name: &'static str) -> Note {
        Note {
            os: self.w.as_raw(),
            log: &*self.log,
            name,
        }
    }

    fn take(&self) -> Vec<(u64, &'static str)> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

#[test]
fn time_stops_until_advanced() {
    let w = World::new(Config::default());
    assert_eq!(w.now(), 0);
    w.settle();
    assert_eq!(w.now(), 0);
    w.advance(17);
    assert_eq!(w.now(), 17);
    unsafe {
        sys::drm_os_sleep(w.as_raw(), 3);
        sys::drm_os_delay(w.as_raw(), 5);
        assert_eq!(sys::drm_os_now(w.as_raw()), 25);
    }
}

#[test]
fn tasks_run_in_time_order_and_then_in_order_of_arming() {
    let w = World::new(Config::default());
    let n = Notes::new(&w);
    let (q1, q2) = (queue(&w, c"one"), queue(&w, c"two"));
    let args = [
        "late",
        "early",
        "same1",
        "same2",
        "now",
        "moved",
        "cancelled",
    ]
    .map(|s| n.arg(s));
    let [late, early, same1, same2, now, moved, cancelled] = args.each_ref().map(|a| {
        let q = if matches!(a.name, "early" | "same2") {
            q2
        } else {
            q1
        };
        task(q, note, a)
    });
    unsafe {
        sys::drm_os_task_enqueue_at(late, 300);
        sys::drm_os_task_enqueue_at(early, 100);
        sys::drm_os_task_enqueue_at(same1, 200);
        sys::drm_os_task_enqueue_at(same2, 200);
        sys::drm_os_task_enqueue_at(moved, 10);
        sys::drm_os_task_enqueue_at(moved, 250);
        sys::drm_os_task_enqueue_at(cancelled, 260);
        sys::drm_os_task_cancel(cancelled);
        sys::drm_os_task_enqueue(now);
        sys::drm_os_task_enqueue(now);
    }
    assert_eq!(n.take(), [], "nothing runs before an event-loop point");
    w.settle();
    assert_eq!(n.take(), [(0, "now")]);
    w.advance(99);
    assert_eq!(n.take(), []);
    w.advance(1);
    assert_eq!(n.take(), [(100, "early")]);
    w.advance(1000);
    // The order of the two queues at 200 follows from the order in which they armed their
    // deadlines: queue two armed its own after its run at 100, queue one when it went idle at 0 and
    // was not woken in between.
    assert_eq!(
        n.take(),
        [
            (200, "same1"),
            (200, "same2"),
            (250, "moved"),
            (300, "late")
        ]
    );
    assert_eq!(w.now(), 1100);
    unsafe {
        for t in [late, early, same1, same2, now, moved, cancelled] {
            sys::drm_os_task_destroy(t);
        }
        sys::drm_os_taskqueue_destroy(q1);
        sys::drm_os_taskqueue_destroy(q2);
    }
    w.assert_clean();
}

struct Again {
    os: *mut sys::drm_os,
    me: Mutex<usize>,
    runs: Mutex<Vec<u64>>,
}

unsafe extern "C" fn again(arg: *mut c_void) {
    let a = &*arg.cast::<Again>();
    let n = {
        let mut runs = a.runs.lock().unwrap();
        runs.push(sys::drm_os_now(a.os));
        runs.len()
    };
    let me = *a.me.lock().unwrap() as *mut sys::drm_os_task;
    if n == 1 {
        // Enqueued twice while it runs, it runs once again.
        sys::drm_os_task_enqueue(me);
        sys::drm_os_task_enqueue(me);
        sys::drm_os_sleep(a.os, 1000);
    }
}

#[test]
fn a_task_enqueued_while_it_runs_runs_again() {
    let w = World::new(Config::default());
    let q = queue(&w, c"q");
    let a = Again {
        os: w.as_raw(),
        me: Mutex::new(0),
        runs: Mutex::default(),
    };
    let t = task(q, again, &a);
    *a.me.lock().unwrap() = t as usize;
    unsafe {
        sys::drm_os_task_enqueue(t);
        sys::drm_os_task_drain(t);
        assert_eq!(
            *a.runs.lock().unwrap(),
            [0, 1000],
            "drain waited for both runs and advanced the time"
        );
        sys::drm_os_task_destroy(t);
        sys::drm_os_taskqueue_destroy(q);
    }
    w.assert_clean();
}

struct Holder {
    os: *mut sys::drm_os,
    sx: *mut sys::drm_os_sx,
    got_at: Mutex<u64>,
}

unsafe extern "C" fn take_sx(arg: *mut c_void) {
    let h = &*arg.cast::<Holder>();
    sys::drm_os_sx_lock(h.sx);
    *h.got_at.lock().unwrap() = sys::drm_os_now(h.os);
    sys::drm_os_sx_unlock(h.sx);
}

#[test]
fn a_task_waits_for_a_lock_that_a_sleeper_holds() {
    let w = World::new(Config::default());
    let q = queue(&w, c"q");
    let s = sx(&w, c"vm");
    let h = Holder {
        os: w.as_raw(),
        sx: s,
        got_at: Mutex::new(0),
    };
    let t = task(q, take_sx, &h);
    unsafe {
        sys::drm_os_sx_lock(s);
        sys::drm_os_task_enqueue(t);
        sys::drm_os_sleep(w.as_raw(), 700);
        assert_eq!(*h.got_at.lock().unwrap(), 0);
        assert_eq!(sys::drm_os_sx_try(s), 0);
        sys::drm_os_sx_unlock(s);
        sys::drm_os_task_drain(t);
        assert_eq!(*h.got_at.lock().unwrap(), 700);
        sys::drm_os_task_destroy(t);
        sys::drm_os_taskqueue_destroy(q);
        sys::drm_os_sx_destroy(s);
    }
    w.assert_clean();
}

struct Signal {
    m: *mut sys::drm_os_mtx,
    c: *mut sys::drm_os_cv,
}

unsafe extern "C" fn broadcast(arg: *mut c_void) {
    let s = &*arg.cast::<Signal>();
    sys::drm_os_mtx_lock(s.m);
    sys::drm_os_cv_broadcast(s.c);
    sys::drm_os_mtx_unlock(s.m);
}

unsafe extern "C" fn interrupt(arg: *mut c_void) {
    (*arg.cast::<Caller>()).interrupt();
}

#[test]
fn waits_end_by_broadcast_by_deadline_and_by_signal() {
    let w = World::new(Config::default());
    let (m, c, q) = (mtx(&w, c"m"), cv(&w, c"c"), queue(&w, c"q"));
    let caller = Caller::local(&w, "client");
    let s = Signal { m, c };
    let (wakes, breaks) = (task(q, broadcast, &s), task(q, interrupt, &caller));
    let wait = |deadline| unsafe {
        sys::drm_os_mtx_lock(m);
        let r = sys::drm_os_cv_wait(c, m, caller.as_raw(), deadline);
        sys::drm_os_mtx_unlock(m);
        (r, w.now())
    };
    let (timed_out, interrupted) = (sys::DRM_OS_ETIMEDOUT as i32, sys::DRM_OS_EINTR as i32);
    unsafe {
        sys::drm_os_task_enqueue_at(wakes, 40);
        assert_eq!(wait(100), (0, 40));
        assert_eq!(wait(100), (timed_out, 100));
        assert_eq!(wait(50), (timed_out, 100), "a deadline in the past");
        sys::drm_os_task_enqueue_at(breaks, 130);
        assert_eq!(wait(sys::DRM_OS_PAGE_SIZE.into()), (interrupted, 130));
        assert_eq!(wait(200), (timed_out, 200), "one signal ends one wait");
        caller.interrupt();
        assert_eq!(wait(300), (interrupted, 200), "a signal stays pending");
        caller.kill();
        assert_eq!(wait(300), (interrupted, 200));
        assert_eq!(wait(300), (interrupted, 200), "a dying caller never waits");
        for t in [wakes, breaks] {
            sys::drm_os_task_destroy(t);
        }
        sys::drm_os_taskqueue_destroy(q);
        sys::drm_os_cv_destroy(c);
        sys::drm_os_mtx_destroy(m);
    }
    w.assert_clean();
}

#[test]
fn a_wait_that_nothing_ends_is_reported() {
    dies(&["deadlock", "fence"], || {
        let w = World::new(Config::default());
        let (m, c) = (mtx(&w, c"m"), cv(&w, c"fence"));
        unsafe {
            sys::drm_os_mtx_lock(m);
            sys::drm_os_cv_wait(c, m, std::ptr::null_mut(), u64::MAX);
        }
    });
}

#[test]
fn drain_in_the_own_queue_is_reported() {
    unsafe extern "C" fn drain_self(arg: *mut c_void) {
        let a = &*arg.cast::<Again>();
        sys::drm_os_task_drain(*a.me.lock().unwrap() as *mut sys::drm_os_task);
    }
    dies(&["drm_os_task_drain", "own queue \"work\""], || {
        let w = World::new(Config::default());
        let a = Again {
            os: w.as_raw(),
            me: Mutex::new(0),
            runs: Mutex::default(),
        };
        let t = task(queue(&w, c"work"), drain_self, &a);
        *a.me.lock().unwrap() = t as usize;
        unsafe { sys::drm_os_task_enqueue(t) };
        w.settle();
    });
}

#[test]
fn unique_numbers_start_at_one() {
    let w = World::new(Config {
        tunables: [("answer".to_string(), 77)].into(),
        ..Config::default()
    });
    unsafe {
        assert_eq!(sys::drm_os_unique(w.as_raw()), 1);
        assert_eq!(sys::drm_os_unique(w.as_raw()), 2);
        assert_eq!(sys::drm_os_tunable(w.as_raw(), c"answer".as_ptr(), 1), 77);
        assert_eq!(sys::drm_os_tunable(w.as_raw(), c"question".as_ptr(), 1), 1);
    }
}
