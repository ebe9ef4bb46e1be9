// SPDX-License-Identifier: BSD-2-Clause
//! Memory that clients say they do not need, against everything that gives it to others, on real
//! threads.
//!
//! Each loop takes RACE_SECONDS (default 2) and holds in any order of events.

use driver_tests::panfrost::{write_zero, Client, Rig};
use driver_tests::{errno, pass, real, Ends, PRIMARY, SEC};
use std::sync::atomic::{
    AtomicBool, AtomicU32,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

fn until() -> Instant {
    let seconds = std::env::var("RACE_SECONDS")
        .ok()
        .and_then(|n| n.parse().ok());
    Instant::now() + Duration::from_secs(seconds.unwrap_or(2))
}

fn spin(times: u64) {
    (0..times).for_each(|_| std::hint::spin_loop());
}

/// How one client gives a buffer to another.
type Give = fn(&Client, u32, &Client) -> Result<u32, i32>;

fn by_descriptor(from: &Client, handle: u32, to: &Client) -> Result<u32, i32> {
    pass(from, to, from.export(handle)?)
}

fn by_name(from: &Client, handle: u32, to: &Client) -> Result<u32, i32> {
    to.open_name(from.flink(handle)?)
}

/// Clients give away what they do not need while `squeeze` has it purged: who got it has it
/// permanently.
fn give_while_purged(rig: &Rig, give: Give, squeeze: impl Fn(&AtomicBool) + Sync) {
    let over = AtomicBool::new(false);
    let (mut given, mut refused) = (0, 0);
    thread::scope(|scope| {
        let ends = Ends(&over);
        scope.spawn(|| squeeze(&over));
        let master = Client::open_minor(rig, PRIMARY).unwrap();
        let to = Client::open_primary(rig, &master).unwrap();
        let code = to.bo(4096, 0).unwrap();
        let done = to.syncobj(false).unwrap();
        let end = until();
        let mut round = 0;
        while Instant::now() < end {
            round += 1;
            let from = Client::open_primary(rig, &master).unwrap();
            let bo = from.bo(4096, 1).unwrap();
            bo.write(0, &[0xff; 64]);
            from.madvise(bo.handle, 1).unwrap();
            spin(round % 200);
            match give(&from, bo.handle, &to) {
                Ok(theirs) => {
                    given += 1;
                    assert_eq!(
                        from.madvise(bo.handle, 0),
                        Ok(true),
                        "what others have is purged"
                    );
                    code.write(0, &write_zero(to.va(theirs).unwrap() + 8, 0));
                    to.submit(code.va, false, &[code.handle, theirs], &[], done)
                        .unwrap();
                    to.syncobj_wait(done, 10 * SEC).unwrap();
                    assert_eq!(to.outcome(done), 1);
                    assert_eq!(bo.read_u64(8), 0);
                    to.close(theirs).unwrap();
                }
                Err(e) => {
                    // It was purged before another client had it.
                    assert_eq!((e, from.madvise(bo.handle, 0)), (errno::ENXIO, Ok(false)));
                    refused += 1;
                }
            }
        }
        drop(ends);
    });
    assert!(given > 5, "{given} given, {refused} refused");
}

/// The shrinker takes objects at the time when they are exported and imported. Catches: pages that
/// are freed while another client's GPU page table has them, a purge that is not reported.
#[test]
fn purge_races_import() {
    let rig = Rig::with("rk3399", real(&[]));
    give_while_purged(&rig, by_descriptor, |over| {
        while !over.load(Relaxed) {
            rig.world().lowmem(1000);
        }
    });
    rig.finish();
}

/// The same with the list of unneeded objects under contention, by global names.
#[test]
fn purge_races_open_by_name() {
    let rig = Rig::with("rk3399", real(&[]));
    give_while_purged(&rig, by_name, |over| {
        let c = rig.client();
        let bo = c.bo(4096, 1).unwrap();
        while !over.load(Relaxed) {
            c.madvise(bo.handle, 0).unwrap();
            rig.world().lowmem(1000);
        }
    });
    rig.finish();
}

/// A client at its limit, whose every CREATE_BO searches for what could be freed. Catches: what
/// others do not need is freed for it, and all that `purge_races_import` does.
#[test]
fn a_client_at_its_limit_purges_only_its_own() {
    let rig = Rig::with("rk3399", real(&[("file_mem_limit", 256 << 10)]));
    let kept = rig.client();
    let bystander = kept.bo(4096, 1).unwrap();
    kept.madvise(bystander.handle, 1).unwrap();
    give_while_purged(&rig, by_descriptor, |over| {
        let c = rig.client();
        let _full = c.bo(60 << 10, 1).unwrap();
        while !over.load(Relaxed) {
            assert_eq!(c.bo(160 << 10, 1).err(), Some(errno::ENOMEM));
            let own = c.bo(64 << 10, 1).unwrap();
            c.madvise(own.handle, 1).unwrap();
            c.close(c.bo(96 << 10, 1).unwrap().handle).unwrap();
            assert_eq!(c.madvise(own.handle, 0), Ok(false));
            c.close(own.handle).unwrap();
        }
    });
    assert_eq!(kept.madvise(bystander.handle, 0), Ok(true));
    drop((bystander, kept));
    rig.finish();
}

/// MADVISE of handles that are being closed. Catches: an object in the list of unneeded ones that
/// has no handle and stays for ever.
#[test]
fn madvise_races_close() {
    let rig = Rig::with("rk3399", real(&[]));
    rig.world().disturb(4);
    let c = rig.client();
    let over = AtomicBool::new(false);
    let (handle, advised) = (AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        let ends = Ends(&over);
        scope.spawn(|| {
            while !over.load(Relaxed) {
                match c.madvise(handle.load(Relaxed), 1) {
                    Ok(true) => advised.fetch_add(1, Relaxed),
                    Err(errno::ENOENT | errno::EINVAL) => 0,
                    other => panic!("{other:?}"),
                };
            }
        });
        let end = until();
        let mut n = 0;
        while Instant::now() < end {
            n += 1;
            let bo = c.bo(4096, 1).unwrap().handle;
            handle.store(bo, Relaxed);
            spin(n % 64);
            c.close(bo).unwrap();
        }
        drop(ends);
    });
    assert!(advised.load(Relaxed) > 100, "{advised:?}");
    assert_eq!(rig.world().counters().objects, 0);
    drop(c);
    rig.finish();
}

