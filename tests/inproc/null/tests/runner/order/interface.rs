// SPDX-License-Identifier: BSD-2-Clause
//! The user interface of the driver that logs how it is called.

use super::probe::{Job, Probe, Vm};
use crate::MS;
use drmkpi::alloc::{Arc, Hook};
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
use drmkpi::os::{Dev, Level};
use drmkpi::runner::client::{Client, Submission};
use drmkpi::runner::holdings::EndedJobs;
use drmkpi::sync::fence::{Fence, Hooked};
use drmkpi::sync::fences::FenceSet;
use drmkpi::uapi_struct;
use drmkpi::util::account::Account;
use drmkpi::util::errno::{Result, EINVAL, ENODEV, ENXIO};
use std::sync::Mutex;

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
        Probe::detach(this);
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
