// SPDX-License-Identifier: BSD-2-Clause
//! Soft and hard stops.

use super::*;

/// Would catch a soft stop in the middle of a job, or a tail from which the chain cannot continue.
/// Source: panfrost.md 2.5 "STOPPED(0x03): resume later from JS_TAIL".
#[test]
fn soft_stop_and_resume() {
    let mut g = rig();
    null_chain(&mut g, JC, 10);
    g.submit(1, JC, 0);
    g.wait(20_000);
    g.wr(0x18a0, 2);
    g.settle();
    assert_eq!((g.job_raw(), g.slot_status(1)), (0x2_0000, 3));
    let tail = g.slot_tail(1);
    assert!(tail > JC && tail < JC + 640 && tail & 63 == 0);
    let done = (tail - JC) / 64;
    assert_eq!(g.mali.stats().jobs[1], done);
    assert_eq!((g.peek32(tail - 64), g.peek32(tail)), (1, 0));
    g.wr(0x1004, 0x2_0000);
    g.submit(1, tail, 0);
    g.settle();
    assert_eq!((g.job_raw(), g.slot_status(1)), (2, 1));
    assert_eq!(g.mali.stats().jobs[1], 10, "each job ran once");
    assert_eq!(
        g.mali
            .stats()
            .decode_errors
            .get("dependency on a job not earlier in the chain"),
        None
    );
}

/// Would catch an effect of a soft stop that comes after the end of the chain.
#[test]
fn soft_stop_of_the_last_job_completes_it() {
    let mut g = rig();
    null_chain(&mut g, JC, 1);
    g.submit(1, JC, 0);
    g.wait(3_000);
    g.wr(0x18a0, 2);
    g.settle();
    assert_eq!((g.job_raw(), g.slot_status(1)), (2, 1));
}

/// Would catch hard stops by chain flag that hit the wrong job. Source: panfrost.md 2.5
/// "HARD_STOP_0/1 (5/7) and SOFT_STOP_0/1 (4/6) target one".
#[test]
fn stops_by_chain_flag() {
    // (config flag, command, status, raw)
    let cases = [
        (0, 5, 4, 0x2_0000),
        (0, 7, 1, 2),
        (1 << 11, 7, 4, 0x2_0000),
        (1 << 11, 5, 1, 2),
        (0, 4, 3, 0x2_0000),
        (0, 6, 1, 2),
        (1 << 11, 6, 3, 0x2_0000),
        (1 << 11, 3, 4, 0x2_0000),
    ];
    for (flag, command, status, raw) in cases {
        let mut g = rig();
        null_chain(&mut g, JC, 4);
        g.submit(1, JC, flag);
        g.wait(8_000);
        g.wr(0x18a0, command);
        g.settle();
        assert_eq!(
            (g.slot_status(1), g.job_raw()),
            (status, raw),
            "flag {flag} command {command}"
        );
    }
    // T720 has no chain flag. Source: panfrost.md 2.3 (V4 parts).
    let mut g = Rig::ready(Variant::T720);
    g.map(JC, 0x4000, RW);
    null_chain(&mut g, JC, 4);
    g.submit(1, JC, 0);
    g.wr(0x18a0, 5);
    g.settle();
    assert_eq!(g.job_raw(), 2);
    assert_eq!(
        g.mali.stats().protocol_errors["stop by chain flag without disambiguation"],
        1
    );
}

/// Would catch stop commands that affect an idle slot or a later chain.
#[test]
fn stop_of_an_idle_slot_does_nothing() {
    let mut g = rig();
    g.wr(0x18a0, 3);
    g.settle();
    assert_eq!(g.job_raw(), 0);
    null_chain(&mut g, JC, 1);
    g.submit(1, JC, 0);
    g.settle();
    assert_eq!(g.job_raw(), 2);
}

/// Would catch a chain that hangs the model itself: it links to itself, time advances, and a hard
/// stop ends it.
#[test]
fn endless_chain_can_be_stopped() {
    let mut g = rig();
    g.header(JC, 1, 1, (0, 0), JC);
    g.submit(1, JC, 0);
    g.wait(500_000_000);
    assert_eq!(g.job_raw(), 0);
    g.set_timing(|t| (t.null_ns, t.fetch_ns) = (0, 0));
    g.wait(100_000);
    g.wr(0x18a0, 3);
    g.settle();
    assert_eq!(g.slot_status(1), 4);
}
