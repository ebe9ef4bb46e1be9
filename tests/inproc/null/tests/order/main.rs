// SPDX-License-Identifier: BSD-2-Clause
//! The order in which the runner calls `Backend`, on hardware whose resets can be made to fail. The
//! trace of the world has the driver's lines and the changes of power in one sequence.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

mod driver;
mod model;

use driver::{DRIVER, FREED_SLOWLY, FREE_NS, NEEDS_RESETS, RESETS, STARTS, STUCK_ONCE};
use drm_os_host::{Caller, ClockMode, Config, Device, File, Node, Trace, World};
use model::{Model, WINDOW};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MS: u64 = 1_000_000;
const RENDER: u32 = drm_os_host::sys::DRM_OS_MINOR_RENDER;
const GROUP: u32 = 0x64;
/// Microseconds that no job may take.
const HANGS: u32 = 10_000_000;

struct Rig {
    world: World,
    device: Device,
    lines: Arc<Mutex<Vec<String>>>,
}

struct User {
    file: File,
    caller: Caller,
}

impl User {
    fn submit(&self, microseconds: u32) {
        self.submit_with(microseconds, STARTS);
    }

    fn submit_with(&self, microseconds: u32, start: u32) {
        self.try_submit(microseconds, start).expect("it is queued");
    }

    /// Submits a job whose start ends so.
    fn try_submit(&self, microseconds: u32, start: u32) -> Result<(), i32> {
        let mut data = [0; 8];
        data[..4].copy_from_slice(&microseconds.to_ne_bytes());
        data[4..].copy_from_slice(&start.to_ne_bytes());
        self.file.ioctl(&self.caller, GROUP, 0x40, &mut data)
    }
}

impl Rig {
    /// An attached device, whose attach is not in the log.
    fn new() -> Rig {
        let rig = Rig::detached();
        rig.attach();
        rig.take();
        rig
    }

    fn detached() -> Rig {
        Rig::with(Config::default())
    }

    fn with(config: Config) -> Rig {
        let world = World::new(config);
        let node = Node {
            name: "order0".into(),
            compatible: vec!["drmkpi,order".into()],
            mmio_len: WINDOW,
            irqs: vec!["order".into()],
            power_domain: true,
            ..Node::default()
        };
        let device = world.add_device(node, Box::<Model>::default());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let to = lines.clone();
        world.set_trace(Some(Box::new(move |event| {
            let line = match event {
                Trace::Power { on: true, .. } => "power on".into(),
                Trace::Power { on: false, .. } => "power off".into(),
                // The runner's lines are warnings and errors.
                Trace::Log { level: 6, text, .. } => text.clone(),
                _ => return,
            };
            to.lock().expect("a lock").push(line);
        })));
        Rig {
            world,
            device,
            lines,
        }
    }

    fn attach(&self) {
        self.device
            .attach(DRIVER.as_ptr().cast())
            .expect("it attaches");
    }

    fn open(&self) -> User {
        let caller = Caller::local(&self.world, "test");
        let file = self.device.open(RENDER, &caller).expect("it opens");
        User { file, caller }
    }

    /// The calls since the last `take`.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().expect("a lock"))
    }

    fn model(&self, f: impl FnOnce(&mut Model)) {
        self.device
            .with_hardware(|hw| f(hw.as_any().downcast_mut().expect("the model")));
    }

    fn finish(self) {
        self.device.detach(false).expect("no file is open");
        self.model(|m| assert_eq!((m.wrong, m.power), (0, false)));
        self.world.assert_clean();
    }
}

fn signaled(job: u32) -> String {
    format!("signaled {job}")
}

/// Whether all of `part` are in `lines`, in this order.
fn is_subsequence(part: &[&str], lines: &[String]) -> bool {
    let mut lines = lines.iter();
    part.iter().all(|wanted| lines.any(|line| line == wanted))
}

/// Catches: interrupts that are unmasked before the set-up, and a power-down in which the hardware
/// is accessed without power, or VMs are dropped before it is off.
#[test]
fn attach_and_idle() {
    let rig = Rig::detached();
    rig.attach();
    assert_eq!(rig.take(), ["power on", "reset", "set_up", "ready"]);
    let user = rig.open();
    user.submit(1_000);
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
    drop(user);
    rig.finish();
}

/// Catches: a power-down while an interrupt handler accesses registers.
#[test]
fn the_power_goes_off_after_the_handler_has_returned() {
    let rig = Rig::with(Config {
        clock: ClockMode::Real,
        ..Config::default()
    });
    rig.attach();
    let user = rig.open();
    // Longer than the idle time.
    rig.model(|m| m.handler_ms = 100);
    user.submit(1_000);
    rig.world.advance(300 * MS);
    let lines = rig.take();
    let order = ["mask_interrupts", "handler returns", "power_off"];
    assert!(is_subsequence(&order, &lines), "{lines:?}");
    drop(user);
    rig.finish();
}

/// Catches: a VM that the hardware leaves, and that is dropped with the job lock held.
#[test]
fn the_last_reference_to_a_vm_is_dropped_without_the_lock() {
    let rig = Rig::new();
    let user = rig.open();
    user.submit(1_000);
    // The job has been freed, and the device is still on.
    rig.world.advance(2 * MS);
    user.submit(2_000);
    rig.world.advance(3 * MS);
    let lines = rig.take();
    let at = |line: &str| lines.iter().rposition(|l| l == line);
    assert!(at("start") < at("VM dropped"), "{lines:?}");
    assert!(at("job freed") < at("VM dropped"), "{lines:?}");
    drop(user);
    rig.finish();
}

/// Catches: a reset that leaves something of the old jobs, or starts others before the hardware
/// is set up; registers that are read without power.
#[test]
fn a_reset() {
    let rig = Rig::new();
    let user = rig.open();
    user.submit(HANGS);
    user.submit(1_000);
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
    drop(user);
    rig.finish();
}

