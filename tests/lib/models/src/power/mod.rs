// SPDX-License-Identifier: BSD-2-Clause
//! Power controllers of two SoCs: they supply the GPU with power and connect it to the bus.
//!
//! A controller has no reference to the GPU's model. It reports the state of the GPU's supply
//! ([`Supply`]); the code that embeds both switches the GPU's model, blocks accesses to it, and
//! reports those accesses to the controller.

use crate::bus::Access;
use std::collections::BTreeMap;

mod gpcv2;
mod qos;
mod rk3399;

pub use gpcv2::Gpcv2;
pub use rk3399::Pmu;

/// State of the GPU's power and bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// No power: its state is lost.
    Off,
    /// Power is on, but the bus is closed: the GPU's registers cannot be accessed, and it cannot
    /// access memory.
    Isolated,
    /// Power is on and the bus is open.
    On,
}

/// State in which firmware leaves the GPU's power for the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Boot {
    /// Power is off.
    #[default]
    Off,
    /// Power is on, and the bus is open.
    On,
}

/// A register window of a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Name of the node in the SoC's device tree.
    pub name: &'static str,
    /// Size, bytes.
    pub len: u32,
}

/// A controller. Times are absolute, in nanoseconds; each call first carries out the events up to
/// its time.
pub trait Controller: Send {
    /// The controller's windows; accesses name them by index.
    fn windows(&self) -> &'static [Window];
    /// Reads the register at byte `offset` of a window. Reads of offsets without a register return
    /// zero and are counted.
    fn mmio_read(&mut self, now_ns: u64, window: usize, offset: u32) -> u32;
    /// Writes the register at byte `offset` of a window.
    fn mmio_write(&mut self, now_ns: u64, window: usize, offset: u32, value: u32);
    /// Time of the next event; `None` if none is pending.
    fn next_event(&self) -> Option<u64>;
    /// Carries out all events up to `now_ns`.
    fn poll(&mut self, now_ns: u64);
    /// Switches the regulator that feeds the GPU's domain, for controllers whose driver controls
    /// it.
    fn set_regulator(&mut self, _now_ns: u64, _on: bool) {}
    /// Current state of the GPU's power and bus.
    fn supply(&self) -> Supply;
    /// Called before the processor accesses a register of the GPU.
    fn gpu_touched(&mut self);
    /// Called when the GPU has made `transfers` transfers while its bus was closed.
    fn gpu_strayed(&mut self, transfers: u64);
    /// Counters since the controller was created.
    fn stats(&self) -> &Stats;
}

/// Counters of a controller since it was created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Times the GPU was powered on.
    pub power_ups: u64,
    /// Times the GPU was powered off.
    pub power_downs: u64,
    /// Accesses to the GPU's registers while it had power and its bus was closed.
    pub isolated_accesses: u64,
    /// Transfers of the GPU while it had power and its bus was closed.
    pub isolated_transfers: u64,
    /// Accesses to those registers of the controller that are in the GPU's power domain, while it
    /// had no power or its bus was closed.
    pub dead_accesses: u64,
    /// Requests for domains other than the GPU's, by domain. Hardware allows them, but the GPU's
    /// driver has no reason for one.
    pub other_domains: u64,
    /// Accesses to offsets without a register, with window and offset.
    pub unknown_registers: BTreeMap<(usize, u32, Access), u64>,
    /// Writes to read-only registers.
    pub readonly_writes: u64,
    /// Use that hardware leaves undefined, by short name.
    pub protocol_errors: BTreeMap<&'static str, u64>,
}

impl Stats {
    /// Whether no use that hardware leaves undefined has been counted.
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

/// Bits that take a new value after a delay.
#[derive(Clone, Copy, Debug, Default)]
struct Follower {
    bits: u32,
    next: Option<(u64, u32)>,
}

impl Follower {
    fn new(bits: u32) -> Follower {
        Follower { bits, next: None }
    }

    /// Sets the value `bits`, to be taken at the time `at`.
    fn follow(&mut self, at: u64, bits: u32) {
        self.next = (bits != self.bits).then_some((at, bits));
    }

    fn due(&self) -> Option<u64> {
        self.next.map(|(at, _)| at)
    }

    /// The value after the delay.
    fn target(&self) -> u32 {
        self.next.map_or(self.bits, |(_, bits)| bits)
    }

    fn poll(&mut self, now: u64) {
        if let Some((_, bits)) = self.next.filter(|(at, _)| *at <= now) {
            *self = Follower::new(bits);
        }
    }
}
