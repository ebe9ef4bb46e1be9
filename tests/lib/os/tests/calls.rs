// SPDX-License-Identifier: BSD-2-Clause
//! Calls of drivers are counted, by kind.
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "calls of drm_os.h as C makes them, with handles that the test made"
)]

mod common;
use common::*;
use drm_os_host::{sys, Caller, Calls, Config, World};
use std::ffi::c_void;

/// The calls made in `f`.
fn called(w: &World, f: impl FnOnce()) -> Calls {
    let before = w.calls();
    f();
    w.calls() - before
}

fn times(n: u64, f: impl Fn()) {
    (0..n).for_each(|_| f());
}

unsafe extern "C" fn nothing(_: *mut c_void) {}

#[test]
fn each_kind_of_call_is_counted() {
    let (w, d) = virtual_toy(Config::default());
    let (m, s) = (mtx(&w, c"m"), sx(&w, c"s"));
    let registers = mmio(&d);
    let (single, buffer) = (page(&d), object(&d, 2, sys::DRM_OS_MEM_CACHED));
    let mut run = 0;
    assert_eq!(
        unsafe { sys::drm_os_run_alloc(d.as_raw(), 8192, &mut run) },
        0
    );
    wire(buffer, 0, 2).unwrap();
    let calls = called(&w, || unsafe {
        for _ in 0..2 {
            let p = sys::drm_os_malloc(w.as_raw(), 24, sys::DRM_OS_NOWAIT);
            sys::drm_os_free(p, 24);
        }
        times(3, || {
            sys::drm_os_mtx_lock(m);
            sys::drm_os_mtx_unlock(m);
        });
        times(4, || {
            sys::drm_os_sx_lock(s);
            // Fails, and is not counted.
            assert_eq!(sys::drm_os_sx_try(s), 0);
            sys::drm_os_sx_unlock(s);
            assert_eq!(sys::drm_os_sx_try(s), 1);
            sys::drm_os_sx_unlock(s);
        });
        times(5, || _ = sys::drm_os_now(w.as_raw()));
        let to = sys::DRM_OS_SYNC_FOR_DEVICE;
        times(2, || sys::drm_os_page_sync(d.as_raw(), single, 64, to));
        times(3, || sys::drm_os_run_sync(d.as_raw(), run, 8192, to));
        times(4, || sys::drm_os_object_sync(buffer, 64, 128, to));
        times(6, || _ = sys::drm_os_mmio_read4(registers, STATUS));
        times(7, || sys::drm_os_mmio_write4(registers, CLEAR, 0));
        sys::drm_os_mtx_destroy(mtx(&w, c"other"));
    });
    let expected = Calls {
        mallocs: 2,
        mtxs_made: 1,
        mtx_locks: 3,
        sx_locks: 8,
        clock_reads: 5,
        syncs: 9,
        sync_bytes: 2 * 64 + 3 * 8192 + 4 * 128,
        reads: 6,
        writes: 7,
        ..Calls::default()
    };
    assert_eq!(calls, expected);
}

#[test]
fn tasks_and_switches_of_threads_are_counted() {
    let w = World::new(Config::default());
    let t = task(queue(&w, c"q"), nothing, &0);
    w.settle();
    let calls = called(&w, || unsafe {
        // The second and the third call find it queued.
        times(3, || sys::drm_os_task_enqueue(t));
        w.settle();
        times(2, || sys::drm_os_task_enqueue_at(t, w.now() + 10));
        w.advance(20);
    });
    let expected = Calls {
        enqueues: 3,
        timed_enqueues: 2,
        // To the queue's thread and back, for the task, and for the new deadline: the thread sleeps
        // until then.
        switches: 4,
        ..Calls::default()
    };
    assert_eq!(calls, expected);
}

#[test]
fn broadcasts_and_the_threads_that_they_wake_are_counted() {
    struct Shared([usize; 2]);
    unsafe extern "C" fn wake(arg: *mut c_void) {
        let Shared([m, c]) = *arg.cast::<Shared>();
        sys::drm_os_mtx_lock(m as *mut _);
        sys::drm_os_cv_broadcast(c as *mut _);
        sys::drm_os_cv_broadcast(c as *mut _);
        sys::drm_os_mtx_unlock(m as *mut _);
    }
    let w = World::new(Config::default());
    let (m, c) = (mtx(&w, c"m"), cv(&w, c"c"));
    let shared = Shared([m as usize, c as usize]);
    let t = task(queue(&w, c"q"), wake, &shared);
    w.settle();
    let caller = Caller::local(&w, "x");
    let calls = called(&w, || unsafe {
        sys::drm_os_task_enqueue(t);
        sys::drm_os_mtx_lock(m);
        let wait = sys::drm_os_cv_wait(c, m, caller.as_raw(), u64::MAX);
        assert_eq!(wait, 0);
        sys::drm_os_mtx_unlock(m);
    });
    let expected = Calls {
        mtx_locks: 2,
        broadcasts: 2,
        woken: 1,
        enqueues: 1,
        switches: 2,
        ..Calls::default()
    };
    assert_eq!(calls, expected);
}
