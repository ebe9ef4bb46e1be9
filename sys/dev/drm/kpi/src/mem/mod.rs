// SPDX-License-Identifier: BSD-2-Clause
//! Memory that clients and devices share.
//!
//! * [`buffer`]: memory, its fences and who pays for it
//! * [`dma_buf`]: a buffer behind a descriptor
//! * [`table_mem`]: pages for a device's page tables

pub mod buffer;
pub mod dma_buf;
pub mod table_mem;
