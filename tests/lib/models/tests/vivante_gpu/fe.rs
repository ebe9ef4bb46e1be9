// SPDX-License-Identifier: BSD-2-Clause
//! Front end programs: commands, prefetch, the idle loop and its replacement, events,
//! semaphores.

use crate::common::*;
use models::vivante::Variant;

fn count(rig: &Rig, what: &str) -> u64 {
    rig.gpu
        .stats()
        .protocol_errors
        .get(what)
        .copied()
        .unwrap_or(0)
}

#[test]
fn load_state_forms() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let stream = Stream::new()
        .state(0xe00, 1)
        .states(0x17800, &[10, 11, 12])
        // FIXP: 16.16 to float.
        .raw(&[0x0c01_0300, 0x0001_8000])
        .raw(&[0x0c01_0301, 0xffff_0000])
        .event(0, FROM_FE)
        .end();
    rig.exec(stream);
    assert_eq!(rig.gpu.state(0xe00), 1);
    assert_eq!(
        [0x17800, 0x17804, 0x17808].map(|a| rig.gpu.state(a)),
        [10, 11, 12]
    );
    assert_eq!(f32::from_bits(rig.gpu.state(0xc00)), 1.5);
    assert_eq!(f32::from_bits(rig.gpu.state(0xc04)), -1.0);
    assert_eq!(rig.gpu.stats().commands[1], 5);
    assert_eq!(rig.ack(), 1);
    rig.assert_clean();
}

#[test]
fn a_count_of_zero_is_1024() {
    // HW: etnaviv.md 5.
    let mut rig = Rig::ready(Variant::Gc7000L);
    let values: Vec<u32> = (0..1024).collect();
    rig.exec(
        Stream::new()
            .states(0x34000, &values)
            .event(0, FROM_FE)
            .end(),
    );
    assert_eq!(rig.gpu.state(0x34000), 0);
    assert_eq!(rig.gpu.state(0x34000 + 1023 * 4), 1023);
    assert_eq!(rig.ack(), 1);
    rig.assert_clean();
}

#[test]
fn loaded_states_are_recorded() {
    let mut rig = Rig::ready(Variant::Gc2000);
    rig.exec(
        Stream::new()
            .state(0x3804, 1 | FROM_FE)
            .state(0x654, 0)
            .state(0x14, 0)
            .state(0, 0)
            .end(),
    );
    let stats = rig.gpu.stats();
    assert!(stats.touched(0x3804) && stats.touched(0x654) && stats.touched(0));
    assert!(!stats.touched(0x658));
    assert_eq!(
        stats.states_loaded.addresses().collect::<Vec<_>>(),
        [0, 0x14, 0x654, 0x3804]
    );
    // HW: libdrm tests/etnaviv/etnaviv_2d_test.c loads state 0, without effect.
    assert_eq!(stats.blocked_loads, 2, "a stream cannot access host states");
    rig.gpu.clear_states_loaded();
    assert!(!rig.gpu.stats().touched(0x3804));
}

#[test]
fn host_registers_do_not_change_by_stream() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    // Reset, interrupt mask, ring address, secure MMU.
    rig.exec(
        Stream::new()
            .state(0, 1 << 12)
            .state(0x14, 0)
            .state(0x654, 64)
            .state(0x388, 1)
            .end(),
    );
    rig.wait(20_000);
    assert_eq!(rig.rd(0x14), !0);
    assert_ne!(rig.rd(0x654), 64);
    assert_eq!(rig.rd(0x388), 0);
    assert_eq!(rig.gpu.stats().resets, 1);
}

