// SPDX-License-Identifier: BSD-2-Clause
//! The idle loop, and the commands that replace its WAIT.

use super::*;

#[test]
fn the_idle_loop_polls_without_burning_calls() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let ring = rig.alloc(1);
    rig.idle_loop(ring, ring);
    rig.start(ring, 2);
    rig.wait(10_000);
    assert_eq!(rig.rd(0x4), 0x7fff_fffe);
    assert_eq!(rig.rd(0x660) & 0x1f, 0x12, "WAIT");
    assert!((ring..ring + 16).contains(&u64::from(rig.rd(0x664))));
    // One read of memory per call, however much time it covers.
    let reads = rig.board.reads;
    rig.wait(1_000_000_000);
    assert_eq!(rig.board.reads, reads + 1);
    // By default the next event is at most 30 us away.
    let next = rig.gpu.next_event().unwrap();
    assert_eq!(next, rig.now + 30_000);
    rig.gpu.set_idle_poll(5_000_000);
    assert_eq!(rig.gpu.next_event(), Some(rig.now + 5_000_000));
    rig.gpu.set_idle_poll(u64::MAX);
    assert_eq!(rig.gpu.next_event(), None);
    // As silicon: every turn of the loop, about 200 cycles at 528 MHz.
    rig.gpu.set_idle_poll(0);
    let turn = rig.gpu.next_event().unwrap() - rig.now;
    assert!(turn < 1_000, "{turn}");
    rig.assert_clean();
}

#[test]
fn the_idle_loop_does_not_look_stuck() {
    // HW: etnaviv.md 2.16, Linux 6.1 etnaviv_gpu.c verify_dma: 500 reads of address and state; 2.7:
    // 30 us a turn.
    let mut rig = Rig::ready(Variant::Gc7000L);
    let ring = rig.alloc(1);
    rig.put(ring, &Stream::new().wait(24_000).link(2, ring).0);
    rig.start(ring, 2);
    rig.wait(10_000);
    let first = (rig.rd(0x664), rig.rd(0x660) & 0x1f);
    assert_eq!(first, (ring as u32 + 8, 0x12));
    let seen: Vec<_> = (0..500)
        .map(|_| (rig.rd(0x664), rig.rd(0x660) & 0x1f))
        .collect();
    assert!(
        seen.contains(&(ring as u32 + 16, 0x13)),
        "the LINK is visible"
    );
    assert!(
        seen.iter().filter(|s| s.0 == first.0).count() > 450,
        "it is at the WAIT most of the time"
    );
    // The stuck test detects a hung front end.
    rig.gpu.inject(models::vivante::Injection::HangNextJob);
    let target = rig.place(&Stream::new().nop().end());
    rig.kick(ring, 2, target);
    rig.wait(100_000);
    let stuck = (rig.rd(0x664), rig.rd(0x660));
    assert!((0..500).all(|_| (rig.rd(0x664), rig.rd(0x660)) == stuck));
}

#[test]
fn a_trace_has_what_was_executed_where() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let tail = rig.place(&Stream::new().end());
    let at = rig.place(&Stream::new().nop().states(0xe00, &[1, 2]).link(1, tail));
    rig.start(at, 4);
    rig.run(100_000);
    assert_eq!(rig.gpu.trace(), []);
    rig.gpu.set_trace(true);
    rig.start(at, 4);
    rig.run(100_000);
    let (at, tail) = (at as u32, tail as u32);
    let expected = [
        (at, 0x1800_0000),
        (at + 8, 0x0802_0380),
        (at + 24, 0x4000_0001),
        (tail, 0x1000_0000),
    ];
    assert_eq!(rig.gpu.trace(), expected);
    rig.gpu.set_trace(true);
    assert_eq!(rig.gpu.trace(), [], "a new list");
}

#[test]
fn a_replaced_wait_is_noticed() {
    for idle_poll in [0, 30_000, u64::MAX] {
        let mut rig = Rig::ready(Variant::Gc2000);
        rig.gpu.set_idle_poll(idle_poll);
        let ring = rig.alloc(1);
        rig.idle_loop(ring, ring);
        rig.start(ring, 2);
        rig.wait(10_000);
        // Return part after the first WAIT/LINK: event, WAIT, LINK.
        let tail = Stream::new().event(3, FROM_PE).wait(200).link(2, ring + 24);
        rig.put(ring + 16, &tail.0);
        let user = Stream::new().state(0xe00, 5).link(3, ring + 16);
        let user_at = rig.place(&user);
        rig.kick(ring, user.len(), user_at);
        rig.run(100_000);
        assert_eq!(rig.ack(), 1 << 3);
        assert_eq!(rig.gpu.state(0xe00), 5);
        assert_eq!(rig.gpu.stats().jumps, 2);
        // The same from the second loop.
        let more = Stream::new().event(4, FROM_PE).wait(200).link(2, ring + 48);
        rig.put(ring + 40, &more.0);
        rig.kick(ring + 24, 3, ring + 40);
        rig.run(100_000);
        assert_eq!(rig.ack(), 1 << 4);
        assert_eq!(u64::from(rig.rd(0x664)), ring + 56);
        rig.assert_clean();
    }
}

#[test]
fn the_second_word_of_a_wait_may_change_first() {
    // HW: etnaviv.md 2.7: the argument is written, then the command.
    let mut rig = Rig::ready(Variant::Gc2000);
    let ring = rig.alloc(1);
    rig.idle_loop(ring, ring);
    rig.start(ring, 2);
    rig.wait(10_000);
    let target = rig.place(&Stream::new().event(1, FROM_FE).end());
    rig.w32(ring + 4, target as u32);
    rig.wait(10_000);
    assert!(matches!(rig.rd(0x660) & 0x1f, 0x12 | 0x13), "still waiting");
    rig.w32(ring, 0x4000_0002);
    rig.wait(10_000);
    rig.wait(10_000);
    assert_eq!(rig.ack(), 2);
    rig.assert_clean();
}

#[test]
fn the_wrong_order_jumps_to_the_old_argument() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let ring = rig.alloc(1);
    rig.idle_loop(ring, ring);
    rig.start(ring, 2);
    rig.wait(10_000);
    rig.w32(ring, 0x4000_0002);
    rig.wait(10_000);
    // Address 0 has no memory.
    assert_eq!(rig.ack(), 1 << 31);
    assert_eq!(rig.rd(0xc), 1 << 9, "read error");
    assert_eq!(rig.gpu.stats().bus_errors, 1);
}

#[test]
fn a_wait_can_be_replaced_by_end() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let ring = rig.alloc(1);
    rig.idle_loop(ring, ring);
    rig.start(ring, 2);
    rig.wait(10_000);
    rig.w32(ring, 0x1000_0000);
    rig.run(100_000);
    assert!(rig.is_idle());
    assert_eq!(rig.gpu.next_event(), None);
    rig.assert_clean();
}
