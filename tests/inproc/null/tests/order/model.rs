// SPDX-License-Identifier: BSD-2-Clause
//! The hardware: that of the null driver, and registers that say what the driver is to do: to fail
//! once in a step of a reset, and how long its interrupt handler takes.

use drm_os_host::{Dma, Hardware};
use std::any::Any;
use std::mem::take;

pub(crate) const WINDOW: u32 = 0x18;
pub(crate) const START: u32 = 0x0;
pub(crate) const DONE: u32 = 0x4;
pub(crate) const MASK: u32 = 0x8;
pub(crate) const RESET_FAILS: u32 = 0xc;
pub(crate) const SET_UP_FAILS: u32 = 0x10;
pub(crate) const HANDLER_MS: u32 = 0x14;

#[derive(Default)]
pub(crate) struct Model {
    pub(crate) power: bool,
    ends: Option<u64>,
    done: bool,
    unmasked: bool,
    pub(crate) reset_fails: bool,
    pub(crate) set_up_fails: bool,
    pub(crate) handler_ms: u32,
    /// Accesses without power.
    pub(crate) wrong: u32,
}

impl Model {
    fn update(&self, bus: &mut dyn Dma) {
        bus.irq(0, self.done && self.unmasked);
    }
}

impl Hardware for Model {
    fn mmio_read(&mut self, _: &mut dyn Dma, _: u64, off: u32) -> u32 {
        self.wrong += u32::from(!self.power);
        match off {
            DONE => self.done.into(),
            RESET_FAILS => take(&mut self.reset_fails).into(),
            SET_UP_FAILS => take(&mut self.set_up_fails).into(),
            _ => self.handler_ms,
        }
    }

    fn mmio_write(&mut self, bus: &mut dyn Dma, now: u64, off: u32, val: u32) {
        self.wrong += u32::from(!self.power);
        match off {
            START => self.ends = Some(now + u64::from(val) * 1_000),
            DONE => self.done = false,
            MASK => self.unmasked = val != 0,
            _ => (self.ends, self.done, self.unmasked) = (None, false, false),
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
        (self.power, self.ends, self.done, self.unmasked) = (on, None, false, false);
        self.update(bus);
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}
