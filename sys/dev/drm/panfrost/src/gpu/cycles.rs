// SPDX-License-Identifier: BSD-2-Clause
//! The cycle counter, which jobs and timestamps ask for, and the timestamp.
//!
//! The counter runs while a job in flight asks for it. Which do is known from the jobs in flight
//! alone, so that a reset, which stops the counter, needs no more than their removal.

use crate::device::Gpu;
use crate::regs::gpu::{self as reg, Command};
use crate::regs::Regs;
use drmkpi::alloc::Arc;
use drmkpi::util::errno::Result;

/// Starts the counter, for its first user.
pub(crate) fn start(regs: &Regs) {
    reg::GPU_CMD.write(regs, Command::CycleCountStart.code());
}

/// Stops the counter, after its last user.
pub(crate) fn stop(regs: &Regs) {
    reg::GPU_CMD.write(regs, Command::CycleCountStop.code());
}

/// Turns the GPU on and reads its timestamp, which counts at the frequency of the CPU's timer.
///
/// # Errors
///
/// EBUSY, ENXIO, ETIMEDOUT, EIO: the GPU cannot be turned on, or is being reset.
pub(crate) fn timestamp(gpu: &Arc<Gpu>) -> Result<u64> {
    gpu.runner.pin(gpu)?;
    let read = gpu.powered().map(|engine| {
        let (regs, is_counting) = (gpu.regs(), engine.hw.counts_cycles());
        if !is_counting {
            start(regs);
        }
        let now = reg::TIMESTAMP.read_counter(regs);
        if !is_counting {
            stop(regs);
        }
        now
    });
    gpu.runner.unpin();
    read
}