/// Catches: a job that is ended, and whose memory is freed, while the hardware may still run it,
/// since the reset has failed and the power is on.
#[test]
fn the_power_goes_off_before_jobs_end_if_a_reset_fails() {
    for step in ["reset", "set_up"] {
        let rig = Rig::new();
        let user = rig.open();
        user.submit(HANGS);
        user.submit(1_000);
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
        drop(user);
        rig.finish();
    }
}

/// Catches: jobs that start during a suspend, or a device that is not set up again after it.
#[test]
fn suspend_and_resume() {
    let rig = Rig::new();
    let user = rig.open();
    user.submit(HANGS);
    user.submit(1_000);
    rig.world.advance(MS);
    rig.take();
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
    drop(user);
    rig.finish();
}

/// Catches: a detach that ends jobs, or frees what they use, before the device is off.
#[test]
fn detach() {
    let rig = Rig::new();
    let user = rig.open();
    user.submit(HANGS);
    user.submit(1_000);
    rig.world.advance(MS);
    rig.take();
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
    drop(user);
    rig.model(|m| assert_eq!((m.wrong, m.power), (0, false)));
    rig.world.assert_clean();
}

/// Catches: jobs of a closed file that the hardware is not asked to stop.
#[test]
fn close() {
    let rig = Rig::new();
    let user = rig.open();
    user.submit(HANGS);
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
    rig.finish();
}

/// Catches: two functions of a driver that run at once, such as one that reads the registers of a
/// hung job and one that turns the power off.
#[test]
fn a_timeout_waits_for_a_suspend() {
    let rig = Rig::new();
    let user = rig.open();
    user.submit(HANGS);
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
    drop(user);
    rig.finish();
}

/// Catches: error messages about a device that is turned off because it is detached.
#[test]
fn a_detach_during_a_reset_is_no_error() {
    let rig = Rig::new();
    let user = rig.open();
    user.submit(HANGS);
    // The driver is stopping the job.
    rig.world.advance(503 * MS);
    assert_eq!(rig.take().last().expect("calls"), "stop");
    rig.device.detach(true).expect("it is forced");
    let lines = rig.take();
    let order = ["forget", "reset", "power off", "forgotten"];
    assert!(is_subsequence(&order, &lines), "{lines:?}");
    let log = rig.world.log_lines();
    assert_eq!(log.iter().find(|line| line.starts_with("<3>")), None);
    drop(user);
    rig.world.assert_clean();
}

const RESET: [&str; 7] = [
    "stop",
    "mask_interrupts",
    "forget",
    "reset",
    "set_up",
    "forgotten",
    "ready",
];

/// Catches: resets without end for a job that the hardware never accepts, or one that holds up
/// those after it.
#[test]
fn hardware_that_needs_resets_is_broken_after_two() {
    let rig = Rig::new();
    let user = rig.open();
    user.submit_with(1_000, NEEDS_RESETS);
    rig.world.advance(20 * MS);
    let mut order = vec!["start"];
    for _ in 0..2 {
        order.extend(RESET);
        order.push("start");
    }
    order.extend(["signaled 1000", "user_fence_signaled"]);
    assert_eq!(rig.take()[..order.len()], order);
    // For a second jobs fail without being started; then the device is tried again.
    user.submit(2_000);
    rig.world.advance(900 * MS);
    let lines = rig.take();
    assert!(is_subsequence(&["signaled 2000"], &lines), "{lines:?}");
    assert!(!lines.contains(&"start".into()), "{lines:?}");
    rig.world.advance(200 * MS);
    user.submit(3_000);
    rig.world.advance(50 * MS);
    let lines = rig.take();
    let order = ["ready", "start", "collect", "signaled 3000"];
    assert!(is_subsequence(&order, &lines), "{lines:?}");
    drop(user);
    rig.finish();
}

/// Catches: a job that is lost in hardware that is stuck.
#[test]
fn a_job_that_got_stuck_starts_again_after_the_reset() {
    let rig = Rig::new();
    let user = rig.open();
    user.submit_with(1_000, STUCK_ONCE);
    rig.world.advance(15 * MS);
    let mut order = vec!["start"];
    order.extend(RESET);
    order.extend(["start", "collect", "signaled 1000"]);
    assert_eq!(rig.take()[..order.len()], order);
    drop(user);
    rig.finish();
}

/// Catches: a job that cannot be queued, and is freed while other threads of its file wait for the
/// run queue.
#[test]
fn a_job_that_is_refused_is_freed_without_the_lock_of_its_run_queue() {
    let rig = Rig::with(Config {
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
        if user.try_submit(1_000, FREED_SLOWLY).is_ok() {
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
    drop(user);
    rig.finish();
}

/// Catches: a reset of a device that is off, which is logged and counted.
#[test]
fn a_device_that_is_off_is_not_reset() {
    let rig = Rig::new();
    let user = rig.open();
    let resets = || {
        let stats = rig.device.stats();
        stats.iter().find(|(name, _)| name == "resets").map(|s| s.1)
    };
    user.submit_with(0, RESETS);
    rig.world.advance(50 * MS);
    assert_eq!(rig.take()[..RESET.len()], RESET);
    assert_eq!(resets(), Some(1));
    user.submit_with(0, RESETS);
    rig.world.advance(50 * MS);
    assert_eq!(rig.take(), ["forget", "forgotten"]);
    assert_eq!(resets(), Some(1));
    let log = rig.world.log_lines();
    let logged = log.iter().filter(|line| line.ends_with(": engine reset"));
    assert_eq!(logged.count(), 1, "{log:?}");
    drop(user);
    rig.finish();
}
