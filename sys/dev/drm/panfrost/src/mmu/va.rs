// SPDX-License-Identifier: BSD-2-Clause
//! Where buffers are in a context's address space. Pure.
//!
//! HW: programs are fetched relative to a 24-bit program counter, so an executable buffer must not
//! cross a 16 MiB boundary and neither begin nor end at a 4 GiB one (docs/hw/panfrost.md, Virtual
//! addresses). Large buffers that are not executable start at a 2 MiB boundary, so that 2 MiB leaves
//! can map them.

use crate::mmu::vm::Region;
use drmkpi::util::errno::{Result, EINVAL, ENOSPC};
use drmkpi::util::sorted_map::SortedMap;

/// First address that clients are given; Mesa relies on the window (docs/hw/panfrost.md, Virtual addresses).
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
            let size = self
                .size
                .checked_next_power_of_two()
                .filter(|n| *n <= PC_SPAN);
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

/// Finds room for a buffer among `regions`, by their starts: the first gap behind `hint`, or else
/// the first of all.
///
/// # Errors
///
/// ENOSPC.
pub(crate) fn find(regions: &SortedMap<u64, Region>, need: Need, hint: u64) -> Result<u64> {
    let align = need.align()?;
    gap(regions, need, align, hint.max(START))
        .or_else(|| gap(regions, need, align, START))
        .ok_or(ENOSPC)
}

/// The first good address from `low` on.
fn gap(regions: &SortedMap<u64, Region>, need: Need, align: u64, low: u64) -> Option<u64> {
    let before = regions.before(low);
    let mut from = before.map_or(low, |(_, region)| low.max(region.end()));
    for (start, region) in regions.from(low) {
        if let Some(at) = need.fit(align, from, start) {
            return Some(at);
        }
        from = region.end();
    }
    need.fit(align, from, END)
}
