// SPDX-License-Identifier: BSD-2-Clause
//! Both MMUs of the Vivante model: set-up, walk, TLB, VM switches, exceptions, windows.

use crate::common::*;
use models::vivante::{Injection, Variant};

mod switch;
mod tlb;
mod v1;

const RING: u32 = 0x1000;
const RW: u32 = PRESENT | WRITEABLE;

/// A core with MMUv2 on, an idle front end and a ring page mapped read-only.
struct Mapped {
    rig: Rig,
    mtlb: u64,
    ring: u64,
}

impl Mapped {
    fn new(variant: Variant) -> Mapped {
        let mut rig = Rig::ready(variant);
        let mtlb = rig.tables();
        let ring = rig.map_new(mtlb, RING, 1, PRESENT);
        rig.enable_mmu(mtlb);
        rig.assert_clean();
        Mapped { rig, mtlb, ring }
    }

    /// Runs a stream from the ring page by virtual address.
    fn exec(&mut self, stream: &Stream) {
        self.rig.put(self.ring, &stream.0);
        self.rig.start(u64::from(RING), stream.len());
        self.rig.run(1_000_000);
    }

    fn status(&mut self) -> (u32, u32) {
        if self.rig.secure {
            (self.rig.rd(0x384), self.rig.rd(0x380))
        } else {
            (self.rig.rd(0x188), self.rig.rd(0x190))
        }
    }
}

/// A stream in which PE writes `value` to `va` by a fence, and raises event 1.
fn poke(va: u32, value: u32) -> Stream {
    Stream::new().state(0x3868, va).state(0x386c, value)
}

fn done(stream: Stream) -> Stream {
    stream.event(1, FROM_PE).end()
}

const V2: [Variant; 2] = [Variant::Gc7000L, Variant::Gc3000];

#[test]
fn before_the_mmu_addresses_are_physical_and_then_virtual() {
    for variant in V2 {
        let mut m = Mapped::new(variant);
        m.exec(&done(Stream::new()));
        assert_eq!(m.rig.ack(), 2);
        m.rig.assert_clean();
        assert!(m.rig.gpu.stats().tlb_walks > 0);
    }
}

#[test]
fn writes_go_where_the_tables_say() {
    for variant in V2 {
        let mut m = Mapped::new(variant);
        let page = m.rig.map_new(m.mtlb, 0xffc0_2000, 1, RW);
        m.exec(&done(poke(0xffc0_2010, 0xabcd)));
        assert_eq!(m.rig.ack(), 2);
        assert_eq!(m.rig.r32(page + 0x10), 0xabcd);
        m.rig.assert_clean();
    }
}

#[test]
fn forty_bit_pages() {
    // HW: etnaviv.md 4: bits 39:32 of the page are bits 11:4 of the entry.
    let mut rig = Rig::cold(Variant::Gc7000L);
    let mtlb = rig.tables();
    rig.map(mtlb, 0x40_0000, 0x12_3456_7000, 1, RW);
    let at = rig.entry(mtlb, 0x40_0000);
    assert_eq!(rig.r32(at), 0x3456_7000 | 0x12 << 4 | RW);
    let mut m = Mapped::new(Variant::Gc7000L);
    m.rig.map(m.mtlb, 0x40_0000, 0x12_3456_7000, 1, RW);
    m.exec(&done(poke(0x40_0000, 1)));
    assert_eq!(
        m.rig.ack(),
        1 << 31 | 1 << 1,
        "there is no memory at this address: a bus error"
    );
    assert_eq!(m.rig.rd(0xc), 1 << 8, "write error");
}

