// SPDX-License-Identifier: BSD-2-Clause
//! Jobs that have ended in the hardware.

use crate::device::{Engine, Gpu};
use crate::exception::{Outcome as Ended, Stop};
use crate::job::events::{self, Failure};
use crate::job::in_flight::Running;
use crate::job::slot;
use crate::regs::job::Slot;
use drm_sched::Outcome;

/// Stops the job that runs in a slot if its file was closed.
pub(crate) fn stop_orphan(gpu: &Gpu, engine: &mut Engine<'_>, slot: Slot) {
    let powered = engine.state.powered;
    let Some(head) = engine.hw.head(slot) else {
        return;
    };
    let (id, flag, sent) = (head.id, head.chain_flag, head.sent);
    if powered && engine.sched.is_orphan(id) && sent != Some(Stop::Hard) {
        if let Some(head) = engine.hw.head(slot) {
            head.sent = Some(Stop::Hard);
        }
        slot::stop(gpu.regs(), slot, Stop::Hard, flag, gpu.features);
    }
}

/// Takes the oldest job of a slot out, which does not use its address space any more.
fn pop(gpu: &Gpu, engine: &mut Engine<'_>, slot: Slot) -> Option<Running> {
    let running = engine.hw.pop(slot)?;
    gpu.mmu.release(running.seat);
    Some(running)
}

/// What a pass over the job interrupts does with jobs that a reset is about to take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pass {
    /// Stopped jobs go, and jobs behind a failed one are started.
    Ordinary,
    /// Stopped jobs stay for another run, and nothing is started.
    BeforeReset,
}

/// Ends the jobs that have ended in the hardware.
pub(crate) fn collect(gpu: &Gpu, engine: &mut Engine<'_>, pass: Pass) {
    let events = events::collect(gpu.regs());
    for slot in Slot::ALL {
        let seen = events.slot(slot);
        if !seen.any() {
            continue;
        }
        let verdict = seen.verdict(engine.hw.count(slot));
        for _ in 0..verdict.done {
            if let Some(running) = pop(gpu, engine, slot) {
                engine
                    .sched
                    .complete(running.id, Outcome::Done, gpu.os().now());
            }
        }
        if let Some(failure) = verdict.failed {
            failed(gpu, engine, slot, failure, pass);
        }
        if pass == Pass::Ordinary {
            if verdict.requeue_next {
                start_again(gpu, engine, slot);
            }
            stop_orphan(gpu, engine, slot);
        }
    }
}

/// Hands the job over again that was taken back because the one before it failed.
fn start_again(gpu: &Gpu, engine: &mut Engine<'_>, slot: Slot) {
    let Some(next) = engine.hw.head(slot).copied() else {
        return;
    };
    if !gpu.mmu.is_faulty(next.seat) {
        slot::start(gpu.regs(), slot);
        return;
    }
    // The one before was of the same VM, and its fault switched the address space off. The next
    // start of the job switches it on.
    pop(gpu, engine, slot);
    engine.sched.requeue(next.id, gpu.os().now());
}

/// Ends the oldest job of a slot, which failed or was stopped.
fn failed(gpu: &Gpu, engine: &mut Engine<'_>, slot: Slot, failure: Failure, pass: Pass) {
    let Some(head) = engine.hw.head(slot).copied() else {
        return;
    };
    let ended = failure.exception.outcome(head.sent);
    let late = head.late.is_some();
    if pass == Pass::BeforeReset && ended == Ended::Stopped {
        return;
    }
    pop(gpu, engine, slot);
    let now = gpu.os().now();
    let outcome = match ended {
        Ended::Done => Outcome::Done,
        Ended::Stopped | Ended::Terminated if late => Outcome::TimedOut,
        Ended::Terminated => Outcome::Cancelled,
        // It was not asked to stop, so it has another run.
        Ended::Stopped => {
            engine.sched.requeue(head.id, now);
            return;
        }
        Ended::Fault => {
            if let Some(job) = engine.sched.job(head.id) {
                job.payload.vm.stats().fault();
            }
            gpu.stats.fault();
            gpu.runner.log_client(format_args!(
                "job fault {} in slot {}, chain {:#x}, job {:#x}",
                failure.exception.name(),
                slot.nr(),
                failure.head,
                failure.tail
            ));
            if failure.exception.needs_reset(gpu.issues) {
                gpu.runner.enqueue_reset();
            }
            Outcome::Failed(ended.error().map_or(0, |e| e.get()))
        }
    };
    engine.sched.complete(head.id, outcome, now);
}
