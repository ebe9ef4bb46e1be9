// SPDX-License-Identifier: BSD-2-Clause
//! The GPU control block: identification, reset, and its interrupts.
//!
//! After a reset every register has its reset value, all cores are off, and all interrupts are
//! masked.

use crate::exception::Exception;
use crate::gpu::features::Features;
use crate::regs::gpu::{self as reg, Command, Irq};
use crate::regs::{poll, Regs};
use drmkpi::os::Os;
use drmkpi::util::errno::Result;

/// How long a reset may take. HW: Linux's bound.
const RESET_TIMEOUT_NS: u64 = 10_000_000;

/// The interval between two polls of a reset.
const RESET_STEP_NS: u64 = 10_000;

/// The registers that describe the GPU, read once. Clients are given most of them unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    /// High half of GPU_ID.
    pub(crate) product: u32,
    /// Low half of GPU_ID.
    pub(crate) revision: u32,
    /// Mask of shader cores.
    pub(crate) shader_present: u64,
    /// Mask of tilers.
    pub(crate) tiler_present: u64,
    /// Mask of level 2 caches.
    pub(crate) l2_present: u64,
    /// Mask of core stacks.
    pub(crate) stack_present: u64,
    /// Mask of address spaces.
    pub(crate) as_present: u32,
    /// Mask of job slots.
    pub(crate) js_present: u32,
    /// Level 2 cache geometry.
    pub(crate) l2_features: u32,
    /// Shader core variant.
    pub(crate) core_features: u32,
    /// Tiler bin size and levels.
    pub(crate) tiler_features: u32,
    /// Memory system.
    pub(crate) mem_features: u32,
    /// Address widths.
    pub(crate) mmu_features: u32,
    /// Registers, task queue, thread groups.
    pub(crate) thread_features: u32,
    /// Threads in a core.
    pub(crate) max_threads: u32,
    /// Threads in a workgroup.
    pub(crate) thread_max_workgroup_size: u32,
    /// Threads at a barrier.
    pub(crate) thread_max_barrier_size: u32,
    /// Coherency protocols.
    pub(crate) coherency_features: u32,
    /// Texture formats.
    pub(crate) texture_features: [u32; 4],
    /// The kinds of job that each slot accepts.
    pub(crate) js_features: [u32; 16],
    /// Threads that need thread local storage.
    pub(crate) thread_tls_alloc: u32,
    /// Compressed framebuffer modes.
    pub(crate) afbc_features: u32,
}

/// HW: what a T604 says that it is, and its product number in the form of the other models, which
/// Mesa knows.
const T604_ID: u32 = 0x6956;
const T604: u32 = 0x600;

impl Identity {
    /// Reads them, in the order of Linux's driver. The GPU is clocked and has completed its reset.
    pub(crate) fn read(regs: &Regs) -> Identity {
        let l2_features = reg::L2_FEATURES.read(regs);
        let core_features = reg::CORE_FEATURES.read(regs);
        let tiler_features = reg::TILER_FEATURES.read(regs);
        let mem_features = reg::MEM_FEATURES.read(regs);
        let mmu_features = reg::MMU_FEATURES.read(regs);
        let thread_features = reg::THREAD_FEATURES.read(regs);
        let max_threads = reg::THREAD_MAX_THREADS.read(regs);
        let thread_max_workgroup_size = reg::THREAD_MAX_WORKGROUP_SIZE.read(regs);
        let thread_max_barrier_size = reg::THREAD_MAX_BARRIER_SIZE.read(regs);
        let coherency_features = reg::COHERENCY_FEATURES.read(regs);
        let afbc_features = reg::AFBC_FEATURES.read(regs);
        let texture_features = reg::TEXTURE_FEATURES.map(|r| r.read(regs));
        let as_present = reg::AS_PRESENT.read(regs);
        let js_present = reg::JS_PRESENT.read(regs);
        let mut slots = js_present.count_ones();
        let js_features = reg::JS_FEATURES.map(|r| match slots.checked_sub(1) {
            None => 0,
            Some(left) => {
                slots = left;
                r.read(regs)
            }
        });
        let shader_present = reg::SHADER.present.read(regs);
        let tiler_present = reg::TILER.present.read(regs);
        let l2_present = reg::L2.present.read(regs);
        let stack_present = reg::STACK_PRESENT.read(regs);
        let thread_tls_alloc = reg::THREAD_TLS_ALLOC.read(regs);
        let id = reg::GPU_ID.read(regs);
        Identity {
            product: match id >> 16 {
                T604_ID => T604,
                product => product,
            },
            revision: id & 0xFFFF,
            shader_present,
            tiler_present,
            l2_present,
            stack_present,
            as_present,
            js_present,
            l2_features,
            core_features,
            tiler_features,
            mem_features,
            mmu_features,
            thread_features,
            max_threads,
            thread_max_workgroup_size,
            thread_max_barrier_size,
            coherency_features,
            texture_features,
            js_features,
            thread_tls_alloc,
            afbc_features,
        }
    }

