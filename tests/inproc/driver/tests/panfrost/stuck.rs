// SPDX-License-Identifier: BSD-2-Clause
//! Hardware that takes no command: a reset, an address space, the power of cores. Each test bounds
//! the virtual time that it takes.

use crate::hang::start_immovable;
use crate::Rig;
use driver_tests::panfrost::write_zero;
use driver_tests::{errno, MS, SEC};
use models::{Domain, Injection};

/// A soft reset that has no effect. Catches: no hard reset after it.
#[test]
fn a_stuck_soft_reset_is_followed_by_a_hard_one() {
    let rig = Rig::new();
    let c = rig.client();
    rig.plant(Injection::ResetStuck);
    let bad = start_immovable(&rig, &c, 1);
    assert_eq!(c.finish(&bad, 2 * SEC), -errno::ETIMEDOUT);
    assert_eq!((rig.stats().hard_resets, rig.stat("resets")), (1, 1));
    c.expect_works();
    drop((bad, c));
    rig.finish();
}

/// No reset has an effect for a while. Catches: waits without bound, jobs that are neither run nor
/// failed, power that stays on or is given back twice, a GPU that is never tried again.
#[test]
fn a_gpu_that_does_not_come_back_fails_jobs_and_is_tried_again() {
    let rig = Rig::new();
    let [c, other] = [rig.client(), rig.client()];
    let bad = start_immovable(&rig, &c, 1);
    let queued = other.work().unwrap();
    other.start(&queued).unwrap();
    rig.timing(|t| t.reset_ns = 100 * SEC);
    assert_eq!(c.finish(&bad, 2 * SEC), -errno::ETIMEDOUT);
    assert_eq!(other.finish(&queued, 100 * MS), -errno::EIO);
    assert_eq!(rig.world().counters().power_domains_on, 0);
    // Again and again, none of them hangs.
    for _ in 0..5 {
        let begin = rig.world().now();
        other.start(&queued).unwrap();
        assert_eq!(other.finish(&queued, SEC), -errno::EIO);
        assert!(rig.world().now() - begin < 50 * MS);
        rig.advance(300 * MS);
    }
    assert!(queued.is_untouched());
    rig.timing(|t| t.reset_ns = 100_000);
    rig.advance(SEC);
    other.expect_works();
    c.expect_works();
    drop((bad, queued, c, other));
    rig.finish();
}

/// The reset itself succeeds, but cores do not come on after it; they do when the power has been
/// off and on. Catches: innocent jobs failed for that.
#[test]
fn cores_stuck_after_a_reset_come_on_after_a_power_cycle() {
    let rig = Rig::new();
    let [guilty, other] = [rig.client(), rig.client()];
    let bad = start_immovable(&rig, &guilty, 1);
    let queued = other.work().unwrap();
    other.start(&queued).unwrap();
    rig.plant(Injection::PowerStuck(Domain::L2));
    assert_eq!(guilty.finish(&bad, 2 * SEC), -errno::ETIMEDOUT);
    assert_eq!(other.finish(&queued, 100 * MS), 1);
    assert_eq!(
        (rig.stats().injected, rig.logged("GPU reset failed")),
        (2, 1)
    );
    drop((bad, queued, guilty, other));
    rig.finish();
}

/// An address space takes no command. Catches: a wait without bound, a page table used that may be
/// freed, the waiting job blamed.
#[test]
fn a_stuck_address_space_is_reset_and_the_job_runs() {
    let rig = Rig::new();
    let c = rig.client();
    let begin = rig.world().now();
    rig.plant(Injection::AsStuck(0));
    c.expect_works();
    assert!(rig.world().now() - begin < 300 * MS);
    assert_eq!((rig.stat("resets"), c.stat("faults")), (1, 0));
    drop(c);
    rig.finish();
}

