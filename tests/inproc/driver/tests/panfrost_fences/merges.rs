// SPDX-License-Identifier: BSD-2-Clause
//! Merges of fences, what they report, and what waits for them.

use driver_tests::panfrost::{null, Client, Rig, Work};
use driver_tests::{errno, with_memory, MS, SEC};
use std::thread;
use uapi::sync_file::{FenceInfo, FileInfo, FILE_INFO};

fn two(rig: &Rig) -> Two {
    let c = rig.client();
    // The timeline of fragment jobs is the first.
    let x = endless(&c, true);
    let y = c.work().unwrap();
    let bos = [y.chain.handle, y.data.handle];
    c.submit(y.chain.va, false, &bos, &[x.done], y.done)
        .unwrap();
    let fds = [x.done, y.done].map(|done| c.sync_file(done).unwrap());
    Two {
        c,
        works: [x, y],
        fds,
    }
}

/// A client with two fences of different timelines that end when its job is killed for taking too
/// long: the first with an error, the second, which waits for the first, well.
struct Two {
    c: Client,
    works: [Work; 2],
    fds: [i32; 2],
}

/// `depth` merges, each of the one before and a fence; the last is in a syncobj.
fn nest(t: &Two, depth: usize) -> u32 {
    let kept = t.c.syncobj(false).unwrap();
    let mut last = t.c.merge(t.fds[0], t.fds[1]).unwrap();
    for n in 0..depth {
        let merged = t.c.merge(last, t.fds[n % 2]).unwrap();
        t.c.caller.close_fd(last);
        last = through(&t.c, kept, merged);
    }
    t.c.caller.close_fd(last);
    kept
}

fn on_a_small_stack<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(128 << 10);
        thread.spawn_scoped(scope, f).unwrap().join().unwrap()
    })
}

/// Catches: fences that nest, whose end or drop recurses.
#[test]
fn merges_of_merges_are_flat() {
    let rig = Rig::new();
    let t = two(&rig);
    let kept = nest(&t, 60_000);
    let fd = t.c.sync_file(kept).unwrap();
    assert_eq!(info(&t.c, fd), (0, vec![0, 0]));
    // One goes while it waits, the other ends first.
    let dropped = nest(&t, 60_000);
    on_a_small_stack(|| t.c.syncobj_destroy(dropped).unwrap());
    rig.advance(2 * SEC);
    assert_eq!(
        info(&t.c, fd),
        (-errno::ETIMEDOUT, vec![-errno::ETIMEDOUT, 1])
    );
    on_a_small_stack(|| t.c.syncobj_destroy(kept).unwrap());
    drop(t);
    rig.finish();
}

/// Catches: a merge that hides its parts, or that one of them failed, or that has ended before all
/// are.
#[test]
fn a_merge_reports_its_parts() {
    let rig = Rig::new();
    rig.slow_jobs(10 * MS);
    let t = two(&rig);
    let c = &t.c;
    let both = c.merge(t.fds[0], t.fds[1]).unwrap();
    let kept = c.syncobj(false).unwrap();
    let again = through(c, kept, c.merge(both, t.fds[0]).unwrap());
    rig.advance(505 * MS);
    // The first has failed, and what waits for it runs.
    for fd in [both, again] {
        let (status, parts) = info(c, fd);
        assert_eq!((status, parts), (0, vec![-errno::ETIMEDOUT, 0]));
    }
    assert_eq!(c.outcome(kept), 0);
    // A merge with what has failed already fails like one whose part fails later.
    let late = c.merge(t.fds[1], t.fds[0]).unwrap();
    rig.advance(SEC);
    for fd in [both, again, late] {
        let (status, parts) = info(c, fd);
        assert_eq!(
            (status, parts),
            (-errno::ETIMEDOUT, vec![-errno::ETIMEDOUT, 1])
        );
    }
    assert_eq!(c.outcome(kept), -errno::ETIMEDOUT);
    // Those that ended well need not be listed.
    let over = c.merge(t.fds[1], t.fds[1]).unwrap();
    assert_eq!(info(c, over), (1, vec![1]));
    drop(t);
    rig.finish();
}

/// A job waits for all parts of a merge that it is given. Catches: parts that are left out.
#[test]
fn a_job_waits_for_all_parts_of_a_merge() {
    let rig = Rig::new();
    let t = two(&rig);
    let c = rig.client();
    let work = c.work().unwrap();
    let both = c.caller.install(
        t.c.caller
            .fd(t.c.merge(t.fds[0], t.fds[1]).unwrap())
            .unwrap(),
    );
    let merged = c.syncobj(false).unwrap();
    c.import_sync_file(merged, both.unwrap()).unwrap();
    let bos = [work.chain.handle, work.data.handle];
    c.submit(work.chain.va, false, &bos, &[merged], work.done)
        .unwrap();
    rig.timing(|timing| timing.short_job_ns = 100 * MS);
    rig.advance(550 * MS);
    let outcomes = t.works.each_ref().map(|w| t.c.outcome(w.done));
    assert_eq!(
        (outcomes, c.outcome(work.done)),
        ([-errno::ETIMEDOUT, 0], 0)
    );
    rig.advance(SEC);
    assert_eq!(c.outcome(work.done), 1);
    drop((work, c, t));
    rig.finish();
}

