// SPDX-License-Identifier: BSD-2-Clause
//! Injected faults of the Vivante model.

use crate::common::*;
use models::vivante::{Injection, Variant};

fn ring(variant: Variant) -> (Rig, u64) {
    let mut rig = Rig::ready(variant);
    let ring = rig.alloc(1);
    rig.idle_loop(ring, ring);
    rig.start(ring, 2);
    rig.run(50_000);
    (rig, ring)
}

#[test]
fn the_next_job_hangs_and_the_idle_loop_does_not() {
    let (mut rig, ring) = ring(Variant::Gc7000L);
    rig.gpu.inject(Injection::HangNextJob);
    rig.run(1_000_000);
    assert_eq!(rig.gpu.stats().injected, 0, "the idle loop is not a job");
    let user = Stream::new().event(1, FROM_PE).end();
    let at = rig.place(&user);
    rig.kick(ring, user.len(), at);
    rig.run(1_000_000);
    assert_eq!(rig.gpu.stats().injected, 1);
    assert!(!rig.board.line);
    let address = rig.rd(0x664);
    rig.run(600_000_000);
    assert_eq!(rig.rd(0x664), address, "no progress for the hang check");
    assert_eq!(rig.rd(0x4) & 1, 0);
    // A reset ends it, and it does not happen again.
    rig.reset();
    rig.init();
    rig.exec(user);
    assert_eq!(rig.ack(), 2);
}

#[test]
fn a_hang_also_catches_a_draw() {
    let mut rig = Rig::ready(Variant::Gc2000);
    rig.gpu.inject(Injection::HangNextJob);
    rig.exec(
        Stream::new()
            .event(1, FROM_FE)
            .raw(&[0x2800_0000, 4, 0, 1])
            .event(2, FROM_FE)
            .end(),
    );
    assert_eq!(rig.ack(), 2);
    assert_eq!(rig.gpu.stats().draws, 0);
    assert!(!rig.is_idle());
}

#[test]
fn jobs_at_an_address_always_hang() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let bad = rig.place(&Stream::new().event(1, FROM_FE).end());
    let good = rig.place(&Stream::new().event(2, FROM_FE).end());
    rig.gpu.inject(Injection::HangJobsAt {
        first: bad as u32,
        last: bad as u32 + 0xfff,
    });
    for _ in 0..2 {
        rig.exec(Stream::new().link(2, bad));
        assert_eq!(rig.ack(), 0);
        rig.reset();
        rig.init();
    }
    rig.exec(Stream::new().link(2, good));
    assert_eq!(rig.ack(), 4);
}

#[test]
fn a_lost_interrupt_shows_in_the_register_only() {
    let mut rig = Rig::ready(Variant::Gc2000);
    rig.gpu.inject(Injection::LoseIrq);
    rig.exec(Stream::new().event(1, FROM_FE).end());
    assert!(!rig.board.line);
    // A later cause drives the line again, and the driver reads both.
    rig.exec(Stream::new().event(2, FROM_FE).end());
    assert!(rig.board.line);
    assert_eq!(rig.ack(), 6);
    assert!(!rig.board.line);
    rig.exec(Stream::new().event(1, FROM_FE).end());
    assert!(rig.board.line, "one-shot");
}

#[test]
fn a_late_interrupt_comes() {
    let mut rig = Rig::ready(Variant::Gc2000);
    rig.gpu.inject(Injection::LateIrq { ns: 5_000_000 });
    rig.exec(Stream::new().event(1, FROM_FE).end());
    assert!(!rig.board.line);
    rig.run(5_000_000);
    assert!(rig.board.line);
    assert_eq!(rig.ack(), 2);
}

#[test]
fn a_spurious_interrupt_has_no_cause() {
    let mut rig = Rig::ready(Variant::Gc2000);
    rig.gpu.inject(Injection::SpuriousIrq);
    rig.run(1_000);
    assert!(rig.board.line);
    assert_eq!(rig.ack(), 0);
    assert!(!rig.board.line);
    rig.gpu.inject(Injection::SpuriousIrq);
    rig.run(1_000);
    assert!(rig.board.line);
    rig.run(20_000);
    assert!(!rig.board.line, "it falls without a read");
    assert_eq!(rig.board.rises, 2);
}

#[test]
fn a_bus_error_at_the_front_end_hangs_it() {
    let mut rig = Rig::ready(Variant::Gc2000);
    rig.gpu.inject(Injection::BusErrorAt(0));
    rig.exec(Stream::new().event(1, FROM_FE).end());
    assert_eq!(rig.ack(), 1 << 31);
    assert_eq!(rig.rd(0xc), 1 << 9);
    assert!(!rig.is_idle());
    rig.reset();
    assert!(rig.is_idle());
    assert_eq!(rig.rd(0xc), 0);
}

#[test]
fn a_bus_error_of_a_unit_ends_its_work_only() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let page = rig.alloc(1);
    rig.gpu.inject(Injection::BusErrorAt(1));
    let stream = Stream::new()
        .state(0x3868, page as u32)
        .state(0x386c, 7)
        .event(1, FROM_PE)
        .end();
    rig.exec(stream);
    assert_eq!(rig.ack(), 1 << 31 | 2);
    assert_eq!(rig.r32(page), 0);
    assert_eq!(rig.rd(0xc), 1 << 8);
    assert_eq!(rig.gpu.stats().injected, 1);
}

#[test]
fn idle_turns_do_not_use_up_a_planted_bus_error() {
    let (mut rig, ring) = ring(Variant::Gc2000);
    rig.gpu.inject(Injection::BusErrorAt(0));
    rig.run(1_000_000);
    assert_eq!(rig.ack(), 0);
    let user = Stream::new().event(1, FROM_FE).end();
    let at = rig.place(&user);
    rig.kick(ring, user.len(), at);
    rig.run(100_000);
    assert_eq!(rig.ack(), 1 << 31);
}

#[test]
fn power_off_loses_a_hang() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    rig.gpu.inject(Injection::HangNextJob);
    let target = rig.place(&Stream::new().end());
    rig.exec(Stream::new().link(1, target));
    assert!(!rig.is_idle());
    rig.now += 100;
    rig.gpu.set_power(&mut rig.board, rig.now, false);
    assert_eq!(rig.gpu.next_event(), None);
    rig.now += 100;
    rig.gpu.set_power(&mut rig.board, rig.now, true);
    assert!(rig.is_idle());
}
