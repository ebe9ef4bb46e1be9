// SPDX-License-Identifier: BSD-2-Clause
//! The crash dump: the first one is kept until it is cleared, because it says most.

use crate::alloc::KVec;
use crate::os::{Os, Sx};
use crate::util::errno::Result;
use crate::util::int_conv::usize_of;

/// The crash dump of a device.
pub struct CoreDump {
    bytes: Sx<Option<KVec<u8>>>,
}

impl CoreDump {
    /// No dump.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(os: Os) -> Result<CoreDump> {
        Ok(CoreDump {
            bytes: Sx::new(os, c"drm dump", None)?,
        })
    }

    /// Keeps the dump that `make` makes, unless there is one already; none if it fails. May sleep.
    pub fn keep(&self, make: impl FnOnce() -> Result<KVec<u8>>) {
        let mut kept = self.bytes.lock();
        if kept.is_none() {
            *kept = make().ok();
        }
    }

    /// Copies the dump from byte `off` on; returns how many bytes.
    pub(crate) fn read(&self, off: u64, to: &mut [u8]) -> usize {
        let kept = self.bytes.lock();
        let rest = kept.as_ref().and_then(|bytes| bytes.get(usize_of(off)..));
        let rest = rest.unwrap_or_default();
        for (to, from) in to.iter_mut().zip(rest) {
            *to = *from;
        }
        to.len().min(rest.len())
    }

    /// Frees the dump.
    pub(crate) fn clear(&self) {
        let dump = self.bytes.lock().take();
        drop(dump);
    }
}
