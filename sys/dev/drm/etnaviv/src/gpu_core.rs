// SPDX-License-Identifier: BSD-2-Clause
//! One core of a GPU: what it is, its power, its jobs, and the tasks that serve it.

use crate::identify::identify;
use crate::identity::{Identity, Unsupported};
use crate::job::in_flight::Hardware;
use crate::job::payload::Job;
use crate::job::user_fence::Numbers;
use crate::mmu::vm::Context;
use crate::mmu::{Mmu, Version};
use crate::ops::{self, Regs};
use crate::reaper;
use core::sync::atomic::{AtomicBool, Ordering};
use drm_sched::{Config, SlotConfig};
use drmkpi::alloc::{Arc, KBox};
use drmkpi::drm::coredump::CoreDump;
use drmkpi::drm::stats::Stats;
use drmkpi::os::{Dev, Irq, Level, LogLimit, Mtx, MtxGuard, Os, Sx, Task};
use drmkpi::resources::{Names, Resources};
use drmkpi::runner::jobs::Queue;
use drmkpi::runner::reaper::Reaper;
use drmkpi::util::errno::{Errno, Result, EBUSY, EIO, ENODEV, ENXIO};

/// HW: the clocks of the binding vivante,gc: "core" always, the others as the chip has them.
const RESOURCES: Names = Names {
    clocks: &[Some(c"core"), Some(c"shader"), Some(c"bus"), Some(c"reg")],
    regulator: None,
    reset: false,
};
/// Which of them is the core's.
const CORE_CLOCK: usize = 0;

/// Jobs in the hardware at once, and how long the first of them may take. HW: Linux's bounds.
const DEPTH: u8 = 4;
pub(crate) const JOB_TIMEOUT_NS: u64 = 500_000_000;
/// A job of a closed file gets this long: a frame may end, and a reset is spared.
const GRACE_NS: u64 = 10_000_000;
/// After this much idleness the core is turned off. HW: Linux's bound.
const IDLE_NS: u64 = 200_000_000;

/// The tasks of a core, in one queue.
pub(crate) struct Tasks {
    pub(crate) pump: Arc<Task<Core>>,
    pub(crate) timeout: Task<Core>,
    pub(crate) idle: Task<Core>,
    pub(crate) fault: Task<Core>,
    pub(crate) sample: Task<Core>,
}

/// Which task, and for a timer, when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Work {
    /// Let jobs go that are over and start others.
    Pump,
    /// Look for jobs that take too long, at this time.
    Timeout(u64),
    /// Turn the core off if it has nothing to do.
    Idle,
    /// The MMU or the bus stopped the core.
    Fault,
    /// A job stopped the front end for its counters to be read.
    Sample,
}

/// The jobs, and what the hardware has of them; boxed, for it is large.
pub(crate) type JobQueue = Queue<Job, KBox<Hardware>>;

/// The job lock, held.
pub(crate) type Engine<'a> = MtxGuard<'a, drmkpi::runner::jobs::Engine<Job, KBox<Hardware>>>;

/// A core that was found and is not served yet; its power is off.
pub(crate) struct Found {
    dev: Dev,
    regs: Regs,
    resources: Resources,
    pub(crate) identity: Identity,
}

/// What cores of one device have in common.
pub(crate) struct Shared {
    pub(crate) mmu: Arc<Mmu>,
    /// For address spaces with memory to free.
    pub(crate) spaces: Arc<reaper::Reaper<Context>>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) dump: Arc<CoreDump>,
    /// For what jobs held that are over.
    pub(crate) reaper: Arc<Reaper<Job>>,
}

