// SPDX-License-Identifier: BSD-2-Clause
//! DRM driver for Vivante GPUs; so far for those with MMUv2 and the secure register bank (GC7000L of the
//! i.MX8MQ).
//!
//! Hardware: `hw` (registers), `ring` (command memory), `tables` (page table array), `identity`, `hwdb`. What a
//! client may submit: `stream`, `validate`. Jobs: `submit`, `jobs`, `recover`. Memory: `context`. `device` holds it
//! together, `ioctls` is the user ABI.
//!
//! Lock order: `Gpu::power` (Sx); `Context::space` (Sx), reservation lock, job lock.
#![no_std]
#![forbid(unsafe_code)]

// Unit tests run over the user-space system.
#[cfg(test)]
extern crate drm_os_host as _;

mod context;
mod device;
mod driver;
pub mod features;
mod hw;
pub mod hwdb;
pub mod identity;
mod ioctls;
mod jobs;
pub mod perfmon_tables;
mod recover;
pub mod regs;
mod ring;
pub mod stream;
mod submit;
mod tables;
pub mod uapi;
mod validate;
mod validate_states;

pub use driver::{Etnaviv, DRIVER};
