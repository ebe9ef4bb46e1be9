// SPDX-License-Identifier: BSD-2-Clause
//! Whether the memory of a buffer may be purged while it has handles.
//!
//! It is one state, the buffer's `PurgeState`, under one lock, held by a change of advice until the
//! list of purgeable objects agrees, by a purge from its decision until the pages are freed, and by
//! everything that shares the buffer, before it does. A buffer that has been shared is never
//! purged, as in Linux one with a dma-buf.

use crate::os::SxGuard;
use core::sync::atomic::{AtomicU32, Ordering};

/// Whether the memory of a buffer may be purged while it has handles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PurgeState {
    /// One file has it, by one handle.
    Private,
    /// One file has it, by one handle, and does not need it: its number in the device's list.
    Purgeable(u32),
    /// It is or was shared, which is final.
    Shared,
    /// Its only handle is closed.
    Closed,
    /// The memory is freed permanently.
    Purged,
}

/// How many jobs use a buffer; `PURGING` during a purge.
pub(crate) struct Uses(AtomicU32);

const PURGING: u32 = u32::MAX;

impl Uses {
    /// No job.
    pub(crate) const fn none() -> Uses {
        Uses(AtomicU32::new(0))
    }

    /// Adds a job. Returns false during a purge.
    pub(super) fn begin(&self) -> bool {
        let one_more = |n: u32| n.checked_add(1).filter(|n| *n != PURGING);
        // ORDERING: Acquire, so that the effects of a purge are visible after its end.
        self.0
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, one_more)
            .is_ok()
    }

    /// Removes a job that has ended.
    pub(super) fn end(&self) {
        // ORDERING: Release, so that a purge is after all uses.
        self.0.fetch_sub(1, Ordering::Release);
    }

    /// Keeps jobs from using the buffer while the lock of its state is held. `None` if a job uses
    /// it.
    pub(crate) fn claim<'a>(&'a self, _tenure: &'a SxGuard<'_, PurgeState>) -> Option<Claim<'a>> {
        let claimed = self
            .0
            .compare_exchange(0, PURGING, Ordering::Acquire, Ordering::Relaxed);
        // Made lazily: dropping a claim ends that of another.
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
