// SPDX-License-Identifier: BSD-2-Clause
//! Registers of the host interface, MMU and front end: reset, set-up, start. Facts: docs/hw/etnaviv.md.

use crate::features::Features;
use crate::hwdb::{self, Quirks};
use crate::identity::{Identity, Security};
use crate::mmu::{Mmu, Version};
use crate::regs::{hi, pm};
use drmkpi::os::{Mmio, Os};
use drmkpi::util::errno::{Result, EIO, ETIMEDOUT};
use drmkpi::util::int_conv::{high32, low32};

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
const MMU_STATUS: u32 = 0x188;
const MMU_CONTROL: u32 = 0x18c;
const MMU_EXCEPTION_ADDR: [u32; 4] = [0x190, 0x194, 0x198, 0x19c];
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
/// MMUv1: the table as FE, TX, PE, PEZ and RA see it.
const PAGE_TABLE: [u32; 5] = [0x400, 0x404, 0x408, 0x40c, 0x410];
const DEBUG_MEMORY: u32 = 0x414;
/// MMUv1: where the linear window of RA, FE, TX, PEZ and PE begins.
const MEMORY_BASE: [u32; 5] = [0x418, 0x41c, 0x420, 0x424, 0x428];
const BUS_CONFIG: u32 = 0x480;
const COMMAND_ADDRESS: u32 = 0x654;
const COMMAND_CONTROL: u32 = 0x658;
const DMA_ADDRESS: u32 = 0x664;

const FSCALE_SHIFT: u32 = 2;
const FSCALE_FULL: u32 = 64;
const FSCALE_LOAD: u32 = 1 << 9;
const SOFT_RESET: u32 = 1 << 12;
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
/// HW: the time stamp of the GC320 whose memory needs no set-up.
const GC320_MENDED: u32 = 0x0206_2400;

/// The interrupt that the MMU raises.
pub(crate) const INTR_MMU: u32 = 1 << 30;
/// The interrupt of the bus.
pub(crate) const INTR_AXI: u32 = 1 << 31;

const RESET_TRIES: u32 = 100;
const RESET_PAUSE_NS: u64 = 1_000_000;
const RESET_HOLD_NS: u64 = 20_000;
/// A dozen commands; no more than this, for a lock is held.
const IDLE_TIMEOUT_NS: u64 = 2_000_000;
const STEP_NS: u64 = 5_000;

fn clock(regs: &Regs, control: u32) {
    regs.write(CLOCK_CONTROL, control | FSCALE_LOAD);
    regs.write(CLOCK_CONTROL, control);
}

/// Resets the core. Takes some 100 us at the best, 100 ms at the worst; may sleep.
///
/// # Errors
///
/// EIO when it does not become idle, or its MMU does not go off.
pub(crate) fn reset(regs: &Regs, os: Os, core: &Identity) -> Result<()> {
    let full = FSCALE_FULL << FSCALE_SHIFT;
    for _ in 0..RESET_TRIES {
        // HW: modules whose clock pulses are eaten may not see the reset (docs/hw/etnaviv.md, Reset).
        let pulse_eater = power_register(core, PULSE_EATER);
        let eater = pm::PULSE_EATER_DEFAULT | pm::PULSE_EATER_17;
        for value in [eater, eater | 1, eater] {
            write_power(regs, pulse_eater, value);
        }
        clock(regs, full);
        regs.write(CLOCK_CONTROL, full | ISOLATE);
        match core.security() {
            Security::Kernel => {
                regs.write(AHB_CONTROL, AHB_RESET);
                os.delay(RESET_HOLD_NS);
                regs.write(AHB_CONTROL, 0);
            }
            Security::None => {
                regs.write(CLOCK_CONTROL, full | ISOLATE | SOFT_RESET);
                os.delay(RESET_HOLD_NS);
                regs.write(CLOCK_CONTROL, full | ISOLATE);
            }
        }
        regs.write(CLOCK_CONTROL, full);
        os.delay(RESET_HOLD_NS);
        let idle = regs.read(IDLE_STATE) & hwdb::idle_mask(core) == hwdb::idle_mask(core);
        let pipes = regs.read(CLOCK_CONTROL);
        if idle && pipes & IDLE_3D != 0 && pipes & IDLE_2D != 0 && !mmu_is_on(regs, core) {
            return Ok(());
        }
        os.sleep(RESET_PAUSE_NS);
    }
    Err(EIO)
}

