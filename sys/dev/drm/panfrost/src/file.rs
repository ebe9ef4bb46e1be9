// SPDX-License-Identifier: BSD-2-Clause
//! Open files: a VM, and run queues.

use crate::device::Gpu;
use crate::job::payload::Job;
use crate::mmu::vm::Vm;
use crate::perfcnt::ioctls as perfcnt;
use crate::regs::job::Slot;
use drmkpi::alloc::Arc;
use drmkpi::drm::stats::Stats;
use drmkpi::runner::client::Client;
use drmkpi::runner::holdings::Remains;
use drmkpi::util::account::Account;
use drmkpi::util::errno::Result;

/// What the driver keeps per open file.
pub struct PanfrostFile {
    id: u64,
    gpu: Arc<Gpu>,
    pub(crate) vm: Arc<Vm>,
    pub(crate) stats: Arc<Stats>,
    /// What its jobs held that have ended.
    pub(crate) remains: Arc<Remains<Job>>,
    /// None when the file is being closed.
    client: Option<Client<Gpu>>,
}

impl PanfrostFile {
    /// A file with the number `id` and an empty VM, which `account` pays for.
    ///
    /// # Errors
    ///
    /// ENOMEM, also over the account's limit; ENXIO when the device is removed.
    pub(crate) fn new(gpu: &Arc<Gpu>, id: u64, account: &Arc<Account>) -> Result<PanfrostFile> {
        let os = gpu.os();
        let stats = Arc::new(os, Stats::default())?;
        let slots = [Slot::FRAGMENT.index(), Slot::VERTEX_TILER.index()];
        Ok(PanfrostFile {
            id,
            gpu: gpu.clone(),
            vm: Vm::new(&gpu.mmu, &gpu.vms, &stats, account)?,
            stats,
            remains: Remains::new(os, &gpu.jobs)?,
            client: Some(Client::new(gpu, &slots)?),
        })
    }

    /// Its run queues; None when the file is being closed.
    pub(crate) fn client(&self) -> Option<&Client<Gpu>> {
        self.client.as_ref()
    }
}

impl Drop for PanfrostFile {
    fn drop(&mut self) {
        self.remains.close();
        // Its jobs are cancelled, or stopped.
        drop(self.client.take());
        perfcnt::close(&self.gpu, self.id);
        self.vm.close();
    }
}
