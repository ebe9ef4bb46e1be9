// SPDX-License-Identifier: BSD-2-Clause
//! A driver that logs how the runner calls it, and sleeps in the calls that may: with a mutex held,
//! that is fatal.

use crate::model::{DONE, HANDLER_MS, MASK, RESET_FAILS, SET_UP_FAILS, START, WINDOW};
use drm_sched::{Config as Limits, JobId, Outcome, SlotConfig};
use drmkpi::alloc::{Arc, Hook, KBox};
use drmkpi::drm::device::Device;
use drmkpi::drm::driver::{Call, Driver, Info, Statistic, Suspend};
use drmkpi::drm::file::File;
use drmkpi::drm::gem::Gem;
use drmkpi::drm::ioctl::{Ioctl, RENDER};
use drmkpi::drm::stats::Stats;
use drmkpi::drm_ioctl;
use drmkpi::entry::{Compatible, DriverTable};
use drmkpi::mem::buffer::Buffer;
use drmkpi::mem::reservation::{NoBuffers, Reservation};
use drmkpi::os::{Dev, Level, Mmio, TaskQueue};
use drmkpi::resources::{Names, Resources};
use drmkpi::runner::backend::{Backend, Desc, Engine, Interrupt, Runner, Start, Vms};
use drmkpi::runner::client::{Client, Submission};
use drmkpi::runner::holdings::{EndedJobs, Payload};
use drmkpi::runner::reaper::Reaper;
use drmkpi::sync::fence::{Fence, Hooked};
use drmkpi::sync::fences::FenceSet;
use drmkpi::uapi_struct;
use drmkpi::util::account::{Account, Charge};
use drmkpi::util::errno::{Result, EINVAL, EIO, ENODEV, ENXIO};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;
use std::time::Duration;

const MS: u64 = 1_000_000;
const JOB_TIMEOUT_NS: u64 = 500 * MS;
/// Longer than the reaper's delay.
const IDLE_NS: u64 = 20 * MS;

struct Probe {
    dev: Dev,
    regs: Mmio<WINDOW>,
    runner: Runner<Probe>,
    jobs: Arc<Reaper<EndedJobs<Job>>>,
    stats: Stats,
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
struct Vm {
    dev: Dev,
}

impl Drop for Vm {
    fn drop(&mut self) {
        self.dev.log(Level::Info, format_args!("VM dropped"));
        self.dev.os().sleep(MS);
    }
}

struct Job {
    microseconds: u32,
    start: u32,
    stats: Arc<Stats>,
    vm: Arc<Vm>,
    dev: Dev,
    _charge: Charge,
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
struct Hw {
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
                self.regs.write(RESET_FAILS, 0);
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
    fn attach(dev: Dev) -> Result<Arc<Probe>> {
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
            OrderDriver::detach(&this);
            return Err(e);
        }
        Ok(this)
    }
}

uapi_struct! {
    /// Runs a job.
    pub struct Submit {
        /// The time that it takes, in microseconds; more than 500,000 hang.
        microseconds: u32,
        /// How its start ends: one of the constants below.
        start: u32,
    }
}

/// Logs the signal of a fence.
struct Signaled {
    dev: Dev,
}

impl Hook for Signaled {
    fn signaled(&self, token: u64) {
        self.dev.log(Level::Info, format_args!("signaled {token}"));
    }
}

/// The hardware starts the job.
pub(crate) const STARTS: u32 = 0;
/// The hardware needs a reset first, and again after it.
pub(crate) const NEEDS_RESETS: u32 = 1;
/// The hardware is stuck until a reset, which the driver enqueues.
pub(crate) const STUCK_ONCE: u32 = 2;
/// The hardware starts the job, which takes FREE_NS to free.
pub(crate) const FREED_SLOWLY: u32 = 3;
/// There is no job: the call enqueues a reset.
pub(crate) const RESETS: u32 = 4;
pub(crate) const FREE_NS: u64 = 100 * MS;

fn submit(call: &Call<'_, OrderDriver>, arg: &mut Submit) -> Result<()> {
    if arg.start == RESETS {
        call.device().data().runner.enqueue_reset();
        return Ok(());
    }
    let file = call.file.driver();
    let (os, dev) = (call.file.os(), call.device().data().dev);
    let vm = Arc::new(os, Vm { dev })?;
    let new = Submission {
        slot: 0,
        account: call.file.account(),
        ended_jobs: &file.ended_jobs,
        reservation: Reservation::take(os, call.caller, &NoBuffers, None)?,
        waits: FenceSet::new(os),
        bytes: 1024,
        sync_file: None,
    };
    let make = |charge, _: &Option<Hooked>| {
        Ok(Job {
            microseconds: arg.microseconds,
            start: arg.start,
            stats: file.stats.clone(),
            vm,
            dev,
            _charge: charge,
        })
    };
    let hook = Arc::new(os, Signaled { dev })?.into_hook();
    let prepare = |fence: &Arc<Fence>| Fence::hook(fence, &hook, arg.microseconds.into());
    let client = file.client.as_ref().ok_or(ENXIO)?;
    let (hooked, _) = client.submit(new, prepare, make)?;
    file.hooks.lock().expect("a lock").extend(hooked);
    Ok(())
}

struct OrderDriver;

struct OrderFile {
    stats: Arc<Stats>,
    ended_jobs: Arc<EndedJobs<Job>>,
    client: Option<Client<Probe>>,
    hooks: Mutex<Vec<Hooked>>,
}

impl Drop for OrderFile {
    fn drop(&mut self) {
        self.ended_jobs.close();
        drop(self.client.take());
    }
}

impl Driver for OrderDriver {
    const INFO: Info = Info {
        name: c"order",
        desc: c"a driver that logs how it is called",
        date: c"20261130",
        major: 1,
        minor: 0,
        patchlevel: 0,
    };
    const IOCTLS: &'static [Ioctl<Self>] = &[drm_ioctl!(0xc008_6440, Submit, RENDER, submit)];

