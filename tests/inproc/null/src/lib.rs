// SPDX-License-Identifier: BSD-2-Clause
//! A driver for an engine that does nothing: the smallest driver that this DRM layer can host, as
//! an example for the next one and as a test of the runner on hardware that is easy to understand.
//!
//! The engine has one slot. A write to START begins a job, which takes as many microseconds as was
//! written; when it ends, DONE reads 1 and the interrupt is raised, until 1 is written to DONE. A
//! write to RESET ends whatever runs, silently, and masks the interrupt; MASK 1 unmasks it.
//!
//! docs/null-driver.md walks through this file.
#![no_std]
#![forbid(unsafe_code)]

use drm_sched::{Config, JobId, Outcome, SlotConfig};
use drmkpi::alloc::{Arc, KBox};
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
use drmkpi::os::{Dev, Mmio, TaskQueue};
use drmkpi::resources::{Names, Resources};
use drmkpi::runner::backend::{Backend, Desc, Engine, Interrupt, Runner, Start, Vms};
use drmkpi::runner::client::{Client, Submission};
use drmkpi::runner::holdings::{EndedJobs, Payload};
use drmkpi::runner::reaper::Reaper;
use drmkpi::sync::fence::Fence;
use drmkpi::sync::fences::FenceSet;
use drmkpi::uapi_struct;
use drmkpi::util::account::{Account, Charge};
use drmkpi::util::errno::{Result, EINVAL, EIO, ENODEV, ENXIO};

// The hardware.

const WINDOW: u32 = 0x10;
const RESET: u32 = 0x0;
const START: u32 = 0x4;
const DONE: u32 = 0x8;
const MASK: u32 = 0xc;
/// The slot of the engine.
const SLOT: usize = 0;
const JOB_TIMEOUT_NS: u64 = 500_000_000;

/// An engine.
pub struct Null {
    regs: Mmio<WINDOW>,
    runner: Runner<Null>,
    jobs: Arc<Reaper<EndedJobs<Job>>>,
    stats: Stats,
}

/// A job.
pub struct Job {
    microseconds: u32,
    stats: Arc<Stats>,
    _charge: Charge,
}

impl Payload for Job {
    fn stats(&self) -> &Stats {
        &self.stats
    }
}

impl Backend for Null {
    type Job = Job;
    /// The job that the engine runs.
    type Hw = Option<JobId>;
    /// It has no address spaces.
    type Vm = ();

    const DESC: Desc<Null> = Desc {
        noun: "engine",
        queue: c"null",
        job_timeout_ns: JOB_TIMEOUT_NS,
        idle_ns: 10_000_000,
        interrupts: &[Interrupt {
            name: None,
            run: |null| {
                let mut engine = null.runner.lock();
                if engine.state.powered {
                    null.collect(&mut engine);
                    null.runner.jobs_ended(null, engine, null.runner.os().now());
                }
            },
        }],
        tasks: &[],
    };

    fn runner(&self) -> &Runner<Null> {
        &self.runner
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }

    fn reset(&self) -> Result<()> {
        self.regs.write(RESET, 1);
        Ok(())
    }

    fn ready(&self, _engine: &mut Engine<'_, Null>) {
        self.regs.write(MASK, 1);
    }

    fn mask_interrupts(&self) {
        self.regs.write(MASK, 0);
    }

    fn forget(&self, running: &mut Option<JobId>) -> Vms<Null> {
        *running = None;
        Vms::<Null>::default()
    }

    fn power_off(&self) {}

    fn start(&self, engine: &mut Engine<'_, Null>, _slot: usize, id: JobId) -> Start<()> {
        if engine.hw.is_some() {
            return Start::Full;
        }
        if let Some(job) = engine.sched.job(id) {
            self.regs.write(START, job.payload.microseconds);
            *engine.hw = Some(id);
        }
        Start::Started(None)
    }

    fn is_empty(running: &Option<JobId>) -> bool {
        running.is_none()
    }

    fn collect(&self, engine: &mut Engine<'_, Null>) {
        if self.regs.read(DONE) == 0 {
            return;
        }
        self.regs.write(DONE, 1);
        if let Some(id) = engine.hw.take() {
            let now = self.runner.os().now();
            engine.sched.complete(id, Outcome::Done, now);
        }
    }

    fn overdue(&self, engine: &mut Engine<'_, Null>) -> Option<JobId> {
        let now = self.runner.os().now();
        engine.sched.expired(now).map(|(_, id)| id)
    }

    fn timed_out(&self, _guilty: JobId) {
        self.stats.fault();
        self.runner.log_client(format_args!("job timeout"));
    }
}

// Attach and detach.

const RESOURCES: Names = Names {
    clocks: &[],
    regulator: None,
    reset: false,
};

