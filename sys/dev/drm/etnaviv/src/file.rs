// SPDX-License-Identifier: BSD-2-Clause
//! Open files: an address space, and a queue on each core that is used.

use crate::device::Gpu;
use crate::gpu_core::Core;
use crate::job::payload::Job;
use crate::job::ring::CORES;
use crate::job::run;
use crate::mmu::vm::Context;
use crate::stream::Refused;
use drm_sched::{ClientId, EntityId};
use drmkpi::alloc::Arc;
use drmkpi::drm::stats::Stats;
use drmkpi::os::Sx;
use drmkpi::runner::jobs::Timeline;
use drmkpi::runner::reaper::Remains;
use drmkpi::util::account::Account;
use drmkpi::util::errno::{Errno, Result, EINVAL};
use drmkpi::util::int_conv::usize_of_u32;

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
    /// A file without jobs.
    ///
    /// # Errors
    ///
    /// ENOMEM; ENOSPC when there are as many clients as the hardware has page tables for.
    pub(crate) fn new(gpu: &Gpu, account: &Arc<Account>) -> Result<EtnavivFile> {
        let os = gpu.os();
        Ok(EtnavivFile {
            context: gpu.address_space(account)?,
            lanes: Sx::new(os, c"etnaviv lanes", [const { None }; CORES])?,
            stats: Arc::new(os, Stats::default())?,
            remains: Remains::new(os, &gpu.shared.reaper)?,
        })
    }

    /// A submit was refused with `error`, because of its stream if there is a `why`. The first of each file is logged
    /// whatever else was, as a client whose every job is refused may look well.
    pub(crate) fn refused(&self, gpu: &Gpu, pid: i32, why: Option<Refused>, error: Errno) {
        gpu.shared.stats.refuse();
        let first = self.stats.refuse();
        let log = gpu.refusal_log(first);
        let dev = gpu.shared.mmu.dev();
        match why {
            Some(why) => log.warn(dev, format_args!("process {pid}: {why}")),
            None => log.warn(
                dev,
                format_args!("process {pid}: submit refused with errno {}", error.get()),
            ),
        }
    }

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
        let (client, entity) = run::open(&core)?;
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
        run::close(&self.core, self.client, self.entity);
    }
}
