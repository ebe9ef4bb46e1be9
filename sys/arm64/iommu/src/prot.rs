// SPDX-License-Identifier: BSD-2-Clause
//! Permissions of a device on a page, and how it caches the page.
//!
//! A format stores what its hardware can express; [`crate::PageTable::lookup`] returns what is
//! stored.

use bitflags::bitflags;

bitflags! {
    /// Permissions of the device on a page.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Prot: u32 {
        /// The device may read.
        const READ = 1;
        /// The device may write.
        const WRITE = 2;
        /// The device may fetch shader code; without it the page is "execute never".
        const EXEC = 4;
    }
}

/// How the device caches a page: which attribute of the address space an entry selects.
///
/// The meaning depends on the format; one without attributes ignores them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemAttr {
    /// Index 0: no cacheability is requested; the implementation decides.
    Uncached,
    /// Index 1: cached with allocation on write.
    Cached,
    /// Index 2: device memory.
    Device,
}
