// SPDX-License-Identifier: BSD-2-Clause
//! The driver as the DRM core sees it.

use crate::bo::{Bo, BoFlags};
use crate::context::Context;
use crate::device::Gpu;
use crate::ioctls;
use crate::jobs::{self, Job};
use crate::perfcnt;
use crate::shrinker;
use drm_sched::{ClientId, EntityId};
use drmkpi::alloc::Arc;
use drmkpi::drm::device::Device;
use drmkpi::drm::driver::{Driver, Info, Statistic, Suspend};
use drmkpi::drm::file::File;
use drmkpi::drm::gem::Gem;
use drmkpi::drm::ioctl::{is_dense, Ioctl, DRIVER_BASE};
use drmkpi::drm::stats::Stats;
use drmkpi::entry::{Compatible, DriverTable};
use drmkpi::mem::buffer::Buffer;
use drmkpi::os::{Dev, Sx};
use drmkpi::runner::jobs::Timeline;
use drmkpi::runner::reaper::Remains;
use drmkpi::util::account::Account;
use drmkpi::util::errno::Result;

/// The driver.
pub struct Panfrost;

/// Its GEM objects.
pub(crate) type PanfrostGem = Gem<Panfrost>;

/// Job slots that clients can use: fragment jobs, and all others.
pub(crate) const USED_SLOTS: usize = 2;

/// What the driver keeps per open file.
pub struct PanfrostFile {
    id: u64,
    gpu: Arc<Gpu>,
    pub(crate) context: Arc<Context>,
    pub(crate) client: ClientId,
    pub(crate) entities: [EntityId; USED_SLOTS],
    /// Held from a job's fence to its place in the queue.
    pub(crate) timelines: Sx<[Timeline; USED_SLOTS]>,
    pub(crate) stats: Arc<Stats>,
    /// What its jobs held that are over.
    pub(crate) remains: Arc<Remains<Job>>,
}

impl Drop for PanfrostFile {
    fn drop(&mut self) {
        self.remains.close();
        jobs::close(&self.gpu, self);
        perfcnt::close(&self.gpu, self.id);
    }
}

impl Driver for Panfrost {
    const INFO: Info = Info {
        name: c"panfrost",
        desc: c"panfrost DRM",
        date: c"20180908",
        major: 1,
        minor: 2,
        patchlevel: 0,
    };
    const IOCTLS: &'static [Ioctl<Self>] = ioctls::TABLE;

    type Data = Gpu;
    type File = PanfrostFile;
    type Object = Bo;

    fn attach(dev: Dev) -> Result<Arc<Gpu>> {
        Gpu::probe(dev)
    }

    fn detach(gpu: &Arc<Gpu>) {
        Gpu::remove(gpu);
    }

    fn suspend(gpu: &Arc<Gpu>, how: Suspend) {
        gpu.suspend(how);
    }

    fn resume(gpu: &Arc<Gpu>) {
        gpu.resume();
    }

    fn open(dev: &Device<Self>, id: u64, account: &Arc<Account>) -> Result<PanfrostFile> {
        let gpu = dev.data();
        let os = gpu.os();
        let context = Context::new(gpu, account)?;
        let timelines = Sx::new(
            os,
            c"panfrost timelines",
            [Timeline::new(os), Timeline::new(os)],
        )?;
        let stats = Arc::new(os, Stats::default())?;
        let remains = Remains::new(os, &gpu.reaper)?;
        let (client, entities) = jobs::open(gpu)?;
        Ok(PanfrostFile {
            id,
            gpu: gpu.clone(),
            context,
            client,
            entities,
            timelines,
            stats,
            remains,
        })
    }

    fn gem_open(file: &File<Self>, gem: &Arc<PanfrostGem>) -> Result<()> {
        Bo::open(gem, file)
    }

    fn gem_close(file: &File<Self>, gem: &Arc<PanfrostGem>) {
        gem.object().close(file.id());
    }

    fn settle(file: &PanfrostFile) {
        file.remains.settle();
    }

    fn import(dev: &Device<Self>, _buffer: &Arc<Buffer>) -> Result<Bo> {
        Bo::new(dev.os(), BoFlags::NOEXEC)
    }

    fn purge(gem: &PanfrostGem, free: impl FnOnce() -> Result<()>) -> Result<()> {
        shrinker::purge(gem, free)
    }

    fn stat(gpu: &Gpu, index: u32) -> Option<Statistic> {
        gpu.stats.get(index)
    }

    fn file_stat(file: &File<Self>, index: u32) -> Option<Statistic> {
        file.driver().stats.get(index)
    }
}

const _: () = assert!(
    is_dense(Panfrost::IOCTLS, DRIVER_BASE),
    "ioctl numbers have a gap"
);

/// Most specific first, as in the device tree bindings arm,mali-midgard and arm,mali-bifrost.
static COMPATIBLE: Compatible<5> = Compatible::new([
    c"arm,mali-t720".as_ptr(),
    c"arm,mali-t760".as_ptr(),
    c"arm,mali-t860".as_ptr(),
    c"arm,mali-bifrost".as_ptr(),
    core::ptr::null(),
]);

/// The driver as C sees it.
pub static DRIVER: DriverTable = DriverTable::new::<Panfrost, 5>(&COMPATIBLE);
