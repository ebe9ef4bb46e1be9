// SPDX-License-Identifier: BSD-2-Clause
//! Suspend, resume and shutdown. That no register is touched while the power is off is checked by
//! [`Rig::finish`].

use driver_tests::panfrost::{null, write_zero, Client, Rig, Work};
use driver_tests::{errno, tunable, MS, SEC};
use models::Injection;

fn is_off(rig: &Rig) -> bool {
    let c = rig.world().counters();
    assert_eq!(c.power_domains_on, c.clocks_enabled);
    c.power_domains_on == 0
}

/// Eight jobs of 20 ms in both slots, submitted.
fn start_eight(rig: &Rig, client: &Client) -> Vec<Work> {
    rig.slow_jobs(20 * MS);
    let works: Vec<Work> = (0..8).map(|_| client.work().unwrap()).collect();
    for (n, work) in works.iter().enumerate() {
        client.start_in(work, n % 2 == 0).unwrap();
    }
    rig.advance(MS);
    works
}

fn done(client: &Client, works: &[Work]) -> usize {
    works
        .iter()
        .filter(|work| client.outcome(work.done) != 0)
        .count()
}

/// Catches: a suspend that does nothing, one that fails or forgets jobs, one that takes a job from
/// the hardware which would have ended, a job that starts while the device is suspended, a resume
/// after which nothing runs.
#[test]
fn jobs_wait_for_the_resume() {
    let rig = Rig::new();
    let c = rig.client();
    let works = start_eight(&rig, &c);
    let resets = rig.stats().soft_resets;
    rig.device().suspend();
    assert!(is_off(&rig));
    assert_eq!(rig.stats().soft_resets, resets, "running jobs could end");
    let ended = done(&c, &works);
    assert!((1..works.len()).contains(&ended), "{ended}");
    let late = c.work().unwrap();
    c.start(&late).unwrap();
    assert_eq!(c.finish(&late, 2 * SEC), 0, "it waits");
    rig.advance(10 * SEC);
    assert!(is_off(&rig));
    assert_eq!(done(&c, &works), ended);
    assert!(works.iter().filter(|work| work.is_untouched()).count() == works.len() - ended);
    rig.device().resume();
    for work in works.iter().chain([&late]) {
        assert_eq!(c.finish(work, SEC), 1);
        assert!(work.is_done());
    }
    assert_eq!((rig.stat("jobs"), rig.stat("resets")), (9, 0));
    drop((works, late, c));
    rig.finish();
}

/// A job that hangs in a way that no stop ends would hold the suspend up. Catches: a suspend
/// without a bound, an innocent job that fails.
#[test]
fn a_hung_gpu_is_suspended_all_the_same() {
    let rig = Rig::new();
    let c = rig.client();
    let hung = c.work().unwrap();
    hung.chain.write(0, &write_zero(0x7000_0000, 0));
    rig.plant(Injection::LoseIrq { line: 1 });
    c.start(&hung).unwrap();
    rig.advance(MS);
    let other = c.work().unwrap();
    c.start_in(&other, true).unwrap();
    let begin = rig.world().now();
    rig.device().suspend();
    assert!(is_off(&rig));
    assert!(rig.world().now() - begin < 1_100 * MS);
    rig.device().resume();
    assert_eq!(c.finish(&hung, 2 * SEC), -errno::ETIMEDOUT);
    assert_eq!(c.finish(&other, 2 * SEC), 1);
    drop((hung, other, c));
    rig.finish();
}

/// Catches: a second suspend that has to be resumed twice by one who asked once, a resume of
/// nothing that breaks something, a suspended device that cannot be detached.
#[test]
fn suspended_twice_resumed_thrice() {
    let rig = Rig::new();
    let c = rig.client();
    for _ in 0..3 {
        rig.device().suspend();
        assert!(is_off(&rig));
        rig.device().resume();
        c.expect_works();
    }
    rig.device().resume();
    c.expect_works();
    let work = c.work().unwrap();
    rig.device().suspend();
    c.start(&work).unwrap();
    assert_eq!(rig.device().detach(true), Ok(()));
    assert_eq!(c.syncobj_wait(work.done, SEC), Err(errno::ENXIO));
    drop((work, c));
    rig.finish_detached();
}

/// The system goes down under load. Catches: a GPU that writes to memory of the next kernel, a
/// shutdown that waits for jobs without end, a resume that turns it on again.
#[test]
fn nothing_runs_after_the_shutdown() {
    let rig = Rig::new();
    let c = rig.client();
    let works = start_eight(&rig, &c);
    let endless = c.work().unwrap();
    endless.chain.write(0, &null(endless.chain.va));
    c.start(&endless).unwrap();
    let begin = rig.world().now();
    rig.device().shutdown();
    assert!(is_off(&rig));
    assert!(rig.world().now() - begin < 20 * MS);
    let ended = done(&c, &works);
    assert!(ended < works.len());
    rig.device().resume();
    rig.advance(10 * SEC);
    assert!(is_off(&rig));
    assert_eq!(done(&c, &works), ended);
    drop((works, endless, c));
    rig.finish();
}

/// The counters insist on power between jobs. Catches: a GPU that stays on for them, counters that
/// are lost permanently, power that is off when they are used again.
#[test]
fn counters_come_back() {
    let rig = Rig::with("rk3399", tunable("unstable_ioctls", 1));
    let c = rig.client();
    c.perfcnt_enable(true, 0).unwrap();
    let mut dump = [0; 8 * 256];
    c.perfcnt_dump(&mut dump).unwrap();
    rig.device().suspend();
    assert!(is_off(&rig));
    assert!(c.perfcnt_dump(&mut dump).is_err());
    let other = rig.client();
    assert_eq!(other.perfcnt_enable(true, 0), Err(errno::EBUSY));
    rig.device().resume();
    assert!(!is_off(&rig));
    c.perfcnt_dump(&mut dump).unwrap();
    c.perfcnt_enable(false, 0).unwrap();
    rig.device().suspend();
    assert_eq!(c.perfcnt_enable(true, 0), Err(errno::EBUSY));
    assert!(is_off(&rig));
    rig.device().resume();
    c.expect_works();
    drop((other, c));
    rig.finish();
}
