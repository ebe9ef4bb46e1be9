// SPDX-License-Identifier: BSD-2-Clause
//! Resets, and the start of a secure core.

use super::*;

#[test]
fn reset_takes_time_and_loses_state() {
    for variant in ALL {
        let mut rig = Rig::ready(variant);
        rig.assert_clean();
        rig.exec(Stream::new().event(3, FROM_FE).state(0xe00, 7).end());
        assert!(rig.board.line);
        assert_eq!(rig.gpu.state(0xe00), 7);
        rig.wr(0x0, 64 << 2 | 1 << 19);
        if rig.secure {
            rig.wr(0x3a8, 1);
        } else {
            rig.wr(0x0, 64 << 2 | 1 << 19 | 1 << 12);
        }
        rig.wait(1_000);
        assert_eq!(rig.rd(0x4), 0, "nothing is idle in reset");
        assert!(rig.board.line);
        rig.wait(10_000);
        assert!(!rig.board.line);
        assert!(rig.is_idle());
        assert_eq!(rig.rd(0x0) & 0x3_0000, 0x3_0000);
        rig.wr(0x0, 64 << 2);
        assert_eq!(rig.rd(0x14), 0, "INTR_ENBL");
        assert_eq!(rig.ack(), 0);
        assert_eq!(rig.gpu.state(0xe00), 0);
        if rig.secure {
            assert_eq!(rig.rd(0x3a8), 0, "AHB_CONTROL");
        }
        assert_eq!(rig.gpu.stats().resets, 2);
        rig.assert_clean();
    }
}

#[test]
fn registers_take_nothing_until_the_reset_is_lifted() {
    // HW: etnaviv.md 2.5: the bit is cleared before any other write.
    for variant in [Variant::Gc3000, Variant::Gc2000, Variant::Gc320] {
        let mut rig = Rig::ready(variant);
        rig.wr(0x0, 64 << 2 | 1 << 19 | 1 << 12);
        rig.wait(15_000);
        rig.wr(0x14, !0);
        assert_eq!(rig.rd(0x14), 0);
        let error = "register write during reset";
        assert_eq!(rig.gpu.stats().protocol_errors.get(error), Some(&1));
        rig.wr(0x0, 64 << 2);
        rig.wr(0x14, !0);
        assert_eq!(rig.rd(0x14), !0);
    }
}

#[test]
fn a_short_reset_pulse_does_nothing() {
    let mut rig = Rig::ready(Variant::Gc2000);
    let ring = rig.alloc(1);
    rig.idle_loop(ring, ring);
    rig.start(ring, 2);
    rig.wr(0x0, 64 << 2 | 1 << 19 | 1 << 12);
    rig.wait(1_000);
    rig.wr(0x0, 64 << 2);
    rig.wait(100_000);
    assert_eq!(rig.rd(0x4) & 1, 0, "the front end still runs");
    assert_eq!(
        rig.gpu.stats().protocol_errors.get("reset pulse too short"),
        Some(&1)
    );
    rig.reset();
    assert!(rig.is_idle());
}

#[test]
fn a_secure_core_ignores_the_soft_reset() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    let ring = rig.alloc(1);
    rig.idle_loop(ring, ring);
    rig.start(ring, 2);
    rig.wr(0x0, 64 << 2 | 1 << 19 | 1 << 12);
    rig.wait(20_000);
    rig.wr(0x0, 64 << 2);
    assert_eq!(rig.rd(0x4) & 1, 0);
    assert_eq!(
        rig.gpu
            .stats()
            .protocol_errors
            .get("soft reset of a secure core"),
        Some(&1)
    );
}

#[test]
fn a_secure_core_needs_both_control_registers_and_the_grant() {
    let mut rig = Rig::cold(Variant::Gc7000L);
    rig.reset();
    rig.wr(0x14, !0);
    let at = rig.place(&Stream::new().event(1, FROM_FE).end());
    rig.start(at, 2);
    rig.wait(100_000);
    assert_eq!(
        rig.ack(),
        0,
        "AHB_CONTROL does not grant non-secure access yet"
    );
    rig.wr(0x3a8, 2);
    rig.wr(0x658, 1 << 16 | 2);
    rig.wait(100_000);
    assert_eq!(rig.ack(), 0, "the secure control register was not written");
    rig.wr(0x3a4, 1 << 16 | 2);
    rig.wait(100_000);
    assert_eq!(rig.ack(), 2);
}

#[test]
fn a_stuck_reset_reports_busy_until_the_next_one() {
    let mut rig = Rig::ready(Variant::Gc7000L);
    rig.gpu.inject(Injection::ResetStuck);
    rig.reset();
    assert_eq!(rig.rd(0x4) & 1, 0);
    assert_eq!(rig.rd(0x0) & 0x3_0000, 0);
    rig.reset();
    assert!(rig.is_idle());
    assert_eq!(rig.gpu.stats().injected, 1);
}
