// SPDX-License-Identifier: BSD-2-Clause
//! Real time and real threads.
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "calls of drm_os.h as C makes them, with handles that the test made"
)]

mod common;
use common::*;
use drm_os_host::{sys, Caller, ClockMode, Config, World};
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

fn real() -> Config {
    Config {
        clock: ClockMode::Real,
        ..Config::default()
    }
}

/// Handles point to objects that are safe to use from several threads.
#[derive(Clone, Copy)]
struct Shared<T>(*mut T);
unsafe impl<T> Send for Shared<T> {}
unsafe impl<T> Sync for Shared<T> {}
impl<T> Shared<T> {
    fn get(self) -> *mut T {
        self.0
    }
}

fn eventually(what: &str, f: impl Fn() -> bool) {
    let start = Instant::now();
    while !f() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{what} did not happen within 20 s"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_wait_is_interrupted_from_another_thread_however_they_race() {
    let w = World::new(real());
    let (m, c) = (Shared(mtx(&w, c"m")), Shared(cv(&w, c"c")));
    let rounds = 300;
    let caller = Caller::local(&w, "client");
    let done = AtomicU64::new(0);
    std::thread::scope(|s| {
        s.spawn(|| {
            for _ in 0..rounds {
                unsafe {
                    sys::drm_os_mtx_lock(m.get());
                    let r = sys::drm_os_cv_wait(c.get(), m.get(), caller.as_raw(), u64::MAX);
                    sys::drm_os_mtx_unlock(m.get());
                    assert_eq!(r, sys::DRM_OS_EINTR as i32);
                }
                done.fetch_add(1, SeqCst);
            }
        });
        for n in 0..rounds {
            // One signal per wait; half of them before the waiter can be asleep.
            if n % 2 == 0 {
                std::thread::sleep(Duration::from_micros(50));
            }
            caller.interrupt();
            eventually("the wait ends", || done.load(SeqCst) == n + 1);
        }
    });
    let dying = Caller::local(&w, "dying");
    std::thread::scope(|s| {
        let t = s.spawn(|| unsafe {
            sys::drm_os_mtx_lock(m.get());
            let a = sys::drm_os_cv_wait(c.get(), m.get(), dying.as_raw(), u64::MAX);
            let b = sys::drm_os_cv_wait(c.get(), m.get(), dying.as_raw(), u64::MAX);
            sys::drm_os_mtx_unlock(m.get());
            (a, b)
        });
        std::thread::sleep(Duration::from_millis(5));
        dying.kill();
        assert_eq!(
            t.join().unwrap(),
            (sys::DRM_OS_EINTR as i32, sys::DRM_OS_EINTR as i32)
        );
    });
    unsafe {
        sys::drm_os_cv_destroy(c.get());
        sys::drm_os_mtx_destroy(m.get());
    }
    w.assert_clean();
}

struct Pump {
    os: *mut sys::drm_os,
    io: *mut sys::drm_os_mmio,
    m: *mut sys::drm_os_mtx,
    c: *mut sys::drm_os_cv,
    task: AtomicU64,
    fired: AtomicU64,
    bottom: AtomicU64,
}

unsafe extern "C" fn top_half(arg: *mut c_void) {
    let p = &*arg.cast::<Pump>();
    let st = sys::drm_os_mmio_read4(p.io, STATUS);
    sys::drm_os_mmio_write4(p.io, CLEAR, st);
    sys::drm_os_mtx_lock(p.m);
    p.fired.fetch_add(1, SeqCst);
    sys::drm_os_mtx_unlock(p.m);
    sys::drm_os_task_enqueue(p.task.load(SeqCst) as *mut _);
}

unsafe extern "C" fn bottom_half(arg: *mut c_void) {
    let p = &*arg.cast::<Pump>();
    sys::drm_os_sleep(p.os, 1000);
    sys::drm_os_mtx_lock(p.m);
    p.bottom.store(p.fired.load(SeqCst), SeqCst);
    sys::drm_os_cv_broadcast(p.c);
    sys::drm_os_mtx_unlock(p.m);
}

