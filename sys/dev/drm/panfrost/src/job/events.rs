// SPDX-License-Identifier: BSD-2-Clause
//! What became of the jobs in the slots: one pass over the job interrupts.
//!
//! "Done" interrupts cannot be counted: when a job succeeds the slot goes on with its next one at once, and two
//! ends may show as one bit. JS_STATE says whether a slot still runs something, but it is sampled when interrupts
//! are cleared, and a failure that came between the read of RAWSTAT and the clear is not among what was cleared.
//! So a pass goes on until RAWSTAT reads zero, and only then believes JS_STATE.
//!
//! HW: a failed job holds the slot until its interrupt is cleared, then the next job starts; so the next one is
//! taken back before, and handed over again once the failure is handled.

use crate::exception::Exception;
use crate::job::slot::{cancel_next, Snapshot};
use crate::regs::job::{Slot, JOB_INT_CLEAR, JOB_INT_JS_STATE, JOB_INT_RAWSTAT, SLOTS};
use crate::regs::Regs;

/// Looks at RAWSTAT in one pass. A slot gives at most one more interrupt after its first, so this is plenty; and
/// what is left raises the level interrupt again.
const ROUNDS: u32 = 32;

/// How a job failed or stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Failure {
    /// Why.
    pub(crate) exception: Exception,
    /// First job of the chain.
    pub(crate) head: u64,
    /// The job of the chain that it happened in; a stopped chain goes on from here.
    pub(crate) tail: u64,
}

/// What one pass saw of one slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SlotEvents {
    /// Rounds in which it said "done".
    done: u8,
    /// It said "failed"; its next job was taken back.
    failed: bool,
    /// It had a job, running or next, when its interrupts were cleared last.
    active: bool,
    /// It has no interrupt that the pass left for later.
    settled: bool,
    failure: Option<Failure>,
}

/// What it means for the jobs that the caller put into the slot, oldest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Verdict {
    /// So many succeeded.
    pub(crate) done: u8,
    /// The one after those failed, or was stopped.
    pub(crate) failed: Option<Failure>,
    /// So many are left.
    pub(crate) left: u8,
    /// What is left was taken back: hand it over again ([`crate::job::slot::start`]), or end it.
    pub(crate) requeue_next: bool,
    /// Interrupts spoke of jobs that the caller does not know.
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

    /// Whether there was an interrupt at all.
    pub(crate) fn any(&self) -> bool {
        self.done != 0 || self.failed
    }

    /// Decides what became of the `in_hw` jobs in the slot.
    pub(crate) fn verdict(&self, in_hw: u8) -> Verdict {
        let failed = self.failure.filter(|_| self.failed && in_hw != 0);
        // Where the interrupts speak of more jobs than there are, a failure is the safer thing to believe.
        let may_be_done = in_hw.saturating_sub(u8::from(failed.is_some()));
        let seen = self.done.min(may_be_done);
        let all_gone = seen != 0 && failed.is_none() && self.settled && !self.active;
        let done = match all_gone {
            true => may_be_done,
            false => seen,
        };
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

/// One access of a pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Access {
    /// Read RAWSTAT.
    Raised,
    /// Take a slot's next job back.
    CancelNext(Slot),
    /// Clear interrupts.
    Clear(u32),
    /// Read JS_STATE.
    State,
}

/// What one pass saw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Events([SlotEvents; SLOTS]);

impl Events {
    /// What it saw of `slot`.
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

    /// The pass, up to `rounds` rounds long.
    fn collect_with(rounds: u32, mut access: impl FnMut(Access) -> u32) -> Events {
        let mut events = Events([SlotEvents::NONE; SLOTS]);
        let mut raised = access(Access::Raised);
        for _ in 0..rounds {
            if raised == 0 {
                break;
            }
            for (slot, e) in events.each(raised) {
                if raised & slot.done_bit() != 0 {
                    e.done = e.done.saturating_add(1);
                }
                if raised & slot.failed_bit() != 0 {
                    // Before the clear, which lets the slot go on.
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

/// Collects and clears what the job interrupts have to say. The caller holds the lock of all slots until it has
/// acted on the verdicts, so that no job is added in between.
///
/// A pass that ran into its bound leaves interrupts raised: they fire again once unmasked.
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
