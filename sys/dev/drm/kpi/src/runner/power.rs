// SPDX-License-Identifier: BSD-2-Clause
//! Power and resets of a device: on for the first job, off after a while without one.

use crate::drm::driver::Suspend;
use crate::os::SxGuard;
use crate::runner::backend::{Backend, Engine, Power, Runner};
use crate::util::errno::{Result, EBUSY, ENXIO};
use drm_sched::{JobId, Outcome};

impl<B: Backend> Runner<B> {
    /// Turns the device on if it is off.
    ///
    /// # Errors
    ///
    /// ETIMEDOUT or EIO when it does not come on, EBUSY while it is suspended, ENXIO when it is
    /// removed.
    pub(super) fn turn_on(&self, b: &B) -> Result<()> {
        let mut power = self.power.lock();
        self.turn_on_locked(b, &mut power)
    }

    fn turn_on_locked(&self, b: &B, power: &mut SxGuard<'_, Power>) -> Result<()> {
        if self.is_removed() {
            return Err(ENXIO);
        }
        if self.lock().state.suspended {
            return Err(EBUSY);
        }
        if power.on {
            return Ok(());
        }
        self.resources.on()?;
        let up = b.reset();
        self.set_up(b, power, up, |_| {})
    }

    /// Sets up a device that was reset, or turns it off if it was not or does not come on. `settle`
    /// sees the scheduler before the hardware takes jobs.
    fn set_up(
        &self,
        b: &B,
        power: &mut SxGuard<'_, Power>,
        reset: Result<()>,
        settle: impl FnOnce(&mut Engine<'_, B>),
    ) -> Result<()> {
        let up = reset.and_then(|()| b.set_up());
        power.on = up.is_ok();
        let mut engine = self.lock();
        settle(&mut engine);
        if up.is_ok() {
            b.ready(&mut engine);
            engine.state.powered = true;
        }
        drop(engine);
        if up.is_err() {
            self.resources.off();
        }
        up
    }

    /// Turns a device on that is being attached; if it has power, it was reset.
    pub(super) fn take_over(&self, b: &B) -> Result<()> {
        let mut power = self.power.lock();
        match self.resources.are_on() {
            true => self.set_up(b, &mut power, Ok(()), |_| {}),
            false => self.turn_on_locked(b, &mut power),
        }
    }

    /// Turns the device on and keeps it on until `unpin`.
    ///
    /// # Errors
    ///
    /// As for a job: EBUSY while it is suspended, ENXIO when it is removed, ETIMEDOUT, EIO.
    pub fn pin(&self, b: &B) -> Result<()> {
        let mut power = self.power.lock();
        self.turn_on_locked(b, &mut power)?;
        power.pins = power.pins.checked_add(1).ok_or(EBUSY)?;
        Ok(())
    }

    /// Lets the device be turned off again.
    pub fn unpin(&self) {
        let mut power = self.power.lock();
        // OVERFLOW: each `unpin` follows a `pin`.
        power.pins = power.pins.saturating_sub(1);
        drop(power);
        self.enqueue_idle();
    }

    /// Runs `f` if the device has power, which stays on meanwhile; no reset happens either.
    pub fn with_power(&self, f: impl FnOnce()) {
        let power = self.power.lock();
        if power.on {
            f();
        }
    }

    /// Turns the device off and keeps it so; jobs wait.
    pub fn suspend(&self, b: &B, how: Suspend) {
        self.lock().state.suspended = true;
        let is_empty = || B::is_empty(&self.lock().hw);
        if !how.wait_for_jobs(self.os(), B::DESC.job_timeout_ns, is_empty) {
            self.reset(b, None, Outcome::Cancelled);
        }
        self.turn_off(b, &mut self.power.lock());
    }

    /// Lets jobs run again. A device that is pinned is on, as after a reset.
    pub fn resume(&self, b: &B) {
        let mut power = self.power.lock();
        self.lock().state.suspended = false;
        let up = match power.pins {
            0 => Ok(()),
            _ => self.turn_on_locked(b, &mut power),
        };
        drop(power);
        if let Err(e) = up {
            self.log_error(format_args!("the {} does not come on: {e}", B::DESC.noun));
        }
        self.enqueue();
    }

    /// The task: turns the device off if it has no job.
    pub(super) fn turn_off_if_idle(&self, b: &B) {
        let mut power = self.power.lock();
        if power.pins == 0 && B::is_empty(&self.lock().hw) {
            self.turn_off(b, &mut power);
        }
    }

    fn turn_off(&self, b: &B, power: &mut SxGuard<'_, Power>) {
        if !power.on {
            return;
        }
        let released = {
            let mut engine = self.lock();
            engine.state.powered = false;
            b.mask_interrupts();
            b.forget(&mut engine.hw)
        };
        self.sync_irqs();
        b.power_off();
        b.forgotten(&mut self.lock().hw);
        self.resources.off();
        power.on = false;
        drop(released);
    }

    /// Takes all jobs from the hardware by a reset, or, when that fails or the device is removed,
    /// by turning it off. No job starts meanwhile. `settle` sees the scheduler, for which these
    /// jobs are still in flight, before the hardware takes others.
    fn empty(&self, b: &B, settle: impl FnOnce(&mut Engine<'_, B>)) -> Result<()> {
        let mut power = self.power.lock();
        self.lock().sched.stop();
        if power.on {
            b.stop();
        }
        let released = {
            let mut engine = self.lock();
            engine.state.powered = false;
            if power.on {
                // Handlers acknowledge nothing now, and what is raised may outlive a reset that
                // fails.
                b.mask_interrupts();
            }
            b.forget(&mut engine.hw)
        };
        let settle = |engine: &mut Engine<'_, B>| {
            // Only now nothing runs any more that could reach what was unmapped.
            b.forgotten(&mut engine.hw);
            settle(engine);
            engine.sched.start();
        };
        let result = if power.on {
            self.sync_irqs();
            // Also before the power goes off: the hardware may be reading memory.
            let reset = b.reset().and_then(|()| match self.is_removed() {
                true => Err(ENXIO),
                false => Ok(()),
            });
            self.set_up(b, &mut power, reset, settle)
        } else {
            settle(&mut self.lock());
            Ok(())
        };
        drop(power);
        drop(released);
        result
    }

    /// Resets a device that does not begin to run jobs; none is in flight.
    pub(super) fn restart(&self, b: &B) -> Result<()> {
        self.empty(b, |_| {})
    }

    /// Resets the device. `guilty` ends with `outcome`, all other jobs that were in flight have
    /// another run. May sleep.
    pub fn reset(&self, b: &B, guilty: Option<JobId>, outcome: Outcome) {
        let back = self.empty(b, |engine| {
            engine.sched.reset(guilty, outcome, self.os().now());
        });
        b.stats().reset();
        match back {
            // A client that hangs causes two a second.
            Ok(()) => self
                .reset_log
                .warn(self.dev(), format_args!("{} reset", B::DESC.noun)),
            Err(e) => self.log_error(format_args!("{} reset failed: {e}", B::DESC.noun)),
        }
        self.queue.kick();
    }

    /// The device is removed: takes all jobs from the hardware. The scheduler is shut down, so none
    /// has another run.
    pub(super) fn take_back_for_good(&self, b: &B) {
        // It turns the device off, which is no failure.
        let _ = self.empty(b, |engine| {
            engine
                .sched
                .reset(None, Outcome::Cancelled, self.os().now());
        });
    }
}
