// SPDX-License-Identifier: BSD-2-Clause
//! Jobs that take too long, and those of closed files that ignore a hard stop: first asked to stop,
//! then told to, then the GPU is reset.

use crate::device::{Engine, Gpu, Work};
use crate::exception::Stop;
use crate::job::reset;
use crate::job::run::{self, Pass};
use crate::job::slot::{self, Snapshot};
use crate::regs::job::Slot;
use drm_sched::JobId;

/// How long a stop may take. HW: Linux waits as long before it resets.
pub(crate) const STOP_NS: u64 = 10_000_000;

/// The task: looks at the jobs whose time is over.
pub(crate) fn check(gpu: &Gpu) {
    let guilty = {
        let mut engine = gpu.queue.lock();
        if !engine.hw.powered {
            return;
        }
        // The interrupt may be on its way, or lost (erratum 10883): what is over is over.
        run::collect(gpu, &mut engine, Pass::Ordinary);
        act(gpu, &mut engine)
    };
    if let Some(job) = guilty {
        reset::after_hang(gpu, job);
    }
    gpu.enqueue(Work::Pump);
}

/// When the task has something to do next. The time of a late job is over, so it is not its deadline that
/// counts but the end of the stop that it was sent.
pub(crate) fn next_look(gpu: &Gpu, engine: &mut Engine<'_>) -> Option<u64> {
    let now = gpu.os().now();
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

/// Goes one step further with each late job. Returns one that no stop command moves: of several the
/// one that is late for longest, for the others may only have waited for it.
fn act(gpu: &Gpu, engine: &mut Engine<'_>) -> Option<JobId> {
    let now = gpu.os().now();
    let mut guilty: Option<(u64, JobId)> = None;
    for slot in Slot::ALL {
        let Some((deadline, id)) = engine.sched.overdue(slot.index(), now) else {
            continue;
        };
        let moves = step(gpu, engine, slot, id);
        if !moves && guilty.is_none_or(|(first, _)| deadline < first) {
            guilty = Some((deadline, id));
        }
    }
    guilty.map(|(_, id)| id)
}

/// Sends the head of a slot, which is late, the next stop. False: there is none left that could
/// move it.
fn step(gpu: &Gpu, engine: &mut Engine<'_>, slot: Slot, id: JobId) -> bool {
    let now = gpu.os().now();
    let Some(head) = engine.hw.head(slot).filter(|head| head.id == id) else {
        // The scheduler thinks that the hardware has it, the hardware does not: it never got there.
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
    head.late = Some(now.saturating_add(STOP_NS));
    let flag = head.chain_flag;
    if stop == Stop::Soft {
        let shown = Snapshot::read(gpu.regs(), slot);
        if let Some(job) = engine.sched.job(id) {
            job.payload.stats.fault();
        }
        gpu.stats.fault();
        gpu.log_client(format_args!(
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
