// SPDX-License-Identifier: BSD-2-Clause
//! One client waits for memory; the GPU's own thread and other clients do not.

use driver_tests::panfrost::{write_zero, Client, Rig, Work};
use driver_tests::{check_gpu_thread, errno, pass, with_memory, MS, SEC};
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
        assert_eq!(hog.outcome(work.done), 1, "its own job has ended as well");
        assert!(!making.is_finished(), "the jobs waited for the buffer");
        making.join().unwrap();
    });
    // The fault handler takes this one, too.
    let holds = rig.world().longest_holds();
    let context = holds.iter().find(|(name, _)| name.contains("panfrost vm"));
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
        assert!(
            taken <= 2 * alone,
            "{taken} ns, {alone} without the neighbour"
        );
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
        b.submit(work.chain.va, false, &bos, &[], work.done)
            .unwrap();
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

const REAPER: &str = "panfrost reaper";
const LARGE: u32 = 2 << 20;

/// Starts work that uses a large buffer besides, which is closed at once.
fn start_with_large(client: &Client, work: &Work) {
    let large = client.bo(LARGE, 1).unwrap();
    let bos = [work.chain.handle, work.data.handle, large.handle];
    client
        .submit(work.chain.va, false, &bos, &[], work.done)
        .unwrap();
    client.close(large.handle).unwrap();
}

/// The reaper has no time. Catches: a job whose end frees in the GPU's own thread what it held, a
/// fence that waits for that, memory that no one is charged for while it is not freed, and a client
/// that receives the fence and then finds its memory still taken.
#[test]
fn the_end_of_a_job_frees_nothing_and_the_next_ioctl_does() {
    let rig = Rig::new();
    let [hog, other] = [rig.client(), rig.client()];
    let (work, theirs) = (hog.work().unwrap(), other.work().unwrap());
    let pages = || rig.world().counters().object_pages;
    let without = pages();
    for by_itself in [false, true] {
        rig.world().stall_queue(REAPER, true);
        start_with_large(&hog, &work);
        let charged = hog.stat("mem");
        rig.advance(20 * MS);
        job_ns(&rig, &other, &theirs);
        assert_eq!(pages(), without + u64::from(LARGE) / 4096);
        assert_eq!(
            hog.stat("mem"),
            charged,
            "the job's own memory is charged as well"
        );
        if by_itself {
            rig.world().stall_queue(REAPER, false);
            rig.advance(20 * MS);
        } else {
            assert_eq!(hog.outcome(work.done), 1);
        }
        assert_eq!(pages(), without);
        assert!(hog.stat("mem") <= charged - u64::from(LARGE));
    }
    drop((work, theirs, hog, other));
    rig.finish();
}

/// Catches: a backlog of the reaper that grows beyond what its client may have, and a client at its
/// limit that is refused memory which its jobs no longer use.
#[test]
fn who_is_at_the_limit_does_not_wait_for_the_reaper() {
    let rig = Rig::with("rk3399", with_memory(u64::from(3 * LARGE)));
    let hog = rig.client();
    let work = hog.work().unwrap();
    rig.world().stall_queue(REAPER, true);
    for _ in 0..20 {
        start_with_large(&hog, &work);
        rig.advance(20 * MS);
    }
    rig.world().stall_queue(REAPER, false);
    drop((work, hog));
    rig.finish();
}

/// Catches: what ended jobs held staying when their file is closed.
#[test]
fn a_file_that_is_closed_leaves_nothing_to_the_reaper() {
    let rig = Rig::new();
    let hog = rig.client();
    let work = hog.work().unwrap();
    rig.world().stall_queue(REAPER, true);
    start_with_large(&hog, &work);
    rig.advance(20 * MS);
    drop((work, hog));
    assert_eq!(rig.world().counters().object_pages, 0);
    rig.world().stall_queue(REAPER, false);
    rig.finish();
}

