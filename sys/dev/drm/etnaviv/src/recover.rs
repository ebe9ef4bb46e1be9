// SPDX-License-Identifier: BSD-2-Clause
//! Jobs that take too long or go astray: the guilty one ends, the core is reset, all others have another run.

use crate::cores::{Core, Work};
use crate::dump;
use crate::hw;
use crate::jobs;
use drm_sched::{JobId, Outcome};
use drmkpi::os::Level;
use drmkpi::util::errno::EFAULT;

/// The task: looks at the job whose time is over.
pub(crate) fn check(core: &Core) {
    let (guilty, orphan, position) = {
        let mut engine = core.queue.lock();
        if !engine.hw.powered || engine.hw.fault != 0 {
            return;
        }
        // The interrupt may be on its way, or lost.
        if jobs::look(core, &mut engine) & jobs::FAULTS != 0 {
            return;
        }
        let now = core.os().now();
        let late = engine.sched.expired(now).map(|(_, id)| id);
        let ends_and_stops = engine
            .sched
            .counters()
            .completed
            .wrapping_add(engine.hw.resumed);
        let token = progress(core, ends_and_stops);
        // Who stands still for its counters does so for us.
        let waits_for_us = engine.hw.stopped.is_some();
        let guilty = late.filter(|id| !engine.sched.progress(*id, token, now) && !waits_for_us);
        let orphan = guilty.is_some_and(|id| engine.sched.is_orphan(id));
        (guilty, orphan, hw::position(core.regs()))
    };
    if let Some(id) = guilty.filter(|_| orphan) {
        // Its file was closed: nobody is to be told.
        end_guilty(core, Some(id), Outcome::Cancelled);
    } else if let Some(id) = guilty {
        core.shared.stats.fault();
        blame(core, id);
        core.log_client(format_args!("job timeout, front end at {position:#x}"));
        recover(core, Some(id), Outcome::TimedOut);
    } else if let Some(when) = core.queue.lock().sched.next_deadline() {
        core.enqueue(Work::Timeout(when));
    }
    core.enqueue(Work::Pump);
}

/// A number that changes while the core gets on with its work.
fn progress(core: &Core, ends_and_stops: u64) -> u64 {
    // The front end idles and waits within a few words; whoever gets on leaves them.
    let position = u64::from(hw::position(core.regs()) >> 6);
    let primitive = u64::from(hw::primitive(core.regs(), &core.identity));
    ends_and_stops
        .wrapping_shl(52)
        .wrapping_add(primitive.wrapping_shl(26))
        .wrapping_add(position)
}

/// The task: the MMU or the bus stopped the core while the oldest job ran.
pub(crate) fn after_fault(core: &Core) {
    let (guilty, raised, (status, address)) = {
        let engine = core.queue.lock();
        if !engine.hw.powered || engine.hw.fault == 0 {
            return;
        }
        let guilty = engine.sched.running(jobs::SLOT).next();
        let exception = hw::mmu_fault(core.regs(), core.mmu().version());
        (guilty, engine.hw.fault, exception)
    };
    core.shared.stats.fault();
    if let Some(id) = guilty {
        blame(core, id);
    }
    core.log_client(format_args!(
        "fault: interrupts {raised:#x}, {} at {address:#x} (MMU status {status:#x})",
        hw::exception(status)
    ));
    recover(core, guilty, Outcome::Failed(EFAULT.get()));
}

fn blame(core: &Core, id: JobId) {
    let engine = core.queue.lock();
    if let Some(job) = engine.sched.job(id) {
        job.payload.stats.fault();
    }
}

fn recover(core: &Core, guilty: Option<JobId>, outcome: Outcome) {
    core.with_power(|| dump::keep(core, guilty));
    end_guilty(core, guilty, outcome);
}

/// Resets the core: the guilty job ends, all others have another run.
fn end_guilty(core: &Core, guilty: Option<JobId>, outcome: Outcome) {
    core.queue.lock().sched.stop();
    let back = core.empty_hardware();
    {
        let mut engine = core.queue.lock();
        engine.sched.reset(guilty, outcome, core.os().now());
        engine.sched.start();
    }
    core.shared.stats.reset();
    if let Err(e) = back {
        core.dev()
            .log(Level::Error, format_args!("core reset failed: {e}"));
    }
    core.queue.kick();
}

/// The core is to be suspended: takes from the hardware the jobs that have not ended; they have another run.
pub(crate) fn take_back(core: &Core) {
    end_guilty(core, None, Outcome::Cancelled);
}

/// The device goes: takes all jobs from the hardware. The scheduler was shut down, so none is run again.
pub(crate) fn for_good(core: &Core) {
    // Power goes, for the device is removed.
    let _ = core.empty_hardware();
    core.queue
        .lock()
        .sched
        .reset(None, Outcome::Cancelled, core.os().now());
}
