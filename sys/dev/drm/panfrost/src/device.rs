// SPDX-License-Identifier: BSD-2-Clause
//! One GPU: its parts, attach and detach.

use crate::gpu::control::{self, Identity};
use crate::gpu::features::Features;
use crate::gpu::issues::Issues;
use crate::gpu::model::Model;
use crate::gpu::quirks::{self, Integration, Quirks};
use crate::job::in_flight::{InFlight, STOP_NS};
use crate::job::payload::Job;
use crate::mmu::va;
use crate::mmu::vm::{Vm, VmMmu};
use crate::mmu::Mmu;
use crate::perfcnt::Perfcnt;
use crate::regs::Regs;
use drm_sched::{Config, Outcome, SlotConfig};
use drmkpi::alloc::{Arc, Callback, KBox};
use drmkpi::drm::stats::Stats;
use drmkpi::os::{Dev, Level, Os, TaskQueue};
use drmkpi::resources::{Names, Resources};
use drmkpi::runner::backend::Runner;
use drmkpi::runner::backend::{self, Backend};
use drmkpi::runner::holdings::EndedJobs;
use drmkpi::runner::reaper::Reaper;
use drmkpi::runner::refusals::Refusals;
use drmkpi::util::errno::{Result, EIO, ENODEV};

/// HW: the names in the bindings arm,mali-midgard and arm,mali-bifrost. The clock of a node with
/// one clock has no name.
const RESOURCES: Names = Names {
    clocks: &[Some(c"bus"), None],
    regulator: Some(c"mali"),
    reset: true,
};

/// The number of resets that a job may be blamed for; with the last it ends.
const MAX_BLAMES: u32 = 3;

/// A guard of the job lock.
pub(crate) type Engine<'a> = backend::Engine<'a, Gpu>;

/// A GPU.
pub struct Gpu {
    regs: Arc<Regs>,
    pub(crate) identity: Identity,
    pub(crate) features: Features,
    pub(crate) issues: Issues,
    pub(crate) quirks: Quirks,
    pub(crate) runner: Runner<Gpu>,
    pub(crate) mmu: Arc<VmMmu>,
    /// Frees what ended jobs held.
    pub(crate) jobs: Arc<Reaper<EndedJobs<Job>>>,
    /// Unmaps buffers that no handle and no job uses.
    pub(crate) vms: Arc<Reaper<Vm>>,
    pub(crate) perfcnt: Perfcnt,
    pub(crate) stats: Stats,
    pub(crate) refusals: Refusals,
}

/// The MMU's callback when a command of it times out: resets the GPU.
impl Callback for Gpu {
    fn call(&self) {
        self.runner.reset(self, None, Outcome::Cancelled);
    }
}

impl Gpu {
    /// Identifies and initialises the GPU of a device node.
    ///
    /// # Errors
    ///
    /// ENODEV for an unknown model, ETIMEDOUT if the GPU does not respond to a reset, ENOMEM, or
    /// the error of a resource.
    pub(crate) fn attach(dev: Dev) -> Result<Arc<Gpu>> {
        let resources = Resources::find(dev, &RESOURCES)?;
        let regs = Regs::map(dev, None)?;
        resources.on()?;
        let gpu = Self::identify(dev, resources, regs)?;
        gpu.mmu.set_reset(Some(gpu.clone().into_callback()));
        let attached = gpu.start_reapers().and_then(|()| Runner::attach(&gpu));
        if let Err(e) = attached {
            Gpu::detach(&gpu);
            return Err(e);
        }
        Ok(gpu)
    }

    fn identify(dev: Dev, resources: Resources, regs: Regs) -> Result<Arc<Gpu>> {
        let os = dev.os();
        control::soft_reset(&regs, os)?;
        let identity = Identity::read(&regs);
        let model = Model::find(identity.product)?;
        if identity.va_bits() < va::BITS {
            return Err(ENODEV);
        }
        // HW: an entry holds 40 bits of address (docs/hw/panfrost.md, Page tables).
        let bits = identity.pa_bits().min(40);
        dev.set_dma_bits(bits, bits)?;
        dev.log(
            Level::Info,
            format_args!(
                "mali-{} id {:#x} revision {:#x}",
                model.name, identity.product, identity.revision
            ),
        );
        Self::build(dev, resources, regs, identity, model)
    }

    /// Constructs the GPU from its parts. Not inlined, nor are the constructors of the large parts,
    /// to bound the use of the kernel stack.
    #[inline(never)]
    fn build(
        dev: Dev,
        resources: Resources,
        regs: Regs,
        identity: Identity,
        model: &Model,
    ) -> Result<Arc<Gpu>> {
        let os = dev.os();
        let regs = Arc::new(os, regs)?;
        let gpu = Gpu {
            runner: Self::new_runner(dev, resources, model)?,
            mmu: Self::new_mmu(dev, &regs, &identity, model)?,
            jobs: Reaper::new(os)?,
            vms: Reaper::new(os)?,
            regs,
            features: model.features,
            issues: model.issues(identity.revision),
            quirks: quirks::quirks(model, &identity, Integration::Plain),
            identity,
            perfcnt: Perfcnt::new(os)?,
            stats: Stats::default(),
            refusals: Refusals::default(),
        };
        Arc::new(os, gpu)
    }

    #[inline(never)]
    fn new_mmu(
        dev: Dev,
        regs: &Arc<Regs>,
        identity: &Identity,
        model: &Model,
    ) -> Result<Arc<VmMmu>> {
        let mmu = Mmu::new(dev, regs, identity.as_present, model.is_bifrost())?;
        Arc::new(dev.os(), mmu)
    }

    #[inline(never)]
    fn new_runner(dev: Dev, resources: Resources, model: &Model) -> Result<Runner<Gpu>> {
        let slot = SlotConfig {
            depth: model.features.slot_depth(),
            timeout_ns: <Gpu as Backend>::DESC.job_timeout_ns,
        };
        let config = Config {
            max_blames: MAX_BLAMES,
            blame_errno: EIO.get(),
            patience_ns: 0,
            grace_ns: STOP_NS,
        };
        let hw = KBox::new(dev.os(), InFlight::default())?;
        Runner::new(dev, resources, &[slot; 3], config, hw)
    }

    fn start_reapers(&self) -> Result<()> {
        let os = self.os();
        let queue = Arc::new(os, TaskQueue::background(os, c"panfrost reaper")?)?;
        Reaper::start(&self.jobs, &queue)?;
        Reaper::start(&self.vms, &queue)
    }

    /// Ends all jobs and turns the GPU off permanently.
    pub(crate) fn detach(gpu: &Arc<Gpu>) {
        Runner::detach(gpu);
        gpu.mmu.set_reset(None);
        // In this order: freeing jobs hands mappings to the second reaper.
        gpu.jobs.stop();
        gpu.vms.stop();
        gpu.perfcnt.forget();
    }

    /// Takes the job lock. While it is held, no reset begins and the power stays on.
    ///
    /// # Errors
    ///
    /// EIO if there is no power, or a reset is in progress.
    pub(crate) fn powered(&self) -> Result<Engine<'_>> {
        let engine = self.runner.lock();
        if engine.state.powered {
            Ok(engine)
        } else {
            Err(EIO)
        }
    }

    /// The operating system's instance that the device belongs to.
    pub(crate) fn os(&self) -> Os {
        self.runner.os()
    }

    /// The device node.
    pub(crate) fn dev(&self) -> Dev {
        self.runner.dev()
    }

    /// The registers.
    pub(crate) fn regs(&self) -> &Regs {
        &self.regs
    }
}
