// SPDX-License-Identifier: BSD-2-Clause
//! Addresses, ranges and errors.
//!
//! The device's addresses and the memory's addresses are different types, so that they cannot be
//! swapped in a call that takes both.

/// Bytes of the smallest page of every supported format.
pub const PAGE_BYTES: u64 = 4096;

/// Bytes of a block leaf.
pub(crate) const BLOCK_BYTES: u64 = 0x20_0000;

/// An address as the device issues it, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iova(pub u64);

/// A physical (bus) address as the device's walker puts it on the bus, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pa(pub u64);

/// Why an operation was refused. Except where an operation says otherwise, nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// Some page of the range is mapped already.
    Overlap,
    /// An address or a length is no multiple of 4 KiB.
    Misaligned,
    /// The range is empty or wraps, or lies outside of what the format can translate from or to.
    OutOfRange,
    /// A table was needed and there was no memory for it.
    NoMemory,
}

/// The size of a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PageSize {
    /// 4 KiB, an entry of the last level.
    Size4K,
    /// 2 MiB, an entry of the last level but one.
    Size2M,
}

impl PageSize {
    /// The size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Size4K => PAGE_BYTES,
            Self::Size2M => BLOCK_BYTES,
        }
    }
}

/// A range of device addresses.
///
/// # Invariants
///
/// Start and length are multiples of 4 KiB, the length is not zero, and the exclusive end does not
/// wrap. [`IovaRange::new`] is the only constructor; a second one would have to prove this again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IovaRange {
    start: u64,
    end: u64,
}

impl IovaRange {
    /// The range of `len` bytes from `start`.
    ///
    /// # Errors
    ///
    /// [`MapError::Misaligned`] if either value is no multiple of 4 KiB, [`MapError::OutOfRange`] if
    /// the range is empty or its end does not fit 64 bits.
    pub const fn new(start: u64, len: u64) -> Result<Self, MapError> {
        if !is_aligned(start | len, PAGE_BYTES) {
            return Err(MapError::Misaligned);
        }
        match start.checked_add(len) {
            // INVARIANT: aligned as checked above, non-empty and without a wrap as checked here.
            Some(end) if len != 0 => Ok(Self { start, end }),
            _ => Err(MapError::OutOfRange),
        }
    }

    /// The first address of the range.
    #[must_use]
    pub const fn start(self) -> Iova {
        Iova(self.start)
    }

    /// The first address behind the range.
    #[must_use]
    pub const fn end(self) -> Iova {
        Iova(self.end)
    }

    /// The length in bytes; never zero.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub const fn len(self) -> u64 {
        self.end.wrapping_sub(self.start)
    }

    /// Whether all of `other` lies in this range.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

/// Whether `value` is a multiple of `size`, a power of two.
pub(crate) const fn is_aligned(value: u64, size: u64) -> bool {
    value & size.wrapping_sub(1) == 0
}

/// The largest multiple of `size`, a power of two, that is not above `value`.
pub(crate) const fn align_down(value: u64, size: u64) -> u64 {
    value & !size.wrapping_sub(1)
}
