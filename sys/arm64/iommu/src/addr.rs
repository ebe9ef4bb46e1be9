// SPDX-License-Identifier: BSD-2-Clause
//! Addresses, ranges, sizes and errors.
//!
//! Device addresses and memory addresses are different types, so that a call that takes both cannot
//! have them swapped.

/// Bytes of the smallest page of every supported format.
pub const PAGE_BYTES: u64 = 4096;

/// Bytes of a block leaf.
pub(crate) const BLOCK_BYTES: u64 = 0x20_0000;

/// A device address (IOVA), in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iova(pub u64);

/// A physical (bus) address as the device's walker emits it, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pa(pub u64);

/// Why an operation failed. Unless an operation says otherwise, it has changed nothing then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// Some page of the range is mapped already.
    Overlap,
    /// An address or a length is not a multiple of 4 KiB.
    Misaligned,
    /// The range is empty, overflows, or lies outside of what the format translates from or to.
    OutOfRange,
    /// There is no memory for a table.
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
/// Start and length are multiples of 4 KiB, the length is not zero, and the exclusive end fits 64
/// bits. [`IovaRange::new`] is the only constructor; a second one would have to prove this again.
///
/// # Examples
///
/// ```
/// use iommu_pmap::{Iova, IovaRange, MapError};
///
/// let range = IovaRange::new(0x1000, 0x3000)?;
/// assert_eq!((range.start(), range.end(), range.len()), (Iova(0x1000), Iova(0x4000), 0x3000));
/// assert_eq!(IovaRange::new(0x1001, 0x1000), Err(MapError::Misaligned));
/// assert_eq!(IovaRange::new(0x1000, 0), Err(MapError::OutOfRange));
/// assert_eq!(IovaRange::new(u64::MAX & !0xfff, 0x1000), Err(MapError::OutOfRange));
/// # Ok::<(), MapError>(())
/// ```
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
    /// [`MapError::Misaligned`] if either value is not a multiple of 4 KiB,
    /// [`MapError::OutOfRange`] if the range is empty or its end does not fit 64 bits.
    pub const fn new(start: u64, len: u64) -> Result<Self, MapError> {
        if !Span::PAGE.divides(start | len) {
            return Err(MapError::Misaligned);
        }
        match start.checked_add(len) {
            // INVARIANT: aligned as checked above; not empty and without overflow as checked here.
            Some(end) if len != 0 => Ok(Self { start, end }),
            _ => Err(MapError::OutOfRange),
        }
    }

    /// The first address of the range.
    #[must_use]
    pub const fn start(self) -> Iova {
        Iova(self.start)
    }

    /// The first address after the range.
    #[must_use]
    pub const fn end(self) -> Iova {
        Iova(self.end)
    }

    /// The length in bytes; never zero.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub const fn len(self) -> u64 {
        distance(self.start, self.end)
    }

    /// Whether all of `other` lies in this range.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

/// The bytes from `start` to `end`, exclusive; 0 if `end` is below.
pub(crate) const fn distance(start: u64, end: u64) -> u64 {
    // OVERFLOW: saturates, which is what makes such a range an empty one.
    end.saturating_sub(start)
}

/// What one entry of some level covers: a power of two of bytes.
///
/// # Invariants
///
/// The shift is below 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    shift: u32,
}

impl Span {
    /// The span of a page.
    pub(crate) const PAGE: Self = Self::of_shift(PAGE_BYTES.trailing_zeros());
    /// The span of a block.
    pub(crate) const BLOCK: Self = Self::of_shift(BLOCK_BYTES.trailing_zeros());

    /// The span of `1 << shift` bytes, for constants. The caller asserts that `shift` is below 64:
    /// an assertion here would be compiled into the kernel.
    pub(crate) const fn of_shift(shift: u32) -> Self {
        // INVARIANT: as the caller asserts.
        Self { shift }
    }

