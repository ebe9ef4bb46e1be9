// SPDX-License-Identifier: BSD-2-Clause
//! The reaper: frees what jobs were the last to use, in a queue of its own, for to free much memory
//! takes long and the GPU's own thread is what all clients wait for.

use core::sync::atomic::{AtomicBool, Ordering};
use drmkpi::alloc::Arc;
use drmkpi::os::{Mtx, Os, Task, TaskQueue};
use drmkpi::util::errno::Result;

/// An address space that may have something to free.
pub(crate) trait Reaped: Send + Sync + Sized + 'static {
    /// Its place in the reaper's list.
    fn link(&self) -> &Link<Self>;
    /// Frees what no job can reach. May sleep.
    fn tidy(&self);
}

/// What an address space needs to be in the reaper's list without memory for that.
pub(crate) struct Link<T> {
    listed: AtomicBool,
    next: Mtx<Option<Arc<T>>>,
}

impl<T> Link<T> {
    /// Not in the list.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(os: Os) -> Result<Link<T>> {
        Ok(Link {
            listed: AtomicBool::new(false),
            next: Mtx::new(os, c"etnaviv reaper link", None)?,
        })
    }
}

/// Address spaces that have something to free.
pub(crate) struct List<T>(Mtx<Option<Arc<T>>>);

impl<T: Reaped> List<T> {
    fn push(&self, context: &Arc<T>) {
        if context.link().listed.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut first = self.0.lock();
        *context.link().next.lock() = first.take();
        *first = Some(context.clone());
    }

    fn pop(&self) -> Option<Arc<T>> {
        let mut first = self.0.lock();
        let context = first.take()?;
        *first = context.link().next.lock().take();
        drop(first);
        // What comes from here on is for another turn.
        context.link().listed.store(false, Ordering::Release);
        Some(context)
    }

    fn run(&self) {
        while let Some(context) = self.pop() {
            context.tidy();
        }
    }
}

/// The list and its task.
pub(crate) struct Reaper<T: Reaped> {
    list: Arc<List<T>>,
    /// None before the device is there, and when it goes.
    task: Mtx<Option<Task<List<T>>>>,
}

impl<T: Reaped> Reaper<T> {
    /// Without a task.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(os: Os) -> Result<Reaper<T>> {
        Ok(Reaper {
            list: Arc::new(os, List(Mtx::new(os, c"etnaviv reaper", None)?))?,
            task: Mtx::new(os, c"etnaviv reaper task", None)?,
        })
    }

    /// Gives it its task, in `queue`.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn start(&self, os: Os, queue: &Arc<TaskQueue>) -> Result<()> {
        let task = Task::new(os, queue, self.list.clone(), List::run)?;
        *self.task.lock() = Some(task);
        Ok(())
    }

    /// The device goes: who has something to free does it from now on.
    pub(crate) fn stop(&self) {
        let task = self.task.lock().take();
        drop(task);
        self.list.run();
    }

    /// Has freed what an address space has to free.
    pub(crate) fn leave(&self, context: &Arc<T>) {
        self.list.push(context);
        let waits = match self.task.lock().as_ref() {
            Some(task) => {
                task.enqueue();
                true
            }
            None => false,
        };
        if !waits {
            self.list.run();
        }
    }
}
