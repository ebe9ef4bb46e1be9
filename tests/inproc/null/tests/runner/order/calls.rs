// SPDX-License-Identifier: BSD-2-Clause
//! Attach, idle, submit, suspend, close and detach.

use super::interface::{FREED_SLOWLY, FREE_NS};
use super::{is_subsequence, signaled, Order};
use crate::{HANGS, MS};
use drm_os_host::{ClockMode, Config};
use std::time::Duration;

/// Catches: interrupts that are unmasked before the set-up, and a power-down in which the hardware
/// is accessed without power, or VMs are dropped before it is off.
#[test]
fn attach_and_idle() {
    let rig = Order::detached(Config::default());
    rig.attach();
    assert_eq!(rig.take(), ["power on", "reset", "set_up", "ready"]);
    let user = rig.open();
    user.start(1_000);
    rig.world.advance(2 * MS);
    assert_eq!(
        rig.take(),
        ["start", "collect", "signaled 1000", "user_fence_signaled"]
    );
    rig.world.advance(50 * MS);
    assert_eq!(
        rig.take(),
        [
            "job freed",
            "mask_interrupts",
            "forget",
            "power_off",
            "forgotten",
            "power off",
            "VM dropped"
        ]
    );
    rig.finish(user);
}

/// Catches: a power-down while an interrupt handler accesses registers.
#[test]
fn the_power_goes_off_after_the_handler_has_returned() {
    let rig = Order::detached(Config {
        clock: ClockMode::Real,
        ..Config::default()
    });
    rig.attach();
    let user = rig.open();
    // Longer than the idle time.
    rig.model(|m| m.handler_ms = 100);
    user.start(1_000);
    rig.world.advance(300 * MS);
    let lines = rig.take();
    let order = ["mask_interrupts", "handler returns", "power_off"];
    assert!(is_subsequence(&order, &lines), "{lines:?}");
    rig.finish(user);
}

/// Catches: a VM that the hardware leaves, and that is dropped with the job lock held.
#[test]
fn the_last_reference_to_a_vm_is_dropped_without_the_lock() {
    let rig = Order::new();
    let user = rig.open();
    user.start(1_000);
    // The job has been freed, and the device is still on.
    rig.world.advance(2 * MS);
    user.start(2_000);
    rig.world.advance(3 * MS);
    let lines = rig.take();
    let at = |line: &str| lines.iter().rposition(|l| l == line);
    assert!(at("start") < at("VM dropped"), "{lines:?}");
    assert!(at("job freed") < at("VM dropped"), "{lines:?}");
    rig.finish(user);
}

/// Catches: jobs that start during a suspend, or a device that is not set up again after it.
#[test]
fn suspend_and_resume() {
    let (rig, user) = Order::hung();
    // The first job is ended by its time-out, with the device on.
    rig.device.suspend();
    rig.world.advance(50 * MS);
    let lines = rig.take();
    let order = [
        "overdue",
        "timed_out",
        "reset",
        "ready",
        "mask_interrupts",
        "forget",
        "power_off",
        "forgotten",
        "power off",
    ];
    assert!(is_subsequence(&order, &lines), "{lines:?}");
    assert!(!lines.contains(&"start".into()), "{lines:?}");
    rig.device.resume();
    rig.world.advance(10 * MS);
    let lines = rig.take();
    let order = ["power on", "reset", "set_up", "ready", "start", "collect"];
    assert_eq!(lines[..order.len().min(lines.len())], order);
    rig.finish(user);
}

/// Catches: a detach that ends jobs, or frees what they use, before the device is off.
#[test]
fn detach() {
    let (rig, user) = Order::hung();
    rig.device.detach(true).expect("it is forced");
    let lines = rig.take();
    let order = [
        "stop",
        "mask_interrupts",
        "forget",
        "reset",
        "power off",
        "forgotten",
    ];
    assert_eq!(lines[..order.len().min(lines.len())], order);
    for end in [
        "VM dropped",
        "job freed",
        &signaled(HANGS),
        &signaled(1_000),
    ] {
        let at = lines.iter().position(|line| line == end);
        assert!(at > Some(order.len() - 1), "{end} in {lines:?}");
    }
    rig.finish_detached(user);
}

/// Catches: jobs of a closed file that the hardware is not asked to stop.
#[test]
fn close() {
    let rig = Order::new();
    let user = rig.open();
    user.start(HANGS);
    rig.world.advance(MS);
    rig.take();
    drop(user);
    assert_eq!(rig.take(), ["stop_orphans"]);
    rig.world.advance(100 * MS);
    let lines = rig.take();
    // Its client does not exist, so this is no hang.
    let order = ["overdue", "stop", "mask_interrupts", "forget", "reset"];
    assert!(is_subsequence(&order, &lines), "{lines:?}");
    assert!(!lines.contains(&"timed_out".into()), "{lines:?}");
    rig.rig.finish();
}

/// Catches: a job that cannot be queued, and is freed while other threads of its file wait for the
/// run queue.
#[test]
fn a_job_that_is_refused_is_freed_without_the_lock_of_its_run_queue() {
    let rig = Order::detached(Config {
        clock: ClockMode::Real,
        ..Config::default()
    });
    rig.attach();
    let user = rig.open();
    rig.world.measure_holds(true);
    let mut refused = 0;
    let mut freed = 0;
    loop {
        let before = rig.world.now();
        rig.world.fail_allocation(Some(refused));
        if user.try_start(1_000, FREED_SLOWLY).is_ok() {
            break;
        }
        refused += 1;
        freed += u32::from(rig.world.now() - before >= FREE_NS);
    }
    rig.world.fail_allocation(None);
    assert!(freed >= 3, "{freed} of {refused} had a job");
    let holds = rig.world.longest_holds();
    let of = |name: &str| holds.iter().find(|(lock, _)| lock.contains(name));
    let (_, hold) = of("drm timeline").expect("it was held");
    assert!(hold.wall < Duration::from_nanos(FREE_NS), "{hold:?}");
    rig.finish(user);
}
