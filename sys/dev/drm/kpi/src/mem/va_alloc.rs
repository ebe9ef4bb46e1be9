// SPDX-License-Identifier: BSD-2-Clause
//! Allocation of virtual addresses in a GPU address space: gaps between its regions.

use crate::util::sorted_map::SortedMap;
use core::ops::Range;

/// A region of an address space, in a map by its start.
pub trait Region {
    /// Its size in bytes.
    fn size(&self) -> u64;

    /// The address after its last byte, for a region that starts at `start`.
    fn end(&self, start: u64) -> u64 {
        // OVERFLOW: none, for an address space has at most 48 bits.
        start.saturating_add(self.size())
    }
}

/// The first address in `range` that `fit` accepts. `fit` is called with the gaps between those
/// regions for which `counts` returns true, in ascending order, and returns an address in the gap,
/// or `None` if it has no suitable one.
pub fn first_fit<R: Region>(
    regions: &SortedMap<u64, R>,
    range: Range<u64>,
    counts: impl Fn(&R) -> bool,
    fit: impl Fn(Range<u64>) -> Option<u64>,
) -> Option<u64> {
    let before = regions
        .before(range.start)
        .filter(|(_, region)| counts(region));
    let mut from = before.map_or(range.start, |(start, region)| {
        range.start.max(region.end(start))
    });
    for (start, region) in regions.from(range.start) {
        if !counts(region) {
            continue;
        }
        if let Some(at) = fit(from..start) {
            return Some(at);
        }
        from = region.end(start);
    }
    fit(from..range.end)
}
