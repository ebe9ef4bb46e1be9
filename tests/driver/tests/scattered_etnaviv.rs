// SPDX-License-Identifier: BSD-2-Clause
//! The other tests of etnaviv again, on memory that no two neighbouring pages of are contiguous,
//! with a GPU that does not snoop: see `Rig::with`.
//!
//! Catches: page tables, rings or streams that the GPU reads before they are in memory, and tables
//! of a buffer whose pages are not where its first page says.

#[path = "etnaviv/boards.rs"]
mod boards;
#[path = "etnaviv/counters.rs"]
mod counters;
#[path = "etnaviv/faults.rs"]
mod faults;
#[path = "etnaviv/hang.rs"]
mod hang;
#[path = "etnaviv/jobs.rs"]
mod jobs;
#[path = "etnaviv/shared_space.rs"]
mod shared_space;
#[path = "etnaviv/unmapping.rs"]
mod unmapping;
