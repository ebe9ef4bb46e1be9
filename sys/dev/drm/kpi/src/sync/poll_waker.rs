// SPDX-License-Identifier: BSD-2-Clause
//! Wakes those who poll(2) a file when fences end, for as long as the file is there.

use crate::alloc::{Arc, Hook};
use crate::os::{Mtx, Os, Waker};
use crate::sync::fence::{Fence, Hooked};
use crate::util::errno::Result;

/// The pollers of one file, as a hook of fences.
struct PollHook {
    waker: Mtx<Option<Waker>>,
}

impl Hook for PollHook {
    fn signaled(&self, _token: u64) {
        // Held while waking, so that the file cannot go away meanwhile.
        let waker = self.waker.lock();
        if let Some(w) = *waker {
            w.wake();
        }
    }
}

/// What a file's content has for its pollers. Only a file that is polled has a hook, and only one: pollers look
/// again when its fence ends, and wait for the next then.
pub(crate) struct Poll {
    hook: Arc<PollHook>,
    hooked: Mtx<Option<Hooked>>,
}

impl Poll {
    /// Nobody to wake yet.
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

    /// From now on it wakes these, until it is dropped with the file's content.
    pub(crate) fn connect(&self, waker: Waker) {
        *self.hook.waker.lock() = Some(waker);
    }

    /// Whether `fence` is over (or pollers cannot be told of its end); if not, they will be woken when it is.
    pub(crate) fn is_over(&self, fence: &Arc<Fence>) -> bool {
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
