// SPDX-License-Identifier: BSD-2-Clause
//! Memory controller: performance counters and buses.

/// Cycles, on cores that count them here.
pub const PROFILE_CYCLE_COUNTER: u32 = 0x438;
/// The selected counter of the rasteriser.
pub const PROFILE_RA_READ: u32 = 0x448;
/// ... of the texture unit.
pub const PROFILE_TX_READ: u32 = 0x44c;
/// ... of the pixel engine.
pub const PROFILE_PE_READ: u32 = 0x454;
/// ... of the shaders.
pub const PROFILE_SH_READ: u32 = 0x45c;
/// ... of primitive assembly.
pub const PROFILE_PA_READ: u32 = 0x460;
/// ... of setup.
pub const PROFILE_SE_READ: u32 = 0x464;
/// ... of the memory controller.
pub const PROFILE_MC_READ: u32 = 0x468;
/// ... of the host interface.
pub const PROFILE_HI_READ: u32 = 0x46c;
/// The selected counters of FE, DE, PE and SH, one byte each, from the lowest.
pub const PROFILE_CONFIG0: u32 = 0x470;
/// ... PA, SE, RA, TX.
pub const PROFILE_CONFIG1: u32 = 0x474;
/// ... MC, HI, L2, BLT.
pub const PROFILE_CONFIG2: u32 = 0x478;
