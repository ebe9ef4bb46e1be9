// SPDX-License-Identifier: BSD-2-Clause
//! What goes wrong with a job, and that the GPU works afterwards.

use super::jobs::busy;
use crate::Rig;
use driver_tests::etnaviv::{stream, Fence, Work, BROKEN};
use driver_tests::{MS, SEC};
use models::vivante::Injection;

#[test]
fn a_fault_ends_one_job() {
    let rig = Rig::new();
    let (other, running, running_fence) = busy(&rig);
    let c = rig.client();
    let [before, after] = [0x1000_0000, 0x1000_1000].map(|va| c.work(va, va).unwrap());
    let theirs = other.work(0x1100_0000, 3).unwrap();
    let first = c.start(&before).unwrap();
    let astray = c.run(stream::fill(BROKEN, 1), &[&before.data]).unwrap();
    let second = c.start(&after).unwrap();
    let third = other.start(&theirs).unwrap();
    assert_eq!(c.end_of(first, 10 * SEC), 1);
    assert!(c.end_of(astray, 10 * SEC) < 0, "its fence says so");
    assert_eq!(c.end_of(second, 10 * SEC), 1);
    assert_eq!(other.end_of(third, 10 * SEC), 1);
    assert_eq!(other.end_of(running_fence, 0), 1);
    assert!([&before, &after, &theirs, &running]
        .into_iter()
        .all(Work::is_done));
    c.expect_works();
    other.expect_works();
    drop((before, after, theirs, running, c, other));
    let stats = rig.finish();
    assert_eq!(stats.mmu_exception_count(), 1);
}

/// Catches: a watchdog that waits although the GPU has said that it stands.
#[test]
fn a_fault_is_no_time_out() {
    let rig = Rig::new();
    let c = rig.client();
    c.expect_works();
    let fence = c.run(stream::fill(BROKEN, 1), &[]).unwrap();
    assert!(c.end_of(fence, 50 * MS) < 0);
    // An address of the kernel's own part, which may be read by the front end at most.
    let fence = c.run(stream::fill(0x1000, 1), &[]).unwrap();
    assert!(c.end_of(fence, 50 * MS) < 0);
    c.expect_works();
    drop(c);
    rig.finish();
}

#[test]
fn a_hang_ends_one_job() {
    let rig = Rig::new();
    let [guilty, other] = [rig.client(), rig.client()];
    guilty.expect_works();
    let resets = rig.stats().resets;
    let [stuck, later] = [0x1000_0000, 0x1000_1000].map(|va| guilty.work(va, va).unwrap());
    let innocent = other.work(0x1000_0000, 3).unwrap();
    rig.plant(Injection::HangNextJob);
    let first = guilty.start(&stuck).unwrap();
    // In the hardware, before the scheduler can choose the client that has had less.
    rig.advance(MS);
    let second = other.start(&innocent).unwrap();
    let third = guilty.start(&later).unwrap();
    rig.advance(100 * MS);
    assert!(stuck.is_untouched() && innocent.is_untouched());
    assert!(guilty.end_of(first, 10 * SEC) < 0, "its fence says so");
    assert_eq!(other.end_of(second, 10 * SEC), 1);
    assert_eq!(guilty.end_of(third, 10 * SEC), 1);
    assert!(stuck.is_untouched(), "what hung is not run again");
    assert!(innocent.is_done() && later.is_done());
    assert!(rig.stats().resets > resets);
    guilty.expect_works();
    other.expect_works();
    drop((stuck, later, innocent, guilty, other));
    rig.finish();
}

/// Catches: a job that runs twice, or whose end is reported before it, when the GPU hangs again and
/// again.
#[test]
fn hangs_in_a_row() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work(0x1000_0000, 1).unwrap();
    for _ in 0..5 {
        rig.plant(Injection::HangNextJob);
        let fences: Vec<Fence> = (0..8).map(|_| c.start(&work).unwrap()).collect();
        let ends: Vec<i32> = fences
            .into_iter()
            .map(|fence| c.end_of(fence, 10 * SEC))
            .collect();
        assert!(
            ends[0] < 0 && ends[1..].iter().all(|end| *end == 1),
            "{ends:?}"
        );
    }
    drop((work, c));
    rig.finish();
}

