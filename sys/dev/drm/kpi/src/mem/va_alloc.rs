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

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::os::Os;
    use core::cell::Cell;
    use drm_os_host::{Config, World};

    struct Page;

    impl Region for Page {
        fn size(&self) -> u64 {
            PAGE_SIZE
        }
    }

    /// Gaps of two pages that begin at odd pages, so that none has a suitable start, and one of
    /// three after them. Catches: a search that tries each of them, and one that ends before the
    /// last gap, which is suitable wherever it begins.
    #[test]
    fn gaps_that_begin_at_the_wrong_addresses_are_passed_over() {
        const SIZE: u64 = 2 * PAGE_SIZE;
        let world = World::new(Config::default());
        let mut map = RegionMap::new(Os::of_world(&world));
        for gaps in [10u64, 60, 1_000] {
            while map.len() < usize::try_from(2 * gaps).unwrap() {
                // Regions at 0 and 3, 4 and 7, 8...: pages 1 and 2 are the first gap.
                let at = u64::try_from(map.len()).unwrap();
                let page = at / 2 * 4 + at % 2 * 3;
                map.insert(page * PAGE_SIZE, Page).unwrap();
            }
            let end = gaps * 4 * PAGE_SIZE;
            let calls = Cell::new(0u32);
            let fit = |gap: Range<u64>| {
                calls.set(calls.get() + 1);
                let start = gap.start.next_multiple_of(SIZE);
                (start + SIZE <= gap.end).then_some(start)
            };
            let found = first_fit(&map, 0..end, SIZE, SIZE, fit);
            assert_eq!(found, None);
            let found = first_fit(&map, 0..end + 3 * PAGE_SIZE, SIZE, SIZE, fit);
            assert_eq!(found, Some(end));
            assert!(calls.get() <= 4 * REFUSED, "{gaps}: {}", calls.get());
            // The same space is good for one page.
            let found = first_fit(&map, 0..end, PAGE_SIZE, PAGE_SIZE, |gap| Some(gap.start));
            assert_eq!(found, Some(PAGE_SIZE));
        }
    }
}
