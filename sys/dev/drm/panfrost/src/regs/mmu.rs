// SPDX-License-Identifier: BSD-2-Clause
//! MMU: interrupts and address spaces (0x2000-0x2FFF).
//!
//! TRANSTAB, MEMATTR and TRANSCFG are latched: a new value has an effect after the next UPDATE
//! command.

use super::{index_u32, Reg, Reg64};

/// Interrupts raised: bit n = page fault in address space n, bit n+16 = bus error there.
pub(crate) const MMU_INT_RAWSTAT: Reg = Reg::at(0x2000);
/// WO: clears the bits that are written as one; the MMU then repeats the access.
pub(crate) const MMU_INT_CLEAR: Reg = Reg::at(0x2004);
/// Bits that are one are not masked.
pub(crate) const MMU_INT_MASK: Reg = Reg::at(0x2008);
/// RO: RAWSTAT and MASK.
pub(crate) const MMU_INT_STAT: Reg = Reg::at(0x200C);

/// The number of address spaces in the register map.
pub(crate) const SPACES: usize = 16;

/// An address space of the hardware.
///
/// # Invariants
///
/// The number is below [`SPACES`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct As(u8);

/// Distance in bytes between the registers of two address spaces.
const STRIDE: u32 = 0x40;

impl As {
    /// The address space with this number.
    pub(crate) fn new(nr: u8) -> Option<As> {
        // INVARIANT: checked here.
        (usize::from(nr) < SPACES).then_some(As(nr))
    }

    /// Its number.
    pub(crate) const fn nr(self) -> u8 {
        self.0
    }

    /// Its number as an index of an array of [`SPACES`].
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Its page fault bit.
    pub(crate) const fn fault_bit(self) -> u32 {
        // OVERFLOW: none, for an address space's number is below 16.
        1_u32.wrapping_shl(index_u32(self.0))
    }

    /// Its bus error bit.
    pub(crate) const fn bus_error_bit(self) -> u32 {
        self.fault_bit() << 16
    }

    /// Both of its bits.
    pub(crate) const fn bits(self) -> u32 {
        self.fault_bit() | self.bus_error_bit()
    }

    /// Root of the page table, and mode bits.
    pub(crate) const fn transtab(self) -> Reg64 {
        const { Reg64::at(0x2400) }.index(self.0, STRIDE)
    }

    /// Memory attributes: one byte for each index that a page table entry can have.
    pub(crate) const fn memattr(self) -> Reg64 {
        const { Reg64::at(0x2408) }.index(self.0, STRIDE)
    }

    /// The region of the LOCK and flush commands.
    pub(crate) const fn lockaddr(self) -> Reg64 {
        const { Reg64::at(0x2410) }.index(self.0, STRIDE)
    }

    /// WO: see [`Command`].
    pub(crate) const fn command(self) -> Reg {
        const { Reg::at(0x2418) }.index(self.0, STRIDE)
    }

    /// RO: exception code 7:0, access 9:8, decoder 10, source 31:16.
    pub(crate) const fn fault_status(self) -> Reg {
        const { Reg::at(0x241C) }.index(self.0, STRIDE)
    }

    /// RO: the virtual address that faulted.
    pub(crate) const fn fault_address(self) -> Reg64 {
        const { Reg64::at(0x2420) }.index(self.0, STRIDE)
    }

    /// RO: see [`STATUS_ACTIVE`].
    pub(crate) const fn status(self) -> Reg {
        const { Reg::at(0x2428) }.index(self.0, STRIDE)
    }

    /// Format of the page table (Bifrost and later).
    pub(crate) const fn transcfg(self) -> Reg64 {
        const { Reg64::at(0x2430) }.index(self.0, STRIDE)
    }
}

/// STATUS: a command is being executed; no other may be written.
pub(crate) const STATUS_ACTIVE: u32 = 1 << 0;

/// Log2 of the size of the smallest region in LOCKADDR, 32 KiB.
pub(crate) const LOCK_REGION_MIN_LOG2: u32 = 15;

/// The commands of an address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Command {
    /// Latch TRANSTAB, MEMATTR and TRANSCFG.
    Update,
    /// Hold accesses to the region.
    Lock,
    /// Write back the L2 cache, invalidate cached translations of the region, and end the lock.
    FlushPt,
    /// As FlushPt, after outstanding memory accesses have completed and the L1 caches are written
    /// back.
    FlushMem,
}

impl Command {
    /// Its code.
    pub(crate) const fn code(self) -> u32 {
        match self {
            Command::Update => 0x01,
            Command::Lock => 0x02,
            Command::FlushPt => 0x04,
            Command::FlushMem => 0x05,
        }
    }
}
