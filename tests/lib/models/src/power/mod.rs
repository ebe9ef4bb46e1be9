// SPDX-License-Identifier: BSD-2-Clause
//! Power controllers of two SoCs: what gives the GPU its power, and what lets it onto the bus.
//!
//! The one thing to know: a controller knows nothing of the GPU. It says what the GPU has
//! ([`Supply`]), and the embedder of both switches the GPU's model, blocks accesses to it, and
//! reports them to the controller.

use crate::bus::Access;
use std::collections::BTreeMap;

mod gpcv2;
mod qos;
mod rk3399;

pub use gpcv2::Gpcv2;
pub use rk3399::Pmu;

/// What the GPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// No power: its state is lost.
    Off,
    /// Power, but its bus is shut: its registers cannot be accessed, and it reaches no memory.
    Isolated,
    /// All it needs.
    On,
}

/// What firmware did with the GPU's power before the kernel came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Boot {
    /// It is off.
    #[default]
    Off,
    /// It is on, and the bus is open.
    On,
}

/// A register window of a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Name of the node in the SoC's device tree.
    pub name: &'static str,
    /// Bytes.
    pub len: u32,
}

/// A controller. Times are absolute, in nanoseconds; the controller first does what has expired up
/// to then.
pub trait Controller: Send {
    /// Its windows; accesses name them by index.
    fn windows(&self) -> &'static [Window];
    /// Reads the register at byte `offset` of a window. What is no register reads zero and is
    /// counted.
    fn mmio_read(&mut self, now_ns: u64, window: usize, offset: u32) -> u32;
    /// Writes the register at byte `offset` of a window.
    fn mmio_write(&mut self, now_ns: u64, window: usize, offset: u32, value: u32);
    /// When something happens by itself next.
    fn next_event(&self) -> Option<u64>;
    /// Does what has expired.
    fn poll(&mut self, now_ns: u64);
    /// The regulator that feeds the GPU's domain comes or goes, where the controller's driver is
    /// the one to see to it.
    fn set_regulator(&mut self, _now_ns: u64, _on: bool) {}
    /// What the GPU has now.
    fn supply(&self) -> Supply;
    /// The processor is about to touch a register of the GPU.
    fn gpu_touched(&mut self);
    /// The GPU has made so many transfers while its bus was shut.
    fn gpu_strayed(&mut self, transfers: u64);
    /// What happened so far.
    fn stats(&self) -> &Stats;
}

/// Counters of a controller since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Times the GPU got power.
    pub power_ups: u64,
    /// Times power was taken from the GPU.
    pub power_downs: u64,
    /// Accesses to the GPU's registers while it had power and its bus was shut.
    pub isolated_accesses: u64,
    /// Transfers of the GPU at that time.
    pub isolated_transfers: u64,
    /// Accesses to registers of the controller that the GPU's power feeds, while there was none or
    /// the bus was shut.
    pub dead_accesses: u64,
    /// Requests for domains other than the GPU's, by domain. They are no offence of themselves: a
    /// driver that has no business with them makes them by mistake.
    pub other_domains: u64,
    /// Accesses to offsets that are no register, with window and offset.
    pub unknown_registers: BTreeMap<(usize, u32, Access), u64>,
    /// Writes to read-only registers.
    pub readonly_writes: u64,
    /// Use that hardware leaves undefined, by short name.
    pub protocol_errors: BTreeMap<&'static str, u64>,
}

impl Stats {
    /// Whether there was nothing that hardware leaves undefined.
    pub fn is_clean(&self) -> bool {
        let sums = self.isolated_accesses
            + self.isolated_transfers
            + self.dead_accesses
            + self.other_domains
            + self.readonly_writes;
        sums == 0 && self.unknown_registers.is_empty() && self.protocol_errors.is_empty()
    }

    fn protocol(&mut self, what: &'static str) {
        *self.protocol_errors.entry(what).or_default() += 1;
    }

    fn unknown(&mut self, window: usize, offset: u32, access: Access) {
        *self
            .unknown_registers
            .entry((window, offset, access))
            .or_default() += 1;
    }
}

/// Bits that follow others after some time.
#[derive(Clone, Copy, Debug, Default)]
struct Follower {
    bits: u32,
    next: Option<(u64, u32)>,
}

impl Follower {
    fn new(bits: u32) -> Follower {
        Follower { bits, next: None }
    }

    /// The bits will be `bits` at the time `at`.
    fn follow(&mut self, at: u64, bits: u32) {
        self.next = (bits != self.bits).then_some((at, bits));
    }

    fn due(&self) -> Option<u64> {
        self.next.map(|(at, _)| at)
    }

    /// What they will be.
    fn target(&self) -> u32 {
        self.next.map_or(self.bits, |(_, bits)| bits)
    }

    fn poll(&mut self, now: u64) {
        if let Some((_, bits)) = self.next.filter(|(at, _)| *at <= now) {
            *self = Follower::new(bits);
        }
    }
}
