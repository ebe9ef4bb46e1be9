// SPDX-License-Identifier: BSD-2-Clause
//! Register operations of one hardware address space, and the MMU's interrupts.
//!
//! An address space takes one command at a time; every function here waits, so its caller holds the lock that
//! covers all of them. A command that does not end within [`READY_TIMEOUT_NS`] means that the GPU hangs and must
//! be reset: until then the hardware may go on using the page table it had.

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
/// Between two looks at a command under way; between the first ones, for the job lock is held
/// meanwhile and most commands take a few microseconds.
const READY_STEP_NS: u64 = 10_000;
const READY_FIRST_NS: u64 = 1_000;

/// What LOCKADDR holds: base in bits 63:12, log2 of the size minus one in bits 5:0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LockRegion(u64);

impl LockRegion {
    /// All of the address space.
    pub(crate) const ALL: LockRegion = LockRegion(63);

    /// The smallest region that covers `len` bytes from `start`; none when `len` is 0.
    ///
    /// HW: a region is a power of two of at least 32 KiB, aligned to its size. The highest bit in which first and
    /// last byte differ gives the size.
    pub(crate) fn encode(start: u64, len: u64) -> Option<LockRegion> {
        let last = start.saturating_add(len.checked_sub(1)?);
        let bits = u64::BITS.saturating_sub((start ^ last).leading_zeros());
        let width = bits.max(LOCK_REGION_MIN_LOG2).saturating_sub(1);
        Some(LockRegion(
            start & u64::MAX.wrapping_shl(width) | u64::from(width),
        ))
    }
}

/// What to flush.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flush {
    /// Cached translations, after a change of the page table.
    PageTable,
    /// Translations and data, before the page table goes away.
    Memory,
}

/// What an address space needs to know of a page table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Table {
    /// TRANSTAB: physical address of the root, and mode bits.
    pub(crate) transtab: u64,
    /// MEMATTR: one byte for each attribute index.
    pub(crate) memattr: u64,
    /// TRANSCFG; none leaves the register alone: Midgard has none, and its reset value is the legacy format.
    pub(crate) transcfg: Option<u64>,
}

fn wait_ready(regs: &Regs, os: Os, space: As) -> Result<()> {
    let ready = || space.status().read(regs) & STATUS_ACTIVE == 0;
    poll(os, READY_FIRST_NS, READY_STEP_NS, ready)
        .or_else(|_| poll(os, READY_STEP_NS, READY_TIMEOUT_NS, ready))
}

/// Gives a command once the one before has ended; does not wait for this one.
fn command(regs: &Regs, os: Os, space: As, command: Command) -> Result<()> {
    wait_ready(regs, os, space)?;
    space.command().write(regs, command.code());
    Ok(())
}

/// Flushes a region and waits until that is done.
///
/// HW: LOCK holds accesses to the region, either flush lets go of it; so no UNLOCK follows.
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

fn load(regs: &Regs, space: As, table: &Table) {
    space.transtab().write(regs, table.transtab);
    space.memattr().write(regs, table.memattr);
    if let Some(transcfg) = table.transcfg {
        space.transcfg().write(regs, transcfg);
    }
}

/// Makes the address space use `table`, after what it had before is flushed.
///
/// # Errors
///
/// ETIMEDOUT: the hardware may use the table that it had or the new one, so the GPU must be reset before the
/// memory of either is freed.
pub(crate) fn enable(regs: &Regs, os: Os, space: As, table: &Table) -> Result<()> {
    flush(regs, os, space, LockRegion::ALL, Flush::Memory)?;
    load(regs, space, table);
    command(regs, os, space, Command::Update)?;
    wait_ready(regs, os, space)
}

/// Makes the address space refuse every access. Jobs that use it fault.
///
/// TRANSCFG keeps its value: with TRANSTAB zero no table is walked in any format.
///
/// # Errors
///
/// ETIMEDOUT: the GPU must be reset before the table's memory is freed.
pub(crate) fn disable(regs: &Regs, os: Os, space: As) -> Result<()> {
    let flushed = flush(regs, os, space, LockRegion::ALL, Flush::Memory);
    // Even after a failed flush: whoever latches next latches nothing that points at freed memory.
    load(
        regs,
        space,
        &Table {
            transtab: 0,
            memattr: 0,
            transcfg: None,
        },
    );
    flushed?;
    command(regs, os, space, Command::Update)?;
    wait_ready(regs, os, space)
}

/// What an access wanted to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// Read and write in one; Midgard uses the code for accesses it cannot name.
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
    /// Where it happened.
    pub(crate) space: As,
    /// FAULTSTATUS.
    pub(crate) status: u32,
    /// The virtual address.
    pub(crate) address: u64,
}

impl Fault {
    /// Reads it; before its interrupt is cleared, or the next fault may have replaced it.
    pub(crate) fn read(regs: &Regs, space: As) -> Fault {
        let status = space.fault_status().read(regs);
        Fault {
            space,
            status,
            address: space.fault_address().read(regs),
        }
    }

    /// What happened.
    pub(crate) fn exception(self) -> Exception {
        Exception::of_status(self.status)
    }

    /// What the access wanted.
    pub(crate) fn access(self) -> Access {
        match (self.status >> 8) & 0x3 {
            0 => Access::Atomic,
            1 => Access::Execute,
            2 => Access::Read,
            _ => Access::Write,
        }
    }

    /// Whether the MMU's decoder found the fault, not the memory system behind it.
    pub(crate) fn is_decoder_fault(self) -> bool {
        self.status & (1 << 10) != 0
    }

    /// Which unit of the GPU made the access; a number of the model's own.
    pub(crate) fn source_id(self) -> u32 {
        self.status >> 16
    }

    /// Whether mapping memory at the address lets the access go on.
    pub(crate) fn is_translation_fault(self) -> bool {
        self.exception().is_translation_fault()
    }
}

/// Which interrupt an address space raised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// The access can be tried again once the page table is better.
    PageFault,
    /// The walk or the access hit a bus error; there is nothing to try again.
    BusError,
}

/// The lowest address space with an interrupt in `raised`, and which: a bus error outweighs a page fault. The
/// caller takes the space's bits out of `raised` and asks again.
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

/// Masks all of them.
pub(crate) fn mask_interrupts(regs: &Regs) {
    MMU_INT_MASK.write(regs, 0);
}

/// Lets those of all address spaces through but those in the mask `faulty`, which nobody listens to until they
/// are enabled anew.
pub(crate) fn unmask_interrupts(regs: &Regs, faulty: u16) {
    let faulty = u32::from(faulty);
    MMU_INT_MASK.write(regs, !(faulty | faulty << 16));
}

/// Clears both interrupts of a space; a page-faulted access is tried again.
pub(crate) fn clear_interrupts(regs: &Regs, space: As) {
    MMU_INT_CLEAR.write(regs, space.bits());
}

/// After a reset: clears whatever is raised and lets everything through.
pub(crate) fn reset_interrupts(regs: &Regs) {
    MMU_INT_CLEAR.write(regs, u32::MAX);
    unmask_interrupts(regs, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        let mut next = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
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
