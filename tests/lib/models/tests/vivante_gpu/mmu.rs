// SPDX-License-Identifier: BSD-2-Clause
//! Both MMUs of the Vivante model: set-up, walk, TLB, VM switches, exceptions, windows.

use crate::common::*;
use models::vivante::{Injection, Variant};

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
fn stale_translations_stay_until_a_flush() {
    for variant in V2 {
        let mut m = Mapped::new(variant);
        let first = m.rig.map_new(m.mtlb, 0x40_0000, 1, RW);
        m.exec(&done(poke(0x40_0000, 1)));
        let second = m.rig.map_new(m.mtlb, 0x40_0000, 1, RW);
        m.exec(&done(poke(0x40_0000, 2)));
        assert_eq!(
            (m.rig.r32(first), m.rig.r32(second)),
            (2, 0),
            "the old page is still used"
        );
        // HW: etnaviv.md 4: MODE_MASK | FLUSH, with the table if not secure.
        let table = if m.rig.secure { 0 } else { m.mtlb as u32 };
        m.exec(&done(Stream::new().state(0x184, table | 0x18)));
        m.exec(&done(poke(0x40_0000, 3)));
        assert_eq!((m.rig.r32(first), m.rig.r32(second)), (2, 3));
        m.rig.ack();
        m.rig.assert_clean();
    }
}

#[test]
fn a_page_mapped_beside_one_in_use_needs_a_flush() {
    // HW: etnaviv.md 4: every map needs a flush; missing flushes caused translation errors.
    for (variant, flush) in [(V2[0], true), (V2[0], false), (V2[1], true), (V2[1], false)] {
        let mut m = Mapped::new(variant);
        m.rig.map_new(m.mtlb, 0x40_0000, 1, RW);
        m.exec(&done(poke(0x40_0000, 1)));
        let near = m.rig.map_new(m.mtlb, 0x40_f000, 1, RW);
        let far = m.rig.map_new(m.mtlb, 0x41_0000, 1, RW);
        m.exec(&done(poke(0x41_0000, 2)));
        assert_eq!(m.rig.r32(far), 2, "another line of the table");
        if flush {
            let table = if m.rig.secure { 0 } else { m.mtlb as u32 };
            m.exec(&done(Stream::new().state(0x184, table | 0x18)));
        }
        m.exec(&done(poke(0x40_f000, 3)));
        let expected = if flush {
            (3, (0, 0))
        } else {
            (0, (2, 0x40_f000))
        };
        assert_eq!((m.rig.r32(near), m.status()), expected, "{variant:?}");
    }
}

#[test]
fn an_unmapped_page_stays_usable_until_a_flush() {
    let mut m = Mapped::new(Variant::Gc7000L);
    let page = m.rig.map_new(m.mtlb, 0x40_0000, 1, RW);
    m.exec(&done(poke(0x40_0000, 1)));
    m.rig.map(m.mtlb, 0x40_0000, 0, 1, EXCEPTION);
    m.exec(&done(poke(0x40_0000, 2)));
    assert_eq!(m.rig.r32(page), 2);
    let late = Stream::new().raw(&[0x2800_0000, 1, 0, 1_000]);
    let late = Stream([late.0, poke(0x40_0000, 3).0].concat());
    m.exec(&late.state(0x184, 0x18).sync(FE, PE).end());
    assert_eq!(m.status(), (2, 0x40_0000));
    assert_eq!(
        m.rig.r32(page),
        2,
        "a flush before the stall affects work in flight"
    );
}

#[test]
fn masked_fields_of_the_configuration_do_nothing() {
    let mut m = Mapped::new(Variant::Gc3000);
    let mtlb = m.rig.rd(0x184);
    let flushes = m.rig.gpu.stats().tlb_flushes;
    m.exec(&done(Stream::new().state(0x184, 0xffff_fc11 | 0x188)));
    assert_eq!(m.rig.rd(0x184), mtlb);
    assert_eq!(m.rig.gpu.stats().tlb_flushes, flushes);
    m.rig.assert_clean();
}

/// Another table with the ring at the same address and its own page at 0x40_0000.
fn second_vm(m: &mut Mapped) -> (u64, u64) {
    let mtlb = m.rig.tables();
    m.rig.map(mtlb, RING, m.ring, 1, PRESENT);
    let page = m.rig.map_new(mtlb, 0x40_0000, 1, RW);
    (mtlb, page)
}

