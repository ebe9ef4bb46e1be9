// SPDX-License-Identifier: BSD-2-Clause
//! Register operations of one hardware address space, and the MMU's interrupts.
//!
//! An address space executes one command at a time. The functions here wait for it, and their
//! callers hold the MMU's lock. If a command does not complete within [`READY_TIMEOUT_NS`], the GPU
//! hangs and must be reset: until then the hardware may still use the page table that it had.

use crate::exception::Exception;
use crate::regs::mmu::{
    As, Command, LOCK_REGION_MIN_LOG2, MMU_INT_CLEAR, MMU_INT_MASK, MMU_INT_RAWSTAT, MMU_INT_STAT,
    STATUS_ACTIVE,
};
use crate::regs::{poll, Regs};
use drmkpi::os::Os;
use drmkpi::util::errno::Result;

/// How long a command may take. HW: Linux's bound.
const READY_TIMEOUT_NS: u64 = 100_000_000;
/// The interval between two polls of a command, and the one between the first polls: most commands
/// take a few microseconds, and the job lock is held meanwhile.
const READY_STEP_NS: u64 = 10_000;
const READY_FIRST_NS: u64 = 1_000;

/// A value of LOCKADDR: the base in bits 63:12, log2 of the size less one in bits 5:0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LockRegion(u64);

impl LockRegion {
    /// All of the address space.
    pub(crate) const ALL: LockRegion = LockRegion(63);

    /// The smallest region that covers `len` bytes from `start`; `None` if `len` is 0.
    ///
    /// HW: the size of a region is a power of two of at least 32 KiB, and its base a multiple of
    /// its size. The size follows from the highest bit in which the first and the last byte differ.
    pub(crate) fn encode(start: u64, len: u64) -> Option<LockRegion> {
        // OVERFLOW: saturates: the last address of all.
        let last = start.saturating_add(len.checked_sub(1)?);
        let highest = (start ^ last).checked_ilog2().unwrap_or(0);
        let width = highest.max(LOCK_REGION_MIN_LOG2 - 1);
        // OVERFLOW: none, for `width` is at most 63.
        let base = start & u64::MAX.wrapping_shl(width);
        Some(LockRegion(base | u64::from(width)))
    }
}

/// What to flush.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flush {
    /// Cached translations, after a change of the page table.
    PageTable,
    /// Translations and data, before another page table is loaded.
    Memory,
}

/// The register values that load a page table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TableRegs {
    /// TRANSTAB: physical address of the root, and mode bits.
    pub(crate) transtab: u64,
    /// MEMATTR: one byte for each attribute index.
    pub(crate) memattr: u64,
    /// TRANSCFG; `None` on Midgard, which has no such register, and to leave its value unchanged.
    pub(crate) transcfg: Option<u64>,
}

fn wait_ready(regs: &Regs, os: Os, space: As) -> Result<()> {
    let ready = || space.status().read(regs) & STATUS_ACTIVE == 0;
    poll(os, READY_FIRST_NS, READY_STEP_NS, ready)
        .or_else(|_| poll(os, READY_STEP_NS, READY_TIMEOUT_NS, ready))
}

/// Waits until the previous command has completed, and starts another.
fn command(regs: &Regs, os: Os, space: As, command: Command) -> Result<()> {
    wait_ready(regs, os, space)?;
    space.command().write(regs, command.code());
    Ok(())
}

/// Flushes a region and waits until the flush has completed.
///
/// HW: LOCK holds accesses to the region until a flush of either kind, so no UNLOCK is needed.
///
/// # Errors
///
/// ETIMEDOUT: the GPU must be reset.
pub(crate) fn flush(regs: &Regs, os: Os, space: As, region: LockRegion, what: Flush) -> Result<()> {
    space.lockaddr().write(regs, region.0);
    command(regs, os, space, Command::Lock)?;
    let op = match what {
        Flush::PageTable => Command::FlushPt,
        Flush::Memory => Command::FlushMem,
    };
    command(regs, os, space, op)?;
    wait_ready(regs, os, space)
}

fn load(regs: &Regs, space: As, table: &TableRegs) {
    space.transtab().write(regs, table.transtab);
    space.memattr().write(regs, table.memattr);
    if let Some(transcfg) = table.transcfg {
        space.transcfg().write(regs, transcfg);
    }
}

