// SPDX-License-Identifier: BSD-2-Clause
//! Formats of page tables: one file per format; the code that walks them is the same for all.
//!
//! A format is a radix tree with the same number of entries on each level; level 0 is the root. The
//! leaves of the last level are 4 KiB; the level above may hold 2 MiB blocks.
//!
//! # Examples
//!
//! What the constants of a format say, and that `decode` is the inverse of `leaf`:
//!
//! ```
//! use iommu_pmap::{Entry, Format, MaliLpae, MemAttr, Pa, Prot, VivanteV1, VivanteV2};
//!
//! const GIB: u64 = 1 << 30;
//! fn reach<F: Format>() -> (u64, u64) {
//!     (F::IOVA_BASE, F::IOVA_BASE + (1 << F::IOVA_BITS))
//! }
//! assert_eq!(reach::<MaliLpae>(), (0, 0x4_0000 * GIB));
//! assert_eq!(reach::<VivanteV1>(), (2 * GIB, 4 * GIB));
//! assert_eq!(reach::<VivanteV2>(), (0, 4 * GIB));
//! assert_eq!(VivanteV1::TABLE_BYTES, 2 << 20);
//!
//! let (pa, prot) = (Pa(0x12_3456_7000), Prot::READ | Prot::EXEC);
//! let leaf = MaliLpae::leaf(3, pa, prot, MemAttr::Cached);
//! let attr = MemAttr::Cached;
//! assert_eq!(MaliLpae::decode(3, leaf), Entry::Leaf { pa, prot, attr });
//! // This format does not store the attribute, and what can be read can be executed.
//! let leaf = VivanteV2::leaf(1, pa, Prot::READ, MemAttr::Cached);
//! let attr = MemAttr::Uncached;
//! assert_eq!(VivanteV2::decode(1, leaf), Entry::Leaf { pa, prot, attr });
//! ```

use crate::addr::{Iova, Pa, Span, PAGE_BYTES};
use crate::prot::{MemAttr, Prot};

pub mod mali_lpae;
pub mod vivante_v1;
pub mod vivante_v2;

/// A decoded entry of a page table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// No translation: the walker faults.
    Invalid,
    /// The physical address of the table of the next level.
    Table(Pa),
    /// A translation.
    Leaf {
        /// Physical address of the first byte of the page or block.
        pa: Pa,
        /// Permissions as far as the format stores them.
        prot: Prot,
        /// Attribute as far as the format stores it.
        attr: MemAttr,
    },
}

/// The layout of one kind of page table.
///
/// [`crate::PageTable::new`] checks the constants at compile time. The functions are pure and
/// inverse: `decode` of what `table` and `leaf` encode returns the arguments, as far as the format
/// stores them, and encoding a decoded leaf returns the same bits.
pub trait Format {
    /// Number of levels, 1 to 4.
    const LEVELS: u32;
    /// Bits of the address that index a table, 1 to 19.
    const INDEX_BITS: u32;
    /// Bytes of an entry: 4 or 8. An entry is passed as `u64`; the writer stores the low bytes.
    const ENTRY_BYTES: u32;
    /// Whether the last level but one may hold 2 MiB leaves; needs 9 index bits.
    const BLOCKS: bool;
    /// The first address that the root table translates; a multiple of the size that it spans.
    const IOVA_BASE: u64 = 0;
    /// Bits of the physical address of a leaf.
    const PA_BITS: u32;
    /// Bits of the physical address of a table.
    const TABLE_PA_BITS: u32 = Self::PA_BITS;
    /// Whether the device may cache a failed or partial walk, so that a new mapping needs a flush.
    const FLUSH_ON_MAP: bool;
    /// The value of an entry without translation.
    const INVALID: u64 = 0;

    /// Number of entries of a table.
    const ENTRIES: u32 = 1 << Self::INDEX_BITS;
    /// Bytes of a table: what [`crate::TableMem::alloc`] provides.
    const TABLE_BYTES: u32 = Self::ENTRIES * Self::ENTRY_BYTES;
    /// Bits of address that the tree translates.
    const IOVA_BITS: u32 = PAGE_BYTES.trailing_zeros() + Self::LEVELS * Self::INDEX_BITS;

    /// The entry that points to the table at `pa`, which fits `TABLE_PA_BITS` and is aligned to 4
    /// KiB.
    fn table(pa: Pa) -> u64;

    /// The leaf at `level` for the page or block at `pa`, aligned to its size and within `PA_BITS`.
    fn leaf(level: u32, pa: Pa, prot: Prot, attr: MemAttr) -> u64;

    /// Decodes an entry of a table of `level`.
    ///
    /// With more than one level, a value with 12 low bits of zero must decode as
    /// [`Entry::Invalid`]: tables that wait for the flush are linked by such a value in entry 0,
    /// which a walker that has cached the table may read.
    fn decode(level: u32, entry: u64) -> Entry;
}

/// The last level.
pub(crate) const fn last_level<F: Format>() -> u32 {
    const { F::LEVELS - 1 }
}

/// The level that holds 2 MiB leaves, of a format that has them.
pub(crate) const fn block_level<F: Format>() -> u32 {
    const {
        if F::BLOCKS {
            F::LEVELS - 2
        } else {
            F::LEVELS
        }
    }
}

/// The spans of the levels; those of levels that the format lacks are the last level's.
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "at compile time only"
)]
const fn spans<F: Format>() -> [Span; 4] {
    let mut spans = [Span::PAGE; 4];
    let mut level = 0;
    let mut below = F::LEVELS;
    while below > 0 {
        below -= 1;
        let shift = PAGE_BYTES.trailing_zeros() + F::INDEX_BITS * below;
        assert!(shift < u64::BITS);
        spans[level] = Span::of_shift(shift);
        level += 1;
    }
    spans
}

/// What an entry at `level` covers.
pub(crate) fn span<F: Format>(level: u32) -> Span {
    let [first, second, third, fourth] = const { spans::<F>() };
    match level {
        0 => first,
        1 => second,
        2 => third,
        _ => fourth,
    }
}

/// The index of `iova` in its table at `level`, always below `F::ENTRIES`.
#[inline]
pub(crate) fn index<F: Format>(level: u32, iova: u64) -> u32 {
    span::<F>(level).index::<F>(iova)
}

impl Span {
    /// The index of `iova` in its table, whose entries have this span.
    #[inline]
    pub(crate) fn index<F: Format>(self, iova: u64) -> u32 {
        let mask = u64::from(const { F::ENTRIES - 1 });
        u32::try_from(self.count(iova) & mask).unwrap_or(0)
    }

    /// The span of the next level.
    #[inline]
    pub(crate) fn below<F: Format>(self) -> Self {
        self.less(F::INDEX_BITS)
    }
}

/// The first address after those that the tree translates.
pub(crate) const fn limit<F: Format>() -> u64 {
    const { F::IOVA_BASE + (1u64 << F::IOVA_BITS) }
}

/// Whether the tree translates `iova` to `end` (exclusive, not below `iova`).
pub(crate) fn translates<F: Format>(iova: Iova, end: Iova) -> bool {
    iova.0 >= F::IOVA_BASE && end.0 <= limit::<F>()
}
