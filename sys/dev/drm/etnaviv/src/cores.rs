// SPDX-License-Identifier: BSD-2-Clause
//! One core of a GPU: what it is, its power, its jobs, and the tasks that serve it.

use crate::hardware::Hardware;
use crate::hw::{self, Regs};
use crate::identity::{identify, Identity, Unsupported};
use crate::jobs::{self, Job};
use crate::mmu::{Mmu, Version};
use crate::numbers::Numbers;
use crate::platform::Platform;
use crate::recover;
use crate::sample;
use core::sync::atomic::{AtomicBool, Ordering};
use drm_sched::{Config, SlotConfig};
use drmkpi::alloc::{Arc, KBox};
use drmkpi::coredump::CoreDump;
use drmkpi::driver::Suspend;
use drmkpi::errno::{Errno, Result, EBUSY, EIO, ENODEV, ENXIO};
use drmkpi::jobs::Queue;
use drmkpi::os::{Dev, Irq, Level, LogLimit, Mtx, MtxGuard, Os, Sx, Task, TaskQueue};
use drmkpi::reaper::Reaper;
use drmkpi::stats::Stats;

/// Jobs in the hardware at once, and how long the first of them may take. HW: Linux's bounds.
const DEPTH: u8 = 4;
const JOB_TIMEOUT_NS: u64 = 500_000_000;
/// A job of a closed file gets this long: a frame may end, and a reset is spared.
const GRACE_NS: u64 = 10_000_000;
/// After this much idleness the core is turned off. HW: Linux's bound.
const IDLE_NS: u64 = 200_000_000;

struct Tasks {
    pump: Arc<Task<Core>>,
    timeout: Task<Core>,
    idle: Task<Core>,
    fault: Task<Core>,
    sample: Task<Core>,
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
pub(crate) type Engine<'a> = MtxGuard<'a, drmkpi::jobs::Engine<Job, KBox<Hardware>>>;

/// A core that was found and is not served yet; its power is off.
pub(crate) struct Found {
    dev: Dev,
    regs: Regs,
    platform: Platform,
    pub(crate) identity: Identity,
}

/// What cores of one device have in common.
pub(crate) struct Shared {
    pub(crate) mmu: Arc<Mmu>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) dump: Arc<CoreDump>,
    /// For what jobs held that are over.
    pub(crate) reaper: Arc<Reaper<Job>>,
}

/// A core.
pub(crate) struct Core {
    dev: Dev,
    regs: Regs,
    platform: Platform,
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
        let platform = Platform::find(dev)?;
        let regs = Regs::map(dev, None)?;
        platform.on()?;
        let identity = identify(|at| regs.read(at));
        platform.off();
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
        // Page tables and command memory must be below 4 GiB (facts, section 2.1); MMUv2's entries hold 40 bits.
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
            platform,
            identity,
        })
    }
}

impl Core {
    /// Serves a core, the device's `index`-th.
    ///
    /// # Errors
    ///
    /// EIO when it does not come on, ENOMEM.
    pub(crate) fn new(found: Found, index: u32, shared: &Arc<Shared>) -> Result<Arc<Core>> {
        let core = Self::build(found, index, shared)?;
        if let Err(e) = Core::start_services(&core).and_then(|()| core.turn_on()) {
            Core::remove(&core);
            return Err(e);
        }
        core.enqueue(Work::Idle);
        Ok(core)
    }

    /// Puts the parts together. Not inlined, nor what makes the large ones: a kernel stack is small.
    #[inline(never)]
    fn build(found: Found, index: u32, shared: &Arc<Shared>) -> Result<Arc<Core>> {
        let Found {
            dev,
            regs,
            platform,
            identity,
        } = found;
        let os = dev.os();
        let hardware = Self::new_hardware(shared, &identity, index, platform.core_hz())?;
        let core = Core {
            dev,
            regs,
            platform,
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
            patience_ns: os.tunable(c"etnaviv_patience_ms", 0).saturating_mul(1_000_000),
            grace_ns: GRACE_NS,
        };
        Queue::new(os, &[slot], config, hardware)
    }

