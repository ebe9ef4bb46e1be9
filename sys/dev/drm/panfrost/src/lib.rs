// SPDX-License-Identifier: BSD-2-Clause
//! DRM driver for Arm Mali Midgard and Bifrost GPUs with a job manager.
//!
//! Register layer, one file per block: `regs`, `gpu`, `power`, `quirks`, `address_space`, `job_slot`,
//! `job_events`. What jobs are and who runs when: `submit`, `jobs`, `timeout`, `reset`. Memory: `bo`,
//! `context`, `mapping`, `va`, `shrinker`, `fault`. `device` holds it together, `ioctls` is the user ABI.
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

mod address_space;
mod as_slots;
mod bo;
mod context;
mod device;
mod driver;
mod exception;
mod fault;
mod features;
mod gpu;
mod ioctls;
mod irq;
mod issues;
mod job_events;
mod job_slot;
mod jobs;
mod mapping;
mod model;
mod perfcnt;
mod power;
mod quirks;
mod regs;
mod reset;
mod shrinker;
mod submit;
mod timeout;
pub mod uapi;
mod va;

pub use driver::{Panfrost, DRIVER};
