// SPDX-License-Identifier: BSD-2-Clause
//! Job slots: chains, the two-deep queue, JS_STATE, stops, exceptions.
use crate::common::{Rig, JOB, RW};
use models::Variant;

const JC: u64 = 0x0200_0000;
const DATA: u64 = 0x0300_0000;

fn rig() -> Rig {
    let mut g = Rig::ready(Variant::T860);
    g.map(JC, 0x4000, RW);
    g.map(DATA, 0x4000, RW);
    g
}

/// `count` null jobs from `va`, 64 bytes apart, the last with a null link.
fn null_chain(g: &mut Rig, va: u64, count: u64) {
    for n in 0..count {
        let next = if n + 1 < count { va + 64 * (n + 1) } else { 0 };
        g.header(va + 64 * n, 1, n as u32 + 1, (n as u32, 0), next);
    }
}

/// Would catch a chain that stops early, a header left without status, wrong slot registers.
/// Source: Mesa genxml "Job Header"; decode.c pandecode_abort_on_fault (status 1 in every job);
/// panfrost.md 2.5.
#[test]
fn chain_runs_to_its_end() {
    let mut g = rig();
    g.write_value(JC, 1, JC + 64, DATA, 3);
    g.header(JC + 64, 3, 2, (1, 0), JC + 128);
    g.header(JC + 128, 1, 3, (2, 1), 0);
    g.poke64(DATA, u64::MAX);
    g.submit(1, JC, 0);
    assert_eq!(g.slot_status(1), 8, "active");
    assert_eq!(
        (g.rd64(0x1880), g.rd64(0x18c0)),
        (JC, 0),
        "HEAD is set, HEAD_NEXT is empty"
    );
    g.settle();
    assert_eq!(
        (g.job_raw(), g.slot_status(1), g.slot_tail(1)),
        (2, 1, JC + 128)
    );
    assert!(g.board.lines[JOB]);
    assert_eq!(g.peek64(DATA), 0);
    for n in 0..3 {
        assert_eq!(g.peek32(JC + 64 * n), 1, "exception status of job {n}");
    }
    let s = g.mali.stats();
    assert_eq!((s.jobs[1], s.jobs[2], s.jobs[3]), (1, 1, 1));
    assert_eq!(s.decode_error_count(), 0, "{:?}", s.decode_errors);
}

/// Would catch write-value types mixed up. Source: Mesa genxml v5.xml and v7.xml "Write Value
/// Type".
#[test]
fn write_value_types() {
    let mut g = rig();
    g.wr(0x030, 5);
    g.wait(1000);
    for (kind, n) in [(1, 0), (2, 1), (3, 2)] {
        g.poke64(DATA + 8 * n, u64::MAX);
        g.write_value(
            JC + 64 * n,
            n as u32 + 1,
            if n < 2 { JC + 64 * (n + 1) } else { 0 },
            DATA + 8 * n,
            kind,
        );
    }
    g.submit(1, JC, 0);
    g.settle();
    let (cycles, time) = (g.peek64(DATA), g.peek64(DATA + 8));
    assert!(cycles > 0 && cycles < 1 << 40);
    assert!(time > 0 && time < 1 << 40);
    assert_eq!(g.peek64(DATA + 16), 0);
    // Immediates exist from v6 on.
    for (variant, status) in [(Variant::T860, 0x58), (Variant::G52, 1)] {
        for (kind, len) in [(4u32, 1), (5, 2), (6, 4), (7, 8)] {
            let mut g = Rig::ready(variant);
            g.map(JC, 0x1000, RW);
            g.map(DATA, 0x1000, RW);
            g.header(JC, 2, 1, (0, 0), 0);
            g.poke32(
                JC + 32,
                &[DATA as u32, 0, kind, 0, 0x4433_2211, 0x8877_6655],
            );
            g.submit(1, JC, 0);
            g.settle();
            assert_eq!(g.slot_status(1), status);
            let expected = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88];
            let mut want = [0; 8];
            if status == 1 {
                want[..len].copy_from_slice(&expected[..len]);
            }
            assert_eq!(g.peek(DATA, 8), want);
        }
    }
}

/// Would catch a dependency on a later job that is not counted. Source: Mesa pan_scoreboard.h "a
/// job's dependencies must appear earlier in the linked list".
#[test]
fn forward_dependency_is_counted() {
    let mut g = rig();
    g.header(JC, 1, 1, (0, 0), JC + 64);
    g.header(JC + 64, 1, 2, (3, 0), JC + 128);
    g.header(JC + 128, 1, 3, (1, 0), 0);
    g.submit(1, JC, 0);
    g.settle();
    assert_eq!(g.job_raw(), 2);
    assert_eq!(
        g.mali.stats().decode_errors["dependency on a job not earlier in the chain"],
        1
    );
}

