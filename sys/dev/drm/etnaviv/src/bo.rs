// SPDX-License-Identifier: BSD-2-Clause
//! The driver's part of a GEM object.

use crate::Etnaviv;
use core::sync::atomic::AtomicU32;
use drmkpi::drm::gem::Gem;

/// A GEM object of this driver.
pub(crate) type EtnavivGem = Gem<Etnaviv>;

/// How CPUs map an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Caching {
    /// Cached: CPU_PREP and CPU_FINI maintain the caches.
    Cached,
    /// Uncached, or coherent: no maintenance is needed.
    Uncached,
}

/// The driver's part of a GEM object.
pub struct Bo {
    pub(crate) caching: Caching,
    /// Whether the GPU may write to it.
    pub(crate) writable: bool,
    /// The number of its region in the VM in which a job last used it. Only a hint: another VM has
    /// other numbers.
    pub(crate) region: AtomicU32,
}

impl Bo {
    pub(crate) fn new(caching: Caching, writable: bool) -> Bo {
        Bo {
            caching,
            writable,
            region: AtomicU32::new(0),
        }
    }
}
