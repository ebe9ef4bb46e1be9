// SPDX-License-Identifier: BSD-2-Clause
//! The commands of the front end that the driver writes, and the states that they load. Facts:
//! docs/hw/etnaviv.md, Front end.

const LOAD_ONE: u32 = 0x0801_0000;
pub(super) const END: u32 = 0x1000_0000;
pub(super) const WAIT: u32 = 0x3800_0000;
pub(super) const LINK: u32 = 0x4000_0000;
const STALL: u32 = 0x4800_0000;

pub(super) const MMU_CONFIG: u32 = 0x184;
pub(super) const MMU_SAFE_ADDRESS: u32 = 0x180;
/// MMU_CONFIG: keep the mode; flush.
pub(super) const MMU_KEEP_MODE: u32 = 1 << 3;
pub(super) const MMU_FLUSH: u32 = 1 << 4;
pub(super) const PTA_CONFIG: u32 = 0x1ac;
pub(super) const TS_FLUSH_CACHE: u32 = 0x1650;
pub(super) const GL_PIPE_SELECT: u32 = 0x3800;
pub(super) const GL_EVENT: u32 = 0x3804;
const GL_SEMAPHORE: u32 = 0x3808;
pub(super) const GL_FLUSH_CACHE: u32 = 0x380c;
pub(super) const GL_FLUSH_MMU: u32 = 0x3810;
/// GL_FLUSH_MMU: the translations of all units (MMUv1).
pub(super) const FLUSH_MMU_ALL: u32 = 0x1f;
/// GL_FLUSH_CACHE: depth, colour, shader L1.
pub(super) const FLUSH_3D: u32 = 1 | 2 | 0x20;
/// GL_FLUSH_CACHE: 2D pixel engine.
pub(super) const FLUSH_2D: u32 = 8;
pub(super) const BLT_ENABLE: u32 = 0x140b8;
pub(super) const BLT_SET_COMMAND: u32 = 0x140ac;
pub(super) const FE_TO_PE: u32 = 1 | 7 << 8;
pub(super) const FE_TO_BLT: u32 = 1 | 16 << 8;
pub(super) const EVENT_FROM_PE: u32 = 1 << 6;

/// A command of two words.
pub(super) type Pair = [u32; 2];

/// Loads one state.
pub(super) fn load(state: u32, value: u32) -> Pair {
    [LOAD_ONE | state >> 2, value]
}

/// Has one unit wait for another: semaphore and stall.
pub(super) fn stall(token: u32) -> [Pair; 2] {
    [load(GL_SEMAPHORE, token), [STALL, token]]
}
