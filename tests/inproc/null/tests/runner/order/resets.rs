// SPDX-License-Identifier: BSD-2-Clause
//! Time-outs and resets.

use super::interface::{NEEDS_RESETS, RESETS, STUCK_ONCE};
use super::{is_subsequence, signaled, Order};
use crate::{HANGS, MS};

/// The calls of a reset.
const RESET: [&str; 7] = [
    "stop",
    "mask_interrupts",
    "forget",
    "reset",
    "set_up",
    "forgotten",
    "ready",
];

/// Catches: a reset that leaves something of the old jobs, or starts others before the hardware
/// is set up; registers that are read without power.
#[test]
fn a_reset() {
    let rig = Order::new();
    let user = rig.open();
    user.start(HANGS);
    user.start(1_000);
    rig.world.advance(502 * MS);
    assert_eq!(
        rig.take(),
        ["start", "collect", "overdue", "timed_out", "stop"]
    );
    rig.world.advance(20 * MS);
    let lines = rig.take();
    let order = [
        "mask_interrupts",
        "forget",
        "reset",
        "set_up",
        "forgotten",
        "ready",
        &signaled(HANGS),
        "user_fence_signaled",
        "start",
        "collect",
        "signaled 1000",
    ];
    assert_eq!(lines[..order.len().min(lines.len())], order);
    rig.finish(user);
}

/// Catches: a job that is ended, and whose memory is freed, while the hardware may still run it,
/// since the reset has failed and the power is on.
#[test]
fn the_power_goes_off_before_jobs_end_if_a_reset_fails() {
    for step in ["reset", "set_up"] {
        let rig = Order::new();
        let user = rig.open();
        user.start(HANGS);
        user.start(1_000);
        rig.world.advance(MS);
        rig.model(|m| (m.reset_fails, m.set_up_fails) = (step == "reset", step == "set_up"));
        rig.take();
        rig.world.advance(550 * MS);
        let lines = rig.take();
        let order = [
            "forget",
            step,
            "power off",
            "forgotten",
            &signaled(HANGS),
            "user_fence_signaled",
            "power on",
            "reset",
            "set_up",
            "ready",
            "start",
            "signaled 1000",
        ];
        assert!(is_subsequence(&order, &lines), "{order:?} in {lines:?}");
        rig.finish(user);
    }
}

/// Catches: two functions of a driver that run at once, such as one that reads the registers of a
/// hung job and one that turns the power off.
#[test]
fn a_timeout_waits_for_a_suspend() {
    let rig = Order::new();
    let user = rig.open();
    user.start(HANGS);
    // The job becomes overdue while the shutdown stops it.
    rig.world.advance(499 * MS);
    rig.take();
    rig.device.shutdown();
    rig.world.advance(50 * MS);
    assert_eq!(
        rig.take(),
        [
            "stop",
            "mask_interrupts",
            "forget",
            "reset",
            "set_up",
            "forgotten",
            "ready",
            "collect",
            "overdue",
            "mask_interrupts",
            "forget",
            "power_off",
            "forgotten",
            "power off",
        ]
    );
    rig.finish(user);
}

/// Catches: error messages about a device that is turned off because it is detached.
#[test]
fn a_detach_during_a_reset_is_no_error() {
    let rig = Order::new();
    let user = rig.open();
    user.start(HANGS);
    // The driver is stopping the job.
    rig.world.advance(503 * MS);
    assert_eq!(rig.take().last().expect("calls"), "stop");
    rig.device.detach(true).expect("it is forced");
    let lines = rig.take();
    let order = ["forget", "reset", "power off", "forgotten"];
    assert!(is_subsequence(&order, &lines), "{lines:?}");
    let log = rig.world.log_lines();
    assert_eq!(log.iter().find(|line| line.starts_with("<3>")), None);
    rig.finish_detached(user);
}

/// Catches: resets without end for a job that the hardware never accepts, or one that holds up
/// those after it.
#[test]
fn hardware_that_needs_resets_is_broken_after_two() {
    let rig = Order::new();
    let user = rig.open();
    user.start_with(1_000, NEEDS_RESETS);
    rig.world.advance(20 * MS);
    let mut order = vec!["start"];
    for _ in 0..2 {
        order.extend(RESET);
        order.push("start");
    }
    order.extend(["signaled 1000", "user_fence_signaled"]);
    assert_eq!(rig.take()[..order.len()], order);
    // For a second jobs fail without being started; then the device is tried again.
    user.start(2_000);
    rig.world.advance(900 * MS);
    let lines = rig.take();
    assert!(is_subsequence(&["signaled 2000"], &lines), "{lines:?}");
    assert!(!lines.contains(&"start".into()), "{lines:?}");
    rig.world.advance(200 * MS);
    user.start(3_000);
    rig.world.advance(50 * MS);
    let lines = rig.take();
    let order = ["ready", "start", "collect", "signaled 3000"];
    assert!(is_subsequence(&order, &lines), "{lines:?}");
    rig.finish(user);
}

/// Catches: a job that is lost in hardware that is stuck.
#[test]
fn a_job_that_got_stuck_starts_again_after_the_reset() {
    let rig = Order::new();
    let user = rig.open();
    user.start_with(1_000, STUCK_ONCE);
    rig.world.advance(15 * MS);
    let mut order = vec!["start"];
    order.extend(RESET);
    order.extend(["start", "collect", "signaled 1000"]);
    assert_eq!(rig.take()[..order.len()], order);
    rig.finish(user);
}

/// Catches: a reset of a device that is off, which is logged and counted.
#[test]
fn a_device_that_is_off_is_not_reset() {
    let rig = Order::new();
    let user = rig.open();
    user.start_with(0, RESETS);
    rig.world.advance(50 * MS);
    assert_eq!(rig.take()[..RESET.len()], RESET);
    assert_eq!(rig.stat("resets"), 1);
    user.start_with(0, RESETS);
    rig.world.advance(50 * MS);
    assert_eq!(rig.take(), ["forget", "forgotten"]);
    assert_eq!(rig.stat("resets"), 1);
    let log = rig.world.log_lines();
    let logged = log.iter().filter(|line| line.ends_with(": engine reset"));
    assert_eq!(logged.count(), 1, "{log:?}");
    rig.finish(user);
}
