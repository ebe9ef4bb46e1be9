// SPDX-License-Identifier: BSD-2-Clause
//! Where buffers are in a context's address space. Pure.
//!
//! HW: programs are fetched relative to a 24-bit program counter, so an executable buffer must not cross a
//! 16 MiB boundary and neither begin nor end at a 4 GiB one (facts, section 2.4). Large buffers that are
//! not executable start at a 2 MiB boundary, so that 2 MiB leaves can map them.

use crate::context::Region;
use drmkpi::alloc::KVec;
use drmkpi::errno::{Result, EINVAL, ENOSPC};

/// First address that clients are given; Mesa relies on the window (facts, section 1.5).
pub(crate) const START: u64 = 0x0200_0000;
/// The address behind the last one.
pub(crate) const END: u64 = 0x1_0000_0000;
/// Bits of an address in the window.
pub(crate) const BITS: u32 = 32;

const BLOCK: u64 = 2 << 20;
const PC_SPAN: u64 = 16 << 20;

/// What a buffer needs of its address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Need {
    /// Bytes, whole pages.
    pub(crate) size: u64,
    /// Whether programs are fetched from it.
    pub(crate) exec: bool,
}

impl Need {
    fn align(self) -> Result<u64> {
        if self.exec {
            let size = self.size.checked_next_power_of_two().filter(|n| *n <= PC_SPAN);
            return size.ok_or(EINVAL).or(if self.size > PC_SPAN {
                Ok(PC_SPAN)
            } else {
                Err(EINVAL)
            });
        }
        Ok(if self.size >= BLOCK { BLOCK } else { 4096 })
    }

    /// The lowest good address in `start..end`.
    fn fit(self, align: u64, start: u64, end: u64) -> Option<u64> {
        let at = start.checked_next_multiple_of(align)?;
        let behind = at.checked_add(self.size)?;
        let last = if self.exec {
            end.min(END.wrapping_sub(1))
        } else {
            end
        };
        (behind <= last).then_some(at)
    }
}

/// Finds room for a buffer among `regions`, which are in order of address: the first gap behind `hint`, or
/// else the first of all. The answer is where, and at which index of `regions` it belongs.
///
/// # Errors
///
/// ENOSPC.
pub(crate) fn find(regions: &KVec<Region>, need: Need, hint: u64) -> Result<(u64, usize)> {
    let align = need.align()?;
    let first = regions.partition_point(|r| r.end() <= hint);
    let after = gaps(regions, first, hint.max(START));
    let before = gaps(regions, 0, START);
    for (index, start, end) in after.chain(before) {
        if let Some(at) = need.fit(align, start, end) {
            return Ok((at, index));
        }
    }
    Err(ENOSPC)
}

/// The gaps before each region from `first` on, and behind the last: index, start, end.
fn gaps(regions: &[Region], first: usize, from: u64) -> impl Iterator<Item = (usize, u64, u64)> + '_ {
    let rest = regions.get(first..).unwrap_or_default();
    let starts = core::iter::once(from).chain(rest.iter().map(Region::end));
    let ends = rest.iter().map(Region::start).chain(core::iter::once(END));
    let indexes = core::iter::successors(Some(first), |i| Some(i.wrapping_add(1)));
    indexes
        .zip(starts.zip(ends))
        .map(|(index, (start, end))| (index, start, end))
}
