// SPDX-License-Identifier: BSD-2-Clause
//! Commands: UPDATE, locks, and flushes of the TLB.

use super::*;

/// Would catch a driver that changes registers without UPDATE, or a model that does not latch.
/// Source: panfrost.md 3.3 "UPDATE (latch TRANSTAB/MEMATTR/TRANSCFG)".
#[test]
fn transtab_takes_effect_at_update() {
    let mut g = rig_for(Variant::T860, TARGET);
    g.map(TARGET, 4096, RW);
    g.wr64(0x2400, 0);
    g.submit(1, JC, 0);
    g.settle();
    assert_eq!(g.job_raw(), 2, "the old table is still in use");
    g.wr(0x1004, 2);
    g.as_command(0, 1);
    g.submit(1, JC, 0);
    g.settle();
    // Source: panfrost.md 2.4: jobs of an address space end when it is disabled.
    assert_eq!((g.job_raw(), g.slot_status(1)), (0x2_0000, 0x48));
    assert!(
        !g.board.lines[MMU],
        "an unmapped address space raises no fault"
    );
}

/// Would catch a missing FLUSH_PT after unmap or remap: the stale translation stays in use. Source:
/// panfrost.md 2.4 "after map/unmap: FLUSH_PT over the range".
#[test]
fn tlb_is_stale_until_flushed() {
    let mut g = rig_for(Variant::T860, TARGET);
    g.map(TARGET, 4096, RW);
    g.submit(1, JC, 0);
    g.settle();
    g.wr(0x1004, 2);
    let old = g.pa(TARGET);
    let new = g.page();
    g.map_page(TARGET, new, RW);
    let fill = u64::MAX.to_le_bytes();
    for pa in [old, new] {
        models::Bus::write(&mut g.board, pa, &fill).unwrap();
    }
    g.submit(1, JC, 0);
    g.settle();
    g.wr(0x1004, 2);
    assert_eq!(
        (g.pte(old), g.pte(new)),
        (0, u64::MAX),
        "the job wrote to the old page"
    );
    // A flush of another region does not drop it.
    g.flush(0, 4, TARGET + 0x10_0000, 0x1000);
    models::Bus::write(&mut g.board, old, &fill).unwrap();
    g.submit(1, JC, 0);
    g.settle();
    g.wr(0x1004, 2);
    assert_eq!((g.pte(old), g.pte(new)), (0, u64::MAX));
    // A flush of its region does.
    g.flush(0, 4, TARGET, 0x1000);
    g.submit(1, JC, 0);
    g.settle();
    assert_eq!(g.pte(new), 0);
    assert_eq!(g.mali.stats().protocol_error_count(), 0);
}

/// Would catch a page freed before the flush: the stale translation leads to an address without
/// memory.
#[test]
fn freed_page_is_a_bus_error() {
    let mut g = rig_for(Variant::T860, TARGET);
    g.map(TARGET, 4096, RW);
    g.submit(1, JC, 0);
    g.settle();
    g.wr(0x1004, 2);
    let pa = g.pa(TARGET);
    g.unmap_page(TARGET);
    g.board.holes.push((pa, pa + 4096));
    g.submit(1, JC, 0);
    g.settle();
    assert_eq!((g.job_raw(), g.slot_status(1)), (0x2_0000, 0x48));
}

/// Would catch a wrong region in LOCKADDR: 2 MiB blocks, the 32 KiB minimum, ranges that cross a
/// power of two. Source: panfrost.md 3.3 "LOCKADDR encoding" and 6.3.
#[test]
fn lock_region_coverage() {
    assert_eq!(Rig::lockaddr(0, u64::MAX) & 0x3f, 63);
    assert_eq!(Rig::lockaddr(0x1000, 0x1000), 14);
    assert_eq!(Rig::lockaddr(0x7fff_f000, 0x2000), 31);
    // (flushed start, size, whether the page at TARGET + 0x9000 leaves the TLB)
    let cases = [
        (TARGET, 0x1000u64, false),
        (TARGET + 0x8000, 0x1000, true),
        (TARGET + 0x7000, 0x2000, true),
        (TARGET - 0x1000, 0x1000, false),
        (0, u64::MAX, true),
    ];
    for (start, size, gone) in cases {
        let mut g = rig_for(Variant::T860, TARGET + 0x9000);
        g.map(TARGET + 0x9000, 4096, RW);
        g.submit(1, JC, 0);
        g.settle();
        g.wr(0x1004, 2);
        g.unmap_page(TARGET + 0x9000);
        g.flush(0, 4, start, size);
        g.submit(1, JC, 0);
        g.settle();
        assert_eq!(g.board.lines[MMU], gone, "flush of {start:#x}+{size:#x}");
    }
    // A region inside a 2 MiB block drops the entry of the whole block.
    let mut g = rig_for(Variant::T860, TARGET + 0x10_0000);
    let at = g.entry(g.root, TARGET, 2);
    g.set_pte(at, (RAM + 0x80_0000) | RW | 1);
    g.submit(1, JC, 0);
    g.settle();
    g.wr(0x1004, 2);
    g.set_pte(at, 0);
    g.flush(0, 4, TARGET, 0x1000);
    g.submit(1, JC, 0);
    g.settle();
    assert_eq!(g.rd(0x241c) & 0xff, 0xc2);
}