    type Data = Probe;
    type File = OrderFile;
    type Object = ();
    type Handle = ();

    fn attach(dev: Dev) -> Result<Arc<Probe>> {
        Probe::attach(dev)
    }

    fn detach(this: &Arc<Probe>) {
        Runner::detach(this);
        this.jobs.stop();
    }

    fn suspend(this: &Arc<Probe>, how: Suspend) {
        this.runner.suspend(this, how);
    }

    fn resume(this: &Arc<Probe>) {
        this.runner.resume(this);
    }

    fn open(dev: &Device<Self>, _id: u64, _account: &Arc<Account>) -> Result<OrderFile> {
        let os = dev.os();
        Ok(OrderFile {
            stats: Arc::new(os, Stats::default())?,
            ended_jobs: EndedJobs::new(os, &dev.data().jobs)?,
            client: Some(Client::new(dev.data(), &[0])?),
            hooks: Mutex::default(),
        })
    }

    fn gem_open(_: &File<Self>, _: &Arc<Gem<Self>>) -> Result<()> {
        Err(EINVAL)
    }

    fn handle(_: &File<Self>, _: &Arc<Gem<Self>>) -> Result<()> {
        Ok(())
    }

    fn gem_close(_: &File<Self>, _: &Arc<Gem<Self>>) {}

    fn settle(file: &OrderFile) {
        file.ended_jobs.settle();
    }

    fn import(_: &Device<Self>, _: &Arc<Buffer>) -> Result<()> {
        Err(ENODEV)
    }

    fn stat(this: &Probe, index: u32) -> Option<Statistic> {
        this.stats.get(index)
    }

    fn file_stat(file: &File<Self>, index: u32) -> Option<Statistic> {
        file.driver().stats.get(index)
    }
}

static COMPATIBLE: Compatible<2> = Compatible::new([c"drmkpi,order".as_ptr(), core::ptr::null()]);
pub(crate) static DRIVER: DriverTable = DriverTable::new::<OrderDriver, 2>(&COMPATIBLE);
