// SPDX-License-Identifier: BSD-2-Clause
//! A GPU: its cores, each a node of the device tree, and what they share. A core's index is the "pipe" of the user ABI.

use crate::gpu_core::{Core, Found, Shared};
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
    /// MMUv1: the VM of all files.
    common: Option<Arc<Vm>>,
    cores: Mtx<[Option<Arc<Core>>; CORES]>,
    pub(crate) refusals: Refusals,
}

impl Gpu {
    /// Gets the GPU ready whose first core is at a node.
    ///
    /// # Errors
    ///
    /// ENODEV for hardware that this driver does not serve, EIO when it does not answer, ENOMEM.
    pub(crate) fn attach(dev: Dev) -> Result<Arc<Gpu>> {
        let os = dev.os();
        let found = Found::new(dev)?;
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

    /// One queue for both.
    fn start_reapers(&self, os: Os) -> Result<()> {
        let queue = Arc::new(os, TaskQueue::background(os, c"etnaviv reaper")?)?;
        Reaper::start(&self.shared.jobs, &queue)?;
        Reaper::start(&self.shared.vms, &queue)
    }

    fn stop_reapers(&self) {
        // The first leaves work to the second.
        self.shared.jobs.stop();
        self.shared.vms.stop();
    }

    /// One more core.
    ///
    /// # Errors
    ///
    /// ENXIO when it cannot belong to this GPU: another MMU, or too many cores; else as `attach`.
    pub(crate) fn join(&self, dev: Dev) -> Result<()> {
        let found = Found::new(dev)?;
        if Version::of(&found.identity) != self.shared.mmu.version() {
            return Err(ENXIO);
        }
        self.add(found)
    }

    fn add(&self, mut found: Found) -> Result<()> {
        if self.shared.mmu.breaks_tile_status(&found.identity) {
            found.identity.forbid_fast_clear();
        }
        // Nodes are attached one after another.
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

    /// Ends all work and turns the GPU off, for good.
    pub(crate) fn detach(&self) {
        self.each_core(Runner::detach);
        self.stop_reapers();
    }

    /// Turns the GPU off and keeps it so; jobs wait.
    pub(crate) fn suspend(&self, how: Suspend) {
        self.each_core(|core| core.runner.suspend(core, how));
    }

    /// Lets jobs run again.
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

    /// The instance of the system.
    pub(crate) fn os(&self) -> Os {
        self.shared.mmu.os()
    }

    /// The core that a client names.
    ///
    /// # Errors
    ///
    /// EINVAL for a number that no core can have, ENXIO for one that none has.
    pub(crate) fn core(&self, pipe: u32) -> Result<Arc<Core>> {
        let cores = self.cores.lock();
        let place = cores.get(usize_of_u32(pipe)).ok_or(EINVAL)?;
        place.clone().ok_or(ENXIO)
    }

    /// The VM for a new file; `account` pays for one of its own.
    ///
    /// # Errors
    ///
    /// ENOMEM; ENOSPC when there are as many clients as the hardware has page tables for.
    pub(crate) fn vm(&self, account: &Arc<Account>) -> Result<Arc<Vm>> {
        match &self.common {
            Some(vm) => Ok(vm.clone()),
            None => Vm::new(&self.shared.mmu, &self.shared.vms, Some(account)),
        }
    }
}