/// Would catch a driver that counts one completion per DONE bit. Source: panfrost.md 2.5 "why a
/// naive one DONE = one job handler is wrong".
#[test]
fn two_completions_in_one_interrupt() {
    let mut g = rig();
    null_chain(&mut g, JC, 1);
    null_chain(&mut g, JC + 0x400, 1);
    g.submit(1, JC, 0);
    g.submit(1, JC + 0x400, 1 << 11);
    assert_eq!(g.rd(0x18e0), 1, "COMMAND_NEXT still holds the second");
    g.settle();
    assert_eq!((g.job_raw(), g.slot_tail(1)), (2, JC + 0x400));
    assert_eq!(g.mali.stats().merged_completions, 1);
    assert_eq!(g.mali.stats().irqs[JOB], 1, "one interrupt for both");
    assert_eq!(g.rd(0x1010), 0, "JS_STATE has not been sampled yet");
    g.wr(0x1004, 2);
    assert_eq!(g.rd(0x1010) & 0x2_0002, 0, "both are done");
}

/// Would catch JS_STATE sampled at another time, or for slots other than those cleared. Source:
/// panfrost.md 2.5 "JS_STATE (only updated by INT_CLEAR)".
#[test]
fn js_state_is_sampled_by_clear() {
    let mut g = rig();
    null_chain(&mut g, JC, 1);
    null_chain(&mut g, JC + 0x400, 100);
    g.submit(1, JC, 0);
    g.submit(1, JC + 0x400, 1 << 11);
    g.wait(7_000);
    assert_eq!((g.job_raw(), g.rd(0x1010)), (2, 0));
    null_chain(&mut g, JC + 0x3000, 1);
    g.submit(1, JC + 0x3000, 0);
    g.wr(0x1004, 1);
    assert_eq!(g.rd(0x1010), 0, "clearing slot 0 does not sample slot 1");
    g.wr(0x1004, 2);
    assert_eq!(g.rd(0x1010), 0x2_0002, "one runs, one waits");
    g.settle();
    assert_eq!(g.rd(0x1010), 0x2_0002, "still the old sample");
    g.wr(0x1004, 2);
    assert_eq!(g.rd(0x1010), 0);
}

/// Would catch NEXT starting after a failed job before the driver could cancel it. Source:
/// panfrost.md 2.5 "on ERR write COMMAND_NEXT=NOP; write INT_CLEAR".
#[test]
fn failure_holds_next_back() {
    for cancel in [true, false] {
        let mut g = rig();
        // A header of zeroes is not a valid job.
        null_chain(&mut g, JC + 0x400, 1);
        g.submit(1, JC, 0);
        g.submit(1, JC + 0x400, 1 << 11);
        g.settle();
        assert_eq!(
            (g.job_raw(), g.slot_status(1)),
            (0x2_0000, 0x40),
            "JOB_CONFIG_FAULT"
        );
        assert_eq!(g.rd(0x18e0), 1, "NEXT waits");
        if cancel {
            g.wr(0x18e0, 0);
            assert_eq!(
                g.rd64(0x18c0),
                JC + 0x400,
                "HEAD_NEXT shows that it has not started"
            );
        }
        g.wr(0x1004, 0x2_0000);
        assert_eq!(g.rd(0x1010), if cancel { 0 } else { 0x2_0000 });
        g.settle();
        assert_eq!(g.job_raw(), if cancel { 0 } else { 2 });
        if cancel {
            // Submits it again: only COMMAND_NEXT is written.
            g.wr(0x18e0, 1);
            g.settle();
            assert_eq!(g.job_raw(), 2);
        }
    }
}

/// Would catch a job that starts after a failure that the driver has not handled yet. Source:
/// panfrost.md 2.5 (error handling comes before the next job).
#[test]
fn start_waits_for_the_error_to_be_cleared() {
    let mut g = rig();
    g.submit(1, JC, 0);
    g.settle();
    assert_eq!(g.job_raw(), 0x2_0000);
    null_chain(&mut g, JC + 0x400, 1);
    g.submit(1, JC + 0x400, 0);
    g.settle();
    assert_eq!((g.job_raw(), g.slot_status(1)), (0x2_0000, 0x40));
    g.wr(0x1004, 0x2_0000);
    g.settle();
    assert_eq!((g.job_raw(), g.slot_status(1)), (2, 1));
}

/// Would catch JS_STATE bits of one slot lost when another is acknowledged.
#[test]
fn js_state_keeps_the_other_slots() {
    let mut g = rig();
    null_chain(&mut g, JC, 100);
    null_chain(&mut g, JC + 0x2000, 1);
    g.submit(1, JC, 0);
    g.wr(0x1004, 2);
    assert_eq!(g.rd(0x1010), 2);
    g.submit(2, JC + 0x2000, 0);
    g.wr(0x1004, 4);
    assert_eq!(g.rd(0x1010), 6);
    g.wait(20_000);
    g.wr(0x1004, 4);
    assert_eq!(g.rd(0x1010), 2);
}

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

/// Would catch jobs that run without power. Source: panfrost.md 2.7 (0x41 JOB_POWER).
#[test]
fn jobs_need_power() {
    let mut g = rig();
    null_chain(&mut g, JC, 1);
    g.wr(0x1c0, 0x8);
    g.settle();
    g.submit(1, JC, 0);
    g.settle();
    assert_eq!(
        (g.job_raw(), g.slot_status(1)),
        (0x2_0000, 0x41),
        "one core of the affinity is off"
    );
    g.wr(0x1004, 0x2_0000);
    g.wr(0x180, 0x8);
    g.settle();
    g.wr(0x1d0, 1);
    g.settle();
    g.header(JC, 7, 1, (0, 0), 0);
    g.submit(1, JC, 0);
    g.settle();
    assert_eq!(g.slot_status(1), 0x41, "a tiler job needs the tiler");
}

