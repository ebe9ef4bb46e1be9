// SPDX-License-Identifier: BSD-2-Clause
//! Mappings: a buffer in a VM, referenced by the handle that the file has of it and by jobs.
//!
//! Unmapping a large buffer and freeing its pages takes long, and the last reference may be dropped
//! in the GPU's job task, for which all clients wait. So [`Mapping::release`] unmaps at once, and
//! is called by threads that may take long; a plain drop leaves the work to the reaper.

use crate::mmu::removals::Removal;
use crate::mmu::vm::Vm;
use drmkpi::alloc::{Arc, KBox};
use drmkpi::mem::buffer::Buffer;
use drmkpi::mem::pin::HasBuffer;
use drmkpi::os::Os;
use drmkpi::util::errno::{Result, EBUSY};

/// A buffer that is mapped in a VM. Dropping it has the reaper unmap the buffer.
pub struct Mapping {
    vm: Arc<Vm>,
    buffer: Arc<Buffer>,
    start: u64,
    /// `None` once the buffer is unmapped, or the reaper is to do it.
    removal: Option<KBox<Removal>>,
}

impl Mapping {
    /// Maps `buffer` in `vm`. The memory for a later removal is allocated here, so that dropping
    /// the mapping cannot fail.
    ///
    /// # Errors
    ///
    /// ENOMEM; ENOSPC if there is no room in the VM.
    pub(crate) fn new(
        os: Os,
        vm: &Arc<Vm>,
        buffer: &Arc<Buffer>,
        exec: bool,
        heap: bool,
    ) -> Result<Mapping> {
        let mut removal = KBox::new(os, Removal::new(0))?;
        let start = vm.insert(buffer, exec, heap)?;
        removal.start = start;
        Ok(Mapping {
            vm: vm.clone(),
            buffer: buffer.clone(),
            start,
            removal: Some(removal),
        })
    }

    /// The GPU address of the buffer.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// Unmaps the buffer, keeps its address, and has `free` free its memory.
    ///
    /// # Errors
    ///
    /// EBUSY if the VM is locked, or what `free` returns: then the buffer is mapped again.
    pub(crate) fn purge(&self, free: impl FnOnce() -> Result<()>) -> Result<()> {
        if self.removal.is_none() {
            return Err(EBUSY);
        }
        self.vm.purge(self.start, free)
    }

    /// Drops a reference to a mapping; dropping the last one unmaps the buffer before this returns.
    /// May sleep.
    pub(crate) fn release(this: Arc<Mapping>) {
        if let Some(mut last) = this.into_inner() {
            if last.removal.take().is_some() {
                last.vm.remove(last.start);
            }
        }
    }
}

impl HasBuffer for Mapping {
    fn buffer(&self) -> &Buffer {
        &self.buffer
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if let Some(removal) = self.removal.take() {
            Vm::remove_later(&self.vm, removal);
        }
    }
}
