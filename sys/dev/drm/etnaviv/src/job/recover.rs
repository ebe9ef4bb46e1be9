// SPDX-License-Identifier: BSD-2-Clause
//! Hangs and faults: finding the guilty job; counters, log lines and the crash dump before the
//! runner resets the core.

use crate::core_ops;
use crate::dump;
use crate::gpu_core::{Core, Engine, SLOT};
use drm_sched::{JobId, Outcome};
use drmkpi::util::errno::EFAULT;

/// The oldest job, if it took too long and makes no progress.
pub(crate) fn overdue(core: &Core, engine: &mut Engine<'_>) -> Option<JobId> {
    if engine.hw.fault != 0 {
        // The fault task handles it.
        return None;
    }
    let now = core.os().now();
    let (_, late) = engine.sched.expired(now)?;
    // OVERFLOW: a token, of which only a change counts.
    let ends_and_stops = engine
        .sched
        .counters()
        .completed
        .wrapping_add(engine.hw.resumed);
    let token = progress(core, ends_and_stops);
    let moves = engine.sched.progress(late, token, now);
    // A job that is stopped for its counters waits for the driver.
    (!moves && engine.hw.stopped.is_none()).then_some(late)
}

/// A number that changes while the core makes progress.
fn progress(core: &Core, ends_and_stops: u64) -> u64 {
    // A front end that idles or waits stays within a few words, one that makes progress does not.
    let position = u64::from(core_ops::position(core.regs()) >> 6);
    let primitive = u64::from(core_ops::primitive(core.regs(), &core.identity));
    // OVERFLOW: a token, of which only a change counts.
    ends_and_stops
        .wrapping_shl(52)
        .wrapping_add(primitive.wrapping_shl(26))
        .wrapping_add(position)
}

/// Counts and logs a hang, and makes a crash dump, before a reset ends the guilty job.
pub(crate) fn timed_out(core: &Core, id: JobId) {
    let position = core_ops::position(core.regs());
    count_fault(core, Some(id));
    core.runner
        .log_client(format_args!("job timeout, front end at {position:#x}"));
    dump::keep(core, Some(id));
}

/// The task after a fault of the MMU or the bus: resets the core. The oldest job is guilty.
pub(crate) fn after_fault(core: &Core) {
    let (guilty, raised, (status, address)) = {
        let engine = core.runner.lock();
        if !engine.state.powered || engine.hw.fault == 0 {
            return;
        }
        let guilty = engine.sched.running(SLOT).next();
        let exception = core_ops::mmu_fault(core.regs(), core.mmu().version());
        (guilty, engine.hw.fault, exception)
    };
    count_fault(core, guilty);
    core.runner.log_client(format_args!(
        "fault: interrupts {raised:#x}, {} at {address:#x} (MMU status {status:#x})",
        core_ops::exception(status)
    ));
    core.runner.with_power(|| dump::keep(core, guilty));
    core.runner
        .reset(core, guilty, Outcome::Failed(EFAULT.get()));
}

/// Counts a fault for the device and for the file of the guilty job.
fn count_fault(core: &Core, guilty: Option<JobId>) {
    core.shared.stats.fault();
    let engine = core.runner.lock();
    if let Some(job) = guilty.and_then(|id| engine.sched.job(id)) {
        job.payload.stats.fault();
    }
}
