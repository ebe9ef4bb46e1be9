// SPDX-License-Identifier: BSD-2-Clause
//! A GPU: its cores, each a node of the device tree, and what they share. The index of a core is
//! the "pipe" of the user ABI.

use crate::gpu_core::{Core, Identified, Shared};
use crate::job::ring::CORES;
use crate::mmu::vm::Vm;
use crate::mmu::{Mmu, Version};
use drmkpi::alloc::Arc;
use drmkpi::drm::coredump::CoreDump;
use drmkpi::drm::driver::Suspend;
use drmkpi::drm::stats::Stats;
use drmkpi::os::{Dev, Mtx, Os, TaskQueue};
use drmkpi::runner::backend::Runner;
use drmkpi::runner::reaper::Reaper;
use drmkpi::runner::refusals::Refusals;
use drmkpi::util::account::Account;
use drmkpi::util::errno::{Result, EINVAL, ENXIO};
use drmkpi::util::int_conv::usize_of_u32;

/// A GPU.
pub struct Gpu {
    pub(crate) shared: Arc<Shared>,
    /// MMUv1: the VM that all files share.
    common: Option<Arc<Vm>>,
    cores: Mtx<[Option<Arc<Core>>; CORES]>,
    pub(crate) refusals: Refusals,
}

impl Gpu {
    /// Initialises a GPU with the core of a device node.
    ///
    /// # Errors
    ///
    /// ENODEV for hardware that this driver does not support, EIO if it cannot be reset, ENOMEM.
    pub(crate) fn attach(dev: Dev) -> Result<Arc<Gpu>> {
        let os = dev.os();
        let found = Identified::new(dev)?;
        let mmu = Arc::new(os, Mmu::new(dev, &found.identity)?)?;
        let vms = Reaper::new(os)?;
        let common = match mmu.version() {
            Version::V1 => Some(Vm::new(&mmu, &vms, None)?),
            Version::V2 | Version::V2Secure => None,
        };
        let shared = Shared {
            mmu,
            vms,
            stats: Arc::new(os, Stats::default())?,
            dump: Arc::new(os, CoreDump::new(os)?)?,
            jobs: Reaper::new(os)?,
        };
        let gpu = Gpu {
            shared: Arc::new(os, shared)?,
            common,
            cores: Mtx::new(os, c"etnaviv cores", [const { None }; CORES])?,
            refusals: Refusals::default(),
        };
        let gpu = Arc::new(os, gpu)?;
        let ready = gpu.start_reapers(os).and_then(|()| gpu.add(found));
        if ready.is_err() {
            gpu.stop_reapers();
        }
        ready.map(|()| gpu)
    }

    /// Starts both reapers, in one queue.
    fn start_reapers(&self, os: Os) -> Result<()> {
        let queue = Arc::new(os, TaskQueue::background(os, c"etnaviv reaper")?)?;
        Reaper::start(&self.shared.jobs, &queue)?;
        Reaper::start(&self.shared.vms, &queue)
    }

    fn stop_reapers(&self) {
        // In this order: freeing jobs unmaps buffers, which leaves work for the second reaper.
        self.shared.jobs.stop();
        self.shared.vms.stop();
    }

    /// Adds the core of a device node.
    ///
    /// # Errors
    ///
    /// ENXIO if it cannot belong to this GPU, as it has another MMU or there are too many cores;
    /// otherwise as `attach`.
    pub(crate) fn join(&self, dev: Dev) -> Result<()> {
        let found = Identified::new(dev)?;
        if Version::of(&found.identity) != self.shared.mmu.version() {
            return Err(ENXIO);
        }
        self.add(found)
    }

    fn add(&self, mut found: Identified) -> Result<()> {
        if self.shared.mmu.breaks_tile_status(&found.identity) {
            found.identity.forbid_fast_clear();
        }
        // Nodes are attached one at a time.
        let free = self
            .cores
            .lock()
            .iter()
            .position(Option::is_none)
            .ok_or(ENXIO)?;
        let index = u32::try_from(free).map_err(|_| ENXIO)?;
        let core = Core::attach(found, index, &self.shared)?;
        if let Some(place) = self.cores.lock().get_mut(free) {
            *place = Some(core);
        }
        Ok(())
    }

    /// Ends all jobs and turns the GPU off permanently.
    pub(crate) fn detach(&self) {
        self.each_core(Runner::detach);
        self.stop_reapers();
    }

    /// Turns the GPU off until `resume`; jobs wait meanwhile.
    pub(crate) fn suspend(&self, how: Suspend) {
        self.each_core(|core| core.runner.suspend(core, how));
    }

    /// Ends a suspend: jobs run again.
    pub(crate) fn resume(&self) {
        self.each_core(|core| core.runner.resume(core));
    }

    fn each_core(&self, f: impl Fn(&Arc<Core>)) {
        for pipe in 0..CORES {
            let core = self.cores.lock().get(pipe).cloned().flatten();
            if let Some(core) = core {
                f(&core);
            }
        }
    }

    /// The operating system's instance that the device belongs to.
    pub(crate) fn os(&self) -> Os {
        self.shared.mmu.os()
    }

    /// The core that a client names.
    ///
    /// # Errors
    ///
    /// EINVAL for a number that no core can have, ENXIO for one that no core has.
    pub(crate) fn core(&self, pipe: u32) -> Result<Arc<Core>> {
        let cores = self.cores.lock();
        let place = cores.get(usize_of_u32(pipe)).ok_or(EINVAL)?;
        place.clone().ok_or(ENXIO)
    }

    /// The VM for a new file. One of its own (MMUv2) is charged to `account`.
    ///
    /// # Errors
    ///
    /// ENOMEM; ENOSPC if the hardware has no more page tables.
    pub(crate) fn vm(&self, account: &Arc<Account>) -> Result<Arc<Vm>> {
        match &self.common {
            Some(vm) => Ok(vm.clone()),
            None => Vm::new(&self.shared.mmu, &self.shared.vms, Some(account)),
        }
    }
}