/// Would catch flush commands without a lock, and too small regions. Source: panfrost.md 3.3.
#[test]
fn flush_protocol_errors() {
    let mut g = Rig::ready(Variant::T860);
    g.as_command(0, 4);
    g.wr64(0x2410, 5);
    g.as_command(0, 2);
    g.as_command(0, 3);
    g.as_command(0, 9);
    let errors = &g.mali.stats().protocol_errors;
    assert_eq!(errors["MMU flush without lock"], 1);
    assert_eq!(errors["lock region below the minimum size"], 1);
    assert_eq!(errors["unknown MMU command"], 1);
}

/// Would catch a driver that does not wait for AS_ACTIVE: the second command is lost.
/// Source: panfrost.md 3.3 "Wait STATUS.ACTIVE==0 before every command".
#[test]
fn command_while_active_is_lost() {
    let mut g = Rig::ready(Variant::T860);
    g.wr64(0x2410, Rig::lockaddr(0, u64::MAX));
    g.wr(0x2418, 2);
    assert_eq!(g.rd(0x2428), 1);
    g.wr(0x2418, 4);
    g.settle();
    assert_eq!(g.rd(0x2428), 0);
    assert_eq!(
        g.mali.stats().protocol_errors["MMU command while active"],
        1
    );
    // The flush was ignored, so the region is still locked and a job in it waits.
    g.map(JC, 4096, RW);
    g.map(TARGET, 4096, RW);
    g.write_value(JC, 1, 0, TARGET, 3);
    g.submit(1, JC, 0);
    g.settle();
    assert_eq!((g.job_raw(), g.board.lines[MMU]), (0, false));
    g.as_command(0, 3);
    g.settle();
    assert_eq!(g.job_raw(), 2);
}

/// Would catch a lock that covers less than its region: an access in the upper half waits, an
/// access above the region does not. Source: panfrost.md 3.3 "LOCKADDR encoding".
#[test]
fn locked_region_holds_accesses() {
    for (target, waits) in [
        (TARGET, true),
        (TARGET + 0xf000, true),
        (TARGET + 0x1_0000, false),
    ] {
        let mut g = rig_for(Variant::T860, target);
        g.map(target, 4096, RW);
        g.wr64(0x2410, TARGET | 15);
        g.as_command(0, 2);
        g.submit(1, JC, 0);
        g.settle();
        assert_eq!((g.job_raw(), g.rd(0x2000)), (if waits { 0 } else { 2 }, 0));
        g.as_command(0, 3);
        g.settle();
        assert_eq!(g.job_raw(), 2);
    }
}

/// Would catch a stale entry that is not flushed because it was used last: the page of the job
/// header is remapped to another job.
#[test]
fn flush_of_the_page_used_last() {
    let mut g = rig_for(Variant::T860, TARGET);
    g.map(TARGET, 4096, RW);
    g.submit(1, JC, 0);
    g.settle();
    g.wr(0x1004, 2);
    let new = g.page();
    g.map_page(JC, new, RW);
    g.header(JC, 1, 1, (0, 0), 0);
    g.flush(0, 4, JC, 0x1000);
    g.submit(1, JC, 0);
    g.settle();
    let s = g.mali.stats();
    assert_eq!(
        (s.jobs[2], s.jobs[1]),
        (1, 1),
        "write value before, null after"
    );
}
