// SPDX-License-Identifier: BSD-2-Clause
//! A driver that logs how the runner calls it, and sleeps in the calls that may: with a mutex held,
//! that is fatal.

use super::interface::{FREED_SLOWLY, FREE_NS, NEEDS_RESETS, STARTS, STUCK_ONCE};
use crate::engine::{DONE, HANDLER_MS, MASK, RESET, RESET_FAILS, SET_UP_FAILS, START, WINDOW};
use crate::MS;
use drm_sched::{Config as Limits, JobId, Outcome, SlotConfig};
use drmkpi::alloc::{Arc, KBox};
use drmkpi::drm::stats::Stats;
use drmkpi::os::{Dev, Level, Mmio, TaskQueue};
use drmkpi::resources::{Names, Resources};
use drmkpi::runner::backend::{Backend, Desc, Engine, Interrupt, Runner, Start, Vms};
use drmkpi::runner::holdings::{EndedJobs, Payload};
use drmkpi::runner::reaper::Reaper;
use drmkpi::util::account::Charge;
use drmkpi::util::errno::{Result, EIO};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const JOB_TIMEOUT_NS: u64 = 500 * MS;
/// Longer than the reaper's delay.
const IDLE_NS: u64 = 20 * MS;

pub(super) struct Probe {
    pub(super) dev: Dev,
    regs: Mmio<WINDOW>,
    pub(super) runner: Runner<Probe>,
    pub(super) jobs: Arc<Reaper<EndedJobs<Job>>>,
    pub(super) stats: Stats,
    /// Whether a function that the runner calls one at a time is running.
    busy: AtomicBool,
}

impl Probe {
    fn log(&self, call: &str) {
        self.dev.log(Level::Info, format_args!("{call}"));
    }

    /// Logs a call that accesses registers only with power.
    fn log_with(&self, call: &str, engine: &Engine<'_, Probe>) {
        match engine.state.powered {
            true => self.log(call),
            false => self.log(&format!("{call} without power")),
        }
    }

    /// Logs a call of a function that may sleep, and of which one at a time runs.
    fn log_alone(&self, call: &str) {
        match self.busy.swap(true, Ordering::Relaxed) {
            false => self.log(call),
            true => self.log(&format!("{call} while another runs")),
        }
        self.dev.os().sleep(2 * MS);
        self.busy.store(false, Ordering::Relaxed);
    }
}

/// The VM of a job. Its last reference is dropped where that may sleep.
pub(super) struct Vm {
    pub(super) dev: Dev,
}

impl Drop for Vm {
    fn drop(&mut self) {
        self.dev.log(Level::Info, format_args!("VM dropped"));
        self.dev.os().sleep(MS);
    }
}

pub(super) struct Job {
    pub(super) microseconds: u32,
    pub(super) start: u32,
    pub(super) stats: Arc<Stats>,
    pub(super) vm: Arc<Vm>,
    pub(super) dev: Dev,
    pub(super) _charge: Charge,
}

impl Drop for Job {
    fn drop(&mut self) {
        if self.start == FREED_SLOWLY {
            self.dev.os().sleep(FREE_NS);
        }
    }
}

impl Payload for Job {
    fn stats(&self) -> &Stats {
        &self.stats
    }

    fn free(self) {
        self.dev.log(Level::Info, format_args!("job freed"));
        self.dev.os().sleep(MS);
    }
}

/// What is in the hardware: a job, and the VM that is loaded.
#[derive(Default)]
pub(super) struct Hw {
    job: Option<JobId>,
    vm: Option<Arc<Vm>>,
}

impl Backend for Probe {
    type Job = Job;
    type Hw = Hw;
    type Vm = Vm;

    const DESC: Desc<Probe> = Desc {
        noun: "engine",
        queue: c"order",
        job_timeout_ns: JOB_TIMEOUT_NS,
        idle_ns: IDLE_NS,
        interrupts: &[Interrupt {
            name: None,
            run: |this| {
                let mut engine = this.runner.lock();
                if engine.state.powered {
                    this.collect(&mut engine);
                    let ms = this.regs.read(HANDLER_MS);
                    this.runner.jobs_ended(this, engine, this.runner.os().now());
                    if ms != 0 {
                        std::thread::sleep(Duration::from_millis(ms.into()));
                        this.log("handler returns");
                    }
                }
            },
        }],
        tasks: &[],
    };

    fn runner(&self) -> &Runner<Probe> {
        &self.runner
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }

