// SPDX-License-Identifier: BSD-2-Clause
//! Runs of contiguous pages, which the page table maps by its largest possible leaves.

use drmkpi::os::PAGE_SIZE;

/// Iterates over runs of contiguous pages: physical address and size in bytes.
pub(super) struct Runs<'a>(pub(super) &'a [u64]);

impl Iterator for Runs<'_> {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        // No sum is None, for physical addresses have at most 52 bits.
        let (first, mut rest) = self.0.split_first()?;
        let mut end = first.checked_add(PAGE_SIZE)?;
        while let Some((next, more)) = rest.split_first().filter(|(next, _)| **next == end) {
            end = next.checked_add(PAGE_SIZE)?;
            rest = more;
        }
        self.0 = rest;
        Some((*first, end.checked_sub(*first)?))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    fn runs(pages: &[u64]) -> Vec<(u64, u64)> {
        let pas: Vec<u64> = pages.iter().map(|page| page << 12).collect();
        let runs = Runs(&pas).map(|(pa, bytes)| (pa / PAGE_SIZE, bytes / PAGE_SIZE));
        runs.collect()
    }

    #[test]
    fn contiguous_pages_are_one_run() {
        assert_eq!(runs(&[]), []);
        assert_eq!(runs(&[7]), [(7, 1)]);
        assert_eq!(runs(&[7, 8, 9, 3, 4, 11]), [(7, 3), (3, 2), (11, 1)]);
        assert_eq!(runs(&[7, 7, 6]), [(7, 1), (7, 1), (6, 1)]);
    }
}