/// Flushes an address space and loads `table` into it.
///
/// # Errors
///
/// ETIMEDOUT: the hardware may use either the previous or the new page table, so the GPU must be
/// reset before the memory of either is freed.
pub(crate) fn enable(regs: &Regs, os: Os, space: As, table: &TableRegs) -> Result<()> {
    flush(regs, os, space, LockRegion::ALL, Flush::Memory)?;
    load(regs, space, table);
    command(regs, os, space, Command::Update)?;
    wait_ready(regs, os, space)
}

/// Disables an address space: every access to it faults.
///
/// TRANSCFG keeps its value: if TRANSTAB is zero, no page table is walked in any format.
///
/// # Errors
///
/// ETIMEDOUT: the GPU must be reset before the memory of the page table is freed.
pub(crate) fn disable(regs: &Regs, os: Os, space: As) -> Result<()> {
    let flushed = flush(regs, os, space, LockRegion::ALL, Flush::Memory);
    // Also after a failed flush, so that the next UPDATE does not latch a pointer to freed memory.
    load(
        regs,
        space,
        &TableRegs {
            transtab: 0,
            memattr: 0,
            transcfg: None,
        },
    );
    flushed?;
    command(regs, os, space, Command::Update)?;
    wait_ready(regs, os, space)
}

/// The kind of an access that faulted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// An atomic read and write; on Midgard also an access of unknown kind.
    Atomic,
    /// Fetch an instruction.
    Execute,
    /// Read.
    Read,
    /// Write.
    Write,
}

impl core::fmt::Display for Access {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Access::Atomic => "atomic access",
            Access::Execute => "instruction fetch",
            Access::Read => "read",
            Access::Write => "write",
        })
    }
}

/// A fault of an address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    /// The address space.
    pub(crate) space: As,
    /// FAULTSTATUS.
    pub(crate) status: u32,
    /// The virtual address.
    pub(crate) address: u64,
}

impl Fault {
    /// Reads the fault of `space`. Called before its interrupt is cleared, as the next fault may
    /// replace it afterwards.
    pub(crate) fn read(regs: &Regs, space: As) -> Fault {
        let status = space.fault_status().read(regs);
        Fault {
            space,
            status,
            address: space.fault_address().read(regs),
        }
    }

    /// Its exception code.
    pub(crate) fn exception(self) -> Exception {
        Exception::of_status(self.status)
    }

    /// The kind of the access.
    pub(crate) fn access(self) -> Access {
        match (self.status >> 8) & 0x3 {
            0 => Access::Atomic,
            1 => Access::Execute,
            2 => Access::Read,
            _ => Access::Write,
        }
    }

    /// Whether the fault was found by the MMU's decoder, and not by the memory system.
    pub(crate) fn is_decoder_fault(self) -> bool {
        self.status & (1 << 10) != 0
    }

    /// The unit of the GPU that made the access; the numbers differ from model to model.
    pub(crate) fn source_id(self) -> u32 {
        self.status >> 16
    }

    /// Whether mapping memory at the address resolves the fault.
    pub(crate) fn is_translation_fault(self) -> bool {
        self.exception().is_translation_fault()
    }
}

/// The interrupt that an address space raised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// The access can be repeated after a change of the page table.
    PageFault,
    /// The walk or the access had a bus error, and cannot be repeated.
    BusError,
}

/// The lowest address space with an interrupt in `raised`, and its cause: a bus error if it has
/// both.
pub(crate) fn first_fault(raised: u32) -> Option<(As, Cause)> {
    let either = (raised | raised >> 16) & 0xFFFF;
    let space = As::new(u8::try_from(either.trailing_zeros()).ok()?)?;
    match raised & space.bus_error_bit() {
        0 => Some((space, Cause::PageFault)),
        _ => Some((space, Cause::BusError)),
    }
}

/// The interrupts that are raised and not masked.
pub(crate) fn pending(regs: &Regs) -> u32 {
    MMU_INT_STAT.read(regs)
}

/// The interrupts that are raised, masked or not.
pub(crate) fn raised(regs: &Regs) -> u32 {
    MMU_INT_RAWSTAT.read(regs)
}

/// Masks all interrupts of the MMU.
pub(crate) fn mask_interrupts(regs: &Regs) {
    MMU_INT_MASK.write(regs, 0);
}

/// Unmasks the interrupts of all address spaces except those in the mask `faulty`, which stay
/// masked until the address space is enabled again.
pub(crate) fn unmask_interrupts(regs: &Regs, faulty: u16) {
    let faulty = u32::from(faulty);
    MMU_INT_MASK.write(regs, !(faulty | faulty << 16));
}

