// SPDX-License-Identifier: BSD-2-Clause
//! Job slots: chains, the two-deep queue, JS_STATE, stops, exceptions.
use crate::common::{Rig, JOB, RW};
use models::Variant;

mod faults;
mod stops;

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
