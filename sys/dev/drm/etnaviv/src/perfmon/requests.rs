// SPDX-License-Identifier: BSD-2-Clause
//! The performance counters that a submit wants read, and where their values go.

use crate::perfmon_tables::{Domain, Sample};
use drmkpi::alloc::KVec;
use drmkpi::os::KernelMap;
use drmkpi::util::int_conv::usize_of_u32;

/// One counter to be read.
pub(crate) struct Request {
    pub(crate) before: bool,
    pub(crate) behind: bool,
    pub(crate) domain: &'static Domain,
    pub(crate) sample: Sample,
    /// Written to word 0 of the buffer when all is done.
    pub(crate) sequence: u32,
    /// Which of the buffers, and which word of it.
    pub(crate) map: usize,
    pub(crate) word: u32,
}

/// The counters that a submit wants, and where their values go.
pub(crate) struct Requests {
    pub(crate) list: KVec<Request>,
    pub(crate) maps: KVec<KernelMap>,
}

impl Requests {
    /// Writes a value into a word of a map.
    pub(crate) fn store(&self, map: usize, word: u32, value: u32) {
        if let Some(map) = self.maps.get(map) {
            map.store(usize_of_u32(word), &[value]);
        }
    }
}
