// SPDX-License-Identifier: BSD-2-Clause
//! Conversions between u64, usize and u32 that lose nothing on the 64-bit machines this runs on.

use static_assertions::assert_eq_size;

assert_eq_size!(usize, u64);

/// Converts a size or index to u64.
#[expect(
    clippy::as_conversions,
    reason = "usize is 64 bits wide, asserted above"
)]
pub const fn u64_of(n: usize) -> u64 {
    n as u64
}

/// Converts a 64-bit number to a size.
#[expect(
    clippy::as_conversions,
    reason = "usize is 64 bits wide, asserted above"
)]
pub const fn usize_of(n: u64) -> usize {
    n as usize
}

/// Converts a 32-bit number to a size.
#[expect(clippy::as_conversions, reason = "widening")]
pub const fn usize_of_u32(n: u32) -> usize {
    n as usize
}

/// The low 32 bits.
#[expect(clippy::as_conversions, reason = "truncation is what the name says")]
pub const fn low32(n: u64) -> u32 {
    n as u32
}

/// The high 32 bits.
pub const fn high32(n: u64) -> u32 {
    low32(n >> 32)
}
