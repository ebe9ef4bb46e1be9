// SPDX-License-Identifier: BSD-2-Clause
//! Memory for arguments: it ends where nothing is mapped, so that a kernel which reads or writes
//! too far is reported.

use std::ptr::null_mut;

const PAGE: usize = 4096;
/// Bytes of an arena: the largest structure that a request code can name.
pub const ROOM: usize = 4 * PAGE;

/// Memory that ends at a page without access.
#[derive(Debug)]
pub struct Arena {
    base: *mut u8,
    room: usize,
}

// SAFETY: the memory is the arena's alone and is reached through it only.
unsafe impl Send for Arena {}

impl Arena {
    /// Memory that can be read and written, or only read.
    pub fn new(writable: bool) -> Arena {
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing; mprotect is
        // notified.
        unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let base = libc::mmap(null_mut(), ROOM + PAGE, libc::PROT_READ, flags, -1, 0);
            assert!(base != libc::MAP_FAILED, "no memory");
            if writable {
                libc::mprotect(base, ROOM, libc::PROT_READ | libc::PROT_WRITE);
            }
            libc::mprotect(base.cast::<u8>().add(ROOM).cast(), PAGE, libc::PROT_NONE);
            Arena {
                base: base.cast(),
                room: ROOM,
            }
        }
    }

    /// The address from which `len` bytes reach up to the end.
    pub fn tail(&self, len: usize) -> usize {
        self.base as usize + self.room - len.min(self.room)
    }

    /// The first address without access.
    pub fn guard(&self) -> usize {
        self.base as usize + self.room
    }

    /// Puts bytes at the end.
    pub fn put(&self, bytes: &[u8]) -> usize {
        let at = self.tail(bytes.len());
        for (i, byte) in bytes.iter().enumerate() {
            // SAFETY: `bytes` is no longer than the room in front of the end.
            unsafe { (at as *mut u8).add(i).write_volatile(*byte) }
        }
        at
    }

    /// The last `len` bytes.
    pub fn take(&self, len: usize) -> Vec<u8> {
        let at = self.tail(len);
        // SAFETY: the bytes lie in front of the end.
        (0..len)
            .map(|i| unsafe { (at as *const u8).add(i).read_volatile() })
            .collect()
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`.
        unsafe { libc::munmap(self.base.cast(), self.room + PAGE) };
    }
}

/// A shared mapping of a file.
#[derive(Debug)]
pub struct Map {
    base: *mut u8,
    len: usize,
}

// SAFETY: the memory is reached through the mapping only, by volatile accesses.
unsafe impl Send for Map {}

impl Map {
    /// mmap(2); the errno when it fails.
    pub fn new(fd: i32, offset: u64, len: usize, prot: i32, flags: i32) -> Result<Map, i32> {
        // SAFETY: a new mapping at an address of the kernel's choice replaces nothing.
        let base = unsafe { libc::mmap(null_mut(), len, prot, flags, fd, offset as libc::off_t) };
        if base == libc::MAP_FAILED {
            return Err(errno());
        }
        Ok(Map {
            base: base.cast(),
            len,
        })
    }

    fn at(&self, offset: usize) -> *mut u32 {
        assert!(
            offset + 4 <= self.len && offset.is_multiple_of(4),
            "{offset:#x} in a mapping"
        );
        // SAFETY: inside of the mapping.
        unsafe { self.base.add(offset).cast() }
    }

    /// Reads 32 bits; the mapping must be readable.
    pub fn read(&self, offset: usize) -> u32 {
        // SAFETY: `at` has checked it.
        unsafe { self.at(offset).read_volatile() }
    }

    /// Writes 32 bits; the mapping must be writable.
    pub fn write(&self, offset: usize, value: u32) {
        // SAFETY: `at` has checked it.
        unsafe { self.at(offset).write_volatile(value) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`.
        unsafe { libc::munmap(self.base.cast(), self.len) };
    }
}

/// errno of this thread.
pub fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}
