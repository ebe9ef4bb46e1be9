// SPDX-License-Identifier: BSD-2-Clause
//! A job: what the scheduler and the hardware need of it.

use crate::bo::EtnavivGem;
use crate::mmu::vm::{Use, Vm};
use crate::perfmon::requests::Requests;
use crate::perfmon_tables::Pipe;
use crate::stream::{CmdStream, Validated};
use drmkpi::alloc::{Arc, KVec};
use drmkpi::drm::stats::Stats;
use drmkpi::runner::holdings::Payload;
use drmkpi::runner::reaper::Reaped;
use drmkpi::util::account::Charge;

/// A job: a stream that may run, and what it must find when it runs.
pub(crate) struct Job {
    pub(crate) stream: CmdStream<Validated, KVec<u32>>,
    pub(crate) pipe: Pipe,
    pub(crate) vm: Arc<Vm>,
    pub(crate) fence: u32,
    pub(crate) stats: Arc<Stats>,
    /// Counters to be read.
    pub(crate) requests: Option<Arc<Requests>>,
    /// The VM in which the front end comes to this job, if this job leaves it: its tables are walked
    /// until then.
    pub(crate) left: Option<Arc<Vm>>,
    pub(crate) gems: KVec<Arc<EtnavivGem>>,
    pub(crate) uses: KVec<Use>,
    /// Last: what is not freed is charged.
    pub(crate) _charge: Charge,
}

impl Payload for Job {
    fn stats(&self) -> &Stats {
        &self.stats
    }

    /// With what was unmapped before it.
    fn free(self) {
        let vm = self.vm.clone();
        drop(self);
        vm.reap();
    }
}
