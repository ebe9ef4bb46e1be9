// SPDX-License-Identifier: BSD-2-Clause
//! Power: off when idle, on for jobs, and the end of the device.

use crate::Rig;
use driver_tests::panfrost::{Client, Work};
use driver_tests::{errno, sync_file_info, MS, SEC};

fn is_on(rig: &Rig) -> bool {
    let c = rig.world().counters();
    let on = c.power_domains_on != 0;
    assert_eq!(c.power_domains_on, c.clocks_enabled);
    assert_eq!(c.power_domains_on, c.regulators_enabled);
    assert!(c.power_domains_on <= 1, "turned on twice");
    on
}

/// Catches: power that is never given back, given back too soon, not taken for a job, or taken
/// twice.
#[test]
fn power_goes_after_50_ms_and_comes_for_a_job() {
    let rig = Rig::new();
    let c = rig.client();
    for _ in 0..3 {
        c.expect_works();
        assert!(is_on(&rig));
        rig.advance(49 * MS);
        assert!(is_on(&rig));
        rig.advance(2 * MS);
        assert!(!is_on(&rig));
    }
    let resets = rig.stats().soft_resets;
    c.expect_works();
    assert_eq!(
        rig.stats().soft_resets,
        resets + 1,
        "each power-up begins with a reset"
    );
    assert_eq!(rig.stat("resets"), 0);
    drop(c);
    rig.finish();
}

/// Catches: a timer that a later job does not put off.
#[test]
fn work_puts_the_power_down_off() {
    let rig = Rig::new();
    let c = rig.client();
    for _ in 0..5 {
        c.expect_works();
        rig.advance(40 * MS);
        assert!(is_on(&rig));
    }
    rig.advance(20 * MS);
    assert!(!is_on(&rig));
    drop(c);
    rig.finish();
}

/// A job that runs longer than the idle time. Catches: power taken from a running job.
#[test]
fn a_long_job_keeps_the_power() {
    let rig = Rig::new();
    let c = rig.client();
    rig.slow_jobs(200 * MS);
    let work = c.work().unwrap();
    c.start(&work).unwrap();
    rig.advance(150 * MS);
    assert!(is_on(&rig));
    assert_eq!(c.finish(&work, SEC), 1);
    rig.advance(60 * MS);
    assert!(!is_on(&rig));
    drop((work, c));
    rig.finish();
}

/// All that does not need the GPU works without it. Catches: a call that turns the power on, or
/// that touches registers without (dead_accesses).
#[test]
fn calls_that_need_no_gpu_leave_it_off() {
    let rig = Rig::new();
    let c = rig.client();
    c.expect_works();
    rig.advance(100 * MS);
    assert!(!is_on(&rig));
    let resets = rig.stats().soft_resets;
    assert_eq!(c.param(0), Ok(0x860));
    let work = c.work().unwrap();
    let heap = c.bo(4 << 20, 3).unwrap();
    assert_eq!(c.wait(work.data.handle, 0), Ok(()));
    assert_eq!(c.wait(work.data.handle, SEC), Ok(()));
    assert_eq!(c.va(heap.handle), Ok(heap.va));
    assert_eq!(c.madvise(work.data.handle, 1), Ok(true));
    rig.world().lowmem(1);
    assert_eq!(c.madvise(work.data.handle, 0), Ok(false));
    c.close(heap.handle).unwrap();
    let other = rig.client();
    drop(other);
    assert!(!is_on(&rig));
    assert_eq!(rig.stats().soft_resets, resets);
    drop((work, heap, c));
    rig.finish();
}

/// The wait of a job's fence is not held up by the power. Catches: WAIT_BO that lies about time.
#[test]
fn wait_bo_distinguishes_busy_from_late() {
    let rig = Rig::new();
    let c = rig.client();
    rig.slow_jobs(10 * MS);
    let work = c.work().unwrap();
    c.start(&work).unwrap();
    assert_eq!(c.wait(work.data.handle, 0), Err(errno::EBUSY));
    assert_eq!(c.wait(work.data.handle, MS), Err(errno::ETIMEDOUT));
    assert_eq!(c.wait(work.data.handle, 20 * MS), Ok(()));
    assert_eq!(c.wait(work.data.handle, 0), Ok(()));
    drop((work, c));
    rig.finish();
}

/// Catches: a device that goes under open files, or not at all.
#[test]
fn detach_with_open_files_is_refused() {
    let rig = Rig::new();
    let c = rig.client();
    assert_eq!(rig.device().detach(false), Err(errno::EBUSY));
    c.expect_works();
    drop(c);
    assert_eq!(rig.device().detach(false), Ok(()));
    rig.finish_detached();
}

/// Every call on a file whose device is gone. Catches: registers touched, sleeps without end, jobs
/// that stay, memory that the last close does not free.
#[test]
fn a_forced_detach_ends_everything() {
    let rig = Rig::new();
    let c = rig.client();
    rig.slow_jobs(50 * MS);
    let works: Vec<Work> = (0..6).map(|_| c.work().unwrap()).collect();
    let mut fences = Vec::new();
    for (n, work) in works.iter().enumerate() {
        c.start_in(work, n % 2 == 0).unwrap();
        let fd = c.sync_file(work.done).unwrap();
        fences.push(c.caller.fd(fd).unwrap());
        c.caller.close_fd(fd);
    }
    rig.advance(MS);
    let begin = rig.world().now();
    assert_eq!(rig.device().detach(true), Ok(()));
    assert!(rig.world().now() - begin < 50 * MS);
    for file in &fences {
        assert!(file.poll());
        assert_eq!(sync_file_info(file, &c.caller).status, -errno::ECANCELED);
    }
    let work = &works[0];
    let gone = Err(errno::ENXIO);
    assert_eq!(c.bo(4096, 1).err(), Some(errno::ENXIO));
    assert_eq!(c.start(work), gone);
    assert_eq!(c.wait(work.data.handle, SEC), gone);
    assert_eq!(c.param(0).err(), Some(errno::ENXIO));
    assert_eq!(c.syncobj(false).err(), Some(errno::ENXIO));
    assert_eq!(c.syncobj_wait(work.done, SEC), gone);
    assert_eq!(c.madvise(work.data.handle, 1).err(), Some(errno::ENXIO));
    assert_eq!(c.export(work.data.handle).err(), Some(errno::ENXIO));
    assert_eq!(c.close(work.data.handle), gone);
    assert_eq!(Client::open(&rig).err(), Some(errno::ENXIO));
    // Memory that is mapped stays readable.
    assert_eq!(work.data.read_u64(0), u64::MAX);
    rig.advance(SEC);
    drop((works, fences, c));
    rig.finish_detached();
}

/// The GPU hangs when the device goes. Catches: a detach that waits for it for ever.
#[test]
fn a_forced_detach_does_not_wait_for_a_hung_gpu() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work().unwrap();
    work.chain
        .write(0, &driver_tests::panfrost::write_zero(0x7000_0000, 0));
    rig.plant(models::Injection::LoseIrq { line: 1 });
    c.start(&work).unwrap();
    rig.advance(MS);
    rig.timing(|t| t.reset_ns = 100 * SEC);
    let begin = rig.world().now();
    assert_eq!(rig.device().detach(true), Ok(()));
    assert!(rig.world().now() - begin < 100 * MS);
    drop((work, c));
    rig.finish_detached();
}

/// Catches: state of the last driver that the next one finds.
#[test]
fn attach_detach_attach() {
    for _ in 0..3 {
        let rig = Rig::new();
        let c = rig.client();
        c.expect_works();
        drop(c);
        rig.finish();
    }
}
