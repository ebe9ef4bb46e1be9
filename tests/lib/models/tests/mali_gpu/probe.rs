// SPDX-License-Identifier: BSD-2-Clause
//! GPU control block: identity, reset, power, interrupt masks, accesses without effect.
use crate::common::{Rig, GPU};
use models::{Access, Variant};

/// Would catch a model that the stock Linux driver cannot probe.
/// Source: facts/virtual-board.md "Writes that 6.1 panfrost made at probe, in order".
#[test]
fn linux_probe_sequence() {
    let mut g = Rig::cold(Variant::T860);
    g.wr(0x028, 0);
    g.wr(0x024, 0x100);
    g.wr(0x030, 1);
    assert_eq!(g.rd(0x020) & 0x100, 0, "a reset takes time");
    g.wait(10_000_000);
    assert_eq!(
        g.rd(0x020) & 0x100,
        0x100,
        "less than the 10 ms that a driver waits"
    );
    g.wr(0x024, 0x30781);
    g.wr(0x028, 0x30081);
    assert_eq!(g.rd(0x000), 0x0860_2000);
    g.wr(0xf04, 0x10000);
    let tiler = g.rd(0xf08);
    g.wr(0xf08, tiler | 1);
    g.wr(0xf00, 0x1f8);
    g.wr(0x1a0, 1);
    g.wait(20_000_000);
    assert_eq!(g.rd(0x160), 1);
    g.wr(0x180, 0xf);
    g.wait(20_000_000);
    assert_eq!(g.rd(0x140), 0xf);
    g.wr(0x190, 1);
    g.wait(1_000_000);
    assert_eq!(g.rd(0x150), 1);
    // HW: panfrost.md 2.3: GPU_INT after power on = 0x600.
    assert_eq!(g.rd(0x020), 0x600);
    g.wr(0x1004, 0x70007);
    g.wr(0x1008, 0x70007);
    for offset in [0x068, 0x06c, 0x070, 0x07c, 0x074] {
        g.wr(offset, 0);
    }
    for (off, trans, mask) in [(0x1c0, 0x200, 0xf), (0x1d0, 0x210, 1), (0x1e0, 0x220, 1)] {
        g.wr(off, mask);
        g.wait(1_000_000);
        assert_eq!(g.rd(trans), 0);
    }
    assert_eq!((g.rd(0x140), g.rd(0x150), g.rd(0x160)), (0, 0, 0));
    assert_eq!([g.rd(0xf00), g.rd(0xf04), g.rd(0xf08)], [0x1f8, 0x10000, 1]);
    let stats = g.mali.stats();
    assert_eq!(stats.unknown_accesses(), 0, "{:?}", stats.unknown_registers);
    assert_eq!(
        stats.protocol_error_count(),
        0,
        "{:?}",
        stats.protocol_errors
    );
    assert_eq!(stats.readonly_writes, 0);
    assert_eq!(g.board.changes, [], "0x600 is not in the mask 0x30081");
}

/// Would catch a wrong identity word. Source: panfrost.md 2.3 "RK3399 T860 register oracle".
#[test]
fn t860_oracle() {
    let mut g = Rig::cold(Variant::T860);
    let expected = [
        (0x004, 0x0712_0206),
        (0x008, 0),
        (0x00c, 0x809),
        (0x010, 0x1),
        (0x014, 0x2830),
        (0x018, 0xff),
        (0x01c, 0x7),
        (0x100, 0xf),
        (0x104, 0),
        (0x110, 1),
        (0x120, 1),
        (0xe00, 0),
        (0x300, 0),
        (0x310, 0),
    ];
    for (offset, value) in expected {
        assert_eq!(g.rd(offset), value, "register {offset:#x}");
    }
    assert_eq!(g.mali.stats().unknown_accesses(), 0);
}

/// Would catch product ids unknown to drivers or Mesa. Source: panfrost.md 2.3, Mesa pan_props.c
/// panfrost_model_list.
#[test]
fn product_ids() {
    let ids = [
        (Variant::T720, 0x0720),
        (Variant::T760, 0x0750),
        (Variant::T860, 0x0860),
        (Variant::G31, 0x7093),
        (Variant::G52, 0x7402),
    ];
    for (variant, id) in ids {
        let mut g = Rig::cold(variant);
        assert_eq!(g.rd(0) >> 16, id);
        assert_eq!(g.rd(0x1c), 7);
        let text = g.rd(0x0b0);
        assert_eq!(text, 0x00fe_001e);
    }
}

