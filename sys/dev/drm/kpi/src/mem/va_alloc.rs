// SPDX-License-Identifier: BSD-2-Clause
//! Room in a GPU address space: the gaps between its regions.

use crate::util::sorted_map::SortedMap;
use core::ops::Range;

/// A region of an address space, in a map by its start.
pub trait Region {
    /// Its size in bytes.
    fn size(&self) -> u64;

    /// The address after its last byte, for a region that starts at `start`.
    fn end(&self, start: u64) -> u64 {
        // OVERFLOW: a region lies in an address space of 48 bits at most.
        start.saturating_add(self.size())
    }
}

/// The first address in `range` at which `fit` finds room. `fit` gets each gap between the regions
/// for which `counts` holds, in ascending order, and returns an address in it.
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
