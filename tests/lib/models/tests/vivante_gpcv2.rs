// SPDX-License-Identifier: BSD-2-Clause
//! The i.MX8MQ's GPC: the sequences that the GPU's power domain needs, and the violations that the
//! model counts. Sources: Linux gpcv2.c (registers, bits, order), TF-A gpc.c of the i.MX8MQ
//! (mapping).

use models::power::{Boot, Controller, Gpcv2, Supply};
use models::Access;

const MAPPING: u32 = 0xec;
const PUP_REQ: u32 = 0xf8;
const PDN_REQ: u32 = 0x104;
const PWRHSK: u32 = 0x1fc;
const PGC_CTRL: u32 = 0xdc0;
const PGC_SR: u32 = 0xdcc;
/// Bits of the GPU.
const A53: u32 = 0x200;
const GPU: u32 = 0x80;
const REQ: u32 = 0x40;
const ACK: u32 = 0x400_0000;

struct Rig {
    gpc: Gpcv2,
    now: u64,
}

impl Rig {
    fn new(boot: Boot) -> Rig {
        Rig {
            gpc: Gpcv2::new(boot),
            now: 0,
        }
    }

    fn rd(&mut self, offset: u32) -> u32 {
        self.gpc.mmio_read(self.now, 0, offset)
    }

    fn wr(&mut self, offset: u32, value: u32) {
        self.gpc.mmio_write(self.now, 0, offset, value);
    }

    /// Reads, changes and writes a register, as a driver does.
    fn set(&mut self, offset: u32, mask: u32, value: u32) {
        let rest = self.rd(offset) & !mask;
        self.wr(offset, rest | value);
    }

    fn settle(&mut self) {
        while let Some(at) = self.gpc.next_event() {
            assert!(at > self.now, "time advances");
            self.now = at;
            self.gpc.poll(at);
        }
    }

    fn request(&mut self, register: u32) {
        self.set(register, GPU, GPU);
        assert_eq!(self.rd(register) & GPU, GPU, "it takes time");
        self.settle();
        assert_eq!(self.rd(register) & GPU, 0, "it clears itself");
    }

    fn on(&mut self) {
        self.gpc.set_regulator(self.now, true);
        self.set(MAPPING, A53, A53);
        self.request(PUP_REQ);
        self.set(PGC_CTRL, 1, 0);
        self.set(PWRHSK, REQ, REQ);
        self.settle();
    }

    fn off(&mut self) {
        self.set(PWRHSK, REQ, 0);
        self.settle();
        self.set(PGC_CTRL, 1, 1);
        self.request(PDN_REQ);
        self.gpc.set_regulator(self.now, false);
    }

    fn violation(&self) -> Option<&str> {
        let errors = &self.gpc.stats().protocol_errors;
        assert!(errors.len() <= 1, "{errors:?}");
        errors.keys().next().copied()
    }
}

#[test]
fn the_whole_way_up_and_down_is_clean() {
    for boot in [Boot::Off, Boot::On] {
        let mut rig = Rig::new(boot);
        // Linux requests power without a check of whether it is on.
        for _ in 0..3 {
            rig.on();
            assert_eq!(rig.gpc.supply(), Supply::On);
            rig.off();
            assert_eq!(rig.gpc.supply(), Supply::Off);
        }
        let ups = if boot == Boot::On { 2 } else { 3 };
        let stats = rig.gpc.stats();
        assert!(stats.is_clean(), "{stats:?}");
        assert_eq!((stats.power_ups, stats.power_downs), (ups, 3));
    }
}

#[test]
fn firmware_may_leave_it_on() {
    assert_eq!(Rig::new(Boot::Off).gpc.supply(), Supply::Off);
    let mut rig = Rig::new(Boot::On);
    assert_eq!(rig.gpc.supply(), Supply::On);
    assert_eq!((rig.rd(PWRHSK), rig.rd(MAPPING)), (REQ | ACK, 0xfffd));
}

