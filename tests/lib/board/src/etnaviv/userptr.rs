// SPDX-License-Identifier: BSD-2-Clause
//! GEM_USERPTR: buffers that are memory of the client.

use super::Client;
use crate::Result;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use uapi::etnaviv::{GemUserptr, GEM_USERPTR};

const WORDS: usize = 1024;

#[repr(align(4096))]
struct Page([AtomicU32; WORDS]);

/// Whole pages of this process that the GPU may write.
pub struct UserMemory(Vec<Page>);

impl UserMemory {
    /// New pages of zeroes.
    pub fn new(pages: usize) -> UserMemory {
        UserMemory(
            (0..pages)
                .map(|_| Page([const { AtomicU32::new(0) }; WORDS]))
                .collect(),
        )
    }

    /// Address in this process.
    pub fn address(&self) -> u64 {
        self.0.as_ptr() as u64
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        (self.0.len() * WORDS * 4) as u64
    }

    fn word(&self, at: usize) -> &AtomicU32 {
        &self.0[at / 4 / WORDS].0[at / 4 % WORDS]
    }

    /// Stores the word at byte `at`.
    pub fn put(&self, at: usize, value: u32) {
        self.word(at).store(value, Relaxed);
    }

    /// Loads the word at byte `at`.
    pub fn get(&self, at: usize) -> u32 {
        self.word(at).load(Relaxed)
    }
}

impl Client {
    /// GEM_USERPTR of memory of this process; returns the handle. Flags: read 1, write 2.
    pub fn userptr(&self, address: u64, size: u64, flags: u32) -> Result<u32> {
        let arg = GemUserptr {
            user_ptr: address,
            user_size: size,
            flags,
            handle: 0,
        };
        Ok(self.ioctl(GEM_USERPTR, arg)?.handle)
    }
}
