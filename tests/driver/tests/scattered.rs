// SPDX-License-Identifier: BSD-2-Clause
//! All other tests again, on a GPU that does not snoop and with memory in single pages; see
//! `Rig::with`.

mod allocation;
mod boards;
mod faults;
mod hang;
mod implicit;
mod irqs;
mod memory;
mod power;
mod soak;
mod spaces;
