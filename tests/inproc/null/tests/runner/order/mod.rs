// SPDX-License-Identifier: BSD-2-Clause
//! The order in which the runner calls `Backend`, on hardware whose resets can be made to fail. The
//! trace of the world has the driver's lines and the changes of power in one sequence.

mod calls;
mod interface;
mod probe;
mod resets;

use crate::rig::{Rig, User};
use crate::{HANGS, MS};
use drm_os_host::{Config, Trace};
use interface::{DRIVER, STARTS};
use std::ops::Deref;
use std::sync::{Arc, Mutex};

/// A device whose calls are logged.
struct Order {
    rig: Rig,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Deref for Order {
    type Target = Rig;

    fn deref(&self) -> &Rig {
        &self.rig
    }
}

impl User {
    fn start(&self, microseconds: u32) {
        self.start_with(microseconds, STARTS);
    }

    fn start_with(&self, microseconds: u32, start: u32) {
        self.try_start(microseconds, start).expect("it is queued");
    }

    /// Submits a job whose start ends so.
    fn try_start(&self, microseconds: u32, start: u32) -> Result<(), i32> {
        self.ioctl(0x40, &[microseconds, start]).map(drop)
    }
}

impl Order {
    /// An attached device, whose attach is not in the log.
    fn new() -> Order {
        let rig = Order::detached(Config::default());
        rig.attach();
        rig.take();
        rig
    }

    fn detached(config: Config) -> Order {
        let rig = Rig::detached("order", &DRIVER, config);
        let lines = Arc::new(Mutex::new(Vec::new()));
        let to = lines.clone();
        rig.world.set_trace(Some(Box::new(move |event| {
            let line = match event {
                Trace::Power { on: true, .. } => "power on".into(),
                Trace::Power { on: false, .. } => "power off".into(),
                // The runner's lines are warnings and errors.
                Trace::Log { level: 6, text, .. } => text.clone(),
                _ => return,
            };
            to.lock().expect("a lock").push(line);
        })));
        Order { rig, lines }
    }

    /// A device with a job that hangs and one after it, and their client. The calls so far are not
    /// in the log.
    fn hung() -> (Order, User) {
        let rig = Order::new();
        let user = rig.open();
        user.start(HANGS);
        user.start(1_000);
        rig.world.advance(MS);
        rig.take();
        (rig, user)
    }

    /// The calls since the last `take`.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().expect("a lock"))
    }

    /// The client has finished, and nothing is left.
    fn finish(self, user: User) {
        drop(user);
        self.rig.finish();
    }

    /// As [`Order::finish`], where the driver is no longer attached.
    fn finish_detached(self, user: User) {
        drop(user);
        self.rig.finish_detached();
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
