// SPDX-License-Identifier: BSD-2-Clause
//! What a device needs so that its registers answer: regulator, power domain, clocks, reset line.
//!
//! On: regulator, power domain, clocks in their order, reset released. Off: the other way round.
//! A board may lack any of them.

use crate::os::{Clk, Dev, Level, Regulator, Reset};
use crate::util::errno::{Result, EINVAL};
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering};

/// Clocks of a device at the most.
const CLOCKS: usize = 4;

/// The names of a device's resources in the device tree.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Clocks in the order in which they are enabled, four at the most. `None` is the first clock of
    /// the node, whatever its name.
    pub clocks: &'static [Option<&'static CStr>],
    /// The regulator, if the binding has one.
    pub regulator: Option<&'static CStr>,
    /// Whether the binding has a reset line.
    pub reset: bool,
}

/// The resources of a device. They are turned on and off by one thread at a time, and go off when
/// this is dropped.
pub struct Resources {
    dev: Dev,
    is_on: AtomicBool,
    clocks: [Option<Clk>; CLOCKS],
    regulator: Option<Regulator>,
    reset: Option<Reset>,
}

impl Resources {
    /// Finds them; all are off.
    ///
    /// # Errors
    ///
    /// The error of the framework; ENOMEM; EINVAL for more than four clocks.
    pub fn find(dev: Dev, names: &Names) -> Result<Resources> {
        if names.clocks.len() > CLOCKS {
            return Err(EINVAL);
        }
        let mut clocks = [const { None }; CLOCKS];
        for (clock, name) in clocks.iter_mut().zip(names.clocks) {
            *clock = Clk::find(dev, *name)?;
        }
        let regulator = match names.regulator {
            Some(name) => Regulator::find(dev, Some(name))?,
            None => None,
        };
        let reset = match names.reset {
            true => Reset::find(dev, None)?,
            false => None,
        };
        Ok(Resources {
            dev,
            is_on: AtomicBool::new(false),
            clocks,
            regulator,
            reset,
        })
    }

    /// The frequency of the `index`-th clock in Hz; `None` if the node has no such clock or its
    /// driver does not know the frequency.
    pub fn clock_hz(&self, index: usize) -> Option<u64> {
        self.clocks.get(index)?.as_ref()?.rate().ok()
    }

    /// Whether they are on.
    pub fn are_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Turns all of them on. If one fails, those before it are turned off again.
    ///
    /// # Errors
    ///
    /// The error of the framework.
    pub fn on(&self) -> Result<()> {
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
        let mut on: usize = 0;
        let mut result = Ok(());
        for clock in self.clocks.iter().flatten() {
            result = clock.enable();
            if result.is_err() {
                break;
            }
            on = on.saturating_add(1);
        }
        let result = result.and_then(|()| self.reset.as_ref().map_or(Ok(()), Reset::deassert));
        if result.is_err() {
            for clock in self.clocks.iter().flatten().take(on) {
                self.log_failure(clock.disable());
            }
        }
        result
    }

    /// Turns all of them off, if they are on. A failure is logged, and the others are turned off all
    /// the same.
    pub fn off(&self) {
        if !self.is_on.swap(false, Ordering::Relaxed) {
            return;
        }
        if let Some(reset) = &self.reset {
            self.log_failure(reset.assert());
        }
        for clock in self.clocks.iter().rev().flatten() {
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
                .log(Level::Error, format_args!("turning the GPU off: {e}"));
        }
    }
}

impl Drop for Resources {
    fn drop(&mut self) {
        self.off();
    }
}
