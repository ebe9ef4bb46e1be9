// SPDX-License-Identifier: BSD-2-Clause
//! Deferred frees: memory that is freed in a task queue of its own.
//!
//! A job may be the last user of gigabytes of memory. It is retired in the device's job task, for
//! which all clients wait, so what it held is freed elsewhere: an object with something to free is
//! added to the list of a [`Reaper`], whose task calls [`Reaped::reap`]. Adding it needs no memory.

use crate::alloc::Arc;
use crate::os::{Mtx, Os, Task, TaskQueue};
use crate::util::errno::Result;
use core::sync::atomic::{AtomicBool, Ordering};

/// The delay of the task for [`When::Later`], in ns.
const LATER_NS: u64 = 10_000_000;

/// An object that may have something to free.
pub trait Reaped: Send + Sync + Sized + 'static {
    /// Its link in the reaper's list.
    fn link(&self) -> &Link<Self>;

    /// Frees what there is to free. May sleep.
    fn reap(&self);
}

/// When the reaper's task runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// As soon as possible.
    Soon,
    /// After 10 ms, within which the client may free the memory itself.
    Later,
}

/// A link of a reaper's list. It is part of the object, so that adding an object cannot fail.
pub struct Link<T> {
    listed: AtomicBool,
    next: Mtx<Option<Arc<T>>>,
}

impl<T> Link<T> {
    /// The link of an object that is in no list.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(os: Os) -> Result<Link<T>> {
        Ok(Link {
            listed: AtomicBool::new(false),
            next: Mtx::new(os, c"drm reaper link", None)?,
        })
    }
}

/// A list of objects with something to free, and the task that frees it.
///
/// # Invariants
///
/// While the list is not empty, the task is enqueued or running.
pub struct Reaper<T> {
    os: Os,
    list: Mtx<Option<Arc<T>>>,
    /// `None` before `start` and after `stop`.
    task: Mtx<Option<Task<Reaper<T>>>>,
}

impl<T: Reaped> Reaper<T> {
    /// A reaper without a task: until `start`, `defer` reaps objects in its caller's thread.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(os: Os) -> Result<Arc<Self>> {
        let reaper = Reaper {
            os,
            list: Mtx::new(os, c"drm reaper", None)?,
            task: Mtx::new(os, c"drm reaper task", None)?,
        };
        Arc::new(os, reaper)
    }

    /// Starts its task in `queue`, which has no task that clients wait for.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn start(this: &Arc<Self>, queue: &Arc<TaskQueue>) -> Result<()> {
        let task = Task::new(this.os, queue, this.clone(), Reaper::run)?;
        *this.task.lock() = Some(task);
        Ok(())
    }

    /// Ends its task and reaps what is listed. From now on `defer` reaps objects in its caller's
    /// thread.
    pub fn stop(&self) {
        let task = self.task.lock().take();
        drop(task);
        self.run();
    }

    /// Adds `object` to the list, and has the task reap it.
    pub fn defer(&self, object: &Arc<T>, when: When) {
        // Whether the task is enqueued already.
        let mut is_enqueued = true;
        if !object.link().listed.swap(true, Ordering::AcqRel) {
            let mut first = self.list.lock();
            let others = first.replace(object.clone());
            is_enqueued = others.is_some();
            *object.link().next.lock() = others;
        }
        if is_enqueued && when == When::Later {
            return;
        }
        if !self.wake(when) {
            self.run();
        }
    }

    /// Enqueues the task. Returns false if there is none.
    pub(super) fn wake(&self, when: When) -> bool {
        let task = self.task.lock();
        let Some(task) = task.as_ref() else {
            return false;
        };
        match when {
            When::Soon => task.enqueue(),
            // OVERFLOW: saturates: a deadline.
            When::Later => task.enqueue_at(self.os.now().saturating_add(LATER_NS)),
        }
        true
    }

    fn run(&self) {
        loop {
            // All objects that are listed now are reaped before one that is listed again.
            let mut next = self.list.lock().take();
            if next.is_none() {
                break;
            }
            while let Some(object) = next {
                next = object.link().next.lock().take();
                // ORDERING: `reap` observes what was added to the object before this; what is added
                // after this lists the object again.
                object.link().listed.swap(false, Ordering::AcqRel);
                object.reap();
            }
        }
    }
}
