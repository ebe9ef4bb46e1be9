// SPDX-License-Identifier: BSD-2-Clause
//! Deferred frees: memory that is released on a task queue of its own.
//!
//! A job may be the last user of gigabytes. It ends in the device's job task, on which every client
//! waits, so what it held is freed elsewhere: an object with something to free is put into the list
//! of a [`Reaper`], whose task calls [`Reaped::reap`] soon. Putting it there needs no memory.

use crate::alloc::Arc;
use crate::os::{Mtx, Os, Task, TaskQueue};
use crate::util::errno::Result;
use core::sync::atomic::{AtomicBool, Ordering};

/// How much later a reaper comes that was asked to come [`When::Later`], in nanoseconds.
const LATER_NS: u64 = 10_000_000;

/// An object that may have something to free.
pub trait Reaped: Send + Sync + Sized + 'static {
    /// Its place in the reaper's list.
    fn link(&self) -> &Link<Self>;

    /// Frees what is there to be freed. May sleep.
    fn reap(&self);
}

/// How soon the reaper comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// As soon as its task runs.
    Soon,
    /// After 10 ms, in which the client may free it first.
    Later,
}

/// A place in the list of a reaper, inside the object, so that entering the list cannot fail.
pub struct Link<T> {
    listed: AtomicBool,
    next: Mtx<Option<Arc<T>>>,
}

impl<T> Link<T> {
    /// A link that is in no list.
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

/// A list of objects with something to free, and the task that calls them.
///
/// # Invariants
///
/// While the list is not empty, the task is enqueued or running.
pub struct Reaper<T> {
    os: Os,
    list: Mtx<Option<Arc<T>>>,
    /// None before `start` and after `stop`.
    task: Mtx<Option<Task<Reaper<T>>>>,
}

impl<T: Reaped> Reaper<T> {
    /// A reaper without a task: until `start` objects are reaped by the caller of `leave`.
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

    /// Runs it on `queue`, on which nothing runs that a client waits for.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn start(this: &Arc<Self>, queue: &Arc<TaskQueue>) -> Result<()> {
        let task = Task::new(this.os, queue, this.clone(), Reaper::run)?;
        *this.task.lock() = Some(task);
        Ok(())
    }

    /// Reaps what is listed. From now on objects are reaped by the caller of `leave`.
    pub fn stop(&self) {
        let task = self.task.lock().take();
        drop(task);
        self.run();
    }

    /// Has `object` reaped.
    pub fn leave(&self, object: &Arc<T>, when: When) {
        let mut is_due = true;
        if !object.link().listed.swap(true, Ordering::AcqRel) {
            let mut first = self.list.lock();
            let others = first.replace(object.clone());
            is_due = others.is_some();
            *object.link().next.lock() = others;
        }
        if is_due && when == When::Later {
            return;
        }
        if !self.wake(when) {
            self.run();
        }
    }

    /// Makes the task run. False if there is none.
    pub(super) fn wake(&self, when: When) -> bool {
        let task = self.task.lock();
        let Some(task) = task.as_ref() else {
            return false;
        };
        match when {
            When::Soon => task.enqueue(),
            When::Later => task.enqueue_at(self.os.now().saturating_add(LATER_NS)),
        }
        true
    }

    fn run(&self) {
        loop {
            // All that are listed now have their turn before one that comes back.
            let mut next = self.list.lock().take();
            if next.is_none() {
                break;
            }
            while let Some(object) = next {
                next = object.link().next.lock().take();
                // ORDERING: what was left before this is seen by `reap`; what is left after it
                // lists the object again.
                object.link().listed.swap(false, Ordering::AcqRel);
                object.reap();
            }
        }
    }
}
