// SPDX-License-Identifier: BSD-2-Clause
//! The RK3399's PMU: the sequences that the GPU's power domain needs, and the violations that the
//! model counts. Sources: Linux pm_domains.c, TF-A pmu.c of the RK3399 (registers, bits, order),
//! rk3399.dtsi.

use models::power::{Boot, Controller, Pmu, Supply};
use models::Access;

const PMU: usize = 0;
const QOS: usize = 1;
const PWRDN_CON: u32 = 0x14;
const PWRDN_ST: u32 = 0x18;
const IDLE_REQ: u32 = 0x60;
const IDLE_ST: u32 = 0x64;
const IDLE_ACK: u32 = 0x68;
/// Bits of the GPU.
const POWER: u32 = 0x8000;
const BUS: u32 = 1;
const SAVED: [u32; 5] = [0x08, 0x0c, 0x10, 0x14, 0x18];

struct Rig {
    pmu: Pmu,
    now: u64,
}

impl Rig {
    fn new(boot: Boot) -> Rig {
        Rig {
            pmu: Pmu::new(boot),
            now: 0,
        }
    }

    fn rd(&mut self, offset: u32) -> u32 {
        self.pmu.mmio_read(self.now, PMU, offset)
    }

    fn wr(&mut self, offset: u32, value: u32) {
        self.pmu.mmio_write(self.now, PMU, offset, value);
    }

    fn qos(&mut self) -> [u32; 5] {
        SAVED.map(|offset| self.pmu.mmio_read(self.now, QOS, offset))
    }

    fn set_qos(&mut self, values: [u32; 5]) {
        for (offset, value) in SAVED.into_iter().zip(values) {
            self.pmu.mmio_write(self.now, QOS, offset, value);
        }
    }

    /// Advances the time until no event is pending; returns the time it took.
    fn settle(&mut self) -> u64 {
        let began = self.now;
        while let Some(at) = self.pmu.next_event() {
            assert!(at > self.now, "time advances");
            self.now = at;
            self.pmu.poll(at);
        }
        self.now - began
    }

    fn wait(&mut self, offset: u32, mask: u32, value: u32) {
        for _ in 0..1000 {
            if self.rd(offset) & mask == value {
                return;
            }
            self.now += 100;
        }
        panic!("register {offset:#x} does not become {value:#x} within 100 us");
    }

    fn bus(&mut self, idle: u32) {
        let rest = self.rd(IDLE_REQ) & !BUS;
        self.wr(IDLE_REQ, rest | idle);
        self.wait(IDLE_ACK, BUS, idle);
        self.wait(IDLE_ST, BUS, idle);
    }

    fn power(&mut self, down: u32) {
        let rest = self.rd(PWRDN_CON) & !POWER;
        self.wr(PWRDN_CON, rest | down);
        self.wait(PWRDN_ST, POWER, down);
    }

    fn off(&mut self) -> [u32; 5] {
        let qos = self.qos();
        self.bus(BUS);
        self.power(POWER);
        qos
    }

    fn on(&mut self, qos: [u32; 5]) {
        self.power(0);
        self.bus(0);
        self.set_qos(qos);
        self.pmu.gpu_touched();
    }

    /// The violation that was counted, if any.
    fn violation(&self) -> Option<&str> {
        let errors = &self.pmu.stats().protocol_errors;
        assert!(errors.len() <= 1, "{errors:?}");
        errors.keys().next().copied()
    }
}

#[test]
fn the_whole_way_up_and_down_is_clean() {
    for boot in [Boot::Off, Boot::On] {
        let mut rig = Rig::new(boot);
        let (state, ups) = match boot {
            Boot::Off => (Supply::Off, 3),
            Boot::On => (Supply::On, 2),
        };
        assert_eq!(rig.pmu.supply(), state);
        if boot == Boot::Off {
            rig.on([0; 5]);
        }
        for _ in 0..2 {
            let qos = rig.off();
            assert_eq!(rig.pmu.supply(), Supply::Off);
            rig.on(qos);
            assert_eq!(rig.pmu.supply(), Supply::On);
        }
        let stats = rig.pmu.stats();
        assert!(stats.is_clean(), "{stats:?}");
        assert_eq!((stats.power_ups, stats.power_downs), (ups, 2));
    }
}

#[test]
fn a_switch_takes_time_up_and_is_at_once_down() {
    let mut rig = Rig::new(Boot::Off);
    rig.wr(PWRDN_CON, 0);
    assert_eq!((rig.rd(PWRDN_CON), rig.rd(PWRDN_ST)), (0, POWER));
    assert_eq!(rig.pmu.supply(), Supply::Off, "not yet");
    assert!(rig.settle() >= 10_000);
    assert_eq!(rig.rd(PWRDN_ST), 0);
    assert_eq!(rig.pmu.supply(), Supply::Isolated, "the bus is closed");
    rig.bus(0);
    assert_eq!(rig.pmu.supply(), Supply::On);
    rig.bus(BUS);
    rig.wr(PWRDN_CON, POWER);
    assert_eq!((rig.pmu.supply(), rig.rd(PWRDN_ST)), (Supply::Off, 0));
}