/// A core.
pub(crate) struct Core {
    dev: Dev,
    regs: Regs,
    resources: Resources,
    pub(crate) identity: Identity,
    pub(crate) shared: Arc<Shared>,
    pub(crate) queue: Arc<JobQueue>,
    /// Unfinished fences by their numbers.
    pub(crate) fences: Numbers,
    power: Sx<bool>,
    tasks: Mtx<Option<Tasks>>,
    irq: Sx<Option<Irq<Core>>>,
    log: LogLimit,
    removed: AtomicBool,
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
        // Page tables and command memory must be below 4 GiB (docs/hw/etnaviv.md, MMU); MMUv2's entries hold 40 bits.
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
    /// Puts the parts together. Not inlined, nor what makes the large ones: a kernel stack is small.
    #[inline(never)]
    pub(crate) fn build(found: Found, index: u32, shared: &Arc<Shared>) -> Result<Arc<Core>> {
        let Found {
            dev,
            regs,
            resources,
            identity,
        } = found;
        let os = dev.os();
        let hardware =
            Self::new_hardware(shared, &identity, index, resources.clock_hz(CORE_CLOCK))?;
        let core = Core {
            dev,
            regs,
            resources,
            identity,
            shared: shared.clone(),
            queue: Self::new_queue(os, hardware)?,
            fences: Numbers::new(os)?,
            power: Sx::new(os, c"etnaviv power", false)?,
            tasks: Mtx::new(os, c"etnaviv tasks", None)?,
            irq: Sx::new(os, c"etnaviv irq", None)?,
            log: LogLimit::new(),
            removed: AtomicBool::new(false),
        };
        Arc::new(os, core)
    }

    #[inline(never)]
    fn new_hardware(
        shared: &Arc<Shared>,
        identity: &Identity,
        index: u32,
        core_hz: Option<u64>,
    ) -> Result<KBox<Hardware>> {
        let hardware = Hardware::new(&shared.mmu, identity, index, core_hz)?;
        KBox::new(shared.mmu.os(), hardware)
    }

    #[inline(never)]
    fn new_queue(os: Os, hardware: KBox<Hardware>) -> Result<Arc<JobQueue>> {
        let slot = SlotConfig {
            depth: DEPTH,
            timeout_ns: JOB_TIMEOUT_NS,
        };
        let config = Config {
            // A reset always has one guilty job, which ends at once.
            max_blames: 1,
            blame_errno: EIO.get(),
            patience_ns: os
                .tunable(c"etnaviv_patience_ms", 0)
                .saturating_mul(1_000_000),
            grace_ns: GRACE_NS,
        };
        Queue::new(os, &[slot], config, hardware)
    }

    /// Gives it its tasks.
    pub(crate) fn set_tasks(&self, tasks: Tasks) {
        *self.tasks.lock() = Some(tasks);
    }

    /// Gives it its interrupt.
    pub(crate) fn set_irq(&self, irq: Irq<Core>) {
        *self.irq.lock() = Some(irq);
    }

    /// From now on it counts as removed.
    pub(crate) fn begin_removal(&self) {
        self.removed.store(true, Ordering::Release);
    }

    /// Waits for its tasks and its interrupt handler, which do not run again.
    pub(crate) fn end_services(&self) {
        let tasks = self.tasks.lock().take();
        if let Some(tasks) = &tasks {
            // It may be kicking itself, and a task that gave itself up would wait for its own end.
            tasks.pump.drain();
        }
        drop(tasks);
        let irq = self.irq.lock().take();
        drop(irq);
    }

