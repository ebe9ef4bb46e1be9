// SPDX-License-Identifier: BSD-2-Clause
//! One client waits for memory; the GPU's own thread does not, nor does anybody else.

use driver_tests::{errno, pass, write_zero, Client, Rig, Work, MS, SEC};
use drm_os_host::{ClockMode, Config};
use std::thread;
use std::time::Duration;

/// Pages that are not there yet come after so long.
const SLOW: u64 = 100 * MS;

/// How long a job of another client takes, memory of its own being there.
fn job_ns(rig: &Rig, client: &Client, work: &Work) -> u64 {
    let begin = rig.world().now();
    client.start(work).unwrap();
    assert_eq!(client.finish(work, SEC), 1);
    rig.world().now() - begin
}

/// On the real clock, for two threads call at once. Catches: pages that are waited for with a lock
/// held that the GPU's thread takes when jobs end: here that of a job whose buffer is closed, so
/// that it is the job's end that unmaps it.
#[test]
fn who_makes_a_buffer_keeps_no_job_from_its_end() {
    let rig = Rig::with(
        "rk3399",
        Config {
            clock: ClockMode::Real,
            ..Config::default()
        },
    );
    let [hog, other] = [rig.client(), rig.client()];
    let (work, theirs) = (hog.work().unwrap(), other.work().unwrap());
    rig.slow_jobs(150 * MS);
    hog.start(&work).unwrap();
    // The GPU has it, for so long.
    thread::sleep(Duration::from_millis(30));
    hog.close(work.chain.handle).unwrap();
    rig.slow_jobs(MS);
    rig.world().slow_memory(2 * SEC);
    rig.world().measure_holds(true);
    thread::scope(|scope| {
        let making = scope.spawn(|| hog.bo(2 << 20, 1).unwrap());
        thread::sleep(Duration::from_millis(300));
        // Each is to end within a second.
        for _ in 0..3 {
            job_ns(&rig, &other, &theirs);
        }
        assert_eq!(hog.outcome(work.done), 1, "its own job is over as well");
        assert!(!making.is_finished(), "the jobs waited for the buffer");
        making.join().unwrap();
    });
    // The fault handler takes this one, too.
    let holds = rig.world().longest_holds();
    let context = holds.iter().find(|(name, _)| name.contains("panfrost context"));
    let (_, longest) = context.unwrap();
    assert!(longest.wall < Duration::from_secs(1), "{longest:?}");
    drop((work, theirs, hog, other));
    rig.finish();
}

/// Catches: pages of a heap that the GPU's thread waits for.
#[test]
fn a_heap_that_waits_for_memory_keeps_no_job_waiting() {
    let rig = Rig::new();
    let [hog, other] = [rig.client(), rig.client()];
    let (work, theirs) = (hog.work().unwrap(), other.work().unwrap());
    let alone = job_ns(&rig, &other, &theirs);
    let heap = hog.bo(4 << 20, 3).unwrap();
    work.chain.write(0, &write_zero(heap.va, 0));
    rig.world().slow_memory(SLOW);
    hog.start_in(&work, true).unwrap();
    rig.advance(MS);
    for _ in 0..3 {
        let taken = job_ns(&rig, &other, &theirs);
        assert!(taken <= 2 * alone, "{taken} ns, {alone} without the neighbour");
    }
    assert_eq!(hog.outcome(work.done), 0, "it waits");
    assert_eq!(hog.finish(&work, SEC), 1);
    drop((work, heap, theirs, hog, other));
    rig.finish();
}

/// A heap's growth waits for memory while its client is killed and the address space goes to
/// another. Catches: a fault that is settled for who is there now.
#[test]
fn a_fault_of_who_is_gone_is_nobodys() {
    let rig = Rig::new();
    let [hog, other] = [rig.client(), rig.client()];
    let (work, theirs) = (hog.work().unwrap(), other.work().unwrap());
    let heap = hog.bo(4 << 20, 3).unwrap();
    work.chain.write(0, &write_zero(heap.va, 0));
    rig.world().slow_memory(20 * SLOW);
    hog.start(&work).unwrap();
    rig.advance(MS);
    drop((work, heap, hog));
    // The job does not stop by itself: its time ends, and the GPU is reset.
    rig.advance(6 * SLOW);
    // When the memory comes there is a job of the other's in the address space.
    rig.slow_jobs(3 * SLOW);
    while rig.world().now() < 22 * SLOW {
        assert!(job_ns(&rig, &other, &theirs) < 4 * SLOW);
    }
    assert_eq!(other.stat("faults"), 0);
    drop((theirs, other));
    rig.finish();
}

/// A heap of another file, closed in both while a fault of it is served. Named by the job it stays
/// until the job's end; not named, it goes, and the fault with it. Catches: pages mapped where a
/// buffer has gone, a place given up that a job uses, a job that waits for ever.
#[test]
fn a_heap_is_closed_while_its_fault_is_served() {
    for named in [true, false] {
        let rig = Rig::new();
        let [a, b] = [rig.client(), rig.client()];
        let heap = a.bo(4 << 20, 3).unwrap();
        let theirs = pass(&a, &b, a.export(heap.handle).unwrap()).unwrap();
        let work = b.work().unwrap();
        work.chain
            .write(0, &write_zero(b.va(theirs).unwrap() + (2 << 20), 0));
        rig.world().slow_memory(SLOW);
        let mut bos = vec![work.chain.handle, work.data.handle];
        bos.extend(named.then_some(theirs));
        b.submit(work.chain.va, false, &bos, &[], work.done).unwrap();
        rig.advance(MS);
        b.close(theirs).unwrap();
        a.close(heap.handle).unwrap();
        assert_eq!(b.outcome(work.done), 0, "its fault is being served");
        let outcome = b.finish(&work, SEC);
        assert_eq!(outcome, if named { 1 } else { -errno::EINVAL });
        rig.advance(MS);
        // Only the work is left.
        assert_eq!(rig.world().counters().object_pages, 2);
        drop((work, heap, a, b));
        rig.finish();
    }
}