    /// The span of `bits` bits less; none if it has fewer.
    pub(crate) const fn less(self, bits: u32) -> Self {
        // INVARIANT: not above what it was. OVERFLOW: saturates, as said.
        // OVERFLOW: saturates, as said.
        Self::of_shift(self.shift.saturating_sub(bits))
    }

    /// All bits of an address within the span, and none of those above.
    const fn mask(self) -> u64 {
        // OVERFLOW: of the shift's amount alone, which is below 64 by the invariant.
        !u64::MAX.wrapping_shl(self.shift)
    }

    /// The length of `count` spans, in bytes; what does not fit 64 bits is lost.
    pub(crate) const fn times(self, count: u64) -> u64 {
        // OVERFLOW: of the shift's amount alone, which is below 64 by the invariant.
        count.wrapping_shl(self.shift)
    }

    /// How many whole spans fit into `len` bytes.
    pub(crate) const fn count(self, len: u64) -> u64 {
        // OVERFLOW: of the shift's amount alone, which is below 64 by the invariant.
        len.wrapping_shr(self.shift)
    }

    /// Whether `value` is a multiple of the span.
    pub(crate) const fn divides(self, value: u64) -> bool {
        value & self.mask() == 0
    }

    /// The largest multiple of the span that is not above `value`.
    pub(crate) const fn align_down(self, value: u64) -> u64 {
        value & !self.mask()
    }

    /// How far `value` is above that.
    pub(crate) const fn offset(self, value: u64) -> u64 {
        value & self.mask()
    }

    /// The smallest multiple of the span that is above `value`.
    pub(crate) const fn next(self, value: u64) -> u64 {
        // OVERFLOW: saturates at the end of 64 bits, above everything that a format translates.
        (value | self.mask()).saturating_add(1)
    }
}

/// A number of bytes that is added up, leaf by leaf of one range.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bytes(u64);

impl Bytes {
    /// None yet.
    pub(crate) const ZERO: Self = Self(0);

    /// Adds `count` leaves.
    pub(crate) fn add(&mut self, leaf: Span, count: u32) {
        // OVERFLOW: saturates; leaves of a range do not overlap, so the sum is at most its length.
        self.0 = self.0.saturating_add(leaf.times(count.into()));
    }

    /// The sum.
    pub(crate) const fn get(self) -> u64 {
        self.0
    }

    /// Adds another sum.
    pub(crate) fn join(&mut self, other: Self) {
        // OVERFLOW: saturates, as in `add`.
        self.0 = self.0.saturating_add(other.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a mask that is off by a bit, and a shift that is taken modulo its width.
    #[test]
    fn spans_align_at_the_ends_of_64_bits() {
        assert_eq!(Span::PAGE.align_down(u64::MAX), u64::MAX - 0xfff);
        assert_eq!(Span::PAGE.offset(u64::MAX), 0xfff);
        assert_eq!(Span::PAGE.next(0x1fff), 0x2000);
        assert_eq!(Span::PAGE.next(0x2000), 0x3000);
        assert_eq!(Span::PAGE.next(u64::MAX), u64::MAX);
        assert!(Span::BLOCK.divides(BLOCK_BYTES) && !Span::BLOCK.divides(PAGE_BYTES));
        let all = Span::of_shift(63);
        assert_eq!((all.times(1), all.count(u64::MAX)), (1 << 63, 1));
        assert_eq!((all.align_down(u64::MAX), all.align_down(1)), (1 << 63, 0));
        assert_eq!(Span::of_shift(0).next(7), 8);
    }

    /// Catches a sum that wraps to a small number.
    #[test]
    fn bytes_saturate() {
        let mut bytes = Bytes::ZERO;
        bytes.add(Span::PAGE, 1);
        assert_eq!(bytes.get(), PAGE_BYTES);
        bytes.join(Bytes(u64::MAX));
        assert_eq!(bytes.get(), u64::MAX);
    }
}
