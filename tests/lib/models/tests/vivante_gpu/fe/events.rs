// SPDX-License-Identifier: BSD-2-Clause
//! Events, semaphores and stalls.

use super::*;

#[test]
fn events_come_when_their_source_is_done() {
    let mut rig = Rig::ready(Variant::Gc2000);
    // A draw of 30000 vertices takes about 160 us.
    let at = rig.place(
        &Stream::new()
            .raw(&[0x2800_0000, 4, 0, 10_000])
            .event(1, FROM_PE)
            .event(2, FROM_FE)
            .end(),
    );
    rig.start(at, 5);
    rig.run(20_000);
    assert_eq!(rig.ack(), 1 << 2, "the front end is ahead of the draw");
    assert_eq!(rig.rd(0x4) & 1, 1);
    assert!(!rig.is_idle());
    rig.run(200_000);
    assert_eq!(rig.ack(), 1 << 1);
    assert!(rig.is_idle());
    rig.assert_clean();
}

#[test]
fn a_stall_holds_the_front_end() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let at = rig.place(
        &Stream::new()
            .raw(&[0x2800_0000, 4, 0, 10_000])
            .sync(FE, PE)
            .event(2, FROM_FE)
            .end(),
    );
    rig.start(at, 6);
    rig.run(20_000);
    assert_eq!(rig.ack(), 0);
    assert_eq!(rig.rd(0x660) & 0x1f, 0x15, "STALL");
    rig.run(200_000);
    assert_eq!(rig.ack(), 1 << 2);
    rig.assert_clean();
}

#[test]
fn a_stall_after_the_front_end_orders_units() {
    // RA waits for BLT: the draw, and the event after it, complete after the flush in BLT.
    let mut rig = Rig::ready(Variant::Gc7000L);
    let mut timing = *rig.gpu.timing();
    timing.flush_ns = 100_000;
    rig.gpu.set_timing(timing);
    let stream = Stream::new()
        .state(0x140b8, 1)
        .state(0x140ac, 1)
        .sync(RA, BLT)
        .event(4, FROM_BLT)
        .state(0x140b8, 0)
        .event(1, FROM_PE)
        .event(2, FROM_FE)
        .end();
    let at = rig.place(&stream);
    rig.start(at, stream.len());
    rig.run(50_000);
    assert_eq!(rig.ack(), 1 << 2, "the front end itself does not wait");
    rig.run(100_000);
    assert_eq!(rig.ack(), 1 << 1 | 1 << 4);
    rig.assert_clean();
}

#[test]
fn a_stall_without_semaphore_hangs() {
    let mut rig = Rig::ready(Variant::Gc2000);
    rig.exec(Stream::new().sync(FE, PE).stall(FE, PE).end());
    assert!(!rig.is_idle());
    assert_eq!(count(&rig, "stall without semaphore"), 1);
}

#[test]
fn a_semaphore_to_an_absent_blt_hangs() {
    let mut rig = Rig::ready(Variant::Gc2000);
    rig.exec(Stream::new().sync(FE, BLT).end());
    assert!(!rig.is_idle());
    assert_eq!(count(&rig, "BLT semaphore on a core without BLT"), 1);
}

#[test]
fn several_events_are_in_flight_and_keep_their_order() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let mut stream = Stream::new();
    for id in 0..6 {
        stream = stream.raw(&[0x2800_0000, 4, 0, 1_000]).event(id, FROM_PE);
    }
    let stream = stream.end();
    let at = rig.place(&stream);
    rig.start(at, stream.len());
    let mut seen = Vec::new();
    for _ in 0..200 {
        rig.run(1_000);
        let bits = rig.ack();
        seen.extend((0..30).filter(|id| bits >> id & 1 != 0));
    }
    assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
    assert_eq!(rig.gpu.stats().merged_events, 0);
    rig.assert_clean();
}

#[test]
fn an_event_over_a_pending_one_merges() {
    let mut rig = Rig::ready(Variant::Gc2000);
    rig.exec(Stream::new().event(7, FROM_FE).event(7, FROM_FE).end());
    assert_eq!(rig.gpu.stats().merged_events, 1);
    assert_eq!(rig.gpu.stats().events[7], 2);
    assert_eq!(rig.ack(), 1 << 7);
    rig.exec(Stream::new().event(30, FROM_FE).end());
    assert_eq!(rig.ack(), 0, "there are 30 events");
    assert_eq!(count(&rig, "event id out of range"), 1);
}
