// SPDX-License-Identifier: BSD-2-Clause
//! The driver's entry points for the DRM layer.

use crate::bo::{Bo, BoFlags, PanfrostGem};
use crate::device::Gpu;
use crate::file::PanfrostFile;
use crate::ioctls;
use crate::mmu::mapping::Mapping;
use crate::shrinker;
use crate::Panfrost;
use drmkpi::alloc::Arc;
use drmkpi::drm::device::Device;
use drmkpi::drm::driver::{Driver, Info, Statistic, Suspend};
use drmkpi::drm::file::File;
use drmkpi::drm::ioctl::{is_dense, Ioctl, DRIVER_BASE};
use drmkpi::entry::{Compatible, DriverTable};
use drmkpi::mem::buffer::Buffer;
use drmkpi::os::Dev;
use drmkpi::util::account::Account;
use drmkpi::util::errno::Result;

impl Driver for Panfrost {
    const INFO: Info = Info {
        name: c"panfrost",
        desc: c"panfrost DRM",
        date: c"20180908",
        major: 1,
        minor: 6,
        patchlevel: 0,
    };
    const IOCTLS: &'static [Ioctl<Self>] = ioctls::TABLE;

    type Data = Gpu;
    type File = PanfrostFile;
    type Object = Bo;
    type Handle = Arc<Mapping>;

    fn attach(dev: Dev) -> Result<Arc<Gpu>> {
        Gpu::attach(dev)
    }

    fn detach(gpu: &Arc<Gpu>) {
        Gpu::detach(gpu);
    }

    fn suspend(gpu: &Arc<Gpu>, how: Suspend) {
        gpu.runner.suspend(gpu, how);
    }

    fn resume(gpu: &Arc<Gpu>) {
        gpu.runner.resume(gpu);
    }

    fn open(dev: &Device<Self>, id: u64, account: &Arc<Account>) -> Result<PanfrostFile> {
        PanfrostFile::new(dev.data(), id, account)
    }

    fn gem_open(file: &File<Self>, gem: &Arc<PanfrostGem>) -> Result<()> {
        Bo::open(gem, file)
    }

    fn handle(file: &File<Self>, gem: &Arc<PanfrostGem>) -> Result<Arc<Mapping>> {
        gem.object().mapping(file.id())
    }

    fn gem_close(file: &File<Self>, gem: &Arc<PanfrostGem>) {
        gem.object().close(file.id());
    }

    fn settle(file: &PanfrostFile) {
        file.ended_jobs.settle();
    }

    fn import(dev: &Device<Self>, _buffer: &Arc<Buffer>) -> Result<Bo> {
        Bo::new(dev.os(), BoFlags::NOEXEC, true)
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
static COMPATIBLE: Compatible<12> = Compatible::new([
    c"arm,mali-t604".as_ptr(),
    c"arm,mali-t624".as_ptr(),
    c"arm,mali-t628".as_ptr(),
    c"arm,mali-t720".as_ptr(),
    c"arm,mali-t760".as_ptr(),
    c"arm,mali-t820".as_ptr(),
    c"arm,mali-t830".as_ptr(),
    c"arm,mali-t860".as_ptr(),
    c"arm,mali-t880".as_ptr(),
    c"arm,mali-bifrost".as_ptr(),
    c"arm,mali-valhall-jm".as_ptr(),
    core::ptr::null(),
]);

/// The table by which C calls the driver.
pub static DRIVER: DriverTable = DriverTable::new::<Panfrost, 12>(&COMPATIBLE);
