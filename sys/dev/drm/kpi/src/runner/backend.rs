// SPDX-License-Identifier: BSD-2-Clause
//! The interface between a driver and the runner: the description and the functions of a device
//! that a driver provides, and the runner of one device.

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

/// A guard of the job lock.
pub type Engine<'a, B> = MtxGuard<'a, queue::Engine<<B as Backend>::Job, KBox<<B as Backend>::Hw>>>;

/// An interrupt of the device, and its handler, which takes the job lock and does not sleep. After
/// it has collected jobs, it passes the lock to [`Runner::jobs_ended`].
pub struct Interrupt<B> {
    /// Its name in the device tree; `None` for the only interrupt of a node.
    pub name: Option<&'static CStr>,
    /// The handler.
    pub run: fn(&B),
}

/// A task of the driver, enqueued by [`Runner::enqueue_task`].
pub struct OwnTask<B> {
    /// The name of its own queue; `None` for the queue of the runner's tasks, which runs one task
    /// at a time.
    pub queue: Option<&'static CStr>,
    /// The function. May sleep.
    pub run: fn(&B),
}

/// The description of a device, which does not change.
pub struct Desc<B: 'static> {
    /// The name of the device in log lines: "GPU".
    pub noun: &'static str,
    /// The name of the task queue.
    pub queue: &'static CStr,
    /// The time after which a job in flight counts as hung, in ns.
    pub job_timeout_ns: u64,
    /// The time without a job after which the device is turned off, in ns.
    pub idle_ns: u64,
    /// Its interrupts.
    pub interrupts: &'static [Interrupt<B>],
    /// The driver's tasks, by the number that is passed to `enqueue_task`.
    pub tasks: &'static [OwnTask<B>],
}

/// The largest number of VMs that are loaded in the hardware at once.
pub const MAX_VMS: usize = 16;

/// The VMs that were loaded in the hardware.
pub type Vms<B> = [Option<Arc<<B as Backend>::Vm>>; MAX_VMS];

/// The result of starting a job.
pub enum Start<V> {
    /// The job is in flight. If there is a VM, it is no longer loaded.
    Started(Option<Arc<V>>),
    /// The hardware accepts no job now: the job is requeued.
    Full,
    /// The job task has to call `prepare` first: the job is requeued.
    Unprepared,
    /// The hardware, which has no job in flight, needs a reset before it accepts one: the job is
    /// requeued.
    NeedsReset,
    /// The hardware needs a reset, which the driver has enqueued. The job counts as in flight, so
    /// that it is started again after the reset.
    Stuck,
}

