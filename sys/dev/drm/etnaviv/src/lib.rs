// SPDX-License-Identifier: BSD-2-Clause
//! DRM driver for Vivante GPUs.
//!
//! Hardware: `identity`, `identify` and `hwdb` (who a core is), `hw` (registers), `ring` (command memory),
//! `mmu` and `tables`. What a client may submit: `stream`, `validate`. Jobs: `submit`, `jobs`, `hardware`, `sample` (counters),
//! `recover`, `dump`. Memory: `context`, `space`, `regions`. A `device` has `cores`; `ioctls` is the user ABI.
//!
//! Lock order: docs/design.md.
#![no_std]
#![forbid(unsafe_code)]

// Unit tests run over the user-space system.
#[cfg(test)]
extern crate drm_os_host as _;

mod bo;
mod context;
mod cores;
mod counters;
mod device;
mod driver;
mod dump;
pub mod features;
mod file;
mod hardware;
mod hw;
pub mod hwdb;
pub mod identify;
pub mod identity;
mod ioctls;
mod job;
mod jobs;
mod mmu;
mod numbers;
pub mod perfmon_tables;
mod reaper;
mod recover;
mod refused;
mod regions;
pub mod regs;
mod ring;
mod sample;
mod services;
mod space;
pub mod stream;
mod submit;
mod tables;
pub mod uapi;
mod validate;
mod validate_states;

pub use driver::DRIVER;

/// The driver.
pub struct Etnaviv;