    fn start_services(core: &Arc<Core>) -> Result<()> {
        let os = core.os();
        let queue = Arc::new(os, TaskQueue::new(os, c"etnaviv")?)?;
        let task = |run: fn(&Core)| Task::new(os, &queue, core.clone(), run);
        let tasks = Tasks {
            pump: Arc::new(os, task(jobs::pump)?)?,
            timeout: task(recover::check)?,
            idle: task(Core::turn_off_if_idle)?,
            fault: task(recover::after_fault)?,
            sample: task(sample::run)?,
        };
        core.queue.set_kick(Some(tasks.pump.clone().into_hook()));
        *core.tasks.lock() = Some(tasks);
        // HW: a node has one interrupt, which has no name.
        let irq = Irq::new(core.dev, None, core.clone(), jobs::on_interrupt)?;
        *core.irq.lock() = Some(irq);
        Ok(())
    }

    /// Ends all work and turns the core off, for good.
    pub(crate) fn remove(core: &Arc<Core>) {
        core.removed.store(true, Ordering::Release);
        core.queue.lock().sched.shutdown();
        recover::for_good(core);
        core.queue.set_kick(None);
        let tasks = core.tasks.lock().take();
        if let Some(tasks) = &tasks {
            // It may be kicking itself, and a task that gave itself up would wait for its own end.
            tasks.pump.drain();
        }
        drop(tasks);
        let irq = core.irq.lock().take();
        drop(irq);
        while jobs::retire(core) {}
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
            Work::Idle => tasks.idle.enqueue_at(self.os().now().saturating_add(IDLE_NS)),
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
        self.platform.on()?;
        if let Err(e) = hw::reset(&self.regs, self.os(), &self.identity) {
            self.platform.off();
            return Err(e);
        }
        self.begin(&mut self.queue.lock());
        *power = true;
        Ok(())
    }

    /// After a reset: sets the core up.
    fn begin(&self, engine: &mut Engine<'_>) {
        hw::init(&self.regs, &self.identity);
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
                hw::mask_interrupts(&self.regs);
            }
            engine.hw.forget()
        };
        if let Some(irq) = self.irq.lock().as_ref() {
            irq.sync();
        }
        let mut result = Ok(());
        if *power {
            // Also before power goes: the front end may be fetching.
            result = hw::reset(&self.regs, self.os(), &self.identity);
            if result.is_ok() && self.is_removed() {
                result = Err(ENXIO);
            }
            if result.is_err() {
                self.platform.off();
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

    /// Turns the core off and keeps it so; jobs wait.
    pub(crate) fn suspend(&self, how: Suspend) {
        self.queue.lock().hw.suspended = true;
        let is_empty = || self.queue.lock().hw.is_empty();
        if !how.wait_for_jobs(self.os(), JOB_TIMEOUT_NS, is_empty) {
            recover::take_back(self);
        }
        self.turn_off_if_idle();
    }

    /// Lets jobs run again.
    pub(crate) fn resume(&self) {
        self.queue.lock().hw.suspended = false;
        self.enqueue(Work::Pump);
    }

    fn turn_off_if_idle(&self) {
        let mut power = self.power.lock();
        let loaded = {
            let mut engine = self.queue.lock();
            if !*power || !engine.hw.is_empty() {
                return;
            }
            engine.hw.powered = false;
            // As in `empty_hardware`.
            hw::mask_interrupts(&self.regs);
            // HW: the bus may not take it well when power goes during a fetch.
            engine.hw.ring.stop(self.mmu().commands());
            engine.hw.forget()
        };
        if hw::wait_stopped(&self.regs, self.os()).is_err() {
            self.dev
                .log(Level::Warning, format_args!("the front end does not stop"));
        }
        if let Some(irq) = self.irq.lock().as_ref() {
            irq.sync();
        }
        self.platform.off();
        *power = false;
        drop(power);
        drop(loaded);
    }
}
