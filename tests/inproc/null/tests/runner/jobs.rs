// SPDX-License-Identifier: BSD-2-Clause
//! What clients of the null driver see: order, counters, time-outs, power, close, suspend, detach.

use crate::rig::{Rig, User};
use crate::{HANGS, MS};
use drm_os_host::{ClockMode, Config};

const ETIMEDOUT: i32 = 60;
const ECANCELED: i32 = 85;

fn rig() -> Rig {
    rig_with(Config::default())
}

fn rig_with(config: Config) -> Rig {
    let rig = Rig::detached("null", &null_driver::DRIVER, config);
    rig.attach();
    rig
}

impl User {
    /// Submits a job and returns the syncobj with its fence.
    fn submit(&self, microseconds: u32) -> u32 {
        let syncobj = self.ioctl(0xbf, &[0, 0]).expect("a syncobj")[0];
        self.ioctl(0x40, &[microseconds, syncobj])
            .expect("it is queued");
        syncobj
    }

    /// The status of a fence: 0, 1 or a negative errno.
    fn status(&self, syncobj: u32) -> i32 {
        self.sync_file_status(self.sync_file(syncobj))
    }

    /// A sync_file with the fence of a syncobj.
    fn sync_file(&self, syncobj: u32) -> i32 {
        const EXPORT_SYNC_FILE: u32 = 1;
        let out = self
            .ioctl(0xc1, &[syncobj, EXPORT_SYNC_FILE, u32::MAX, 0])
            .expect("it has a fence");
        out[2] as i32
    }

    /// What SYNC_IOC_FILE_INFO says of a sync_file, which is closed: 0, 1 or a negative errno.
    fn sync_file_status(&self, fd: i32) -> i32 {
        let mut info = [0; 56];
        let sync_file = self.caller.fd(fd).expect("a descriptor");
        sync_file
            .ioctl(&self.caller, 0x3e, 4, &mut info)
            .expect("it is a sync_file");
        self.caller.close_fd(fd);
        i32::from_ne_bytes(info[32..36].try_into().expect("four bytes"))
    }
}

/// Catches: jobs that overtake each other, or a fence that comes before its job ended.
#[test]
fn jobs_run_in_order_and_are_counted() {
    let rig = rig();
    let client = rig.open();
    let jobs: Vec<u32> = (1..=5).map(|n| client.submit(n * 1_000)).collect();
    rig.world.advance(4 * MS);
    let status: Vec<i32> = jobs.iter().map(|job| client.status(*job)).collect();
    assert_eq!(status, [1, 1, 0, 0, 0], "1 and 2 ms have passed, 3 ms not");
    rig.world.advance(20 * MS);
    assert!(jobs.iter().all(|job| client.status(*job) == 1));
    assert_eq!(
        rig.model(|m| m.starts.clone()),
        [1_000, 2_000, 3_000, 4_000, 5_000]
    );
    assert_eq!((rig.stat("jobs"), rig.stat("resets")), (5, 0));
    let ms = rig.stat("busy_ns") / MS;
    assert!((15..17).contains(&ms), "{ms} ms in the hardware");
    drop(client);
    rig.finish();
}

/// Catches: a client whose jobs wait for all of another's.
#[test]
fn clients_take_turns() {
    let rig = rig();
    let (a, b) = (rig.open(), rig.open());
    for n in 0..3 {
        a.submit(1_000 + n);
    }
    for n in 0..3 {
        b.submit(2_000 + n);
    }
    rig.world.advance(30 * MS);
    let of_b = rig.model(|m| m.starts.iter().position(|us| *us >= 2_000));
    assert!(of_b.is_some_and(|at| at < 3), "{of_b:?}");
    drop((a, b));
    rig.finish();
}

/// Catches: a job that hangs and takes others with it, or power that stays on.
#[test]
fn a_job_that_hangs_is_ended_by_a_reset() {
    let rig = rig();
    let client = rig.open();
    let [before, hangs, after] = [1_000, HANGS, 2_000].map(|us| client.submit(us));
    rig.world.advance(1_000 * MS);
    let status = [before, hangs, after].map(|job| client.status(job));
    assert_eq!(status, [1, -ETIMEDOUT, 1]);
    assert_eq!((rig.stat("faults"), rig.stat("resets")), (1, 1));
    assert!(!rig.model(|m| m.power), "it is idle");
    drop(client);
    rig.finish();
}

