// SPDX-License-Identifier: BSD-2-Clause
//! Faults of the MMU: a heap that is to grow, or a client's error.
//!
//! A heap's fault ends with memory at the address, and the access is tried again. Any other fault
//! switches the address space off: the jobs that use it fail, those of other VMs do not notice.
//!
//! A heap grows by memory that may have to be waited for, so faults have a task queue of their own:
//! meanwhile jobs start and end, take too long, and are reset. What was decided about a hardware
//! address space therefore holds for the stay of the VM that it was decided for, and is dropped
//! when that has ended.

use crate::device::Gpu;
use crate::mmu::address_space::{self, Cause, Fault};
use crate::mmu::FaultEnd;
use crate::regs::mmu::As;
use drmkpi::util::errno::{Errno, EFAULT};

/// Faults that are served in one run of the task; what is left raises the interrupt again.
const ROUNDS: u32 = 64;

/// The task: serves what is raised and lets the interrupt through again.
pub(crate) fn handle(gpu: &Gpu) {
    for _ in 0..ROUNDS {
        let Some(raised) = gpu.mmu.raised() else {
            return;
        };
        if let Some((space, cause)) = address_space::first_fault(raised) {
            serve(gpu, space, cause);
        }
    }
    gpu.mmu.unmask();
}

fn serve(gpu: &Gpu, space: As, cause: Cause) {
    let Some((fault, owner)) = gpu.mmu.fault(space) else {
        return;
    };
    let served = match (&owner, cause) {
        (Some((_, vm)), Cause::PageFault) if fault.is_translation_fault() => vm.grow(fault.address),
        _ => Err(EFAULT),
    };
    let stay = owner.as_ref().map(|(seat, _)| *seat);
    let end = gpu.mmu.end_fault(space, stay, served.is_ok());
    if end == FaultEnd::Again {
        return;
    }
    if let Some((_, vm)) = &owner {
        vm.stats().fault();
    }
    gpu.stats.fault();
    if let Err(e) = served {
        log(gpu, &fault, e);
    }
    if end == FaultEnd::Stuck {
        // The reset is because of its job, whose fault is found again after that.
        let mut engine = gpu.runner.lock();
        if let Some(id) = stay.and_then(|seat| engine.hw.job_of(seat)) {
            engine.sched.blame(id);
        }
        drop(engine);
        gpu.runner.enqueue_reset();
    }
}

fn log(gpu: &Gpu, fault: &Fault, e: Errno) {
    gpu.runner.log_client(format_args!(
        "{} at {:#x}{}, {} by unit {:#x}{} ({e}): address space {} off",
        fault.exception().name(),
        fault.address,
        Level(fault.exception().walk_level()),
        fault.access(),
        fault.source_id(),
        if fault.is_decoder_fault() {
            ", decoder"
        } else {
            ""
        },
        fault.space.nr()
    ));
}

/// The level of a page table walk, as a message has it; empty if the code has none.
struct Level(Option<u8>);

impl core::fmt::Display for Level {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(level) => write!(f, ", level {level}"),
            None => Ok(()),
        }
    }
}