fn mmu_is_on(regs: &Regs, core: &Identity) -> bool {
    let register = match Version::of(core) {
        Version::V1 => return false,
        Version::V2 => MMU_CONTROL,
        Version::V2Secure => SEC_CONTROL,
    };
    regs.read(register) & MMU_ENABLE != 0
}

/// HW: a write to a power register may come late unless something is read behind it (docs/hw/etnaviv.md, Reset).
fn write_power(regs: &Regs, register: u32, value: u32) {
    regs.write(register, value);
    regs.read(register);
}

/// HW: the oldest GC300 have their power registers elsewhere.
fn power_register(core: &Identity, register: u32) -> u32 {
    if core.ids.model == 0x300 && core.ids.revision < 0x2000 {
        register.wrapping_add(0x100)
    } else {
        register
    }
}

/// After a reset: clock gating, buses, interrupts.
pub(crate) fn init(regs: &Regs, core: &Identity) {
    let quirks = hwdb::quirks(core.ids.model, core.ids.revision);
    if quirks.contains(Quirks::MEMORY_DEBUG) && regs.read(hi::TIME) != GC320_MENDED {
        let patch = if core.ids.revision == 0x5007 {
            0x0c
        } else {
            0x08
        };
        regs.write(DEBUG_MEMORY, regs.read(DEBUG_MEMORY) & !0xff | patch);
    }
    gate_clocks(regs, core, true);
    let (_, modules) = hwdb::clock_gating(core);
    let module_controls = power_register(core, MODULE_CONTROLS);
    write_power(regs, module_controls, regs.read(module_controls) | modules);
    regs.write(AXI_CONFIG, AXI_CACHES);
    if quirks.contains(Quirks::BUS_CONFIG) {
        // FE 1, TX 0.
        regs.write(BUS_CONFIG, regs.read(BUS_CONFIG) & !0xff | 1);
    }
    if core.security() == Security::Kernel {
        regs.write(AHB_CONTROL, regs.read(AHB_CONTROL) | AHB_NONSEC_ACCESS);
    }
    let pulse_eater = power_register(core, PULSE_EATER);
    let eater = regs.read(pulse_eater);
    write_power(regs, pulse_eater, hwdb::pulse_eater(core, eater));
    regs.write(INTR_ENBL, u32::MAX);
}

/// Whether modules that have nothing to do are without a clock. Counters count only when they are not.
pub(crate) fn gate_clocks(regs: &Regs, core: &Identity, on: bool) {
    let (power, _) = hwdb::clock_gating(core);
    let register = power_register(core, POWER_CONTROLS);
    let old = regs.read(register);
    write_power(regs, register, if on { old | power } else { old & !power });
}

/// Tells the MMU where the tables are, as far as registers do that.
pub(crate) fn set_tables(regs: &Regs, mmu: &Mmu) {
    match mmu.version() {
        Version::V1 => {
            for register in MEMORY_BASE {
                regs.write(register, low32(mmu.base()));
            }
            for register in PAGE_TABLE {
                regs.write(register, low32(mmu.root()));
            }
        }
        // The front end loads them.
        Version::V2 => (),
        Version::V2Secure => {
            regs.write(PTA_ADDRESS_LOW, low32(mmu.root()));
            regs.write(PTA_ADDRESS_HIGH, high32(mmu.root()));
            regs.write(PTA_CONTROL, PTA_ENABLE);
            regs.write(NONSEC_SAFE_ADDR_LOW, low32(mmu.safe()));
            regs.write(SEC_SAFE_ADDR_LOW, low32(mmu.safe()));
            let high = high32(mmu.safe()) & 0xff;
            regs.write(SAFE_ADDRESS_CONFIG, high | high << 16);
        }
    }
}

/// From now on all addresses are translated.
pub(crate) fn enable_mmu(regs: &Regs, version: Version) {
    match version {
        Version::V1 => (),
        Version::V2 => regs.write(MMU_CONTROL, MMU_ENABLE),
        Version::V2Secure => regs.write(SEC_CONTROL, MMU_ENABLE),
    }
}

