// SPDX-License-Identifier: BSD-2-Clause
//! The handlers of the three interrupts of a GPU. They touch only what the job lock or the MMU's lock
//! guards, and nothing while the GPU has no power: a line that is shared may fire then.

use crate::device::Gpu;
use crate::gpu::control;
use crate::job::collect::{collect, Pass};
use crate::job::slot;
use crate::regs::gpu::Irq as Cause;

/// The driver's task that serves faults of the MMU.
const FAULT_TASK: usize = 0;

/// A job ended or failed.
pub(crate) fn on_job(gpu: &Gpu) {
    let mut engine = gpu.runner.lock();
    if !engine.state.powered || slot::pending(gpu.regs()) == 0 {
        return;
    }
    collect(gpu, &mut engine, Pass::Ordinary);
    drop(engine);
    gpu.runner.enqueue();
}

/// The MMU faulted. Serving it may need memory, so a task does that; until then the interrupt stays
/// masked.
pub(crate) fn on_mmu(gpu: &Gpu) {
    if gpu.mmu.mask_if_raised() {
        gpu.runner.enqueue_task(FAULT_TASK);
    }
}

/// A fault of the GPU, or a step of a counter dump.
pub(crate) fn on_gpu(gpu: &Gpu) {
    let engine = gpu.runner.lock();
    if !engine.state.powered {
        return;
    }
    let causes = control::pending(gpu.regs());
    if causes.is_empty() {
        return;
    }
    if causes.intersects(Cause::FAULT | Cause::MULTIPLE_FAULT) {
        let fault = control::Fault::read(gpu.regs());
        gpu.runner.log_client(format_args!(
            "GPU fault {} at {:#x}",
            fault.exception().name(),
            fault.address
        ));
        gpu.stats.fault();
    }
    control::clear(gpu.regs(), causes);
    gpu.perfcnt.on_interrupt(gpu.regs(), causes);
}
