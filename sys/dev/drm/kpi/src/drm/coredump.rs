// SPDX-License-Identifier: BSD-2-Clause
//! The dump of a crash: kept until somebody clears it, for the first crash tells most.

use crate::alloc::KVec;
use crate::os::{Os, Sx};
use crate::util::errno::Result;
use crate::util::int_conv::usize_of;

/// What a device keeps of a crash.
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

    /// Keeps what `make` makes, unless a dump is kept already; none if memory is short. May sleep.
    pub fn keep(&self, make: impl FnOnce() -> Result<KVec<u8>>) {
        let mut kept = self.bytes.lock();
        if kept.is_none() {
            *kept = make().ok();
        }
    }

    /// Copies what is there from byte `off` on: how many bytes.
    pub(crate) fn read(&self, off: u64, to: &mut [u8]) -> usize {
        let kept = self.bytes.lock();
        let rest = kept.as_ref().and_then(|bytes| bytes.get(usize_of(off)..));
        let rest = rest.unwrap_or_default();
        for (to, from) in to.iter_mut().zip(rest) {
            *to = *from;
        }
        to.len().min(rest.len())
    }

    /// Keeps no dump.
    pub(crate) fn clear(&self) {
        let gone = self.bytes.lock().take();
        drop(gone);
    }
}