/// Clears both interrupts of an address space. The MMU then repeats an access that page-faulted.
pub(crate) fn clear_interrupts(regs: &Regs, space: As) {
    MMU_INT_CLEAR.write(regs, space.bits());
}

/// After a reset: clears and unmasks all interrupts.
pub(crate) fn reset_interrupts(regs: &Regs) {
    MMU_INT_CLEAR.write(regs, u32::MAX);
    unmask_interrupts(regs, 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use seeded::Random;

    fn region(start: u64, len: u64) -> (u64, u64) {
        let LockRegion(v) = LockRegion::encode(start, len).unwrap();
        (v & !0xFFF, v & 0x3F)
    }

    #[test]
    fn the_whole_space_is_63() {
        assert_eq!(LockRegion::encode(0, u64::MAX), Some(LockRegion::ALL));
        assert_eq!(region(0, 1 << 63), (0, 62));
        assert_eq!(region(1 << 63, 1 << 63), (1 << 63, 62));
    }

    #[test]
    fn small_regions_are_32_kib() {
        assert_eq!(region(0, 0x1000), (0, 14));
        assert_eq!(region(0x1234_5000, 0x1000), (0x1234_4000, 14));
        assert_eq!(region(0x8000, 0x8000), (0x8000, 14));
    }

    #[test]
    fn two_mib_is_exact() {
        assert_eq!(region(0x0220_0000, 0x20_0000), (0x0220_0000, 20));
    }

    #[test]
    fn a_power_of_two_in_the_middle_makes_it_grow_to_that_power() {
        assert_eq!(region(0x7FFF_F000, 0x2000), (0, 31));
        assert_eq!(region(0xFFFF_F000, 0x2000), (0, 32));
        assert_eq!(region(0x1_FFFF_F000, 0x2000), (0, 33));
    }

    #[test]
    fn nothing_is_no_region() {
        assert_eq!(LockRegion::encode(0x1000, 0), None);
    }

    #[test]
    fn a_region_covers_its_range_and_no_smaller_one_does() {
        let mut random = Random::new(1);
        let mut next = || random.next();
        for _ in 0..20_000 {
            let start = next() >> (next() % 60) & !0xFFF;
            let len = (next() >> (next() % 60) & !0xFFF).max(0x1000);
            let Some(last) = start.checked_add(len - 1) else {
                continue;
            };
            let LockRegion(v) = LockRegion::encode(start, len).unwrap();
            let log2 = (v & 0x3F) + 1;
            let contains = |log2: u64, at: u64| u128::from(at) >> log2 == u128::from(start) >> log2;
            assert!((15..=64).contains(&log2));
            assert!(contains(log2, last), "{start:#x}+{len:#x} -> {v:#x}");
            assert!(
                log2 == 15 || !contains(log2 - 1, last),
                "{start:#x}+{len:#x} -> {v:#x}"
            );
            // The base is meaningful from the lowest bit that the size leaves.
            assert_eq!(u128::from(v) >> log2, u128::from(start) >> log2);
        }
    }

    #[test]
    fn a_fault_is_taken_apart() {
        let space = As::new(3).unwrap();
        let fault = Fault {
            space,
            status: 0x0123_07C2,
            address: 0,
        };
        assert!(fault.is_translation_fault() && fault.is_decoder_fault());
        assert_eq!(fault.exception().walk_level(), Some(2));
        assert_eq!((fault.access(), fault.source_id()), (Access::Write, 0x0123));
        let fault = Fault {
            space,
            status: 0x01CA,
            address: 0,
        };
        assert!(!fault.is_translation_fault() && !fault.is_decoder_fault());
        assert_eq!(fault.access(), Access::Execute);
    }

    #[test]
    fn interrupts_are_found_lowest_first_and_bus_errors_win() {
        let nr = |raised| first_fault(raised).map(|(space, cause)| (space.nr(), cause));
        assert_eq!(nr(0), None);
        assert_eq!(nr(0x0000_0008), Some((3, Cause::PageFault)));
        assert_eq!(nr(0x0008_0000), Some((3, Cause::BusError)));
        assert_eq!(nr(0x0008_0008), Some((3, Cause::BusError)));
        assert_eq!(nr(0x0004_8000), Some((2, Cause::BusError)));
        assert_eq!(nr(0x8000_0000), Some((15, Cause::BusError)));
    }
}
