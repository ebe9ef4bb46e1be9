// SPDX-License-Identifier: BSD-2-Clause
//! One core of a GPU: what it is, its parts.

use crate::identify::identify;
use crate::identity::{Identity, Unsupported};
use crate::job::in_flight::InFlight;
use crate::job::payload::Job;
use crate::job::user_fence::UserFences;
use crate::mmu::vm::Vm;
use crate::mmu::{Mmu, Version};
use crate::ops::Regs;
use drm_sched::{Config, SlotConfig};
use drmkpi::alloc::{Arc, KBox};
use drmkpi::drm::coredump::CoreDump;
use drmkpi::drm::stats::Stats;
use drmkpi::os::{Dev, Level, Os};
use drmkpi::resources::{Names, Resources};
use drmkpi::runner::backend::Runner;
use drmkpi::runner::backend::{self, Backend};
use drmkpi::runner::holdings::Remains;
use drmkpi::runner::reaper::Reaper;
use drmkpi::util::errno::{Errno, Result, EIO, ENODEV};

/// HW: the clocks of the binding vivante,gc: "core" always, the others as the chip has them.
const RESOURCES: Names = Names {
    clocks: &[Some(c"core"), Some(c"shader"), Some(c"bus"), Some(c"reg")],
    regulator: None,
    reset: false,
};
/// Which of them is the core's.
const CORE_CLOCK: usize = 0;

/// Jobs in the hardware at once. HW: Linux's bound.
const DEPTH: u8 = 4;
/// A job of a closed file has this time, in ns: a frame may end, and a reset is spared.
const GRACE_NS: u64 = 10_000_000;

/// The scheduler's slot for the one ring of a core.
pub(crate) const SLOT: usize = 0;

/// The job lock, held.
pub(crate) type Engine<'a> = backend::Engine<'a, Core>;

/// A core that was identified and is not attached yet; its power is off.
pub(crate) struct Found {
    dev: Dev,
    regs: Regs,
    resources: Resources,
    pub(crate) identity: Identity,
}

/// What the cores of one device share.
pub(crate) struct Shared {
    pub(crate) mmu: Arc<Mmu>,
    /// Frees what was unmapped.
    pub(crate) vms: Arc<Reaper<Vm>>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) dump: Arc<CoreDump>,
    /// Frees what jobs held.
    pub(crate) jobs: Arc<Reaper<Remains<Job>>>,
}

/// A core.
pub(crate) struct Core {
    regs: Regs,
    pub(crate) identity: Identity,
    pub(crate) shared: Arc<Shared>,
    pub(crate) runner: Runner<Core>,
    /// Fences that are not signaled, by number.
    pub(crate) fences: UserFences,
}

impl From<Unsupported> for Errno {
    fn from(_: Unsupported) -> Errno {
        ENODEV
    }
}

impl Found {
    /// Asks a node what it is.
    ///
    /// # Errors
    ///
    /// ENODEV for hardware that this driver does not serve, or not without a tunable; EIO when it
    /// does not answer, ENOMEM.
    pub(crate) fn new(dev: Dev) -> Result<Found> {
        let resources = Resources::find(dev, &RESOURCES)?;
        let regs = Regs::map(dev, None)?;
        resources.on()?;
        let identity = identify(|at| regs.read(at));
        resources.off();
        let identity = identity?;
        if Version::of(&identity) == Version::V1 && dev.os().tunable(c"etnaviv_mmuv1", 0) == 0 {
            dev.log(
                Level::Error,
                format_args!(
                    "gc{:x}: its MMU does not keep clients from memory; see hw.drmkpi.etnaviv_mmuv1",
                    identity.ids.model
                ),
            );
            return Err(ENODEV);
        }
        // Page tables and command memory must be below 4 GiB (docs/hw/etnaviv.md, MMU); MMUv2's entries
        // hold 40 bits.
        let data_bits = match Version::of(&identity) {
            Version::V1 => 32,
            Version::V2 | Version::V2Secure => 40,
        };
        dev.set_dma_bits(32, data_bits)?;
        dev.log(
            Level::Info,
            format_args!(
                "vivante gc{:x} rev {:x}",
                identity.ids.model, identity.ids.revision
            ),
        );
        Ok(Found {
            dev,
            regs,
            resources,
            identity,
        })
    }
}

impl Core {
    /// Begins to serve a core, the device's `index`-th.
    ///
    /// # Errors
    ///
    /// EIO when it does not come on, ENOMEM.
    pub(crate) fn attach(found: Found, index: u32, shared: &Arc<Shared>) -> Result<Arc<Core>> {
        let core = Core::build(found, index, shared)?;
        if let Err(e) = Runner::attach(&core) {
            Runner::detach(&core);
            return Err(e);
        }
        Ok(core)
    }

    /// Puts the parts together. Not inlined, nor what makes the large ones: a kernel stack is small.
    #[inline(never)]
    fn build(found: Found, index: u32, shared: &Arc<Shared>) -> Result<Arc<Core>> {
        let Found {
            dev,
            regs,
            resources,
            identity,
        } = found;
        let os = dev.os();
        let hz = resources.clock_hz(CORE_CLOCK);
        let in_flight = Self::new_in_flight(shared, &identity, index, hz)?;
        let core = Core {
            regs,
            identity,
            shared: shared.clone(),
            runner: Self::new_runner(dev, resources, in_flight)?,
            fences: UserFences::new(os)?,
        };
        Arc::new(os, core)
    }

    #[inline(never)]
    fn new_in_flight(
        shared: &Arc<Shared>,
        identity: &Identity,
        index: u32,
        core_hz: Option<u64>,
    ) -> Result<KBox<InFlight>> {
        let in_flight = InFlight::new(&shared.mmu, identity, index, core_hz)?;
        KBox::new(shared.mmu.os(), in_flight)
    }

    #[inline(never)]
    fn new_runner(
        dev: Dev,
        resources: Resources,
        in_flight: KBox<InFlight>,
    ) -> Result<Runner<Core>> {
        let slot = SlotConfig {
            depth: DEPTH,
            timeout_ns: <Core as Backend>::DESC.job_timeout_ns,
        };
        let config = Config {
            // A reset always has one guilty job, which ends at once.
            max_blames: 1,
            blame_errno: EIO.get(),
            // OVERFLOW: patience without end is what the largest value means.
            patience_ns: dev
                .os()
                .tunable(c"etnaviv_patience_ms", 0)
                .saturating_mul(1_000_000),
            grace_ns: GRACE_NS,
        };
        Runner::new(dev, resources, &[slot], config, in_flight)
    }

    /// The instance of the system.
    pub(crate) fn os(&self) -> Os {
        self.runner.os()
    }

    /// The registers.
    pub(crate) fn regs(&self) -> &Regs {
        &self.regs
    }

    /// The MMU that it shares with the others.
    pub(crate) fn mmu(&self) -> &Mmu {
        &self.shared.mmu
    }
}
