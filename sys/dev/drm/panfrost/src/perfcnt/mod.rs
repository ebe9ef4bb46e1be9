// SPDX-License-Identifier: BSD-2-Clause
//! Performance counters, for one client at a time.
//!
//! * `ioctls`: what clients can do with them
//!
//! A dump: SAMPLE writes the counters to the client's VM, CLEAN_CACHES brings them to memory, and the
//! second interrupt wakes the caller.

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
    /// A dump whose caller was interrupted: how many there were before it.
    left: Option<u64>,
}

/// The counters of a GPU.
pub(crate) struct Perfcnt {
    session: Sx<Option<Session>>,
    /// Dumps that are in memory.
    dumped: Mtx<u64>,
    wake: Condvar,
}

impl Perfcnt {
    /// Counters that no client has.
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

    /// Interrupts of the GPU block, under the job lock: no reset is under way.
    pub(crate) fn on_interrupt(&self, regs: &Regs, causes: Irq) {
        if causes.contains(Irq::PERFCNT_SAMPLE_COMPLETED) {
            reg::GPU_CMD.write(regs, Command::CleanCaches.code());
        }
        if causes.contains(Irq::CLEAN_CACHES_COMPLETED) {
            let mut dumped = self.dumped.lock();
            *dumped = dumped.wrapping_add(1);
            self.wake.broadcast();
        }
    }

    /// Before the power goes, in the stock driver's order.
    pub(crate) fn registers_off(&self, regs: &Regs) {
        reg::PERFCNT_CFG.write(regs, 0);
        reg::PERFCNT_JM_EN.write(regs, 0);
        reg::PERFCNT_SHADER_EN.write(regs, 0);
        reg::PERFCNT_MMU_L2_EN.write(regs, 0);
        reg::PERFCNT_TILER_EN.write(regs, 0);
    }

    /// The device is removed.
    pub(crate) fn forget(&self) {
        let session = self.session.lock().take();
        drop(session);
    }
}
