// SPDX-License-Identifier: BSD-2-Clause
//! The driver's entry points for the DRM layer.

use crate::bo::{Bo, Caching, EtnavivGem};
use crate::device::Gpu;
use crate::file::EtnavivFile;
use crate::ioctls;
use crate::Etnaviv;
use drmkpi::alloc::Arc;
use drmkpi::drm::coredump::CoreDump;
use drmkpi::drm::device::Device;
use drmkpi::drm::driver::{Driver, Info, Statistic, Suspend};
use drmkpi::drm::file::File;
use drmkpi::drm::ioctl::{is_dense, Ioctl, DRIVER_BASE};
use drmkpi::entry::{Compatible, DriverTable};
use drmkpi::mem::buffer::Buffer;
use drmkpi::os::Dev;
use drmkpi::util::account::Account;
use drmkpi::util::errno::Result;

impl Driver for Etnaviv {
    const INFO: Info = Info {
        name: c"etnaviv",
        desc: c"etnaviv DRM",
        date: c"20151214",
        major: 1,
        minor: 4,
        patchlevel: 0,
    };
    const IOCTLS: &'static [Ioctl<Self>] = ioctls::TABLE;

    type Data = Gpu;
    type File = EtnavivFile;
    type Object = Bo;
    type Handle = ();

    fn attach(dev: Dev) -> Result<Arc<Gpu>> {
        Gpu::attach(dev)
    }

    const JOINS: bool = true;

    fn join(gpu: &Arc<Gpu>, dev: Dev) -> Result<()> {
        gpu.join(dev)
    }

    fn detach(gpu: &Arc<Gpu>) {
        gpu.detach();
    }

    fn suspend(gpu: &Arc<Gpu>, how: Suspend) {
        gpu.suspend(how);
    }

    fn resume(gpu: &Arc<Gpu>) {
        gpu.resume();
    }

    fn open(dev: &Device<Self>, _id: u64, account: &Arc<Account>) -> Result<EtnavivFile> {
        EtnavivFile::new(dev.data(), account)
    }

    fn gem_open(_file: &File<Self>, _gem: &Arc<EtnavivGem>) -> Result<()> {
        // It is mapped when a job uses it, at an address of the client's choice.
        Ok(())
    }

    fn handle(_file: &File<Self>, _gem: &Arc<EtnavivGem>) -> Result<()> {
        Ok(())
    }

    fn gem_close(file: &File<Self>, gem: &Arc<EtnavivGem>) {
        file.driver().vm.forget(gem.buffer().id());
    }

    fn settle(file: &EtnavivFile) {
        file.ended_jobs.settle();
    }

    fn import(_dev: &Device<Self>, _buffer: &Arc<Buffer>) -> Result<Bo> {
        Ok(Bo::new(Caching::Uncached, true))
    }

    fn stat(gpu: &Gpu, index: u32) -> Option<Statistic> {
        gpu.shared.stats.get(index)
    }

    fn dump(gpu: &Gpu) -> Option<&CoreDump> {
        Some(&gpu.shared.dump)
    }

    fn file_stat(file: &File<Self>, index: u32) -> Option<Statistic> {
        file.driver().stats.get(index)
    }
}

const _: () = assert!(
    is_dense(Etnaviv::IOCTLS, DRIVER_BASE),
    "ioctl numbers have a gap"
);

static COMPATIBLE: Compatible<2> = Compatible::new([c"vivante,gc".as_ptr(), core::ptr::null()]);

/// The table by which C calls the driver.
pub static DRIVER: DriverTable = DriverTable::new::<Etnaviv, 2>(&COMPATIBLE);
