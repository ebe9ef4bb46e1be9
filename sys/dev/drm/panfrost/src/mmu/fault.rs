// SPDX-License-Identifier: BSD-2-Clause
//! Faults of the MMU: a heap that is to grow, or a client that went astray.
//!
//! A heap's fault ends with memory at the address, and the access is tried again. Any other fault switches
//! the address space off: the jobs that use it fail, those of other contexts do not notice.
//!
//! A heap grows by memory that may have to be waited for, so faults have a queue of their own:
//! meanwhile jobs start and end, take too long, and are reset. What was decided about an address
//! space therefore holds for the stay that it was decided for, and is dropped when another has
//! begun.

use crate::device::{Gpu, Work};
use crate::mmu::address_space::{self, Cause, Fault};
use crate::mmu::slots::Seat;
use crate::mmu::vm;
use crate::regs::mmu::As;
use drmkpi::util::errno::{Result, EFAULT};

/// Looks in one run of the task; each serves one address space, and what is left raises the interrupt again.
const ROUNDS: u32 = 64;

/// The task: serves what is raised and lets the interrupt through again.
pub(crate) fn handle(gpu: &Gpu) {
    for _ in 0..ROUNDS {
        let raised = {
            let engine = gpu.queue.lock();
            if !engine.hw.powered {
                return;
            }
            let faulty = u32::from(engine.hw.spaces.faulty());
            let raised = address_space::raised(gpu.regs()) & !(faulty | faulty << 16);
            if raised == 0 {
                address_space::unmask_interrupts(gpu.regs(), engine.hw.spaces.faulty());
                return;
            }
            raised
        };
        if let Some((space, cause)) = address_space::first_fault(raised) {
            serve(gpu, space, cause);
        }
    }
    let engine = gpu.queue.lock();
    if engine.hw.powered {
        address_space::unmask_interrupts(gpu.regs(), engine.hw.spaces.faulty());
    }
}

fn serve(gpu: &Gpu, space: As, cause: Cause) {
    let (fault, stay, context) = {
        let engine = gpu.queue.lock();
        if !engine.hw.powered {
            return;
        }
        let owner = engine.hw.spaces.owner(space);
        let job = owner
            .and_then(|ctx| engine.hw.job_of_context(ctx))
            .and_then(|id| engine.sched.job(id));
        let who = job.map(|job| (job.payload.context.clone(), job.payload.stats.clone()));
        (
            Fault::read(gpu.regs(), space),
            engine.hw.spaces.stay(space),
            who,
        )
    };
    let grown = match (&context, cause) {
        (Some((context, _)), Cause::PageFault) if fault.is_translation_fault() => {
            context.grow(fault.address)
        }
        _ => Err(EFAULT),
    };
    let switched_off = settle(gpu, stay, &fault, grown);
    if let Some((_, stats)) = context.filter(|_| switched_off) {
        stats.fault();
    }
}

/// The level of a page table walk, as a message has it: nothing where the code does not tell.
struct Level(Option<u8>);

impl core::fmt::Display for Level {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(level) => write!(f, ", level {level}"),
            None => Ok(()),
        }
    }
}

/// Lets the access go on, or ends it. True: it was ended.
fn settle(gpu: &Gpu, stay: Option<Seat>, fault: &Fault, grown: Result<()>) -> bool {
    let space = fault.space;
    let mut engine = gpu.queue.lock();
    if !engine.hw.powered {
        return false;
    }
    if stay.is_some_and(|stay| engine.hw.spaces.is_stale(stay)) {
        // What faulted is gone; who is there now asks again if the fault is its own.
        address_space::clear_interrupts(gpu.regs(), space);
        return false;
    }
    let Err(e) = grown else {
        address_space::clear_interrupts(gpu.regs(), space);
        return false;
    };
    engine.hw.spaces.set_faulty(space);
    let off = vm::switch_off(gpu, space);
    if off.is_err() {
        // A reset comes because of it, and its fault is found again after that.
        let owner = engine.hw.spaces.owner(space);
        if let Some(id) = owner.and_then(|context| engine.hw.job_of_context(context)) {
            engine.sched.blame(id);
        }
    }
    address_space::clear_interrupts(gpu.regs(), space);
    drop(engine);
    gpu.stats.fault();
    gpu.log_client(format_args!(
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
        space.nr()
    ));
    if off.is_err() {
        gpu.enqueue(Work::Reset);
    }
    true
}
