// SPDX-License-Identifier: BSD-2-Clause
//! One pass over the job interrupts, which finds how the jobs in the slots have ended.
//!
//! "Done" interrupts cannot be counted: when a job succeeds, the slot starts its next one at once,
//! and two completions may appear as one bit. JS_STATE reports whether a slot still runs a job, but
//! it is sampled when interrupts are cleared, and a failure between the read of RAWSTAT and the
//! clear is not among those that are cleared. So a pass repeats until RAWSTAT reads zero, and uses
//! JS_STATE only then.
//!
//! HW: a failed job holds the slot until its interrupt is cleared, then the next job starts. So the
//! start of the next job is cancelled first, and repeated once the failure is handled.

use crate::exception::Exception;
use crate::job::slot::{cancel_next, Snapshot};
use crate::regs::job::{Slot, JOB_INT_CLEAR, JOB_INT_JS_STATE, JOB_INT_RAWSTAT, SLOTS};
use crate::regs::Regs;

/// Reads of RAWSTAT in one pass. A slot raises at most one more interrupt after its first, so the
/// bound is not reached; if it were, the remaining interrupts would be raised again, as they are
/// level-triggered.
const ROUNDS: u32 = 32;

/// How a job failed or stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Failure {
    /// The exception.
    pub(crate) exception: Exception,
    /// First job of the chain.
    pub(crate) head: u64,
    /// The job of the chain that failed or, if stopped, is to be resumed.
    pub(crate) tail: u64,
}

/// The interrupts of one slot in one pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SlotEvents {
    /// Rounds with a "done" interrupt.
    done: u8,
    /// There was a "failed" interrupt; the start of the next job was cancelled.
    failed: bool,
    /// The slot had a job, running or next, when its interrupts were last cleared.
    active: bool,
    /// The pass has cleared all interrupts of the slot.
    settled: bool,
    failure: Option<Failure>,
}

/// How the jobs that the caller has put into a slot have ended, oldest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Verdict {
    /// The number of jobs that succeeded.
    pub(crate) done: u8,
    /// The job after those failed or was stopped.
    pub(crate) failed: Option<Failure>,
    /// The number of jobs that remain in the slot.
    pub(crate) left: u8,
    /// The start of the remaining job was cancelled: the caller starts it again
    /// ([`crate::job::slot::start`]) or ends it.
    pub(crate) requeue_next: bool,
    /// There were interrupts for more jobs than the caller has put into the slot.
    pub(crate) spurious: bool,
}

impl SlotEvents {
    const NONE: SlotEvents = SlotEvents {
        done: 0,
        failed: false,
        active: false,
        settled: true,
        failure: None,
    };

    /// Whether there was an interrupt.
    pub(crate) fn any(&self) -> bool {
        self.done != 0 || self.failed
    }

    /// Decides how the `in_hw` jobs in the slot have ended.
    pub(crate) fn verdict(&self, in_hw: u8) -> Verdict {
        let failed = self.failure.filter(|_| self.failed && in_hw != 0);
        // If there are interrupts for more jobs than the slot has, the failure counts.
        // OVERFLOW: none, for there is no failure if `in_hw` is 0.
        let may_be_done = in_hw.saturating_sub(u8::from(failed.is_some()));
        let reported = self.done.min(may_be_done);
        let all_done = reported != 0 && failed.is_none() && self.settled && !self.active;
        let done = match all_done {
            true => may_be_done,
            false => reported,
        };
        // OVERFLOW: none, for `done` is at most `may_be_done`.
        let left = may_be_done.saturating_sub(done);
        Verdict {
            done,
            failed,
            left,
            requeue_next: self.failed && left != 0,
            spurious: self.done > may_be_done || (self.failed && in_hw == 0),
        }
    }
}

/// One register access of a pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Access {
    /// Read RAWSTAT.
    Raised,
    /// Cancel the start of a slot's next job.
    CancelNext(Slot),
    /// Clear interrupts.
    Clear(u32),
    /// Read JS_STATE.
    State,
}

/// The interrupts of all slots in one pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Events([SlotEvents; SLOTS]);

impl Events {
    /// Those of `slot`.
    pub(crate) fn slot(&self, slot: Slot) -> SlotEvents {
        self.0
            .get(slot.index())
            .copied()
            .unwrap_or(SlotEvents::NONE)
    }

    fn each(&mut self, raised: u32) -> impl Iterator<Item = (Slot, &mut SlotEvents)> {
        Slot::ALL
            .into_iter()
            .zip(&mut self.0)
            .filter(move |(slot, _)| raised & slot.bits() != 0)
    }

    /// Makes a pass of at most `rounds` rounds.
    fn collect_with(rounds: u32, mut access: impl FnMut(Access) -> u32) -> Events {
        let mut events = Events([SlotEvents::NONE; SLOTS]);
        let mut raised = access(Access::Raised);
        for _ in 0..rounds {
            if raised == 0 {
                break;
            }
            for (slot, e) in events.each(raised) {
                if raised & slot.done_bit() != 0 {
                    // OVERFLOW: none, for there are at most `ROUNDS` rounds.
                    e.done = e.done.saturating_add(1);
                }
                if raised & slot.failed_bit() != 0 {
                    // Before the clear, after which the slot starts its next job.
                    access(Access::CancelNext(slot));
                    e.failed = true;
                }
            }
            access(Access::Clear(raised));
            let state = access(Access::State);
            for (slot, e) in events.each(raised) {
                e.active = state & slot.bits() != 0;
            }
            raised = access(Access::Raised);
        }
        for (_, e) in events.each(raised) {
            e.settled = false;
        }
        events
    }
}

/// Reads and clears the job interrupts. The caller holds the job lock until it has handled the
/// verdicts, so that no job is added in between.
///
/// A pass that reaches its bound leaves interrupts raised, which are delivered once unmasked.
pub(crate) fn collect(regs: &Regs) -> Events {
    let mut events = Events::collect_with(ROUNDS, |access| match access {
        Access::Raised => JOB_INT_RAWSTAT.read(regs),
        Access::CancelNext(slot) => {
            cancel_next(regs, slot);
            0
        }
        Access::Clear(bits) => {
            JOB_INT_CLEAR.write(regs, bits);
            0
        }
        Access::State => JOB_INT_JS_STATE.read(regs),
    });
    for (slot, e) in Slot::ALL.into_iter().zip(&mut events.0) {
        if e.failed {
            let Snapshot {
                status, head, tail, ..
            } = Snapshot::read(regs, slot);
            e.failure = Some(Failure {
                exception: Exception::of_status(status),
                head,
                tail,
            });
        }
    }
    events
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
