// SPDX-License-Identifier: BSD-2-Clause
//! Pins of buffers.

use crate::alloc::Arc;
use crate::mem::buffer::Buffer;

/// A job's use of a buffer, which is not purged while this exists.
pub struct Pin(Arc<Buffer>);

impl Pin {
    /// Pins `buffer` for one more job. Waits for a purge that is in progress: the job finds the
    /// buffer purged. May sleep.
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
