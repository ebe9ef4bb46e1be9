// SPDX-License-Identifier: BSD-2-Clause
//! GPU control: identity, reset, power, performance counters (0x0000-0x0FFF).
//!
//! RO = read only, WO = write only. The "present", "ready", "power on", "power off" and
//! "transition" registers are masks with one bit for each core of a kind.

use super::{Reg, Reg64};
use bitflags::bitflags;

/// RO: product in bits 31:16, revision in 15:0 (major 15:12, minor 11:4, status 3:0).
pub(crate) const GPU_ID: Reg = Reg::at(0x000);
/// RO: level 2 cache geometry.
pub(crate) const L2_FEATURES: Reg = Reg::at(0x004);
/// RO: shader core variant (Bifrost).
pub(crate) const CORE_FEATURES: Reg = Reg::at(0x008);
/// RO: tiler bin size and levels.
pub(crate) const TILER_FEATURES: Reg = Reg::at(0x00C);
/// RO: bit 0 = core groups share coherent L2.
pub(crate) const MEM_FEATURES: Reg = Reg::at(0x010);
/// RO: bits of virtual address in 7:0, of physical address in 15:8.
pub(crate) const MMU_FEATURES: Reg = Reg::at(0x014);
/// RO: mask of address spaces.
pub(crate) const AS_PRESENT: Reg = Reg::at(0x018);
/// RO: mask of job slots.
pub(crate) const JS_PRESENT: Reg = Reg::at(0x01C);

/// Interrupts raised, masked or not; bits as [`Irq`], as in the next three.
pub(crate) const GPU_INT_RAWSTAT: Reg = Reg::at(0x020);
/// WO: clears the bits that are written as one.
pub(crate) const GPU_INT_CLEAR: Reg = Reg::at(0x024);
/// Bits that are one are not masked.
pub(crate) const GPU_INT_MASK: Reg = Reg::at(0x028);
/// RO: RAWSTAT and MASK.
pub(crate) const GPU_INT_STAT: Reg = Reg::at(0x02C);

bitflags! {
    /// Interrupts of the GPU control block.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct Irq: u32 {
        /// See `GPU_FAULT_STATUS`.
        const FAULT = 1 << 0;
        /// There were more faults before the first was cleared.
        const MULTIPLE_FAULT = 1 << 7;
        /// A reset has completed.
        const RESET_COMPLETED = 1 << 8;
        /// One core changed its power state.
        const POWER_CHANGED = 1 << 9;
        /// All requested power changes have completed.
        const POWER_CHANGED_ALL = 1 << 10;
        /// The counters are written, to memory or to a cache.
        const PERFCNT_SAMPLE_COMPLETED = 1 << 16;
        /// The caches are written back.
        const CLEAN_CACHES_COMPLETED = 1 << 17;

        /// Those that report a fault of the GPU.
        const ERROR = Self::FAULT.bits() | Self::MULTIPLE_FAULT.bits();
        /// Those that the driver handles.
        const WANTED = Self::ERROR.bits()
            | Self::PERFCNT_SAMPLE_COMPLETED.bits()
            | Self::CLEAN_CACHES_COMPLETED.bits();
    }
}

/// WO: see [`Command`].
pub(crate) const GPU_CMD: Reg = Reg::at(0x030);
/// RO: the number of cache flushes so far (flush reduction).
pub(crate) const LATEST_FLUSH_ID: Reg = Reg::at(0x038);
/// RO: exception code in bits 7:0.
pub(crate) const GPU_FAULT_STATUS: Reg = Reg::at(0x03C);
/// RO: the address that faulted.
pub(crate) const GPU_FAULT_ADDRESS: Reg64 = Reg64::at(0x040);

/// The commands of `GPU_CMD`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Command {
    /// Reset after outstanding bus transactions have completed.
    SoftReset,
    /// Reset at once. Aborted bus transactions can hang the bus, so this is the last resort.
    HardReset,
    /// Count cycles.
    CycleCountStart,
    /// Count no more cycles.
    CycleCountStop,
    /// Set the counters to zero.
    PerfcntClear,
    /// Write the counters to memory.
    PerfcntSample,
    /// Write back the GPU's caches.
    CleanCaches,
    /// Write back and invalidate the GPU's caches.
    CleanInvCaches,
}

impl Command {
    /// Its code.
    pub(crate) const fn code(self) -> u32 {
        match self {
            Command::SoftReset => 0x01,
            Command::HardReset => 0x02,
            Command::PerfcntClear => 0x03,
            Command::PerfcntSample => 0x04,
            Command::CycleCountStart => 0x05,
            Command::CycleCountStop => 0x06,
            Command::CleanCaches => 0x07,
            Command::CleanInvCaches => 0x08,
        }
    }
}

