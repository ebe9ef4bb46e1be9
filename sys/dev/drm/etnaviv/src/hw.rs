// SPDX-License-Identifier: BSD-2-Clause
//! Registers of the host interface, MMU and front end: reset, set-up, start. Facts: sections 2.4 to 2.7 and 4.

use crate::hwdb;
use crate::identity::Identity;
use drmkpi::errno::{Result, EIO, ETIMEDOUT};
use drmkpi::num::{high32, low32};
use drmkpi::os::{Mmio, Os};

/// The registers that the driver touches.
pub(crate) type Regs = Mmio<0x800>;

const CLOCK_CONTROL: u32 = 0x000;
const IDLE_STATE: u32 = 0x004;
const AXI_CONFIG: u32 = 0x008;
const INTR_ACKNOWLEDGE: u32 = 0x010;
const INTR_ENBL: u32 = 0x014;
const POWER_CONTROLS: u32 = 0x100;
const MODULE_CONTROLS: u32 = 0x104;
const PULSE_EATER: u32 = 0x10c;
const SEC_EXCEPTION_ADDR: u32 = 0x380;
const SEC_STATUS: u32 = 0x384;
const SEC_CONTROL: u32 = 0x388;
const PTA_ADDRESS_LOW: u32 = 0x38c;
const PTA_ADDRESS_HIGH: u32 = 0x390;
const PTA_CONTROL: u32 = 0x394;
const NONSEC_SAFE_ADDR_LOW: u32 = 0x398;
const SEC_SAFE_ADDR_LOW: u32 = 0x39c;
const SAFE_ADDRESS_CONFIG: u32 = 0x3a0;
const SEC_COMMAND_CONTROL: u32 = 0x3a4;
const AHB_CONTROL: u32 = 0x3a8;
const COMMAND_ADDRESS: u32 = 0x654;
const COMMAND_CONTROL: u32 = 0x658;
const DMA_ADDRESS: u32 = 0x664;

const FSCALE_SHIFT: u32 = 2;
const FSCALE_FULL: u32 = 64;
const FSCALE_LOAD: u32 = 1 << 9;
const IDLE_3D: u32 = 1 << 16;
const IDLE_2D: u32 = 1 << 17;
const ISOLATE: u32 = 1 << 19;
const IDLE_FE: u32 = 1 << 0;
const AHB_RESET: u32 = 1 << 0;
const AHB_NONSEC_ACCESS: u32 = 1 << 1;
/// AWCACHE and ARCACHE 2: without it i.MX6 locks up.
const AXI_CACHES: u32 = 2 << 8 | 2 << 12;
const PTA_ENABLE: u32 = 1;
const MMU_ENABLE: u32 = 1;
const FE_ENABLE: u32 = 1 << 16;

/// The interrupt that the MMU raises.
pub(crate) const INTR_MMU: u32 = 1 << 30;
/// The interrupt of the bus.
pub(crate) const INTR_AXI: u32 = 1 << 31;

const RESET_TRIES: u32 = 20;
const RESET_HOLD_NS: u64 = 20_000;
/// Two commands; no more than this, for a lock is held.
const IDLE_TIMEOUT_NS: u64 = 2_000_000;
const STEP_NS: u64 = 5_000;

fn clock(regs: &Regs, control: u32) {
    regs.write(CLOCK_CONTROL, control | FSCALE_LOAD);
    regs.write(CLOCK_CONTROL, control);
}

/// Resets the core through its secure bank. Spins for some 100 us at the best, 50 ms at the worst.
///
/// # Errors
///
/// EIO when it does not become idle.
pub(crate) fn reset(regs: &Regs, os: Os, core: &Identity) -> Result<()> {
    let full = FSCALE_FULL << FSCALE_SHIFT;
    for _ in 0..RESET_TRIES {
        clock(regs, full);
        regs.write(CLOCK_CONTROL, full | ISOLATE);
        regs.write(AHB_CONTROL, AHB_RESET);
        os.delay(RESET_HOLD_NS);
        regs.write(AHB_CONTROL, 0);
        regs.write(CLOCK_CONTROL, full);
        os.delay(RESET_HOLD_NS);
        let idle = regs.read(IDLE_STATE) & core.idle_mask() == core.idle_mask();
        let pipes = regs.read(CLOCK_CONTROL);
        if idle && pipes & IDLE_3D != 0 && pipes & IDLE_2D != 0 {
            return Ok(());
        }
        os.delay(STEP_NS);
    }
    Err(EIO)
}

/// After a reset: clock gating, bus, interrupts.
pub(crate) fn init(regs: &Regs, core: &Identity) {
    let (power, modules) = hwdb::clock_gating(core);
    regs.write(POWER_CONTROLS, regs.read(POWER_CONTROLS) | power);
    regs.write(MODULE_CONTROLS, regs.read(MODULE_CONTROLS) | modules);
    regs.write(AXI_CONFIG, AXI_CACHES);
    regs.write(AHB_CONTROL, regs.read(AHB_CONTROL) | AHB_NONSEC_ACCESS);
    let eater = regs.read(PULSE_EATER);
    regs.write(PULSE_EATER, hwdb::pulse_eater(core, eater));
    regs.write(INTR_ENBL, u32::MAX);
}

/// Tells the MMU where the page table array and the page for strays are.
pub(crate) fn set_tables(regs: &Regs, pta: u64, safe: u64) {
    regs.write(PTA_ADDRESS_LOW, low32(pta));
    regs.write(PTA_ADDRESS_HIGH, high32(pta));
    regs.write(PTA_CONTROL, PTA_ENABLE);
    regs.write(NONSEC_SAFE_ADDR_LOW, low32(safe));
    regs.write(SEC_SAFE_ADDR_LOW, low32(safe));
    let high = high32(safe) & 0xff;
    regs.write(SAFE_ADDRESS_CONFIG, high | high << 16);
}

/// From now on all addresses are translated.
pub(crate) fn enable_mmu(regs: &Regs) {
    regs.write(SEC_CONTROL, MMU_ENABLE);
}

/// Lets the front end fetch `prefetch` pairs of words at `address`.
pub(crate) fn start(regs: &Regs, address: u32, prefetch: u32) {
    regs.write(COMMAND_ADDRESS, address);
    regs.write(COMMAND_CONTROL, FE_ENABLE | prefetch);
    regs.write(SEC_COMMAND_CONTROL, FE_ENABLE | prefetch);
}

/// Waits until the front end has stopped.
///
/// # Errors
///
/// ETIMEDOUT.
pub(crate) fn wait_stopped(regs: &Regs, os: Os) -> Result<()> {
    let mut left = IDLE_TIMEOUT_NS.wrapping_div(STEP_NS);
    while regs.read(IDLE_STATE) & IDLE_FE == 0 {
        left = left.checked_sub(1).ok_or(ETIMEDOUT)?;
        os.delay(STEP_NS);
    }
    Ok(())
}

/// Raised interrupts; reading acknowledges them.
pub(crate) fn interrupts(regs: &Regs) -> u32 {
    regs.read(INTR_ACKNOWLEDGE)
}

/// Status and address of an MMU exception.
pub(crate) fn mmu_fault(regs: &Regs) -> (u32, u32) {
    (regs.read(SEC_STATUS), regs.read(SEC_EXCEPTION_ADDR))
}

/// Where the front end is.
pub(crate) fn position(regs: &Regs) -> u32 {
    // HW: on some revisions the first read is not to be trusted (facts, section 2.6).
    regs.read(DMA_ADDRESS);
    regs.read(DMA_ADDRESS)
}
