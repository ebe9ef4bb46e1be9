// SPDX-License-Identifier: BSD-2-Clause
//! Stop, start, reset and shutdown.
//!
//! A reset empties the hardware. One job may be guilty, and ends. All others run again, as often as
//! that happens: they are not responsible. A job that is only suspected is blamed, and fails after
//! `Config::max_blames` resets, so that a reset loop ends.

use crate::array::{Arr, Storage};
use crate::job::State;
use crate::pool::NIL;
use crate::{JobId, Outcome, Scheduler};

impl<J, S: Storage> Scheduler<J, S> {
    /// Keeps jobs from starting on any slot until [`Self::start`]; those in flight continue.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Ends [`Self::stop`]; the driver then calls [`Self::next`] for every slot.
    pub fn start(&mut self) {
        self.stopped = false;
    }

    /// Keeps jobs from starting on one slot until [`Self::start_slot`]. Returns false for an
    /// unknown slot.
    pub fn stop_slot(&mut self, slot: usize) -> bool {
        self.slots
            .get_mut(slot)
            .map(|slot| slot.stopped = true)
            .is_some()
    }

    /// Ends [`Self::stop_slot`]. Returns false for an unknown slot.
    pub fn start_slot(&mut self, slot: usize) -> bool {
        self.slots
            .get_mut(slot)
            .map(|slot| slot.stopped = false)
            .is_some()
    }

    /// Blames a job for the reset that follows: the hardware stopped because of it, or may have.
    /// Returns false if it is not in flight.
    pub fn blame(&mut self, id: JobId) -> bool {
        let running = self
            .jobs
            .get_mut(id.0)
            .filter(|job| job.state == State::Running);
        running
            // OVERFLOW: saturates, above every `max_blames`.
            .map(|job| job.blames = job.blames.saturating_add(1))
            .is_some()
    }

    /// Records that the hardware was reset and is empty. First the guilty job, if it is in flight,
    /// ends with `outcome`. Then slot by slot, oldest first: a job of a killed entity ends
    /// `Cancelled`, one that was blamed `Config::max_blames` times ends
    /// `Failed(Config::blame_errno)`, and all others run again, in their order, before those that
    /// are queued. Returns how many run again.
    pub fn reset(&mut self, guilty: Option<JobId>, outcome: Outcome, now_ns: u64) -> u32 {
        if let Some(id) = guilty {
            self.complete(id, outcome, now_ns);
        }
        let before = self.counters.resubmitted;
        for slot in 0..self.slots.len() {
            for _ in 0..self.in_flight(slot) {
                let index = self.slots.get(slot).map_or(NIL, |slot| slot.running.head());
                let Some(job) = self.jobs.at_mut(index) else {
                    break;
                };
                // The job starts from the beginning, so its earlier progress does not count.
                job.token = None;
                job.kept_since = None;
                let spent = job.blames >= self.config.max_blames;
                let killed = self
                    .entities
                    .get(job.entity.0)
                    .is_none_or(|entity| entity.killed);
                let entity = self.leave_hardware(index, now_ns);
                if spent && !killed && !self.dead {
                    self.finish(index, Outcome::Failed(self.config.blame_errno));
                } else {
                    self.resume_or_cancel(index);
                }
                self.unpark(entity);
            }
        }
        // OVERFLOW: the distance of two readings of a counter that may wrap.
        u32::try_from(self.counters.resubmitted.wrapping_sub(before)).unwrap_or(u32::MAX)
    }

    /// Cancels every job that is not in flight and shuts the scheduler down: no client, entity or
    /// job can be made from now on, and a job that returns from the hardware ends `Cancelled`. The
    /// cost is linear in the number of entities and jobs.
    pub fn shutdown(&mut self) {
        self.dead = true;
        for index in 0..self.entities.bound() {
            self.cancel_waiting(index);
        }
    }

    /// Whether no job is queued or in flight. There may be built and ended jobs, see
    /// [`Self::live_jobs`].
    pub fn is_idle(&self) -> bool {
        let slots = (0..self.slots.len()).filter_map(|slot| self.slots.get(slot));
        self.waiting.is_zero()
            && slots
                .map(|slot| slot.running.len())
                .all(|running| running == 0)
    }

    /// The number of jobs in the scheduler, in any state.
    pub fn live_jobs(&self) -> u32 {
        self.jobs.live()
    }
}
