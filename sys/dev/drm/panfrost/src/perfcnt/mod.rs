// SPDX-License-Identifier: BSD-2-Clause
//! Performance counters, for one client at a time.
//!
//! * `ioctls`: PERFCNT_ENABLE and PERFCNT_DUMP
//!
//! For a dump, the command SAMPLE has the GPU write the counters to an address in the client's VM.
//! Its interrupt starts CLEAN_CACHES, which writes the caches back, and whose interrupt wakes the
//! caller.

pub(crate) mod ioctls;

use crate::mmu::mapping::Mapping;
use crate::mmu::slots::Seat;
use crate::mmu::vm::Vm;
use crate::regs::gpu::{self as reg, Command, Irq};
use crate::regs::Regs;
use drmkpi::alloc::Arc;
use drmkpi::mem::buffer::Buffer;
use drmkpi::os::{Condvar, Mtx, Os, Sx};
use drmkpi::util::errno::Result;

/// The client that has the counters.
struct Session {
    file: u64,
    vm: Arc<Vm>,
    buffer: Arc<Buffer>,
    mapping: Mapping,
    seat: Seat,
    counterset: u32,
    /// For a dump whose caller was interrupted by a signal: the number of dumps completed before
    /// it.
    left: Option<u64>,
}

/// The counters of a GPU.
pub(crate) struct Perfcnt {
    session: Sx<Option<Session>>,
    /// The number of completed dumps.
    dumped: Mtx<u64>,
    wake: Condvar,
}

impl Perfcnt {
    /// Counters that no client uses.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn new(os: Os) -> Result<Perfcnt> {
        Ok(Perfcnt {
            session: Sx::new(os, c"panfrost perfcnt", None)?,
            dumped: Mtx::new(os, c"panfrost dump", 0)?,
            wake: Condvar::new(os, c"pfdump")?,
        })
    }

    /// Handles interrupts of the GPU block. Called with the job lock held, so no reset is in
    /// progress.
    pub(crate) fn on_interrupt(&self, regs: &Regs, causes: Irq) {
        if causes.contains(Irq::PERFCNT_SAMPLE_COMPLETED) {
            reg::GPU_CMD.write(regs, Command::CleanCaches.code());
        }
        if causes.contains(Irq::CLEAN_CACHES_COMPLETED) {
            let mut dumped = self.dumped.lock();
            // OVERFLOW: a sequence number, of which only a change counts.
            *dumped = dumped.wrapping_add(1);
            self.wake.broadcast();
        }
    }

    /// Disables the counters before the power goes off, in the order of Linux's driver.
    pub(crate) fn registers_off(&self, regs: &Regs) {
        reg::PERFCNT_CFG.write(regs, 0);
        reg::PERFCNT_JM_EN.write(regs, 0);
        reg::PERFCNT_SHADER_EN.write(regs, 0);
        reg::PERFCNT_MMU_L2_EN.write(regs, 0);
        reg::PERFCNT_TILER_EN.write(regs, 0);
    }

    /// Ends the use of the counters, when the device is detached.
    pub(crate) fn forget(&self) {
        let session = self.session.lock().take();
        drop(session);
    }
}
