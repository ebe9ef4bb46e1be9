// SPDX-License-Identifier: BSD-2-Clause
//! drmkpi: a small DRM layer over FreeBSD's own primitives, for GPU drivers without displays.
//!
//! A driver implements [`drm::driver::Driver`] and exports an [`entry::DriverTable`] to C. The
//! layers, each of which uses only those below it (docs/architecture.md):
//!
//! * [`entry`]: the entry points for C
//! * `ioctls`: the ioctls that every driver has
//! * [`runner`]: jobs; [`resources`]: clocks, supply, power domain, reset
//! * [`drm`]: devices, files, objects
//! * [`mem`]: buffers, dma-bufs, memory of page tables
//! * [`sync`]: fences and waits for them
//! * [`util`]: accounts, maps, conversions, error numbers
//! * [`os`], [`alloc`]: the operating system, and containers whose allocations can fail
//!
//! `os`, `alloc` and `entry` are the only places with unsafe code.
//!
//! Lock order: docs/design.md. In short: reservations, `Sx` locks, `Resv`, a driver's job lock;
//! then leaves, of which only `Gem::state` -> `Device::map_offsets` nest. Hooks of fences run with
//! no lock held.
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
