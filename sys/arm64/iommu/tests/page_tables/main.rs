// SPDX-License-Identifier: BSD-2-Clause
//! Tests of the page tables: a device that walks them, and an oracle.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::unreachable,
    reason = "a test may fail loudly"
)]

mod bits;
mod common;
mod matrix;
mod random;
