// SPDX-License-Identifier: BSD-2-Clause
//! Memory shared with a device or another process: volatile access only, never a Rust reference.

use crate::errno::{Errno, Sys};
use std::os::fd::{AsRawFd, BorrowedFd};

/// A shared mapping; unmapped when dropped. Offsets and lengths are in bytes; out of range panics.
#[derive(Debug)]
pub struct Mapping {
    base: *mut u8,
    len: usize,
}

impl Mapping {
    pub(crate) fn new(
        fd: BorrowedFd<'_>,
        offset: u64,
        len: usize,
        prot: i32,
        flags: i32,
    ) -> Sys<Mapping> {
        let offset = libc::off_t::try_from(offset).map_err(|_| Errno(libc::EOVERFLOW))?;
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                prot,
                flags,
                fd.as_raw_fd(),
                offset,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        Ok(Mapping {
            base: base.cast(),
            len,
        })
    }

    /// Bytes mapped.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Never true: mmap(2) refuses a length of 0.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The address, for a test that passes it to the kernel.
    pub fn address(&self) -> usize {
        self.base as usize
    }

    fn at<T>(&self, offset: usize) -> *mut T {
        let end = offset.checked_add(size_of::<T>());
        assert!(
            end.is_some_and(|end| end <= self.len),
            "offset {offset:#x} outside of a mapping of {:#x} bytes",
            self.len
        );
        assert!(
            offset.is_multiple_of(align_of::<T>()),
            "offset {offset:#x} is not aligned"
        );
        // SAFETY: the offset lies inside the mapping.
        unsafe { self.base.add(offset).cast() }
    }

    /// Reads 32 bits.
    pub fn read_u32(&self, offset: usize) -> u32 {
        // SAFETY: `at` gives an aligned address inside the live mapping.
        unsafe { self.at::<u32>(offset).read_volatile() }
    }

    /// Writes 32 bits.
    pub fn write_u32(&self, offset: usize, value: u32) {
        // SAFETY: `at` gives an aligned address inside the live mapping.
        unsafe { self.at::<u32>(offset).write_volatile(value) }
    }

    /// Writes 64 bits.
    pub fn write_u64(&self, offset: usize, value: u64) {
        // SAFETY: `at` gives an aligned address inside the live mapping.
        unsafe { self.at::<u64>(offset).write_volatile(value) }
    }

    /// Copies `bytes` into the mapping.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        for (i, byte) in bytes.iter().enumerate() {
            // SAFETY: `at` gives an address inside the live mapping.
            unsafe { self.at::<u8>(offset + i).write_volatile(*byte) }
        }
    }

    /// Copies `len` bytes out of the mapping.
    pub fn read(&self, offset: usize, len: usize) -> Vec<u8> {
        // SAFETY: `at` gives an address inside the live mapping.
        (offset..offset + len)
            .map(|at| unsafe { self.at::<u8>(at).read_volatile() })
            .collect()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: base and len are those of the mmap, and no reference into it was ever given out.
        unsafe { libc::munmap(self.base.cast(), self.len) };
    }
}
