// SPDX-License-Identifier: BSD-2-Clause
//! QEMU's `virt` machine with a board's GPU on its bus, for a kernel with its own driver.
//!
//! QEMU is Debian's, unmodified; crate `qemu_board` (tests/guest/qemu) is preloaded into it and
//! puts the models on the bus. This crate has both sides of that: QEMU's command line ([`Qemu`])
//! and device tree ([`tree`]) for the program that starts it, `drmboard vm`, and the models on the
//! bus ([`Machine`]) for the library; [`Config`] carries the options from one to the other, a
//! [`Report`] the results back. No driver of this project is part of it: the guest brings one. See
//! docs/crosscheck.md and docs/vmtest.md.

pub mod config;
mod machine;
mod power;
mod qemu;
mod report;
pub mod tree;

pub use config::Config;
pub use machine::{Machine, Platform};
pub use qemu::{Guest, Os, Qemu};
pub use report::Report;
