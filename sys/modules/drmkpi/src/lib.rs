// SPDX-License-Identifier: BSD-2-Clause
//! The Rust half of drmkpi.ko: what sys/dev/drm/kpi/freebsd/drm_drivers.h declares, and the panic handler.
#![no_std]

mod drivers;
mod panic;
