// SPDX-License-Identifier: BSD-2-Clause
//! Table walks and the fault code of each failure.

use super::*;

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
