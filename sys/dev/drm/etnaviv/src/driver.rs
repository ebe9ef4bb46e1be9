// SPDX-License-Identifier: BSD-2-Clause
//! The driver as the DRM core sees it.

use crate::context::Context;
use crate::device::Gpu;
use crate::ioctls;
use crate::jobs;
use core::sync::atomic::{AtomicU64, Ordering};
use drm_sched::{ClientId, EntityId};
use drmkpi::alloc::Arc;
use drmkpi::buffer::Buffer;
use drmkpi::device::Device;
use drmkpi::driver::{Driver, Info, Statistic};
use drmkpi::errno::{Result, EALREADY};
use drmkpi::ffi::{Compatible, DriverTable};
use drmkpi::file::File;
use drmkpi::gem::Gem;
use drmkpi::ioctl::{is_dense, Ioctl, DRIVER_BASE};
use drmkpi::jobs::Timeline;
use drmkpi::os::{Dev, Mtx, ResvGuard};
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
    /// The last submit that named it, by a unique number; under the reservation lock.
    named_by: AtomicU64,
}

impl Bo {
    pub(crate) fn new(caching: Caching) -> Bo {
        Bo {
            caching,
            named_by: AtomicU64::new(0),
        }
    }

    /// Notes that submit number `submit` names the object.
    ///
    /// # Errors
    ///
    /// EALREADY when it has done so before, as locking a reservation twice is in Linux.
    pub(crate) fn name(&self, _lock: &ResvGuard, submit: u64) -> Result<()> {
        if self.named_by.swap(submit, Ordering::Relaxed) == submit {
            return Err(EALREADY);
        }
        Ok(())
    }
}

/// What the driver keeps per open file.
pub struct EtnavivFile {
    gpu: Arc<Gpu>,
    pub(crate) context: Arc<Context>,
    pub(crate) client: ClientId,
    pub(crate) entity: EntityId,
    pub(crate) timeline: Mtx<Timeline>,
    pub(crate) stats: Arc<Stats>,
}

impl Drop for EtnavivFile {
    fn drop(&mut self) {
        jobs::close(&self.gpu, self);
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

    fn remove(gpu: &Arc<Gpu>) {
        Gpu::remove(gpu);
    }

    fn open(dev: &Device<Self>, _id: u64) -> Result<EtnavivFile> {
        let gpu = dev.data();
        let os = gpu.os();
        let context = Context::new(gpu)?;
        let timeline = Mtx::new(os, c"etnaviv timeline", Timeline::new(os))?;
        let stats = Arc::new(os, Stats::default())?;
        let (client, entity) = jobs::open(gpu)?;
        Ok(EtnavivFile {
            gpu: gpu.clone(),
            context,
            client,
            entity,
            timeline,
            stats,
        })
    }

    fn gem_open(_file: &File<Self>, _gem: &Arc<EtnavivGem>) -> Result<()> {
        // Mapped when a job names it, where the client says.
        Ok(())
    }

    fn gem_close(file: &File<Self>, gem: &Arc<EtnavivGem>) {
        file.driver().context.forget(gem.buffer().id());
    }

    fn may_mmap(_gem: &EtnavivGem) -> bool {
        true
    }

    fn import(_dev: &Device<Self>, _buffer: &Arc<Buffer>) -> Result<Bo> {
        Ok(Bo::new(Caching::Uncached))
    }

    fn shrink(_gpu: &Gpu, _pages: u64) -> u64 {
        // Clients of this ABI cannot say what they do not need.
        0
    }

    fn stat(gpu: &Gpu, index: u32) -> Option<Statistic> {
        gpu.stats.get(index)
    }

    fn file_stat(file: &File<Self>, index: u32) -> Option<Statistic> {
        file.driver().stats.get(index)
    }
}

const _: () = assert!(is_dense(Etnaviv::IOCTLS, DRIVER_BASE), "ioctl numbers have a gap");

static COMPATIBLE: Compatible<2> = Compatible::new([c"vivante,gc".as_ptr(), core::ptr::null()]);

/// The driver as C sees it.
pub static DRIVER: DriverTable = DriverTable::new::<Etnaviv, 2>(&COMPATIBLE);