#[test]
fn contexts_switch_by_pta_entry() {
    let mut m = Mapped::new(Variant::Gc7000L);
    let first = m.rig.map_new(m.mtlb, 0x40_0000, 1, RW);
    let (mtlb, second) = second_vm(&mut m);
    m.rig.set_pta(7, mtlb);
    m.exec(&done(poke(0x40_0000, 1)));
    // Selected but not flushed: the old translation stays in use.
    m.exec(&done(Stream::new().state(0x1ac, 7)));
    m.exec(&done(poke(0x40_0000, 2)));
    assert_eq!((m.rig.r32(first), m.rig.r32(second)), (2, 0));
    m.exec(&done(
        Stream::new()
            .state(0x1ac, 7)
            .state(0x184, 0x18)
            .sync(FE, PE),
    ));
    m.exec(&done(poke(0x40_0000, 3)));
    assert_eq!((m.rig.r32(first), m.rig.r32(second)), (2, 3));
    m.exec(&done(
        Stream::new()
            .state(0x1ac, 0)
            .state(0x184, 0x18)
            .sync(FE, PE),
    ));
    m.exec(&done(poke(0x40_0000, 4)));
    assert_eq!((m.rig.r32(first), m.rig.r32(second)), (4, 3));
    m.rig.ack();
    m.rig.assert_clean();
}

#[test]
fn jobs_of_two_contexts_take_turns_in_one_ring() {
    // HW: etnaviv.md 4 "Flush/switch in the ring", 2.7.
    let mut m = Mapped::new(Variant::Gc7000L);
    let first = m.rig.map_new(m.mtlb, 0x40_0000, 1, RW);
    let (mtlb, second) = second_vm(&mut m);
    m.rig.set_pta(1, mtlb);
    let users = [(0, m.mtlb, first), (1, mtlb, second)];
    m.rig.idle_loop(m.ring, u64::from(RING));
    m.rig.start(u64::from(RING), 2);
    let mut at = 0;
    for turn in 0..6_u32 {
        let (id, mtlb, page) = users[turn as usize % 2];
        // Each job has its own buffer at its own address.
        let va = 0x2000 + turn * 0x1000;
        let user = poke(0x40_0000, turn + 1);
        let (switch, back) = (at + 16, at + 16 + 5 * 8);
        let user = user.link(3, u64::from(RING + back));
        let pa = m.rig.place(&user);
        m.rig.map(mtlb, va, pa, 1, PRESENT);
        let head = Stream::new()
            .state(0x1ac, id)
            .state(0x184, 0x18)
            .sync(FE, PE)
            .link(user.len(), u64::from(va));
        let tail = Stream::new()
            .event(turn, FROM_PE)
            .wait(200)
            .link(2, u64::from(RING + back + 8));
        m.rig.put(m.ring + u64::from(switch), &head.0);
        m.rig.put(m.ring + u64::from(back), &tail.0);
        m.rig
            .kick(m.ring + u64::from(at), head.len(), u64::from(RING + switch));
        m.rig.run(200_000);
        assert_eq!(m.rig.ack(), 1 << turn);
        assert_eq!(m.rig.r32(page), turn + 1);
        at = back + 8;
    }
    m.rig.assert_clean();
}

#[test]
fn the_pta_entry_is_read_when_it_is_selected() {
    let mut m = Mapped::new(Variant::Gc7000L);
    let (mtlb, page) = second_vm(&mut m);
    m.rig.set_pta(0, mtlb);
    let first = m.rig.map_new(m.mtlb, 0x40_0000, 1, RW);
    m.exec(&done(poke(0x40_0000, 1)));
    assert_eq!(
        (m.rig.r32(first), m.rig.r32(page)),
        (1, 0),
        "a change of the entry has no effect"
    );
}

#[test]
fn contexts_switch_by_configuration_on_a_non_secure_core() {
    let mut m = Mapped::new(Variant::Gc3000);
    let first = m.rig.map_new(m.mtlb, 0x40_0000, 1, RW);
    let (mtlb, second) = second_vm(&mut m);
    m.exec(&done(poke(0x40_0000, 1)));
    m.exec(&done(
        Stream::new().state(0x184, mtlb as u32 | 0x18).sync(FE, PE),
    ));
    m.exec(&done(poke(0x40_0000, 2)));
    assert_eq!((m.rig.r32(first), m.rig.r32(second)), (1, 2));
    m.rig.ack();
    m.rig.assert_clean();
}

