// SPDX-License-Identifier: BSD-2-Clause
//! Faults of the MMU, of jobs and of the GPU: who pays for them, and who does not.

use crate::Rig;
use driver_tests::panfrost::{compute, null, write_zero, Client, Work};
use driver_tests::{errno, MS, SEC};
use models::Injection;

/// An address without a buffer.
const NOWHERE: u64 = 0x7000_0000;

/// Work whose job goes astray.
fn astray(c: &Client) -> Work {
    let work = c.work().unwrap();
    work.chain.write(0, &write_zero(NOWHERE, 0));
    work
}

/// Catches: a fault that is not served (the job would end by its time-out), one that looks like
/// success, an address space that stays off.
#[test]
fn a_page_fault_ends_its_job_and_the_next_one_runs() {
    let rig = Rig::new();
    let c = rig.client();
    let work = astray(&c);
    let begin = rig.world().now();
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, SEC), -errno::EINVAL);
    assert!(rig.world().now() - begin < MS);
    c.expect_works();
    c.expect_works();
    assert_eq!(rig.stat("resets"), 0);
    // The address space's fault and the job's end.
    assert_eq!((c.stat("faults"), rig.stat("faults")), (2, 2));
    assert_eq!(rig.logged("TRANSLATION_FAULT"), 1);
    drop((work, c));
    rig.finish();
}

/// The file's next job is in the slot already, and its jobs in the other slot are queued. Catches:
/// a job handed over again in an address space that is off.
#[test]
fn jobs_after_a_faulting_one_run() {
    let rig = Rig::new();
    let c = rig.client();
    let bad = astray(&c);
    let later: Vec<Work> = (0..4).map(|_| c.work().unwrap()).collect();
    c.start(&bad).unwrap();
    for work in &later {
        c.start(work).unwrap();
    }
    assert_eq!(c.finish(&bad, SEC), -errno::EINVAL);
    for work in &later {
        assert_eq!(c.finish(work, SEC), 1);
        assert!(work.is_done());
    }
    drop((bad, later, c));
    rig.finish();
}

/// Catches: a fault that stops the whole GPU or a slot, or is charged to a bystander.
#[test]
fn a_page_fault_does_not_touch_other_files() {
    let rig = Rig::new();
    let [bad, beside, later] = [rig.client(), rig.client(), rig.client()];
    rig.slow_jobs(10 * MS);
    let running = beside.work().unwrap();
    beside.start_in(&running, true).unwrap();
    rig.advance(MS);
    let work = astray(&bad);
    bad.start(&work).unwrap();
    let queued: Vec<Work> = (0..3).map(|_| later.work().unwrap()).collect();
    for w in &queued {
        later.start(w).unwrap();
    }
    assert_eq!(bad.finish(&work, SEC), -errno::EINVAL);
    assert_eq!(beside.finish(&running, SEC), 1);
    for w in &queued {
        assert_eq!(later.finish(w, SEC), 1);
        assert!(w.is_done());
    }
    assert!(running.is_done());
    assert_eq!([&bad, &beside, &later].map(|c| c.stat("faults")), [2, 0, 0]);
    assert_eq!(rig.stat("resets"), 0);
    drop((work, running, queued, bad, beside, later));
    rig.finish();
}

/// Catches: one fault served, the other lost; interrupts that stay masked.
#[test]
fn two_files_fault_at_once() {
    let rig = Rig::new();
    let [a, b] = [rig.client(), rig.client()];
    for _ in 0..3 {
        let (x, y) = (astray(&a), astray(&b));
        a.start_in(&x, false).unwrap();
        b.start_in(&y, true).unwrap();
        assert_eq!(a.finish(&x, SEC), -errno::EINVAL);
        assert_eq!(b.finish(&y, SEC), -errno::EINVAL);
        a.discard(x);
        b.discard(y);
    }
    a.expect_works();
    b.expect_works();
    assert_eq!((a.stat("faults"), b.stat("faults")), (6, 6));
    drop((a, b));
    rig.finish();
}

/// Catches: interrupts, log lines or resets without bound where one client does nothing but fault.
#[test]
fn a_storm_of_faults_is_bounded_and_others_live() {
    let rig = Rig::new();
    let [bad, good] = [rig.client(), rig.client()];
    let works: Vec<Work> = (0..100).map(|_| astray(&bad)).collect();
    for work in &works {
        bad.start(work).unwrap();
    }
    let begin = rig.world().now();
    good.expect_works();
    assert!(
        rig.world().now() - begin < 10 * MS,
        "others wait for their turn only"
    );
    for work in &works {
        assert_eq!(bad.finish(work, SEC), -errno::EINVAL);
    }
    assert_eq!(rig.logged("FAULT"), 1, "one line a second");
    assert!(rig.stats().irqs[1] <= 200, "{:?}", rig.stats().irqs);
    assert_eq!(rig.stat("resets"), 0);
    assert_eq!((bad.stat("faults"), good.stat("faults")), (200, 0));
    rig.advance(SEC);
    bad.expect_works();
    drop((works, bad, good));
    rig.finish();
}

