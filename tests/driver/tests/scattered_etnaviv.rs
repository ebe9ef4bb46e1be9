// SPDX-License-Identifier: BSD-2-Clause
//! The tests of etnaviv.rs on memory that no two neighbouring pages of are contiguous, with a GPU that does not
//! snoop: see `Rig::with`.
//!
//! Catches: page tables, rings or streams that the GPU reads before they are in memory, and tables of a buffer whose
//! pages are not where its first page says.

mod etnaviv;
