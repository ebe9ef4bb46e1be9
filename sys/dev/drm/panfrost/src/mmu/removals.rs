// SPDX-License-Identifier: BSD-2-Clause
//! The regions of a VM that the reaper is to remove: a list to which an entry is added without
//! allocating.

use drmkpi::alloc::KBox;
use drmkpi::os::{Mtx, Os};
use drmkpi::util::errno::Result;

/// A region that the reaper is to remove.
pub(crate) struct Removal {
    pub(crate) start: u64,
    next: Option<KBox<Removal>>,
}

impl Removal {
    /// The removal of the region at `start`.
    pub(crate) fn new(start: u64) -> Removal {
        Removal { start, next: None }
    }
}

/// The list, the latest first.
pub(super) struct Removals(Mtx<Option<KBox<Removal>>>);

impl Removals {
    /// An empty list.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(super) fn new(os: Os) -> Result<Removals> {
        Ok(Removals(Mtx::new(os, c"panfrost unused", None)?))
    }

    /// Adds a removal.
    pub(super) fn add(&self, mut removal: KBox<Removal>) {
        let mut latest = self.0.lock();
        removal.next = latest.take();
        *latest = Some(removal);
    }

    /// Takes the latest off the list and returns the start of its region.
    pub(super) fn take(&self) -> Option<u64> {
        let mut latest = self.0.lock();
        let mut removal = latest.take()?;
        *latest = removal.next.take();
        Some(removal.start)
    }
}
