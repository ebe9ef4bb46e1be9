// SPDX-License-Identifier: BSD-2-Clause
//! The interface between a device model and the world.

use crate::counters::Kind;
use crate::device::Dev;
use crate::trace::Trace;
use std::any::Any;

/// Error of a DMA access to an address without an allocated page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

/// The bus as a device uses it.
pub trait Dma {
    /// Reads physical memory; nothing is read on error.
    fn read(&mut self, pa: u64, buf: &mut [u8]) -> Result<(), NoMemory>;
    /// Writes physical memory; nothing is written on error.
    fn write(&mut self, pa: u64, buf: &[u8]) -> Result<(), NoMemory>;
    /// Drives interrupt line `line`, an index in [`crate::Node::irqs`].
    fn irq(&mut self, line: usize, level: bool);
}

/// A model of a device.  Its calls never overlap.  `now` is the clock in ns.
pub trait Hardware: Send {
    /// Reads a register.
    fn mmio_read(&mut self, bus: &mut dyn Dma, now: u64, off: u32) -> u32;
    /// Writes a register.
    fn mmio_write(&mut self, bus: &mut dyn Dma, now: u64, off: u32, val: u32);
    /// Time of the device's next event; `None` if it has none before the next register access.
    fn next_event(&self) -> Option<u64>;
    /// Called at the time of [`Hardware::next_event`].
    fn poll(&mut self, bus: &mut dyn Dma, now: u64);
    /// Sets whether the device can work: its power domain is on, all clocks are enabled and no
    /// reset is asserted. Called on each change; for a node that has none of the three, once with
    /// `true` when it is added.
    fn set_power(&mut self, bus: &mut dyn Dma, now: u64, on: bool);
    /// For [`crate::Device::with_hardware`].
    fn as_any(&mut self) -> &mut dyn Any;
}

/// The bus of one device.
pub(crate) struct Bus<'a>(pub(crate) &'a Dev);

impl Bus<'_> {
    fn checked(
        &self,
        r: Result<(), NoMemory>,
        pa: u64,
        len: usize,
        write: bool,
    ) -> Result<(), NoMemory> {
        if r.is_err() {
            let d = self.0;
            d.w.counts.add(Kind::BadDma, 1);
            d.w.tracer.emit(|| Trace::BadDma {
                t: d.w.now(),
                dev: d.name.clone(),
                pa,
                len,
                write,
            });
        }
        r
    }
}

impl Dma for Bus<'_> {
    fn read(&mut self, pa: u64, buf: &mut [u8]) -> Result<(), NoMemory> {
        let r = self.0.w.mem.dma_read(pa, buf);
        self.checked(r, pa, buf.len(), false)
    }

    fn write(&mut self, pa: u64, buf: &[u8]) -> Result<(), NoMemory> {
        let r = self.0.w.mem.dma_write(pa, buf);
        self.checked(r, pa, buf.len(), true)
    }

    fn irq(&mut self, line: usize, level: bool) {
        let d = self.0;
        if d.lines[line].set_level(level) {
            d.w.tracer.emit(|| Trace::Irq {
                t: d.w.now(),
                dev: d.name.clone(),
                line,
                level,
            });
        }
    }
}