/// Would catch configuration errors taken for jobs. Source: panfrost.md 2.5 (slots), 2.7
/// (0x40, 0x44).
#[test]
fn configuration_faults() {
    // A fragment job does not run in slot 1, nor a tiler job in slot 0.
    for (slot, kind) in [(1, 9), (0, 7), (2, 7), (1, 11), (1, 0)] {
        let mut g = rig();
        g.header(JC, kind, 1, (0, 0), 0);
        g.submit(slot, JC, 0);
        g.settle();
        assert_eq!(g.slot_status(slot), 0x40, "type {kind} in slot {slot}");
        assert_eq!(g.peek32(JC), 0x40, "the header has the exception code");
    }
    let mut g = rig();
    null_chain(&mut g, JC, 1);
    g.submit(1, JC + 8, 0);
    g.settle();
    assert_eq!(g.slot_status(1), 0x40, "headers are 64-byte aligned");
    g.wr(0x1004, 0x2_0000);
    g.submit(1, JC, 9);
    g.settle();
    assert_eq!(g.slot_status(1), 0x40, "there are eight address spaces");
    g.wr(0x1004, 0x2_0000);
    g.wr64(0x18c0, JC);
    g.wr64(0x18d0, 0xf0);
    g.wr(0x18d8, 0);
    g.wr(0x18e0, 1);
    g.settle();
    assert_eq!(g.slot_status(1), 0x44, "no such core");
}

/// Would catch header write-back where it is disabled. Source: Linux 6.1 panfrost_regs.h
/// JS_CONFIG_DISABLE_DESCRIPTOR_WR_BK (bit 15).
#[test]
fn write_back_can_be_disabled() {
    let mut g = rig();
    null_chain(&mut g, JC, 1);
    g.submit(1, JC, 1 << 15);
    g.settle();
    assert_eq!((g.job_raw(), g.peek32(JC)), (2, 0));
}

/// Would catch a START written twice, and NOP that does not cancel.
#[test]
fn next_is_cancelled_by_nop() {
    let mut g = rig();
    null_chain(&mut g, JC, 20);
    null_chain(&mut g, JC + 0x2000, 1);
    g.submit(1, JC, 0);
    g.submit(1, JC + 0x2000, 1 << 11);
    g.wr(0x18e0, 1);
    g.wr(0x18e0, 0);
    g.settle();
    assert_eq!((g.slot_tail(1), g.peek32(JC + 0x2000)), (JC + 19 * 64, 0));
    assert_eq!(
        g.mali.stats().protocol_errors["START over a pending START"],
        1
    );
}

/// Would catch slots that wait for each other.
#[test]
fn slots_run_side_by_side() {
    let mut g = rig();
    null_chain(&mut g, JC, 50);
    null_chain(&mut g, JC + 0x1000, 2);
    g.submit(1, JC, 0);
    g.submit(2, JC + 0x1000, 0);
    g.wait(30_000);
    assert_eq!(g.job_raw(), 4);
    g.settle();
    assert_eq!(g.job_raw(), 6);
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
    g.set_timing(|t| (t.short_job_ns, t.fetch_ns) = (0, 0));
    g.wait(100_000);
    g.wr(0x18a0, 3);
    g.settle();
    assert_eq!(g.slot_status(1), 4);
}

/// Would catch a flush id that does not change, or changes on Midgard. Source: panfrost.md 2.3
/// (FLUSH_REDUCTION is Bifrost only).
#[test]
fn flush_id() {
    for (variant, moves) in [(Variant::T860, false), (Variant::G52, true)] {
        let mut g = Rig::ready(variant);
        g.map(JC, 0x1000, RW);
        null_chain(&mut g, JC, 1);
        let before = g.rd(0x038);
        g.submit(1, JC, 1 << 14);
        g.settle();
        assert_eq!(g.rd(0x038) != before, moves);
        assert_eq!(g.mali.stats().cache_flushes, 2, "one at start, one at end");
    }
}

/// Would catch a model that ignores the workaround for erratum 10649. Source: panfrost.md 2.3, 2.5
/// (START_MMU b10).
#[test]
fn start_mmu_flushes_the_tlb() {
    let mut g = Rig::ready(Variant::T720);
    g.map(JC, 0x1000, RW);
    g.map(DATA, 0x1000, RW);
    g.write_value(JC, 1, 0, DATA, 3);
    g.submit(1, JC, 1 << 10);
    g.settle();
    g.wr(0x1004, 2);
    let new = g.page();
    g.map_page(DATA, new, RW);
    g.poke64(DATA, u64::MAX);
    g.submit(1, JC, 1 << 10);
    g.settle();
    assert_eq!(
        g.peek64(DATA),
        0,
        "the new page was found without an MMU command"
    );
}
