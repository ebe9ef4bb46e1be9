// SPDX-License-Identifier: BSD-2-Clause
//! Jobs that take too long or go astray: the guilty one ends, the GPU is reset, all others have another run.

use crate::device::{Gpu, Work};
use crate::hw;
use crate::jobs;
use drm_sched::{JobId, Outcome};
use drmkpi::errno::EFAULT;
use drmkpi::os::Level;

/// The task: looks at the job whose time is over.
pub(crate) fn check(gpu: &Gpu) {
    let guilty = {
        let mut engine = gpu.queue.lock();
        if !engine.hw.powered || engine.hw.fault != 0 {
            return;
        }
        // The interrupt may be on its way, or lost.
        let raised = hw::interrupts(gpu.regs());
        jobs::collect(gpu, &mut engine, raised);
        let now = gpu.os().now();
        let late = engine.sched.expired(now).map(|(_, id)| id);
        let done = engine.sched.stats().completed;
        // The front end idles and waits within a few words; whoever gets on leaves them.
        let token = (done << 32) | u64::from(hw::position(gpu.regs()) >> 6);
        late.filter(|id| !engine.sched.progress(*id, token, now))
    };
    if let Some(id) = guilty {
        gpu.stats.fault();
        blame(gpu, id);
        gpu.log_client(format_args!(
            "job timeout, front end at {:#x}",
            hw::position(gpu.regs())
        ));
        recover(gpu, Some(id), Outcome::TimedOut);
    } else if let Some(when) = gpu.queue.lock().sched.next_deadline() {
        gpu.enqueue(Work::Timeout(when));
    }
    gpu.enqueue(Work::Pump);
}

/// The task: the MMU or the bus stopped the GPU while the oldest job ran.
pub(crate) fn after_fault(gpu: &Gpu) {
    let (guilty, raised) = {
        let engine = gpu.queue.lock();
        if !engine.hw.powered || engine.hw.fault == 0 {
            return;
        }
        let guilty = engine.sched.running(jobs::SLOT).next();
        (guilty, engine.hw.fault)
    };
    let (status, address) = hw::mmu_fault(gpu.regs());
    gpu.stats.fault();
    if let Some(id) = guilty {
        blame(gpu, id);
    }
    gpu.log_client(format_args!(
        "fault: interrupts {raised:#x} MMU status {status:#x} at {address:#x}"
    ));
    recover(gpu, guilty, Outcome::Failed(EFAULT.get()));
}

fn blame(gpu: &Gpu, id: JobId) {
    let engine = gpu.queue.lock();
    if let Some(job) = engine.sched.job(id) {
        job.payload.stats.fault();
    }
}

fn recover(gpu: &Gpu, guilty: Option<JobId>, outcome: Outcome) {
    gpu.queue.lock().sched.stop();
    let back = gpu.empty_hardware();
    {
        let mut engine = gpu.queue.lock();
        engine.sched.reset(guilty, outcome, gpu.os().now());
        engine.sched.start();
    }
    gpu.stats.reset();
    if let Err(e) = back {
        gpu.dev()
            .log(Level::Error, format_args!("GPU reset failed: {e:?}"));
    }
    gpu.queue.kick();
}

/// The device goes: takes all jobs from the hardware. The scheduler was shut down, so none is run again.
pub(crate) fn for_good(gpu: &Gpu) {
    // Power goes, for the device is removed.
    let _ = gpu.empty_hardware();
    gpu.queue
        .lock()
        .sched
        .reset(None, Outcome::Cancelled, gpu.os().now());
}
