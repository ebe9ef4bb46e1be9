// SPDX-License-Identifier: BSD-2-Clause
//! Vivante MMUv1: GC2000 and earlier.
//!
//! One table of 512 Ki entries of 4 bytes that translates the upper half of 4 GiB; the lower half
//! is a window into physical memory, without a table. An entry is the physical address of the page
//! and nothing else: every page can be read and written, and no entry faults.
//!
//! The one thing to know: "no translation" must therefore be the address of a scratch page, the bad
//! page, known only at run time. The tree uses [`VivanteV1::INVALID`], which is not the address of
//! a page, and [`crate::TableMem`] stores [`VivanteV1::stored`] in memory and converts it back by
//! [`VivanteV1::loaded`]. The bad page itself cannot be mapped.
//!
//! Source: Linux `drivers/gpu/drm/etnaviv/etnaviv_iommu.c`, for facts only; registers in rnndb
//! `state_hi.xml`.
//!
//! # Examples
//!
//! ```
//! use iommu_pmap::{Format, MemAttr, Pa, Prot, VivanteV1};
//!
//! let bad_page = Pa(0x1000_0000);
//! let page = VivanteV1::leaf(0, Pa(0x4567_8000), Prot::READ, MemAttr::Cached);
//! assert_eq!(VivanteV1::stored(page, bad_page), 0x4567_8000);
//! // In memory, "no translation" is the address of the bad page.
//! let none = VivanteV1::INVALID;
//! assert_eq!(VivanteV1::stored(none, bad_page), 0x1000_0000);
//! assert_eq!(VivanteV1::loaded(0x1000_0000, bad_page), none);
//! ```

use super::{Entry, Format};
use crate::addr::Pa;
use crate::prot::{MemAttr, Prot};

/// The MMUv1 format. Never constructed: it names the format in types.
#[derive(Clone, Copy, Debug)]
pub enum VivanteV1 {}

/// Bits 31:12 of an address.
const ADDRESS: u64 = 0xffff_f000;

impl VivanteV1 {
    /// The word in memory for `entry`; that of unmapped addresses points to `bad_page`.
    #[must_use]
    pub fn stored(entry: u64, bad_page: Pa) -> u64 {
        match Self::decode(0, entry) {
            Entry::Leaf { .. } => entry,
            _ => bad_page.0 & ADDRESS,
        }
    }

    /// The entry that is in memory as `stored`.
    #[must_use]
    pub fn loaded(stored: u64, bad_page: Pa) -> u64 {
        if stored == bad_page.0 & ADDRESS {
            Self::INVALID
        } else {
            stored
        }
    }
}

impl Format for VivanteV1 {
    const LEVELS: u32 = 1;
    const INDEX_BITS: u32 = 19;
    const ENTRY_BYTES: u32 = 4;
    const BLOCKS: bool = false;
    const IOVA_BASE: u64 = 0x8000_0000;
    const PA_BITS: u32 = 32;
    // HW: the MMU caches translations to the bad page, too.
    const FLUSH_ON_MAP: bool = true;
    // Not 0, which is where memory begins on some boards.
    const INVALID: u64 = 1;

    /// Unused: there is one level, and no entry points to a table.
    #[inline]
    fn table(pa: Pa) -> u64 {
        pa.0 & ADDRESS
    }

    #[inline(always)]
    fn leaf(_level: u32, pa: Pa, _prot: Prot, _attr: MemAttr) -> u64 {
        pa.0 & ADDRESS
    }

    #[inline(always)]
    fn decode(_level: u32, entry: u64) -> Entry {
        if entry & !ADDRESS != 0 {
            return Entry::Invalid;
        }
        Entry::Leaf {
            pa: Pa(entry),
            prot: Prot::all(),
            attr: MemAttr::Uncached,
        }
    }
}
