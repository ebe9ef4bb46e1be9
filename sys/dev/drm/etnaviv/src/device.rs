// SPDX-License-Identifier: BSD-2-Clause
//! A GPU: its cores, each a node of the device tree, and what they share. A core's index is the "pipe" of the user ABI.

use crate::context::Context;
use crate::cores::{Core, Found, Shared};
use crate::job;
use crate::mmu::{Mmu, Version};
use crate::reaper;
use crate::ring::CORES;
use crate::services;
use drmkpi::alloc::Arc;
use drmkpi::drm::coredump::CoreDump;
use drmkpi::drm::driver::Suspend;
use drmkpi::drm::stats::Stats;
use drmkpi::os::{Dev, LogLimit, Mtx, Os, TaskQueue};
use drmkpi::runner::reaper::Reaper;
use drmkpi::util::account::Account;
use drmkpi::util::errno::{Result, EINVAL, ENXIO};
use drmkpi::util::int_conv::usize_of_u32;

/// Lines a second for first refusals: who opens the device over and over shall not fill the log.
const REFUSALS: u32 = 8;

/// A GPU.
pub struct Gpu {
    pub(crate) shared: Arc<Shared>,
    /// MMUv1: the address space of everybody.
    everybody: Option<Arc<Context>>,
    cores: Mtx<[Option<Arc<Core>>; CORES]>,
    log: LogLimit,
    /// For the first refusal of each file.
    refusals: LogLimit,
}

impl Gpu {
    /// Gets the GPU ready whose first core is at a node.
    ///
    /// # Errors
    ///
    /// ENODEV for hardware that this driver does not serve, EIO when it does not answer, ENOMEM.
    pub(crate) fn probe(dev: Dev) -> Result<Arc<Gpu>> {
        let os = dev.os();
        let found = Found::new(dev)?;
        let mmu = Arc::new(os, Mmu::new(dev, &found.identity)?)?;
        let spaces = Arc::new(os, reaper::Reaper::new(os)?)?;
        let everybody = match mmu.version() {
            Version::V1 => Some(Context::new(&mmu, &spaces, None)?),
            Version::V2 | Version::V2Secure => None,
        };
        let shared = Shared {
            mmu,
            spaces,
            stats: Arc::new(os, Stats::default())?,
            dump: Arc::new(os, CoreDump::new(os)?)?,
            reaper: Reaper::new(os, job::free)?,
        };
        let gpu = Gpu {
            shared: Arc::new(os, shared)?,
            everybody,
            cores: Mtx::new(os, c"etnaviv cores", [const { None }; CORES])?,
            log: LogLimit::new(),
            refusals: LogLimit::with_burst(REFUSALS),
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
        Reaper::start(&self.shared.reaper, os, &queue)?;
        self.shared.spaces.start(os, &queue)
    }

    fn stop_reapers(&self) {
        // The first leaves work to the second.
        self.shared.reaper.stop();
        self.shared.spaces.stop();
    }

    /// One more core.
    ///
    /// # Errors
    ///
    /// ENXIO when it cannot belong to this GPU: another MMU, or too many cores; else as `probe`.
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
        let core = services::serve(found, index, &self.shared)?;
        if let Some(place) = self.cores.lock().get_mut(free) {
            *place = Some(core);
        }
        Ok(())
    }

    /// Ends all work and turns the GPU off, for good.
    pub(crate) fn remove(&self) {
        self.each_core(services::remove);
        self.stop_reapers();
    }

    /// Turns the GPU off and keeps it so; jobs wait.
    pub(crate) fn suspend(&self, how: Suspend) {
        self.each_core(|core| services::suspend(core, how));
    }

    /// Lets jobs run again.
    pub(crate) fn resume(&self) {
        self.each_core(|core| core.resume());
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

    /// The address space for a new file; `account` pays for one of its own.
    ///
    /// # Errors
    ///
    /// ENOMEM; ENOSPC when there are as many clients as the hardware has page tables for.
    pub(crate) fn address_space(&self, account: &Arc<Account>) -> Result<Arc<Context>> {
        match &self.everybody {
            Some(context) => Ok(context.clone()),
            None => Context::new(&self.shared.mmu, &self.shared.spaces, Some(account)),
        }
    }

    /// Where refusals of submits are logged: the `first` of a file, and others.
    pub(crate) fn refusal_log(&self, first: bool) -> &LogLimit {
        if first {
            &self.refusals
        } else {
            &self.log
        }
    }
}
