// SPDX-License-Identifier: BSD-2-Clause
//! What a model accesses on its board: memory by physical address, and interrupt lines.
//!
//! A model owns no memory, no thread and no clock. The code that embeds it (a unit test, the host
//! harness, a machine emulator) implements [`Bus`] and passes it with the current time to every
//! call.

/// Direction of a register access, as counted in statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// The processor read a register.
    Read,
    /// The processor wrote a register.
    Write,
}

/// The bus returned an error response: there is no memory at the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusError;

/// The board as one device accesses it.
pub trait Bus {
    /// Reads `buf.len()` bytes at physical address `pa`.
    ///
    /// # Errors
    /// [`BusError`] if any byte of the range has no memory.
    fn read(&mut self, pa: u64, buf: &mut [u8]) -> Result<(), BusError>;

    /// Writes `buf` at physical address `pa`.
    ///
    /// # Errors
    /// [`BusError`] if any byte of the range has no memory.
    fn write(&mut self, pa: u64, buf: &[u8]) -> Result<(), BusError>;

    /// Drives interrupt line `line` of the device; called only when the level changes.
    fn irq(&mut self, line: usize, level: bool);
}
