// SPDX-License-Identifier: BSD-2-Clause
//! Memory that clients and devices share.
//!
//! * [`buffer`]: memory, its fences and its charge
//! * [`dma_buf`]: descriptors of buffers
//! * [`region_map`]: the regions of a GPU address space
//! * [`reservation`]: the reservations of several buffers at once
//! * `purge_state`: whether the memory of a buffer may be purged while it has handles
//! * [`pin`]: keeps a buffer from being purged while a job uses it
//! * [`table_mem`]: pages for a device's page tables
//! * [`va_alloc`]: room in a GPU address space
//! * [`wire`]: the pages of a buffer, in chunks

pub mod buffer;
pub mod dma_buf;
pub mod pin;
pub(crate) mod purge_state;
pub mod region_map;
pub mod reservation;
pub mod table_mem;
pub mod va_alloc;
pub mod wire;