fn pump(w: &World, rounds: u64) {
    let d = w.add_device(node(), Box::<Toy>::default());
    let p = Pump {
        os: w.as_raw(),
        io: mmio(&d),
        m: mtx(w, c"pump"),
        c: cv(w, c"pump"),
        task: AtomicU64::new(0),
        fired: AtomicU64::new(0),
        bottom: AtomicU64::new(0),
    };
    let q = queue(w, c"pump");
    let t = task(q, bottom_half, &p);
    p.task.store(t as u64, SeqCst);
    let h = irq(&d, top_half, &p);
    for n in 1..=rounds {
        unsafe {
            sys::drm_os_mmio_write4(p.io, TIMER, 20_000);
            sys::drm_os_mtx_lock(p.m);
            while p.bottom.load(SeqCst) < n {
                let deadline = sys::drm_os_now(w.as_raw()) + 20_000_000_000;
                assert_eq!(
                    sys::drm_os_cv_wait(p.c, p.m, std::ptr::null_mut(), deadline),
                    0
                );
            }
            sys::drm_os_mtx_unlock(p.m);
        }
    }
    unsafe {
        sys::drm_os_irq_sync(h);
        sys::drm_os_irq_teardown(h);
        sys::drm_os_task_destroy(t);
        sys::drm_os_taskqueue_destroy(q);
        sys::drm_os_cv_destroy(p.c);
        sys::drm_os_mtx_destroy(p.m);
        sys::drm_os_mmio_unmap(p.io);
    }
    assert_eq!(p.fired.load(SeqCst), rounds);
    w.assert_clean();
}

#[test]
fn many_worlds_of_both_kinds_run_at_once() {
    std::thread::scope(|s| {
        for i in 0..6 {
            s.spawn(move || {
                pump(
                    &World::new(if i < 3 { real() } else { Config::default() }),
                    50,
                )
            });
        }
    });
}

#[test]
fn deadlines_and_timed_tasks_keep_real_time() {
    let w = World::new(real());
    let (m, c) = (mtx(&w, c"m"), cv(&w, c"c"));
    unsafe {
        let start = sys::drm_os_now(w.as_raw());
        sys::drm_os_mtx_lock(m);
        let r = sys::drm_os_cv_wait(c, m, std::ptr::null_mut(), start + 3_000_000);
        assert_eq!(r, sys::DRM_OS_ETIMEDOUT as i32);
        sys::drm_os_mtx_unlock(m);
        assert!(sys::drm_os_now(w.as_raw()) >= start + 3_000_000);
        unsafe extern "C" fn stamp(arg: *mut c_void) {
            let (os, at) = &*arg.cast::<(Shared<sys::drm_os>, AtomicU64)>();
            at.store(sys::drm_os_now(os.get()), SeqCst);
        }
        let arg = (Shared(w.as_raw()), AtomicU64::new(0));
        let q = queue(&w, c"q");
        let t = task(q, stamp, &arg);
        let when = sys::drm_os_now(w.as_raw()) + 2_000_000;
        sys::drm_os_task_enqueue_at(t, when + 60_000_000_000);
        sys::drm_os_task_enqueue_at(t, when);
        sys::drm_os_task_drain(t);
        assert!(arg.1.load(SeqCst) >= when);
        sys::drm_os_task_enqueue_at(t, when + 60_000_000_000);
        sys::drm_os_task_destroy(t);
        sys::drm_os_taskqueue_destroy(q);
        sys::drm_os_delay(w.as_raw(), 10_000);
        sys::drm_os_cv_destroy(c);
        sys::drm_os_mtx_destroy(m);
    }
    w.assert_clean();
}

