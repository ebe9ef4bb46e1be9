// SPDX-License-Identifier: BSD-2-Clause
//! How many words a jump fetches, and what follows when they are used up.

use super::*;

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
