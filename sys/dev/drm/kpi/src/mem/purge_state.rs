// SPDX-License-Identifier: BSD-2-Clause
//! Whether the memory of a buffer may be freed while handles of it exist.
//!
//! It is one state, the buffer's `PurgeState`, under one lock that is held for as long as the answer
//! matters: by advice until the list of unneeded objects says the same, by a purge from its decision
//! until the pages are gone, and by everything that gives the buffer to somebody else before it does
//! so. What is shared once is never purged, as in Linux nothing with a dma-buf is.

use crate::os::{Sx, SxGuard};
use core::sync::atomic::{AtomicU32, Ordering};

/// Whether the memory of a buffer may be freed while handles of it exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PurgeState {
    /// One file has it, by one handle.
    Private,
    /// One file has it, by one handle, and does not need it: where the device's list has it.
    Purgeable(u32),
    /// Others have it, or may come to have it: never again anything else.
    Shared,
    /// Its one handle is gone.
    Closed,
    /// The memory is gone for good.
    Purged,
}

/// How many jobs use a buffer; `PURGING` while it is purged.
pub(crate) struct Uses(AtomicU32);

const PURGING: u32 = u32::MAX;

impl Uses {
    /// No job.
    pub(crate) const fn none() -> Uses {
        Uses(AtomicU32::new(0))
    }

    /// One more job uses the buffer. The end of a purge, for which `state` is held, is waited for.
    /// May sleep.
    pub(super) fn begin(&self, state: &Sx<PurgeState>) {
        let one_more = |n: u32| n.checked_add(1).filter(|n| *n != PURGING);
        // ORDERING: Acquire, so that who sees the end of a purge sees what it did.
        let pinned = self
            .0
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, one_more);
        if pinned.is_err() {
            // Nobody purges it while this lock is held.
            let _state = state.lock();
            self.0.fetch_add(1, Ordering::Acquire);
        }
    }

    /// A job that began to use it is over.
    pub(super) fn end(&self) {
        // ORDERING: Release, so that a purge comes after all of the use.
        self.0.fetch_sub(1, Ordering::Release);
    }

    /// Keeps jobs from using the buffer while the lock of its state is held. None while a job uses it.
    pub(crate) fn claim<'a>(&'a self, _tenure: &'a SxGuard<'_, PurgeState>) -> Option<Claim<'a>> {
        let claimed = self
            .0
            .compare_exchange(0, PURGING, Ordering::Acquire, Ordering::Relaxed);
        // Not eagerly: dropping one gives up what another has.
        claimed.is_ok().then(|| Claim(self))
    }
}

/// Jobs wait to use the buffer until this is dropped.
pub(crate) struct Claim<'a>(&'a Uses);

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.0 .0.store(0, Ordering::Release);
    }
}
