// SPDX-License-Identifier: BSD-2-Clause
//! The events that a wait is sent.

use crate::alloc::{Hook, KVec};
use crate::os::{Condvar, Mtx};
use crate::sync::fences::Fences;

/// The events of a wait: signalled fences, and fences of syncobjs that were empty. It has room from
/// the start for all events between two reads.
pub(super) struct Inbox {
    pub(super) events: Mtx<Events>,
    pub(super) cv: Condvar,
}

pub(super) struct Events {
    pub(super) ended: KVec<u64>,
    pub(super) filled: KVec<(u64, Fences)>,
    /// With fewer events the wait need not go on.
    pub(super) wanted: usize,
}

impl Events {
    pub(super) fn are_enough(&self) -> bool {
        // OVERFLOW: saturates, beyond every number of events.
        self.ended.len().saturating_add(self.filled.len()) >= self.wanted
    }
}

impl Inbox {
    pub(super) fn put(&self, add: impl FnOnce(&mut Events)) {
        let mut events = self.events.lock();
        add(&mut events);
        if events.are_enough() {
            self.cv.broadcast();
        }
    }
}

impl Hook for Inbox {
    fn signaled(&self, token: u64) {
        // `Inbox` has room.
        self.put(|events| _ = events.ended.try_push(token));
    }
}
