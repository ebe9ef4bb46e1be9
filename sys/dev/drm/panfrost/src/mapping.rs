// SPDX-License-Identifier: BSD-2-Clause
//! A buffer in an address space, held by the file's handle of it and by the jobs that use it.

use crate::context::Context;
use drmkpi::alloc::Arc;
use drmkpi::buffer::Buffer;
use drmkpi::errno::Result;

/// A place in an address space; dropping it gives the place up. May sleep.
pub(crate) struct Mapping {
    context: Arc<Context>,
    start: u64,
}

impl Mapping {
    /// Maps `buffer`.
    ///
    /// # Errors
    ///
    /// ENOMEM, ENOSPC.
    pub(crate) fn new(
        context: &Arc<Context>,
        buffer: &Arc<Buffer>,
        exec: bool,
        heap: bool,
    ) -> Result<Mapping> {
        let start = context.insert(buffer, exec, heap)?;
        Ok(Mapping {
            context: context.clone(),
            start,
        })
    }

    /// The GPU address.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// Takes the memory away from the GPU, keeps the place, and has the memory freed.
    ///
    /// # Errors
    ///
    /// EBUSY when somebody changes the address space right now, or what `free` says; the GPU has it back then.
    pub(crate) fn purge(&self, free: impl FnOnce() -> Result<()>) -> Result<()> {
        self.context.purge(self.start, free)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        self.context.remove(self.start);
    }
}
