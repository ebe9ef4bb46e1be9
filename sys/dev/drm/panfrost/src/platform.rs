// SPDX-License-Identifier: BSD-2-Clause
//! What the board gives the GPU: power domain, regulator, clocks, resets. Each is optional, for boards
//! name different ones (facts of the bindings arm,mali-midgard and arm,mali-bifrost).

use core::sync::atomic::{AtomicBool, Ordering};
use drmkpi::os::{Clk, Dev, Regulator, Reset};
use drmkpi::util::errno::Result;

/// The resources, found. Whoever turns them on and off holds the power lock; what is on at the end goes off
/// with them.
pub(crate) struct Platform {
    is_on: AtomicBool,
    dev: Dev,
    core: Option<Clk>,
    bus: Option<Clk>,
    regulator: Option<Regulator>,
    reset: Option<Reset>,
}

impl Platform {
    /// Finds them. A node with one clock does not name it.
    ///
    /// # Errors
    ///
    /// What the frameworks say, ENOMEM.
    pub(crate) fn find(dev: Dev) -> Result<Platform> {
        Ok(Platform {
            is_on: AtomicBool::new(false),
            dev,
            core: Clk::find(dev, None)?,
            bus: Clk::find(dev, Some(c"bus"))?,
            regulator: Regulator::find(dev, Some(c"mali"))?,
            reset: Reset::find(dev, None)?,
        })
    }

    /// Gives the GPU power and clocks. What came on goes off again when a later step fails.
    ///
    /// # Errors
    ///
    /// What the frameworks say.
    pub(crate) fn on(&self) -> Result<()> {
        if let Some(regulator) = &self.regulator {
            regulator.enable()?;
        }
        let up = self.dev.power_on().and_then(|()| {
            let clocked = self.clocks_on();
            if clocked.is_err() {
                self.log_failure(self.dev.power_off());
            }
            clocked
        });
        if let (Err(_), Some(regulator)) = (up, &self.regulator) {
            self.log_failure(regulator.disable());
        }
        self.is_on.store(up.is_ok(), Ordering::Relaxed);
        up
    }

    fn clocks_on(&self) -> Result<()> {
        let mut on: [Option<&Clk>; 2] = [None, None];
        let clocks = [&self.bus, &self.core];
        let mut result = Ok(());
        for (slot, clock) in on.iter_mut().zip(clocks) {
            let Some(clock) = clock else { continue };
            result = clock.enable();
            if result.is_err() {
                break;
            }
            *slot = Some(clock);
        }
        let result = result.and_then(|()| self.reset.as_ref().map_or(Ok(()), Reset::deassert));
        if result.is_err() {
            for clock in on.into_iter().flatten() {
                self.log_failure(clock.disable());
            }
        }
        result
    }

    /// Takes clocks and power away. A step that fails is logged and the others are done all the same.
    pub(crate) fn off(&self) {
        if !self.is_on.swap(false, Ordering::Relaxed) {
            return;
        }
        if let Some(reset) = &self.reset {
            self.log_failure(reset.assert());
        }
        for clock in [&self.core, &self.bus].into_iter().flatten() {
            self.log_failure(clock.disable());
        }
        self.log_failure(self.dev.power_off());
        if let Some(regulator) = &self.regulator {
            self.log_failure(regulator.disable());
        }
    }

    fn log_failure(&self, result: Result<()>) {
        if let Err(e) = result {
            self.dev
                .log(drmkpi::os::Level::Error, format_args!("turning the GPU off: {e}"));
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.off();
    }
}