/// It takes no command after a reset either. Catches: resets without end, a job that waits for
/// ever.
#[test]
fn an_address_space_that_stays_stuck_fails_the_job() {
    let rig = Rig::new();
    let [c, other] = [rig.client(), rig.client()];
    let work = c.work().unwrap();
    rig.plant(Injection::AsStuck(0));
    c.start(&work).unwrap();
    let begin = rig.world().now();
    while c.outcome(work.done) == 0 {
        rig.plant(Injection::AsStuck(0));
        rig.advance(MS / 10);
        assert!(rig.world().now() - begin < SEC);
    }
    assert_eq!((c.outcome(work.done), rig.stat("resets")), (-errno::EIO, 3));
    // One stuck command may be planted still.
    rig.advance(MS);
    other.expect_works();
    c.expect_works();
    drop((work, c, other));
    rig.finish();
}

/// It is a flush at GEM_CLOSE that is stuck. Catches: memory freed while the GPU may use it, the
/// running job of another client lost.
#[test]
fn a_stuck_flush_is_reset_and_others_run_again() {
    let rig = Rig::new();
    let [c, other] = [rig.client(), rig.client()];
    c.expect_works();
    let extra = c.bo(4096, 1).unwrap();
    rig.slow_jobs(20 * MS);
    let work = other.work().unwrap();
    other.start(&work).unwrap();
    rig.advance(MS);
    rig.plant(Injection::AsStuck(0));
    c.close(extra.handle).unwrap();
    assert_eq!(rig.stat("resets"), 1);
    assert_eq!(other.finish(&work, SEC), 1);
    assert!(work.is_done());
    c.expect_works();
    drop((extra, work, c, other));
    rig.finish();
}

/// It is the last command to the address space of a closed file. Catches: its page table freed
/// while in use (bad_dma), others lost.
#[test]
fn a_stuck_address_space_of_a_closed_file_is_reset() {
    let rig = Rig::new();
    let [c, other] = [rig.client(), rig.client()];
    c.expect_works();
    rig.plant(Injection::AsStuck(0));
    drop(c);
    rig.advance(300 * MS);
    assert_eq!(rig.stat("resets"), 1);
    other.expect_works();
    drop(other);
    rig.finish();
}

/// It is the one that switches off after a fault. Catches: the faulting job waits for ever.
#[test]
fn a_stuck_address_space_after_a_fault_is_reset() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work().unwrap();
    c.expect_works();
    work.chain.write(0, &write_zero(0x7000_0000, 0));
    rig.plant(Injection::AsStuck(0));
    c.start(&work).unwrap();
    // The reset gives the job another run; its fault is found again, and then ends it.
    assert!(c.finish(&work, 2 * SEC) < 0);
    assert_eq!(rig.stat("resets"), 1);
    c.expect_works();
    drop((work, c));
    rig.finish();
}

/// Cores do not come on. Catches: waits without bound, jobs that wait for ever, unbalanced power,
/// no second try.
#[test]
fn cores_that_do_not_come_on_fail_jobs_for_a_while() {
    for domain in [Domain::L2, Domain::Shader, Domain::Tiler] {
        let rig = Rig::new();
        let c = rig.client();
        rig.advance(100 * MS);
        assert_eq!(rig.world().counters().power_domains_on, 0, "idle");
        rig.plant(Injection::PowerStuck(domain));
        let work = c.work().unwrap();
        let begin = rig.world().now();
        c.start(&work).unwrap();
        assert_eq!(c.finish(&work, SEC), -errno::EIO, "{domain:?}");
        assert!(rig.world().now() - begin < 50 * MS);
        assert_eq!(rig.world().counters().power_domains_on, 0);
        rig.advance(SEC);
        c.expect_works();
        drop((work, c));
        rig.finish();
    }
}

/// Cores do not go off. Catches: a wait without bound at power-down, power never given back.
#[test]
fn cores_that_do_not_go_off_lose_their_power() {
    let rig = Rig::new();
    let c = rig.client();
    c.expect_works();
    rig.plant(Injection::PowerStuck(Domain::Shader));
    rig.advance(100 * MS);
    assert_eq!(rig.world().counters().power_domains_on, 0);
    assert_eq!(rig.logged("no power off in time"), 1);
    c.expect_works();
    drop(c);
    rig.finish();
}
