// SPDX-License-Identifier: BSD-2-Clause
//! A job: what is written to the hardware to start it, and what it holds until it is freed.

use crate::bo::PanfrostGem;
use crate::mmu::mapping::Mapping;
use crate::mmu::vm::Vm;
use drmkpi::alloc::{Arc, KVec};
use drmkpi::drm::stats::Stats;
use drmkpi::mem::pin::Pin;
use drmkpi::runner::holdings::Payload;
use drmkpi::util::account::Charge;
use drmkpi::util::errno::Result;

/// A job.
pub struct Job {
    /// The GPU address of its chain.
    pub(crate) jc: u64,
    /// The id of the latest cache flush at the time of the submit.
    pub(crate) flush_id: u32,
    pub(crate) vm: Arc<Vm>,
    pub(crate) bos: KVec<JobBo>,
    /// Released last, so that memory stays charged until it is freed.
    pub(crate) charge: Charge,
}

/// A job's use of a BO.
pub(crate) struct JobBo {
    _pin: Pin,
    pub(crate) gem: Arc<PanfrostGem>,
    pub(crate) mapping: Arc<Mapping>,
}

impl JobBo {
    /// The use of `gem` at its address in the VM of the file with the id `file`. May sleep.
    ///
    /// # Errors
    ///
    /// EINVAL if the file has closed its last handle of the object.
    pub(crate) fn new(gem: Arc<PanfrostGem>, file: u64) -> Result<JobBo> {
        Ok(JobBo {
            mapping: gem.object().mapping(file)?,
            _pin: Pin::new(gem.buffer()),
            gem,
        })
    }
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
        while let Some(JobBo { _pin, gem, mapping }) = bos.pop() {
            drop((_pin, gem));
            Mapping::release(mapping);
        }
        vm.job_freed();
        drop(vm);
        drop(charge);
    }
}