#[test]
fn the_bridge_opens_after_power_and_answers() {
    let mut rig = Rig::new(Boot::Off);
    rig.gpc.set_regulator(0, true);
    rig.set(MAPPING, A53, A53);
    rig.wr(PUP_REQ, GPU);
    assert_eq!(rig.gpc.supply(), Supply::Off, "not yet");
    rig.settle();
    assert_eq!(rig.gpc.supply(), Supply::Isolated);
    rig.gpc.gpu_touched();
    rig.gpc.gpu_strayed(2);
    let stats = rig.gpc.stats();
    assert_eq!((stats.isolated_accesses, stats.isolated_transfers), (1, 2));
    rig.set(PWRHSK, REQ, REQ);
    assert_eq!((rig.rd(PWRHSK), rig.gpc.supply()), (REQ, Supply::Isolated));
    rig.settle();
    assert_eq!((rig.rd(PWRHSK), rig.gpc.supply()), (REQ | ACK, Supply::On));
    rig.gpc.gpu_touched();
    assert_eq!(rig.gpc.stats().isolated_accesses, 1);
    rig.set(PWRHSK, REQ, 0);
    assert_eq!(
        (rig.rd(PWRHSK), rig.gpc.supply()),
        (ACK, Supply::Isolated),
        "it is closed from the request on"
    );
}

#[test]
fn power_is_not_taken_through_an_open_bridge() {
    let mut rig = Rig::new(Boot::On);
    rig.set(PGC_CTRL, 1, 1);
    rig.request(PDN_REQ);
    assert_eq!(
        rig.violation(),
        Some("power taken while the bridge is open")
    );
    assert_eq!(
        (rig.gpc.supply(), rig.rd(PWRHSK) & ACK),
        (Supply::Off, 0),
        "power is removed all the same"
    );

    let mut rig = Rig::new(Boot::On);
    rig.set(PWRHSK, REQ, 0);
    rig.set(PGC_CTRL, 1, 1);
    rig.request(PDN_REQ);
    assert_eq!(
        rig.violation(),
        Some("power taken while the bridge is open"),
        "the acknowledgement was not read"
    );
}

#[test]
fn pcr_decides_whether_power_goes() {
    let mut rig = Rig::new(Boot::On);
    rig.set(PWRHSK, REQ, 0);
    rig.settle();
    rig.request(PDN_REQ);
    assert_eq!(rig.violation(), Some("request for power down without PCR"));
    assert_eq!((rig.gpc.supply(), rig.rd(PGC_SR)), (Supply::Isolated, 0));
}

#[test]
fn status_says_that_power_was_off() {
    let mut rig = Rig::new(Boot::On);
    rig.off();
    assert_eq!(rig.rd(PGC_SR), 1);
    rig.wr(PGC_SR, 0);
    assert_eq!(rig.rd(PGC_SR), 1);
    rig.wr(PGC_SR, 1);
    assert_eq!(rig.rd(PGC_SR), 0);
}

#[test]
fn requests_have_their_order() {
    let mut rig = Rig::new(Boot::Off);
    rig.gpc.set_regulator(0, true);
    rig.request(PUP_REQ);
    assert_eq!(
        rig.violation(),
        Some("request for a domain that is not mapped to the processor")
    );

    let mut rig = Rig::new(Boot::On);
    rig.set(PWRHSK, REQ, 0);
    rig.settle();
    rig.set(PGC_CTRL, 1, 1);
    rig.wr(PDN_REQ, GPU);
    rig.wr(PUP_REQ, GPU);
    assert_eq!(
        rig.violation(),
        Some("request before the last one completed")
    );

    let mut rig = Rig::new(Boot::Off);
    rig.set(PWRHSK, REQ, REQ);
    assert_eq!(rig.violation(), Some("bridge request without power"));

    let mut rig = Rig::new(Boot::On);
    rig.set(PWRHSK, REQ, 0);
    rig.set(PWRHSK, REQ, REQ);
    assert_eq!(
        rig.violation(),
        Some("bridge request before the last one completed")
    );
}

