// SPDX-License-Identifier: BSD-2-Clause
//! A buffer in a VM, held by the file's handle of it and by the jobs that use it.
//!
//! Unmapping a large buffer and freeing its pages takes long. The thread that drops the last
//! reference may be the GPU's job task, on which clients wait; so a thread that may take long
//! removes a mapping itself, and any other leaves it to the reaper.

use crate::mmu::vm::{Place, Vm};
use drmkpi::alloc::{Arc, KBox};
use drmkpi::mem::buffer::Buffer;
use drmkpi::os::Os;
use drmkpi::util::errno::{Result, EBUSY};

/// A buffer's place in a VM. Dropping it leaves the place to the reaper.
pub(crate) struct Mapping {
    vm: Arc<Vm>,
    start: u64,
    /// None once it is removed or left to the reaper.
    place: Option<KBox<Place>>,
}

impl Mapping {
    /// Maps `buffer`.
    ///
    /// # Errors
    ///
    /// ENOMEM, ENOSPC.
    pub(crate) fn new(
        os: Os,
        vm: &Arc<Vm>,
        buffer: &Arc<Buffer>,
        exec: bool,
        heap: bool,
    ) -> Result<Mapping> {
        let mut place = KBox::new(os, Place::new(0))?;
        let start = vm.insert(buffer, exec, heap)?;
        place.start = start;
        Ok(Mapping {
            vm: vm.clone(),
            start,
            place: Some(place),
        })
    }

    /// The GPU address.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// Takes the memory away from the GPU, keeps the place, and has the memory freed by `free`.
    ///
    /// # Errors
    ///
    /// EBUSY when the VM is being changed, or what `free` returns; the GPU has it back then.
    pub(crate) fn purge(&self, free: impl FnOnce() -> Result<()>) -> Result<()> {
        if self.place.is_none() {
            return Err(EBUSY);
        }
        self.vm.purge(self.start, free)
    }

    /// Drops a reference to a mapping; the last one unmaps the buffer, now. May sleep.
    pub(crate) fn give_up(this: Arc<Mapping>) {
        if let Some(mut last) = this.into_inner() {
            if last.place.take().is_some() {
                last.vm.remove(last.start);
            }
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            Vm::leave(&self.vm, place);
        }
    }
}
