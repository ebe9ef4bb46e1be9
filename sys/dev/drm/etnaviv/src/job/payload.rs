// SPDX-License-Identifier: BSD-2-Clause
//! A job: what the scheduler and the hardware need of it.

use crate::bo::EtnavivGem;
use crate::mmu::vm::{Context, Use};
use crate::perfmon::requests::Requests;
use crate::perfmon_tables::Pipe;
use crate::reaper::Reaped;
use crate::stream::{CmdStream, Validated};
use drmkpi::alloc::{Arc, KVec};
use drmkpi::drm::stats::Stats;
use drmkpi::util::account::Charge;

/// A job: a stream that may run, and what it must find when it runs.
pub(crate) struct Job {
    pub(crate) stream: CmdStream<Validated, KVec<u32>>,
    pub(crate) pipe: Pipe,
    pub(crate) context: Arc<Context>,
    pub(crate) fence: u32,
    pub(crate) stats: Arc<Stats>,
    /// Counters to be read.
    pub(crate) requests: Option<Arc<Requests>>,
    /// The address space in which the front end comes to this job, if this job is the one that leaves it: its tables
    /// are walked until then.
    pub(crate) left: Option<Arc<Context>>,
    pub(crate) gems: KVec<Arc<EtnavivGem>>,
    pub(crate) uses: KVec<Use>,
    /// Last: what is not freed is charged.
    pub(crate) charge: Charge,
}

/// Frees what a job held that is over, and what was unmapped before it. Not in the GPU's own thread.
pub(crate) fn free(job: Job) {
    let context = job.context.clone();
    drop(job);
    context.tidy();
}
