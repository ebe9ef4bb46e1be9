// SPDX-License-Identifier: BSD-2-Clause
//! Where buffers are in a VM. Pure.
//!
//! HW: programs are fetched relative to a 24-bit program counter, so an executable buffer must not
//! cross a 16 MiB boundary and neither begin nor end at a 4 GiB one (docs/hw/panfrost.md, Virtual
//! addresses). Large buffers that are not executable start at a 2 MiB boundary, so that 2 MiB leaves
//! can map them.

use core::ops::Range;
use drmkpi::mem::va_alloc::{first_fit, Region};
use drmkpi::util::errno::{Result, EINVAL, ENOSPC};
use drmkpi::util::sorted_map::SortedMap;

/// First address that clients are given; Mesa relies on the window (docs/hw/panfrost.md, Virtual
/// addresses).
pub(crate) const START: u64 = 0x0200_0000;
/// The address after the last one.
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

    /// The lowest good address in `gap`.
    fn fit(self, align: u64, gap: Range<u64>) -> Option<u64> {
        let start = gap.start.checked_next_multiple_of(align)?;
        let end = start.checked_add(self.size)?;
        // An executable buffer does not end at the 4 GiB boundary.
        let ends_at_4g = self.exec && end == END;
        (end <= gap.end && !ends_at_4g).then_some(start)
    }
}

/// Finds room for a buffer among `regions`, by their starts: in the first gap after `hint`, or else
/// in the first of all.
///
/// # Errors
///
/// ENOSPC.
pub(crate) fn find<R: Region>(regions: &SortedMap<u64, R>, need: Need, hint: u64) -> Result<u64> {
    let align = need.align()?;
    let fit = |gap| need.fit(align, gap);
    first_fit(regions, hint.max(START)..END, |_| true, fit)
        .or_else(|| first_fit(regions, START..END, |_| true, fit))
        .ok_or(ENOSPC)
}