#[test]
fn exceptions_name_code_and_address_and_halt() {
    let cases: [(u32, u32); 3] = [
        // No slave table, no page, no write permission.
        (0x8000_0040, 1),
        (0x40_1040, 2),
        (0x40_0040, 3),
    ];
    for variant in V2 {
        for (va, code) in cases {
            let mut m = Mapped::new(variant);
            m.rig.map_new(m.mtlb, 0x40_0000, 1, PRESENT);
            m.exec(
                &poke(va, 1)
                    .event(1, FROM_PE)
                    .sync(FE, PE)
                    .event(2, FROM_FE)
                    .end(),
            );
            assert!(m.rig.board.line);
            assert_eq!(m.status(), (code, va), "code {code}");
            assert_eq!(m.rig.ack(), 1 << 30);
            assert!(!m.rig.is_idle(), "the GPU is halted");
            assert_eq!(m.rig.gpu.next_event(), None);
            m.rig.wait(1_000_000);
            assert_eq!(m.rig.ack(), 0);
            assert_eq!(m.rig.gpu.stats().mmu_exceptions.get(&code), Some(&1));
            // Only a reset ends the halt, and it turns the MMU off.
            m.rig.reset();
            m.rig.init();
            assert_eq!(m.status(), (0, 0));
            m.rig.exec(Stream::new().event(3, FROM_FE).end());
            assert_eq!(m.rig.ack(), 1 << 3);
        }
    }
}

#[test]
fn the_front_end_faults_too() {
    let mut m = Mapped::new(Variant::Gc7000L);
    m.exec(&Stream::new().link(2, 0x2000));
    assert_eq!(m.rig.ack(), 1 << 30);
    assert_eq!(m.status(), (2, 0x2000));
}

#[test]
fn mode1k_tables_are_out_of_bound() {
    let mut m = Mapped::new(Variant::Gc3000);
    let mtlb = m.mtlb as u32;
    m.exec(
        &Stream::new()
            .state(0x184, mtlb | 1 | 0x10)
            .link(1, 0x40_0000),
    );
    assert_eq!(m.status(), (4, 0x40_0000));
}

#[test]
fn entries_without_exception_go_to_the_safe_page() {
    let mut m = Mapped::new(Variant::Gc7000L);
    let at = m.rig.entry(m.mtlb, 0x40_0000);
    m.rig.w32(at, 0);
    m.exec(&done(poke(0x40_0044, 0x55)));
    assert_eq!(m.rig.ack(), 2);
    let safe = m.rig.safe;
    assert_eq!(m.rig.r32(safe + 4), 0x55, "64 bytes of safe zone");
    assert_eq!(m.rig.gpu.stats().safe_accesses, 1);
}

#[test]
fn the_mmu_cannot_be_switched_off() {
    for variant in V2 {
        let mut m = Mapped::new(variant);
        let control = if m.rig.secure { 0x388 } else { 0x18c };
        m.rig.wr(control, 0);
        assert_eq!(m.rig.rd(control), 1);
        assert_eq!(
            m.rig
                .gpu
                .stats()
                .protocol_errors
                .get("MMU disable without a reset"),
            Some(&1)
        );
        m.rig.reset();
        assert_eq!(m.rig.rd(control), 0);
    }
}

#[test]
fn the_safe_address_is_written_once() {
    let mut m = Mapped::new(Variant::Gc3000);
    let safe = m.rig.safe as u32;
    m.exec(&done(Stream::new().state(0x180, safe)));
    m.rig.assert_clean();
    m.exec(&done(Stream::new().state(0x180, safe + 0x40)));
    assert_eq!(m.rig.rd(0x180), safe);
    assert_eq!(
        m.rig
            .gpu
            .stats()
            .protocol_errors
            .get("safe address written twice"),
        Some(&1)
    );
}

#[test]
fn an_injected_exception_hits_the_nth_translation() {
    let mut m = Mapped::new(Variant::Gc7000L);
    m.rig.map_new(m.mtlb, 0x40_0000, 1, RW);
    m.rig.gpu.inject(Injection::MmuExceptionAt(2));
    m.exec(&done(poke(0x40_0000, 1).state(0x386c, 2)));
    // Translation 0 is the fetch, 1 the first write.
    assert_eq!(m.status(), (2, 0x40_0000));
    assert_eq!(m.rig.gpu.stats().injected, 1);
}
