// SPDX-License-Identifier: BSD-2-Clause
//! Allocation of virtual addresses in a VM, as pure functions.
//!
//! HW: programs are fetched relative to a 24-bit program counter, so an executable buffer must not
//! cross a 16 MiB boundary and neither begin nor end at a 4 GiB one (docs/hw/panfrost.md, Virtual
//! addresses). Large buffers that are not executable start at a 2 MiB boundary, so that 2 MiB
//! leaves can map them.

use core::ops::Range;
use drmkpi::mem::region_map::{Region, RegionMap};
use drmkpi::mem::va_alloc::first_fit;
use drmkpi::util::errno::{Result, EINVAL, ENOSPC};

/// The lowest address of a buffer; Mesa relies on the range (docs/hw/panfrost.md, Virtual
/// addresses).
pub(crate) const START: u64 = 0x0200_0000;
/// The end of the range of addresses.
pub(crate) const END: u64 = 0x1_0000_0000;
/// Bits of an address in the range.
pub(crate) const BITS: u32 = 32;

const BLOCK: u64 = 2 << 20;
const PC_SPAN: u64 = 16 << 20;

/// The requirements of a buffer for its address.
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

    /// The lowest suitable address in `gap`.
    fn fit(self, align: u64, gap: Range<u64>) -> Option<u64> {
        let start = gap.start.checked_next_multiple_of(align)?;
        let end = start.checked_add(self.size)?;
        // An executable buffer does not end at the 4 GiB boundary.
        let ends_at_4g = self.exec && end == END;
        (end <= gap.end && !ends_at_4g).then_some(start)
    }
}

/// Finds an address for a buffer between `regions`: in the first gap after `hint` with enough room,
/// or else in the first gap of all.
///
/// # Errors
///
/// ENOSPC if there is no such gap.
pub(crate) fn find<R: Region>(regions: &RegionMap<R>, need: Need, hint: u64) -> Result<u64> {
    let align = need.align()?;
    let first = |range| first_fit(regions, range, need.size, align, |gap| need.fit(align, gap));
    first(hint.max(START)..END)
        .or_else(|| first(START..END))
        .ok_or(ENOSPC)
}
