// SPDX-License-Identifier: BSD-2-Clause
//! Every injection has its described effect, once.
use crate::common::{Rig, GPU, JOB, MMU, RW};
use models::{Domain, Injection, Variant};

const JC: u64 = 0x0200_0000;
const DATA: u64 = 0x0300_0000;

fn rig() -> Rig {
    let mut g = Rig::ready(Variant::T860);
    g.map(JC, 0x1000, RW);
    g.map(DATA, 0x1000, RW);
    g.write_value(JC, 1, 0, DATA, 3);
    g
}

fn runs(g: &mut Rig) {
    g.wr(0x1004, 0x7_0007);
    g.submit(1, JC, 0);
    g.settle();
    assert_eq!((g.job_raw(), g.slot_status(1)), (2, 1));
    g.wr(0x1004, 2);
}

/// A hung job does not end by a timeout or soft stop; a hard stop and a reset end it. Source:
/// panfrost.md 2.6 (soft stop, then reset).
#[test]
fn hang() {
    for reset in [false, true] {
        let mut g = rig();
        g.mali.inject(Injection::HangNextJob { slot: 1 });
        g.submit(1, JC, 0);
        g.wait(500_000_000);
        assert_eq!((g.job_raw(), g.slot_status(1)), (0, 8));
        g.wr(0x18a0, 2);
        g.wait(10_000_000);
        assert_eq!(g.job_raw(), 0, "a soft stop has no effect");
        if reset {
            g.wr(0x030, 1);
            g.settle();
            assert_eq!(g.slot_status(1), 0);
            g.power_up();
            let root = g.root;
            g.enable(0, root);
        } else {
            g.wr(0x18a0, 3);
            g.settle();
            assert_eq!((g.job_raw(), g.slot_status(1)), (0x2_0000, 4));
        }
        runs(&mut g);
        assert_eq!(g.mali.stats().injected, 1);
    }
}

/// Jobs in a range of addresses hang each time, and stops do not end them; other jobs complete. A
/// reset ends them.
#[test]
fn hang_by_address() {
    let mut g = rig();
    g.write_value(JC + 0x80, 1, 0, DATA, 3);
    g.mali.inject(Injection::HangJobsAt {
        first: JC + 0x80,
        last: JC + 0xbf,
    });
    for n in 1..=2 {
        runs(&mut g);
        g.submit(1, JC + 0x80, 0);
        for command in [2, 3] {
            g.wait(10_000_000);
            g.wr(0x18a0, command);
        }
        g.wait(500_000_000);
        assert_eq!(
            (g.job_raw(), g.slot_status(1)),
            (0, 8),
            "stops have no effect"
        );
        g.wr(0x030, 1);
        g.settle();
        assert_eq!((g.slot_status(1), g.mali.stats().injected), (0, n));
        g.power_up();
        let root = g.root;
        g.enable(0, root);
    }
    runs(&mut g);
}

/// The line rises late, the registers change at once.
#[test]
fn late_irq() {
    let mut g = rig();
    g.mali.inject(Injection::LateIrq {
        line: JOB,
        ns: 50_000,
    });
    g.submit(1, JC, 0);
    g.wait(20_000);
    assert_eq!((g.job_raw(), g.board.lines[JOB]), (2, false));
    g.wait(45_000);
    assert!(g.board.lines[JOB]);
    g.wr(0x1004, 2);
    g.submit(1, JC, 0);
    g.wait(20_000);
    assert!(g.board.lines[JOB], "once only");
}

/// Issue 10883: the completion is in RAWSTAT but raises no interrupt; the next one does. Source:
/// panfrost.md 2.3 (10883), 2.6 step 2.
#[test]
fn lost_irq() {
    let mut g = rig();
    g.mali.inject(Injection::LoseIrq { line: JOB });
    g.submit(1, JC, 0);
    g.wait(100_000_000);
    assert_eq!(
        (g.job_raw(), g.rd(0x100c), g.board.lines[JOB]),
        (2, 2, false)
    );
    // Another slot's completion raises the line.
    g.submit(2, JC, 0);
    g.settle();
    assert!(g.board.lines[JOB]);
    g.wr(0x1004, 6);
    assert!(!g.board.lines[JOB]);
    g.submit(1, JC, 0);
    g.settle();
    assert!(g.board.lines[JOB]);
}

/// A handler must accept an interrupt without a cause.
#[test]
fn spurious_irq() {
    for line in [JOB, MMU, GPU] {
        let mut g = rig();
        g.mali.inject(Injection::SpuriousIrq { line });
        g.wait(1);
        assert!(g.board.lines[line]);
        let stat = [0x100c, 0x200c, 0x02c][line];
        assert_eq!(g.rd(stat), 0);
        assert!(!g.board.lines[line]);
        g.mali.inject(Injection::SpuriousIrq { line });
        g.settle();
        assert!(!g.board.lines[line], "it also falls without a read");
        assert_eq!(g.mali.stats().irqs[line], 2);
    }
}

/// The n-th transfer fails: header read, payload read and write-back each have their own exception
/// code. Source: panfrost.md 2.7 (0x42 READ, 0x43 WRITE, 0x48 BUS).
#[test]
fn bus_error() {
    for (n, code) in [(0, 0x42), (2, 0x48), (4, 0x43)] {
        let mut g = rig();
        g.mali.inject(Injection::BusErrorAt(n));
        g.submit(1, JC, 0);
        g.settle();
        assert_eq!(
            (g.job_raw(), g.slot_status(1)),
            (0x2_0000, code),
            "transfer {n}"
        );
        runs(&mut g);
    }
}

