// SPDX-License-Identifier: BSD-2-Clause
//! What a driver tells the runner of its hardware, and the runner of one device.

use crate::alloc::{Arc, KBox, KVec};
use crate::drm::stats::Stats;
use crate::os::{Dev, Irq, Level, LogLimit, Mtx, MtxGuard, Os, Sx, Task};
use crate::resources::Resources;
use crate::runner::holdings::Payload;
use crate::runner::queue::{self, Queue};
use crate::util::errno::Result;
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering};
use drm_sched::{Config, JobId, SlotConfig};

/// The job lock, held.
pub type Engine<'a, B> = MtxGuard<'a, queue::Engine<<B as Backend>::Job, KBox<<B as Backend>::Hw>>>;

/// An interrupt of the device, and its handler, which takes the job lock and does not sleep.
pub struct Interrupt<B> {
    /// Its name in the device tree; `None` for the only one of a node.
    pub name: Option<&'static CStr>,
    /// The handler.
    pub run: fn(&B),
}

/// A task of the driver's own, enqueued by [`Runner::enqueue_task`].
pub struct OwnTask<B> {
    /// The name of its queue; `None` for the queue of the runner's tasks, in which one task runs
    /// after the other.
    pub queue: Option<&'static CStr>,
    /// What it does. May sleep.
    pub run: fn(&B),
}

/// What the runner needs to know of a device, for good.
pub struct Desc<B: 'static> {
    /// The noun of log lines: "GPU".
    pub noun: &'static str,
    /// The name of the task queue.
    pub queue: &'static CStr,
    /// The time that a job may take in the hardware, in ns.
    pub job_timeout_ns: u64,
    /// The time without a job after which the device is turned off, in ns.
    pub idle_ns: u64,
    /// Its interrupts.
    pub interrupts: &'static [Interrupt<B>],
    /// Its own tasks, by the number that `enqueue_task` takes.
    pub tasks: &'static [OwnTask<B>],
}

/// Address spaces that the hardware has at once, at the most.
pub const MAX_VMS: usize = 16;

/// The address spaces that the hardware had.
pub type Vms<B> = [Option<Arc<<B as Backend>::Vm>>; MAX_VMS];

/// What became of a job that was to be started.
pub enum Start<V> {
    /// The hardware has it, and does not use this address space any more.
    Started(Option<Arc<V>>),
    /// The hardware takes none now: the job goes back to its queue.
    Full,
    /// The hardware needs a reset before it takes any: the job goes back to its queue.
    NeedsReset,
    /// The hardware needs a reset, which the driver has enqueued: the job counts as in flight, so
    /// that the reset gives it another run.
    Stuck,
}

