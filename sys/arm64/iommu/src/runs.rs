// SPDX-License-Identifier: BSD-2-Clause
//! The runs of leaves that map a range: what goes into one table, by leaves of one size.

use crate::addr::{distance, IovaRange, PageSize, Span};
use crate::fmt::{block_level, index, last_level, span, Format};

/// Pages of a block.
const BLOCK_PAGES: usize = 512;

/// The memory that a range is mapped to.
pub(crate) trait Memory: Copy {
    /// The addresses of the pages from the byte `at` of the range on; it may have more than the
    /// range.
    fn pages(self, at: u64) -> impl Iterator<Item = u64>;

    /// Likewise, of every 512th page.
    fn heads(self, at: u64) -> impl Iterator<Item = u64>;

    /// How many blocks there are in a row from the byte `at` on, at most `most`.
    fn blocks(self, at: u64, most: u64) -> u64;
}

/// Contiguous memory from an address on.
#[derive(Clone, Copy)]
pub(crate) struct Contiguous(pub(crate) u64);

impl Contiguous {
    fn at(self, at: u64) -> u64 {
        // OVERFLOW: none: `map` has checked the end.
        self.0.wrapping_add(at)
    }
}

impl Memory for Contiguous {
    #[inline(always)]
    fn pages(self, at: u64) -> impl Iterator<Item = u64> {
        Steps(self.at(at), PageSize::Size4K)
    }

    #[inline(always)]
    fn heads(self, at: u64) -> impl Iterator<Item = u64> {
        Steps(self.at(at), PageSize::Size2M)
    }

    fn blocks(self, at: u64, most: u64) -> u64 {
        if Span::BLOCK.divides(self.at(at)) {
            most
        } else {
            0
        }
    }
}

/// Addresses from one on, each further by a size.
struct Steps(u64, PageSize);

impl Iterator for Steps {
    type Item = u64;

    #[inline(always)]
    fn next(&mut self) -> Option<u64> {
        // OVERFLOW: not before the end of the range, which `map` has checked.
        let after = self.0.wrapping_add(self.1.bytes());
        Some(core::mem::replace(&mut self.0, after))
    }
}

/// Pages by their addresses.
#[derive(Clone, Copy)]
pub(crate) struct Pages<'a>(pub(crate) &'a [u64]);

impl<'a> Pages<'a> {
    /// Those from the byte `at` of the range on.
    fn from(self, at: u64) -> &'a [u64] {
        let first = usize::try_from(Span::PAGE.count(at)).unwrap_or(usize::MAX);
        self.0.get(first..).unwrap_or_default()
    }
}

impl Memory for Pages<'_> {
    #[inline(always)]
    fn pages(self, at: u64) -> impl Iterator<Item = u64> {
        self.from(at).iter().copied()
    }

    #[inline(always)]
    fn heads(self, at: u64) -> impl Iterator<Item = u64> {
        self.from(at).iter().copied().step_by(BLOCK_PAGES)
    }

    fn blocks(self, at: u64, most: u64) -> u64 {
        let blocks = self.from(at).chunks_exact(BLOCK_PAGES).zip(0..most);
        let whole = blocks.take_while(|(pages, _)| is_block(pages)).count();
        u64::try_from(whole).unwrap_or(most)
    }
}

/// Whether `pages` are contiguous, the first aligned to a block.
fn is_block(pages: &[u64]) -> bool {
    let (Some(first), Some(last)) = (pages.first(), pages.last()) else {
        return false;
    };
    // Scattered pages mostly end it here.
    if !Span::BLOCK.divides(*first) || distance(*first, *last) != Span::PAGE.times(511) {
        return false;
    }
    let mut expected = (0..).map(|n| first | Span::PAGE.times(n));
    pages.iter().all(|page| Some(*page) == expected.next())
}

/// Adjacent leaves of one size in one table.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) size: PageSize,
    pub(crate) iova: u64,
    /// Where it begins, in bytes from the start of the range.
    pub(crate) at: u64,
    /// Index of the first leaf.
    pub(crate) first: u32,
    /// The index after the last leaf.
    pub(crate) end: u32,
    pub(crate) count: u32,
}

impl Run {
    /// The level of its leaves.
    #[inline]
    pub(crate) const fn level<F: Format>(&self) -> u32 {
        match self.size {
            PageSize::Size4K => last_level::<F>(),
            PageSize::Size2M => block_level::<F>(),
        }
    }
}

/// The runs that map a range, in ascending order.
pub(crate) struct Runs<F, P> {
    start: u64,
    pub(crate) iova: u64,
    end: u64,
    memory: P,
    format: core::marker::PhantomData<F>,
}

impl<F: Format, P: Memory> Runs<F, P> {
    pub(crate) fn new(range: IovaRange, memory: P) -> Self {
        Self {
            start: range.start().0,
            iova: range.start().0,
            end: range.end().0,
            memory,
            format: core::marker::PhantomData,
        }
    }

    /// How many blocks begin at the current address, at most those of one table.
    #[inline(always)]
    fn blocks(&self, left: u64) -> u64 {
        if F::BLOCKS && left >= Span::BLOCK.times(1) && Span::BLOCK.divides(self.iova) {
            let at = distance(self.start, self.iova);
            self.memory.blocks(at, Span::BLOCK.count(left))
        } else {
            0
        }
    }
}

impl<F: Format, P: Memory> Iterator for Runs<F, P> {
    type Item = Run;

    #[inline(always)]
    fn next(&mut self) -> Option<Run> {
        let left = distance(self.iova, self.end);
        if left == 0 {
            return None;
        }
        let (size, level, leaves) = match self.blocks(left) {
            // A run of pages ends at the end of its table at the latest, where a block may begin.
            0 => (PageSize::Size4K, last_level::<F>(), Span::PAGE.count(left)),
            blocks => (PageSize::Size2M, block_level::<F>(), blocks),
        };
        let first = index::<F>(level, self.iova);
        let room = F::ENTRIES.checked_sub(first)?;
        let count = u32::try_from(leaves).unwrap_or(room).min(room);
        let run = Run {
            size,
            iova: self.iova,
            at: distance(self.start, self.iova),
            first,
            end: first.checked_add(count)?,
            count,
        };
        // It does not overflow before the end of the range.
        let len = span::<F>(level).times(u64::from(count));
        self.iova = self.iova.checked_add(len)?;
        Some(run)
    }
}
