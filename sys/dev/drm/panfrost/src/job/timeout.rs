// SPDX-License-Identifier: BSD-2-Clause
//! Stop commands for jobs that take too long: a soft stop, then a hard stop, then a reset. A job of
//! a closed file that does not react to its hard stop is handled here as well.

use crate::device::{Engine, Gpu};
use crate::exception::Stop;
use crate::job::in_flight::STOP_NS;
use crate::job::slot::{self, Snapshot};
use crate::regs::job::Slot;
use drm_sched::JobId;

/// When `overdue` is to be called next, a time in ns. For a job that is late already, that is when
/// its last stop command counts as failed.
pub(crate) fn next(engine: &mut Engine<'_>, now: u64) -> Option<u64> {
    let mut soonest = None;
    for slot in Slot::ALL {
        let Some((deadline, _)) = engine.sched.overdue(slot.index(), u64::MAX) else {
            continue;
        };
        let stop_ends = engine.hw.head(slot).and_then(|head| head.late);
        let when = match stop_ends {
            Some(when) if deadline <= now => when,
            _ => deadline.max(now),
        };
        soonest = Some(soonest.map_or(when, |other: u64| other.min(when)));
    }
    soonest
}

/// Sends each late job its next stop command, if the last one has failed. Returns the job that no
/// stop command stops, if there is one: of several the one that was late first, as the others may
/// only have waited for it.
pub(crate) fn overdue(gpu: &Gpu, engine: &mut Engine<'_>) -> Option<JobId> {
    let now = gpu.os().now();
    let mut guilty: Option<(u64, JobId)> = None;
    for slot in Slot::ALL {
        let Some((deadline, id)) = engine.sched.overdue(slot.index(), now) else {
            continue;
        };
        let may_stop = step(gpu, engine, slot, id);
        if !may_stop && guilty.is_none_or(|(first, _)| deadline < first) {
            guilty = Some((deadline, id));
        }
    }
    guilty.map(|(_, id)| id)
}

/// Sends the job that runs in a slot, which is late, the next stop command. Returns false if all of
/// them have failed.
fn step(gpu: &Gpu, engine: &mut Engine<'_>, slot: Slot, id: JobId) -> bool {
    let now = gpu.os().now();
    let Some(head) = engine.hw.head(slot).filter(|head| head.id == id) else {
        // In flight for the scheduler, but never started by the hardware.
        return false;
    };
    if head.late.is_some_and(|when| when > now) {
        return true;
    }
    let stop = match (head.late, head.sent) {
        (None, None) => Stop::Soft,
        (_, Some(Stop::Soft)) => Stop::Hard,
        _ => return false,
    };
    head.sent = Some(stop);
    // OVERFLOW: saturates: a deadline.
    head.late = Some(now.saturating_add(STOP_NS));
    let flag = head.chain_flag;
    if stop == Stop::Soft {
        let shown = Snapshot::read(gpu.regs(), slot);
        if let Some(job) = engine.sched.job(id) {
            job.payload.vm.stats().fault();
        }
        gpu.stats.fault();
        gpu.runner.log_client(format_args!(
            "job timeout in slot {}: config {:#x} status {:#x} chain {:#x} job {:#x}",
            slot.nr(),
            shown.config,
            shown.status,
            shown.head,
            shown.tail
        ));
    }
    slot::stop(gpu.regs(), slot, stop, flag, gpu.features);
    true
}