    fn reset(&self) -> Result<()> {
        self.log_alone("reset");
        match self.regs.read(RESET_FAILS) {
            0 => {
                self.regs.write(RESET, 1);
                Ok(())
            }
            _ => Err(EIO),
        }
    }

    fn set_up(&self) -> Result<()> {
        self.log_alone("set_up");
        match self.regs.read(SET_UP_FAILS) {
            0 => Ok(()),
            _ => Err(EIO),
        }
    }

    fn ready(&self, engine: &mut Engine<'_, Probe>) {
        assert!(engine.hw.job.is_none() && !engine.state.powered);
        self.log("ready");
        self.regs.write(MASK, 1);
    }

    fn mask_interrupts(&self) {
        self.log("mask_interrupts");
        self.regs.write(MASK, 0);
    }

    fn stop(&self) {
        self.log_alone("stop");
    }

    fn forget(&self, hw: &mut Hw) -> Vms<Probe> {
        self.log("forget");
        hw.job = None;
        let mut vms = Vms::<Probe>::default();
        vms[0] = hw.vm.take();
        vms
    }

    fn forgotten(&self, _hw: &mut Hw) {
        self.log("forgotten");
    }

    fn power_off(&self) {
        self.log_alone("power_off");
    }

    fn start(&self, engine: &mut Engine<'_, Probe>, _slot: usize, id: JobId) -> Start<Vm> {
        if engine.hw.job.is_some() {
            return Start::Full;
        }
        self.log_with("start", engine);
        let Some(job) = engine.sched.job_mut(id) else {
            return Start::Started(None);
        };
        match job.payload.start {
            NEEDS_RESETS => return Start::NeedsReset,
            STUCK_ONCE => {
                job.payload.start = STARTS;
                self.runner.enqueue_reset();
                return Start::Stuck;
            }
            _ => {}
        }
        self.regs.write(START, job.payload.microseconds);
        let vm = job.payload.vm.clone();
        engine.hw.job = Some(id);
        Start::Started(engine.hw.vm.replace(vm))
    }

    fn is_empty(hw: &Hw) -> bool {
        hw.job.is_none()
    }

    fn collect(&self, engine: &mut Engine<'_, Probe>) {
        self.log_with("collect", engine);
        if self.regs.read(DONE) == 0 {
            return;
        }
        self.regs.write(DONE, 0);
        if let Some(id) = engine.hw.job.take() {
            let now = self.runner.os().now();
            engine.sched.complete(id, Outcome::Done, now);
        }
    }

    fn overdue(&self, engine: &mut Engine<'_, Probe>) -> Option<JobId> {
        self.log_with("overdue", engine);
        let now = self.runner.os().now();
        engine.sched.expired(now).map(|(_, id)| id)
    }

    fn timed_out(&self, _guilty: JobId) {
        self.log_alone("timed_out");
    }

    fn stop_orphans(&self, engine: &mut Engine<'_, Probe>) {
        self.log_with("stop_orphans", engine);
    }

    fn user_fence(job: &Job) -> u32 {
        job.microseconds
    }

    fn user_fence_signaled(&self, _id: u32) {
        self.log("user_fence_signaled");
    }
}

impl Probe {
    pub(super) fn attach(dev: Dev) -> Result<Arc<Probe>> {
        const NAMES: Names = Names {
            clocks: &[],
            regulator: None,
            reset: false,
        };
        let os = dev.os();
        let slot = SlotConfig {
            depth: 1,
            timeout_ns: JOB_TIMEOUT_NS,
        };
        let limits = Limits {
            max_blames: 1,
            blame_errno: EIO.get(),
            patience_ns: 0,
            grace_ns: IDLE_NS,
        };
        let resources = Resources::find(dev, &NAMES)?;
        let hw = KBox::new(os, Hw::default())?;
        let this = Probe {
            dev,
            regs: Mmio::map(dev, None)?,
            runner: Runner::new(dev, resources, &[slot], limits, hw)?,
            jobs: Reaper::new(os)?,
            stats: Stats::default(),
            busy: AtomicBool::new(false),
        };
        let this = Arc::new(os, this)?;
        let queue = Arc::new(os, TaskQueue::background(os, c"order reaper")?)?;
        let attached = Reaper::start(&this.jobs, &queue).and_then(|()| Runner::attach(&this));
        if let Err(e) = attached {
            Probe::detach(&this);
            return Err(e);
        }
        Ok(this)
    }

    pub(super) fn detach(this: &Arc<Probe>) {
        Runner::detach(this);
        this.jobs.stop();
    }
}
