// SPDX-License-Identifier: BSD-2-Clause
//! Address spaces: more clients than the hardware has, stale translations, files that go while
//! their jobs run.

use crate::Rig;
use driver_tests::panfrost::{write_zero, Client, Work};
use driver_tests::{errno, sync_file_info, MS, SEC};

/// 16 clients in turns on 8 address spaces. Catches: an eviction that leaves the old page table, a
/// seat that is not given back (all spaces busy for ever), jobs that write to another client's
/// memory.
#[test]
fn sixteen_files_share_eight_address_spaces() {
    let rig = Rig::new();
    let clients: Vec<Client> = (0..16).map(|_| rig.client()).collect();
    // The first buffers of all have the same addresses, so a wrong page table shows.
    let works: Vec<Work> = clients.iter().map(|c| c.work().unwrap()).collect();
    assert!(works.iter().all(|w| w.data.va == works[0].data.va));
    for round in 0..6 {
        for (n, (c, work)) in clients.iter().zip(&works).enumerate() {
            c.start_in(work, (n + round) % 2 == 0).unwrap();
        }
        for (c, work) in clients.iter().zip(&works) {
            assert_eq!(c.finish(work, SEC), 1);
        }
        assert!(works.iter().all(Work::is_done));
    }
    assert_eq!(rig.stats().jobs[2], 96);
    assert_eq!((rig.stat("faults"), rig.stat("resets")), (0, 0));
    drop((works, clients));
    rig.finish();
}

/// One client's job at a time, each writes only its own memory. Catches: a store through the table
/// of the client that had the address space before.
#[test]
fn an_evicted_client_keeps_its_memory() {
    let rig = Rig::new();
    let clients: Vec<Client> = (0..10).map(|_| rig.client()).collect();
    let works: Vec<Work> = clients.iter().map(|c| c.work().unwrap()).collect();
    for _ in 0..3 {
        for (n, (c, work)) in clients.iter().zip(&works).enumerate() {
            works.iter().for_each(|w| w.data.write(0, &[0xff; 24]));
            c.start(work).unwrap();
            assert_eq!(c.finish(work, SEC), 1);
            for (m, w) in works.iter().enumerate() {
                assert!(
                    if m == n {
                        w.is_done()
                    } else {
                        w.is_untouched()
                    },
                    "{n} wrote to {m}"
                );
            }
        }
    }
    drop((works, clients));
    rig.finish();
}

/// Takes all addresses after `last`, which is within the first 2 MiB, and has nothing after it.
fn fill(c: &Client, last: &driver_tests::panfrost::Bo) {
    const MIB: u32 = 1 << 20;
    let used = last.va as u32 + 4096;
    let rest = used.next_multiple_of(2 * MIB) - used;
    c.bo(rest, 1).unwrap();
    for size in [512, 256, 128, 64, 32, 16, 8, 4, 2] {
        while c.bo(size * MIB, 3).is_ok() {}
    }
    assert_eq!(c.bo(4096, 1).err(), Some(errno::ENOSPC));
}

/// A buffer goes and another one comes to its address. Catches: translations that the hardware
/// keeps (the store would go to freed memory), an address that is never used again.
#[test]
fn a_new_buffer_at_an_old_address_is_seen() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work().unwrap();
    let mut target = c.bo(4096, 1).unwrap();
    fill(&c, &target);
    let va = target.va;
    for _ in 0..3 {
        target.write(0, &[0xff; 24]);
        work.chain.write(0, &write_zero(target.va + 8, 0));
        c.submit(
            work.chain.va,
            false,
            &[work.chain.handle, target.handle],
            &[],
            work.done,
        )
        .unwrap();
        assert_eq!(c.finish(&work, SEC), 1);
        assert_eq!(
            [0, 8, 16].map(|at| target.read_u64(at)),
            [u64::MAX, 0, u64::MAX]
        );
        c.close(target.handle).unwrap();
        // The former mapping is gone.
        c.submit(work.chain.va, false, &[work.chain.handle], &[], work.done)
            .unwrap();
        assert_eq!(c.finish(&work, SEC), -errno::EINVAL);
        target = c.bo(4096, 1).unwrap();
        assert_eq!(target.va, va);
    }
    drop((work, target, c));
    rig.finish();
}

