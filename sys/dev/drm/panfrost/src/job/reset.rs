// SPDX-License-Identifier: BSD-2-Clause
//! Resets. The guilty job, if there is one, ends; all others have another run.
//!
//! Any thread that may sleep can reset; the lock `Gpu::resetting` keeps two apart.

use crate::device::Gpu;
use crate::job::run::{self, Pass};
use crate::job::slot;
use crate::regs::job::Slot;
use drm_sched::{JobId, Outcome};
use drmkpi::os::Level;

/// The task: somebody who could not sleep asked for it.
pub(crate) fn requested(gpu: &Gpu) {
    now(gpu);
}

/// Resets the GPU; no job is to blame. One that does not come back is off, and the next job turns it on anew.
pub(crate) fn now(gpu: &Gpu) {
    reset(gpu, None);
}

/// Resets the GPU because of a job that would not stop.
pub(crate) fn after_hang(gpu: &Gpu, job: JobId) {
    reset(gpu, Some(job));
}

fn reset(gpu: &Gpu, guilty: Option<JobId>) {
    let _one_at_a_time = gpu.resetting.lock();
    let mut power = gpu.power.lock();
    empty_slots(gpu);
    let back = gpu.reset_cores(&mut power);
    let mut engine = gpu.queue.lock();
    let now = gpu.os().now();
    engine.hw.forget_jobs();
    engine.sched.reset(guilty, Outcome::TimedOut, now);
    engine.sched.start();
    drop(engine);
    drop(power);
    gpu.stats.reset();
    match back {
        // A client that hangs causes two a second.
        Ok(()) => gpu.reset_log.warn(gpu.dev(), format_args!("GPU reset")),
        Err(e) => gpu
            .dev()
            .log(Level::Error, format_args!("GPU reset failed: {e}")),
    }
    gpu.queue.kick();
}

/// Stops what runs, as gently as there is time for, and takes note of what ended by itself.
fn empty_slots(gpu: &Gpu) {
    let busy = {
        let mut engine = gpu.queue.lock();
        engine.sched.stop();
        if !engine.hw.powered {
            return;
        }
        slot::mask_interrupts(gpu.regs());
        run::collect(gpu, &mut engine, Pass::BeforeReset);
        let busy = Slot::ALL
            .into_iter()
            .filter(|slot| engine.hw.count(*slot) != 0);
        let busy = busy.fold(0, |bits, slot| bits | slot.done_bit());
        slot::stop_all(gpu.regs());
        busy
    };
    if let Some(irqs) = gpu.irqs.lock().as_ref() {
        irqs.sync();
    }
    // What does not stop is stopped by the reset.
    let _ = slot::wait_stopped(gpu.regs(), gpu.os(), busy);
    run::collect(gpu, &mut gpu.queue.lock(), Pass::BeforeReset);
}

/// The device goes: takes all jobs from the hardware. The scheduler was shut down, so none is run again.
pub(crate) fn for_good(gpu: &Gpu) {
    let _one_at_a_time = gpu.resetting.lock();
    let mut power = gpu.power.lock();
    empty_slots(gpu);
    if let Err(e) = gpu.reset_cores(&mut power) {
        gpu.dev()
            .log(Level::Error, format_args!("GPU reset failed: {e}"));
    }
    let mut engine = gpu.queue.lock();
    engine.hw.forget_jobs();
    engine.sched.reset(None, Outcome::Cancelled, gpu.os().now());
}
