// SPDX-License-Identifier: BSD-2-Clause
//! The other tests of etnaviv again, on memory that no two neighbouring pages of are contiguous,
//! with a GPU that does not snoop: see `Rig::with`.
//!
//! Catches: page tables, rings or streams that the GPU reads before they are in memory, and tables
//! of a buffer whose pages are not where its first page says.

mod etnaviv;
mod etnaviv_boards;
mod etnaviv_counters;
mod etnaviv_faults;
mod etnaviv_hang;
mod etnaviv_shared_space;
mod etnaviv_unmapping;