/// The GPU has the space, but no job of it runs when the buffer goes. Catches: a flush that is left
/// out for an idle address space.
#[test]
fn translations_of_idle_spaces_are_flushed() {
    let rig = Rig::new();
    let c = rig.client();
    c.expect_works();
    let flushes = rig.stats().tlb_flushes;
    let bo = c.bo(4096, 1).unwrap();
    let mapped = rig.stats().tlb_flushes;
    c.close(bo.handle).unwrap();
    assert!(rig.stats().tlb_flushes > mapped, "{flushes} {mapped}");
    rig.advance(100 * MS);
    let off = rig.stats().tlb_flushes;
    let other = c.bo(4096, 1).unwrap();
    c.close(other.handle).unwrap();
    assert_eq!(
        rig.stats().tlb_flushes,
        off,
        "there is nothing to flush without power"
    );
    drop((bo, other, c));
    rig.finish();
}

/// Catches: memory or addresses freed under a queued or running job.
#[test]
fn a_job_keeps_its_buffers_after_gem_close() {
    let rig = Rig::new();
    let c = rig.client();
    rig.slow_jobs(5 * MS);
    let works = [c.work().unwrap(), c.work().unwrap(), c.work().unwrap()];
    for work in &works {
        c.start(work).unwrap();
    }
    rig.advance(MS);
    for work in &works {
        c.close(work.chain.handle).unwrap();
        c.close(work.data.handle).unwrap();
    }
    let pages = rig.world().counters().object_pages;
    // Others must not get the addresses either.
    let fresh = c.work().unwrap();
    assert!(works
        .iter()
        .all(|w| w.data.va != fresh.data.va && w.chain.va != fresh.data.va));
    for work in &works {
        assert_eq!(c.finish(work, SEC), 1);
        assert!(work.is_done());
    }
    drop(works);
    rig.advance(MS);
    assert!(rig.world().counters().object_pages < pages);
    drop((fresh, c));
    rig.finish();
}

/// A file goes with jobs running, in NEXT, queued and waiting. Catches: jobs of a closed file that
/// run to their end, fences that are never signaled, others that suffer, page tables freed under a
/// job (bad_dma).
#[test]
fn a_closed_files_jobs_end_at_once() {
    let rig = Rig::new();
    let [c, other] = [rig.client(), rig.client()];
    rig.slow_jobs(100 * MS);
    let works: Vec<Work> = (0..6).map(|_| c.work().unwrap()).collect();
    let mut watched = Vec::new();
    for (n, work) in works.iter().enumerate() {
        c.start_in(work, n % 2 == 0).unwrap();
        // Another file holds the fences.
        let fd = c.sync_file(work.done).unwrap();
        let fence = other.syncobj(false).unwrap();
        let file = c.caller.fd(fd).unwrap();
        watched.push((fence, file));
        c.caller.close_fd(fd);
    }
    let theirs = [other.work().unwrap(), other.work().unwrap()];
    other.start_in(&theirs[0], false).unwrap();
    other.start_in(&theirs[1], true).unwrap();
    rig.advance(MS);
    let begin = rig.world().now();
    let driver_tests::Client { file, caller, .. } = c.into();
    drop(file);
    rig.advance(MS);
    for (_, file) in &watched {
        assert!(file.poll(), "the fence has signalled");
        assert_eq!(sync_file_info(file, &caller).status, -errno::ECANCELED);
    }
    assert!(works.iter().all(Work::is_untouched));
    for work in &theirs {
        assert_eq!(other.finish(work, SEC), 1);
        assert!(work.is_done());
    }
    assert!(
        rig.world().now() - begin < 110 * MS,
        "nothing of the closed file ran on"
    );
    assert_eq!((rig.stat("resets"), other.stat("faults")), (0, 0));
    drop((watched, works, theirs, other));
    rig.finish();
}