    /// Whether the device is gone.
    pub(crate) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Acquire)
    }

    /// The instance of the system.
    pub(crate) fn os(&self) -> Os {
        self.dev.os()
    }

    /// The device node.
    pub(crate) fn dev(&self) -> Dev {
        self.dev
    }

    /// The registers.
    pub(crate) fn regs(&self) -> &Regs {
        &self.regs
    }

    /// The MMU that it shares with the others.
    pub(crate) fn mmu(&self) -> &Mmu {
        &self.shared.mmu
    }

    /// Logs what a client caused, once a second at the most.
    pub(crate) fn log_client(&self, args: core::fmt::Arguments<'_>) {
        self.log.warn(self.dev, args);
    }

    /// Has a task run.
    pub(crate) fn enqueue(&self, work: Work) {
        let tasks = self.tasks.lock();
        let Some(tasks) = tasks.as_ref() else { return };
        match work {
            Work::Pump => tasks.pump.enqueue(),
            Work::Timeout(when) => tasks.timeout.enqueue_at(when),
            Work::Idle => tasks
                .idle
                .enqueue_at(self.os().now().saturating_add(IDLE_NS)),
            Work::Fault => tasks.fault.enqueue(),
            Work::Sample => tasks.sample.enqueue(),
        }
    }

    /// Turns the core on if it is off; the front end does not run yet.
    ///
    /// # Errors
    ///
    /// EIO when it does not come on, EBUSY while it is suspended, ENXIO when it is gone.
    pub(crate) fn turn_on(&self) -> Result<()> {
        let mut power = self.power.lock();
        if self.is_removed() {
            return Err(ENXIO);
        }
        if self.queue.lock().hw.suspended {
            return Err(EBUSY);
        }
        if *power {
            return Ok(());
        }
        self.resources.on()?;
        if let Err(e) = ops::reset(&self.regs, self.os(), &self.identity) {
            self.resources.off();
            return Err(e);
        }
        self.begin(&mut self.queue.lock());
        *power = true;
        Ok(())
    }

    /// After a reset: sets the core up.
    fn begin(&self, engine: &mut Engine<'_>) {
        ops::init(&self.regs, &self.identity);
        engine.hw.powered = true;
    }

    /// Runs `f` while power stays as it is, if it is on.
    pub(crate) fn with_power(&self, f: impl FnOnce()) {
        let power = self.power.lock();
        if *power {
            f();
        }
    }

    /// Takes everything from the hardware: a reset, or, when that does not work or the device goes, no power.
    pub(crate) fn empty_hardware(&self) -> Result<()> {
        let mut power = self.power.lock();
        let loaded = {
            let mut engine = self.queue.lock();
            engine.hw.powered = false;
            if *power {
                // The handler acknowledges nothing now, and the line would stay up.
                ops::mask_interrupts(&self.regs);
            }
            engine.hw.forget()
        };
        if let Some(irq) = self.irq.lock().as_ref() {
            irq.sync();
        }
        let mut result = Ok(());
        if *power {
            // Also before power goes: the front end may be fetching.
            result = ops::reset(&self.regs, self.os(), &self.identity);
            if result.is_ok() && self.is_removed() {
                result = Err(ENXIO);
            }
            if result.is_err() {
                self.resources.off();
                *power = false;
            }
        }
        let mut engine = self.queue.lock();
        // Only now nothing runs any more that could reach what was unmapped.
        engine.hw.bury();
        if result.is_ok() && *power {
            self.begin(&mut engine);
        }
        drop(engine);
        drop(power);
        // The last reference of an address space may sleep.
        drop(loaded);
        result
    }

    /// Lets jobs run again.
    pub(crate) fn resume(&self) {
        self.queue.lock().hw.suspended = false;
        self.enqueue(Work::Pump);
    }

    /// The task: turns the core off if it has no job.
    pub(crate) fn turn_off_if_idle(&self) {
        let mut power = self.power.lock();
        let loaded = {
            let mut engine = self.queue.lock();
            if !*power || !engine.hw.is_empty() {
                return;
            }
            engine.hw.powered = false;
            // As in `empty_hardware`.
            ops::mask_interrupts(&self.regs);
            // HW: the bus may not take it well when power goes during a fetch.
            engine.hw.ring.stop(self.mmu().commands());
            engine.hw.forget()
        };
        if ops::wait_stopped(&self.regs, self.os()).is_err() {
            self.dev
                .log(Level::Warning, format_args!("the front end does not stop"));
        }
        if let Some(irq) = self.irq.lock().as_ref() {
            irq.sync();
        }
        self.resources.off();
        *power = false;
        drop(power);
        drop(loaded);
    }
}
