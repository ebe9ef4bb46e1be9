// SPDX-License-Identifier: BSD-2-Clause
//! Vivante MMUv2 in its 4 KiB mode: GC3000 and later.
//!
//! Two levels of 1024 entries of 4 bytes: the master table (MTLB, address bits 31:22) and the slave
//! tables (STLB, bits 21:12). A page may be anywhere in 40 bits of physical address, a slave table
//! only below 4 GiB. A present page can be read; writing is the only permission. An entry without
//! translation requests the exception, so that the walk faults instead of ending at the safe
//! address.
//!
//! The hardware also has 64 KiB pages, which are not used here.
//!
//! Source: Linux `drivers/gpu/drm/etnaviv/etnaviv_iommu_v2.c`, for facts only; registers in rnndb
//! `state_hi.xml`.
//!
//! # Examples
//!
//! ```
//! use iommu_pmap::{Entry, Format, MemAttr, Pa, Prot, VivanteV2};
//!
//! // Bits 39:32 of a page are in bits 11:4 of its entry; bit 2 allows writing.
//! let page = VivanteV2::leaf(1, Pa(0x9a_4567_8000), Prot::WRITE, MemAttr::Uncached);
//! assert_eq!(page, 0x4567_89a5);
//! // The first level has pointers to slave tables only.
//! assert_eq!(VivanteV2::decode(0, 0x4567_8001), Entry::Table(Pa(0x4567_8000)));
//! // An entry without translation raises an exception.
//! assert_eq!(VivanteV2::INVALID, 2);
//! assert_eq!(VivanteV2::decode(1, 2), Entry::Invalid);
//! ```

use super::{Entry, Format};
use crate::addr::Pa;
use crate::prot::{MemAttr, Prot};

/// The MMUv2 format. Never constructed: it names the format in types.
#[derive(Clone, Copy, Debug)]
pub enum VivanteV2 {}

/// The entry is valid.
const PRESENT: u64 = 1 << 0;
/// The walk raises an exception.
const EXCEPTION: u64 = 1 << 1;
/// The GPU may write.
const WRITEABLE: u64 = 1 << 2;
/// Bits 31:12 of an address, in place.
const ADDRESS_LOW: u64 = 0xffff_f000;
/// Bits 39:32 of a page's address, in place, and how far they are shifted down.
const ADDRESS_HIGH: u64 = 0xff0;
const HIGH_SHIFT: u32 = 28;

/// The level of the slave tables.
const PAGE_LEVEL: u32 = 1;

impl Format for VivanteV2 {
    const LEVELS: u32 = 2;
    const INDEX_BITS: u32 = 10;
    const ENTRY_BYTES: u32 = 4;
    const BLOCKS: bool = false;
    const PA_BITS: u32 = 40;
    const TABLE_PA_BITS: u32 = 32;
    // HW: the MMU caches walks that failed; Linux flushes after every map.
    const FLUSH_ON_MAP: bool = true;
    const INVALID: u64 = EXCEPTION;

    #[inline]
    fn table(pa: Pa) -> u64 {
        (pa.0 & ADDRESS_LOW) | PRESENT
    }

    #[inline(always)]
    fn leaf(_level: u32, pa: Pa, prot: Prot, _attr: MemAttr) -> u64 {
        let mut entry = (pa.0 & ADDRESS_LOW) | ((pa.0 >> HIGH_SHIFT) & ADDRESS_HIGH) | PRESENT;
        if prot.contains(Prot::WRITE) {
            entry |= WRITEABLE;
        }
        entry
    }

    #[inline(always)]
    fn decode(level: u32, entry: u64) -> Entry {
        if entry & PRESENT == 0 {
            return Entry::Invalid;
        }
        if level < PAGE_LEVEL {
            return Entry::Table(Pa(entry & ADDRESS_LOW));
        }
        let mut prot = Prot::READ | Prot::EXEC;
        prot.set(Prot::WRITE, entry & WRITEABLE != 0);
        Entry::Leaf {
            pa: Pa((entry & ADDRESS_LOW) | ((entry & ADDRESS_HIGH) << HIGH_SHIFT)),
            prot,
            attr: MemAttr::Uncached,
        }
    }
}
