// SPDX-License-Identifier: BSD-2-Clause
//! Power domain and clocks of a core.

use drmkpi::os::{Clk, Dev, Level};
use drmkpi::util::errno::Result;

/// HW: the binding vivante,gc has these clocks, "core" always, the others as the chip has them.
const CLOCKS: [&core::ffi::CStr; 4] = [c"core", c"shader", c"bus", c"reg"];

/// What has to be on for registers to answer.
pub(crate) struct Platform {
    dev: Dev,
    clocks: [Option<Clk>; 4],
}

impl Platform {
    /// Finds the clocks of a node.
    ///
    /// # Errors
    ///
    /// What the clock framework says, ENOMEM.
    pub(crate) fn find(dev: Dev) -> Result<Platform> {
        let [core, shader, bus, reg] = CLOCKS;
        Ok(Platform {
            dev,
            clocks: [
                Clk::find(dev, Some(core))?,
                Clk::find(dev, Some(shader))?,
                Clk::find(dev, Some(bus))?,
                Clk::find(dev, Some(reg))?,
            ],
        })
    }

    /// Hertz of the core's clock, if it is known.
    pub(crate) fn core_hz(&self) -> Option<u64> {
        let [core, ..] = &self.clocks;
        core.as_ref()?.rate().ok()
    }

    /// Power domain and clocks on; what came on goes off again when a later step fails.
    ///
    /// # Errors
    ///
    /// What the frameworks say.
    pub(crate) fn on(&self) -> Result<()> {
        self.dev.power_on()?;
        let mut result = Ok(());
        let mut on = 0usize;
        for clock in self.clocks.iter().flatten() {
            result = clock.enable();
            if result.is_err() {
                break;
            }
            on = on.wrapping_add(1);
        }
        if result.is_err() {
            for clock in self.clocks.iter().flatten().take(on) {
                self.log_failure(clock.disable());
            }
            self.log_failure(self.dev.power_off());
        }
        result
    }

    /// All of it off.
    pub(crate) fn off(&self) {
        for clock in self.clocks.iter().flatten() {
            self.log_failure(clock.disable());
        }
        self.log_failure(self.dev.power_off());
    }

    fn log_failure(&self, result: Result<()>) {
        if let Err(e) = result {
            self.dev
                .log(Level::Error, format_args!("turning the GPU off: {e}"));
        }
    }
}
