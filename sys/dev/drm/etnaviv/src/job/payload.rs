// SPDX-License-Identifier: BSD-2-Clause
//! A job: what is written to the ring to start it, and what it holds until it is freed.

use crate::mmu::uses::BufferUses;
use crate::mmu::vm::Vm;
use crate::perfmon::requests::Requests;
use crate::perfmon_tables::Pipe;
use crate::stream::{CmdStream, Validated};
use drmkpi::alloc::{Arc, KVec};
use drmkpi::drm::stats::Stats;
use drmkpi::runner::holdings::Payload;
use drmkpi::runner::reaper::Reaped;
use drmkpi::util::account::Charge;

/// A validated stream in the kernel's memory.
pub(crate) type Stream = CmdStream<Validated, KVec<u32>>;

/// A job: a validated stream, and the buffers, mappings and counters that it uses.
pub(crate) struct Job {
    /// The stream; `None` while the job task copies it to its place.
    pub(crate) stream: Option<Stream>,
    pub(crate) pipe: Pipe,
    pub(crate) vm: Arc<Vm>,
    pub(crate) fence: u32,
    pub(crate) stats: Arc<Stats>,
    /// Counters to be read.
    pub(crate) requests: Option<Arc<Requests>>,
    /// The VM that was loaded before this job, if it is another one. Its page table is used until
    /// this job switches to its own.
    pub(crate) left: Option<Arc<Vm>>,
    pub(crate) uses: BufferUses,
    /// Released last, so that memory stays charged until it is freed.
    pub(crate) _charge: Charge,
}

impl Payload for Job {
    fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Frees also what was unmapped and could be reached by this job.
    fn free(self) {
        let Job {
            vm,
            uses,
            stream,
            requests,
            left,
            ..
        } = self;
        let retired = uses.end();
        drop((stream, requests, left));
        if retired {
            vm.reap();
        }
    }
}
