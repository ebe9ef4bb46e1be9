// SPDX-License-Identifier: BSD-2-Clause
//! The register map of a Mali GPU with a job manager, one file per block: `gpu` (0x0000), `job`
//! (0x1000), `mmu` (0x2000).
//!
//! A register is a constant that holds its offset, which is checked at compile time. Registers of
//! job slots and address spaces are computed from an index, whose type (`Slot`, `As`) bounds it. So
//! no access is outside of the register window.
//!
//! Source of the offsets: Linux 6.1, Mesa, and a trace of Linux's driver on the models.

pub(crate) mod gpu;
pub(crate) mod job;
pub(crate) mod mmu;

use drmkpi::os::{Mmio, Os};
use drmkpi::util::errno::{Result, ETIMEDOUT};
use drmkpi::util::int_conv::{high32, low32};

/// Bytes of the register window that the driver uses.
const WINDOW: u32 = 0x4000;

/// The register window of one GPU.
pub(crate) type Regs = Mmio<WINDOW>;

/// A register of 32 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reg(u32);

impl Reg {
    /// The register at byte `offset`.
    pub(crate) const fn at(offset: u32) -> Reg {
        assert!(offset < WINDOW && offset.is_multiple_of(4));
        Reg(offset)
    }

    /// The register that is `index` times `stride` bytes after this one.
    const fn index(self, index: u8, stride: u32) -> Reg {
        // OVERFLOW: none, for the types of the callers' indexes keep it in the window.
        Reg(self.0.wrapping_add(index_u32(index).wrapping_mul(stride)))
    }

    /// Reads it.
    pub(crate) fn read(self, regs: &Regs) -> u32 {
        regs.read(self.0)
    }

    /// Writes it.
    pub(crate) fn write(self, regs: &Regs, value: u32) {
        regs.write(self.0, value);
    }
}

/// A register of 64 bits: two words, the low one first.
///
/// The halves are accessed one after the other. The registers that are read so do not change
/// meanwhile (identity, the address of a fault that is not cleared yet, the tail of a stopped job).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reg64(Reg);

impl Reg64 {
    /// The register whose low word is at byte `offset`.
    pub(crate) const fn at(offset: u32) -> Reg64 {
        assert!(offset.is_multiple_of(8));
        Reg64(Reg::at(offset))
    }

    /// As [`Reg::index`].
    const fn index(self, index: u8, stride: u32) -> Reg64 {
        Reg64(self.0.index(index, stride))
    }

    /// Its low word.
    pub(crate) const fn low(self) -> Reg {
        self.0
    }

    /// Its high word.
    pub(crate) const fn high(self) -> Reg {
        // The low word is at a multiple of 8.
        Reg(self.0 .0 | 4)
    }

    /// Reads both words, low first.
    pub(crate) fn read(self, regs: &Regs) -> u64 {
        let low = self.low().read(regs);
        join(low, self.high().read(regs))
    }

    /// Reads both words, high first: the order in which Linux's driver reads the address of a
    /// fault.
    pub(crate) fn read_high_first(self, regs: &Regs) -> u64 {
        let high = self.high().read(regs);
        join(self.low().read(regs), high)
    }

    /// Reads a counter, whose low word may overflow meanwhile, for the first time in seconds.
    pub(crate) fn read_counter(self, regs: &Regs) -> u64 {
        let (before, low) = (self.high().read(regs), self.low().read(regs));
        let high = self.high().read(regs);
        let low = if high == before {
            low
        } else {
            self.low().read(regs)
        };
        join(low, high)
    }

    /// Writes both words, low first.
    pub(crate) fn write(self, regs: &Regs, value: u64) {
        self.low().write(regs, low32(value));
        self.high().write(regs, high32(value));
    }

    /// Reads the words in which the mask `used` has bits; the low word in any case.
    pub(crate) fn read_used(self, regs: &Regs, used: u64) -> u64 {
        let low = self.low().read(regs);
        match high32(used) {
            0 => u64::from(low),
            _ => join(low, self.high().read(regs)),
        }
    }

    /// Writes a mask of cores: the high word only if it is not zero.
    ///
    /// HW: a zero written to a power-on or power-off register has no effect; Linux's driver never
    /// writes the high words.
    pub(crate) fn write_mask(self, regs: &Regs, mask: u64) {
        self.low().write(regs, low32(mask));
        if high32(mask) != 0 {
            self.high().write(regs, high32(mask));
        }
    }
}

/// A number of 64 bits, from its two words.
pub(crate) fn join(low: u32, high: u32) -> u64 {
    (u64::from(high) << 32) | u64::from(low)
}

/// u8 to u32 where `From` is not const.
const fn index_u32(n: u8) -> u32 {
    u32::from_le_bytes([n, 0, 0, 0])
}

/// Calls `done` every `step_ns` until it returns true, for at least `timeout_ns` and at least
/// twice.
///
/// The number of calls is bounded independently of the clock.
///
/// # Errors
///
/// ETIMEDOUT if it did not return true.
pub(crate) fn poll(
    os: Os,
    step_ns: u64,
    timeout_ns: u64,
    mut done: impl FnMut() -> bool,
) -> Result<()> {
    let rounds = timeout_ns.div_ceil(step_ns.max(1)).max(1);
    for _ in 0..rounds {
        if done() {
            return Ok(());
        }
        os.delay(step_ns);
    }
    match done() {
        true => Ok(()),
        false => Err(ETIMEDOUT),
    }
}