    /// The value that GET_PARAM returns for `param`, 0 to 40 of the user ABI; `None` for others.
    pub(crate) fn param(&self, param: u32) -> Option<u64> {
        let word = match param {
            0 => self.product,
            1 => self.revision,
            2 => return Some(self.shader_present),
            3 => return Some(self.tiler_present),
            4 => return Some(self.l2_present),
            5 => return Some(self.stack_present),
            6 => self.as_present,
            7 => self.js_present,
            8 => self.l2_features,
            9 => self.core_features,
            10 => self.tiler_features,
            11 => self.mem_features,
            12 => self.mmu_features,
            13 => self.thread_features,
            14 => self.max_threads,
            15 => self.thread_max_workgroup_size,
            16 => self.thread_max_barrier_size,
            17 => self.coherency_features,
            18..=21 => indexed(&self.texture_features, param.checked_sub(18)?)?,
            22..=37 => indexed(&self.js_features, param.checked_sub(22)?)?,
            38 => self.core_groups(),
            39 => self.thread_tls_alloc,
            40 => self.afbc_features,
            _ => return None,
        };
        Some(u64::from(word))
    }

    /// The number of core groups: each has a level 2 cache of its own.
    pub(crate) fn core_groups(&self) -> u32 {
        self.l2_present.count_ones()
    }

    /// Bits of a GPU virtual address.
    pub(crate) fn va_bits(&self) -> u32 {
        self.mmu_features & 0xFF
    }

    /// Bits of a physical address.
    pub(crate) fn pa_bits(&self) -> u32 {
        (self.mmu_features >> 8) & 0xFF
    }
}

fn indexed(table: &[u32], index: u32) -> Option<u32> {
    table.get(usize::try_from(index).ok()?).copied()
}

/// The command that reset the GPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reset {
    /// The soft reset.
    Soft,
    /// The hard reset, as the soft one had no effect.
    Hard,
}

/// Resets the GPU. The interrupts of this block stay masked: until the GPU is set up, their handler
/// does not acknowledge them, and a level interrupt that is not acknowledged is delivered again and
/// again. Spins for up to 20 ms.
///
/// # Errors
///
/// ETIMEDOUT if neither reset command has an effect.
pub(crate) fn soft_reset(regs: &Regs, os: Os) -> Result<Reset> {
    reg::GPU_INT_MASK.write(regs, 0);
    reg::GPU_INT_CLEAR.write(regs, Irq::RESET_COMPLETED.bits());
    let reset = match reset_with(regs, os, Command::SoftReset) {
        Ok(()) => Reset::Soft,
        Err(_) => {
            reset_with(regs, os, Command::HardReset)?;
            Reset::Hard
        }
    };
    reg::GPU_INT_CLEAR.write(regs, Irq::all().bits());
    Ok(reset)
}

fn reset_with(regs: &Regs, os: Os, command: Command) -> Result<()> {
    reg::GPU_CMD.write(regs, command.code());
    poll(os, RESET_STEP_NS, RESET_TIMEOUT_NS, || {
        reg::GPU_INT_RAWSTAT.read(regs) & Irq::RESET_COMPLETED.bits() != 0
    })
}