/// Would catch a reset that keeps state, and a driver that does not set it up again. Source:
/// panfrost.md 2.1, 2.2 (quirks applied after each reset), 2.6.
#[test]
fn reset_loses_everything_but_the_gpu_mask() {
    for command in [1, 2] {
        let mut g = Rig::ready(Variant::T860);
        g.wr(0x028, 0x100);
        g.wr(0xf04, 0x10000);
        g.wr(0x030, command);
        assert_eq!((g.rd(0x140), g.rd(0x160)), (0, 0), "power is off at once");
        g.settle();
        assert_eq!(g.rd(0x020), 0x100);
        assert!(g.board.lines[GPU], "a driver may wait for the interrupt");
        assert_eq!(g.rd(0xf04), 0);
        assert_eq!((g.rd(0x1008), g.rd(0x2008)), (0, 0));
        assert_eq!(g.rd64(0x2400), 0);
        let s = g.mali.stats();
        assert_eq!(
            (s.soft_resets, s.hard_resets),
            if command == 1 { (1, 0) } else { (0, 1) }
        );
    }
}

/// Would catch writes that take effect during a reset. Source: panfrost.md 2.1 (poll before
/// anything).
#[test]
fn writes_during_reset_are_lost() {
    let mut g = Rig::cold(Variant::T860);
    g.wr(0x030, 1);
    g.wr(0xf04, 0x55);
    g.settle();
    assert_eq!(g.rd(0xf04), 0);
    assert_eq!(
        g.mali.stats().protocol_errors["register write during reset"],
        1
    );
}

/// Would catch power transitions that take no time, and cores that power on without L2. Source:
/// panfrost.md 2.1 (L2 first, PWRTRANS polling).
#[test]
fn power_transitions_take_time_and_wait_for_l2() {
    let mut g = Rig::cold(Variant::T860);
    g.wr(0x180, 0x3);
    g.wait(1_000_000);
    assert_eq!(
        (g.rd(0x140), g.rd(0x200)),
        (0, 3),
        "shader cores wait for L2"
    );
    g.wr(0x1a0, 1);
    assert_eq!((g.rd(0x160), g.rd(0x220)), (0, 1));
    g.wait(30_000);
    assert_eq!((g.rd(0x160), g.rd(0x220)), (1, 0));
    assert_eq!(
        g.rd(0x020),
        0x200,
        "one transition is complete, the cores are still powering on"
    );
    g.wait(30_000);
    assert_eq!((g.rd(0x140), g.rd(0x200)), (3, 0));
    assert_eq!(g.rd(0x020), 0x600);
    // L2 does not power off while cores are on.
    g.wr(0x1e0, 1);
    g.wait(1_000_000);
    assert_eq!((g.rd(0x160), g.rd(0x220)), (1, 1));
    g.wr(0x1c0, 0xf);
    g.wait(1_000_000);
    assert_eq!((g.rd(0x140), g.rd(0x160), g.rd(0x220)), (0, 0, 0));
}

/// Would catch a line that ignores mask or clear. Source: panfrost.md 2.3, 2.4 (level interrupts).
#[test]
fn interrupt_level_follows_raw_and_mask() {
    let mut g = Rig::ready(Variant::T860);
    g.board.changes.clear();
    g.wr(0x028, 0x20000);
    g.wr(0x030, 7);
    assert!(!g.board.lines[GPU]);
    g.wait(10_000);
    assert!(g.board.lines[GPU]);
    // HW: panfrost.md 2.3: GPU_INT after CLEAN_CACHES = 0x20000.
    assert_eq!((g.rd(0x020), g.rd(0x02c)), (0x20000, 0x20000));
    g.wr(0x028, 0);
    assert_eq!((g.rd(0x020), g.rd(0x02c)), (0x20000, 0));
    assert!(!g.board.lines[GPU]);
    g.wr(0x028, 0x20000);
    assert!(g.board.lines[GPU]);
    g.wr(0x024, 0x20000);
    assert_eq!(
        g.board.changes,
        [(GPU, true), (GPU, false), (GPU, true), (GPU, false)]
    );
}

