// SPDX-License-Identifier: BSD-2-Clause
//! Mali LPAE ("legacy"): Midgard, and Bifrost unless it is switched to the AArch64 format.
//!
//! Four levels of 512 entries of 8 bytes, always all four. It resembles the Arm LPAE format, with
//! three differences: a leaf has type 1 on *every* level, the last one included; the permission
//! bits grant (set = allowed) instead of denying; there is no access flag.
//!
//! Source: Linux `drivers/iommu/io-pgtable-arm.c`, format `ARM_MALI_LPAE`, for facts only.
//!
//! # Examples
//!
//! ```
//! use iommu_pmap::{Entry, Format, MaliLpae, MemAttr, Pa, Prot};
//!
//! // Type 1, attribute 1, read and write, outer shareable, execute never.
//! let page = MaliLpae::leaf(3, Pa(0x8000_5000), Prot::READ | Prot::WRITE, MemAttr::Cached);
//! assert_eq!(page, 0x0060_0000_8000_52c5);
//! // A pointer to a table has type 3, which faults on the last level.
//! let table = MaliLpae::table(Pa(0x8000_6000));
//! assert_eq!(table, 0x8000_6003);
//! assert_eq!(MaliLpae::decode(0, table), Entry::Table(Pa(0x8000_6000)));
//! assert_eq!(MaliLpae::decode(3, table), Entry::Invalid);
//! ```

use super::{Entry, Format};
use crate::addr::{Pa, BLOCK_BYTES};
use crate::prot::{MemAttr, Prot};

/// The Mali LPAE format. Never constructed: it names the format in types.
#[derive(Clone, Copy, Debug)]
pub enum MaliLpae {}

/// Mask of the entry type; 0 and 2 fault.
const TYPE: u64 = 0x3;
/// Type of a leaf on any level.
const TYPE_LEAF: u64 = 0x1;
/// Type of a pointer to the next level.
const TYPE_TABLE: u64 = 0x3;
/// Position of the index into `MEMATTR`.
const ATTR_SHIFT: u32 = 2;
/// Mask of that index, in place.
const ATTR: u64 = 0x7 << ATTR_SHIFT;
/// The GPU may read.
const READ: u64 = 1 << 6;
/// The GPU may write.
const WRITE: u64 = 1 << 7;
/// Shareable with the CPU ("outer" in the GPU's terms). 3 is shareable within the GPU only.
const SH_OUTER: u64 = 2 << 8;
/// Execute never, both bits.
const XN: u64 = 3 << 53;
/// Output address, bits 39:12.
const ADDRESS: u64 = 0xff_ffff_f000;

/// Level of the 2 MiB blocks.
const BLOCK_LEVEL: u32 = 2;
/// Level of the 4 KiB pages.
const PAGE_LEVEL: u32 = 3;

impl Format for MaliLpae {
    const LEVELS: u32 = 4;
    const INDEX_BITS: u32 = 9;
    const ENTRY_BYTES: u32 = 8;
    // HW: level 1 may also hold 1 GiB blocks, which are not used: a split would need two tables.
    const BLOCKS: bool = true;
    const PA_BITS: u32 = 40;
    // HW: the MMU caches walks that failed.
    const FLUSH_ON_MAP: bool = true;

    #[inline]
    fn table(pa: Pa) -> u64 {
        (pa.0 & ADDRESS) | TYPE_TABLE
    }

    #[inline(always)]
    fn leaf(level: u32, pa: Pa, prot: Prot, attr: MemAttr) -> u64 {
        let mut entry = (pa.0 & address_mask(level)) | TYPE_LEAF | SH_OUTER;
        entry |= match attr {
            MemAttr::Uncached => 0,
            MemAttr::Cached => 1 << ATTR_SHIFT,
            MemAttr::Device => 2 << ATTR_SHIFT,
        };
        if prot.contains(Prot::READ) {
            entry |= READ;
        }
        if prot.contains(Prot::WRITE) {
            entry |= WRITE;
        }
        if !prot.contains(Prot::EXEC) {
            entry |= XN;
        }
        entry
    }

    #[inline(always)]
    fn decode(level: u32, entry: u64) -> Entry {
        match entry & TYPE {
            TYPE_TABLE if level < PAGE_LEVEL => Entry::Table(Pa(entry & ADDRESS)),
            TYPE_LEAF if level == PAGE_LEVEL || level == BLOCK_LEVEL => {
                let mut prot = Prot::empty();
                prot.set(Prot::READ, entry & READ != 0);
                prot.set(Prot::WRITE, entry & WRITE != 0);
                prot.set(Prot::EXEC, entry & XN == 0);
                let attr = match (entry & ATTR) >> ATTR_SHIFT {
                    0 => MemAttr::Uncached,
                    1 => MemAttr::Cached,
                    _ => MemAttr::Device,
                };
                Entry::Leaf {
                    pa: Pa(entry & address_mask(level)),
                    prot,
                    attr,
                }
            }
            _ => Entry::Invalid,
        }
    }
}

/// The bits of the output address that a leaf of `level` holds.
const fn address_mask(level: u32) -> u64 {
    const BLOCK_ADDRESS: u64 = ADDRESS & !(BLOCK_BYTES - 1);
    if level == BLOCK_LEVEL {
        BLOCK_ADDRESS
    } else {
        ADDRESS
    }
}