impl Null {
    fn attach(dev: Dev) -> Result<Arc<Null>> {
        let os = dev.os();
        let resources = Resources::find(dev, &RESOURCES)?;
        let slot = SlotConfig {
            depth: 1,
            timeout_ns: JOB_TIMEOUT_NS,
        };
        let config = Config {
            max_blames: 1,
            blame_errno: EIO.get(),
            patience_ns: 0,
            grace_ns: 10_000_000,
        };
        let null = Null {
            regs: Mmio::map(dev, None)?,
            runner: Runner::new(dev, resources, &[slot], config, KBox::new(os, None)?)?,
            jobs: Reaper::new(os)?,
            stats: Stats::default(),
        };
        let null = Arc::new(os, null)?;
        let queue = Arc::new(os, TaskQueue::background(os, c"null reaper")?)?;
        let attached = Reaper::start(&null.jobs, &queue).and_then(|()| Runner::attach(&null));
        if let Err(e) = attached {
            Null::detach(&null);
            return Err(e);
        }
        Ok(null)
    }

    fn detach(null: &Arc<Null>) {
        Runner::detach(null);
        null.jobs.stop();
    }
}

// The user ABI.

uapi_struct! {
    /// Runs a job.
    pub struct Submit {
        /// The time that it takes, in microseconds; more than 500,000 hang.
        microseconds: u32,
        /// The syncobj that gets its fence.
        out_sync: u32,
    }
}

fn submit(call: &Call<'_, NullDriver>, arg: &mut Submit) -> Result<()> {
    let file = call.file.driver();
    let out_sync = call.file.syncobj(arg.out_sync)?;
    let os = call.file.os();
    let new = Submission {
        slot: SLOT,
        account: call.file.account(),
        ended_jobs: &file.ended_jobs,
        reservation: Reservation::take(os, call.caller, &NoBuffers, None)?,
        waits: FenceSet::new(os),
        bytes: 1024,
        sync_file: None,
    };
    let make = |charge, _: &Arc<Fence>| {
        Ok(Job {
            microseconds: arg.microseconds,
            stats: file.stats.clone(),
            _charge: charge,
        })
    };
    let client = file.client.as_ref().ok_or(ENXIO)?;
    let (fence, _) = client.submit(new, |fence| Ok(fence.clone()), make)?;
    out_sync.replace(Some(fence.into()));
    Ok(())
}

// The driver.

/// The driver.
pub struct NullDriver;

/// An open file.
pub struct NullFile {
    stats: Arc<Stats>,
    ended_jobs: Arc<EndedJobs<Job>>,
    /// None when the file is being closed.
    client: Option<Client<Null>>,
}

impl Drop for NullFile {
    fn drop(&mut self) {
        self.ended_jobs.close();
        drop(self.client.take());
    }
}

impl Driver for NullDriver {
    const INFO: Info = Info {
        name: c"null",
        desc: c"an engine that does nothing",
        date: c"20261130",
        major: 1,
        minor: 0,
        patchlevel: 0,
    };
    const IOCTLS: &'static [Ioctl<Self>] = &[drm_ioctl!(0xc008_6440, Submit, RENDER, submit)];

    type Data = Null;
    type File = NullFile;
    /// It keeps nothing per GEM object.
    type Object = ();
    type Handle = ();

    fn attach(dev: Dev) -> Result<Arc<Null>> {
        Null::attach(dev)
    }

    fn detach(null: &Arc<Null>) {
        Null::detach(null);
    }

    fn suspend(null: &Arc<Null>, how: Suspend) {
        null.runner.suspend(null, how);
    }

    fn resume(null: &Arc<Null>) {
        null.runner.resume(null);
    }

    fn open(dev: &Device<Self>, _id: u64, _account: &Arc<Account>) -> Result<NullFile> {
        let os = dev.os();
        Ok(NullFile {
            stats: Arc::new(os, Stats::default())?,
            ended_jobs: EndedJobs::new(os, &dev.data().jobs)?,
            client: Some(Client::new(dev.data(), &[SLOT])?),
        })
    }

    fn gem_open(_file: &File<Self>, _gem: &Arc<Gem<Self>>) -> Result<()> {
        Err(EINVAL)
    }

    fn handle(_file: &File<Self>, _gem: &Arc<Gem<Self>>) -> Result<()> {
        Ok(())
    }

    fn gem_close(_file: &File<Self>, _gem: &Arc<Gem<Self>>) {}

    fn settle(file: &NullFile) {
        file.ended_jobs.settle();
    }

    fn import(_dev: &Device<Self>, _buffer: &Arc<Buffer>) -> Result<()> {
        Err(ENODEV)
    }

    fn stat(null: &Null, index: u32) -> Option<Statistic> {
        null.stats.get(index)
    }

    fn file_stat(file: &File<Self>, index: u32) -> Option<Statistic> {
        file.driver().stats.get(index)
    }
}

static COMPATIBLE: Compatible<2> = Compatible::new([c"drmkpi,null".as_ptr(), core::ptr::null()]);

/// The driver as C sees it.
pub static DRIVER: DriverTable = DriverTable::new::<NullDriver, 2>(&COMPATIBLE);
