// SPDX-License-Identifier: BSD-2-Clause
//! The register map of a job-manager Mali, one file per block: `gpu` (0x0000), `job` (0x1000), `mmu` (0x2000).
//!
//! A register is a value that knows its offset; offsets are checked when the constant is made, so an access can
//! only miss the window through an index, and the index types (`Slot`, `As`) cannot be out of range.
//! Source of the offsets: Arm's register map as Linux 6.1 and Mesa publish it; the stock driver's trace.

pub(crate) mod gpu;
pub(crate) mod job;
pub(crate) mod mmu;

use drmkpi::os::{Mmio, Os};
use drmkpi::util::errno::{Result, ETIMEDOUT};
use drmkpi::util::int_conv::{high32, low32};

/// Bytes of register window that this driver touches.
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

    /// The register `index` strides of `stride` bytes further on; the caller's index type bounds it.
    const fn index(self, index: u8, stride: u32) -> Reg {
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
/// The halves are accessed one after the other. All users read values that hold still while they are read
/// (identity, the address of a fault that was not cleared yet, the tail of a stopped job).
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
        Reg(self.0 .0.wrapping_add(4))
    }

    /// Reads both words, low first.
    pub(crate) fn read(self, regs: &Regs) -> u64 {
        let low = self.low().read(regs);
        join(low, self.high().read(regs))
    }

    /// Reads both words, high first: the order in which the stock driver takes a fault's address.
    pub(crate) fn read_high_first(self, regs: &Regs) -> u64 {
        let high = self.high().read(regs);
        join(self.low().read(regs), high)
    }

    /// Writes both words, low first.
    pub(crate) fn write(self, regs: &Regs, value: u64) {
        self.low().write(regs, low32(value));
        self.high().write(regs, high32(value));
    }

    /// Reads what a mask of `used` bits covers: the high word only if `used` has bits there.
    pub(crate) fn read_used(self, regs: &Regs, used: u64) -> u64 {
        let low = self.low().read(regs);
        match high32(used) {
            0 => u64::from(low),
            _ => join(low, self.high().read(regs)),
        }
    }

    /// Writes a mask of cores: the high word only if it has bits.
    ///
    /// HW: a zero written to a power-on or power-off register does nothing; the stock driver never writes the
    /// high words.
    pub(crate) fn write_mask(self, regs: &Regs, mask: u64) {
        self.low().write(regs, low32(mask));
        if high32(mask) != 0 {
            self.high().write(regs, high32(mask));
        }
    }
}

/// Two words as one number.
pub(crate) fn join(low: u32, high: u32) -> u64 {
    (u64::from(high) << 32) | u64::from(low)
}

/// u8 to u32 where `From` is not const.
const fn index_u32(n: u8) -> u32 {
    u32::from_le_bytes([n, 0, 0, 0])
}

/// Asks `done` until it says yes, `step_ns` apart, for at least `timeout_ns`; it is asked at least twice.
///
/// The number of questions is bounded whatever the clock does.
///
/// # Errors
///
/// ETIMEDOUT.
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
