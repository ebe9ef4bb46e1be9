// SPDX-License-Identifier: BSD-2-Clause
//! Stalled accesses, their retry, and faults of several jobs.

use super::*;

/// Would catch retries that require too little (no flush, no clear) or too much. Source:
/// panfrost.md 2.4 "On success clear the bit (retry is implicit)" together with the order of Linux
/// 6.1 (clear, map, flush).
#[test]
fn stalled_access_is_retried_after_clear_and_flush() {
    for clear_first in [true, false] {
        let mut g = rig_for(Variant::T860, TARGET);
        g.submit(1, JC, 0);
        g.settle();
        assert_eq!(g.rd(0x2000), 1);
        if clear_first {
            g.wr(0x2004, 1);
            assert!(!g.board.lines[MMU]);
        }
        g.map(TARGET, 4096, RW);
        g.poke64(TARGET, u64::MAX);
        g.wait(1_000_000);
        assert_eq!(g.job_raw(), 0, "clearing alone does not release it");
        // A flush of another region does not release it either.
        g.flush(0, 4, TARGET + (64 << 20), 0x1000);
        g.wait(1_000_000);
        assert_eq!(g.job_raw(), 0);
        g.flush(0, 4, TARGET, 0x1000);
        g.settle();
        if !clear_first {
            assert_eq!(g.job_raw(), 0);
            g.wr(0x2004, 1);
            g.settle();
        }
        assert_eq!((g.job_raw(), g.slot_status(1), g.peek64(TARGET)), (2, 1, 0));
        assert!(g.mali.stats().retries >= 1);
    }
}

/// Would catch a fault storm or a lost second fault: a retry that fails raises a fault again.
#[test]
fn unresolved_fault_comes_again() {
    let mut g = rig_for(Variant::T860, TARGET);
    g.submit(1, JC, 0);
    g.settle();
    g.wr(0x2004, 1);
    g.flush(0, 4, TARGET, 0x1000);
    g.settle();
    assert_eq!(g.rd(0x2000), 1);
    assert_eq!(g.mali.stats().mmu_faults[&0xc2], 2);
}

/// Would catch jobs that run on without their address space, or that leave the slot unusable.
/// Source: panfrost.md 2.4 "disable that AS so its jobs die".
#[test]
fn disabling_the_address_space_kills_the_stalled_job() {
    let mut g = rig_for(Variant::T860, TARGET);
    g.submit(1, JC, 0);
    g.settle();
    g.wr(0x2004, 1);
    g.disable(0);
    g.settle();
    assert_eq!((g.job_raw(), g.slot_status(1)), (0x2_0000, 0x48));
    assert!(g.board.lines[JOB]);
    assert_eq!(g.mali.stats().aborted, 1);
    // The slot runs jobs of a valid address space again.
    g.wr(0x1004, 0x2_0000);
    g.map(TARGET, 4096, RW);
    g.enable(0, g.root);
    g.submit(1, JC, 0);
    g.settle();
    assert_eq!(g.job_raw(), 2);
}

/// Would catch a fault that blocks later ones: the address space is unmapped and mapped again while
/// the interrupt is pending, then a new job faults.
#[test]
fn disabling_forgets_the_pending_fault() {
    let mut g = rig_for(Variant::T860, TARGET);
    g.submit(1, JC, 0);
    g.settle();
    g.disable(0);
    g.settle();
    assert_eq!(g.slot_status(1), 0x48);
    g.enable(0, g.root);
    g.wr(0x1004, 0x2_0000);
    g.submit(1, JC, 0);
    g.settle();
    g.wr(0x2004, 1);
    g.map(TARGET, 4096, RW);
    g.flush(0, 4, TARGET, 0x1000);
    g.settle();
    assert_eq!((g.job_raw(), g.mali.stats().mmu_faults[&0xc2]), (2, 2));
}

/// Would catch address spaces that share state: the same VA, two tables, two slots; and two faults
/// at once on different address spaces. Source: panfrost.md 2.4, 3.3 (bit per AS).
#[test]
fn address_spaces_are_separate() {
    let mut g = rig_for(Variant::T860, TARGET);
    let other = g.table();
    let pa = g.page();
    for (va, to) in [(JC, g.pa(JC)), (TARGET, pa)] {
        let at = g.entry(other, va, 3);
        g.set_pte(at, to | RW | 1);
    }
    g.enable(5, other);
    models::Bus::write(&mut g.board, pa, &[0xff; 8]).unwrap();
    g.submit(1, JC, 0);
    g.submit(2, JC, 5);
    g.settle();
    assert_eq!(g.job_raw(), 1 << 2, "slot 2 finished, slot 1 waits");
    assert_eq!(g.pte(pa), 0);
    assert_eq!(g.rd(0x2000), 1);
    let at = g.entry(other, TARGET, 3);
    g.set_pte(at, 0);
    g.flush(5, 4, TARGET, 0x1000);
    g.wr(0x1004, 4);
    g.submit(2, JC, 5);
    g.settle();
    assert_eq!(g.rd(0x2000), 1 | 1 << 5);
    assert_eq!(g.rd(0x241c + 0x40 * 5) & 0xff, 0xc3);
}

/// Would catch two slots that fault on one address space, of which only the first is ever served.
#[test]
fn second_fault_on_the_same_address_space_waits_its_turn() {
    let mut g = rig_for(Variant::T860, TARGET);
    g.write_value(JC + 0x100, 1, 0, TARGET + 0x8000, 3);
    g.submit(1, JC, 0);
    g.submit(2, JC + 0x100, 0);
    g.settle();
    assert_eq!(g.rd64(0x2420), TARGET);
    assert_eq!(g.mali.stats().mmu_faults.values().sum::<u64>(), 1);
    for page in [TARGET, TARGET + 0x8000] {
        assert_eq!(g.rd64(0x2420), page);
        g.wr(0x2004, 1);
        g.map(page, 4096, RW);
        g.flush(0, 4, page, 0x1000);
        g.settle();
    }
    assert_eq!(g.job_raw(), 6);
}
