// SPDX-License-Identifier: BSD-2-Clause
//! Deferred work, in the thread of a queue.

use super::{c, Os};
use crate::alloc::{Arc, Hook, KBox};
use crate::util::errno::{Errno, Result};
use core::ffi::{c_void, CStr};
use core::ptr::null_mut;

/// A queue of tasks, which run one after another and may sleep.
///
/// # Invariants
///
/// The pointer is a live C queue.
pub struct TaskQueue(*mut c::drm_os_taskqueue);

// SAFETY: the C side locks for itself.
unsafe impl Send for TaskQueue {}
// SAFETY: as above.
unsafe impl Sync for TaskQueue {}

impl TaskQueue {
    /// A queue with a thread named `name`, which precedes those of users.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(os: Os, name: &'static CStr) -> Result<Self> {
        Self::create(os, name, c::DRM_OS_QUEUE_URGENT)
    }

    /// As `new`, but the thread shares the processors with those of users, because users determine
    /// how much it has to do.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn background(os: Os, name: &'static CStr) -> Result<Self> {
        Self::create(os, name, c::DRM_OS_QUEUE_BACKGROUND)
    }

    fn create(os: Os, name: &'static CStr, urgency: u32) -> Result<Self> {
        let mut raw = null_mut();
        // SAFETY: `os` is live, the name is static, `raw` is ours to fill.
        Errno::check(unsafe {
            c::drm_os_taskqueue_create(os.as_ptr(), name.as_ptr(), urgency, &raw mut raw)
        })?;
        // INVARIANT: C made it.
        Ok(TaskQueue(raw))
    }
}

impl Drop for TaskQueue {
    fn drop(&mut self) {
        // SAFETY: owned; its tasks hold an Arc to it, so there are none.
        unsafe { c::drm_os_taskqueue_destroy(self.0) }
    }
}

struct Work<T> {
    context: Arc<T>,
    run: fn(&T),
}

/// A function to be run later with a shared context, which the task keeps alive until it is
/// dropped. The drop waits until the function is not running.
///
/// # Invariants
///
/// `raw` is a live C task with the argument `work`, which lives until the task is destroyed.
pub struct Task<T> {
    raw: *mut c::drm_os_task,
    work: *mut Work<T>,
    _queue: Arc<TaskQueue>,
}

// SAFETY: the C side locks for itself; the context is shared with the queue's thread.
unsafe impl<T: Send + Sync> Send for Task<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Task<T> {}

unsafe extern "C" fn run_task<T>(arg: *mut c_void) {
    // SAFETY: C passes the argument of `drm_os_task_create`, which lives until the task is
    // destroyed.
    let work = unsafe { &*arg.cast::<Work<T>>() };
    (work.run)(&work.context);
}

impl<T: Send + Sync> Task<T> {
    /// A task of `queue` that calls `run` with `context`.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(os: Os, queue: &Arc<TaskQueue>, context: Arc<T>, run: fn(&T)) -> Result<Self> {
        let work = KBox::new(os, Work { context, run })?.into_raw();
        let mut raw = null_mut();
        // SAFETY: the queue is live and kept by `_queue`; `work` lives until the task is destroyed.
        let made = Errno::check(unsafe {
            c::drm_os_task_create(queue.0, Some(run_task::<T>), work.cast(), &raw mut raw)
        });
        if let Err(e) = made {
            // SAFETY: C did not take it.
            drop(unsafe { KBox::from_raw(work) });
            return Err(e);
        }
        // INVARIANT: C made it with `work`.
        Ok(Task {
            raw,
            work,
            _queue: queue.clone(),
        })
    }

    /// Enqueues it.
    pub fn enqueue(&self) {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_task_enqueue(self.raw) }
    }

    /// Runs it when the clock reads `when` in ns, unless it is moved or cancelled before.
    pub fn enqueue_at(&self, when: u64) {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_task_enqueue_at(self.raw, when) }
    }

    /// Cancels it if it is pending; it may be running.
    pub fn cancel(&self) {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_task_cancel(self.raw) }
    }

    /// Waits until it is neither pending nor running.
    pub fn drain(&self) {
        // SAFETY: live by the invariant.
        unsafe { c::drm_os_task_drain(self.raw) }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        // SAFETY: owned; returns when the task is not running and will not run again.
        unsafe { c::drm_os_task_destroy(self.raw) };
        // SAFETY: made by `into_raw` in `new`; the task that used it is destroyed.
        drop(unsafe { KBox::from_raw(self.work) });
    }
}

impl<T: Send + Sync> Hook for Task<T> {
    fn signaled(&self, _token: u64) {
        self.enqueue();
    }
}