/// Interrupts that do not come, come late or for nothing; resets that do not work at once; bus
/// errors.
#[test]
fn a_gpu_that_lies() {
    for n in 0..60 {
        let rig = Rig::new();
        let c = rig.client();
        c.expect_works();
        let harmless = n < 3;
        match n {
            0 => rig.plant(Injection::SpuriousIrq),
            1 => rig.plant(Injection::LateIrq { ns: 100 * MS }),
            2 => rig.plant(Injection::LoseIrq),
            3 => {
                rig.plant(Injection::HangNextJob);
                rig.plant(Injection::ResetStuck);
            }
            _ if n < 30 => rig.plant(Injection::BusErrorAt(n - 4)),
            _ => rig.plant(Injection::MmuExceptionAt(n - 30)),
        }
        let work = c.work(0x1000_0000, 1).unwrap();
        let fence = c.start(&work).unwrap();
        let end = c.end_of(fence, 10 * SEC);
        assert_ne!(end, 0, "case {n}: every fence ends");
        if harmless {
            assert_eq!(end, 1, "case {n}");
        }
        assert!(end < 0 || work.is_done() || n >= 4, "case {n}");
        // A fault that still waits for its time may meet one of the next.
        for _ in 0..20 {
            if rig.stats().injected > u64::from(n == 3) {
                break;
            }
            let fence = c.start(&work).unwrap();
            assert_ne!(c.end_of(fence, 10 * SEC), 0, "case {n}");
            rig.advance(MS);
        }
        assert!(rig.stats().injected > 0, "case {n}");
        rig.advance(2 * SEC);
        c.expect_works();
        drop((work, c));
        rig.finish();
    }
}

#[test]
fn the_gpu_sleeps_and_wakes() {
    let rig = Rig::new();
    let c = rig.client();
    for _ in 0..3 {
        c.expect_works();
        assert_eq!(rig.world().counters().power_domains_on, 1);
        rig.advance(2 * SEC);
        assert_eq!(rig.world().counters().power_domains_on, 0);
        assert_eq!(rig.world().counters().clocks_enabled, 0);
    }
    drop(c);
    rig.finish();
}

/// Catches: memory that goes back to the system while the GPU writes to it.
#[test]
fn closing_what_is_in_use() {
    let rig = Rig::new();
    let (c, work, fence) = busy(&rig);
    c.close(work.data.handle).unwrap();
    assert_eq!(c.end_of(fence, SEC), 1);
    assert!(work.is_done(), "a mapping keeps memory");
    let other = c.work(0x3000_0000, 1).unwrap();
    for _ in 0..6 {
        let fence = c.start(&other).unwrap();
        c.caller.close_fd(fence.fd);
    }
    // The file goes with work queued and under way.
    drop((work, other, c));
    let bystander = rig.client();
    bystander.expect_works();
    drop(bystander);
    rig.finish();
}

/// Catches: a ring that runs over work that has not been read yet.
#[test]
fn many_jobs_in_a_row() {
    let rig = Rig::new();
    let clients = [rig.client(), rig.client()];
    let works = [0, 1].map(|n| clients[n].work(0x1000_0000, n as u32).unwrap());
    let mut fences = Vec::new();
    for n in 0..300 {
        fences.push((n % 2, clients[n % 2].start(&works[n % 2]).unwrap()));
    }
    for (n, fence) in fences {
        assert_eq!(clients[n].end_of(fence, 10 * SEC), 1);
    }
    assert!(works.iter().all(Work::is_done));
    drop((works, clients));
    let stats = rig.finish();
    assert_eq!(stats.blt_operations[1], 300, "each once");
}

/// A stream of 128 KiB is the longest: Mesa makes such.
#[test]
fn the_longest_stream() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work(0x1000_0000, 6).unwrap();
    let fill = stream::fill(work.data.va, 6);
    let mut long: Vec<u32> = (0..16_000).flat_map(|_| stream::nop()).collect();
    long.extend(&fill);
    let fence = c.run(long, &[&work.data]).unwrap();
    assert_eq!(c.end_of(fence, 10 * SEC), 1);
    assert!(work.is_done());
    drop((work, c));
    rig.finish();
}

/// A front end that idles in an address space walks its tables until it has left it for the next
/// job's. Catches tables that are freed as soon as another address space is queued.
#[test]
fn a_space_that_goes_while_the_front_end_is_in_it() {
    let rig = Rig::new();
    rig.with_vivante(|gpu| gpu.set_tlb_line(1)).unwrap();
    for n in 0..200u32 {
        let c = rig.client();
        let work = c.work(0x1000_0000 + (n % 97) * 0x40_0000, n).unwrap();
        let fence = c.start(&work).unwrap();
        assert_eq!(c.end_of(fence, SEC), 1, "{n}");
        assert!(work.is_done());
        drop((work, c));
        if n % 3 == 0 {
            rig.advance(u64::from(n % 7) * MS / 100);
        }
    }
    assert_eq!(rig.finish().bus_errors, 0);
}
