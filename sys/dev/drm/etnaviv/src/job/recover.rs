// SPDX-License-Identifier: BSD-2-Clause
//! Jobs that take too long, and faults: what is counted, logged and kept before the runner resets the
//! core.

use crate::dump;
use crate::gpu_core::{Core, Engine, SLOT};
use crate::ops;
use drm_sched::{JobId, Outcome};
use drmkpi::util::errno::EFAULT;

/// The job that took too long and makes no progress.
pub(crate) fn overdue(core: &Core, engine: &mut Engine<'_>) -> Option<JobId> {
    if engine.hw.fault != 0 {
        // A task of its own serves it.
        return None;
    }
    let now = core.os().now();
    let (_, late) = engine.sched.expired(now)?;
    let ends_and_stops = engine
        .sched
        .counters()
        .completed
        .wrapping_add(engine.hw.resumed);
    let token = progress(core, ends_and_stops);
    let moves = engine.sched.progress(late, token, now);
    // One that stands still for its counters waits for the driver.
    (!moves && engine.hw.stopped.is_none()).then_some(late)
}

/// A number that changes while the core gets on with its work.
fn progress(core: &Core, ends_and_stops: u64) -> u64 {
    // The front end idles and waits within a few words; one that works leaves them.
    let position = u64::from(ops::position(core.regs()) >> 6);
    let primitive = u64::from(ops::primitive(core.regs(), &core.identity));
    ends_and_stops
        .wrapping_shl(52)
        .wrapping_add(primitive.wrapping_shl(26))
        .wrapping_add(position)
}

/// A job is about to be ended by a reset because it took too long.
pub(crate) fn timed_out(core: &Core, id: JobId) {
    let position = ops::position(core.regs());
    count_fault(core, Some(id));
    core.runner
        .log_client(format_args!("job timeout, front end at {position:#x}"));
    core.runner.with_power(|| dump::keep(core, Some(id)));
}

/// The task: the MMU or the bus stopped the core while the oldest job ran.
pub(crate) fn after_fault(core: &Core) {
    let (guilty, raised, (status, address)) = {
        let engine = core.runner.lock();
        if !engine.state.powered || engine.hw.fault == 0 {
            return;
        }
        let guilty = engine.sched.running(SLOT).next();
        let exception = ops::mmu_fault(core.regs(), core.mmu().version());
        (guilty, engine.hw.fault, exception)
    };
    count_fault(core, guilty);
    core.runner.log_client(format_args!(
        "fault: interrupts {raised:#x}, {} at {address:#x} (MMU status {status:#x})",
        ops::exception(status)
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
