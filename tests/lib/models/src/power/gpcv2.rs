// SPDX-License-Identifier: BSD-2-Clause
//! The i.MX8MQ's general power controller, version 2: its part for power domains.
//!
//! Between the GPU's domain and the interconnect is an ADB400 bridge. It is requested to close
//! (PWRDNREQN, active low, in PU_PWRHSK) and acknowledges that (PWRDNACKN, also active low) before
//! power is removed, and is requested to open when power is on.
//!
//! HW: Linux gpcv2.c: registers, bits, and the order: power up, PCR off, bridge open; bridge
//! closed, PCR on, power down; a request bit clears itself when the request completes.
//! imx8mq-evk.dts: the domain has a supply from the PMIC, which is on before power is requested and
//! goes off when the power-down request completes. TF-A plat/imx/imx8m/imx8mq/gpc.c: the mapping
//! that firmware sets up.
//!
//! The reference manual was not available. Assumed: power stays on without PCR (Linux names that
//! bit "power control"); the bridge takes some cycles of the bus; the duration of a transition of
//! the domain is a guess, as it is set in registers that no driver writes; power down sets the
//! status register, and writing a one clears it. All other registers (interrupt masks, sequence
//! slots, other domains) keep what is written, have no effect, and read zero at first.

use super::{Boot, Controller, Follower, Stats, Supply, Window};
use crate::bus::Access;
use std::collections::BTreeMap;

const MAPPING: u32 = 0x0ec;
const PUP_REQ: u32 = 0x0f8;
const PDN_REQ: u32 = 0x104;
const PWRHSK: u32 = 0x1fc;
/// PGC number 23, 0x40 bytes each from 0x800 on.
const PGC_GPU_CTRL: u32 = 0x800 + 23 * 0x40;
const PGC_GPU_SR: u32 = PGC_GPU_CTRL + 0xc;

/// The GPU in PUP_REQ and PDN_REQ.
const GPU: u32 = 1 << 7;
/// The GPU in the mapping to the Cortex-A53.
const GPU_A53: u32 = 1 << 9;
/// The mapping of all domains, as TF-A sets it up.
const MAPPED: u32 = 0xfffd;
/// Software requests switch the power.
const PCR: u32 = 1 << 0;
/// Request bits of display, VPU and GPU; their acknowledge bits have the same order further up.
const HSK_REQ: u32 = 0x70;
const HSK_SHIFT: u32 = 20;
const HSK_ACK: u32 = HSK_REQ << HSK_SHIFT;
const GPU_REQ: u32 = 1 << 6;
const GPU_ACK: u32 = GPU_REQ << HSK_SHIFT;

const SWITCH_NS: u64 = 50_000;
const BRIDGE_NS: u64 = 200;

const WINDOWS: [Window; 1] = [Window {
    name: "gpc@303a0000",
    len: 0x1_0000,
}];

/// The controller.
#[derive(Clone, Debug)]
pub struct Gpcv2 {
    now: u64,
    regulator: bool,
    power: bool,
    /// Pending power-up and power-down requests.
    up: Follower,
    down: Follower,
    request: u32,
    answer: Follower,
    plain: BTreeMap<u32, u32>,
    stats: Stats,
}

fn is_register(offset: u32) -> bool {
    offset.is_multiple_of(4) && matches!(offset, 0x000..=0x1ff | 0x800..=0xfff)
}

impl Gpcv2 {
    /// The controller after firmware.
    pub fn new(boot: Boot) -> Gpcv2 {
        let mut gpc = Gpcv2 {
            now: 0,
            regulator: false,
            power: false,
            up: Follower::default(),
            down: Follower::default(),
            request: 0,
            answer: Follower::default(),
            plain: BTreeMap::new(),
            stats: Stats::default(),
        };
        if boot == Boot::On {
            (gpc.regulator, gpc.power) = (true, true);
            gpc.request = GPU_REQ;
            gpc.answer = Follower::new(GPU_ACK);
            gpc.plain.insert(MAPPING, MAPPED);
        }
        gpc
    }

    fn plain(&self, offset: u32) -> u32 {
        self.plain.get(&offset).copied().unwrap_or(0)
    }

    fn advance(&mut self, now_ns: u64) {
        self.now = self.now.max(now_ns);
        let asked = self.up.bits;
        self.up.poll(self.now);
        self.down.poll(self.now);
        if asked & !self.up.bits & GPU != 0 && !self.power && self.regulator {
            self.power = true;
            self.stats.power_ups += 1;
            self.handshake();
        }
        self.answer.poll(self.now);
    }

    /// Makes the bridges acknowledge their requests. The GPU's bridge has no power while the GPU
    /// has none.
    fn handshake(&mut self) {
        let powered = if self.power {
            HSK_ACK
        } else {
            HSK_ACK & !GPU_ACK
        };
        let answer = (self.request << HSK_SHIFT) & powered;
        if self.answer.target() != answer {
            self.answer.follow(self.now + BRIDGE_NS, answer);
        }
    }

