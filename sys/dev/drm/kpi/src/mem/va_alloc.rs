// SPDX-License-Identifier: BSD-2-Clause
//! Allocation of virtual addresses in a GPU address space: gaps between its regions.

use crate::mem::region_map::{Region, RegionMap};
use crate::os::PAGE_SIZE;
use core::ops::Range;

/// The gaps that are large enough and that `fit` may refuse, before only those are tried that are
/// large enough at any alignment.
const REFUSED: u32 = 64;

/// The first address in `range` that `fit` accepts. `fit` is called with the gaps of at least
/// `size` bytes, in ascending order, and returns an address in the gap, or `None` if it has no
/// suitable one, which no gap of `size` plus `align` bytes lacks but for the last one.
///
/// The number of calls is bounded. So if there are many gaps that are large enough, but begin at
/// the wrong addresses, a suitable one after those may not be found.
pub fn first_fit<R: Region>(
    regions: &RegionMap<R>,
    range: Range<u64>,
    size: u64,
    align: u64,
    fit: impl Fn(Range<u64>) -> Option<u64>,
) -> Option<u64> {
    // OVERFLOW: saturates: more than an address space has.
    let always = size.saturating_add(align).saturating_sub(PAGE_SIZE);
    let (mut from, mut least) = (range.start, size);
    for turn in 0..REFUSED.checked_mul(2)? {
        let gap = regions.first_gap(from..range.end, least)?;
        from = gap.end;
        if let Some(at) = fit(gap) {
            return Some(at);
        }
        if turn >= REFUSED {
            least = always;
        }
    }
    None
}
