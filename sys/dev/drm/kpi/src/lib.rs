// SPDX-License-Identifier: BSD-2-Clause
//! drmkpi: a small DRM layer over FreeBSD's own primitives, for GPU drivers without displays.
//!
//! A driver implements [`driver::Driver`] and gives C a [`ffi::DriverTable`]; files, ioctls, handles,
//! buffers, fences and jobs are here. The operating system is behind [`os`], memory behind [`alloc`];
//! those two and `ffi` are the only places with unsafe code in this crate.
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
