// SPDX-License-Identifier: BSD-2-Clause
//! Open files: a VM, and a run queue on each core that is used.

use crate::device::Gpu;
use crate::gpu_core::{Core, SLOT};
use crate::job::payload::Job;
use crate::job::ring::CORES;
use crate::mmu::vm::Vm;
use crate::stream::Refused;
use drmkpi::alloc::Arc;
use drmkpi::drm::stats::Stats;
use drmkpi::os::Sx;
use drmkpi::runner::client::Client;
use drmkpi::runner::holdings::Remains;
use drmkpi::util::account::Account;
use drmkpi::util::errno::{Errno, Result, EINVAL};
use drmkpi::util::int_conv::usize_of_u32;

/// What the driver keeps per open file.
pub struct EtnavivFile {
    pub(crate) vm: Arc<Vm>,
    /// By core, once a job was submitted to it.
    clients: Sx<[Option<Arc<Client<Core>>>; CORES]>,
    pub(crate) stats: Arc<Stats>,
    /// What its jobs held that have ended.
    pub(crate) remains: Arc<Remains<Job>>,
}

impl Drop for EtnavivFile {
    fn drop(&mut self) {
        // Before its clients are dropped, which cancels its jobs.
        self.remains.close();
    }
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
            vm: gpu.vm(account)?,
            clients: Sx::new(os, c"etnaviv clients", [const { None }; CORES])?,
            stats: Arc::new(os, Stats::default())?,
            remains: Remains::new(os, &gpu.shared.jobs)?,
        })
    }

    /// Counts and logs a submit that was refused with `error`, because of its stream if there is a
    /// `why`.
    pub(crate) fn refused(&self, gpu: &Gpu, pid: i32, why: Option<Refused>, error: Errno) {
        let (dev, stats) = (gpu.shared.mmu.dev(), &gpu.shared.stats);
        let log = |reason: core::fmt::Arguments<'_>| {
            gpu.refusals.log(dev, stats, &self.stats, reason);
        };
        match why {
            Some(why) => log(format_args!("process {pid}: {why}")),
            None => log(format_args!(
                "process {pid}: submit refused with errno {}",
                error.get()
            )),
        }
    }

    /// The run queue for a core.
    ///
    /// # Errors
    ///
    /// EINVAL for a number that no core can have, ENXIO for one that none has or when the device is
    /// removed; ENOMEM.
    pub(crate) fn client(&self, gpu: &Gpu, pipe: u32) -> Result<Arc<Client<Core>>> {
        let core = gpu.core(pipe)?;
        let mut clients = self.clients.lock();
        let client = clients.get_mut(usize_of_u32(pipe)).ok_or(EINVAL)?;
        match client {
            Some(client) => Ok(client.clone()),
            None => {
                let new = Arc::new(core.os(), Client::new(&core, &[SLOT])?)?;
                Ok(client.insert(new).clone())
            }
        }
    }
}
