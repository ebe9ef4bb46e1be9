// SPDX-License-Identifier: BSD-2-Clause
//! The events that a wait is sent.

use crate::alloc::{Arc, Hook, KVec};
use crate::os::{Caller, Condvar, Mtx, Os};
use crate::sync::fences::Fences;
use crate::util::errno::{Result, ETIME, ETIMEDOUT};

/// What a wait sleeps for: the address of a fence and 0, or that of a syncobj and a point.
pub(super) type Key = (u64, u64);

/// The events of a wait: signalled fences, and fences of syncobjs or points that did not exist. It
/// has room from the start for all events between two reads.
pub(super) struct Inbox {
    pub(super) events: Mtx<Events>,
    cv: Condvar,
}

pub(super) struct Events {
    /// Addresses of fences.
    pub(super) ended: KVec<u64>,
    pub(super) filled: KVec<(Key, Fences)>,
    /// With fewer events the wait need not go on.
    wanted: usize,
}

impl Events {
    fn are_enough(&self) -> bool {
        // OVERFLOW: saturates, beyond every number of events.
        self.ended.len().saturating_add(self.filled.len()) >= self.wanted
    }
}

impl Inbox {
    /// An inbox with room for these numbers of events.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(super) fn new(os: Os, ended: usize, filled: usize) -> Result<Arc<Inbox>> {
        let events = Events {
            ended: KVec::with_capacity(os, ended)?,
            filled: KVec::with_capacity(os, filled)?,
            wanted: 1,
        };
        let inbox = Inbox {
            events: Mtx::new(os, c"drm waiter", events)?,
            cv: Condvar::new(os, c"drmwait")?,
        };
        Arc::new(os, inbox)
    }

    pub(super) fn put(&self, add: impl FnOnce(&mut Events)) {
        let mut events = self.events.lock();
        add(&mut events);
        if events.are_enough() {
            self.cv.broadcast();
        }
    }

    /// Sleeps until there are `wanted` events that were not read.
    ///
    /// # Errors
    ///
    /// ETIME at `deadline` ns, EINTR, ERESTART.
    pub(super) fn sleep(&self, wanted: usize, caller: &Caller<'_>, deadline: u64) -> Result<()> {
        let mut events = self.events.lock();
        events.wanted = wanted;
        while !events.are_enough() {
            match self.cv.wait(&mut events, Some(caller), deadline) {
                Err(e) if e == ETIMEDOUT => return Err(ETIME),
                other => other?,
            }
        }
        Ok(())
    }
}

impl Hook for Inbox {
    fn signaled(&self, token: u64) {
        // `Inbox` has room.
        self.put(|events| _ = events.ended.try_push(token));
    }
}
