// SPDX-License-Identifier: BSD-2-Clause
//! The three interrupts of a GPU, found by name. Handlers touch only what the job lock guards, and nothing
//! while the GPU has no power: a line that is shared may fire then.

use crate::device::{Gpu, Work};
use crate::gpu::control;
use crate::job::run::{self, Pass};
use crate::job::slot;
use crate::mmu::address_space;
use crate::regs::gpu::Irq as Cause;
use drmkpi::alloc::Arc;
use drmkpi::os::Irq;
use drmkpi::util::errno::Result;

/// The handlers, installed.
pub(crate) struct Irqs {
    job: Irq<Gpu>,
    mmu: Irq<Gpu>,
    gpu: Irq<Gpu>,
}

impl Irqs {
    /// Installs them.
    ///
    /// # Errors
    ///
    /// ENOENT when the node lacks one, ENOMEM.
    pub(crate) fn new(gpu: &Arc<Gpu>) -> Result<Irqs> {
        let dev = gpu.dev();
        Ok(Irqs {
            job: Irq::new(dev, Some(c"job"), gpu.clone(), on_job)?,
            mmu: Irq::new(dev, Some(c"mmu"), gpu.clone(), on_mmu)?,
            gpu: Irq::new(dev, Some(c"gpu"), gpu.clone(), on_gpu)?,
        })
    }

    /// Waits for handlers that run now.
    pub(crate) fn sync(&self) {
        self.job.sync();
        self.mmu.sync();
        self.gpu.sync();
    }
}

fn on_job(gpu: &Gpu) {
    let mut engine = gpu.queue.lock();
    if !engine.hw.powered || slot::pending(gpu.regs()) == 0 {
        return;
    }
    run::collect(gpu, &mut engine, Pass::Ordinary);
    drop(engine);
    gpu.enqueue(Work::Pump);
}

/// To serve a fault may need memory, so the task does it; until then the interrupt stays masked.
fn on_mmu(gpu: &Gpu) {
    let engine = gpu.queue.lock();
    if !engine.hw.powered || address_space::pending(gpu.regs()) == 0 {
        return;
    }
    address_space::mask_interrupts(gpu.regs());
    drop(engine);
    gpu.enqueue(Work::Fault);
}

fn on_gpu(gpu: &Gpu) {
    let engine = gpu.queue.lock();
    if !engine.hw.powered {
        return;
    }
    let causes = control::pending(gpu.regs());
    if causes.is_empty() {
        return;
    }
    if causes.intersects(Cause::FAULT | Cause::MULTIPLE_FAULT) {
        let fault = control::Fault::read(gpu.regs());
        gpu.log_client(format_args!(
            "GPU fault {} at {:#x}",
            fault.exception().name(),
            fault.address
        ));
        gpu.stats.fault();
    }
    control::clear(gpu.regs(), causes);
    gpu.perfcnt.on_interrupt(gpu, causes);
}
