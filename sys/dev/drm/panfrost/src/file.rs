// SPDX-License-Identifier: BSD-2-Clause
//! Open files: each has a VM and its run queues.

use crate::device::Gpu;
use crate::job::context::Contexts;
use crate::job::payload::Job;
use crate::mmu::vm::Vm;
use crate::perfcnt::ioctls as perfcnt;
use crate::regs::job::Slot;
use drmkpi::alloc::Arc;
use drmkpi::drm::stats::Stats;
use drmkpi::runner::client::Client;
use drmkpi::runner::holdings::EndedJobs;
use drmkpi::util::account::Account;
use drmkpi::util::errno::Result;

/// The driver's part of an open file.
pub struct PanfrostFile {
    id: u64,
    gpu: Arc<Gpu>,
    pub(crate) vm: Arc<Vm>,
    pub(crate) stats: Arc<Stats>,
    /// What its ended jobs held, until it is freed.
    pub(crate) ended_jobs: Arc<EndedJobs<Job>>,
    /// The contexts besides the default one.
    pub(crate) contexts: Contexts,
    /// The default context; `None` once the file is being closed.
    client: Option<Client<Gpu>>,
}

impl PanfrostFile {
    /// A file with the number `id` and an empty VM, whose page tables are charged to `account`.
    ///
    /// # Errors
    ///
    /// ENOMEM, also above the account's limit; ENXIO if the device is being detached.
    pub(crate) fn new(gpu: &Arc<Gpu>, id: u64, account: &Arc<Account>) -> Result<PanfrostFile> {
        let os = gpu.os();
        let stats = Arc::new(os, Stats::default())?;
        let slots = [Slot::FRAGMENT.index(), Slot::VERTEX_TILER.index()];
        Ok(PanfrostFile {
            id,
            gpu: gpu.clone(),
            vm: Vm::new(&gpu.mmu, &gpu.vms, &stats, account)?,
            stats,
            ended_jobs: EndedJobs::new(os, &gpu.jobs)?,
            contexts: Contexts::new(os)?,
            client: Some(Client::new(gpu, &slots)?),
        })
    }

    /// The run queues of the default context; `None` once the file is being closed.
    pub(crate) fn client(&self) -> Option<&Client<Gpu>> {
        self.client.as_ref()
    }
}

impl Drop for PanfrostFile {
    fn drop(&mut self) {
        self.ended_jobs.close();
        // Cancels its jobs, and has the hardware stop those in flight.
        drop(self.client.take());
        self.contexts.clear();
        perfcnt::close(&self.gpu, self.id);
        self.vm.close();
    }
}
