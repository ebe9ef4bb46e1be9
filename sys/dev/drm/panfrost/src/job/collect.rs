// SPDX-License-Identifier: BSD-2-Clause
//! Collecting jobs that have ended in the hardware.

use crate::device::{Engine, Gpu};
use crate::exception::{Outcome as Ended, Stop};
use crate::gpu::cycles;
use crate::job::events::{self, Failure};
use crate::job::in_flight::Running;
use crate::job::slot;
use crate::regs::job::Slot;
use drm_sched::Outcome;

/// Sends a hard stop to the job that runs in a slot if its file is closed.
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

/// Removes the oldest job of a slot, and releases its use of a hardware address space and of the
/// cycle counter.
fn pop(gpu: &Gpu, engine: &mut Engine<'_>, slot: Slot) -> Option<Running> {
    let running = engine.hw.pop(slot)?;
    gpu.mmu.release(running.seat);
    if running.counts_cycles && !engine.hw.counts_cycles() {
        cycles::stop(gpu.regs());
    }
    Some(running)
}

/// The purpose of a pass over the job interrupts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pass {
    /// Stopped jobs leave their slot, and the job after a failed one is started again.
    Ordinary,
    /// Stopped jobs stay in their slot, for the reset to requeue them, and no job is started.
    BeforeReset,
}

/// Reports to the scheduler the jobs that have ended in the hardware, at `now` in ns.
pub(crate) fn collect(gpu: &Gpu, engine: &mut Engine<'_>, pass: Pass, now: u64) {
    let events = events::collect(gpu.regs());
    for slot in Slot::ALL {
        let raised = events.slot(slot);
        if !raised.any() {
            continue;
        }
        let verdict = raised.verdict(engine.hw.count(slot));
        for _ in 0..verdict.done {
            if let Some(running) = pop(gpu, engine, slot) {
                engine.sched.complete(running.id, Outcome::Done, now);
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

/// Starts the job again whose start was cancelled because the job before it failed.
fn start_again(gpu: &Gpu, engine: &mut Engine<'_>, slot: Slot) {
    let Some(next) = engine.hw.head(slot).copied() else {
        return;
    };
    if !gpu.mmu.is_faulty(next.seat) {
        slot::start(gpu.regs(), slot);
        return;
    }
    // The failed job is of the same VM, and its fault disabled the address space. Starting this job
    // from its queue enables it.
    pop(gpu, engine, slot);
    engine.sched.requeue(next.id, gpu.os().now());
}

/// Completes or requeues the oldest job of a slot, which failed or was stopped.
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
        // A soft stop that is not for a timeout: the job runs again.
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