#[test]
fn end_stops_and_the_next_start_continues_after_it() {
    // HW: etnaviv.md 2.7: a sync point continues at DMA_ADDRESS + 2 with prefetch 2.
    let mut rig = Rig::ready(Variant::Gc2000);
    let at = rig.place(
        &Stream::new()
            .event(1, FROM_PE)
            .end()
            .event(2, FROM_PE)
            .end(),
    );
    rig.start(at, 4);
    rig.run(10_000);
    assert_eq!(rig.ack(), 2);
    assert!(rig.is_idle());
    assert_eq!(rig.rd(0x660) & 0x1f, 0x14, "END");
    let next = rig.rd(0x664);
    assert_eq!(u64::from(next), at + 16);
    rig.start(u64::from(next) + 2, 2);
    rig.run(10_000);
    assert_eq!(rig.ack(), 4);
    assert_eq!(rig.gpu.stats().ends(), 2);
    rig.assert_clean();
}

#[test]
fn end_can_raise_an_event() {
    let mut rig = Rig::ready(Variant::Gc2000);
    rig.exec(Stream::new().raw(&[0x1000_0000 | 1 << 8 | 9]));
    assert_eq!(rig.ack(), 1 << 9);
    rig.assert_clean();
}

#[test]
fn link_executes_only_what_was_prefetched() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let target = rig.place(&Stream::new().event(1, FROM_FE).event(2, FROM_FE).end());
    rig.exec(Stream::new().link(1, target));
    assert_eq!(rig.ack(), 1 << 1, "the second event was not fetched");
    assert_eq!(rig.rd(0x4) & 1, 0, "the front end waits without end");
    assert_eq!(rig.gpu.stats().starved, 1);
    assert_eq!(u64::from(rig.rd(0x664)), target + 8);
    assert_eq!(rig.gpu.next_event(), None);
    rig.reset();
    assert!(rig.is_idle());
}

#[test]
fn a_prefetch_may_be_longer_than_the_code() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let target = rig.place(&Stream::new().event(1, FROM_FE).end());
    rig.exec(Stream::new().link(20, target));
    assert_eq!(rig.ack(), 2);
    assert!(rig.is_idle());
    rig.assert_clean();
}

#[test]
fn a_start_with_too_little_prefetch_starves() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let at = rig.place(&Stream::new().event(1, FROM_FE).end());
    rig.start(at, 1);
    rig.run(100_000);
    assert_eq!(rig.ack(), 2);
    assert!(!rig.is_idle());
    assert_eq!(rig.gpu.stats().starved, 1);
}

#[test]
fn long_streams_are_fetched_in_bursts_across_pages() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let mut stream = Stream::new();
    for n in 0..2_000 {
        stream = stream.state(0xe00, n);
    }
    rig.exec(stream.event(1, FROM_FE).end());
    assert_eq!(rig.gpu.state(0xe00), 1_999);
    assert_eq!(rig.ack(), 2);
    rig.assert_clean();
}

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

#[test]
fn words_after_a_fetched_burst_are_not_read_again() {
    // A LINK fetches its words at once: later changes of them take effect only after another jump.
    let mut rig = Rig::ready(Variant::Gc2000);
    let at = rig.place(&Stream::new().wait(5_280).event(1, FROM_FE).end());
    rig.start(at, 3);
    rig.wait(1_000);
    rig.put(at + 8, &Stream::new().event(2, FROM_FE).0);
    rig.run(100_000);
    assert_eq!(rig.ack(), 1 << 1);
}

#[test]
fn call_and_return() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let sub = rig.place(&Stream::new().event(1, FROM_FE).raw(&[0x5800_0000]));
    let back = rig.place(&Stream::new().event(2, FROM_FE).end());
    rig.exec(Stream::new().raw(&[0x5000_0002, sub as u32, 2, back as u32]));
    assert_eq!(rig.ack(), 6);
    assert!(rig.is_idle());
    assert_eq!(rig.gpu.stats().calls(), 1);
    assert_eq!(rig.gpu.stats().commands[11], 1);
    rig.assert_clean();
    rig.exec(Stream::new().raw(&[0x5800_0000]).end());
    assert!(!rig.is_idle(), "a RETURN without a CALL hangs");
    assert_eq!(count(&rig, "return without a call"), 1);
}

