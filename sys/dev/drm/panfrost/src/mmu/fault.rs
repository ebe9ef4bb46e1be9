// SPDX-License-Identifier: BSD-2-Clause
//! MMU faults: a heap that must grow, or an error of a client.
//!
//! A fault in a heap is resolved by mapping memory at the address, and the access is repeated. Any
//! other fault disables the address space: the jobs that use it fail, those of other VMs continue.
//!
//! Growing a heap may wait for memory, so faults are handled in a task queue of their own.
//! Meanwhile jobs start, complete, time out and are reset, and the hardware address space may be
//! given to another VM. A decision about it therefore applies only while the VM that faulted is
//! still loaded (its [`Seat`](crate::mmu::slots::Seat) is not stale), and is dropped otherwise.

use crate::device::Gpu;
use crate::mmu::address_space::{self, Cause, Fault};
use crate::mmu::FaultEnd;
use crate::regs::mmu::As;
use drmkpi::util::errno::{Errno, EFAULT};

/// Faults that are handled in one run of the task. Others raise the interrupt again.
const ROUNDS: u32 = 64;

/// The task: handles the faults that are raised, and unmasks the interrupt.
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
    let seat = owner.as_ref().map(|(seat, _)| *seat);
    let end = gpu.mmu.end_fault(space, seat, served.is_ok());
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
        // The job that faulted is blamed for the reset. If it runs again, it faults again.
        let mut engine = gpu.runner.lock();
        if let Some(id) = seat.and_then(|seat| engine.hw.job_of(seat)) {
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

/// The level of a page table walk, as it is logged; empty if the code contains none.
struct Level(Option<u8>);

impl core::fmt::Display for Level {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(level) => write!(f, ", level {level}"),
            None => Ok(()),
        }
    }
}