/// A program in a buffer without leave to be executed, and then in one that has it. Catches: NOEXEC
/// without effect, executable buffers that are not, a permission fault that is tried again for
/// ever.
#[test]
fn programs_run_only_where_they_may() {
    let rig = Rig::new();
    let c = rig.client();
    for (flags, outcome) in [(1, -errno::EINVAL), (0, 1)] {
        let program = c.bo(4096, flags).unwrap();
        let work = c.work().unwrap();
        work.chain.write(0, &compute(work.chain.va, program.va));
        c.start(&work).unwrap();
        assert_eq!(c.finish(&work, SEC), outcome);
    }
    assert_eq!(rig.logged("PERMISSION_FAULT"), 1);
    assert_eq!(rig.stat("resets"), 0);
    c.expect_works();
    drop(c);
    rig.finish();
}

/// Catches: a bus error that hangs, resets where none is needed, or hits others.
#[test]
fn a_bus_error_ends_its_job() {
    for access in 0..3 {
        let rig = Rig::new();
        let [c, other] = [rig.client(), rig.client()];
        let work = c.work().unwrap();
        rig.plant(Injection::BusErrorAt(access));
        c.start(&work).unwrap();
        assert_eq!(c.finish(&work, SEC), -errno::EINVAL, "access {access}");
        other.expect_works();
        c.expect_works();
        assert_eq!(
            (c.stat("faults"), other.stat("faults"), rig.stat("resets")),
            (1, 0, 0)
        );
        drop((work, c, other));
        rig.finish();
    }
}

/// A fault at a mapped address, as after a change of the tables that the hardware has not seen: it
/// is no heap's, so the job ends. Catches: a fault that is tried again for ever.
#[test]
fn a_fault_where_memory_is_ends_the_job() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work().unwrap();
    rig.plant(Injection::PageFaultAtAccess(0));
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, SEC), -errno::EINVAL);
    c.expect_works();
    drop((work, c));
    rig.finish();
}

/// Catches: an exception of a job taken for success, a reset for it, a slot that stays blocked.
#[test]
fn exceptions_end_their_jobs_in_either_slot() {
    let rig = Rig::new();
    let c = rig.client();
    for (slot, code) in [(1, 0x58), (0, 0x40), (1, 0x60), (0, 0xff)] {
        let [bad, later] = [c.work().unwrap(), c.work().unwrap()];
        rig.plant(Injection::JobFault { slot, code });
        c.start_in(&bad, slot == 0).unwrap();
        c.start_in(&later, slot == 0).unwrap();
        assert_eq!(c.finish(&bad, SEC), -errno::EINVAL, "{code:#x}");
        assert_eq!(c.finish(&later, SEC), 1);
        assert!(bad.is_untouched() && later.is_done());
    }
    assert_eq!((c.stat("faults"), rig.stat("resets")), (4, 0));
    drop(c);
    rig.finish();
}

/// Catches: an interrupt of the GPU block that is not cleared (it would come again for ever), jobs
/// that suffer.
#[test]
fn a_gpu_fault_is_counted_and_nothing_else() {
    let rig = Rig::new();
    let c = rig.client();
    rig.slow_jobs(10 * MS);
    let work = c.work().unwrap();
    c.start(&work).unwrap();
    rig.advance(MS);
    rig.plant_now(Injection::GpuFault);
    assert_eq!(
        (
            rig.logged("GPU fault"),
            rig.stat("faults"),
            c.stat("faults")
        ),
        (1, 1, 0)
    );
    assert_eq!(c.finish(&work, SEC), 1);
    let irqs = rig.stats().irqs;
    rig.advance(10 * MS);
    assert_eq!(rig.stats().irqs, irqs);
    drop((work, c));
    rig.finish();
}

/// A client that makes the GPU fault all the time. Catches: a log that a client can fill.
#[test]
fn gpu_faults_do_not_fill_the_log() {
    let rig = Rig::new();
    let c = rig.client();
    rig.slow_jobs(100 * MS);
    let work = c.work().unwrap();
    c.start(&work).unwrap();
    rig.advance(MS);
    for _ in 0..50 {
        rig.plant_now(Injection::GpuFault);
        rig.advance(MS);
    }
    assert_eq!((rig.stat("faults"), rig.logged("GPU fault")), (50, 1));
    assert_eq!(c.finish(&work, SEC), 1);
    drop((work, c));
    rig.finish();
}

/// A chain that does nothing at an address that is no multiple of 64. Catches: a job that the slot
/// refuses without a report.
#[test]
fn a_crooked_chain_is_refused() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work().unwrap();
    work.chain.write(32, &null(0));
    c.submit(
        work.chain.va + 32,
        false,
        &[work.chain.handle],
        &[],
        work.done,
    )
    .unwrap();
    assert_eq!(c.finish(&work, SEC), -errno::EINVAL);
    c.expect_works();
    drop((work, c));
    rig.finish();
}

/// Catches: a client whose refusals are logged only when no other client took the one line a
/// second.
#[test]
fn each_files_first_refusal_is_logged_at_once() {
    let rig = Rig::new();
    let (first, second) = (rig.client(), rig.client());
    // The first of each; after it one line a second for all.
    for (client, lines) in [
        (&first, 1),
        (&first, 2),
        (&first, 2),
        (&second, 3),
        (&second, 3),
    ] {
        assert_eq!(client.submit(0, false, &[], &[], 0), Err(errno::EINVAL));
        assert_eq!(rig.logged("submit refused with errno 22"), lines);
    }
    assert_eq!(rig.stat("refused"), 5);
    assert_eq!((first.stat("refused"), second.stat("refused")), (3, 2));
    drop((first, second));
    rig.finish();
}