#[test]
fn the_banks_belong_to_their_security_mode() {
    let mut m = Mapped::new(Variant::Gc7000L);
    m.exec(&poke(0x40_0000, 1).end());
    assert_eq!((m.rig.rd(0x384), m.rig.rd(0x380)), (1, 0x40_0000));
    assert_eq!(m.rig.rd(0x188), 0);
    let mut m = Mapped::new(Variant::Gc3000);
    m.exec(&poke(0x40_0000, 1).end());
    assert_eq!((m.rig.rd(0x188), m.rig.rd(0x190)), (1, 0x40_0000));
    // PTA_CONFIG has no function here.
    m.rig.reset();
    m.rig.init();
    m.rig.exec(Stream::new().state(0x1ac, 0).end());
    assert_eq!(m.rig.gpu.stats().protocol_error_count(), 1);
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

// --- MMUv1. HW: etnaviv.md 2.14, 4 ---

/// A core with a flat table of 512 Ki entries, all to the bad page.
fn v1() -> (Rig, u64) {
    let mut rig = Rig::ready(Variant::Gc2000);
    let table = rig.alloc(512);
    let bad = rig.safe as u32;
    rig.fill(table, 0x1000, bad);
    for n in 0..5 {
        rig.wr(0x400 + n * 4, table as u32);
    }
    (rig, table)
}

#[test]
fn the_linear_window_starts_at_the_base_of_the_client() {
    let (mut rig, _) = v1();
    let page = rig.alloc(1);
    // FE and PE: 0x41c, 0x428.
    for offset in [0x418, 0x41c, 0x420, 0x424, 0x428] {
        rig.wr(offset, RAM as u32);
        assert_eq!(rig.rd(offset), RAM as u32);
    }
    let stream = done(poke((page - RAM) as u32, 9));
    let at = rig.place(&stream);
    rig.start(at - RAM, stream.len());
    rig.run(100_000);
    assert_eq!(rig.ack(), 2);
    assert_eq!(rig.r32(page), 9);
    rig.assert_clean();
}

#[test]
fn the_flat_table_serves_the_upper_half() {
    let (mut rig, table) = v1();
    let page = rig.alloc(1);
    rig.w32(table + 4 * 3, page as u32);
    rig.exec(done(poke(0x8000_3008, 9)));
    assert_eq!(rig.ack(), 2);
    assert_eq!(rig.r32(page + 8), 9);
    // Accesses to unmapped pages go to the bad page and no error is counted: MMUv1 has no
    // exceptions.
    rig.exec(done(poke(0x8000_5008, 7)));
    assert_eq!(rig.ack(), 2);
    let bad = rig.safe;
    assert_eq!(rig.r32(bad + 8), 7);
    rig.assert_clean();
}

#[test]
fn mmuv1_flushes_by_client() {
    let (mut rig, table) = v1();
    let (first, second) = (rig.alloc(1), rig.alloc(1));
    rig.w32(table, first as u32);
    rig.exec(done(poke(0x8000_0000, 1)));
    rig.w32(table, second as u32);
    rig.exec(done(poke(0x8000_0000, 2)));
    assert_eq!((rig.r32(first), rig.r32(second)), (2, 0), "stale");
    rig.exec(done(Stream::new().state(0x3810, 1)));
    rig.exec(done(poke(0x8000_0000, 3)));
    assert_eq!(
        (rig.r32(first), rig.r32(second)),
        (3, 0),
        "only the front end was flushed"
    );
    rig.exec(done(Stream::new().state(0x3810, 0x1f)));
    rig.exec(done(poke(0x8000_0000, 4)));
    assert_eq!((rig.r32(first), rig.r32(second)), (3, 4));
    rig.ack();
    rig.assert_clean();
}

#[test]
fn mmuv1_takes_in_a_line_of_the_table() {
    let (mut rig, table) = v1();
    let (bad, page) = (rig.alloc(1), rig.alloc(1));
    rig.fill(table, 4096, bad as u32);
    rig.exec(done(poke(0x8000_0000, 1)));
    rig.w32(table + 15 * 4, page as u32);
    rig.exec(done(poke(0x8000_f000, 2)));
    assert_eq!((rig.r32(bad), rig.r32(page)), (2, 0), "still the bad page");
    rig.exec(done(Stream::new().state(0x3810, 0x1f)));
    rig.exec(done(poke(0x8000_f000, 3)));
    assert_eq!((rig.r32(bad), rig.r32(page)), (2, 3));
    rig.ack();
    rig.assert_clean();
}

#[test]
fn the_front_end_fetches_through_the_flat_table() {
    let (mut rig, table) = v1();
    let at = rig.place(&Stream::new().event(4, FROM_FE).end());
    rig.w32(table + 4, at as u32);
    rig.start(0x8000_1000, 2);
    rig.run(100_000);
    assert_eq!(rig.ack(), 1 << 4);
    rig.assert_clean();
}

#[test]
fn an_unreadable_table_is_a_bus_error() {
    let (mut rig, table) = v1();
    rig.board.holes.push((table, table + 4096));
    rig.exec(done(poke(0x8000_0000, 1)));
    assert_eq!(rig.ack(), 1 << 31 | 1 << 1);
    assert_eq!(rig.gpu.stats().bus_errors, 1);
}
