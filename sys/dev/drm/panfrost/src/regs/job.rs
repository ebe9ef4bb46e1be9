// SPDX-License-Identifier: BSD-2-Clause
//! Job manager: interrupts and job slots (0x1000-0x1FFF).
//!
//! A slot holds the job that runs, and in its NEXT registers the job to run after it. Writing START
//! to COMMAND_NEXT completes the NEXT registers. They are free (COMMAND_NEXT reads 0) once that job
//! runs.

use super::{index_u32, Reg, Reg64};

/// Interrupts raised: bit n = a job of slot n completed, bit n+16 = one failed or was stopped.
pub(crate) const JOB_INT_RAWSTAT: Reg = Reg::at(0x1000);
/// WO: clears the bits that are written as one, and samples `JOB_INT_JS_STATE` for their slots.
pub(crate) const JOB_INT_CLEAR: Reg = Reg::at(0x1004);
/// Bits that are one are not masked.
pub(crate) const JOB_INT_MASK: Reg = Reg::at(0x1008);
/// RO: RAWSTAT and MASK.
pub(crate) const JOB_INT_STAT: Reg = Reg::at(0x100C);
/// RO: bit n = slot n runs a job, bit n+16 = slot n has a next job; as of the last write to
/// `JOB_INT_CLEAR`.
pub(crate) const JOB_INT_JS_STATE: Reg = Reg::at(0x1010);

/// Job slots that the driver uses.
pub(crate) const SLOTS: usize = 3;

/// Both interrupt bits of every slot.
pub(crate) const SLOT_BITS: u32 = 0x0007_0007;

/// A job slot.
///
/// # Invariants
///
/// The number is below [`SLOTS`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Slot(u8);

/// Distance in bytes between the registers of two slots.
const STRIDE: u32 = 0x80;

impl Slot {
    /// Fragment jobs.
    pub(crate) const FRAGMENT: Slot = Slot(0);
    /// Vertex, tiler and compute jobs.
    pub(crate) const VERTEX_TILER: Slot = Slot(1);
    /// Compute jobs; the user ABI cannot select it.
    pub(crate) const COMPUTE: Slot = Slot(2);
    /// All of them, in order.
    pub(crate) const ALL: [Slot; SLOTS] = [Slot::FRAGMENT, Slot::VERTEX_TILER, Slot::COMPUTE];

    /// Its number.
    pub(crate) const fn nr(self) -> u8 {
        self.0
    }

    /// Its number as an index of an array of [`SLOTS`].
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Its "done" bit; in JS_STATE its "runs" bit.
    pub(crate) const fn done_bit(self) -> u32 {
        // OVERFLOW: none, for a slot's number is below 3.
        1_u32.wrapping_shl(index_u32(self.0))
    }

    /// Its "failed" bit; in JS_STATE its "has a next job" bit.
    pub(crate) const fn failed_bit(self) -> u32 {
        self.done_bit() << 16
    }

    /// Both of its bits.
    pub(crate) const fn bits(self) -> u32 {
        self.done_bit() | self.failed_bit()
    }

    /// RO: first job of the chain that runs.
    pub(crate) const fn head(self) -> Reg64 {
        const { Reg64::at(0x1800) }.index(self.0, STRIDE)
    }

    /// RO: the job of the chain that runs, or from which to resume after a soft stop.
    pub(crate) const fn tail(self) -> Reg64 {
        const { Reg64::at(0x1808) }.index(self.0, STRIDE)
    }

    /// RO: configuration of the chain that runs.
    pub(crate) const fn config(self) -> Reg {
        const { Reg::at(0x1818) }.index(self.0, STRIDE)
    }

    /// WO: a command to the chain that runs.
    pub(crate) const fn command(self) -> Reg {
        const { Reg::at(0x1820) }.index(self.0, STRIDE)
    }

    /// RO: exception code of the chain that runs or ran last.
    pub(crate) const fn status(self) -> Reg {
        const { Reg::at(0x1824) }.index(self.0, STRIDE)
    }

    /// First job of the next chain.
    pub(crate) const fn head_next(self) -> Reg64 {
        const { Reg64::at(0x1840) }.index(self.0, STRIDE)
    }

    /// Shader cores for the next chain.
    pub(crate) const fn affinity_next(self) -> Reg64 {
        const { Reg64::at(0x1850) }.index(self.0, STRIDE)
    }

    /// Configuration of the next chain: the `CONFIG_*` bits.
    pub(crate) const fn config_next(self) -> Reg {
        const { Reg::at(0x1858) }.index(self.0, STRIDE)
    }

    /// Starts or cancels the next chain; not zero while there is one.
    pub(crate) const fn command_next(self) -> Reg {
        const { Reg::at(0x1860) }.index(self.0, STRIDE)
    }

    /// The id of the latest cache flush at the submit of the next chain (flush reduction).
    pub(crate) const fn flush_id_next(self) -> Reg {
        const { Reg::at(0x1870) }.index(self.0, STRIDE)
    }
}

/// CONFIG: the address space, bits 3:0.
pub(crate) const CONFIG_AS_MASK: u32 = 0xF;
/// CONFIG: write back and invalidate the caches before the chain.
pub(crate) const CONFIG_START_FLUSH_CLEAN_INVALIDATE: u32 = 3 << 8;
/// CONFIG: the MMU reloads its state before the chain.
pub(crate) const CONFIG_START_MMU: u32 = 1 << 10;
/// CONFIG: the chain flag, by which stop commands distinguish the two jobs of a slot.
pub(crate) const CONFIG_JOB_CHAIN_FLAG: u32 = 1 << 11;
/// CONFIG: write back and invalidate the caches after the chain.
pub(crate) const CONFIG_END_FLUSH_CLEAN_INVALIDATE: u32 = 3 << 12;
/// CONFIG: skip the flush at the start if there was one since the flush id.
pub(crate) const CONFIG_ENABLE_FLUSH_REDUCTION: u32 = 1 << 14;
/// CONFIG: medium thread priority, bits 23:16.
pub(crate) const CONFIG_THREAD_PRI_MEDIUM: u32 = 8 << 16;

/// COMMAND_NEXT: cancel the next job.
pub(crate) const COMMAND_NOP: u32 = 0x00;
/// COMMAND_NEXT: the NEXT registers are complete.
pub(crate) const COMMAND_START: u32 = 0x01;
/// COMMAND: stop at the end of the job that runs now; the chain can be resumed.
pub(crate) const COMMAND_SOFT_STOP: u32 = 0x02;
/// COMMAND: stop at once.
pub(crate) const COMMAND_HARD_STOP: u32 = 0x03;
/// COMMAND: soft stop if the chain flag of the running chain is 0.
pub(crate) const COMMAND_SOFT_STOP_0: u32 = 0x04;
/// COMMAND: hard stop if the chain flag of the running chain is 0.
pub(crate) const COMMAND_HARD_STOP_0: u32 = 0x05;
/// COMMAND: soft stop if the chain flag of the running chain is 1.
pub(crate) const COMMAND_SOFT_STOP_1: u32 = 0x06;
/// COMMAND: hard stop if the chain flag of the running chain is 1.
pub(crate) const COMMAND_HARD_STOP_1: u32 = 0x07;
