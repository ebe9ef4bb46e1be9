// SPDX-License-Identifier: BSD-2-Clause
//! The jobs that are in flight, by slot. Guarded by the job lock.

use crate::exception::Stop;
use crate::mmu::slots::Seat;
use crate::regs::job::{Slot, SLOTS};
use drm_sched::JobId;

/// The time after which a stop command counts as failed, in ns. HW: Linux waits as long before a
/// reset.
pub(crate) const STOP_NS: u64 = 10_000_000;

/// A job in a slot.
#[derive(Clone, Copy)]
pub(crate) struct Running {
    pub(crate) id: JobId,
    /// The stay of its VM in a hardware address space.
    pub(crate) seat: Seat,
    /// The chain flag, by which stop commands distinguish the two jobs of a slot.
    pub(crate) chain_flag: bool,
    /// It needs the cycle counter.
    pub(crate) counts_cycles: bool,
    /// The last stop command that it was sent.
    pub(crate) sent: Option<Stop>,
    /// For a job that took too long: when that stop command counts as failed, a time in ns.
    pub(crate) late: Option<u64>,
}

/// The jobs in the slots: in each the one that runs, and the next one.
#[derive(Default)]
pub struct InFlight {
    /// Oldest first.
    slots: [[Option<Running>; 2]; SLOTS],
}

impl InFlight {
    /// Whether no slot has a job.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.iter().flatten().all(Option::is_none)
    }

    /// Removes all jobs, for a reset.
    pub(crate) fn forget(&mut self) {
        self.slots = Default::default();
    }

    fn slot(&mut self, slot: Slot) -> Option<&mut [Option<Running>; 2]> {
        self.slots.get_mut(slot.index())
    }

    /// The number of jobs in a slot.
    pub(crate) fn count(&self, slot: Slot) -> u8 {
        match self.slots.get(slot.index()) {
            Some([Some(_), Some(_)]) => 2,
            Some([Some(_), None]) => 1,
            _ => 0,
        }
    }

    /// The job that runs in a slot.
    pub(crate) fn head(&mut self, slot: Slot) -> Option<&mut Running> {
        self.slot(slot)?.first_mut()?.as_mut()
    }

    /// Adds a job after the one that runs.
    pub(crate) fn push(&mut self, slot: Slot, running: Running) {
        if let Some(free) = self
            .slot(slot)
            .and_then(|jobs| jobs.iter_mut().find(|job| job.is_none()))
        {
            *free = Some(running);
        }
    }

    /// Removes the oldest job of a slot.
    pub(crate) fn pop(&mut self, slot: Slot) -> Option<Running> {
        let [first, second] = self.slot(slot)?;
        let popped = first.take();
        *first = second.take();
        popped
    }

    /// Whether a job needs the cycle counter.
    pub(crate) fn counts_cycles(&self) -> bool {
        self.slots
            .iter()
            .flatten()
            .flatten()
            .any(|running| running.counts_cycles)
    }

    /// The chain flag that the job in the slot does not have.
    pub(crate) fn free_flag(&mut self, slot: Slot) -> bool {
        self.head(slot).is_some_and(|other| !other.chain_flag)
    }

    /// A job that runs in this stay of its VM.
    pub(crate) fn job_of(&self, seat: Seat) -> Option<JobId> {
        let mut jobs = self.slots.iter().flatten().flatten();
        jobs.find(|running| running.seat == seat).map(|r| r.id)
    }
}
