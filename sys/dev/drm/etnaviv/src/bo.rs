// SPDX-License-Identifier: BSD-2-Clause
//! Buffers: what the driver keeps of each.

use crate::Etnaviv;
use drmkpi::drm::gem::Gem;

/// Its GEM objects.
pub(crate) type EtnavivGem = Gem<Etnaviv>;

/// How CPUs map an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Caching {
    /// Cached: CPU_PREP and CPU_FINI keep it in step with the GPU.
    Cached,
    /// Nothing to keep in step.
    Uncached,
}

/// What the driver keeps per object.
pub struct Bo {
    pub(crate) caching: Caching,
    /// Whether the GPU may write to it.
    pub(crate) writable: bool,
}

impl Bo {
    pub(crate) fn new(caching: Caching, writable: bool) -> Bo {
        Bo { caching, writable }
    }
}
