// SPDX-License-Identifier: BSD-2-Clause
//! The RK3399's PMU, its part for power domains, and the GPU's QoS generator.
//!
//! PWRDN_CON removes power, but before that the interconnect must be requested to block all
//! transfers (BUS_IDLE_REQ) and must have confirmed it (BUS_IDLE_ACK, BUS_IDLE_ST). Power on takes
//! the reverse order.
//!
//! HW: Linux pm_domains.c and TF-A plat/rockchip/rk3399/drivers/pmu/pmu.c: registers, bits, and the
//! order, in which they agree: QoS settings saved, bus idle, power off; power on, bus open, QoS
//! settings restored. No register has write-enable bits in its upper half. Durations are not
//! documented: those here are long enough to expose a driver that does not wait.

use super::qos::{self, Qos};
use super::{Boot, Controller, Follower, Stats, Supply, Window};
use crate::bus::Access;

const PWRDN_CON: u32 = 0x14;
const PWRDN_ST: u32 = 0x18;
const IDLE_REQ: u32 = 0x60;
const IDLE_ST: u32 = 0x64;
const IDLE_ACK: u32 = 0x68;

/// The GPU in PWRDN_CON and PWRDN_ST.
const GPU_POWER: u32 = 1 << 15;
/// The GPU in BUS_IDLE_*.
const GPU_BUS: u32 = 1 << 0;

const ACK_NS: u64 = 500;
/// From the acknowledgement until all transfers in flight have completed.
const DRAIN_NS: u64 = 1_000;
const SWITCH_NS: u64 = 20_000;

const PMU: usize = 0;
const WINDOWS: [Window; 2] = [
    Window {
        name: "power-management@ff310000",
        len: 0x1000,
    },
    Window {
        name: "qos@ffae0000",
        len: qos::LEN,
    },
];

/// The controller: window 0 is the PMU's, window 1 that of the QoS generator.
#[derive(Clone, Debug)]
pub struct Pmu {
    now: u64,
    /// PWRDN_CON; a set bit powers the domain off.
    down: u32,
    is_down: Follower,
    idle_req: u32,
    ack: Follower,
    idle: Follower,
    qos: Qos,
    stats: Stats,
}

impl Pmu {
    /// The controller after firmware; all other domains are on.
    pub fn new(boot: Boot) -> Pmu {
        let (down, idle, qos) = match boot {
            Boot::Off => (GPU_POWER, GPU_BUS, Qos::default()),
            Boot::On => (0, 0, Qos::of_firmware()),
        };
        Pmu {
            now: 0,
            down,
            is_down: Follower::new(down),
            idle_req: idle,
            ack: Follower::new(idle),
            idle: Follower::new(idle),
            qos,
            stats: Stats::default(),
        }
    }

    fn advance(&mut self, now_ns: u64) {
        self.now = self.now.max(now_ns);
        let was_down = self.is_down.bits;
        for follower in [&mut self.is_down, &mut self.ack, &mut self.idle] {
            follower.poll(self.now);
        }
        let came_up = was_down & !self.is_down.bits & GPU_POWER;
        self.stats.power_ups += u64::from(came_up != 0);
    }

    fn has_power(&self) -> bool {
        (self.down | self.is_down.bits) & GPU_POWER == 0
    }

    fn write_down(&mut self, value: u32) {
        let changed = self.down ^ value;
        if changed & GPU_POWER != 0 {
            if (self.is_down.bits ^ self.down) & GPU_POWER != 0 {
                self.stats
                    .protocol("power switched before the last switch completed");
            }
            if value & GPU_POWER != 0 {
                if self.ack.bits & self.idle.bits & GPU_BUS == 0 {
                    self.stats.protocol("power taken while the bus is open");
                }
                // Power is removed at once; the status shows it later.
                self.stats.power_downs += 1;
                self.qos.lose();
            }
        }
        self.stats.other_domains += u64::from((changed & !GPU_POWER).count_ones());
        self.down = value;
        self.is_down.follow(self.now + SWITCH_NS, value);
    }

    fn write_idle(&mut self, value: u32) {
        let changed = self.idle_req ^ value;
        if changed & GPU_BUS != 0 {
            if !self.has_power() {
                self.stats.protocol("bus request without power");
            }
            if (self.ack.bits ^ self.idle_req) & GPU_BUS != 0
                || (self.idle.bits ^ self.idle_req) & GPU_BUS != 0
            {
                self.stats
                    .protocol("bus request before the last one completed");
            }
        }
        self.stats.other_domains += u64::from((changed & !GPU_BUS).count_ones());
        self.idle_req = value;
        self.ack.follow(self.now + ACK_NS, value);
        self.idle.follow(self.now + ACK_NS + DRAIN_NS, value);
    }

    /// Whether the QoS generator can be accessed. Counts the access if not.
    fn qos_answers(&mut self) -> bool {
        let answers = self.supply() == Supply::On;
        self.stats.dead_accesses += u64::from(!answers);
        answers
    }
}

impl Controller for Pmu {
    fn windows(&self) -> &'static [Window] {
        &WINDOWS
    }

    fn mmio_read(&mut self, now_ns: u64, window: usize, offset: u32) -> u32 {
        self.advance(now_ns);
        let value = match (window, offset) {
            (PMU, PWRDN_CON) => Some(self.down),
            (PMU, PWRDN_ST) => Some(self.is_down.bits),
            (PMU, IDLE_REQ) => Some(self.idle_req),
            (PMU, IDLE_ST) => Some(self.idle.bits),
            (PMU, IDLE_ACK) => Some(self.ack.bits),
            (PMU, _) => None,
            _ if !self.qos_answers() => return 0,
            _ => self.qos.read(offset),
        };
        value.unwrap_or_else(|| {
            self.stats.unknown(window, offset, Access::Read);
            0
        })
    }

    fn mmio_write(&mut self, now_ns: u64, window: usize, offset: u32, value: u32) {
        self.advance(now_ns);
        match (window, offset) {
            (PMU, PWRDN_CON) => self.write_down(value),
            (PMU, IDLE_REQ) => self.write_idle(value),
            (PMU, PWRDN_ST | IDLE_ST | IDLE_ACK) => self.stats.readonly_writes += 1,
            (PMU, _) => self.stats.unknown(window, offset, Access::Write),
            _ if !self.qos_answers() => (),
            _ => {
                if self.qos.write(offset, value).is_none() {
                    self.stats.unknown(window, offset, Access::Write);
                }
            }
        }
    }

    fn next_event(&self) -> Option<u64> {
        [self.is_down, self.ack, self.idle]
            .iter()
            .filter_map(Follower::due)
            .min()
    }

    fn poll(&mut self, now_ns: u64) {
        self.advance(now_ns);
    }

    fn supply(&self) -> Supply {
        let shut = (self.idle_req | self.ack.bits | self.idle.bits) & GPU_BUS != 0;
        match (self.has_power(), shut) {
            (false, _) => Supply::Off,
            (true, true) => Supply::Isolated,
            (true, false) => Supply::On,
        }
    }

    fn gpu_touched(&mut self) {
        match self.supply() {
            Supply::Off => (),
            Supply::Isolated => self.stats.isolated_accesses += 1,
            Supply::On if self.qos.restored() => (),
            Supply::On => self
                .stats
                .protocol("the GPU is used without its QoS settings"),
        }
    }

    fn gpu_strayed(&mut self, transfers: u64) {
        self.stats.isolated_transfers += transfers;
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }
}
