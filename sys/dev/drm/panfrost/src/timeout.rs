// SPDX-License-Identifier: BSD-2-Clause
//! Jobs that take too long: first asked to stop, then told to, then the GPU is reset.

use crate::device::{Engine, Gpu, Work};
use crate::exception::Stop;
use crate::job_slot::{self, Snapshot};
use crate::jobs::{self, Pass};
use crate::regs::job::Slot;
use crate::reset;
use drm_sched::JobId;

/// How long a stop may take. HW: Linux waits as long before it resets.
const STOP_NS: u64 = 10_000_000;

/// The task: looks at the jobs whose time is over.
pub(crate) fn check(gpu: &Gpu) {
    let guilty = {
        let mut engine = gpu.queue.lock();
        if !engine.hw.powered {
            return;
        }
        // The interrupt may be on its way, or lost (erratum 10883): what is over is over.
        jobs::collect(gpu, &mut engine, Pass::Ordinary);
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
    match engine.sched.expired(now) {
        Some((slot, _)) => {
            let head = slot_of(slot).and_then(|slot| engine.hw.head(slot));
            Some(head.and_then(|head| head.late).unwrap_or(now))
        }
        None => engine.sched.next_deadline(),
    }
}

fn slot_of(index: usize) -> Option<Slot> {
    Slot::ALL.into_iter().find(|slot| slot.index() == index)
}

/// Goes one step further with each late job. The answer is one that no stop command moves.
fn act(gpu: &Gpu, engine: &mut Engine<'_>) -> Option<JobId> {
    let now = gpu.os().now();
    let (slot, id) = engine.sched.expired(now)?;
    let slot = slot_of(slot)?;
    let Some(head) = engine.hw.head(slot).filter(|head| head.id == id) else {
        // The scheduler thinks that the hardware has it, the hardware does not: it never got there.
        return Some(id);
    };
    if head.late.is_some_and(|when| when > now) {
        return None;
    }
    let stop = match (head.late, head.sent) {
        (None, None) => Stop::Soft,
        (_, Some(Stop::Soft)) => Stop::Hard,
        _ => return Some(id),
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
    job_slot::stop(gpu.regs(), slot, stop, flag, gpu.features);
    None
}