/// Merges without a reference, of fences that are not signalled. Catches: fences that keep them
/// until they end.
#[test]
fn a_merge_that_is_dropped_leaves_nothing() {
    let rig = Rig::new();
    let t = two(&rig);
    let c = &t.c;
    let kept = c.syncobj(false).unwrap();
    let mut bytes = Vec::new();
    for _ in 0..3 {
        for _ in 0..1000 {
            let merged = c.merge(t.fds[0], t.fds[1]).unwrap();
            assert!(!c.caller.fd(merged).unwrap().poll());
            c.import_sync_file(kept, merged).unwrap();
            c.caller.close_fd(merged);
        }
        bytes.push(rig.world().counters().malloc_bytes);
    }
    assert_eq!(bytes[1..], [bytes[0]; 2]);
    drop(t);
    rig.finish();
}

/// dma-bufs and files with waiting jobs that come and go while a fence goes on. Catches: hooks that
/// stay on it.
#[test]
fn what_waited_for_a_fence_leaves_nothing() {
    let rig = Rig::new();
    let t = two(&rig);
    let mut bytes = Vec::new();
    for _ in 0..3 {
        for _ in 0..100 {
            let fd = t.c.export(t.works[0].data.handle).unwrap();
            assert!(!t.c.caller.fd(fd).unwrap().poll());
            t.c.caller.close_fd(fd);
            let c = rig.client();
            let work = c.work().unwrap();
            let file = c.caller.install(t.c.caller.fd(t.fds[1]).unwrap()).unwrap();
            let waits = c.syncobj(false).unwrap();
            c.import_sync_file(waits, file).unwrap();
            let bos = [work.chain.handle];
            c.submit(work.chain.va, false, &bos, &[waits], work.done)
                .unwrap();
        }
        rig.world().settle();
        bytes.push(rig.world().counters().malloc_bytes);
    }
    assert_eq!(bytes[1..], [bytes[0]; 2]);
    drop(t);
    rig.finish();
}

/// What it costs the kernel is charged to the client, to the last byte at the most. Catches:
/// syncobjs, merges, sync_files and waits that are not charged.
#[test]
fn small_objects_are_charged() {
    let rig = Rig::with("rk3399", with_memory(4 << 20));
    let t = two(&rig);
    let c = &t.c;
    let (mem, bytes) = (c.stat("mem"), rig.world().counters().malloc_bytes);
    let check = |what: &str, make: &dyn Fn() -> Result<(), i32>| {
        let made = (0..200).map(|_| make()).filter(Result::is_ok).count();
        let charged = c.stat("mem") - mem;
        let taken = rig.world().counters().malloc_bytes - bytes;
        assert_eq!(made, 200, "{what}");
        assert!(charged >= taken, "{what}: {taken} bytes, {charged} charged");
    };
    check("empty syncobjs", &|| c.syncobj(false).map(drop));
    check("syncobjs with fences", &|| c.syncobj(true).map(drop));
    let shared = c.share_syncobj(t.works[0].done).unwrap();
    check("handles of one syncobj", &|| {
        c.take_syncobj(shared).map(drop)
    });
    check("descriptors of one syncobj", &|| {
        c.share_syncobj(t.works[0].done).map(drop)
    });
    check("sync_files", &|| c.sync_file(t.works[0].done).map(drop));
    check("merges", &|| c.merge(t.fds[0], t.fds[1]).map(drop));
    // And there is an end.
    let refused = (0..10_000).find_map(|_| c.syncobj(false).err());
    assert_eq!(refused, Some(errno::ENOMEM));
    assert_eq!(c.merge(t.fds[0], t.fds[1]), Err(errno::ENOMEM));
    assert!(c.stat("mem") <= 4 << 20);
    drop(t);
    rig.finish();
}

/// Puts a sync_file into a syncobj and takes it out again, as programs keep fences.
fn through(c: &Client, syncobj: u32, fd: i32) -> i32 {
    c.import_sync_file(syncobj, fd).unwrap();
    c.caller.close_fd(fd);
    c.sync_file(syncobj).unwrap()
}

