// SPDX-License-Identifier: BSD-2-Clause
//! DRM driver for Vivante GPUs.
//!
//! * `device`, `gpu_core`: a GPU and its cores, attach and detach
//! * `identity`, `identify`, `hwdb`, `features`: what a core is
//! * `ops`, `regs`: its registers
//! * `mmu`: address spaces
//! * `stream`: what a client may submit
//! * `job`: jobs, from an ioctl to the ring buffer and back
//! * `perfmon`, `perfmon_tables`: performance counters
//! * `dump`: what is kept of a crash
//! * `driver`, `file`, `bo`, `ioctls`, `uapi`: the driver as the DRM layer and clients see it
//!
//! Lock order: docs/design.md.
#![no_std]
#![forbid(unsafe_code)]

// Unit tests run over the user-space system.
#[cfg(test)]
extern crate drm_os_host as _;

mod bo;
mod device;
mod driver;
mod dump;
pub mod features;
mod file;
mod gpu_core;
pub mod hwdb;
pub mod identify;
pub mod identity;
mod ioctls;
mod job;
mod mmu;
mod ops;
mod perfmon;
pub mod perfmon_tables;
pub mod regs;
pub mod stream;
pub mod uapi;

pub use driver::DRIVER;

/// The driver.
pub struct Etnaviv;
