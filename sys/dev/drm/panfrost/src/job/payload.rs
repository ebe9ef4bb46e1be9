// SPDX-License-Identifier: BSD-2-Clause
//! A job: what the hardware needs to know, and what it holds.

use crate::bo::PanfrostGem;
use crate::mmu::mapping::Mapping;
use crate::mmu::vm::Vm;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::drm::stats::Stats;
use drmkpi::mem::pin::Pin;
use drmkpi::runner::holdings::Payload;
use drmkpi::util::account::Charge;

/// A job.
pub struct Job {
    /// The GPU address of its chain.
    pub(crate) jc: u64,
    /// The latest cache flush when it was submitted.
    pub(crate) flush_id: u32,
    pub(crate) vm: Arc<Vm>,
    pub(crate) pins: KVec<Pin>,
    pub(crate) gems: KVec<Arc<PanfrostGem>>,
    pub(crate) mappings: KVec<Arc<Mapping>>,
    /// Released last: what is not freed is charged.
    pub(crate) charge: Charge,
}

impl Payload for Job {
    fn stats(&self) -> &Stats {
        self.vm.stats()
    }

    /// Its memory is unmapped and freed with the mappings.
    fn free(self) {
        let Job {
            vm,
            pins,
            gems,
            mut mappings,
            charge,
            ..
        } = self;
        drop((pins, gems));
        while let Some(mapping) = mappings.pop() {
            Mapping::give_up(mapping);
        }
        vm.job_freed();
        drop(vm);
        drop(charge);
    }
}
