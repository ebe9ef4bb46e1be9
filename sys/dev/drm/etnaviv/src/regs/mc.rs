// SPDX-License-Identifier: BSD-2-Clause
//! Memory controller: performance counters and buses.

/// Cycles, on cores that count them here.
pub(crate) const PROFILE_CYCLE_COUNTER: u32 = 0x438;
/// The selected counter of the rasteriser.
pub(crate) const PROFILE_RA_READ: u32 = 0x448;
/// ... of the texture unit.
pub(crate) const PROFILE_TX_READ: u32 = 0x44c;
/// ... of the pixel engine.
pub(crate) const PROFILE_PE_READ: u32 = 0x454;
/// ... of the shaders.
pub(crate) const PROFILE_SH_READ: u32 = 0x45c;
/// ... of primitive assembly.
pub(crate) const PROFILE_PA_READ: u32 = 0x460;
/// ... of setup.
pub(crate) const PROFILE_SE_READ: u32 = 0x464;
/// ... of the memory controller.
pub(crate) const PROFILE_MC_READ: u32 = 0x468;
/// ... of the host interface.
pub(crate) const PROFILE_HI_READ: u32 = 0x46c;
/// Which counters are selected: FE, DE, PE, SH from the low byte up.
pub(crate) const PROFILE_CONFIG0: u32 = 0x470;
/// ... PA, SE, RA, TX.
pub(crate) const PROFILE_CONFIG1: u32 = 0x474;
/// ... MC, HI, L2, BLT.
pub(crate) const PROFILE_CONFIG2: u32 = 0x478;
