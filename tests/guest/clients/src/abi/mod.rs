// SPDX-License-Identifier: BSD-2-Clause
//! The differential client of the user ABI: calls made from a seed, their transcript, and the
//! comparison of two transcripts.
//!
//! The one thing to know: what is called depends on the seed and on the names of objects alone,
//! never on numbers that a kernel chose. So two kernels see the same calls, and one difference does
//! not make others.

pub mod compare;
pub mod core_calls;
pub mod epoch;
pub mod etnaviv;
pub mod fd_calls;
pub mod memory;
pub mod names;
pub mod objects;
pub mod panfrost;
pub mod panfrost_newer;
pub mod rng;
pub mod spec;
pub mod specs;
pub mod state;
pub mod stream;
pub mod syncobj_calls;
pub mod times;
