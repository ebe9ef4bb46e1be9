// SPDX-License-Identifier: BSD-2-Clause
//! What the tests of the drivers share: boards and clients, which are those of crate `test_board`,
//! and the parts of the fuzzers.

pub mod fuzz;

pub use test_board::*;
