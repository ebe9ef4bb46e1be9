// SPDX-License-Identifier: BSD-2-Clause
//! Wiring the pages of a buffer and mapping them, in chunks.
//!
//! Pages are allocated and zeroed, which may wait, with no lock held, and the lock of a page table
//! is held for one chunk at a time.

use crate::alloc::KVec;
use crate::mem::buffer::{Buffer, GROWTH};
use crate::mem::table_mem::Spare;
use crate::os::{Os, PAGE_SIZE};
use crate::util::errno::{Result, EINVAL, ENOMEM};
use crate::util::int_conv::usize_of;
use core::ops::Range;

/// The end of the chunk that contains the GPU address `va`. Chunks are aligned in the address
/// space, so that the leaves of one are in one table.
pub fn chunk_end(va: u64) -> u64 {
    // OVERFLOW: saturates: the end of the last chunk of all.
    (va | (GROWTH - 1)).saturating_add(1)
}

/// Wires the pages in the range `bytes` of a buffer that is at the GPU address `start`, and calls
/// `f` with the offset of each chunk and the physical addresses of its pages.
///
/// # Errors
///
/// ENOMEM; ENXIO if the buffer was purged; the errors of `f`. Chunks before the error are done.
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

/// As [`for_each_chunk`], for a page table: `map` is also passed spare tables, none at first. If it
/// returns ENOMEM, they are filled, and it is called again.
///
/// # Errors
///
/// As [`for_each_chunk`].
pub fn map_chunks(
    mut spare: Spare,
    buffer: &Buffer,
    start: u64,
    bytes: Range<u64>,
    mut map: impl FnMut(u64, &[u64], &mut Spare) -> Result<()>,
) -> Result<()> {
    for_each_chunk(spare.os(), buffer, start, bytes, |offset, pas| {
        match map(offset, pas, &mut spare) {
            Err(ENOMEM) => {
                spare.fill()?;
                map(offset, pas, &mut spare)
            }
            mapped => mapped,
        }
    })
}
