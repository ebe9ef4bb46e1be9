// SPDX-License-Identifier: BSD-2-Clause
//! panfrost on a Mali, on the virtual clock but for single tests.

/// The files that panfrost_scattered.rs repeats take their rig from here.
use driver_tests::panfrost::Rig;

mod allocation;
mod basic;
mod boards;
mod coherence;
mod contexts;
mod faults;
mod hang;
mod heaps;
mod implicit;
mod inherited_space;
mod irqs;
mod latency;
mod limits;
mod perfcnt;
mod power;
mod purging;
mod soak;
mod spaces;
mod stuck;
mod suspend;