/// Would catch a driver that touches registers while suspended. Source: panfrost.md 2.1
/// "suspend order".
#[test]
fn dead_accesses_are_counted() {
    let mut g = Rig::ready(Variant::T860);
    let now = g.now;
    g.mali.set_power(&mut g.board, now, false);
    assert_eq!(g.rd(0), 0);
    g.wr(0x028, 1);
    assert_eq!(g.mali.stats().dead_accesses, 2);
    let now = g.now;
    g.mali.set_power(&mut g.board, now, true);
    assert_eq!(g.rd(0), 0x0860_2000);
    assert_eq!((g.rd(0x028), g.rd(0x140)), (0, 0), "power off loses state");
}

/// Would catch a clock gate that loses state or lets work continue.
#[test]
fn clock_off_freezes() {
    let mut g = Rig::cold(Variant::T860);
    g.wr(0x1a0, 1);
    let now = g.now;
    g.mali.set_clock(&mut g.board, now, false);
    assert_eq!(g.mali.next_event(), None);
    g.wait(1_000_000);
    assert_eq!(g.rd(0x220), 0);
    let now = g.now;
    g.mali.set_clock(&mut g.board, now, true);
    assert_eq!((g.rd(0x160), g.rd(0x220)), (0, 1), "still in progress");
    g.wait(30_000);
    assert_eq!(g.rd(0x160), 1);
    assert_eq!(g.mali.stats().dead_accesses, 1);
}

/// Would catch accesses to registers that do not exist on the part.
/// Source: panfrost.md 3.3 (TRANSCFG is Bifrost), 2.3 (three slots, AS_PRESENT).
#[test]
fn unknown_registers_read_zero_and_are_counted() {
    let mut g = Rig::cold(Variant::T860);
    for offset in [0x048, 0x2430, 0x2600, 0x1980, 0x3000, 0x101] {
        assert_eq!(g.rd(offset), 0);
        assert_eq!(g.mali.stats().unknown_registers[&(offset, Access::Read)], 1);
        g.wr(offset, 1);
        assert_eq!(
            g.mali.stats().unknown_registers[&(offset, Access::Write)],
            1
        );
    }
    // Linux 7.2 writes zero to TRANSCFG on every model.
    let mut g = Rig::cold(Variant::T860);
    g.wr(0x2430, 0);
    g.wr(0x2434, 0);
    assert_eq!(g.mali.stats().unknown_accesses(), 0);
    let mut g = Rig::cold(Variant::G52);
    g.wr(0x2430, 6);
    assert_eq!(g.rd(0x2430), 6);
    assert_eq!(g.mali.stats().unknown_accesses(), 0);
}

/// Would catch an override written without its key. Source: panfrost.md 2.2 (Amlogic quirk).
#[test]
fn power_override_needs_its_key() {
    let mut g = Rig::cold(Variant::G31);
    g.wr(0x058, 0xfff | 0x20 << 16);
    assert_eq!(g.rd(0x058), 0);
    g.wr(0x050, 0x2968_a819);
    g.wr(0x058, 0xfff | 0x20 << 16);
    assert_eq!(g.rd(0x058), 0x0020_0fff);
    assert_eq!(g.mali.stats().protocol_error_count(), 1);
}

/// Would catch counters that run while they are off. Source: panfrost.md 2.7.
#[test]
fn cycle_counter_counts_between_start_and_stop() {
    let mut g = Rig::ready(Variant::T860);
    g.wait(1_000_000);
    assert_eq!(g.rd64(0x090), 0);
    g.wr(0x030, 5);
    assert_eq!(g.rd(0x034) & 0x40, 0x40);
    g.wait(1_000_000);
    g.wr(0x030, 6);
    let count = g.rd64(0x090);
    assert!((500_000..501_000).contains(&count), "{count}");
    g.wait(1_000_000);
    assert_eq!(g.rd64(0x090), count);
    assert!(g.rd64(0x098) > 0, "the timestamp always runs");
}