#[test]
fn unknown_opcodes_hang() {
    for opcode in [0_u32, 14, 17, 18, 20, 31] {
        let mut rig = Rig::ready(Variant::Gc2000);
        rig.exec(
            Stream::new()
                .event(1, FROM_FE)
                .raw(&[opcode << 27])
                .event(2, FROM_FE)
                .end(),
        );
        assert_eq!(rig.ack(), 2);
        assert!(!rig.is_idle());
        assert_eq!(rig.gpu.stats().illegal_commands, 1);
        let address = rig.rd(0x664);
        rig.wait(1_000_000);
        assert_eq!(rig.rd(0x664), address, "no progress");
        rig.reset();
        assert!(rig.is_idle());
    }
}

#[test]
fn chip_select_masks_work() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let stream = Stream::new()
        .raw(&[0x6800_0002])
        .state(0xe00, 1)
        .event(1, FROM_FE)
        .raw(&[0x6800_0001])
        .event(2, FROM_FE)
        .raw(&[0x9800_0000])
        .nop()
        .end();
    rig.exec(stream);
    assert_eq!(rig.gpu.state(0xe00), 0);
    assert_eq!(rig.ack(), 4);
    assert_eq!(rig.gpu.stats().commands[19], 1, "SNAP_PAGES is counted");
    rig.assert_clean();
}

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

#[test]
fn wait_fence_waits_for_memory() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let fence = rig.alloc(1);
    let stream = Stream::new()
        .state(0x7e8, 5)
        .raw(&[0x7800_0000 | 800, fence as u32])
        .event(1, FROM_FE)
        .end();
    let at = rig.place(&stream);
    rig.start(at, stream.len());
    rig.run(100_000);
    assert_eq!(rig.ack(), 0);
    rig.w32(fence, 5);
    rig.run(10_000);
    assert_eq!(rig.ack(), 2);
    // A fence written by PE.
    rig.exec(
        Stream::new()
            .state(0x3868, fence as u32)
            .state(0x386c, 77)
            .end(),
    );
    assert_eq!(rig.r32(fence), 77);
    rig.assert_clean();
}

#[test]
fn draw_indirect_takes_its_arguments_from_memory() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let arguments = rig.alloc(1);
    rig.put(arguments, &[300, 1, 0, 0, 0]);
    rig.exec(
        Stream::new()
            .raw(&[0x8000_0004, arguments as u32])
            .event(1, FROM_PE)
            .end(),
    );
    assert_eq!(rig.ack(), 2);
    assert_eq!(rig.gpu.stats().draws, 1);
    assert_eq!(rig.gpu.stats().commands[16], 1);
    rig.wr(0x470, 9);
    assert_eq!(rig.rd(0x450), 100, "triangles");
}

#[test]
fn draws_of_every_kind_are_understood() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let indices = rig.alloc(1);
    let stream = Stream::new()
        .state(0x644, indices as u32)
        .state(0x648, 1)
        .raw(&[0x3000_0000, 5, 0, 8, 0])
        .raw(&[0x6014_0002, 6, 0, 0])
        .raw(&[0x2800_0000, 1, 0, 4])
        .event(1, FROM_PE)
        .end();
    rig.exec(stream);
    assert_eq!(rig.gpu.stats().draws, 3);
    assert_eq!(rig.gpu.stats().draw_addresses, 2, "the index buffer, twice");
    assert_eq!(rig.ack(), 2);
    rig.assert_clean();
}

#[test]
fn an_occlusion_query_writes_its_result() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let result = rig.alloc(1);
    rig.put(result, &[!0, !0, !0]);
    rig.exec(
        Stream::new()
            .state(0x3824, result as u32)
            .state(0x3830, 0x1df_5e76)
            .end(),
    );
    assert_eq!([0, 4, 8].map(|n| rig.r32(result + n)), [0, 0, !0]);
}

#[test]
fn an_endless_loop_costs_time_but_ends_each_call() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let at = rig.alloc(1);
    rig.put(at, &Stream::new().nop().link(2, at).0);
    rig.start(at, 2);
    rig.wait(1_000_000);
    let links = rig.gpu.stats().links();
    assert!((1_000..10_000).contains(&links), "{links}");
    assert!(!rig.is_idle());
}