#[test]
fn the_bus_acknowledges_and_then_is_idle() {
    let mut rig = Rig::new(Boot::On);
    rig.wr(IDLE_REQ, BUS);
    assert_eq!(
        (rig.rd(IDLE_ACK), rig.rd(IDLE_ST), rig.pmu.supply()),
        (0, 0, Supply::Isolated),
        "it is closed from the request on"
    );
    rig.wait(IDLE_ACK, BUS, BUS);
    assert_eq!(rig.rd(IDLE_ST), 0, "transfers are in flight");
    rig.wait(IDLE_ST, BUS, BUS);
}

#[test]
fn power_is_not_taken_from_an_open_bus() {
    let mut rig = Rig::new(Boot::On);
    rig.power(POWER);
    assert_eq!(rig.violation(), Some("power taken while the bus is open"));
    assert_eq!(
        rig.pmu.supply(),
        Supply::Off,
        "power is removed all the same"
    );

    let mut rig = Rig::new(Boot::On);
    rig.wr(IDLE_REQ, BUS);
    rig.wait(IDLE_ACK, BUS, BUS);
    rig.power(POWER);
    assert_eq!(
        rig.violation(),
        Some("power taken while the bus is open"),
        "acknowledged is not idle"
    );
}

#[test]
fn requests_have_their_order() {
    let mut rig = Rig::new(Boot::Off);
    rig.wr(PWRDN_CON, 0);
    rig.wr(IDLE_REQ, 0);
    assert_eq!(rig.violation(), Some("bus request without power"));

    let mut rig = Rig::new(Boot::Off);
    rig.wr(PWRDN_CON, 0);
    rig.wr(PWRDN_CON, POWER);
    assert_eq!(
        rig.violation(),
        Some("power switched before the last switch completed")
    );

    let mut rig = Rig::new(Boot::On);
    rig.wr(IDLE_REQ, BUS);
    rig.wr(IDLE_REQ, 0);
    assert_eq!(
        rig.violation(),
        Some("bus request before the last one completed")
    );
}

#[test]
fn qos_settings_are_lost_with_power() {
    let mut rig = Rig::new(Boot::On);
    let qos = rig.off();
    assert_ne!(qos, [0; 5], "firmware sets them");
    rig.power(0);
    rig.bus(0);
    assert_eq!(rig.qos(), [0; 5]);
    rig.pmu.gpu_touched();
    assert_eq!(
        rig.violation(),
        Some("the GPU is used without its QoS settings")
    );
    let before = rig.pmu.stats().clone();
    rig.pmu.gpu_touched();
    assert_eq!(rig.pmu.stats(), &before, "counted once");
}

#[test]
fn qos_settings_that_were_not_put_back_are_not_forgotten() {
    let mut rig = Rig::new(Boot::On);
    let qos = rig.off();
    rig.power(0);
    rig.bus(0);
    // The GPU is not used between the two power cycles.
    rig.off();
    rig.power(0);
    rig.bus(0);
    rig.set_qos(qos);
    rig.pmu.gpu_touched();
    assert!(rig.pmu.stats().is_clean(), "{:?}", rig.pmu.stats());
}

#[test]
fn qos_needs_power_and_bus() {
    let mut rig = Rig::new(Boot::On);
    rig.pmu.mmio_write(0, QOS, 0x08, 7);
    assert_eq!(rig.qos()[0], 7);
    rig.bus(BUS);
    assert_eq!(rig.qos(), [0; 5]);
    rig.power(POWER);
    rig.pmu.mmio_write(rig.now, QOS, 0x08, 8);
    assert_eq!(rig.pmu.stats().dead_accesses, 6);
}

#[test]
fn use_of_a_gpu_without_a_bus_is_counted() {
    let mut rig = Rig::new(Boot::On);
    rig.pmu.gpu_touched();
    assert!(rig.pmu.stats().is_clean());
    rig.bus(BUS);
    rig.pmu.gpu_touched();
    rig.pmu.gpu_strayed(3);
    let stats = rig.pmu.stats();
    assert_eq!((stats.isolated_accesses, stats.isolated_transfers), (1, 3));
}

/// Would catch a driver that takes the upper half of the register for write-enable bits.
#[test]
fn other_domains_are_tracked() {
    let mut rig = Rig::new(Boot::On);
    rig.wr(PWRDN_CON, 1 << 16 | 1 << 31);
    rig.wr(IDLE_REQ, 1 << 3);
    rig.settle();
    assert_eq!(rig.rd(PWRDN_ST), 1 << 16 | 1 << 31);
    assert_eq!((rig.rd(IDLE_ST), rig.rd(IDLE_ACK)), (1 << 3, 1 << 3));
    assert_eq!(
        (rig.pmu.supply(), rig.pmu.stats().other_domains),
        (Supply::On, 3)
    );
    assert_eq!(rig.violation(), None);
}

#[test]
fn what_is_no_register_is_counted() {
    let mut rig = Rig::new(Boot::On);
    assert_eq!(rig.rd(0x1c), 0);
    rig.wr(0x1c, 1);
    rig.wr(PWRDN_ST, 0);
    rig.pmu.mmio_write(0, QOS, 0x1c, 1);
    let stats = rig.pmu.stats();
    let unknown: Vec<_> = stats.unknown_registers.keys().copied().collect();
    assert_eq!(
        unknown,
        [
            (PMU, 0x1c, Access::Read),
            (PMU, 0x1c, Access::Write),
            (QOS, 0x1c, Access::Write)
        ]
    );
    assert_eq!(stats.readonly_writes, 1);
}
