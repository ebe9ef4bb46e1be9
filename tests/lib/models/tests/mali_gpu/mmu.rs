// SPDX-License-Identifier: BSD-2-Clause
//! MMU: every fault code, the TLB and its flushes, stalled accesses and their retry. The test
//! access is a write-value job: its header read and its store go through the MMU.
use crate::common::{Rig, JOB, MMU, NX, R, RAM, RW, W};
use models::Variant;

const JC: u64 = 0x0200_0000;
const TARGET: u64 = 0x0400_0000;

/// A rig with a job at JC that stores zero at `target`.
fn rig_for(variant: Variant, target: u64) -> Rig {
    let mut g = Rig::ready(variant);
    g.map(JC, 4096, RW);
    g.write_value(JC, 1, 0, target, 3);
    g
}

/// Runs the job on address space 0 and returns (FAULTSTATUS, FAULTADDRESS) of the fault.
fn fault_of(g: &mut Rig) -> (u32, u64) {
    g.submit(1, JC, 0);
    g.settle();
    assert!(g.board.lines[MMU], "no fault was raised");
    (g.rd(0x241c), g.rd64(0x2420))
}

const WRITE: u32 = 3 << 8;
const READ: u32 = 2 << 8;
const EXECUTE: u32 = 1 << 8;
const SOURCE: u32 = 0x81 << 16;

/// Would catch a wrong level in the code, a wrong access type or address.
/// Source: panfrost.md 3.1 (levels), 3.3 (codes, FAULTSTATUS).
#[test]
fn translation_faults_at_every_level() {
    for level in 0..4u32 {
        // The first address whose entry at `level` is missing while the levels above exist.
        let target = [0x80_0000_0000, 0x40_0000_0000, 0x4000_0000, 0x0200_1000][level as usize];
        let mut g = rig_for(Variant::T860, target);
        g.entry(g.root, target, level);
        let (status, address) = fault_of(&mut g);
        assert_eq!(status, (0xc0 + level) | WRITE | SOURCE, "level {level}");
        assert_eq!(address, target);
        assert_eq!(g.rd(0x2000), 1, "RAWSTAT bit of the address space");
        assert_eq!(g.mali.stats().mmu_faults[&(0xc0 + level as u8)], 1);
        assert_eq!(g.job_raw(), 0, "the job waits");
    }
}

/// Would catch ignored permissions. Source: panfrost.md 3.1 (bits 6, 7), 3.3 (C8 + level).
#[test]
fn permission_faults() {
    // Page without write.
    let mut g = rig_for(Variant::T860, TARGET);
    g.map(TARGET, 4096, R | NX);
    assert_eq!(fault_of(&mut g).0, 0xcb | WRITE | SOURCE);
    // Header on a page without read.
    let mut g = Rig::ready(Variant::T860);
    g.map(JC, 4096, W | NX);
    assert_eq!(fault_of(&mut g).0, 0xcb | READ | SOURCE);
    // 2 MiB block without write.
    let mut g = rig_for(Variant::T860, TARGET);
    let at = g.entry(g.root, TARGET, 2);
    g.set_pte(at, (RAM + 0x20_0000) | R | 1);
    assert_eq!(fault_of(&mut g).0, 0xca | WRITE | SOURCE);
    // 1 GiB block without write.
    let mut g = rig_for(Variant::T860, 0x80_4000_0000);
    let at = g.entry(g.root, 0x80_4000_0000, 1);
    g.set_pte(at, 0x8000_0000 | R | 1);
    assert_eq!(fault_of(&mut g).0, 0xc9 | WRITE | SOURCE);
}

/// Would catch shader code that is accepted on a NOEXEC page. Source: panfrost.md 3.1 (XN bits
/// 54:53), 1.3 (NOEXEC); descriptor: Mesa genxml v5.xml "Renderer State".
#[test]
fn execute_needs_no_xn() {
    for flags in [RW, R] {
        let mut g = Rig::ready(Variant::T860);
        g.map(JC, 8192, RW);
        g.map(TARGET, 4096, flags);
        g.header(JC, 5, 1, (0, 0), 0);
        g.poke64(JC + 64 + 56, JC + 0x400);
        g.poke64(JC + 0x400, TARGET | 5);
        g.submit(1, JC, 0);
        g.settle();
        if flags == RW {
            assert_eq!(g.rd(0x241c), 0xcb | EXECUTE | SOURCE);
            assert_eq!(g.rd64(0x2420), TARGET);
        } else {
            assert_eq!(
                g.job_raw(),
                2,
                "read-only and executable is how code is mapped"
            );
        }
    }
}

/// Would catch walks that ignore bus errors. Source: panfrost.md 2.4 (high half of RAWSTAT is bus
/// errors), 3.3 (D0 + level).
#[test]
fn table_walk_bus_faults() {
    for level in 0..4u32 {
        let mut g = rig_for(Variant::T860, TARGET);
        g.map(TARGET, 4096, RW);
        // Moves the table that the level reads to an address without memory.
        let mut hole = g.root;
        if level > 0 {
            let at = g.entry(g.root, TARGET, level - 1);
            g.set_pte(at, 0x10_0000 | 3);
            hole = 0x10_0000;
        } else {
            g.board.holes.push((hole, hole + 4096));
        }
        let (status, _) = fault_of(&mut g);
        assert_eq!(
            status & 0xff,
            0xd0 + level,
            "level {level}, table {hole:#x}"
        );
        assert_eq!(g.rd(0x2000), 0x1_0000, "bus error bit, no page fault bit");
    }
}

