// SPDX-License-Identifier: BSD-2-Clause
//! The handlers of the three interrupts of a GPU. They access only what the job lock or the MMU's
//! lock guards, and no register while the GPU has no power: a shared interrupt line may be raised
//! then.

use crate::device::Gpu;
use crate::gpu::control;
use crate::job::collect::{collect, Pass};
use crate::job::slot;
use crate::regs::gpu::Irq as Cause;

/// The number of the driver's task that resolves MMU faults.
const FAULT_TASK: usize = 0;

/// The job interrupt: a job completed, failed or was stopped.
pub(crate) fn on_job(gpu: &Gpu) {
    let mut engine = gpu.runner.lock();
    if !engine.state.powered || slot::pending(gpu.regs()) == 0 {
        return;
    }
    let now = gpu.os().now();
    collect(gpu, &mut engine, Pass::Ordinary, now);
    gpu.runner.jobs_ended(gpu, engine, now);
}

/// The MMU interrupt: an address space faulted. Resolving the fault may wait for memory, so a task
/// does it; the interrupt stays masked until then.
pub(crate) fn on_mmu(gpu: &Gpu) {
    if gpu.mmu.mask_if_raised() {
        gpu.runner.enqueue_task(FAULT_TASK);
    }
}

/// The GPU interrupt: a fault of the GPU, or a step of a dump of the counters.
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