#[test]
fn the_supply_is_there_first_and_goes_last() {
    let mut rig = Rig::new(Boot::Off);
    rig.set(MAPPING, A53, A53);
    rig.request(PUP_REQ);
    assert_eq!(rig.violation(), Some("request for power without a supply"));
    assert_eq!(
        rig.gpc.supply(),
        Supply::Off,
        "without a supply there is no power"
    );

    let mut rig = Rig::new(Boot::On);
    rig.gpc.set_regulator(0, false);
    assert_eq!(rig.violation(), Some("supply taken before power was off"));
    let stats = rig.gpc.stats();
    assert_eq!((stats.power_downs, rig.gpc.supply()), (1, Supply::Off));
    assert_eq!(rig.rd(PWRHSK) & ACK, 0);

    let mut rig = Rig::new(Boot::On);
    rig.set(PWRHSK, REQ, 0);
    rig.settle();
    rig.set(PGC_CTRL, 1, 1);
    rig.wr(PDN_REQ, GPU);
    rig.gpc.set_regulator(rig.now + 1, false);
    assert_eq!(
        rig.violation(),
        Some("supply taken before power was off"),
        "the request has not completed"
    );

    let mut rig = Rig::new(Boot::Off);
    rig.gpc.set_regulator(0, true);
    rig.set(MAPPING, A53, A53);
    rig.wr(PUP_REQ, GPU);
    rig.gpc.set_regulator(rig.now + 1, false);
    rig.settle();
    assert_eq!(rig.violation(), Some("supply taken before power was off"));
    assert_eq!(rig.gpc.supply(), Supply::Off);
}

#[test]
fn a_request_that_is_made_again_is_the_same_one() {
    let mut rig = Rig::new(Boot::Off);
    rig.gpc.set_regulator(0, true);
    rig.set(MAPPING, A53, A53);
    rig.wr(PUP_REQ, GPU);
    let done = rig.gpc.next_event();
    rig.now += 1_000;
    rig.set(PUP_REQ, GPU, GPU);
    rig.wr(PUP_REQ, 0);
    assert_eq!((rig.rd(PUP_REQ), rig.gpc.next_event()), (GPU, done));
    rig.settle();
    rig.set(PGC_CTRL, 1, 1);
    rig.wr(PDN_REQ, GPU);
    let done = rig.gpc.next_event();
    rig.now += 1_000;
    rig.set(PDN_REQ, GPU, GPU);
    assert_eq!((rig.rd(PDN_REQ), rig.gpc.next_event()), (GPU, done));
    assert!(rig.gpc.stats().is_clean(), "{:?}", rig.gpc.stats());
}

/// The interrupt masks belong to another driver, the other domains to devices that are not
/// modelled.
#[test]
fn other_registers_keep_what_is_written() {
    let mut rig = Rig::new(Boot::Off);
    for offset in [0x30, 0x1d0, 0x800, 0xdc4] {
        rig.wr(offset, 0xffff_fffe);
        assert_eq!(rig.rd(offset), 0xffff_fffe);
    }
    assert!(rig.gpc.stats().is_clean());
    rig.wr(PUP_REQ, 1 << 8);
    rig.settle();
    assert_eq!(rig.rd(PUP_REQ), 0);
    // The display's domain.
    rig.wr(PWRHSK, 0x10);
    rig.settle();
    assert_eq!(rig.rd(PWRHSK), 0x100_0010);
    assert_eq!(
        (rig.gpc.supply(), rig.gpc.stats().other_domains),
        (Supply::Off, 2)
    );
    assert_eq!(rig.rd(0x2000), 0);
    let unknown: Vec<_> = rig.gpc.stats().unknown_registers.keys().copied().collect();
    assert_eq!(unknown, [(0, 0x2000, Access::Read)]);
}
