// SPDX-License-Identifier: BSD-2-Clause
//! What a job holds, and the way in which it is freed after the job has ended.
//!
//! The end of a job only moves its holdings to the list of the file that submitted it, and signals
//! the fence. The list is freed in the file's own ioctls, before and after each, and by the reaper,
//! a little later, or at once when the file is closed. So a client that has seen a fence finds that
//! the job holds nothing, nobody has more of this than was charged to it, and a client that works
//! does not meet the reaper. Nothing here needs memory.

use crate::alloc::{Arc, KBox, KVec};
use crate::drm::stats::Stats;
use crate::os::{Mtx, Os, Sx};
use crate::runner::reaper::{Link, Reaped, Reaper, When};
use crate::sync::fence::Hooked;
use crate::util::errno::Result;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A driver's part of a job.
pub trait Payload: Send + Sized + 'static {
    /// The counters of the file that submitted it.
    fn stats(&self) -> &Stats;

    /// Frees what it holds. May sleep; never on the device's job task.
    fn free(self) {
        drop(self);
    }
}

/// What a job holds: the driver's part, and its hooks in the fences that it waits for.
pub struct Holdings<P> {
    payload: P,
    /// Hooks in the fences that the job waits for.
    pub(super) waits: KVec<Hooked>,
    of: Arc<Remains<P>>,
    next: Option<KBox<Holdings<P>>>,
}

impl<P: Payload> Holdings<P> {
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

/// The holdings of one file's jobs that have ended.
pub struct Remains<P> {
    reaper: Arc<Reaper<Remains<P>>>,
    /// The latest first.
    list: Mtx<Option<KBox<Holdings<P>>>>,
    /// Those in the list and those that are being freed.
    left: AtomicU32,
    /// Held while some are freed.
    freeing: Sx<()>,
    /// Whether the file is closed, and has no ioctls any more that free them.
    closed: AtomicBool,
    link: Link<Remains<P>>,
}

impl<P: Payload> Remains<P> {
    /// An empty list, for `reaper`.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(os: Os, reaper: &Arc<Reaper<Remains<P>>>) -> Result<Arc<Self>> {
        let remains = Remains {
            reaper: reaper.clone(),
            list: Mtx::new(os, c"drm remains", None)?,
            left: AtomicU32::new(0),
            freeing: Sx::new(os, c"drm freeing", ())?,
            closed: AtomicBool::new(false),
            link: Link::new(os)?,
        };
        Arc::new(os, remains)
    }

    /// Leaves the holdings of a job that has ended. The caller signals its fence after this, so
    /// that a thread that sees it signaled finds them in `settle`.
    pub(super) fn leave(mut holdings: KBox<Holdings<P>>) {
        let remains = holdings.of.clone();
        // ORDERING: the lock and the signal of the fence order it.
        remains.left.fetch_add(1, Ordering::Relaxed);
        {
            let mut list = remains.list.lock();
            holdings.next = list.take();
            *list = Some(holdings);
        }
        let when = match remains.closed.load(Ordering::Acquire) {
            true => When::Soon,
            false => When::Later,
        };
        remains.reaper.leave(&remains, when);
    }

    /// The file is closed: from now on the reaper comes at once.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if self.left.load(Ordering::Acquire) != 0 {
            self.reaper.wake(When::Soon);
        }
    }

    /// Frees what is there, and waits for a thread that does so already. May sleep.
    pub fn settle(&self) {
        // ORDERING: pairs with the Release below: a thread that reads 0 finds all freed.
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
            payload.free();
            // Not the last reference: the caller has another.
            drop(of);
            self.left.fetch_sub(1, Ordering::Release);
        }
    }
}

impl<P: Payload> Reaped for Remains<P> {
    fn link(&self) -> &Link<Self> {
        &self.link
    }

    fn reap(&self) {
        self.settle();
    }
}
