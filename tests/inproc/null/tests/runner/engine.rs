// SPDX-License-Identifier: BSD-2-Clause
//! The hardware of the null driver, which also has registers that say what a driver is to do: to
//! fail once in a step of a reset, and how long its interrupt handler takes.

use drm_os_host::{Dma, Hardware};
use std::any::Any;
use std::mem::take;

pub(crate) const WINDOW: u32 = 0x1c;
pub(crate) const RESET: u32 = 0x0;
pub(crate) const START: u32 = 0x4;
pub(crate) const DONE: u32 = 0x8;
pub(crate) const MASK: u32 = 0xc;
pub(crate) const RESET_FAILS: u32 = 0x10;
pub(crate) const SET_UP_FAILS: u32 = 0x14;
pub(crate) const HANDLER_MS: u32 = 0x18;

/// The engine.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) power: bool,
    /// When the job that runs ends.
    ends: Option<u64>,
    done: bool,
    unmasked: bool,
    line: bool,
    pub(crate) reset_fails: bool,
    pub(crate) set_up_fails: bool,
    pub(crate) handler_ms: u32,
    /// The jobs that were started.
    pub(crate) starts: Vec<u32>,
    /// Accesses without power, and starts of a busy engine.
    pub(crate) wrong: u32,
}

impl Model {
    /// Ends whatever runs, and masks the interrupt.
    fn reset(&mut self) {
        (self.ends, self.done, self.unmasked) = (None, false, false);
    }

    fn update(&mut self, bus: &mut dyn Dma) {
        let line = self.done && self.unmasked;
        if line != self.line {
            self.line = line;
            bus.irq(0, line);
        }
    }
}

impl Hardware for Model {
    fn mmio_read(&mut self, _: &mut dyn Dma, _: u64, off: u32) -> u32 {
        self.wrong += u32::from(!self.power);
        match off {
            DONE => self.done.into(),
            RESET_FAILS => take(&mut self.reset_fails).into(),
            SET_UP_FAILS => take(&mut self.set_up_fails).into(),
            HANDLER_MS => self.handler_ms,
            _ => 0,
        }
    }

    fn mmio_write(&mut self, bus: &mut dyn Dma, now: u64, off: u32, val: u32) {
        self.wrong += u32::from(!self.power);
        match off {
            RESET => self.reset(),
            START if self.ends.is_some() || self.done => self.wrong += 1,
            START => {
                self.ends = Some(now + u64::from(val) * 1_000);
                self.starts.push(val);
            }
            DONE => self.done = false,
            MASK => self.unmasked = val != 0,
            _ => self.wrong += 1,
        }
        self.update(bus);
    }

    fn next_event(&self) -> Option<u64> {
        self.ends
    }

    fn poll(&mut self, bus: &mut dyn Dma, now: u64) {
        if self.ends.is_some_and(|ends| ends <= now) {
            (self.ends, self.done) = (None, true);
        }
        self.update(bus);
    }

    fn set_power(&mut self, bus: &mut dyn Dma, _: u64, on: bool) {
        self.power = on;
        self.reset();
        self.update(bus);
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}
