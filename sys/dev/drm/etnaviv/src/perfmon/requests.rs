// SPDX-License-Identifier: BSD-2-Clause
//! The requests of a submit to read performance counters.

use crate::perfmon_tables::{Domain, Sample};
use drmkpi::alloc::KVec;
use drmkpi::os::KernelMap;
use drmkpi::util::int_conv::usize_of_u32;

/// A request to read one counter.
pub(crate) struct Request {
    /// Whether it is read before the stream.
    pub(crate) before: bool,
    /// Whether it is read after the stream.
    pub(crate) after: bool,
    pub(crate) domain: &'static Domain,
    pub(crate) sample: Sample,
    /// Written to word 0 of the buffer after all counters are read.
    pub(crate) sequence: u32,
    /// The index of the buffer that receives the value, and the word in it.
    pub(crate) map: usize,
    pub(crate) word: u32,
}

/// The counter requests of a submit, and the buffers that receive the values.
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
