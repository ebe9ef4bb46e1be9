// SPDX-License-Identifier: BSD-2-Clause
//! What jobs that are over held, freed where no other client waits for it.
//!
//! Jobs end in the GPU's one task, and a job may hold 65,536 buffers. So the end of a job only
//! puts its holdings into a list of the file that submitted it, and signals the fence. Two free
//! what is there: the file's ioctls, in their callers' threads, before and after what they are
//! for; and the reaper, in a queue of its own, a little later, or at once when the file is closed.
//! The former is why a client that has seen a fence finds that the job holds nothing any more, and
//! why nobody has more of this than was charged to it; and as it comes first, a client that works
//! does not meet the reaper. Nothing here needs memory.

use crate::alloc::{Arc, KBox, KVec};
use crate::errno::Result;
use crate::fence::Hooked;
use crate::os::{Mtx, Os, Sx, Task, TaskQueue};
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The reaper comes so much later.
const LATER_NS: u64 = 10_000_000;

/// A job's part that is freed by the reaper: the driver's, and its places in other fences.
pub struct Holdings<P> {
    payload: P,
    /// In the fences that the job waits for.
    pub(crate) waits: KVec<Hooked>,
    of: Arc<Remains<P>>,
    next: Option<KBox<Holdings<P>>>,
}

impl<P> Holdings<P> {
    /// Those of a job of the file with `remains`.
    ///
    /// # Errors
    ///
    /// ENOMEM; `payload` is dropped.
    pub fn new(os: Os, remains: &Arc<Remains<P>>, payload: P) -> Result<KBox<Self>> {
        let holdings = Holdings {
            payload,
            waits: KVec::new(os),
            of: remains.clone(),
            next: None,
        };
        KBox::new(os, holdings)
    }
}

impl<P> Deref for Holdings<P> {
    type Target = P;
    fn deref(&self) -> &P {
        &self.payload
    }
}

impl<P> DerefMut for Holdings<P> {
    fn deref_mut(&mut self) -> &mut P {
        &mut self.payload
    }
}

/// Holdings of one file's jobs that are over.
pub struct Remains<P> {
    reaper: Arc<Reaper<P>>,
    /// The latest first.
    list: Mtx<Option<KBox<Holdings<P>>>>,
    /// Those in the list and those that are being freed.
    left: AtomicU32,
    /// Held while some are freed.
    freeing: Sx<()>,
    /// The file is closed: nobody but the reaper comes.
    closed: AtomicBool,
    /// In the reaper's list, and what comes after it there.
    listed: AtomicBool,
    next: Mtx<Option<Arc<Remains<P>>>>,
}

impl<P: Send + 'static> Remains<P> {
    /// None.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(os: Os, reaper: &Arc<Reaper<P>>) -> Result<Arc<Self>> {
        let remains = Remains {
            reaper: reaper.clone(),
            list: Mtx::new(os, c"drm remains", None)?,
            left: AtomicU32::new(0),
            freeing: Sx::new(os, c"drm freeing", ())?,
            closed: AtomicBool::new(false),
            listed: AtomicBool::new(false),
            next: Mtx::new(os, c"drm reaper link", None)?,
        };
        Arc::new(os, remains)
    }

    /// Leaves the holdings of a job to the reaper. Before its fence is signaled, so that who has
    /// seen that finds them in `settle`.
    pub(crate) fn leave(mut holdings: KBox<Holdings<P>>) {
        let remains = holdings.of.clone();
        // ORDERING: the lock and the signal of the fence order it.
        remains.left.fetch_add(1, Ordering::Relaxed);
        {
            let mut list = remains.list.lock();
            holdings.next = list.take();
            *list = Some(holdings);
        }
        Reaper::leave(&remains);
    }

    /// The file is closed: from now on the reaper comes at once.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if self.left.load(Ordering::Acquire) != 0 {
            if let Some(task) = self.reaper.task.lock().as_ref() {
                task.enqueue();
            }
        }
    }

    /// Frees what is there now, and waits for whoever does so already. May sleep.
    pub fn settle(&self) {
        // ORDERING: pairs with the Release below: who reads 0 finds all freed.
        if self.left.load(Ordering::Acquire) == 0 {
            return;
        }
        let _one_at_a_time = self.freeing.lock();
        let mut latest = self.list.lock().take();
        let mut oldest = None;
        while let Some(mut holdings) = latest {
            latest = holdings.next.take();
            holdings.next = oldest;
            oldest = Some(holdings);
        }
        while let Some(mut holdings) = oldest {
            oldest = holdings.next.take();
            let Holdings {
                payload, waits, of, ..
            } = holdings.into_inner();
            drop(waits);
            (self.reaper.free)(payload);
            // Not the last reference: the caller has another.
            drop(of);
            self.left.fetch_sub(1, Ordering::Release);
        }
    }
}

/// Who frees the remains of files that do nothing themselves.
///
/// # Invariants
///
/// While something is in the list, the task is due or will look again, or whoever takes it away
/// will.
pub struct Reaper<P> {
    os: Os,
    list: Mtx<Option<Arc<Remains<P>>>>,
    /// None before the device is there, and when it goes.
    task: Mtx<Option<Task<Reaper<P>>>>,
    free: fn(P),
}

impl<P: Send + 'static> Reaper<P> {
    /// One without a task, which has holdings freed by `free`.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(os: Os, free: fn(P)) -> Result<Arc<Self>> {
        let reaper = Reaper {
            os,
            list: Mtx::new(os, c"drm reaper", None)?,
            task: Mtx::new(os, c"drm reaper task", None)?,
            free,
        };
        Arc::new(os, reaper)
    }

    /// Gives it its task, in `queue`, where nothing runs that clients wait for.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn start(this: &Arc<Self>, os: Os, queue: &Arc<TaskQueue>) -> Result<()> {
        let task = Task::new(os, queue, this.clone(), Reaper::run)?;
        *this.task.lock() = Some(task);
        Ok(())
    }

    /// The device goes: what is there is freed now, and what comes is freed by who leaves it.
    pub fn stop(&self) {
        let task = self.task.lock().take();
        drop(task);
        self.run();
    }

    fn leave(remains: &Arc<Remains<P>>) {
        let this = &remains.reaper;
        let at_once = remains.closed.load(Ordering::Acquire);
        let mut is_due = true;
        if !remains.listed.swap(true, Ordering::AcqRel) {
            let mut first = this.list.lock();
            let others = first.replace(remains.clone());
            is_due = others.is_some();
            *remains.next.lock() = others;
        }
        if is_due && !at_once {
            return;
        }
        let has_task = match this.task.lock().as_ref() {
            Some(task) if at_once => {
                task.enqueue();
                true
            }
            Some(task) => {
                task.enqueue_at(this.os.now().saturating_add(LATER_NS));
                true
            }
            None => false,
        };
        if !has_task {
            this.run();
        }
    }

    fn run(&self) {
        loop {
            // All that wait now have their turn before one that comes back.
            let mut next = self.list.lock().take();
            if next.is_none() {
                break;
            }
            while let Some(remains) = next {
                next = remains.next.lock().take();
                // What comes from here on is for another turn.
                // ORDERING: who found it listed has counted its holdings before, which `settle`
                // sees.
                remains.listed.swap(false, Ordering::AcqRel);
                remains.settle();
            }
        }
    }
}
