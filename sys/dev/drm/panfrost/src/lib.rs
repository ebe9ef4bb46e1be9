// SPDX-License-Identifier: BSD-2-Clause
//! DRM driver for Arm Mali Midgard and Bifrost GPUs with a job manager.
//!
//! * `device`, `irq`: a GPU, attach and detach, interrupts
//! * `gpu`: the GPU control block: identity, cores, power
//! * `mmu`: address spaces
//! * `job`: jobs, from an ioctl to a job slot and back
//! * `exception`: what the hardware says about jobs and faults
//! * `perfcnt`: performance counters
//! * `driver`, `file`, `bo`, `shrinker`, `ioctls`, `uapi`: the driver as the DRM layer and clients see it
//! * `regs`: registers, one file for each block
//!
//! Threads: ioctls in their callers'; interrupt handlers, which only touch what the job lock or the
//! MMU's lock guards; the runner's tasks, one after the other; MMU faults and the reapers in task
//! queues of their own.
//!
//! Lock order: the lock of a VM, the power lock, the job lock, the MMU's lock (docs/design.md).
#![no_std]
#![forbid(unsafe_code)]

// Unit tests run over the user-space system.
#[cfg(test)]
extern crate drm_os_host as _;

mod bo;
mod device;
mod driver;
mod exception;
mod file;
mod gpu;
mod ioctls;
mod irq;
mod job;
mod mmu;
mod perfcnt;
mod regs;
mod shrinker;
pub mod uapi;

pub use driver::DRIVER;

/// The driver.
pub struct Panfrost;
