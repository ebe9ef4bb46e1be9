// SPDX-License-Identifier: BSD-2-Clause
//! The sleep of a thread that waits for fences or syncobjs, and the time-outs of such waits.

use crate::alloc::{Arc, Hook};
use crate::os::{Caller, Condvar, Mtx, Os};
use crate::util::errno::Result;

/// A thread that sleeps until any of a number of fences and syncobjs wakes it.
pub struct Waiter {
    wakes: Mtx<u64>,
    cv: Condvar,
}

impl Waiter {
    /// A waiter with a count of 0.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(os: Os) -> Result<Arc<Waiter>> {
        let wakes = Mtx::new(os, c"drm waiter", 0)?;
        Arc::new(
            os,
            Waiter {
                wakes,
                cv: Condvar::new(os, c"drmwait")?,
            },
        )
    }

    /// How often it was woken; to be read before the condition that it waits for.
    pub fn count(&self) -> u64 {
        *self.wakes.lock()
    }

    /// Sleeps until the count is past `seen`.
    ///
    /// # Errors
    ///
    /// ETIMEDOUT, EINTR, ERESTART.
    pub fn wait_past(&self, seen: u64, caller: Option<&Caller<'_>>, deadline: u64) -> Result<()> {
        let mut wakes = self.wakes.lock();
        while *wakes == seen {
            self.cv.wait(&mut wakes, caller, deadline)?;
        }
        Ok(())
    }

    /// Wakes it.
    pub fn wake(&self) {
        let mut wakes = self.wakes.lock();
        // OVERFLOW: a sequence number, of which only a change counts.
        *wakes = wakes.wrapping_add(1);
        self.cv.broadcast();
    }
}

impl Hook for Waiter {
    fn signaled(&self, _token: u64) {
        self.wake();
    }
}

/// Converts a user's absolute time-out in signed ns to a deadline: a negative one has passed.
pub fn user_deadline(timeout_ns: i64) -> u64 {
    u64::try_from(timeout_ns).unwrap_or(0)
}