/// Hardware that runs jobs.
///
/// The functions that take an [`Engine`] or its `Hw`, and `mask_interrupts`, are called with the
/// job lock held. They do not sleep; those with an [`Engine`] access registers only if
/// `state.powered` is set, but for `ready`. So `start` is called in the thread of a submit, of an
/// interrupt or of a task, and `collect` in that of an interrupt or of a task.
///
/// `reset`, `set_up`, `stop`, `timed_out` and `power_off` are called with the power lock held
/// instead: one at a time, and while the device has power. They may sleep, and do not call
/// [`Runner::pin`] or [`Runner::with_power`].
pub trait Backend: Send + Sync + Sized + 'static {
    /// The driver's part of a job.
    type Job: Payload;
    /// The state of the hardware's queues, guarded by the job lock.
    type Hw: Send + 'static;
    /// A VM. The runner drops references to it without the job lock.
    type Vm: Send + Sync;

    /// The description of the device.
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
    /// ETIMEDOUT, EIO if the reset does not complete: the runner turns the device off.
    fn reset(&self) -> Result<()>;

    /// Sets the hardware up after a reset, before `ready`.
    ///
    /// # Errors
    ///
    /// As `reset`.
    fn set_up(&self) -> Result<()> {
        Ok(())
    }

    /// Unmasks interrupts: from now on the hardware accepts jobs.
    fn ready(&self, engine: &mut Engine<'_, Self>);

    /// Masks all interrupts: from now on their handlers acknowledge nothing.
    fn mask_interrupts(&self);

    /// Before a reset: stops running jobs, if the hardware can, and collects those that have ended.
    fn stop(&self) {}

    /// Before a reset or power-down: removes all jobs and VMs from `hw`, and returns the VMs. Jobs
    /// that were in flight may run until `reset` or `power_off` returns.
    fn forget(&self, hw: &mut Self::Hw) -> Vms<Self>;

    /// After the reset or power-down: no job that was in flight before `forget` runs any longer.
    fn forgotten(&self, _hw: &mut Self::Hw) {}

    /// Quiesces the hardware before its power is turned off. No job is in flight, interrupts are
    /// masked, and their handlers do not run.
    fn power_off(&self);

    // Jobs.

    /// Starts a job in a slot of the hardware.
    fn start(&self, engine: &mut Engine<'_, Self>, slot: usize, id: JobId) -> Start<Self::Vm>;

    /// After `start` has returned `Unprepared`: does without the job lock what takes long. Called
    /// in the job task, without the power lock; meanwhile the job may end, and the device be
    /// suspended, reset by that, or detached.
    fn prepare(&self) {}

    /// Whether no job is in flight.
    fn is_empty(hw: &Self::Hw) -> bool;

    /// Completes the jobs that have ended in the hardware, even if their interrupts were lost.
    fn collect(&self, engine: &mut Engine<'_, Self>);

    /// A job was queued, and is not started yet.
    fn queued(&self, _engine: &mut Engine<'_, Self>, _id: JobId) {}

    /// Handles jobs that took too long: may try to stop them, and returns the one that only a reset
    /// can end.
    fn overdue(&self, engine: &mut Engine<'_, Self>) -> Option<JobId>;

    /// When `overdue` is to be called next, a time in ns, if it is `now`; `None` if no job has a
    /// deadline.
    fn next_timeout(&self, engine: &mut Engine<'_, Self>, _now: u64) -> Option<u64> {
        engine.sched.next_deadline()
    }

    /// Counts and logs a hang before a reset ends the guilty job, and may make a crash dump. The
    /// job may end meanwhile.
    fn timed_out(&self, _guilty: JobId) {}

    /// After a file was closed: asks the hardware to stop its jobs that are in flight. The others
    /// are cancelled already.
    fn stop_orphans(&self, _engine: &mut Engine<'_, Self>) {}

    // User fences.

    /// The user fence id of a job, for a driver that has such ids.
    fn user_fence(_job: &Self::Job) -> u32 {
        0
    }

    /// After the fence with this user fence id was signaled.
    fn user_fence_signaled(&self, _id: u32) {}
}

/// The tasks of a device.
pub(super) struct Tasks<B> {
    pub(super) jobs: Arc<Task<B>>,
    pub(super) timeout: Task<B>,
    pub(super) idle: Task<B>,
    pub(super) reset: Task<B>,
    pub(super) own: KVec<Task<B>>,
}

/// The job queue of a device. The state of the hardware is boxed, as it is large.
type JobQueue<B> = Queue<<B as Backend>::Job, KBox<<B as Backend>::Hw>>;

/// Whether the device is on, and the number of users that keep it on between jobs.
#[derive(Default)]
pub(super) struct Power {
    pub(super) on: bool,
    pub(super) pins: u32,
}

/// The runner of one device: starts jobs, completes them, and controls the power of the device.
///
/// Lock order: the power lock ("drm power"), then "drm irqs", then the job lock ("drm jobs"); the
/// locks of the tasks, of the kick and of a released VM are leaves.
pub struct Runner<B: Backend> {
    os: Os,
    dev: Dev,
    pub(super) resources: Resources,
    pub(super) queue: Arc<JobQueue<B>>,
    /// A VM for the job task to drop, while `releasing` in the job lock's state.
    pub(super) released: Mtx<Option<Arc<B::Vm>>>,
    pub(super) power: Sx<Power>,
    /// `None` before the device is attached, and once it is detached.
    pub(super) tasks: Mtx<Option<Tasks<B>>>,
    pub(super) irqs: Sx<KVec<Irq<B>>>,
    log: LogLimit,
    pub(super) reset_log: LogLimit,
    pub(super) removed: AtomicBool,
}

impl<B: Backend> Runner<B> {
    /// A runner for `dev`, without tasks and interrupts until it is attached.
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
            os,
            dev,
            resources,
            queue: Queue::new(os, slots, config, hw)?,
            released: Mtx::new(os, c"drm released VM", None)?,
            power: Sx::new(os, c"drm power", Power::default())?,
            tasks: Mtx::new(os, c"drm tasks", None)?,
            irqs: Sx::new(os, c"drm irqs", KVec::new(os))?,
            log: LogLimit::new(),
            reset_log: LogLimit::new(),
            removed: AtomicBool::new(false),
        })
    }

    /// Whether the device is being detached.
    pub fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Acquire)
    }

    /// The operating system's instance that the device belongs to.
    pub fn os(&self) -> Os {
        self.os
    }

    /// The device node.
    pub fn dev(&self) -> Dev {
        self.dev
    }

    /// Takes the job lock, which guards the scheduler and the state of the hardware.
    pub fn lock(&self) -> Engine<'_, B> {
        self.queue.lock()
    }

    /// Logs an event that a client caused, at most once a second.
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

    /// Enqueues the task that retires and starts jobs.
    pub fn enqueue(&self) {
        self.with_tasks(|tasks| tasks.jobs.enqueue());
    }

    /// Enqueues a reset without a guilty job, for a caller that cannot sleep.
    pub fn enqueue_reset(&self) {
        self.with_tasks(|tasks| tasks.reset.enqueue());
    }

    /// Enqueues the driver's task `n`.
    pub fn enqueue_task(&self, n: usize) {
        self.with_tasks(|tasks| {
            if let Some(task) = tasks.own.get(n) {
                task.enqueue();
            }
        });
    }

    /// Arms the timers of the jobs in flight and of the idle time, unless a timer that is armed
    /// already fires in time. `now` is the time in ns if the caller has just read it.
    pub(super) fn set_timers(&self, b: &B, engine: &mut Engine<'_, B>, now: Option<u64>) {
        if !engine.state.powered {
            return;
        }
        let now = now.unwrap_or_else(|| self.os().now());
        if B::is_empty(&engine.hw) {
            let armed = engine.state.timers.arm_idle(now, B::DESC.idle_ns);
            if let Some(when) = armed {
                self.with_tasks(|tasks| tasks.idle.enqueue_at(when));
            }
        } else if let Some(when) = b.next_timeout(engine, now) {
            if engine.state.timers.arm_timeout(when) {
                self.with_tasks(|tasks| tasks.timeout.enqueue_at(when));
            }
        }
    }

    /// Waits until the interrupt handlers that are running have returned.
    pub fn sync_irqs(&self) {
        for irq in self.irqs.lock().iter() {
            irq.sync();
        }
    }
}
