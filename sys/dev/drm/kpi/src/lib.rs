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

pub mod account;
pub mod alloc;
mod auth;
mod bell;
pub mod buffer;
mod core_ioctls;
pub mod coredump;
pub mod device;
pub mod dma_buf;
pub mod driver;
pub mod errno;
pub mod fence;
pub mod ffi;
pub mod file;
pub mod gem;
pub mod handle;
pub mod ioctl;
pub mod jobs;
pub mod num;
pub mod os;
pub mod page_table;
pub mod purge;
pub mod reaper;
pub mod resv;
pub mod sorted;
pub mod stats;
pub mod storage;
pub mod sync_file;
pub mod syncobj;
pub mod uapi;