/// Work that never ends by itself.
fn endless(c: &Client, fragment: bool) -> Work {
    let work = c.work().unwrap();
    work.chain.write(0, &null(work.chain.va));
    c.start_in(&work, fragment).unwrap();
    work
}

/// Clients with a job that waits in each of the two slots: as many timelines.
fn crowd(rig: &Rig, clients: usize) -> Vec<(Client, Vec<i32>)> {
    let make = |_| {
        let c = rig.client();
        let work = c.work().unwrap();
        let fds = [false, true].map(|fragment| {
            let done = c.syncobj(false).unwrap();
            let bos = [work.chain.handle];
            c.submit(work.chain.va, fragment, &bos, &[], done).unwrap();
            c.sync_file(done).unwrap()
        });
        (c, fds.to_vec())
    };
    (0..clients).map(make).collect()
}

/// More timelines than any buffer is used by. Catches: lists of fences without bound, of a buffer
/// or of a merge; an error for any caller but the one that adds to them; a list that is changed in
/// part.
#[test]
fn lists_of_fences_are_bounded() {
    let rig = Rig::new();
    let hog = rig.client();
    let hogs = [false, true].map(|fragment| endless(&hog, fragment));
    let crowd = crowd(&rig, 513);
    let c = rig.client();
    let fds = crowd.iter().flat_map(|(other, fds)| {
        let files = fds.iter().map(|fd| other.caller.fd(*fd).unwrap());
        files.map(|file| c.caller.install(file).unwrap())
    });
    let fds: Vec<i32> = fds.collect();
    let mut all = fds[0];
    let mut parts = 1;
    let refused = fds[1..].iter().find_map(|fd| match c.merge(all, *fd) {
        Ok(merged) => {
            (all, parts) = (merged, parts + 1);
            None
        }
        Err(e) => Some(e),
    });
    assert_eq!((parts, refused), (1024, Some(errno::ENOMEM)));
    assert_eq!(info(&c, all), (0, vec![0; 1024]));

    let work = c.work().unwrap();
    let import = |fd: i32| {
        let dma_buf = c.export(work.data.handle).unwrap();
        let done = c.add_dma_buf_fences(dma_buf, 3, fd);
        c.caller.close_fd(dma_buf);
        done
    };
    assert_eq!(import(all), Err(errno::ENOMEM));
    assert_eq!(c.wait(work.data.handle, 0), Ok(()), "nothing was added");
    let taken = fds
        .iter()
        .map(|fd| import(*fd))
        .take_while(Result::is_ok)
        .count();
    assert_eq!(taken, 512);
    // The same ones again cost nothing.
    let bytes = rig.world().counters().malloc_bytes;
    for fd in fds[..taken].iter().cycle().take(3000) {
        import(*fd).unwrap();
    }
    assert_eq!(rig.world().counters().malloc_bytes, bytes);
    // Users of the buffer go on.
    c.start(&work).unwrap();
    rig.advance(2 * SEC);
    assert_eq!(c.finish(&work, 10 * SEC), 1);
    drop((work, c, crowd, hogs, hog));
    rig.finish();
}

/// Catches: an earlier fence of a timeline that takes the place of a later one, so that a buffer
/// seems idle.
#[test]
fn an_imported_fence_does_not_hide_a_later_one() {
    let rig = Rig::new();
    rig.slow_jobs(10 * MS);
    let c = rig.client();
    let [x, y] = [c.work().unwrap(), c.work().unwrap()];
    c.start(&x).unwrap();
    c.start(&y).unwrap();
    let dma_buf = c.export(y.data.handle).unwrap();
    let fence = c.sync_file(x.done).unwrap();
    c.add_dma_buf_fences(dma_buf, 3, fence).unwrap();
    rig.advance(15 * MS);
    assert_eq!((c.outcome(x.done), c.outcome(y.done)), (1, 0));
    assert_eq!(c.wait(y.data.handle, 0), Err(errno::EBUSY));
    assert_eq!(c.wait(y.data.handle, SEC), Ok(()));
    assert!(y.is_done());
    drop((x, y, c));
    rig.finish();
}

/// SYNC_IOC_FILE_INFO: the status of all, and of each.
fn info(c: &Client, fd: i32) -> (i32, Vec<i32>) {
    let mut fences = vec![FenceInfo::default(); 2000];
    let mut ask = |num_fences: u32| {
        let arg = FileInfo {
            num_fences,
            sync_fence_info: fences.as_mut_ptr() as u64,
            ..FileInfo::default()
        };
        c.fd_ioctl(fd, FILE_INFO, arg).unwrap()
    };
    let all = ask(0);
    ask(2000);
    fences.truncate(all.num_fences as usize);
    (all.status, fences.iter().map(|f| f.status).collect())
}