/// Catches: jobs of a closed file that run on, or hold others up.
#[test]
fn closing_a_file_ends_its_jobs() {
    let rig = rig();
    let (gone, stays) = (rig.open(), rig.open());
    gone.submit(HANGS);
    gone.submit(3_000);
    let job = stays.submit(4_000);
    rig.world.settle();
    drop(gone);
    rig.world.advance(100 * MS);
    assert_eq!(stays.status(job), 1);
    assert_eq!(rig.model(|m| m.starts.clone()), [HANGS, 4_000]);
    assert_eq!(rig.stat("faults"), 0, "there is no client to blame");
    drop(stays);
    rig.finish();
}

/// Catches: a job that is lost by a suspend, or one that runs during it.
#[test]
fn jobs_wait_for_resume() {
    let rig = rig();
    let client = rig.open();
    let first = client.submit(1_000);
    rig.world.settle();
    rig.device.suspend();
    let second = client.submit(2_000);
    rig.world.advance(100 * MS);
    assert_eq!([first, second].map(|job| client.status(job)), [1, 0]);
    assert!(!rig.model(|m| m.power));
    rig.device.resume();
    rig.world.advance(100 * MS);
    assert_eq!(client.status(second), 1);
    drop(client);
    rig.finish();
}

/// Catches: a fence that is never signaled after the device was removed by force.
#[test]
fn a_forced_detach_cancels_jobs() {
    let rig = rig();
    let client = rig.open();
    let jobs = [HANGS, 1_000].map(|us| client.submit(us));
    let files = jobs.map(|job| client.sync_file(job));
    rig.device.detach(true).expect("it is forced");
    for fd in files {
        assert_eq!(client.sync_file_status(fd), -ECANCELED);
    }
    drop(client);
    rig.world.assert_clean();
}

/// Catches: a suspend while the device is being turned on that counts as a failure of the device,
/// so that jobs fail after the resume.
#[test]
fn a_suspend_is_not_a_failure_of_the_device() {
    let rig = rig_with(Config {
        clock: ClockMode::Real,
        ..Config::default()
    });
    let client = rig.open();
    rig.world.disturb(2);
    for _ in 0..500 {
        let job = client.submit(1);
        rig.device.suspend();
        rig.device.resume();
        let status = client.status(job);
        assert!([0, 1].contains(&status), "{status}");
        client.ioctl(0xc0, &[job, 0]).expect("the syncobj is freed");
    }
    rig.world.disturb(0);
    drop(client);
    rig.finish();
}

/// Catches: an error message about a device that cannot be turned on because it is detached.
#[test]
fn a_detach_is_not_a_failure_of_the_device() {
    let rig = rig_with(Config {
        clock: ClockMode::Real,
        ..Config::default()
    });
    rig.world.disturb(2);
    for _ in 0..500 {
        let client = rig.open();
        // The device is off.
        rig.device.suspend();
        rig.device.resume();
        client.submit(1);
        rig.device.detach(true).expect("it is forced");
        drop(client);
        rig.attach();
    }
    rig.world.disturb(0);
    let log = rig.world.log_lines();
    assert_eq!(log.iter().find(|line| line.starts_with("<3>")), None);
    rig.finish();
}

/// Catches: a thread that has the job task run after the detach, and so destroys it or the device.
#[test]
fn no_task_is_left_by_a_detach() {
    let rig = rig_with(Config {
        clock: ClockMode::Real,
        ..Config::default()
    });
    let client = rig.open();
    // A thread that is about to enqueue a task is interrupted, if it may be.
    rig.world.slow_enqueue(50 * MS);
    std::thread::scope(|threads| {
        threads.spawn(|| client.submit(1));
        rig.world.advance(10 * MS);
        rig.device.detach(true).expect("it is forced");
        assert_eq!(rig.world.counters().tasks, 0);
    });
    drop(client);
    rig.world.assert_clean();
}