    fn request_of_gpu(&mut self, other: Follower) {
        if self.plain(MAPPING) & GPU_A53 == 0 {
            self.stats
                .protocol("request for a domain that is not mapped to the processor");
        }
        if other.bits & GPU != 0 {
            self.stats.protocol("request before the last one completed");
        }
    }

    fn write_up(&mut self, value: u32) {
        // Zero bits have no effect, and a request that is pending is not made again.
        let new = value & !self.up.bits;
        self.stats.other_domains += u64::from((new & !GPU).count_ones());
        if new & GPU != 0 {
            self.request_of_gpu(self.down);
            if !self.regulator {
                self.stats.protocol("request for power without a supply");
            }
        }
        if new != 0 {
            self.up.bits |= new;
            self.up.follow(self.now + SWITCH_NS, 0);
        }
    }

    fn write_down(&mut self, value: u32) {
        let new = value & !self.down.bits;
        self.stats.other_domains += u64::from((new & !GPU).count_ones());
        if new & GPU != 0 {
            self.request_of_gpu(self.up);
            self.cut();
        }
        if new != 0 {
            self.down.bits |= new;
            self.down.follow(self.now + SWITCH_NS, 0);
        }
    }

    /// Handles a power-down request: power is removed at once, and the request completes later.
    fn cut(&mut self) {
        if self.plain(PGC_GPU_CTRL) & PCR == 0 {
            self.stats.protocol("request for power down without PCR");
            return;
        }
        if !self.power {
            return;
        }
        if (self.answer.bits | self.answer.target()) & GPU_ACK != 0 {
            self.stats.protocol("power taken while the bridge is open");
        }
        self.lose_power();
        self.plain.insert(PGC_GPU_SR, 1);
    }

    fn lose_power(&mut self) {
        self.power = false;
        self.stats.power_downs += 1;
        self.answer = Follower::new(self.answer.bits & !GPU_ACK);
        self.handshake();
    }

    fn write_handshake(&mut self, value: u32) {
        let changed = (self.request ^ value) & HSK_REQ;
        self.stats.other_domains += u64::from((changed & !GPU_REQ).count_ones());
        if changed & GPU_REQ != 0 {
            if !self.power {
                self.stats.protocol("bridge request without power");
            }
            if self.answer.due().is_some() {
                self.stats
                    .protocol("bridge request before the last one completed");
            }
        }
        self.request = value & !HSK_ACK;
        self.handshake();
    }
}

impl Controller for Gpcv2 {
    fn windows(&self) -> &'static [Window] {
        &WINDOWS
    }

    fn mmio_read(&mut self, now_ns: u64, window: usize, offset: u32) -> u32 {
        self.advance(now_ns);
        match offset {
            PUP_REQ => self.up.bits,
            PDN_REQ => self.down.bits,
            PWRHSK => self.request | self.answer.bits,
            _ if is_register(offset) => self.plain(offset),
            _ => {
                self.stats.unknown(window, offset, Access::Read);
                0
            }
        }
    }

    fn mmio_write(&mut self, now_ns: u64, window: usize, offset: u32, value: u32) {
        self.advance(now_ns);
        match offset {
            PUP_REQ => self.write_up(value),
            PDN_REQ => self.write_down(value),
            PWRHSK => self.write_handshake(value),
            // Writing ones clears it.
            PGC_GPU_SR => {
                let left = self.plain(offset) & !value;
                self.plain.insert(offset, left);
            }
            _ if is_register(offset) => {
                self.plain.insert(offset, value);
            }
            _ => self.stats.unknown(window, offset, Access::Write),
        }
    }

    fn next_event(&self) -> Option<u64> {
        [self.up, self.down, self.answer]
            .iter()
            .filter_map(Follower::due)
            .min()
    }

    fn poll(&mut self, now_ns: u64) {
        self.advance(now_ns);
    }

    fn set_regulator(&mut self, now_ns: u64, on: bool) {
        self.advance(now_ns);
        if self.regulator && !on && (self.power || (self.up.bits | self.down.bits) & GPU != 0) {
            self.stats.protocol("supply taken before power was off");
            if self.power {
                self.lose_power();
            }
        }
        self.regulator = on;
    }

    fn supply(&self) -> Supply {
        let open = self.request & GPU_REQ != 0 && self.answer.bits & GPU_ACK != 0;
        match (self.power, open) {
            (false, _) => Supply::Off,
            (true, false) => Supply::Isolated,
            (true, true) => Supply::On,
        }
    }

    fn gpu_touched(&mut self) {
        self.stats.isolated_accesses += u64::from(self.supply() == Supply::Isolated);
    }

    fn gpu_strayed(&mut self, transfers: u64) {
        self.stats.isolated_transfers += transfers;
    }

    fn stats(&self) -> &Stats {
        &self.stats
    }
}