/// A page fault on a mapped page: the driver finds it mapped and must still release the access.
/// Source: panfrost.md 2.3 (9630: faults for an address that is mapped), 2.4.
#[test]
fn page_fault_on_a_mapped_page() {
    let mut g = rig();
    g.poke64(DATA, u64::MAX);
    g.mali.inject(Injection::PageFaultAtAccess(3));
    g.submit(1, JC, 0);
    g.settle();
    assert_eq!(
        (g.rd(0x2000), g.rd(0x241c) & 0x3ff, g.rd64(0x2420)),
        (1, 0xc3 | 3 << 8, DATA)
    );
    g.wr(0x2004, 1);
    g.flush(0, 3, DATA, 0x1000);
    g.settle();
    assert_eq!((g.job_raw(), g.peek64(DATA)), (2, 0));
    runs(&mut g);
}

/// A soft reset that never completes; a hard reset does. Source: panfrost.md 2.1 (on timeout
/// HARD_RESET).
#[test]
fn stuck_reset() {
    let mut g = rig();
    g.mali.inject(Injection::ResetStuck);
    g.wr(0x030, 1);
    g.wait(1_000_000_000);
    assert_eq!(g.rd(0x020) & 0x100, 0);
    g.wr(0x030, 1);
    g.wait(1_000_000_000);
    assert_eq!(
        g.rd(0x020) & 0x100,
        0,
        "a second soft reset does not complete either"
    );
    g.wr(0x030, 2);
    g.settle();
    assert_eq!(g.rd(0x020) & 0x100, 0x100);
    g.wr(0x024, 0x100);
    g.wr(0x030, 1);
    g.settle();
    assert_eq!(g.rd(0x020) & 0x100, 0x100, "the next soft reset works");
}

/// A domain that does not power on, or off, before a reset. Source: panfrost.md 2.1 (timeouts).
#[test]
fn stuck_power() {
    let domains = [
        (Domain::L2, 0x1a0, 0x160, 0x220),
        (Domain::Shader, 0x180, 0x140, 0x200),
    ];
    for (domain, on, ready, trans) in domains {
        let mut g = Rig::cold(Variant::T860);
        if domain == Domain::Shader {
            g.wr(0x1a0, 1);
            g.settle();
        }
        g.mali.inject(Injection::PowerStuck(domain));
        g.wr(on, 1);
        g.wait(1_000_000_000);
        assert_eq!((g.rd(ready), g.rd(trans)), (0, 1));
        g.wr(0x030, 1);
        g.settle();
        g.power_up();
    }
    // Armed while the transition is in progress.
    let mut g = Rig::cold(Variant::T860);
    g.wr(0x1a0, 1);
    g.mali.inject(Injection::PowerStuck(Domain::L2));
    g.wait(1_000_000_000);
    assert_eq!(g.rd(0x220), 1);
}

/// AS_ACTIVE stays set: a driver must schedule a reset. Source: panfrost.md 3.3 "on stuck".
#[test]
fn stuck_address_space() {
    let mut g = rig();
    g.mali.inject(Injection::AsStuck(0));
    g.wr64(0x2410, Rig::lockaddr(0, u64::MAX));
    g.wr(0x2418, 2);
    g.wait(1_000_000_000);
    assert_eq!((g.rd(0x2428), g.rd(0x2468)), (1, 0));
    g.wr(0x030, 1);
    g.settle();
    assert_eq!(g.rd(0x2428), 0);
    g.power_up();
    let root = g.root;
    g.enable(0, root);
    runs(&mut g);
}

/// A given exception code, in the slot's status and in the header.
#[test]
fn job_fault() {
    let mut g = rig();
    g.mali.inject(Injection::JobFault {
        slot: 1,
        code: 0x58,
    });
    g.submit(1, JC, 0);
    g.settle();
    assert_eq!(
        (g.job_raw(), g.slot_status(1), g.peek32(JC), g.slot_tail(1)),
        (0x2_0000, 0x58, 0x58, JC)
    );
    assert_eq!(g.mali.stats().job_exceptions[&0x58], 1);
    runs(&mut g);
}

/// A GPU fault, and a second one before the first is cleared. Source: panfrost.md 2.3, Linux 6.1
/// panfrost_regs.h (bits 0 and 7).
#[test]
fn gpu_fault() {
    let mut g = rig();
    g.wr(0x028, 0x81);
    g.mali.inject(Injection::GpuFault);
    g.wait(1);
    assert!(g.board.lines[GPU]);
    assert_eq!((g.rd(0x020) & 0x81, g.rd(0x03c) & 0xff), (1, 0x88));
    assert_ne!(g.rd64(0x040), 0);
    g.mali.inject(Injection::GpuFault);
    g.wait(1);
    assert_eq!(g.rd(0x020) & 0x81, 0x81);
    g.wr(0x024, 0x81);
    assert!(!g.board.lines[GPU]);
}

/// A hard stop of a job that waits for the MMU ends it when the access is released, not before.
#[test]
fn hard_stop_of_a_stalled_job() {
    let mut g = rig();
    g.mali.inject(Injection::PageFaultAtAccess(3));
    g.submit(1, JC, 0);
    g.settle();
    g.wr(0x18a0, 3);
    g.settle();
    assert_eq!(g.job_raw(), 0);
    g.wr(0x2004, 1);
    g.disable(0);
    g.settle();
    assert_eq!((g.job_raw(), g.slot_status(1)), (0x2_0000, 4));
}
