// SPDX-License-Identifier: BSD-2-Clause
//! MMU block, offsets 0x2000 to 0x2fff.
//!
//! HW: panfrost.md 3.3.

pub(crate) const INT_RAWSTAT: u32 = 0x2000;
pub(crate) const INT_CLEAR: u32 = 0x2004;
pub(crate) const INT_MASK: u32 = 0x2008;
pub(crate) const INT_STAT: u32 = 0x200c;

pub(crate) const AS_BASE: u32 = 0x2400;
pub(crate) const AS_STRIDE: u32 = 0x40;

// Offsets inside an address space.
pub(crate) const TRANSTAB_LO: u32 = 0x00;
pub(crate) const TRANSTAB_HI: u32 = 0x04;
pub(crate) const MEMATTR_LO: u32 = 0x08;
pub(crate) const MEMATTR_HI: u32 = 0x0c;
pub(crate) const LOCKADDR_LO: u32 = 0x10;
pub(crate) const LOCKADDR_HI: u32 = 0x14;
pub(crate) const COMMAND: u32 = 0x18;
pub(crate) const FAULTSTATUS: u32 = 0x1c;
pub(crate) const FAULTADDRESS_LO: u32 = 0x20;
pub(crate) const FAULTADDRESS_HI: u32 = 0x24;
pub(crate) const STATUS: u32 = 0x28;
pub(crate) const TRANSCFG_LO: u32 = 0x30;
pub(crate) const TRANSCFG_HI: u32 = 0x34;
pub(crate) const FAULTEXTRA_LO: u32 = 0x38;
pub(crate) const FAULTEXTRA_HI: u32 = 0x3c;

pub(crate) const CMD_NOP: u32 = 0;
pub(crate) const CMD_UPDATE: u32 = 1;
pub(crate) const CMD_LOCK: u32 = 2;
pub(crate) const CMD_UNLOCK: u32 = 3;
pub(crate) const CMD_FLUSH_PT: u32 = 4;
pub(crate) const CMD_FLUSH_MEM: u32 = 5;

/// Bit of [`STATUS`]: a command is in progress.
pub(crate) const STATUS_ACTIVE: u32 = 1;

/// log2 of the smallest region that can be locked.
pub(crate) const LOCK_MIN_SHIFT: u32 = 15;

// Access types in FAULTSTATUS bits 9:8.
pub(crate) const ACCESS_EXECUTE: u32 = 1;
pub(crate) const ACCESS_READ: u32 = 2;
pub(crate) const ACCESS_WRITE: u32 = 3;
