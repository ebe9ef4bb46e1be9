// SPDX-License-Identifier: BSD-2-Clause
//! Jobs that fail, and what the slot does after a failure.

use super::*;

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
