// SPDX-License-Identifier: BSD-2-Clause
//! Power and resets of a device. It is turned on for the first job, and off after the idle time.

use crate::drm::driver::Suspend;
use crate::os::SxGuard;
use crate::runner::backend::{Backend, Engine, Power, Runner};
use crate::util::errno::{Result, EBUSY, ENXIO};
use drm_sched::{JobId, Outcome};

impl<B: Backend> Runner<B> {
    /// Turns the device on for jobs, if it is off and not suspended.
    ///
    /// # Errors
    ///
    /// ETIMEDOUT or EIO if a reset or the set-up fails, ENXIO if it is being detached.
    pub(super) fn turn_on(&self, b: &B) -> Result<()> {
        let mut power = self.power.lock();
        match self.turn_on_locked(b, &mut power) {
            // `resume` needs the power lock, so the device is still suspended, and did not fail.
            Err(_) if self.lock().state.suspended => Ok(()),
            result => result,
        }
    }

    /// As `turn_on`, but EBUSY while it is suspended.
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

    /// Sets up a device after a reset, or turns it off if the reset or the set-up has failed.
    /// `settle` is called before the hardware accepts jobs.
    fn set_up(
        &self,
        b: &B,
        power: &mut SxGuard<'_, Power>,
        reset: Result<()>,
        settle: impl FnOnce(&mut Engine<'_, B>),
    ) -> Result<()> {
        let up = reset.and_then(|()| b.set_up());
        power.on = up.is_ok();
        if up.is_err() {
            // Before `settle`: without a reset, jobs run until the power is off.
            self.resources.off();
        }
        let mut engine = self.lock();
        settle(&mut engine);
        if up.is_ok() {
            b.ready(&mut engine);
            engine.state.powered = true;
        }
        up
    }

    /// Turns on a device that is being attached. If it has power already, the driver has reset it.
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
    /// Those of `turn_on`: EBUSY, ENXIO, ETIMEDOUT, EIO.
    pub fn pin(&self, b: &B) -> Result<()> {
        let mut power = self.power.lock();
        self.turn_on_locked(b, &mut power)?;
        power.pins = power.pins.checked_add(1).ok_or(EBUSY)?;
        Ok(())
    }

    /// Ends a `pin`: the device may be turned off again.
    pub fn unpin(&self) {
        let mut power = self.power.lock();
        // OVERFLOW: none, for each `unpin` follows a `pin`.
        power.pins = power.pins.saturating_sub(1);
        // The idle time starts again.
        self.lock().state.timers.busy();
        drop(power);
        self.enqueue();
    }

    /// Calls `f` if the device is on. It stays on meanwhile, and is not reset.
    pub fn with_power(&self, f: impl FnOnce()) {
        let power = self.power.lock();
        if power.on {
            f();
        }
    }

    /// Turns the device off until `resume`; jobs wait meanwhile.
    pub fn suspend(&self, b: &B, how: Suspend) {
        self.lock().state.suspended = true;
        let is_empty = || B::is_empty(&self.lock().hw);
        if !how.wait_for_jobs(self.os(), B::DESC.job_timeout_ns, is_empty) {
            self.reset(b, None, Outcome::Cancelled);
        }
        self.turn_off(b, &mut self.power.lock(), |_| true);
    }

    /// Ends a suspend: jobs run again. A pinned device is turned on, and finds itself reset.
    pub fn resume(&self, b: &B) {
        let mut power = self.power.lock();
        self.lock().state.suspended = false;
        let up = match power.pins {
            0 => Ok(()),
            _ => self.turn_on_locked(b, &mut power),
        };
        drop(power);
        if let Err(e) = up {
            self.log_error(format_args!("cannot turn the {} on: {e}", B::DESC.noun));
        }
        self.enqueue();
    }

    /// The task: turns the device off if it has had no job for the idle time.
    pub(super) fn check_idle(&self, b: &B) {
        let mut power = self.power.lock();
        {
            let mut engine = self.lock();
            let now = self.os().now();
            if !engine.state.timers.idle_fired(now, B::DESC.idle_ns) {
                return self.set_timers(b, &mut engine, Some(now));
            }
        }
        if power.pins == 0 {
            self.turn_off(b, &mut power, B::is_empty);
        }
    }

    /// Turns the device off if it is on and `may` returns true. No job starts after `may`.
    fn turn_off(&self, b: &B, power: &mut SxGuard<'_, Power>, may: impl FnOnce(&B::Hw) -> bool) {
        if !power.on {
            return;
        }
        let released = {
            let mut engine = self.lock();
            if !may(&engine.hw) {
                return;
            }
            engine.state.powered = false;
            engine.state.needs_reset = false;
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

    /// Ends all jobs in the hardware by a reset, or, if that fails or the device is being detached,
    /// by turning it off. No job is started meanwhile. `settle` is called before the hardware
    /// accepts jobs, and requeues or ends these, which are still in flight for the scheduler.
    fn empty(
        &self,
        b: &B,
        mut power: SxGuard<'_, Power>,
        settle: impl FnOnce(&mut Engine<'_, B>),
    ) -> Result<()> {
        self.lock().sched.stop();
        if power.on {
            b.stop();
        }
        let released = {
            let mut engine = self.lock();
            engine.state.powered = false;
            engine.state.needs_reset = false;
            if power.on {
                // Handlers acknowledge nothing now, and raised interrupts may persist if the reset
                // fails.
                b.mask_interrupts();
            }
            b.forget(&mut engine.hw)
        };
        let settle = |engine: &mut Engine<'_, B>| {
            // No job runs now that could reach unmapped memory.
            b.forgotten(&mut engine.hw);
            settle(engine);
            engine.sched.start();
        };
        let result = if power.on {
            self.sync_irqs();
            // Also before the device is turned off, as the hardware may be accessing memory.
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

    /// Resets a device that does not start jobs. None is in flight.
    pub(super) fn restart(&self, b: &B) -> Result<()> {
        self.empty(b, self.power.lock(), |_| {})
    }

    /// Resets the device, if it is on. `guilty` ends with `outcome`, all other jobs that were in
    /// flight run again. May sleep.
    pub fn reset(&self, b: &B, guilty: Option<JobId>, outcome: Outcome) {
        self.reset_locked(b, self.power.lock(), guilty, outcome);
    }

    fn reset_locked(
        &self,
        b: &B,
        power: SxGuard<'_, Power>,
        guilty: Option<JobId>,
        outcome: Outcome,
    ) {
        let was_on = power.on;
        let done = self.empty(b, power, |engine| {
            engine.sched.reset(guilty, outcome, self.os().now());
        });
        if was_on {
            b.stats().reset();
        }
        match done {
            Ok(()) if !was_on => {}
            // Limited, as a client can cause two resets a second.
            Ok(()) => self
                .reset_log
                .warn(self.dev(), format_args!("{} reset", B::DESC.noun)),
            // It is off because it is being detached.
            Err(_) if self.is_removed() => {}
            Err(e) => self.log_error(format_args!("{} reset failed: {e}", B::DESC.noun)),
        }
        self.queue.kick();
    }

    /// The timeout handler: resets the device if a job took too long and cannot be stopped.
    pub(super) fn check_timeouts(&self, b: &B) {
        // Held until the reset, since a suspend could end the job or turn the device off meanwhile.
        let power = self.power.lock();
        let guilty = {
            let mut engine = self.lock();
            engine.state.timers.timeout_fired();
            if !engine.state.powered {
                return;
            }
            // The interrupt of a completed job may be pending, or lost.
            b.collect(&mut engine);
            b.overdue(&mut engine)
                .map(|id| (id, engine.sched.is_orphan(id)))
        };
        match guilty {
            // Its file is closed: this does not count as a timeout.
            Some((id, true)) => self.reset_locked(b, power, Some(id), Outcome::Cancelled),
            Some((id, false)) => {
                b.timed_out(id);
                self.reset_locked(b, power, Some(id), Outcome::TimedOut);
            }
            None => drop(power),
        }
        self.enqueue();
    }

    /// Ends all jobs in the hardware for a detach. The scheduler is shut down, so none runs again.
    pub(super) fn end_jobs(&self, b: &B) {
        // ENXIO is not a failure here: the device is turned off.
        let _ = self.empty(b, self.power.lock(), |engine| {
            engine
                .sched
                .reset(None, Outcome::Cancelled, self.os().now());
        });
    }
}