#[test]
fn mutexes_and_sleepable_locks_exclude() {
    let w = World::new(real());
    let (m, s) = (Shared(mtx(&w, c"m")), Shared(sx(&w, c"s")));
    // Plain numbers that the locks protect: a lock that does not exclude loses counts.
    let (a, b) = (
        Shared(Box::into_raw(Box::new(0u64))),
        Shared(Box::into_raw(Box::new(0u64))),
    );
    std::thread::scope(|sc| {
        for _ in 0..4 {
            sc.spawn(|| unsafe {
                for _ in 0..2000 {
                    sys::drm_os_sx_lock(s.get());
                    b.get().write_volatile(b.get().read_volatile() + 1);
                    sys::drm_os_mtx_lock(m.get());
                    a.get().write_volatile(a.get().read_volatile() + 1);
                    sys::drm_os_mtx_unlock(m.get());
                    sys::drm_os_sx_unlock(s.get());
                }
            });
        }
    });
    unsafe {
        assert_eq!(
            (*Box::from_raw(a.get()), *Box::from_raw(b.get())),
            (8000, 8000)
        );
        sys::drm_os_mtx_destroy(m.get());
        sys::drm_os_sx_destroy(s.get());
    }
    w.assert_clean();
}

/// Number of threads of this process with a name.
fn threads_named(name: &str) -> usize {
    let dir = std::fs::read_dir("/proc/self/task").unwrap();
    let names = dir.filter_map(|t| std::fs::read_to_string(t.ok()?.path().join("comm")).ok());
    names.filter(|n| n.trim_end() == name).count()
}

#[test]
fn the_end_of_a_world_ends_its_threads() {
    for clock in [ClockMode::Real, ClockMode::Virtual] {
        let w = World::new(Config {
            clock,
            ..Config::default()
        });
        let d = w.add_device(
            drm_os_host::Node {
                name: "brief".into(),
                ..node()
            },
            Box::<Toy>::default(),
        );
        unsafe extern "C" fn nothing(_: *mut c_void) {}
        irq(&d, nothing, &0);
        queue(&w, c"brief");
        let all = ["hw brief", "irq brief.event", "task brief"];
        let expect = if clock == ClockMode::Real {
            [1, 1, 1]
        } else {
            [0, 0, 1]
        };
        eventually("the threads have these names", || {
            all.map(threads_named) == expect
        });
        drop(d);
        drop(w);
        eventually("the threads have ended", || {
            all.map(threads_named) == [0; 3]
        });
    }
}

#[test]
fn unregister_waits_for_an_open_in_progress() {
    struct Slow {
        os: Shared<sys::drm_os>,
        state: AtomicU64,
    }
    unsafe extern "C" fn open(
        arg: *mut c_void,
        _: *mut sys::drm_os_caller,
        _: *mut *mut c_void,
    ) -> i32 {
        let s = &*arg.cast::<Slow>();
        s.state.store(1, SeqCst);
        sys::drm_os_sleep(s.os.get(), 20_000_000);
        s.state.store(2, SeqCst);
        sys::DRM_OS_EBUSY as i32
    }
    static OPS: sys::drm_os_file_ops = sys::drm_os_file_ops {
        release: None,
        ioctl: None,
        mmap: None,
        poll: None,
        size: None,
    };
    let w = World::new(real());
    let d = w.add_device(node(), Box::<Toy>::default());
    let slow = Slow {
        os: Shared(w.as_raw()),
        state: AtomicU64::new(0),
    };
    let arg = std::ptr::from_ref(&slow).cast_mut().cast();
    let kind = sys::DRM_OS_MINOR_PRIMARY;
    let register = || {
        make(|p| unsafe { sys::drm_os_minor_register(d.as_raw(), kind, Some(open), arg, &OPS, p) })
    };
    let minor = register().unwrap();
    assert_eq!(register(), Err(sys::DRM_OS_EEXIST as i32));
    let c = Caller::local(&w, "client");
    std::thread::scope(|s| {
        let t = s.spawn(|| d.open(kind, &c).unwrap_err());
        eventually("open runs", || slow.state.load(SeqCst) == 1);
        unsafe { sys::drm_os_minor_unregister(minor) };
        assert_eq!(slow.state.load(SeqCst), 2);
        assert_eq!(t.join().unwrap(), sys::DRM_OS_EBUSY as i32);
    });
    assert_eq!(d.open(kind, &c).unwrap_err(), sys::DRM_OS_ENXIO as i32);
    w.assert_clean();
}
