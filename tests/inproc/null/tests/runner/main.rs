// SPDX-License-Identifier: BSD-2-Clause
//! The runner, on an engine that is easy to understand: [`jobs`] has what clients of the null
//! driver see, [`order`] the order in which the runner calls a driver.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

mod engine;
mod jobs;
mod order;
mod rig;

/// A millisecond in ns.
const MS: u64 = 1_000_000;
/// Microseconds that no job may take.
const HANGS: u32 = 10_000_000;
