// SPDX-License-Identifier: BSD-2-Clause
//! A buffer in an address space, held by the file's handle of it and by the jobs that use it.
//!
//! To unmap a large buffer and to free its pages takes a while. The thread that gives up the last
//! use may be the GPU's own, which others wait for; so a thread that has the time removes a mapping
//! itself, and any other leaves it to the reaper, which has a queue of its own.

use crate::device::Gpu;
use crate::mmu::vm::Context;
use drmkpi::alloc::{Arc, KBox};
use drmkpi::mem::buffer::Buffer;
use drmkpi::os::Os;
use drmkpi::util::errno::{Result, EBUSY};

/// A place in an address space. Dropping it leaves the place to the reaper.
pub(crate) struct Mapping {
    start: u64,
    /// None once it is removed or left to the reaper.
    place: Option<KBox<Place>>,
}

/// What there is to remove.
pub(crate) struct Place {
    context: Arc<Context>,
    start: u64,
    next: Option<KBox<Place>>,
}

impl Place {
    fn remove(&self) {
        self.context.remove(self.start);
    }
}

impl Mapping {
    /// Maps `buffer`.
    ///
    /// # Errors
    ///
    /// ENOMEM, ENOSPC.
    pub(crate) fn new(
        os: Os,
        context: &Arc<Context>,
        buffer: &Arc<Buffer>,
        exec: bool,
        heap: bool,
    ) -> Result<Mapping> {
        let place = Place {
            context: context.clone(),
            start: 0,
            next: None,
        };
        let mut place = KBox::new(os, place)?;
        let start = context.insert(buffer, exec, heap)?;
        place.start = start;
        Ok(Mapping {
            start,
            place: Some(place),
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
        let place = self.place.as_ref().ok_or(EBUSY)?;
        place.context.purge(self.start, free)
    }

    /// A caller with the time for it gives up its use of a mapping: the last one unmaps the
    /// buffer, now. May sleep.
    pub(crate) fn give_up(this: Arc<Mapping>) {
        if let Some(place) = this.into_inner().and_then(|mut last| last.place.take()) {
            place.remove();
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            let context = place.context.clone();
            context.gpu().leave_to_reaper(place);
        }
    }
}

/// Mappings that nobody uses any more.
#[derive(Default)]
pub(crate) struct Unused(Option<KBox<Place>>);

impl Unused {
    /// One more.
    pub(crate) fn push(&mut self, mut place: KBox<Place>) {
        place.next = self.0.take();
        self.0 = Some(place);
    }

    fn pop(&mut self) -> Option<KBox<Place>> {
        let mut place = self.0.take()?;
        self.0 = place.next.take();
        Some(place)
    }
}

/// The reaper's task: removes what nobody uses.
pub(crate) fn reap(gpu: &Gpu) {
    loop {
        // The lock is not held while one is removed.
        let place = gpu.unused.lock().pop();
        match place {
            Some(place) => place.remove(),
            None => break,
        }
    }
}
