// SPDX-License-Identifier: BSD-2-Clause
//! Files of panfrost/ again, on a GPU that does not snoop and with memory in single pages: they
//! take their rig from the root of the program.

use driver_tests::panfrost::ScatteredRig as Rig;

#[path = "panfrost/allocation.rs"]
mod allocation;
#[path = "panfrost/boards.rs"]
mod boards;
#[path = "panfrost/faults.rs"]
mod faults;
#[path = "panfrost/hang.rs"]
mod hang;
#[path = "panfrost/heaps.rs"]
mod heaps;
#[path = "panfrost/implicit.rs"]
mod implicit;
#[path = "panfrost/irqs.rs"]
mod irqs;
#[path = "panfrost/limits.rs"]
mod limits;
#[path = "panfrost/power.rs"]
mod power;
#[path = "panfrost/purging.rs"]
mod purging;
#[path = "panfrost/soak.rs"]
mod soak;
#[path = "panfrost/spaces.rs"]
mod spaces;
#[path = "panfrost/stuck.rs"]
mod stuck;
