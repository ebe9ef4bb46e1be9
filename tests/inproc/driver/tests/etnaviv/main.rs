// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv on Vivante GPUs, on the virtual clock.

/// The files that etnaviv_scattered.rs repeats take their rig from here.
use driver_tests::etnaviv::Rig;

mod allocation;
mod allocation_imx6;
mod boards;
mod coherence;
mod counters;
mod dump;
mod faults;
mod hang;
mod jobs;
mod latency;
mod long_streams;
mod nodes;
mod recovery;
mod shared_space;
mod sharing;
mod soak;
mod softpin;
mod streams;
mod suspend;
mod unmapping;
