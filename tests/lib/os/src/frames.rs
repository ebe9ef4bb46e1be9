// SPDX-License-Identifier: BSD-2-Clause
//! Free page frames.
//!
//! Frames are reused late: those never used come first, then those freed longest ago. Blocks that
//! were split are not joined again. Whole runs are not split while smaller blocks are left.

use std::collections::VecDeque;

/// Log2 of the pages of a 2 MiB run.
pub(crate) const RUN_ORDER: usize = 9;
/// Pages of a 2 MiB run.
pub(crate) const RUN: u64 = 1 << RUN_ORDER;
/// Freed frames, and freed blocks of each size, that are kept before the first is reused.
const FRAMES_KEPT: usize = 8192;
const BLOCKS_KEPT: usize = 16;

/// Aligned blocks of 2^order frames, by order, smaller than a run.
#[derive(Default)]
struct Blocks {
    fresh: Vec<u64>,
    freed: VecDeque<u64>,
}

struct Frames {
    /// Aligned runs.
    runs: VecDeque<u64>,
    /// Frames, in an order in which no two consecutive ones are adjacent.
    singles: VecDeque<u64>,
    freed: VecDeque<u64>,
    blocks: [Blocks; RUN_ORDER],
}

/// The `n` frames from `base` on, at most a run, in an order in which no two consecutive ones are
/// adjacent.
fn scatter(base: u64, n: u64) -> impl Iterator<Item = u64> {
    (0..RUN)
        .map(|i| i * 197 % RUN)
        .filter(move |&i| i < n)
        .map(move |i| base + i)
}

impl Frames {
    /// All frames from 0 up to `pages`.
    fn new(pages: u64) -> Frames {
        let runs = pages / RUN;
        Frames {
            runs: (0..runs).map(|r| r * RUN).collect(),
            singles: scatter(runs * RUN, pages % RUN).collect(),
            freed: VecDeque::new(),
            blocks: Default::default(),
        }
    }

    /// Takes a frame, not adjacent to the one taken before unless memory is short.
    fn take_frame(&mut self) -> Option<u64> {
        if let Some(n) = self.singles.pop_front() {
            return Some(n);
        }
        if self.freed.len() <= FRAMES_KEPT {
            if let Some(r) = self.runs.pop_front() {
                self.singles.extend(scatter(r, RUN));
                return self.singles.pop_front();
            }
        }
        if let Some(n) = self.freed.pop_front() {
            return Some(n);
        }
        for (order, b) in self.blocks.iter_mut().enumerate().rev() {
            if let Some(first) = b.fresh.pop().or_else(|| b.freed.pop_front()) {
                self.singles.extend(first..first + (1 << order));
                return self.singles.pop_front();
            }
        }
        None
    }

    /// Takes 2^order frames, at most a run, aligned to their number; returns the first.
    fn take_block(&mut self, order: usize) -> Option<u64> {
        match order {
            0 => return self.take_frame(),
            RUN_ORDER => return self.runs.pop_front(),
            _ => {}
        }
        if self.blocks[order].freed.len() > BLOCKS_KEPT {
            return self.blocks[order].freed.pop_front();
        }
        self.split_fresh(order)
            .or_else(|| self.blocks[order].freed.pop_front())
            .or_else(|| self.split_freed(order))
    }

    fn split_fresh(&mut self, order: usize) -> Option<u64> {
        let larger = (order..RUN_ORDER).find(|&o| !self.blocks[o].fresh.is_empty());
        let first = match larger {
            Some(o) => self.blocks[o].fresh.pop(),
            None => self.runs.pop_front(),
        }?;
        self.give_upper_halves(first, larger.unwrap_or(RUN_ORDER), order);
        Some(first)
    }

    fn split_freed(&mut self, order: usize) -> Option<u64> {
        let larger = (order..RUN_ORDER).find(|&o| !self.blocks[o].freed.is_empty())?;
        let first = self.blocks[larger].freed.pop_front()?;
        self.give_upper_halves(first, larger, order);
        Some(first)
    }

    /// Frees the rest of the block of order `of` at `first` when its first 2^order frames are
    /// taken.
    fn give_upper_halves(&mut self, first: u64, of: usize, order: usize) {
        for o in order..of {
            self.blocks[o].fresh.push(first + (1 << o));
        }
    }

    fn give_block(&mut self, order: usize, first: u64) {
        match order {
            0 => self.freed.push_back(first),
            RUN_ORDER => self.runs.push_back(first),
            _ => self.blocks[order].freed.push_back(first),
        }
    }
}

/// Frames below and above 4 GiB. Allocations take frames above it while there are any, if allowed.
pub(crate) struct Zones {
    /// Number of the first frame of RAM, and of frames below 4 GiB.
    base: u64,
    split: u64,
    pages: u64,
    low: Frames,
    high: Frames,
}

/// The number of the first frame at or above 4 GiB.
const FOUR_GIB: u64 = 1 << 20;

impl Zones {
    /// `pages` frames from number `base` on; the zone's own numbers start at 0.
    pub(crate) fn new(base: u64, pages: u64) -> Zones {
        let split = FOUR_GIB.saturating_sub(base).min(pages);
        assert!(
            split == pages || split.is_multiple_of(RUN),
            "4 GiB splits an aligned run"
        );
        Zones {
            base,
            split,
            pages,
            low: Frames::new(split),
            high: Frames::new(pages - split),
        }
    }

    /// Whether the zone `start .. end` is not empty and all its addresses have at most `bits` bits.
    fn fits(&self, start: u64, end: u64, bits: u32) -> bool {
        start < end && (bits >= 64 || self.base + end <= 1 << bits.saturating_sub(12))
    }

    pub(crate) fn has_below(&self, bits: u32) -> bool {
        self.fits(0, self.split, bits) || self.fits(self.split, self.pages, bits)
    }

    pub(crate) fn take_block(&mut self, order: usize, bits: u32) -> Option<u64> {
        if self.fits(self.split, self.pages, bits) {
            if let Some(first) = self.high.take_block(order) {
                return Some(self.split + first);
            }
        }
        let low = self.fits(0, self.split, bits);
        low.then(|| self.low.take_block(order))?
    }

    pub(crate) fn give_block(&mut self, order: usize, first: u64) {
        match first.checked_sub(self.split) {
            Some(first) => self.high.give_block(order, first),
            None => self.low.give_block(order, first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_and_nothing_is_given_twice_or_lost() {
        let mut f = Frames::new(2 * RUN);
        let mut all = Vec::new();
        for order in [3, 8, 0, 1, 3, 5] {
            let first = f.take_block(order).unwrap();
            assert_eq!(first % (1 << order), 0);
            all.extend(first..first + (1 << order));
        }
        while let Some(n) = f.take_frame() {
            all.push(n);
        }
        all.sort_unstable();
        assert_eq!(all, (0..2 * RUN).collect::<Vec<_>>());
        assert_eq!((f.take_block(1), f.take_block(RUN_ORDER)), (None, None));
        f.give_block(4, 16);
        assert_eq!(f.take_block(3), Some(16), "the last freed block is split");
    }

    #[test]
    fn a_freed_block_waits() {
        let mut f = Frames::new(4 * RUN);
        let first = f.take_block(4).unwrap();
        f.give_block(4, first);
        for _ in 0..BLOCKS_KEPT {
            let other = f.take_block(4).unwrap();
            assert_ne!(other, first);
            f.give_block(4, other);
        }
        assert_eq!(f.take_block(4), Some(first));
    }
}
