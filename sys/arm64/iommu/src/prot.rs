// SPDX-License-Identifier: BSD-2-Clause
//! What a device may do with a page, and how it caches it.
//!
//! A format stores what its hardware can express; [`crate::PageTable::lookup`] tells what was stored.

use bitflags::bitflags;

bitflags! {
    /// Permissions of the device on a page.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Prot: u32 {
        /// The device may read.
        const READ = 1;
        /// The device may write.
        const WRITE = 2;
        /// The device may fetch shader code; absent means "execute never".
        const EXEC = 4;
    }
}

/// Caching of a page by the device: which attribute of the address space an entry names.
///
/// What they mean is the format's; one without caching takes no notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemAttr {
    /// Index 0: no cacheability is asked for; the implementation decides.
    Uncached,
    /// Index 1: cached with allocation on write.
    Cached,
    /// Index 2: device memory.
    Device,
}
