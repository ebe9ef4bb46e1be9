// SPDX-License-Identifier: BSD-2-Clause
//! The Rust half of drmkpi.ko: the functions that sys/dev/drm/kpi/freebsd/drm_drivers.h declares,
//! and the panic handler.
#![no_std]

mod drivers;
mod panic;