/// The interrupts of this block that are raised and not masked. Unknown bits are included, so that
/// clearing the returned ones always ends a level interrupt.
pub(crate) fn pending(regs: &Regs) -> Irq {
    Irq::from_bits_retain(reg::GPU_INT_STAT.read(regs))
}

/// Clears interrupts of this block.
pub(crate) fn clear(regs: &Regs, irqs: Irq) {
    reg::GPU_INT_CLEAR.write(regs, irqs.bits());
}

/// Unmasks those interrupts of this block that the driver handles.
pub(crate) fn unmask_interrupts(regs: &Regs) {
    reg::GPU_INT_MASK.write(regs, Irq::WANTED.bits());
}

/// Masks all interrupts of this block.
pub(crate) fn mask_interrupts(regs: &Regs) {
    reg::GPU_INT_MASK.write(regs, 0);
}

/// A fault that neither a job slot nor an address space reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    /// The status register.
    pub(crate) status: u32,
    /// The address that was accessed.
    pub(crate) address: u64,
}

impl Fault {
    /// Reads it. Called before the interrupt is cleared, as the next fault may replace it
    /// afterwards.
    pub(crate) fn read(regs: &Regs) -> Fault {
        let status = reg::GPU_FAULT_STATUS.read(regs);
        Fault {
            status,
            address: reg::GPU_FAULT_ADDRESS.read_high_first(regs),
        }
    }

    /// Its exception code.
    pub(crate) fn exception(self) -> Exception {
        Exception::of_status(self.status)
    }
}

/// The id of the latest cache flush, for a job that is submitted now; 0 on models without flush
/// reduction. The GPU has power: ids do not survive a power-off.
pub(crate) fn latest_flush_id(regs: &Regs, features: Features) -> u32 {
    match features.contains(Features::FLUSH_REDUCTION) {
        true => reg::LATEST_FLUSH_ID.read(regs),
        false => 0,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// That of an RK3399, as reported by owners of boards. Fields that are not reported have values
    /// that differ from each other.
    pub(crate) const RK3399: Identity = Identity {
        product: 0x860,
        revision: 0x2000,
        shader_present: 0xF,
        tiler_present: 0x1,
        l2_present: 0x1,
        stack_present: 0x1_0000_0005,
        as_present: 0xFF,
        js_present: 0x7,
        l2_features: 0x0712_0206,
        core_features: 9,
        tiler_features: 0x809,
        mem_features: 0x1,
        mmu_features: 0x2830,
        thread_features: 13,
        max_threads: 14,
        thread_max_workgroup_size: 15,
        thread_max_barrier_size: 16,
        coherency_features: 17,
        texture_features: [18, 19, 20, 21],
        js_features: [
            22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37,
        ],
        thread_tls_alloc: 39,
        afbc_features: 40,
    };

    #[test]
    fn every_param_of_the_abi_has_its_register() {
        assert_eq!(RK3399.param(0), Some(0x860));
        assert_eq!(RK3399.param(1), Some(0x2000));
        assert_eq!(RK3399.param(2), Some(0xF));
        assert_eq!(RK3399.param(5), Some(0x1_0000_0005));
        assert_eq!(RK3399.param(6), Some(0xFF));
        assert_eq!(RK3399.param(8), Some(0x0712_0206));
        for param in [9, 13, 14, 15, 16, 17, 39, 40].into_iter().chain(18..=37) {
            assert_eq!(RK3399.param(param), Some(u64::from(param)));
        }
        assert_eq!(RK3399.param(38), Some(1));
        assert_eq!(RK3399.param(41), None);
        assert_eq!(RK3399.param(u32::MAX), None);
    }

    #[test]
    fn widths_come_from_mmu_features() {
        assert_eq!((RK3399.va_bits(), RK3399.pa_bits()), (48, 40));
    }

    #[test]
    fn masks_are_those_of_the_stock_drivers_trace() {
        assert_eq!(Irq::all().bits(), 0x0003_0781);
        assert_eq!(Irq::WANTED.bits(), 0x0003_0081);
    }
}