/// The closed file's job is second in its slot and moves up later. Catches: a stop that comes too
/// early to hit it, and never again.
#[test]
fn a_closed_files_job_is_stopped_when_it_moves_up() {
    let rig = Rig::new();
    let [first, closed, last] = [rig.client(), rig.client(), rig.client()];
    rig.slow_jobs(10 * MS);
    let x = first.work().unwrap();
    first.start(&x).unwrap();
    let y = closed.work().unwrap();
    closed.start(&y).unwrap();
    let z = last.work().unwrap();
    last.start(&z).unwrap();
    rig.advance(MS);
    drop(closed);
    rig.slow_jobs(200 * MS);
    assert_eq!(first.finish(&x, SEC), 1);
    rig.slow_jobs(5_000);
    assert_eq!(
        last.finish(&z, MS),
        1,
        "it has not waited for the closed file's job"
    );
    assert!(x.is_done() && y.is_untouched() && z.is_done());
    drop((x, y, z, first, last));
    rig.finish();
}

/// Catches: memory that a closed file keeps.
#[test]
fn a_closed_file_leaves_nothing() {
    let rig = Rig::new();
    let first = rig.client();
    first.expect_works();
    drop(first);
    rig.advance(MS);
    let before = rig.world().counters();
    for n in 0..8 {
        rig.slow_jobs(5_000 + n % 2 * 50 * MS);
        let c = rig.client();
        let work = c.work().unwrap();
        let _heap = c.bo(4 << 20, 3).unwrap();
        let (Some(a), Some(b)) = (c.syncobj(true).ok(), c.syncobj(false).ok()) else {
            panic!("no syncobj")
        };
        assert_ne!(a, b);
        c.start(&work).unwrap();
        c.start_in(&work, true).unwrap();
        rig.advance(20_000);
        drop((work, c));
        rig.advance(200 * MS);
    }
    rig.slow_jobs(5_000);
    let last = rig.client();
    last.expect_works();
    drop(last);
    rig.advance(MS);
    let after = rig.world().counters();
    assert_eq!(after.malloc_bytes, before.malloc_bytes, "{after}");
    assert_eq!(
        (after.pages, after.object_pages, after.mtxs),
        (before.pages, before.object_pages, before.mtxs)
    );
    rig.finish();
}

/// A hung job of a closed file. Catches: a hard stop that is waited for without bound, a job that
/// is retired while it runs.
#[test]
fn a_hung_job_of_a_closed_file_ends_by_a_stop() {
    let rig = Rig::new();
    let [c, other] = [rig.client(), rig.client()];
    let work = c.work().unwrap();
    rig.plant(models::Injection::HangNextJob { slot: 1 });
    c.start(&work).unwrap();
    let theirs = other.work().unwrap();
    other.start(&theirs).unwrap();
    rig.advance(MS);
    assert_eq!(other.outcome(theirs.done), 0);
    drop((work, c));
    assert_eq!(other.finish(&theirs, 2 * MS), 1);
    assert_eq!(rig.stat("resets"), 0);
    drop((theirs, other));
    rig.finish();
}

/// An immovable job of a closed file. Catches: a slot lost for ever.
#[test]
fn an_immovable_job_of_a_closed_file_ends_by_a_reset() {
    let rig = Rig::new();
    let [c, other] = [rig.client(), rig.client()];
    let work = c.work().unwrap();
    work.chain.write(0, &write_zero(0x7000_0000, 0));
    rig.plant(models::Injection::LoseIrq { line: 1 });
    c.start(&work).unwrap();
    rig.advance(MS);
    drop((work, c));
    let theirs = other.work().unwrap();
    other.start(&theirs).unwrap();
    assert_eq!(other.finish(&theirs, 600 * MS), 1);
    assert_eq!(rig.stat("resets"), 1);
    drop((theirs, other));
    rig.finish();
}

/// Addresses run out, and come back. Catches: an address space that leaks, a failed search that
/// changes something.
#[test]
fn addresses_run_out_with_enospc() {
    let rig = Rig::new();
    let c = rig.client();
    let mut handles = Vec::new();
    let error = loop {
        match c.bo(512 << 20, 3) {
            Ok(bo) => handles.push(bo.handle),
            Err(e) => break e,
        }
        assert!(handles.len() < 16);
    };
    assert_eq!((error, handles.len()), (errno::ENOSPC, 7));
    c.expect_works();
    c.close(handles.pop().unwrap()).unwrap();
    handles.push(c.bo(512 << 20, 3).unwrap().handle);
    drop(c);
    rig.finish();
}
