// SPDX-License-Identifier: BSD-2-Clause
//! Lock misuse is reported with both locks.
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "calls of drm_os.h as C makes them, with handles that the test made"
)]

mod common;
use common::*;
use drm_os_host::{sys, Caller, ClockMode, Config, World};

fn world() -> World {
    World::new(Config::default())
}

#[test]
fn recursion() {
    dies(&["recursed on mtx \"queue\""], || unsafe {
        let m = mtx(&world(), c"queue");
        sys::drm_os_mtx_lock(m);
        sys::drm_os_mtx_lock(m);
    });
    dies(&["recursed on sx \"vm\""], || unsafe {
        let s = sx(&world(), c"vm");
        sys::drm_os_sx_lock(s);
        sys::drm_os_sx_lock(s);
    });
}

#[test]
fn sleeping_with_a_mutex_or_the_reservation_lock() {
    type Sleeper = (&'static str, fn(&World));
    let sleepers: [Sleeper; 6] = [
        ("drm_os_malloc(DRM_OS_WAITOK)", |w| unsafe {
            sys::drm_os_malloc(w.as_raw(), 1, sys::DRM_OS_WAITOK);
        }),
        ("drm_os_sleep", |w| unsafe {
            sys::drm_os_sleep(w.as_raw(), 1)
        }),
        ("drm_os_sx_lock", |w| unsafe {
            sys::drm_os_sx_lock(sx(w, c"s"))
        }),
        ("drm_os_copyin", |w| unsafe {
            let mut b = 0u8;
            let c = Caller::local(w, "x");
            sys::drm_os_copyin(c.as_raw(), 0, std::ptr::from_mut(&mut b).cast(), 1);
        }),
        ("drm_os_cv_wait", |w| unsafe {
            let m = mtx(w, c"inner");
            sys::drm_os_mtx_lock(m);
            sys::drm_os_cv_wait(cv(w, c"c"), m, std::ptr::null_mut(), 5);
        }),
        ("drm_os_task_drain", |w| unsafe {
            unsafe extern "C" fn nothing(_: *mut std::ffi::c_void) {}
            sys::drm_os_task_drain(task(queue(w, c"q"), nothing, &0));
        }),
    ];
    for (what, f) in sleepers {
        dies(&[what, "mtx \"outer\" held"], || {
            let w = world();
            unsafe { sys::drm_os_mtx_lock(mtx(&w, c"outer")) };
            f(&w);
        });
    }
}

#[test]
fn order_reversal_shows_both_sides() {
    fn second(a: *mut sys::drm_os_mtx, b: *mut sys::drm_os_mtx) {
        unsafe {
            sys::drm_os_mtx_lock(a);
            sys::drm_os_mtx_lock(b);
            sys::drm_os_mtx_unlock(b);
            sys::drm_os_mtx_unlock(a);
        }
    }
    let words = [
        "lock order reversal: mtx \"c\" then mtx \"a\"",
        "mtx \"a\" then mtx \"b\"",
        "mtx \"b\" then mtx \"c\"",
    ];
    dies(&words, || {
        let w = world();
        let (a, b, c) = (mtx(&w, c"a"), mtx(&w, c"b"), mtx(&w, c"c"));
        second(a, b);
        second(b, c);
        // Another lock of class "a": the order is by name.
        second(c, mtx(&w, c"a"));
    });
    dies(&["two locks of class mtx \"a\""], || {
        let w = world();
        second(mtx(&w, c"a"), mtx(&w, c"a"));
    });
}

#[test]
fn the_documented_order_is_fine() {
    let w = world();
    let (s, m) = (sx(&w, c"s"), mtx(&w, c"m"));
    unsafe {
        for _ in 0..3 {
            sys::drm_os_sx_lock(s);
            sys::drm_os_mtx_lock(m);
            assert_eq!(sys::drm_os_sx_try(s), 0);
            sys::drm_os_delay(w.as_raw(), 10);
            sys::drm_os_mtx_unlock(m);
            sys::drm_os_sleep(w.as_raw(), 10);
            sys::drm_os_sx_unlock(s);
            assert_ne!(sys::drm_os_sx_try(s), 0);
            sys::drm_os_sx_unlock(s);
        }
        sys::drm_os_mtx_destroy(m);
        sys::drm_os_sx_destroy(s);
    }
    w.assert_clean();
}

#[test]
fn unlock_by_another_thread() {
    dies(
        &["mtx \"m\" released by a thread that does not hold it"],
        || {
            let w = World::new(Config {
                clock: ClockMode::Real,
                ..Config::default()
            });
            let m = mtx(&w, c"m") as usize;
            unsafe { sys::drm_os_mtx_lock(m as *mut _) };
            let t = std::thread::spawn(move || unsafe { sys::drm_os_mtx_unlock(m as *mut _) });
            let _ = t.join();
        },
    );
}

#[test]
fn wrong_ends() {
    dies(&["mtx \"m\" destroyed while it is held"], || unsafe {
        let m = mtx(&world(), c"m");
        sys::drm_os_mtx_lock(m);
        sys::drm_os_mtx_destroy(m);
    });
    dies(&["a task returned with mtx \"m\" held"], || {
        unsafe extern "C" fn keeps(arg: *mut std::ffi::c_void) {
            sys::drm_os_mtx_lock(*arg.cast::<*mut sys::drm_os_mtx>());
        }
        let w = world();
        let m = mtx(&w, c"m");
        let t = task(queue(&w, c"q"), keeps, &m);
        unsafe { sys::drm_os_task_enqueue(t) };
        w.settle();
    });
    dies(&["panic: out of luck"], || unsafe {
        sys::drm_os_panic(c"out of luck, not said".as_ptr(), 11);
    });
}
