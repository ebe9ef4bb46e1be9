// SPDX-License-Identifier: BSD-2-Clause
//! Power management: clock gating of modules.

/// POWER_CONTROLS: modules are gated.
pub const ENABLE_MODULE_CLOCK_GATING: u32 = 1 << 0;
/// POWER_CONTROLS: modules are not gated while they stall.
pub const DISABLE_STALL_MODULE_CLOCK_GATING: u32 = 1 << 1;

/// MODULE_CONTROLS: no gating of the pixel engine.
pub const NO_GATING_PE: u32 = 1 << 2;
/// MODULE_CONTROLS: ... of primitive assembly.
pub const NO_GATING_PA: u32 = 1 << 4;
/// MODULE_CONTROLS: ... of setup.
pub const NO_GATING_SE: u32 = 1 << 5;
/// MODULE_CONTROLS: ... of the rasteriser.
pub const NO_GATING_RA: u32 = 1 << 6;
/// MODULE_CONTROLS: ... of textures.
pub const NO_GATING_TX: u32 = 1 << 7;
/// MODULE_CONTROLS: ... of the shaders' execution units.
pub const NO_GATING_SH_EU: u32 = 1 << 10;
/// MODULE_CONTROLS: without a name; set on revisions below 0x5422.
pub const UNKNOWN_15: u32 = 1 << 15;
/// MODULE_CONTROLS: ... of early Z.
pub const NO_GATING_RA_EZ: u32 = 1 << 16;
/// MODULE_CONTROLS: ... of hierarchical Z.
pub const NO_GATING_RA_HZ: u32 = 1 << 17;

/// PULSE_EATER: its value before a reset of the core.
pub const PULSE_EATER_DEFAULT: u32 = 0x0159_0880;
/// PULSE_EATER: bit without a published name.
pub const PULSE_EATER_16: u32 = 1 << 16;
/// PULSE_EATER: bit without a published name, set with bit 16 cleared.
pub const PULSE_EATER_17: u32 = 1 << 17;
/// PULSE_EATER: bit without a published name, for two revisions of GC4000.
pub const PULSE_EATER_23: u32 = 1 << 23;
/// PULSE_EATER: the core does not scale its frequency by itself.
pub const PULSE_EATER_NO_DFS: u32 = 1 << 18;
