// SPDX-License-Identifier: BSD-2-Clause
//! Job control block, offsets 0x1000 to 0x1fff.
//!
//! HW: panfrost.md 2.5; names as in Linux 6.1 panfrost_regs.h.

pub(crate) const INT_RAWSTAT: u32 = 0x1000;
pub(crate) const INT_CLEAR: u32 = 0x1004;
pub(crate) const INT_MASK: u32 = 0x1008;
pub(crate) const INT_STAT: u32 = 0x100c;
pub(crate) const JS_STATE: u32 = 0x1010;
pub(crate) const THROTTLE: u32 = 0x1014;

pub(crate) const SLOT_BASE: u32 = 0x1800;
pub(crate) const SLOT_STRIDE: u32 = 0x80;

// Offsets inside a slot.
pub(crate) const HEAD_LO: u32 = 0x00;
pub(crate) const HEAD_HI: u32 = 0x04;
pub(crate) const TAIL_LO: u32 = 0x08;
pub(crate) const TAIL_HI: u32 = 0x0c;
pub(crate) const AFFINITY_LO: u32 = 0x10;
pub(crate) const AFFINITY_HI: u32 = 0x14;
pub(crate) const CONFIG: u32 = 0x18;
pub(crate) const XAFFINITY: u32 = 0x1c;
pub(crate) const COMMAND: u32 = 0x20;
pub(crate) const STATUS: u32 = 0x24;
pub(crate) const HEAD_NEXT_LO: u32 = 0x40;
pub(crate) const HEAD_NEXT_HI: u32 = 0x44;
pub(crate) const AFFINITY_NEXT_LO: u32 = 0x50;
pub(crate) const AFFINITY_NEXT_HI: u32 = 0x54;
pub(crate) const CONFIG_NEXT: u32 = 0x58;
pub(crate) const XAFFINITY_NEXT: u32 = 0x5c;
pub(crate) const COMMAND_NEXT: u32 = 0x60;
pub(crate) const FLUSH_ID_NEXT: u32 = 0x70;

pub(crate) const CONFIG_AS_MASK: u32 = 0xf;
pub(crate) const CONFIG_START_FLUSH_MASK: u32 = 3 << 8;
pub(crate) const CONFIG_START_MMU: u32 = 1 << 10;
pub(crate) const CONFIG_JOB_CHAIN_FLAG: u32 = 1 << 11;
pub(crate) const CONFIG_END_FLUSH_MASK: u32 = 3 << 12;
pub(crate) const CONFIG_DISABLE_DESCRIPTOR_WR_BK: u32 = 1 << 15;

pub(crate) const CMD_NOP: u32 = 0;
pub(crate) const CMD_START: u32 = 1;
pub(crate) const CMD_SOFT_STOP: u32 = 2;
pub(crate) const CMD_HARD_STOP: u32 = 3;
pub(crate) const CMD_SOFT_STOP_0: u32 = 4;
pub(crate) const CMD_HARD_STOP_0: u32 = 5;
pub(crate) const CMD_SOFT_STOP_1: u32 = 6;
pub(crate) const CMD_HARD_STOP_1: u32 = 7;
