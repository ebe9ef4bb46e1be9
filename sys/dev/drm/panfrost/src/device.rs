// SPDX-License-Identifier: BSD-2-Clause
//! One GPU: what it is, its registers, its power, and the tasks that serve it.

use crate::address_space::{self, Flush, LockRegion, Table};
use crate::as_slots::AsSlots;
use crate::driver::PanfrostFile;
use crate::fault;
use crate::features::Features;
use crate::gpu::{self, Identity};
use crate::irq::Irqs;
use crate::issues::Issues;
use crate::job_slot;
use crate::jobs::{self, Hardware, Job};
use crate::mapping::{self, Place, Unused};
use crate::model::Model;
use crate::perfcnt::Perfcnt;
use crate::power::{self, Plan};
use crate::quirks::{self, Integration, Quirks};
use crate::regs::Regs;
use crate::reset;
use crate::timeout;
use crate::va;
use core::sync::atomic::{AtomicBool, Ordering};
use drm_sched::{Config, SlotConfig};
use drmkpi::alloc::{Arc, KBox};
use drmkpi::drm::driver::Suspend;
use drmkpi::drm::stats::Stats;
use drmkpi::os::{Dev, Level, LogLimit, Mtx, MtxGuard, Os, Sx, SxGuard, Task, TaskQueue};
use drmkpi::resources::{Names, Resources};
use drmkpi::runner::jobs::Queue;
use drmkpi::runner::reaper::Reaper;
use drmkpi::util::errno::{Errno, Result, EBUSY, EIO, ENODEV, ENXIO};

/// HW: the names in the bindings arm,mali-midgard and arm,mali-bifrost. A node with one clock does not
/// name it.
const RESOURCES: Names = Names {
    clocks: &[Some(c"bus"), None],
    regulator: Some(c"mali"),
    reset: true,
};

/// A job gets this long in the hardware. HW: Linux's bound.
const JOB_TIMEOUT_NS: u64 = 500_000_000;
/// Resets after which a job that they are blamed on ends.
const MAX_BLAMES: u32 = 3;
/// After this much idleness the GPU is turned off. HW: Linux's bound.
const IDLE_NS: u64 = 50_000_000;
/// Lines a second for first refusals: who opens the device over and over shall not fill the log.
const REFUSALS: u32 = 8;

/// TRANSTAB: table mode 3, the walker reads through the inner cache, and snoops where the bus can.
const TRANSTAB_TABLE: u64 = 3;
const TRANSTAB_READ_INNER: u64 = 1 << 2;
const TRANSTAB_SHARE_OUTER: u64 = 1 << 4;
/// Attribute indexes 0 to 2: implementation-defined, write-allocate, implementation-defined.
const MEMATTR: u64 = 0x0088_8D88;

/// The tasks that serve the GPU, in one queue but for those that say something else.
struct Tasks {
    pump: Arc<Task<Gpu>>,
    /// In a queue of its own, for it may have to wait for memory.
    fault: Task<Gpu>,
    /// In a queue of its own, for memory goes there.
    reap: Task<Gpu>,
    timeout: Task<Gpu>,
    idle: Task<Gpu>,
    reset: Task<Gpu>,
}

/// Which task, and for a timer, when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Work {
    /// Let jobs go that are over and start others.
    Pump,
    /// Look at the MMU's faults.
    Fault,
    /// Look for jobs that take too long, at this time.
    Timeout(u64),
    /// Turn the GPU off if it has nothing to do.
    Idle,
    /// Reset the GPU.
    Reset,
    /// Remove mappings that nobody uses.
    Reap,
}

/// Whether the GPU has power, and who insists on it.
pub(crate) struct Power {
    on: bool,
    /// It stays off, whoever insists.
    suspended: bool,
    /// Users that keep it on between jobs.
    pub(crate) pins: u32,
}

impl Power {
    fn off() -> Power {
        Power {
            on: false,
            suspended: false,
            pins: 0,
        }
    }
}

/// A GPU.
pub struct Gpu {
    dev: Dev,
    regs: Regs,
    resources: Resources,
    pub(crate) identity: Identity,
    pub(crate) features: Features,
    pub(crate) issues: Issues,
    bifrost: bool,
    quirks: Quirks,
    /// Jobs, and what the hardware has of them.
    pub(crate) queue: Arc<JobQueue>,
    pub(crate) reaper: Arc<Reaper<Job>>,
    pub(crate) power: Sx<Power>,
    pub(crate) resetting: Sx<()>,
    tasks: Mtx<Option<Tasks>>,
    pub(crate) irqs: Sx<Option<Irqs>>,
    pub(crate) unused: Mtx<Unused>,
    pub(crate) perfcnt: Perfcnt,
    pub(crate) stats: Stats,
    log: LogLimit,
    /// For the first refusal of each file.
    refusals: LogLimit,
    pub(crate) reset_log: LogLimit,
    removed: AtomicBool,
}

