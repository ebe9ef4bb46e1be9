// SPDX-License-Identifier: BSD-2-Clause
//! The hardware of the toy driver.

use drm_os_host::{Dma, Hardware};
use std::any::Any;

/// Adds one to the word whose physical address is stored in its first two registers.
#[derive(Default)]
pub struct Adder {
    pa: [u32; 2],
}

/// A write here is what it does.
pub(super) const GO: u32 = 8;

impl Hardware for Adder {
    fn mmio_read(&mut self, _: &mut dyn Dma, _: u64, _: u32) -> u32 {
        0
    }
    fn mmio_write(&mut self, bus: &mut dyn Dma, _: u64, off: u32, val: u32) {
        if off != GO {
            self.pa[off as usize / 4] = val;
            return;
        }
        let pa = u64::from(self.pa[1]) << 32 | u64::from(self.pa[0]);
        let mut word = [0; 8];
        bus.read(pa, &mut word).expect("memory is there");
        let sum = u64::from_ne_bytes(word) + 1;
        bus.write(pa, &sum.to_ne_bytes()).expect("memory is there");
    }
    fn next_event(&self) -> Option<u64> {
        None
    }
    fn poll(&mut self, _: &mut dyn Dma, _: u64) {}
    fn set_power(&mut self, _: &mut dyn Dma, _: u64, _: bool) {}
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}