/// RO: compressed framebuffer modes (Bifrost; 0 before).
pub(crate) const AFBC_FEATURES: Reg = Reg::at(0x04C);
/// WO: a write of [`PWR_KEY_UNLOCK`] enables the next write to a power override.
pub(crate) const PWR_KEY: Reg = Reg::at(0x050);
/// HW: the key, as Linux's driver writes it on Amlogic parts.
pub(crate) const PWR_KEY_UNLOCK: u32 = 0x2968_A819;
/// Power manager settings of the integrator.
pub(crate) const PWR_OVERRIDE1: Reg = Reg::at(0x058);

/// The GPU virtual address that the counters are written to.
pub(crate) const PERFCNT_BASE: Reg64 = Reg64::at(0x060);
/// Mode in bits 1:0 (0 off, 1 manual, 2 by tile), address space in 7:4, counter set in 9:8.
pub(crate) const PERFCNT_CFG: Reg = Reg::at(0x068);
/// Enables counters, one bit for each group of four; so do the next three.
pub(crate) const PERFCNT_JM_EN: Reg = Reg::at(0x06C);
/// As above, shader cores.
pub(crate) const PERFCNT_SHADER_EN: Reg = Reg::at(0x070);
/// As above, tiler.
pub(crate) const PERFCNT_TILER_EN: Reg = Reg::at(0x074);
/// As above, MMU and L2.
pub(crate) const PERFCNT_MMU_L2_EN: Reg = Reg::at(0x07C);

/// RO: the time, in ticks of the system's timer.
pub(crate) const TIMESTAMP: Reg64 = Reg64::at(0x098);

/// RO: threads in a core.
pub(crate) const THREAD_MAX_THREADS: Reg = Reg::at(0x0A0);
/// RO: threads in a workgroup.
pub(crate) const THREAD_MAX_WORKGROUP_SIZE: Reg = Reg::at(0x0A4);
/// RO: threads that can wait at a barrier.
pub(crate) const THREAD_MAX_BARRIER_SIZE: Reg = Reg::at(0x0A8);
/// RO: registers, task queue, thread groups.
pub(crate) const THREAD_FEATURES: Reg = Reg::at(0x0AC);
/// RO: threads in a core that need thread local storage; 0 = as many as there are.
pub(crate) const THREAD_TLS_ALLOC: Reg = Reg::at(0x310);

/// RO: texture formats.
pub(crate) const TEXTURE_FEATURES: [Reg; 4] = [
    Reg::at(0x0B0),
    Reg::at(0x0B4),
    Reg::at(0x0B8),
    Reg::at(0x0BC),
];
/// RO: the kinds of job that each slot accepts.
pub(crate) const JS_FEATURES: [Reg; 16] = [
    Reg::at(0x0C0),
    Reg::at(0x0C4),
    Reg::at(0x0C8),
    Reg::at(0x0CC),
    Reg::at(0x0D0),
    Reg::at(0x0D4),
    Reg::at(0x0D8),
    Reg::at(0x0DC),
    Reg::at(0x0E0),
    Reg::at(0x0E4),
    Reg::at(0x0E8),
    Reg::at(0x0EC),
    Reg::at(0x0F0),
    Reg::at(0x0F4),
    Reg::at(0x0F8),
    Reg::at(0x0FC),
];

/// The registers of one kind of core, with one bit for each core.
pub(crate) struct Cores {
    /// RO: the core exists.
    pub(crate) present: Reg64,
    /// RO: the core has power.
    pub(crate) ready: Reg64,
    /// WO: powers the core on.
    pub(crate) power_on: Reg64,
    /// WO: powers the core off.
    pub(crate) power_off: Reg64,
    /// RO: the core is being powered on or off.
    pub(crate) transition: Reg64,
}

/// Shader cores.
pub(crate) const SHADER: Cores = Cores {
    present: Reg64::at(0x100),
    ready: Reg64::at(0x140),
    power_on: Reg64::at(0x180),
    power_off: Reg64::at(0x1C0),
    transition: Reg64::at(0x200),
};
/// Tilers.
pub(crate) const TILER: Cores = Cores {
    present: Reg64::at(0x110),
    ready: Reg64::at(0x150),
    power_on: Reg64::at(0x190),
    power_off: Reg64::at(0x1D0),
    transition: Reg64::at(0x210),
};
/// Level 2 caches; one for each core group.
pub(crate) const L2: Cores = Cores {
    present: Reg64::at(0x120),
    ready: Reg64::at(0x160),
    power_on: Reg64::at(0x1A0),
    power_off: Reg64::at(0x1E0),
    transition: Reg64::at(0x220),
};

/// RO: coherency protocols (bit 0 ACE-Lite, bit 1 ACE).
pub(crate) const COHERENCY_FEATURES: Reg = Reg::at(0x300);
/// RO: core stacks.
pub(crate) const STACK_PRESENT: Reg64 = Reg64::at(0xE00);

/// Job manager settings; see `quirks.rs` for this and the next two.
pub(crate) const JM_CONFIG: Reg = Reg::at(0xF00);
/// Shader core settings.
pub(crate) const SHADER_CONFIG: Reg = Reg::at(0xF04);
/// Tiler settings.
pub(crate) const TILER_CONFIG: Reg = Reg::at(0xF08);
