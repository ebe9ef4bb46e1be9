// SPDX-License-Identifier: BSD-2-Clause
//! The driver as the DRM core sees it.

use crate::context::Context;
use crate::cores::Core;
use crate::device::Gpu;
use crate::ioctls;
use crate::jobs::{self, Job};
use crate::ring::CORES;
use drm_sched::{ClientId, EntityId};
use drmkpi::account::Account;
use drmkpi::alloc::Arc;
use drmkpi::buffer::Buffer;
use drmkpi::coredump::CoreDump;
use drmkpi::device::Device;
use drmkpi::driver::{Driver, Info, Statistic, Suspend};
use drmkpi::errno::{Result, EINVAL};
use drmkpi::ffi::{Compatible, DriverTable};
use drmkpi::file::File;
use drmkpi::gem::Gem;
use drmkpi::ioctl::{is_dense, Ioctl, DRIVER_BASE};
use drmkpi::jobs::Timeline;
use drmkpi::num::usize_of_u32;
use drmkpi::os::{Dev, Sx};
use drmkpi::reaper::Remains;
use drmkpi::stats::Stats;

/// The driver.
pub struct Etnaviv;

/// Its GEM objects.
pub(crate) type EtnavivGem = Gem<Etnaviv>;

/// How CPUs map an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Caching {
    /// Cached: CPU_PREP and CPU_FINI keep it in step with the GPU.
    Cached,
    /// Nothing to keep in step.
    Uncached,
}

/// What the driver keeps per object.
pub struct Bo {
    pub(crate) caching: Caching,
    /// Whether the GPU may write to it.
    pub(crate) writable: bool,
}

impl Bo {
    pub(crate) fn new(caching: Caching, writable: bool) -> Bo {
        Bo { caching, writable }
    }
}

/// What the driver keeps per open file.
pub struct EtnavivFile {
    pub(crate) context: Arc<Context>,
    /// By core, once a job was submitted to it.
    lanes: Sx<[Option<Arc<Lane>>; CORES]>,
    pub(crate) stats: Arc<Stats>,
    /// What its jobs held that are over.
    pub(crate) remains: Arc<Remains<Job>>,
}

impl Drop for EtnavivFile {
    fn drop(&mut self) {
        // Before its lanes go, and its jobs are cancelled.
        self.remains.close();
    }
}

/// The jobs of an open file on one core.
pub(crate) struct Lane {
    pub(crate) core: Arc<Core>,
    client: ClientId,
    pub(crate) entity: EntityId,
    /// Held from a job's fence to its place in the queue.
    pub(crate) timeline: Sx<Timeline>,
}

impl EtnavivFile {
    /// Where jobs for a core go.
    ///
    /// # Errors
    ///
    /// EINVAL for a number that no core can have, ENXIO for one that none has or when the device is gone; ENOMEM.
    pub(crate) fn lane(&self, gpu: &Gpu, pipe: u32) -> Result<Arc<Lane>> {
        let core = gpu.core(pipe)?;
        let mut lanes = self.lanes.lock();
        let lane = lanes.get_mut(usize_of_u32(pipe)).ok_or(EINVAL)?;
        match lane {
            Some(lane) => Ok(lane.clone()),
            None => Ok(lane.insert(Lane::new(core)?).clone()),
        }
    }
}

impl Lane {
    fn new(core: Arc<Core>) -> Result<Arc<Lane>> {
        let os = core.os();
        let timeline = Sx::new(os, c"etnaviv timeline", Timeline::new(os))?;
        let (client, entity) = jobs::open(&core)?;
        let lane = Lane {
            core,
            client,
            entity,
            timeline,
        };
        Arc::new(os, lane)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        jobs::close(&self.core, self.client, self.entity);
    }
}

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

    fn probe(dev: Dev) -> Result<Arc<Gpu>> {
        Gpu::probe(dev)
    }

    const JOINS: bool = true;

    fn join(gpu: &Arc<Gpu>, dev: Dev) -> Result<()> {
        gpu.join(dev)
    }

    fn remove(gpu: &Arc<Gpu>) {
        gpu.remove();
    }

    fn suspend(gpu: &Arc<Gpu>, how: Suspend) {
        gpu.suspend(how);
    }

    fn resume(gpu: &Arc<Gpu>) {
        gpu.resume();
    }

    fn open(dev: &Device<Self>, _id: u64, account: &Arc<Account>) -> Result<EtnavivFile> {
        let gpu = dev.data();
        let os = gpu.os();
        Ok(EtnavivFile {
            context: gpu.address_space(account)?,
            lanes: Sx::new(os, c"etnaviv lanes", [const { None }; CORES])?,
            stats: Arc::new(os, Stats::default())?,
            remains: Remains::new(os, &gpu.shared.reaper)?,
        })
    }

    fn gem_open(_file: &File<Self>, _gem: &Arc<EtnavivGem>) -> Result<()> {
        // Mapped when a job names it, where the client says.
        Ok(())
    }

    fn gem_close(file: &File<Self>, gem: &Arc<EtnavivGem>) {
        file.driver().context.forget(gem.buffer().id());
    }

    fn settle(file: &EtnavivFile) {
        file.remains.settle();
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

const _: () = assert!(is_dense(Etnaviv::IOCTLS, DRIVER_BASE), "ioctl numbers have a gap");

static COMPATIBLE: Compatible<2> = Compatible::new([c"vivante,gc".as_ptr(), core::ptr::null()]);

/// The driver as C sees it.
pub static DRIVER: DriverTable = DriverTable::new::<Etnaviv, 2>(&COMPATIBLE);
