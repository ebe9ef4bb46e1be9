// SPDX-License-Identifier: BSD-2-Clause
//! What the validator of command streams admits, compared with a second reader of the same streams
//! and a model that executes them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    reason = "a test may fail loudly"
)]

mod board;
mod cases;
mod executed;
mod foreign;
mod fuzz;
mod named;
mod reader;
mod relocations;
