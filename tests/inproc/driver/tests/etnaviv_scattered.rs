// SPDX-License-Identifier: BSD-2-Clause
//! Files of etnaviv/ again, on memory that no two neighbouring pages of are contiguous, with a GPU
//! that does not snoop: they take their rig from the root of the program.
//!
//! Catches: page tables, rings or streams that the GPU reads before they are in memory, and tables
//! of a buffer whose pages are not where its first page says.

use driver_tests::etnaviv::ScatteredRig as Rig;

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
#[path = "etnaviv/recovery.rs"]
mod recovery;
#[path = "etnaviv/shared_space.rs"]
mod shared_space;
#[path = "etnaviv/sharing.rs"]
mod sharing;
#[path = "etnaviv/softpin.rs"]
mod softpin;
#[path = "etnaviv/unmapping.rs"]
mod unmapping;
