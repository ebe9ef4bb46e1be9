// SPDX-License-Identifier: BSD-2-Clause
//! Wakes those who poll(2) a file when fences end, for as long as the file is there.

use crate::alloc::Arc;
use crate::errno::Result;
use crate::fence::Hook;
use crate::os::{Mtx, Os, Waker};

/// The pollers of one file, as a hook of fences.
pub(crate) struct Bell {
    waker: Mtx<Option<Waker>>,
}

impl Bell {
    /// Nobody to wake yet.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(os: Os) -> Result<Arc<Bell>> {
        Arc::new(
            os,
            Bell {
                waker: Mtx::new(os, c"drm bell", None)?,
            },
        )
    }

    /// From now on it wakes these; the file's content takes it back with `disconnect` when it is dropped.
    pub(crate) fn connect(&self, waker: Waker) {
        *self.waker.lock() = Some(waker);
    }

    /// The file goes.
    pub(crate) fn disconnect(&self) {
        *self.waker.lock() = None;
    }
}

impl Hook for Bell {
    fn signaled(&self, _token: u64) {
        // Held while waking, so that the file cannot go away meanwhile.
        let waker = self.waker.lock();
        if let Some(w) = *waker {
            w.wake();
        }
    }
}
