// SPDX-License-Identifier: BSD-2-Clause
//! Buffers that were unmapped and that jobs may still reach: a list to which one is added without
//! allocating, as unmapping cannot fail.

use drmkpi::alloc::{Arc, KBox};
use drmkpi::mem::buffer::Buffer;
use drmkpi::os::Os;
use drmkpi::util::errno::Result;

/// An entry of such a list, which each region has from the start.
pub(crate) struct Entry {
    buffer: Option<Arc<Buffer>>,
    next: Option<KBox<Entry>>,
}

impl Entry {
    /// An entry for the buffer of a region.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(os: Os) -> Result<KBox<Entry>> {
        let (buffer, next) = (None, None);
        KBox::new(os, Entry { buffer, next })
    }
}

/// The list, the latest first.
#[derive(Default)]
pub(crate) struct UnmappedBuffers(Option<KBox<Entry>>);

impl UnmappedBuffers {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Adds a buffer.
    pub(crate) fn add(&mut self, mut entry: KBox<Entry>, buffer: Arc<Buffer>) {
        entry.buffer = Some(buffer);
        entry.next = self.0.take();
        self.0 = Some(entry);
    }

    /// Drops the references to all of them.
    pub(crate) fn clear(&mut self) {
        let mut next = self.0.take();
        while let Some(mut entry) = next {
            next = entry.next.take();
        }
    }
}

impl Drop for UnmappedBuffers {
    fn drop(&mut self) {
        // One by one: the drop of the first entry would recurse.
        self.clear();
    }
}
