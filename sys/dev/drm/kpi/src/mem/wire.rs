// SPDX-License-Identifier: BSD-2-Clause
//! The pages of a buffer in chunks, for a page table.
//!
//! Pages are waited for and zeroed with no lock held, and a page table's lock is held for one chunk
//! at a time.

use crate::alloc::KVec;
use crate::mem::buffer::{Buffer, GROWTH};
use crate::mem::table_mem::Spare;
use crate::os::{Dev, Os, PAGE_SIZE};
use crate::util::errno::{Result, EINVAL, ENOMEM};
use crate::util::int_conv::usize_of;
use core::ops::Range;

/// The end of the chunk that the GPU address `va` is in: chunks are aligned in the address space,
/// so that the leaves of one are in one table.
pub fn chunk_end(va: u64) -> u64 {
    // OVERFLOW: the last chunk of all ends at 2^64 - 1.
    (va | (GROWTH - 1)).saturating_add(1)
}

/// Wires the pages of a buffer that is at the GPU address `start`, and calls `f` with the offset of
/// each chunk in `bytes` and the physical addresses of its pages.
///
/// # Errors
///
/// ENOMEM, ENXIO if the buffer is purged, and the errors of `f`. Some chunks may be done then.
pub fn for_each_chunk(
    os: Os,
    buffer: &Buffer,
    start: u64,
    bytes: Range<u64>,
    mut f: impl FnMut(u64, &[u64]) -> Result<()>,
) -> Result<()> {
    let len = bytes.end.checked_sub(bytes.start).ok_or(EINVAL)?;
    let mut pas = KVec::filled(os, 0u64, usize_of(len.min(GROWTH) / PAGE_SIZE))?;
    let mut at = bytes.start;
    while at < bytes.end {
        let va = start.checked_add(at).ok_or(EINVAL)?;
        let rest = chunk_end(va).checked_sub(va).ok_or(EINVAL)?;
        let next = at.checked_add(rest).ok_or(EINVAL)?.min(bytes.end);
        let pages = next.checked_sub(at).ok_or(EINVAL)? / PAGE_SIZE;
        let chunk = pas.get_mut(..usize_of(pages)).ok_or(EINVAL)?;
        buffer.wire(at / PAGE_SIZE, chunk)?;
        f(at, chunk)?;
        at = next;
    }
    Ok(())
}

/// As [`for_each_chunk`], for a page table: `map` also gets spare tables, which are allocated if it
/// returns ENOMEM, before it is called again.
///
/// # Errors
///
/// As [`for_each_chunk`].
pub fn map_chunks(
    dev: Dev,
    buffer: &Buffer,
    start: u64,
    bytes: Range<u64>,
    mut map: impl FnMut(u64, &[u64], &mut Spare) -> Result<()>,
) -> Result<()> {
    let mut spare = Spare::new(dev);
    for_each_chunk(dev.os(), buffer, start, bytes, |offset, pas| {
        match map(offset, pas, &mut spare) {
            Err(ENOMEM) => {
                spare.fill()?;
                map(offset, pas, &mut spare)
            }
            mapped => mapped,
        }
    })
}
