// SPDX-License-Identifier: BSD-2-Clause
//! Vivante GPUs: what they are (`identity`, `features`, `hwdb`, `perfmon_tables`) and which command streams a
//! client may give them (`stream`, `validate`). Pure; the driver that uses it does not exist yet.
#![no_std]
#![forbid(unsafe_code)]

// Unit tests run over the user-space system.
#[cfg(test)]
extern crate drm_os_host as _;

pub mod features;
pub mod hwdb;
pub mod identity;
pub mod perfmon_tables;
pub mod regs;
pub mod stream;
mod validate;
mod validate_states;