/// Hardware that runs jobs.
///
/// The functions that take an [`Engine`] are called with the job lock held, do not sleep, and touch
/// registers only while `state.powered`. So the runner is free to call `start` in the thread of a
/// submit, and `collect` in that of an interrupt. The others are called without it, one at a time,
/// and may sleep.
pub trait Backend: Send + Sync + Sized + 'static {
    /// The driver's part of a job.
    type Job: Payload;
    /// What the hardware has of jobs, guarded by the job lock.
    type Hw: Send + 'static;
    /// An address space. The runner drops references to it without the job lock.
    type Vm: Send + Sync;

    /// The device, for good.
    const DESC: Desc<Self>;

    /// The runner of this device.
    fn runner(&self) -> &Runner<Self>;

    /// The counters of the device.
    fn stats(&self) -> &Stats;

    // Power and resets.

    /// Resets the hardware, which has power and clocks.
    ///
    /// # Errors
    ///
    /// ETIMEDOUT, EIO if it does not answer: the runner turns it off.
    fn reset(&self) -> Result<()>;

    /// Sets the hardware up after a reset, but for what `ready` does.
    ///
    /// # Errors
    ///
    /// As `reset`.
    fn set_up(&self) -> Result<()> {
        Ok(())
    }

    /// Lets interrupts through: the hardware takes jobs from now on.
    fn ready(&self, engine: &mut Engine<'_, Self>);

    /// Masks all interrupts: their handlers acknowledge nothing from now on.
    fn mask_interrupts(&self);

    /// Before a reset: stops what runs, if that can be done without one, and collects what ended.
    fn stop(&self) {}

    /// The hardware is about to be reset or turned off: forgets what it has. Jobs that were in
    /// flight may still run until `reset` or `power_off` returns.
    fn forget(&self, hw: &mut Self::Hw) -> Vms<Self>;

    /// No job runs any more that was in flight when `forget` was called.
    fn forgotten(&self, _hw: &mut Self::Hw) {}

    /// Quiesces the hardware before its power goes off. No job is in flight, interrupts are masked
    /// and their handlers do not run.
    fn power_off(&self);

    // Jobs.

    /// Hands a job to a slot of the hardware.
    fn start(&self, engine: &mut Engine<'_, Self>, slot: usize, id: JobId) -> Start<Self::Vm>;

    /// Whether no job is in flight.
    fn is_empty(hw: &Self::Hw) -> bool;

    /// Ends the jobs that have ended in the hardware, whether their interrupts came or not.
    fn collect(&self, engine: &mut Engine<'_, Self>);

    /// Returns the job that took too long, if a reset has to end it; may try to stop it first.
    fn overdue(&self, engine: &mut Engine<'_, Self>) -> Option<JobId>;

    /// When `overdue` is to be called next, a time in ns.
    fn next_timeout(&self, engine: &mut Engine<'_, Self>) -> Option<u64> {
        engine.sched.next_deadline()
    }

    /// A job is about to be ended by a reset because it took too long: counts, logs and keeps what
    /// there is to be known of it.
    fn timed_out(&self, _guilty: JobId) {}

    /// A file was closed, and its jobs that are not in flight are cancelled: asks the hardware to
    /// stop the others.
    fn stop_orphans(&self, _engine: &mut Engine<'_, Self>) {}

    // User fences.

    /// The number by which clients know a job's fence, for a driver that has such numbers.
    fn user_fence(_job: &Self::Job) -> u32 {
        0
    }

    /// The fence with this number is signaled.
    fn user_fence_signaled(&self, _number: u32) {}
}

/// The tasks of a device.
pub(super) struct Tasks<B> {
    pub(super) pump: Arc<Task<B>>,
    pub(super) timeout: Task<B>,
    pub(super) idle: Task<B>,
    pub(super) reset: Task<B>,
    pub(super) own: KVec<Task<B>>,
}

/// The job queue of a backend; what the hardware has is boxed, for it is large.
type JobQueue<B> = Queue<<B as Backend>::Job, KBox<<B as Backend>::Hw>>;

/// Whether the device has power, and how many users keep it on between jobs.
#[derive(Default)]
pub(super) struct Power {
    pub(super) on: bool,
    pub(super) pins: u32,
}

/// What runs the jobs of one device.
///
/// Lock order: the power lock, then the job lock.
pub struct Runner<B: Backend> {
    dev: Dev,
    pub(super) resources: Resources,
    pub(super) queue: Arc<JobQueue<B>>,
    pub(super) power: Sx<Power>,
    /// None before the device is attached, and when it is detached.
    pub(super) tasks: Mtx<Option<Tasks<B>>>,
    pub(super) irqs: Sx<KVec<Irq<B>>>,
    log: LogLimit,
    pub(super) reset_log: LogLimit,
    pub(super) removed: AtomicBool,
}

impl<B: Backend> Runner<B> {
    /// A runner for `dev`, without tasks and interrupts.
    ///
    /// # Errors
    ///
    /// ENOMEM, EINVAL.
    pub fn new(
        dev: Dev,
        resources: Resources,
        slots: &[SlotConfig],
        config: Config,
        hw: KBox<B::Hw>,
    ) -> Result<Runner<B>> {
        let os = dev.os();
        Ok(Runner {
            dev,
            resources,
            queue: Queue::new(os, slots, config, hw)?,
            power: Sx::new(os, c"drm power", Power::default())?,
            tasks: Mtx::new(os, c"drm tasks", None)?,
            irqs: Sx::new(os, c"drm irqs", KVec::new(os))?,
            log: LogLimit::new(),
            reset_log: LogLimit::new(),
            removed: AtomicBool::new(false),
        })
    }

    /// Whether the device is removed.
    pub fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Acquire)
    }

    /// The instance of the system.
    pub fn os(&self) -> Os {
        self.dev.os()
    }

    /// The device node.
    pub fn dev(&self) -> Dev {
        self.dev
    }

    /// The scheduler and the hardware.
    pub fn lock(&self) -> Engine<'_, B> {
        self.queue.lock()
    }

    /// Logs what a client caused, once a second at the most.
    pub fn log_client(&self, args: core::fmt::Arguments<'_>) {
        self.log.warn(self.dev, args);
    }

    /// Logs an error of the device.
    pub fn log_error(&self, args: core::fmt::Arguments<'_>) {
        self.dev.log(Level::Error, args);
    }

    fn with_tasks(&self, f: impl FnOnce(&Tasks<B>)) {
        if let Some(tasks) = self.tasks.lock().as_ref() {
            f(tasks);
        }
    }

    /// Has jobs retired and started soon.
    pub fn enqueue(&self) {
        self.with_tasks(|tasks| tasks.pump.enqueue());
    }

    /// Has the device reset soon, for a caller that cannot sleep. No job is guilty.
    pub fn enqueue_reset(&self) {
        self.with_tasks(|tasks| tasks.reset.enqueue());
    }

    /// Has the driver's task `n` run soon.
    pub fn enqueue_task(&self, n: usize) {
        self.with_tasks(|tasks| {
            if let Some(task) = tasks.own.get(n) {
                task.enqueue();
            }
        });
    }

    /// Has the device turned off if it has no job until then.
    pub(super) fn enqueue_idle(&self) {
        let when = self.os().now().saturating_add(B::DESC.idle_ns);
        self.with_tasks(|tasks| tasks.idle.enqueue_at(when));
    }

    pub(super) fn enqueue_timeout(&self, when: u64) {
        self.with_tasks(|tasks| tasks.timeout.enqueue_at(when));
    }

    /// Waits for interrupt handlers that run now.
    pub fn sync_irqs(&self) {
        for irq in self.irqs.lock().iter() {
            irq.sync();
        }
    }
}
