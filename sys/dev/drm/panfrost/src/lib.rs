// SPDX-License-Identifier: BSD-2-Clause
//! DRM driver for Arm Mali Midgard and Bifrost GPUs with a job manager.
//!
//! * `device`, `irq`: a GPU and what serves it
//! * `gpu`: the GPU control block: identity, cores, power
//! * `mmu`: address spaces
//! * `job`: jobs, from an ioctl to a job slot and back
//! * `exception`: what the hardware says about jobs and faults
//! * `perfcnt`: performance counters
//! * `driver`, `bo`, `shrinker`, `ioctls`, `uapi`: the driver as the DRM layer and clients see it
//! * `regs`: registers, one file for each block
//!
//! Threads: ioctls in their callers'; interrupts in `irq`, which only touch what the job lock guards; all
//! else in one task queue, one task after the other, so that starting jobs, faults, time-outs, resets and
//! power-down never meet.
//!
//! Lock order: `Context::space` (Sx), `Gpu::reset` (Sx), `Gpu::power` (Sx), job lock.
#![no_std]
#![forbid(unsafe_code)]

// Unit tests run over the user-space system.
#[cfg(test)]
extern crate drm_os_host as _;

mod bo;
mod device;
mod driver;
mod exception;
mod gpu;
mod ioctls;
mod irq;
mod job;
mod mmu;
mod perfcnt;
mod regs;
mod shrinker;
pub mod uapi;

pub use driver::{Panfrost, DRIVER};
