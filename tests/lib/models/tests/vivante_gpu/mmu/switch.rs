// SPDX-License-Identifier: BSD-2-Clause
//! Switches between the tables of two VMs.

use super::*;

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
