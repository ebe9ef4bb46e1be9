// SPDX-License-Identifier: BSD-2-Clause
//! Memory of this process that can be given to a GPU: whole pages, volatile access only.

use crate::errno::{check, Errno, Sys};

/// Anonymous pages; unmapped when dropped. Offsets are in bytes; out of range panics.
#[derive(Debug)]
pub struct Pages {
    base: *mut u8,
    len: usize,
}

impl Pages {
    /// Zeroed memory that can be read and written.
    ///
    /// # Errors
    /// What mmap(2) gives.
    pub fn new(len: usize) -> Sys<Pages> {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        let base = unsafe { libc::mmap(std::ptr::null_mut(), len, prot, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        Ok(Pages {
            base: base.cast(),
            len,
        })
    }

    /// Changes what may be done with all of it. The methods write only where `prot` lets them.
    ///
    /// # Errors
    /// What mprotect(2) gives.
    pub fn protect(&self, prot: i32) -> Sys<()> {
        // SAFETY: the range is this mapping, which no reference points into.
        check(unsafe { libc::mprotect(self.base.cast(), self.len, prot) }).map(drop)
    }

    /// The address.
    pub fn address(&self) -> usize {
        self.base as usize
    }

    fn at(&self, offset: usize) -> *mut u32 {
        assert!(
            offset.is_multiple_of(4) && offset < self.len,
            "offset {offset:#x} in {:#x} bytes",
            self.len
        );
        // SAFETY: the offset lies inside the mapping.
        unsafe { self.base.add(offset).cast() }
    }

    /// Reads 32 bits.
    pub fn read_u32(&self, offset: usize) -> u32 {
        // SAFETY: `at` gives an aligned address inside the live mapping.
        unsafe { self.at(offset).read_volatile() }
    }

    /// Writes 32 bits.
    pub fn write_u32(&self, offset: usize, value: u32) {
        // SAFETY: `at` gives an aligned address inside the live mapping.
        unsafe { self.at(offset).write_volatile(value) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: base and len are those of the mmap, and no reference into it was ever given out.
        unsafe { libc::munmap(self.base.cast(), self.len) };
    }
}