/// The jobs, and what the hardware has of them; boxed, for it is large.
pub(crate) type JobQueue = Queue<Job, KBox<Hardware>>;

/// The job lock, held.
pub(crate) type Engine<'a> = MtxGuard<'a, drmkpi::runner::jobs::Engine<Job, KBox<Hardware>>>;

impl Gpu {
    /// Finds out what GPU this is and gets it ready; it goes off soon if nobody comes.
    ///
    /// # Errors
    ///
    /// ENODEV for an unknown model, ETIMEDOUT when it does not answer, ENOMEM.
    pub(crate) fn probe(dev: Dev) -> Result<Arc<Gpu>> {
        let resources = Resources::find(dev, &RESOURCES)?;
        let regs = Regs::map(dev, None)?;
        resources.on()?;
        let gpu = Self::identify(dev, resources, regs)?;
        let ready = Gpu::start_services(&gpu).and_then(|()| {
            let mut power = gpu.power.lock();
            gpu.start_cores(&mut power)
        });
        if let Err(e) = ready {
            Gpu::remove(&gpu);
            return Err(e);
        }
        gpu.enqueue(Work::Idle);
        Ok(gpu)
    }

    fn identify(dev: Dev, resources: Resources, regs: Regs) -> Result<Arc<Gpu>> {
        let os = dev.os();
        gpu::soft_reset(&regs, os)?;
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

    /// Puts the parts together. Not inlined: the parts are large, and a kernel stack is not.
    #[inline(never)]
    fn build(
        dev: Dev,
        resources: Resources,
        regs: Regs,
        identity: Identity,
        model: &Model,
    ) -> Result<Arc<Gpu>> {
        let os = dev.os();
        let gpu = Gpu {
            dev,
            regs,
            resources,
            queue: Self::new_queue(os, model, &identity)?,
            reaper: Reaper::new(os, jobs::free)?,
            features: model.features,
            issues: model.issues(identity.revision),
            bifrost: model.is_bifrost(),
            quirks: quirks::quirks(model, &identity, Integration::Plain),
            identity,
            power: Sx::new(os, c"panfrost power", Power::off())?,
            resetting: Sx::new(os, c"panfrost reset", ())?,
            tasks: Mtx::new(os, c"panfrost tasks", None)?,
            irqs: Sx::new(os, c"panfrost irqs", None)?,
            unused: Mtx::new(os, c"panfrost unused", Unused::default())?,
            perfcnt: Perfcnt::new(os)?,
            stats: Stats::default(),
            log: LogLimit::new(),
            refusals: LogLimit::with_burst(REFUSALS),
            reset_log: LogLimit::new(),
            removed: AtomicBool::new(false),
        };
        Arc::new(os, gpu)
    }

    #[inline(never)]
    fn new_queue(os: Os, model: &Model, identity: &Identity) -> Result<Arc<JobQueue>> {
        let slot = SlotConfig {
            depth: model.features.slot_depth(),
            timeout_ns: JOB_TIMEOUT_NS,
        };
        let config = Config {
            max_blames: MAX_BLAMES,
            blame_errno: EIO.get(),
            patience_ns: 0,
            grace_ns: timeout::STOP_NS,
        };
        Queue::new(os, &[slot; 3], config, Self::new_hardware(os, identity)?)
    }

    #[inline(never)]
    fn new_hardware(os: Os, identity: &Identity) -> Result<KBox<Hardware>> {
        KBox::new(os, Hardware::new(AsSlots::new(identity.as_present)))
    }

    fn start_services(gpu: &Arc<Gpu>) -> Result<()> {
        let os = gpu.os();
        let queue = Arc::new(os, TaskQueue::new(os, c"panfrost")?)?;
        let task = |run: fn(&Gpu)| Task::new(os, &queue, gpu.clone(), run);
        let faults = Arc::new(os, TaskQueue::new(os, c"panfrost faults")?)?;
        let reaper = Arc::new(os, TaskQueue::background(os, c"panfrost reaper")?)?;
        Reaper::start(&gpu.reaper, os, &reaper)?;
        let tasks = Tasks {
            pump: Arc::new(os, task(jobs::pump)?)?,
            fault: Task::new(os, &faults, gpu.clone(), fault::handle)?,
            reap: Task::new(os, &reaper, gpu.clone(), mapping::reap)?,
            timeout: task(timeout::check)?,
            idle: task(Gpu::turn_off_if_idle)?,
            reset: task(reset::requested)?,
        };
        gpu.queue.set_kick(Some(tasks.pump.clone().into_hook()));
        *gpu.tasks.lock() = Some(tasks);
        let irqs = Irqs::new(gpu)?;
        *gpu.irqs.lock() = Some(irqs);
        Ok(())
    }

    /// Ends all work and turns the GPU off, for good.
    pub(crate) fn remove(gpu: &Arc<Gpu>) {
        gpu.removed.store(true, Ordering::Release);
        gpu.queue.lock().sched.shutdown();
        // What the hardware has is taken from it by a reset, which also sees that nothing starts any more.
        reset::for_good(gpu);
        gpu.queue.set_kick(None);
        let tasks = gpu.tasks.lock().take();
        if let Some(tasks) = &tasks {
            // It may be kicking itself, and a task that gave itself up would wait for its own end.
            tasks.pump.drain();
        }
        drop(tasks);
        let irqs = gpu.irqs.lock().take();
        drop(irqs);
        while jobs::retire(gpu) {}
        gpu.reaper.stop();
        mapping::reap(gpu);
        gpu.perfcnt.forget();
        let mut power = gpu.power.lock();
        gpu.turn_off(&mut power);
        // The probe may have failed before the cores were started.
        gpu.resources.off();
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

    /// Logs what a client caused, once a second at the most.
    pub(crate) fn log_client(&self, args: core::fmt::Arguments<'_>) {
        self.log.warn(self.dev, args);
    }

    /// A submit of `file` was refused with `error`. The first of each file is told whatever else was logged, as a client whose
    /// every job is refused may look well.
    pub(crate) fn refused(&self, file: &PanfrostFile, pid: i32, error: Errno) {
        self.stats.refuse();
        let first = file.stats.refuse();
        let log = if first { &self.refusals } else { &self.log };
        log.warn(
            self.dev,
            format_args!("process {pid}: submit refused with errno {}", error.get()),
        );
    }

    /// The registers.
    pub(crate) fn regs(&self) -> &Regs {
        &self.regs
    }

    /// Has a task run.
    pub(crate) fn enqueue(&self, work: Work) {
        let tasks = self.tasks.lock();
        let Some(tasks) = tasks.as_ref() else { return };
        match work {
            Work::Pump => tasks.pump.enqueue(),
            Work::Fault => tasks.fault.enqueue(),
            Work::Timeout(when) => tasks.timeout.enqueue_at(when),
            Work::Idle => tasks
                .idle
                .enqueue_at(self.os().now().saturating_add(IDLE_NS)),
            Work::Reset => tasks.reset.enqueue(),
            Work::Reap => tasks.reap.enqueue(),
        }
    }

    /// Has a mapping removed that nobody uses: not by the caller, which may be the GPU's own
    /// thread, unless the device has gone. What comes before it goes is removed by that.
    pub(crate) fn leave_to_reaper(&self, place: KBox<Place>) {
        self.unused.lock().push(place);
        if self.tasks.lock().is_some() {
            self.enqueue(Work::Reap);
        } else {
            mapping::reap(self);
        }
    }

    /// What the hardware is told of the page table whose root is at `root`.
    pub(crate) fn table_registers(&self, root: u64) -> Table {
        let snoop = if self.dev.coherent() {
            TRANSTAB_SHARE_OUTER
        } else {
            0
        };
        Table {
            transtab: root | TRANSTAB_TABLE | TRANSTAB_READ_INNER | snoop,
            memattr: MEMATTR,
            // Midgard has no such register; zero is the format that Midgard has.
            transcfg: self.bifrost.then_some(0),
        }
    }

    // Power.

    /// Turns the GPU on if it is off.
    ///
    /// # Errors
    ///
    /// ETIMEDOUT or EIO when it does not come on, EBUSY while it is suspended, ENXIO when it is gone.
    pub(crate) fn turn_on(&self) -> Result<()> {
        let mut power = self.power.lock();
        self.turn_on_locked(&mut power)
    }

    pub(crate) fn turn_on_locked(&self, power: &mut SxGuard<'_, Power>) -> Result<()> {
        if self.is_removed() {
            return Err(ENXIO);
        }
        if power.suspended {
            return Err(EBUSY);
        }
        if power.on {
            return Ok(());
        }
        self.resources.on()?;
        let up = gpu::soft_reset(&self.regs, self.os()).and_then(|_| self.start_cores(power));
        if up.is_err() {
            self.resources.off();
        }
        up
    }

    /// After a reset: quirks, cores, interrupts. All address spaces are forgotten.
    fn start_cores(&self, power: &mut Power) -> Result<()> {
        quirks::apply(&self.regs, &self.quirks);
        power::power_on(&self.regs, self.os(), &Plan::first_group(&self.identity))?;
        let mut engine = self.queue.lock();
        engine.hw.forget_spaces();
        engine.hw.powered = true;
        power.on = true;
        address_space::reset_interrupts(&self.regs);
        job_slot::clear_interrupts(&self.regs);
        job_slot::unmask_interrupts(&self.regs);
        gpu::unmask_interrupts(&self.regs);
        Ok(())
    }

    /// Resets the GPU, which has power; the caller has emptied the hardware of jobs, or will.
    ///
    /// # Errors
    ///
    /// ETIMEDOUT when it does not come back; it is off then.
    pub(crate) fn reset_cores(&self, power: &mut SxGuard<'_, Power>) -> Result<()> {
        if !power.on {
            return Ok(());
        }
        {
            let mut engine = self.queue.lock();
            engine.hw.powered = false;
            // The handlers acknowledge nothing now, and what was raised may outlive a reset that
            // fails.
            self.mask_interrupts();
        }
        let up = gpu::soft_reset(&self.regs, self.os()).and_then(|_| self.start_cores(power));
        if up.is_err() {
            self.resources.off();
            power.on = false;
        }
        up
    }

    fn mask_interrupts(&self) {
        job_slot::mask_interrupts(&self.regs);
        address_space::mask_interrupts(&self.regs);
        gpu::mask_interrupts(&self.regs);
    }

    /// Turns the GPU off and keeps it so; jobs wait.
    pub(crate) fn suspend(&self, how: Suspend) {
        self.queue.lock().hw.suspended = true;
        let is_empty = || self.queue.lock().hw.is_empty();
        if !how.wait_for_jobs(self.os(), JOB_TIMEOUT_NS, is_empty) {
            reset::now(self);
        }
        let mut power = self.power.lock();
        power.suspended = true;
        self.turn_off(&mut power);
    }

    /// Lets jobs run again; who has the counters finds the GPU on, and as after a reset.
    pub(crate) fn resume(&self) {
        let mut power = self.power.lock();
        power.suspended = false;
        let up = match power.pins {
            0 => Ok(()),
            _ => self.turn_on_locked(&mut power),
        };
        drop(power);
        if let Err(e) = up {
            self.dev
                .log(Level::Error, format_args!("the GPU does not come on: {e}"));
        }
        self.queue.lock().hw.suspended = false;
        self.enqueue(Work::Pump);
    }

    fn turn_off_if_idle(&self) {
        let mut power = self.power.lock();
        if power.pins != 0 || !self.queue.lock().hw.is_empty() {
            return;
        }
        self.turn_off(&mut power);
    }

    fn turn_off(&self, power: &mut SxGuard<'_, Power>) {
        if !power.on {
            return;
        }
        {
            let mut engine = self.queue.lock();
            engine.hw.powered = false;
            engine.hw.forget_spaces();
            self.mask_interrupts();
        }
        if let Some(irqs) = self.irqs.lock().as_ref() {
            irqs.sync();
        }
        self.perfcnt.registers_off(&self.regs);
        if let Err(stuck) = power::power_off(&self.regs, self.os(), &Plan::all(&self.identity)) {
            self.dev
                .log(Level::Error, format_args!("{stuck}: no power off in time"));
        }
        self.resources.off();
        power.on = false;
    }

    // Address spaces.

    /// Makes the hardware forget translations of a context.
    pub(crate) fn flush_tlb(&self, context: u64, region: LockRegion, what: Flush) {
        let flushed = {
            let engine = self.queue.lock();
            match engine.hw.spaces.find(context) {
                Some(space) if engine.hw.powered => {
                    address_space::flush(&self.regs, self.os(), space, region, what)
                }
                _ => Ok(()),
            }
        };
        if flushed.is_err() {
            self.stuck("a TLB flush");
        }
    }

    /// Takes a context out of the hardware: when this returns nothing uses its page table.
    pub(crate) fn drop_space(&self, context: u64) {
        let off = {
            let mut engine = self.queue.lock();
            match engine.hw.spaces.remove(context) {
                Some(space) if engine.hw.powered => {
                    address_space::disable(&self.regs, self.os(), space)
                }
                _ => Ok(()),
            }
        };
        if off.is_err() {
            self.stuck("an address space");
        }
    }

    /// The MMU does not answer: only a reset makes sure that it uses no freed memory.
    fn stuck(&self, what: &str) {
        self.dev
            .log(Level::Error, format_args!("{what} is stuck, resetting"));
        reset::now(self);
    }
}
