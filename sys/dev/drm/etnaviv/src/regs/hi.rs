// SPDX-License-Identifier: BSD-2-Clause
//! Host interface: identification of the core.

/// Family in bits 31:24, revision in bits 15:12; replaced by MODEL and REVISION after the GC500.
pub const CHIP_IDENTITY: u32 = 0x018;
/// Major features.
pub const FEATURES: u32 = 0x01c;
/// Model, "0x2000" for a GC2000.
pub const MODEL: u32 = 0x020;
/// Revision.
pub const REVISION: u32 = 0x024;
/// Date of the design in BCD.
pub const DATE: u32 = 0x028;
/// Time of the design in BCD.
pub const TIME: u32 = 0x02c;
/// Customer.
pub const CUSTOMER_ID: u32 = 0x030;
/// Minor features 0 to 5.
pub const MINOR_FEATURES: [u32; 6] = [0x034, 0x074, 0x084, 0x088, 0x094, 0x0a0];
/// Sizes of the core's units.
pub const SPECS: [u32; 4] = [0x048, 0x080, 0x08c, 0x09c];
/// Product.
pub const PRODUCT_ID: u32 = 0x0a8;
/// Engineering change order.
pub const ECO_ID: u32 = 0x0e8;

/// Reads in units of 8 bytes.
pub const PROFILE_READ_BYTES8: u32 = 0x040;
/// Writes in units of 8 bytes.
pub const PROFILE_WRITE_BYTES8: u32 = 0x044;
/// Cycles.
pub const PROFILE_TOTAL_CYCLES: u32 = 0x078;
/// Cycles in which everything but the front end is idle.
pub const PROFILE_IDLE_CYCLES: u32 = 0x07c;