/// Catches: memory of a closed file that stays for as long as a file has for its next ioctl.
#[test]
fn what_a_closed_file_left_goes_at_once() {
    let rig = Rig::new();
    let hog = rig.client();
    let work = hog.work().unwrap();
    rig.slow_jobs(20 * MS);
    start_with_large(&hog, &work);
    rig.advance(MS);
    drop((work, hog));
    // The job is stopped.
    rig.advance(MS);
    assert_eq!(rig.world().counters().object_pages, 0);
    rig.finish();
}

/// Jobs of many files wait for one fence, and each that may run has the GPU's task run, which takes
/// time. Catches: others that wait until all of those hooks were called.
#[test]
fn who_has_many_waiting_for_a_fence_keeps_no_job_waiting() {
    const WAITING: usize = 800;
    const EACH: u64 = MS / 20;
    let rig = Rig::new();
    let [hog, other] = [rig.client(), rig.client()];
    let (work, theirs) = (hog.work().unwrap(), other.work().unwrap());
    rig.slow_jobs(20 * MS);
    hog.start_in(&work, true).unwrap();
    rig.advance(MS);
    let fence = hog.sync_file(work.done).unwrap();
    let waiting: Vec<_> = (0..WAITING)
        .map(|_| {
            let client = rig.client();
            let work = client.work().unwrap();
            let fd = hog.caller.fd(fence).unwrap();
            let fd = client.caller.install(fd).unwrap();
            let before = client.syncobj(false).unwrap();
            client.import_sync_file(before, fd).unwrap();
            client.caller.close_fd(fd);
            let bos = [work.chain.handle, work.data.handle];
            client
                .submit(work.chain.va, true, &bos, &[before], work.done)
                .unwrap();
            (client, work)
        })
        .collect();
    rig.slow_jobs(MS);
    let alone = job_ns(&rig, &other, &theirs);
    assert_eq!(hog.outcome(work.done), 0, "they wait still");
    rig.world().slow_enqueue(EACH);
    let mut longest = 0;
    while waiting.iter().any(|(_, work)| !work.is_done()) {
        longest = longest.max(job_ns(&rig, &other, &theirs));
    }
    rig.world().slow_enqueue(0);
    // It may come in the middle of a turn of the task's, and wait for the end of another; each has
    // 64 of those twice, and some that have just begun.
    let bound = 2 * alone + 2 * (2 * 64 + 8) * EACH;
    assert!(longest <= bound, "{longest} ns, {alone} ns alone");
    hog.caller.close_fd(fence);
    drop((waiting, work, theirs, hog, other));
    rig.finish();
}

/// Catches: memory that clients leave being freed before any of them runs.
#[test]
fn what_clients_leave_is_freed_in_the_background() {
    let rig = Rig::new();
    let urgent = rig.world().urgent_queues();
    assert_eq!(urgent, ["panfrost", "panfrost faults"]);
    rig.finish();
}

/// Catches: the GPU's own thread taking a lock of one client, which may be held for as long as that
/// client likes; the others wait then.
#[test]
fn the_gpus_thread_takes_no_lock_of_a_client() {
    let rig = Rig::new();
    let [hog, other] = [rig.client(), rig.client()];
    let (work, theirs) = (hog.work().unwrap(), other.work().unwrap());
    rig.world().measure_holds(true);
    for _ in 0..3 {
        start_with_large(&hog, &work);
        other.start_in(&theirs, true).unwrap();
        rig.advance(20 * MS);
    }
    // A fault, a job that is stopped, jobs that are cancelled, and the address space's end.
    work.chain.write(0, &write_zero(0x7000_0000, 0));
    start_with_large(&hog, &work);
    rig.advance(SEC);
    for _ in 0..8 {
        start_with_large(&hog, &work);
    }
    drop((work, hog));
    rig.advance(SEC);
    check_gpu_thread(
        rig.world(),
        "panfrost",
        &["panfrost mmu", "panfrost perfcnt"],
    );
    drop((theirs, other));
    rig.finish();
}
