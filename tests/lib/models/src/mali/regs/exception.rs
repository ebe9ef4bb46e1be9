// SPDX-License-Identifier: BSD-2-Clause
//! Exception codes, shared by job slot status, job headers, MMU and GPU fault status.
//!
//! HW: panfrost.md 2.7 "exception codes" and 3.3 "codes".

pub(crate) const DONE: u8 = 0x01;
pub(crate) const STOPPED: u8 = 0x03;
pub(crate) const TERMINATED: u8 = 0x04;
pub(crate) const ACTIVE: u8 = 0x08;

pub(crate) const JOB_CONFIG_FAULT: u8 = 0x40;
pub(crate) const JOB_POWER_FAULT: u8 = 0x41;
pub(crate) const JOB_READ_FAULT: u8 = 0x42;
pub(crate) const JOB_WRITE_FAULT: u8 = 0x43;
pub(crate) const JOB_AFFINITY_FAULT: u8 = 0x44;
pub(crate) const JOB_BUS_FAULT: u8 = 0x48;
pub(crate) const DATA_INVALID_FAULT: u8 = 0x58;
pub(crate) const TILE_RANGE_FAULT: u8 = 0x59;
pub(crate) const OOM: u8 = 0x60;
pub(crate) const GPU_SHAREABILITY_FAULT: u8 = 0x88;

/// Translation fault; the level of the table (0 to 3) is added.
pub(crate) const TRANSLATION: u8 = 0xc0;
/// Translation fault in identity mode.
pub(crate) const TRANSLATION_IDENTITY: u8 = 0xc7;
/// Permission fault; the level of the leaf entry is added.
pub(crate) const PERMISSION: u8 = 0xc8;
/// The table walk got a bus error; the level of the table is added.
pub(crate) const WALK_BUS: u8 = 0xd0;
/// Access flag not set (AArch64 tables only); the level of the leaf entry is added.
pub(crate) const ACCESS_FLAG: u8 = 0xd8;
/// Input address wider than the table describes.
pub(crate) const ADDRESS_SIZE_IN: u8 = 0xe0;
/// Output address wider than the bus; the level of the entry is added.
pub(crate) const ADDRESS_SIZE_OUT: u8 = 0xe4;
/// Memory attribute index selects a faulting type; the level of the leaf entry is added.
pub(crate) const MEMATTR: u8 = 0xe8;
