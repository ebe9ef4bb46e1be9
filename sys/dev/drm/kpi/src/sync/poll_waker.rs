// SPDX-License-Identifier: BSD-2-Clause
//! Wakes the poll(2)ers of a file when fences are signalled, until the file is closed.

use crate::alloc::{Arc, Hook};
use crate::os::{Mtx, Os, Waker};
use crate::sync::fence::{Fence, Hooked};
use crate::util::errno::Result;

/// The hook that wakes the pollers of a file.
struct PollHook {
    waker: Mtx<Option<Waker>>,
}

impl Hook for PollHook {
    fn signaled(&self, _token: u64) {
        // Held during the wakeup, so that the file is not freed before it returns.
        let waker = self.waker.lock();
        if let Some(w) = *waker {
            w.wake();
        }
    }
}

/// The pollers of a file. Only a file that is polled has a hook, and only one: when its fence is
/// signalled, pollers check again and wait for the next.
pub(crate) struct Poll {
    hook: Arc<PollHook>,
    hooked: Mtx<Option<Hooked>>,
}

impl Poll {
    /// No pollers yet.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(os: Os) -> Result<Poll> {
        let hook = PollHook {
            waker: Mtx::new(os, c"drm poll waker", None)?,
        };
        Ok(Poll {
            hook: Arc::new(os, hook)?,
            hooked: Mtx::new(os, c"drm poll", None)?,
        })
    }

    /// Sets the pollers to wake, until this is dropped with the file's content.
    pub(crate) fn connect(&self, waker: Waker) {
        *self.hook.waker.lock() = Some(waker);
    }

    /// Whether `fence` is signalled, or memory for a hook is missing. Otherwise the pollers are
    /// woken when it is.
    pub(crate) fn is_ready(&self, fence: &Arc<Fence>) -> bool {
        let hook = self.hook.clone().into_hook();
        let mut hooked = self.hooked.lock();
        if hooked
            .as_ref()
            .is_some_and(|h| Arc::ptr_eq(h.fence(), fence))
        {
            return fence.is_signaled();
        }
        let Ok(Some(new)) = Fence::hook(fence, &hook, 0) else {
            return true;
        };
        let old = hooked.replace(new);
        drop(hooked);
        drop(old);
        false
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        *self.hook.waker.lock() = None;
    }
}