/// GEM_CLOSE of what is being exported. Catches: a note that a buffer has a handle which is
/// another's by now, so that an import answers with that.
#[test]
fn close_races_export() {
    let rig = Rig::with("rk3399", real(&[]));
    rig.world().disturb(4);
    let c = rig.client();
    let over = AtomicBool::new(false);
    // What to export, and what that gave.
    let (handle, exported) = (AtomicU32::new(0), Mutex::new(None));
    let mut caught = 0;
    thread::scope(|scope| {
        let ends = Ends(&over);
        scope.spawn(|| {
            while !over.load(Relaxed) {
                match handle.swap(0, AcqRel) {
                    0 => thread::yield_now(),
                    handle => *exported.lock().unwrap() = Some(c.export(handle)),
                }
            }
        });
        let end = until();
        let mut n = 0;
        while Instant::now() < end {
            n += 1;
            let a = c.bo(4096, 1).unwrap().handle;
            handle.store(a, Release);
            while handle.load(Acquire) != 0 {
                std::hint::spin_loop();
            }
            spin(n % 100);
            c.close(a).unwrap();
            let result = loop {
                if let Some(result) = exported.lock().unwrap().take() {
                    break result;
                }
            };
            let fd = match result {
                Ok(fd) => fd,
                Err(e) => {
                    assert_eq!(e, errno::ENOENT);
                    continue;
                }
            };
            caught += 1;
            // The number that was the other's is the next one given.
            let b = c.bo(8192, 1).unwrap().handle;
            assert_eq!(b, a);
            let again = c.import(fd).unwrap();
            assert_ne!(again, b, "the import is of another buffer");
            assert_eq!(c.import(fd), Ok(again));
            c.caller.close_fd(fd);
            c.close(again).unwrap();
            c.close(b).unwrap();
        }
        drop(ends);
    });
    assert!(caught > 10, "{caught}");
    drop(c);
    rig.finish();
}

/// An import that is mapped and unmapped 10,000 times, by two threads. Catches: a reference or a
/// mapping that each time leaks, a map that is of another buffer.
#[test]
fn an_import_is_mapped_and_unmapped() {
    let rig = Rig::with("rk3399", real(&[]));
    let [a, b] = [rig.client(), rig.client()];
    let bo = a.bo(8192, 1).unwrap();
    let fd = a.export(bo.handle).unwrap();
    let file = a.caller.fd(fd).unwrap();
    let theirs = pass(&a, &b, fd).unwrap();
    let va = b.va(theirs).unwrap();
    bo.write(4096, &[7; 8]);
    let there = || {
        let c = rig.world().counters();
        [c.mallocs, c.objects, c.object_pages, c.mappings, c.files]
    };
    let before = there();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for n in 0..5_000 {
                    if n % 2 == 0 {
                        assert_eq!(b.map(theirs, va, 8192).unwrap().read(4096, 8), [7; 8]);
                    } else {
                        let mut bytes = [0; 8];
                        file.mmap(4096, 4096).unwrap().read(0, &mut bytes);
                        assert_eq!(bytes, [7; 8]);
                    }
                }
            });
        }
    });
    assert_eq!(there(), before);
    drop((file, bo, a, b));
    rig.finish();
}

/// Clients at their limit make, give up and take back, while memory is short. Catches: charges that
/// drift, a deadlock of the locks that advice, purges and creation take.
#[test]
fn madvise_and_lowmem_and_create_at_the_limit() {
    let rig = Rig::with("rk3399", real(&[("file_mem_limit", 512 << 10)]));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let ends = Ends(&over);
        scope.spawn(|| {
            while !over.load(Relaxed) {
                rig.world().lowmem(3);
                thread::yield_now();
            }
        });
        let workers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let c = rig.client();
                    let empty = c.stat("mem");
                    let end = until();
                    let mut n = 0_u32;
                    let mut bos = Vec::new();
                    while Instant::now() < end {
                        n += 1;
                        match c.bo(32 << 10, 1) {
                            Ok(bo) => bos.push(bo.handle),
                            Err(e) => {
                                assert_eq!(e, errno::ENOMEM);
                                c.close(bos.swap_remove(n as usize % bos.len())).unwrap();
                            }
                        }
                        if let Some(handle) = bos.get(n as usize * 7 % bos.len().max(1)) {
                            c.madvise(*handle, n % 2).unwrap();
                        }
                        assert!(c.stat("mem") <= 512 << 10);
                    }
                    let made = bos.len() as u64;
                    bos.into_iter().for_each(|handle| c.close(handle).unwrap());
                    // The places in the table of handles stay; there were no more handles than the
                    // limit lets be.
                    let left = c.stat("mem") - empty;
                    let most = (512 << 10) / (1024 + 512) * 64;
                    assert!(
                        made > 0 && left.is_multiple_of(64) && left <= most,
                        "{left} bytes are left"
                    );
                })
            })
            .collect();
        let results: Vec<_> = workers.into_iter().map(|w| w.join()).collect();
        drop(ends);
        assert!(results.iter().all(Result::is_ok));
    });
    rig.finish();
}
