// SPDX-License-Identifier: BSD-2-Clause
//! The reaper: frees what jobs were the last to use, in a queue of its own, for to free much memory
//! takes long and the GPU's own thread is what all clients wait for.

use crate::context::Context;
use core::sync::atomic::{AtomicBool, Ordering};
use drmkpi::alloc::Arc;
use drmkpi::errno::Result;
use drmkpi::os::{Mtx, Os, Task, TaskQueue};

/// What an address space needs to be in the reaper's list without memory for that.
pub(crate) struct Link {
    listed: AtomicBool,
    next: Mtx<Option<Arc<Context>>>,
}

impl Link {
    /// Not in the list.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(os: Os) -> Result<Link> {
        Ok(Link {
            listed: AtomicBool::new(false),
            next: Mtx::new(os, c"etnaviv reaper link", None)?,
        })
    }
}

/// Address spaces that have something to free.
pub(crate) struct List(Mtx<Option<Arc<Context>>>);

impl List {
    fn push(&self, context: &Arc<Context>) {
        if context.link().listed.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut first = self.0.lock();
        *context.link().next.lock() = first.take();
        *first = Some(context.clone());
    }

    fn pop(&self) -> Option<Arc<Context>> {
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
pub(crate) struct Reaper {
    list: Arc<List>,
    /// None before the device is there, and when it goes.
    task: Mtx<Option<Task<List>>>,
}

impl Reaper {
    /// Without a task.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(os: Os) -> Result<Reaper> {
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
    pub(crate) fn leave(&self, context: &Arc<Context>) {
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
