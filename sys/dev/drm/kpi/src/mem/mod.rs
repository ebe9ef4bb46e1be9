// SPDX-License-Identifier: BSD-2-Clause
//! Memory that clients and devices share.
//!
//! * [`buffer`]: memory, its fences and who pays for it
//! * [`dma_buf`]: a buffer behind a descriptor
//! * [`reservation`]: the reservations of several buffers at once
//! * `purge_state`: whether the memory of a buffer may be freed while it has handles
//! * [`pin`]: what a job holds so that a buffer is not purged
//! * [`table_mem`]: pages for a device's page tables
//! * [`va_alloc`]: room in a GPU address space
//! * [`wire`]: the pages of a buffer, in chunks

pub mod buffer;
pub mod dma_buf;
pub mod pin;
pub(crate) mod purge_state;
pub mod reservation;
pub mod table_mem;
pub mod va_alloc;
pub mod wire;