/// Lets the front end fetch `prefetch` pairs of words at `address`.
pub(crate) fn start(regs: &Regs, core: &Identity, address: u32, prefetch: u32) {
    regs.write(COMMAND_ADDRESS, address);
    regs.write(COMMAND_CONTROL, FE_ENABLE | prefetch);
    if core.security() == Security::Kernel {
        regs.write(SEC_COMMAND_CONTROL, FE_ENABLE | prefetch);
    }
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

/// Masks all interrupts, until `init`.
pub(crate) fn mask_interrupts(regs: &Regs) {
    regs.write(INTR_ENBL, 0);
}

/// Raised interrupts; reading acknowledges them.
pub(crate) fn interrupts(regs: &Regs) -> u32 {
    regs.read(INTR_ACKNOWLEDGE)
}

/// Status and address of an MMU exception.
pub(crate) fn mmu_fault(regs: &Regs, version: Version) -> (u32, u32) {
    match version {
        // It has none.
        Version::V1 => (0, 0),
        Version::V2 => {
            let status = regs.read(MMU_STATUS);
            let unit = (status.trailing_zeros() / 4).min(3);
            let unit = drmkpi::util::int_conv::usize_of_u32(unit);
            let address = MMU_EXCEPTION_ADDR.get(unit).map_or(0, |at| regs.read(*at));
            (status, address)
        }
        Version::V2Secure => (regs.read(SEC_STATUS), regs.read(SEC_EXCEPTION_ADDR)),
    }
}

/// What an exception is: the code of the first unit that has one (docs/hw/etnaviv.md, MMU).
pub(crate) fn exception(status: u32) -> &'static str {
    let shift = status.trailing_zeros() & 0x1c;
    match status.wrapping_shr(shift) & 0xf {
        0 => "no exception",
        1 => "no table",
        2 => "no page",
        3 => "write to a read-only page",
        4 => "out of bounds",
        5 => "read of secure memory",
        6 => "write to secure memory",
        _ => "unknown exception",
    }
}

/// Where the front end is.
pub(crate) fn position(regs: &Regs) -> u32 {
    // HW: on some revisions the first read is not to be trusted (docs/hw/etnaviv.md, Front end).
    regs.read(DMA_ADDRESS);
    regs.read(DMA_ADDRESS)
}

/// The primitive that a 3D core is at: a large draw may take long and be all right (docs/hw/etnaviv.md, Front end).
pub(crate) fn primitive(regs: &Regs, core: &Identity) -> u32 {
    const FE_CURRENT_PRIM: u32 = 9;
    const PROFILE_FE_READ: u32 = 0x450;
    if !core.features.contains(Features::PIPE_3D) {
        return 0;
    }
    regs.write(crate::regs::mc::PROFILE_CONFIG0, FE_CURRENT_PRIM);
    regs.read(PROFILE_FE_READ)
}

/// Lets registers of the debug interface show pixel pipe `pipe`.
pub(crate) fn show_pixel_pipe(regs: &Regs, pipe: u32) {
    const SHIFT: u32 = 20;
    const MASK: u32 = 0xf << SHIFT;
    let control = regs.read(CLOCK_CONTROL) & !MASK;
    regs.write(CLOCK_CONTROL, control | (pipe << SHIFT & MASK));
}

/// What a crash dump has of the registers: offset and value of each.
pub(crate) fn for_dump<'a>(
    regs: &'a Regs,
    core: &Identity,
) -> impl Iterator<Item = (u32, u32)> + 'a {
    const HOST: [u32; 8] = [0x000, 0x004, 0x008, 0x014, 0x020, 0x024, 0x028, 0x02c];
    const POWER: [u32; 3] = [POWER_CONTROLS, MODULE_CONTROLS, PULSE_EATER];
    const FRONT_END: [u32; 7] = [0x654, 0x658, 0x65c, 0x660, 0x664, 0x668, 0x66c];
    let secure = core.security() == Security::Kernel;
    let v2 = core.features.contains(Features::MMU_V2) && !secure;
    let v1 = !core.features.contains(Features::MMU_V2);
    let if_ = |there: bool, registers: &'static [u32]| if there { registers } else { &[] };
    let power = POWER.map(|register| power_register(core, register));
    let mmu = if_(
        v1,
        &[
            0x400, 0x404, 0x408, 0x40c, 0x410, 0x418, 0x41c, 0x420, 0x424, 0x428,
        ],
    )
    .iter()
    .chain(if_(v2, &[0x184, 0x188, 0x18c, 0x190, 0x194, 0x198, 0x19c]))
    .chain(if_(secure, &[0x380, 0x384, 0x388, 0x38c, 0x390]));
    let all = HOST
        .into_iter()
        .chain(power)
        .chain(mmu.copied())
        .chain(FRONT_END);
    all.map(move |register| {
        // HW: twice, see `position`.
        regs.read(register);
        (register, regs.read(register))
    })
}
