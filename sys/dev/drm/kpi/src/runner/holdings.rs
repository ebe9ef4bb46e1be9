// SPDX-License-Identifier: BSD-2-Clause
//! What a job holds (its *holdings*), and how that is freed after the job has ended.
//!
//! Retiring a job only moves its holdings to the list of ended jobs of its file, and signals its
//! fence. The list is freed in the file's own ioctls, before and after each, and by the reaper, 10
//! ms later, or at once if the file is closed. So the first ioctl after a client has observed a
//! fence frees what the job held; what is not freed stays charged to the client; and as long as the
//! client makes ioctls, the reaper has nothing to do. None of this allocates memory.

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

    /// Frees what it holds. May sleep. Never called in the device's job task.
    fn free(self) {
        drop(self);
    }
}

/// The holdings of a job: the driver's part, and the job's hooks in the fences that it waits for.
pub struct Holdings<P> {
    payload: P,
    /// Hooks in the fences that the job waits for.
    pub(super) waits: KVec<Hooked>,
    list: Arc<EndedJobs<P>>,
    next: Option<KBox<Holdings<P>>>,
}

impl<P: Payload> Holdings<P> {
    /// The holdings of a job of the file with the list `ended_jobs`.
    ///
    /// # Errors
    ///
    /// The holdings, for which there is no memory.
    pub(super) fn new(
        os: Os,
        ended_jobs: &Arc<EndedJobs<P>>,
        payload: P,
    ) -> core::result::Result<KBox<Self>, Self> {
        let holdings = Holdings {
            payload,
            waits: KVec::new(os),
            list: ended_jobs.clone(),
            next: None,
        };
        KBox::try_new(os, holdings)
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
pub struct EndedJobs<P> {
    reaper: Arc<Reaper<EndedJobs<P>>>,
    /// The latest first.
    list: Mtx<Option<KBox<Holdings<P>>>>,
    /// The number of those in the list, and of those that are being freed.
    left: AtomicU32,
    /// Held while holdings are freed.
    freeing: Sx<()>,
    /// Whether the file is closed, so that no ioctl frees the list.
    closed: AtomicBool,
    link: Link<EndedJobs<P>>,
}

impl<P: Payload> EndedJobs<P> {
    /// An empty list, for `reaper`.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(os: Os, reaper: &Arc<Reaper<EndedJobs<P>>>) -> Result<Arc<Self>> {
        let ended_jobs = EndedJobs {
            reaper: reaper.clone(),
            list: Mtx::new(os, c"drm ended jobs", None)?,
            left: AtomicU32::new(0),
            freeing: Sx::new(os, c"drm freeing", ())?,
            closed: AtomicBool::new(false),
            link: Link::new(os)?,
        };
        Arc::new(os, ended_jobs)
    }

    /// Adds the holdings of a job that has ended to the list of its file. The caller signals the
    /// job's fence afterwards, so that `settle` frees them for every thread that has observed the
    /// signal.
    pub(super) fn add(mut holdings: KBox<Holdings<P>>) {
        let ended_jobs = holdings.list.clone();
        // ORDERING: the lock and the signal of the fence order it.
        ended_jobs.left.fetch_add(1, Ordering::Relaxed);
        {
            let mut list = ended_jobs.list.lock();
            holdings.next = list.take();
            *list = Some(holdings);
        }
        let when = match ended_jobs.closed.load(Ordering::Acquire) {
            true => When::Soon,
            false => When::Later,
        };
        ended_jobs.reaper.defer(&ended_jobs, when);
    }

    /// The file is closed: from now on the reaper frees the list at once.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if self.left.load(Ordering::Acquire) != 0 {
            self.reaper.wake(When::Soon);
        }
    }

    /// Frees the list, after waiting for a thread that is freeing it. May sleep.
    pub fn settle(&self) {
        // ORDERING: pairs with the Release below: when this reads 0, everything is freed.
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
                payload,
                waits,
                list,
                ..
            } = holdings.into_inner();
            drop(waits);
            payload.free();
            // Not the last reference, as the caller has another.
            drop(list);
            self.left.fetch_sub(1, Ordering::Release);
        }
    }
}

impl<P: Payload> Reaped for EndedJobs<P> {
    fn link(&self) -> &Link<Self> {
        &self.link
    }

    fn reap(&self) {
        self.settle();
    }
}
