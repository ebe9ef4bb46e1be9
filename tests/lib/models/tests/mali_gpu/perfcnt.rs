// SPDX-License-Identifier: BSD-2-Clause
//! Performance counters: a sample goes through the MMU into memory and raises its interrupt.
use crate::common::{Rig, GPU, MMU, RW};
use models::Variant;

const BUFFER: u64 = 0x0500_0000;
const JC: u64 = 0x0200_0000;
const TEXT: u32 = 1 << 16;

/// The register writes by which a driver enables the counters. Source: panfrost.md 2.7; Linux 6.1
/// panfrost_perfcnt.c.
fn enable(g: &mut Rig, space: u32) {
    g.wr64(0x060, BUFFER);
    for offset in [0x06c, 0x070, 0x07c, 0x074] {
        g.wr(offset, u32::MAX);
    }
    g.wr(0x068, 1 | space << 4);
    g.wr(0x028, TEXT | 1 << 17);
}

/// Would catch wrong block order or size, lost counts, a sample without interrupt, and a failing
/// sequence of sample and clean. Source: Mesa perf/pan_perf.c (JM, tiler, L2, cores of 64 words),
/// perf/T86x.xml (JM 6 GPU_ACTIVE, 16 JS1_JOBS).
#[test]
fn sample_on_t860() {
    let mut g = Rig::ready(Variant::T860);
    let blocks = 1 + 1 + 1 + 4;
    g.map(BUFFER, 4096, RW);
    g.map(JC, 4096, RW);
    enable(&mut g, 0);
    g.wr(0x030, 3);
    for n in 0..3u64 {
        g.header(
            JC + 64 * n,
            1,
            n as u32 + 1,
            (0, 0),
            if n < 2 { JC + 64 * (n + 1) } else { 0 },
        );
    }
    g.submit(1, JC, 0);
    g.settle();
    g.wr(0x030, 4);
    assert_eq!(g.rd(0x034) & 4, 4, "PRFCNT_ACTIVE");
    assert_eq!(g.rd(0x020) & TEXT, 0);
    g.settle();
    assert!(g.board.lines[GPU]);
    assert_eq!((g.rd(0x020) & TEXT, g.rd(0x034) & 4), (TEXT, 0));
    assert_eq!(g.peek32(BUFFER + 4 * 16), 3, "JS1_JOBS");
    assert_eq!(g.peek32(BUFFER + 4 * 8), 0, "JS0_JOBS");
    assert!(g.peek32(BUFFER + 4 * 6) > 0, "GPU_ACTIVE");
    for block in 0..blocks {
        assert_eq!(
            g.peek32(BUFFER + 256 * block + 8),
            u32::MAX,
            "enable mask of block {block}"
        );
    }
    assert_eq!(
        g.peek32(BUFFER + 256 * blocks + 8),
        0,
        "nothing after the last core"
    );
    g.wr(0x024, TEXT);
    g.wr(0x030, 7);
    g.settle();
    assert_eq!(g.rd(0x020) & (TEXT | 1 << 17), 1 << 17);
    // A sample restarts the counters.
    g.wr(0x030, 4);
    g.settle();
    assert_eq!(g.peek32(BUFFER + 4 * 16), 0);
    assert_eq!(g.mali.stats().perfcnt_samples, 2);
}

/// Would catch enable masks without effect: bit 4 enables counters 16 to 19.
#[test]
fn enable_mask_selects_counters() {
    for (mask, jobs) in [(1 << 4, 1), (!(1 << 4), 0)] {
        let mut g = Rig::ready(Variant::T860);
        g.map(BUFFER, 4096, RW);
        g.map(JC, 4096, RW);
        enable(&mut g, 0);
        g.wr(0x06c, mask);
        g.header(JC, 1, 1, (0, 0), 0);
        g.submit(1, JC, 0);
        g.settle();
        g.wr(0x030, 4);
        g.settle();
        assert_eq!(g.peek32(BUFFER + 4 * 16), jobs);
    }
}

/// Would catch the v5 layout used on v4: eight blocks, job manager last.
/// Source: panfrost.md 2.7 "v4: groups*8 blocks".
#[test]
fn sample_on_t720() {
    let mut g = Rig::ready(Variant::T720);
    g.map(BUFFER, 4096, RW);
    g.map(JC, 4096, RW);
    enable(&mut g, 0);
    g.header(JC, 1, 1, (0, 0), 0);
    g.submit(1, JC, 0);
    g.settle();
    g.wr(0x030, 4);
    g.settle();
    assert_eq!(g.peek32(BUFFER + 256 * 7 + 4 * 16), 1);
    assert_eq!(g.peek32(BUFFER + 8), u32::MAX);
}

/// Would catch a sample into the wrong address space, or one that cannot take a fault.
#[test]
fn sample_uses_its_address_space_and_stalls_on_faults() {
    let mut g = Rig::ready(Variant::T860);
    let other = g.table();
    g.enable(3, other);
    enable(&mut g, 3);
    g.wr(0x030, 4);
    g.settle();
    assert!(g.board.lines[MMU]);
    assert_eq!((g.rd(0x2000), g.rd64(0x2420 + 0x40 * 3)), (1 << 3, BUFFER));
    assert_eq!(g.rd(0x020) & TEXT, 0);
    g.wr(0x2004, 1 << 3);
    let pa = g.page();
    let at = g.entry(other, BUFFER, 3);
    g.set_pte(at, pa | RW | 1);
    g.flush(3, 4, BUFFER, 0x1000);
    g.settle();
    assert_eq!(g.rd(0x020) & TEXT, TEXT);
    assert_eq!(g.pte(pa + 8) as u32, u32::MAX);
}

/// Would catch SAMPLE while counters are off.
#[test]
fn sample_needs_manual_mode() {
    let mut g = Rig::ready(Variant::T860);
    g.wr(0x030, 4);
    g.settle();
    assert_eq!(g.rd(0x020) & TEXT, 0);
    assert_eq!(
        g.mali.stats().protocol_errors["sample without enabled idle counters"],
        1
    );
}
