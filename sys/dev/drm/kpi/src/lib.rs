// SPDX-License-Identifier: BSD-2-Clause
//! drmkpi: a small DRM layer over FreeBSD's own primitives, for GPU drivers without displays.
//!
//! A driver implements [`drm::driver::Driver`] and gives C an [`entry::DriverTable`]. The layers, each
//! of which names only those below it (docs/architecture.md):
//!
//! * [`entry`]: a driver as C sees it
//! * `ioctls`: the ioctls that every driver has
//! * [`runner`]: jobs; [`resources`]: clocks, supply, power domain, reset
//! * [`drm`]: devices, files, objects
//! * [`mem`]: buffers, dma-bufs, memory of page tables
//! * [`sync`]: fences and what waits for them
//! * [`util`]: accounts, tables, conversions, error numbers
//! * [`os`], [`alloc`]: the operating system, and containers whose allocations can fail
//!
//! `os`, `alloc` and `entry` are the only places with unsafe code.
//!
//! Lock order: docs/design.md. In short: reservations, `Sx` locks, `Resv`, a driver's job lock; then leaves,
//! which nest only as `Gem::state` -> `Device::map_offsets`. Hooks of fences run with no lock held.
#![no_std]

pub mod alloc;
pub mod drm;
pub mod entry;
mod ioctls;
pub mod mem;
pub mod os;
pub mod resources;
pub mod runner;
pub mod sync;
pub mod util;
