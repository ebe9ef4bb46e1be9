// SPDX-License-Identifier: BSD-2-Clause
//! A job: what is written to the hardware to start it, and what it holds until it is freed.

use crate::mmu::mapping::Mapping;
use crate::mmu::vm::Vm;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::drm::stats::Stats;
use drmkpi::mem::pin::Pin;
use drmkpi::runner::holdings::Payload;
use drmkpi::util::account::Charge;

/// The id of no cache flush since the GPU was turned on. HW: ids do not survive a power-off; 1 is
/// older than all others.
pub(crate) const NO_FLUSH: u32 = 1;

/// A job.
pub struct Job {
    /// The GPU address of its chain.
    pub(crate) jc: u64,
    /// The id of the latest cache flush at the time of the submit.
    pub(crate) flush_id: u32,
    /// It needs the cycle counter.
    pub(crate) counts_cycles: bool,
    pub(crate) vm: Arc<Vm>,
    /// Its BOs, at their addresses in the VM.
    pub(crate) bos: KVec<Pin<Arc<Mapping>>>,
    /// Released last, so that memory stays charged until it is freed.
    pub(crate) charge: Charge,
}

impl Payload for Job {
    fn stats(&self) -> &Stats {
        self.vm.stats()
    }

    /// Releasing the mappings unmaps and frees the memory that only this job still used.
    fn free(self) {
        let Job {
            vm,
            mut bos,
            charge,
            ..
        } = self;
        while let Some(bo) = bos.pop() {
            if let Some(mapping) = bo.into_inner() {
                Mapping::release(mapping);
            }
        }
        vm.job_freed();
        drop(vm);
        drop(charge);
    }
}
