// SPDX-License-Identifier: BSD-2-Clause
//! A job's use of a buffer.

use crate::alloc::Arc;
use crate::mem::buffer::Buffer;

/// A job's use of a buffer, which is not purged meanwhile.
pub struct Pin(Arc<Buffer>);

impl Pin {
    /// One more job uses `buffer`. One that is being purged is waited for: the job finds it gone.
    /// May sleep.
    pub fn new(buffer: &Arc<Buffer>) -> Pin {
        buffer.uses().begin(buffer.purge_state());
        Pin(buffer.clone())
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.0.uses().end();
    }
}