/// Would catch unchecked address widths. Source: panfrost.md 2.3 (MMU_FEATURES 0x2830: 48-bit
/// input, 40-bit output), 3.3 (E0, E4 + level).
#[test]
fn address_size_faults() {
    let mut g = rig_for(Variant::T860, 1 << 48);
    assert_eq!(fault_of(&mut g), (0xe0 | WRITE | SOURCE, 1 << 48));
    let mut g = rig_for(Variant::T860, TARGET);
    let at = g.entry(g.root, TARGET, 3);
    g.set_pte(at, 1 << 40 | R | W | 1);
    assert_eq!(fault_of(&mut g).0, 0xe7 | WRITE | SOURCE);
    let mut g = rig_for(Variant::T860, 0x80_0400_0000);
    let top = g.entry(g.root, 0x80_0400_0000, 0);
    g.set_pte(top, 1 << 41 | 3);
    assert_eq!(fault_of(&mut g).0, 0xe4 | WRITE | SOURCE);
}

/// Would catch a leaf of type 3 decoded as a page, as in arm64 tables. Source: panfrost.md 3.1
/// "leaf = 1 at every level including L3".
#[test]
fn arm64_style_leaf_is_no_leaf() {
    let mut g = rig_for(Variant::T860, TARGET);
    let pa = g.page();
    let at = g.entry(g.root, TARGET, 3);
    g.set_pte(at, pa | R | W | 3);
    assert_eq!(fault_of(&mut g).0 & 0xff, 0xc3);
}

/// Would catch identity mode decoded as a table. Source: panfrost.md 3.1 (ADRMODE 2), 3.3 (C7).
#[test]
fn identity_mode() {
    let mut g = Rig::ready(Variant::T860);
    let pa = g.page();
    g.map_page(pa, pa, RW);
    g.write_value(pa, 1, 0, pa + 64, 3);
    g.wr64(0x2400, 2);
    g.as_command(0, 1);
    g.poke64(pa + 64, u64::MAX);
    g.submit(1, pa, 0);
    g.settle();
    assert_eq!((g.job_raw(), g.peek64(pa + 64)), (2, 0));
    g.wr(0x1004, 2);
    g.write_value(pa, 1, 0, 1 << 41, 3);
    g.submit(1, pa, 0);
    g.settle();
    assert_eq!(g.rd(0x241c) & 0xff, 0xc7);
}

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

/// Would catch a wrong AArch64 walk. Source: panfrost.md 3.2; permissions as in the Arm
/// architecture's stage 1 (AP bits 7:6, UXN bit 54, AF bit 10).
#[test]
fn aarch64_tables() {
    const AF: u64 = 1 << 10;
    const USER: u64 = 1 << 6;
    const RO: u64 = 1 << 7;
    // (leaf flags, MEMATTR, expected fault code or none)
    let cases = [
        (3 | AF | USER, 0x8d4c, None),
        (3 | USER, 0x8d4c, Some(0xdb)),
        (3 | AF | USER | RO, 0x8d4c, Some(0xcb)),
        (3 | AF, 0x8d4c, Some(0xcb)),
        (1 | AF | USER, 0x8d4c, Some(0xc3)),
        (3 | AF | USER | 1 << 2, 0xff4c, Some(0xeb)),
    ];
    for (flags, memattr, code) in cases {
        let mut g = Rig::ready(Variant::G52);
        let root = g.table();
        let (jc, target) = (g.page(), g.page());
        g.map_page(JC, jc, RW);
        g.write_value(JC, 1, 0, TARGET, 3);
        let at = g.entry(root, JC, 3);
        g.set_pte(at, jc | AF | USER | 3);
        let at = g.entry(root, TARGET, 3);
        g.set_pte(at, target | flags);
        g.wr64(0x2400, root);
        g.wr64(0x2408, memattr);
        // HW: panfrost.md 3.2: AARCH64_4K = 6, INA_BITS = 55 - va_bits in bits 10:6.
        g.wr64(0x2430, 6 | (55 - 48) << 6);
        g.as_command(0, 1);
        g.submit(1, JC, 0);
        g.settle();
        match code {
            None => assert_eq!((g.job_raw(), g.rd(0x2000)), (2, 0)),
            Some(code) => assert_eq!(g.rd(0x241c) & 0xff, code, "flags {flags:#x}"),
        }
    }
}

/// Would catch a fault status that a reset does not clear.
#[test]
fn reset_clears_faults_and_tlb() {
    let mut g = rig_for(Variant::T860, TARGET);
    let _ = fault_of(&mut g);
    g.wr(0x030, 1);
    g.settle();
    assert_eq!((g.rd(0x2000), g.rd(0x241c), g.job_raw()), (0, 0, 0));
    assert!(!g.board.lines[MMU] && !g.board.lines[JOB]);
}

/// Would catch a model that panics on arbitrary register values: every register written with ones.
#[test]
fn wild_register_values_do_not_panic() {
    for variant in [Variant::T720, Variant::T860, Variant::G31] {
        let mut g = Rig::ready(variant);
        for value in [u32::MAX, 0x8000_0000, 0xffff_ffc0, 1] {
            for offset in (0x034..0x3000).step_by(4) {
                g.wr(offset, value);
            }
            g.wait(1_000_000);
        }
        assert!(g.mali.stats().protocol_error_count() > 0);
    }
}
