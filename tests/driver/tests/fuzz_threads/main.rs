// SPDX-License-Identifier: BSD-2-Clause
//! Sync objects, sync_files, dma-bufs, advice, purges and closes against each other: threads that
//! share a few processes do what a seed says, on the real clock, with jobs under way. When all have
//! come back, what the kernel has is compared with what its clients have, and everything that the
//! GPU reaches is checked.
//!
//! FUZZ_SECONDS says how long (default 3), FUZZ_SEED where to begin (default 1). Odd seeds are
//! panfrost's, even ones etnaviv's, whose three boards take turns. A seed says what each thread
//! does, call by call, and that is the same in each run. What the calls meet is not: threads are as
//! fast as they are, so a failure may take some runs of its seed (FUZZ_SECONDS=60 FUZZ_ROUNDS=1) to
//! come back.

use driver_tests::fuzz::{env, gpu, may_be, note, Code, Gpu, Job, HEAP};
use driver_tests::{errno, limits, Client, Ends, MS, PRIMARY, SEC};
use drm_os_host::{Caller, ClockMode, Config, File, Mapping};
use seeded::Random;
use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::BTreeSet;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use uapi::core::{SYNCOBJ_RESET, SYNCOBJ_SIGNAL};
use uapi::dma_buf;
use uapi::sync_file::{FileInfo, FILE_INFO};

const THREADS: usize = 4;
const PROCESSES: usize = 3;
/// Of each thread in a round.
const CALLS: u64 = 250;
/// Handles and descriptors are not above these.
const HANDLES: u32 = 600;
const FDS: i32 = 600;

/// Numbers that were given some time ago and may be good.
#[derive(Default)]
struct Bag<T>(Mutex<Vec<T>>);

impl<T: Copy> Bag<T> {
    fn add(&self, what: T) {
        self.0.lock().unwrap().push(what);
    }

    fn any(&self, n: u64) -> Option<T> {
        let all = self.0.lock().unwrap();
        all.get(Bag::<T>::index(n, all.len())).copied()
    }

    fn take(&self, n: u64) -> Option<T> {
        let mut all = self.0.lock().unwrap();
        let index = Bag::<T>::index(n, all.len());
        (index < all.len()).then(|| all.remove(index))
    }

    /// Every other time the newest, so that several threads have the same.
    fn index(n: u64, len: usize) -> usize {
        match n >> 63 {
            0 => len.saturating_sub(1),
            _ => n as usize % len.max(1),
        }
    }
}

/// A process: an open file, and its numbers.
struct Process {
    id: u64,
    client: Client,
    handles: Bag<u32>,
    syncobjs: Bag<u32>,
    dma_bufs: Bag<i32>,
    sync_files: Bag<i32>,
    shared_syncobjs: Bag<i32>,
}

/// What all threads share.
struct Stage {
    gpu: Box<dyn Gpu>,
    master: Client,
    processes: [Mutex<Arc<Process>>; PROCESSES],
    names: Bag<u32>,
    /// Who is in a call, for signals.
    callers: [Mutex<Option<Caller>>; THREADS],
    next_process: AtomicU64,
    meeting: Mutex<Option<Arc<Meeting>>>,
}

/// Two threads that do something to the same thing at the same time.
struct Meeting {
    n: u64,
    both: AtomicBool,
}

/// What they do: submit, open, flink, import, export, advise, close, lowmem.
const TOGETHER: [u64; 16] = [
    65, 51, 49, 41, 41, 34, 34, 34, 24, 24, 24, 14, 14, 14, 95, 95,
];

/// A thread.
#[derive(Default)]
struct Thread {
    number: usize,
    codes: BTreeMap<u64, Code>,
    maps: Vec<Mapping>,
    did: Did,
}

/// Calls that did something, by what they are.
type Did = BTreeMap<&'static str, u64>;

const KINDS: [&str; 25] = [
    "create",
    "close",
    "advise",
    "export",
    "import",
    "flink",
    "open",
    "close fd",
    "mmap",
    "munmap",
    "submit",
    "syncobj",
    "destroy",
    "sync_file",
    "to syncobj",
    "share syncobj",
    "take syncobj",
    "signal",
    "wait for syncobjs",
    "merge",
    "info",
    "dma-buf's fences",
    "fences to dma-buf",
    "begin access",
    "wait",
];

/// What a call may answer in such a crowd.
fn refused(what: u64, e: i32) {
    let crowd = [
        errno::EINTR,
        errno::ERESTART,
        errno::EBADF,
        errno::ENODEV,
        errno::ENOTTY,
        errno::EACCES,
    ];
    assert!(may_be(e) || crowd.contains(&e), "call {what}: error {e}");
}

/// SYNC_IOC_FILE_INFO: None if it is no sync_file.
fn info(file: &File, caller: &Caller) -> Option<FileInfo> {
    driver_tests::ioctl(file, caller, FILE_INFO, FileInfo::default()).ok()
}

/// Looks again until it is so, for ten seconds.
fn in_time(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !so() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_micros(200));
    }
}

impl Stage {
    fn new(seed: u64) -> Stage {
        let config = Config {
            clock: ClockMode::Real,
            ..limits(6 << 20, 14 << 20, 20 << 20)
        };
        let gpu = gpu(seed, config);
        let master = Client::open_minor(gpu.board(), PRIMARY).unwrap();
        let processes = [(); PROCESSES].map(|()| process(&*gpu, &master, 0).unwrap());
        Stage {
            gpu,
            master,
            processes: processes.map(|process| Mutex::new(Arc::new(process))),
            names: Bag::default(),
            callers: Default::default(),
            next_process: AtomicU64::new(1),
            meeting: Mutex::default(),
        }
    }

    fn process(&self, n: u64) -> Arc<Process> {
        self.processes[n as usize % PROCESSES]
            .lock()
            .unwrap()
            .clone()
    }

    /// Waits a moment for another thread that wants to meet one: the number of their meeting.
    fn meet(&self, n: u64) -> Option<u64> {
        let mine = Arc::new(Meeting {
            n,
            both: AtomicBool::new(false),
        });
        let there = {
            let mut meeting = self.meeting.lock().unwrap();
            match meeting.take() {
                None => {
                    *meeting = Some(mine.clone());
                    None
                }
                there => there,
            }
        };
        if let Some(other) = there {
            other.both.store(true, Release);
            return Some(other.n);
        }
        for turn in 0..5_000 {
            if mine.both.load(Acquire) {
                return Some(n);
            }
            if turn % 100 == 99 {
                thread::yield_now();
            }
            std::hint::spin_loop();
        }
        let mut meeting = self.meeting.lock().unwrap();
        let alone = meeting
            .take_if(|meeting| Arc::ptr_eq(meeting, &mine))
            .is_some();
        (!alone).then_some(n)
    }

    /// A step of a thread. Its numbers depend on nothing that others do, but for what it meets
    /// another one at.
    fn step(&self, me: &mut Thread, mut random: Random) {
        let mut what = random.below(100);
        let mut which = random.next();
        let mut numbers = [(); 4].map(|()| random.next());
        if random.one_in(2) {
            what = TOGETHER[random.below(16) as usize];
            if let Some(n) = self.meet(numbers[0]) {
                (which, numbers[0]) = (n >> 8, n);
                (0..random.below(100)).for_each(|_| std::hint::spin_loop());
            }
        }
        let process = self.process(which);
        if process.handles.any(0).is_none() {
            what = 0;
        }
        let client = process.client.thread();
        *self.callers[me.number].lock().unwrap() = Some(client.caller.clone());
        match self.call(me, &process, &client, what, numbers, &mut random) {
            Some(Ok(kind)) => *me.did.entry(kind).or_default() += 1,
            Some(Err(e)) => refused(what, e),
            None => {}
        }
    }

    fn call(
        &self,
        me: &mut Thread,
        p: &Process,
        c: &Client,
        what: u64,
        n: [u64; 4],
        random: &mut Random,
    ) -> Option<Result<&'static str, i32>> {
        let world = self.gpu.board().world();
        Some(match what {
            0..14 => self.gpu.create(c, random).map(|made| {
                p.handles.add(made.handle);
                "create"
            }),
            14..24 => {
                let handle = match n[1] % 4 {
                    0 => p.handles.any(n[0]),
                    _ => p.handles.take(n[0]),
                };
                c.close(handle?).map(|()| "close")
            }
            24..34 => {
                let advice = u32::from(!n[1].is_multiple_of(4));
                let kept = self.gpu.advise(c, p.handles.any(n[0])?, advice);
                kept.map(|_| "advise")
            }
            34..41 => c.export(p.handles.any(n[0])?).map(|fd| {
                p.dma_bufs.add(fd);
                "export"
            }),
            41..49 => {
                let from = self.process(n[1]);
                let file = from.client.caller.fd(from.dma_bufs.any(n[0])?)?;
                let fd = c.caller.install(file.clone()).unwrap();
                let handle = c.import(fd);
                if from.id != p.id {
                    handle
                        .iter()
                        .for_each(|handle| self.is_kept(c, &file, fd, *handle));
                }
                c.caller.close_fd(fd);
                handle.map(|handle| {
                    p.handles.add(handle);
                    "import"
                })
            }
            49..51 => c.flink(p.handles.any(n[0])?).map(|name| {
                self.names.add(name);
                "flink"
            }),
            51..54 => c.open_name(self.names.any(n[0])?).map(|handle| {
                p.handles.add(handle);
                "open"
            }),
            54..59 => {
                let fds = [&p.dma_bufs, &p.sync_files, &p.shared_syncobjs];
                c.caller.close_fd(fds[n[1] as usize % 3].take(n[0])?);
                Ok("close fd")
            }
            59..63 => {
                let map = match n[1] % 2 {
                    0 => self.gpu.map(c, p.handles.any(n[0])?, 4096),
                    _ => c.caller.fd(p.dma_bufs.any(n[0])?)?.mmap(0, 4096),
                };
                // Not touched: what is purged is a SIGBUS.
                match map {
                    Ok(map) => {
                        map.set_locked(n[2].is_multiple_of(4));
                        me.maps.push(map);
                        Ok("mmap")
                    }
                    // A sync_file.
                    Err(errno::ENODEV) => return None,
                    Err(e) => Err(e),
                }
            }
            63..65 => {
                drop(me.maps.pop()?);
                Ok("munmap")
            }
            65..76 => self.submit(me, p, c, n)?,
            76 => c.syncobj(n[0].is_multiple_of(2)).map(|handle| {
                p.syncobjs.add(handle);
                "syncobj"
            }),
            77 => c
                .syncobj_destroy(p.syncobjs.take(n[0])?)
                .map(|()| "destroy"),
            78..81 => c.sync_file(p.syncobjs.any(n[0])?).map(|fd| {
                p.sync_files.add(fd);
                "sync_file"
            }),
            81 | 82 => {
                let (handle, fd) = (p.syncobjs.any(n[0])?, p.sync_files.any(n[1])?);
                c.import_sync_file(handle, fd).map(|()| "to syncobj")
            }
            83 => c.share_syncobj(p.syncobjs.any(n[0])?).map(|fd| {
                p.shared_syncobjs.add(fd);
                "share syncobj"
            }),
            84 => c.take_syncobj(p.shared_syncobjs.any(n[0])?).map(|handle| {
                p.syncobjs.add(handle);
                "take syncobj"
            }),
            85 => {
                let handles = [p.syncobjs.any(n[0])?, p.syncobjs.any(n[1])?];
                let request = [SYNCOBJ_RESET, SYNCOBJ_SIGNAL][n[2] as usize % 2];
                c.syncobj_array(request, &handles).map(|()| "signal")
            }
            86 | 87 => {
                let handles = [p.syncobjs.any(n[0])?, p.syncobjs.any(n[1])?];
                let until = world.now() + n[2] % 4 * MS;
                c.syncobj_wait_many(&handles, until as i64, n[3] as u32 % 4)
                    .map(|_| "wait for syncobjs")
            }
            88..90 => {
                let [a, b] = [p.sync_files.any(n[0])?, p.sync_files.any(n[1])?];
                c.merge(a, b).map(|fd| {
                    p.sync_files.add(fd);
                    "merge"
                })
            }
            90 => {
                let file = c.caller.fd(p.sync_files.any(n[0])?)?;
                let info = info(&file, &c.caller)?;
                assert!(
                    info.status != 1 || file.poll(),
                    "it has ended, and poll waits"
                );
                Ok("info")
            }
            91 => {
                let flags = 1 + n[1] as u32 % 2;
                let made = c.dma_buf_fences(p.dma_bufs.any(n[0])?, flags);
                made.map(|fd| {
                    p.sync_files.add(fd);
                    "dma-buf's fences"
                })
            }
            92 => {
                let fd = p.sync_files.any(n[2])?;
                let flags = 1 + n[1] as u32 % 2;
                c.add_dma_buf_fences(p.dma_bufs.any(n[0])?, flags, fd)
                    .map(|()| "fences to dma-buf")
            }
            93 => {
                let arg = dma_buf::Sync {
                    flags: 1 + n[1] % 2,
                };
                c.fd_ioctl(p.dma_bufs.any(n[0])?, dma_buf::SYNC, arg)
                    .map(|_| "begin access")
            }
            94 => {
                let handle = p.handles.any(n[0])?;
                self.gpu
                    .wait(c, handle, n[1] % 3 * MS, n[2])
                    .map(|()| "wait")
            }
            95 | 96 => {
                world.lowmem(n[1] % 64);
                return None;
            }
            97 => return self.replace(n).map(Err),
            98 => {
                let caller = self.callers[n[0] as usize % THREADS].lock().unwrap();
                match n[1] % 2 {
                    0 => caller.as_ref()?.interrupt(),
                    _ => caller.as_ref()?.interrupt_restarting(),
                }
                return None;
            }
            _ => {
                self.gpu.plant(random, true);
                return None;
            }
        })
    }

    /// What two processes have is not purged. Heaps may have been before.
    fn is_kept(&self, c: &Client, file: &File, fd: i32, handle: u32) {
        let heap = file.size() == Ok(HEAP);
        // The handle may be another buffer's by now, but not at both ends of the question.
        let gone = || {
            let gone = self.gpu.advise(c, handle, 2) == Ok(false);
            gone && c.import(fd) == Ok(handle)
        };
        assert!(heap || !(gone() && gone()), "what was imported is purged");
    }

    fn submit(
        &self,
        me: &mut Thread,
        p: &Process,
        c: &Client,
        n: [u64; 4],
    ) -> Option<Result<&'static str, i32>> {
        let mut bos = Vec::new();
        for turn in 0..n[0] % 4 {
            let handle = p.handles.any(n[1] >> (8 * turn))?;
            if !bos.contains(&handle) {
                bos.push(handle);
            }
        }
        let waits: Vec<u32> = match n[2] % 3 {
            0 => p.syncobjs.any(n[2] >> 8).into_iter().collect(),
            _ => Vec::new(),
        };
        let job = Job {
            bos: &bos,
            waits: &waits,
            done: p.syncobjs.any(n[2] >> 16)?,
            astray: n[2] >> 32 & 31 == 0,
            any: n[3],
        };
        let code = match me.codes.entry(p.id) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(none) => match self.gpu.code(c) {
                Ok(code) => none.insert(code),
                Err(e) => return Some(Err(e)),
            },
        };
        Some(self.gpu.submit(c, code, &job).map(|()| "submit"))
    }

    /// A process ends, with calls of it under way perhaps, and there is another one.
    fn replace(&self, n: [u64; 4]) -> Option<i32> {
        let id = self.next_process.fetch_add(1, Relaxed);
        let next = match process(&*self.gpu, &self.master, id) {
            Ok(next) => next,
            Err(e) => return Some(e),
        };
        let mut place = self.processes[n[0] as usize % PROCESSES].lock().unwrap();
        let last = std::mem::replace(&mut *place, Arc::new(next));
        drop(place);
        (0..FDS).for_each(|fd| last.client.caller.close_fd(fd));
        None
    }

    /// No thread is in a call. All fences end; every existing object has a holder, and the GPU
    /// reaches nothing else.
    fn check(&self, threads: &mut [Thread]) -> u64 {
        let processes: Vec<_> = (0..PROCESSES).map(|n| self.process(n as u64)).collect();
        for caller in &self.callers {
            *caller.lock().unwrap() = None;
        }
        threads.iter_mut().for_each(|me| me.codes.clear());
        let mut files = Vec::new();
        for p in &processes {
            for fd in (0..FDS).filter_map(|fd| p.client.caller.fd(fd)) {
                files.push(fd);
            }
            for handle in 1..=HANDLES {
                if let Ok(fd) = p.client.sync_file(handle) {
                    files.extend(p.client.caller.fd(fd));
                    p.client.caller.close_fd(fd);
                }
            }
        }
        let caller = &self.master.caller;
        for file in &files {
            in_time("a fence without an end", || {
                info(file, caller).is_none_or(|info| info.status != 0)
            });
        }
        // Who has what, by global names. What was purged before others had it is not imported. The
        // user that asks has memory left.
        let probe = Client::open_primary_of(self.gpu.board(), &self.master, 1).unwrap();
        for file in &files {
            if let Some(FileInfo { status, .. }) = info(file, &probe.caller) {
                let fd = probe.caller.install(file.clone()).unwrap();
                match probe.merge(fd, fd) {
                    Ok(merged) => {
                        let twice = probe.sync_file_status(merged);
                        assert_eq!(twice, status, "merged with itself it ends otherwise");
                        probe.caller.close_fd(merged);
                    }
                    // Whose it is pays for it.
                    Err(e) => assert_eq!(e, errno::ENOMEM),
                }
                probe.caller.close_fd(fd);
            }
        }
        let mut known = BTreeSet::new();
        let mut unknown = 0;
        let mut shared = BTreeSet::new();
        let import = |client: &Client, file: &File| {
            let fd = client.caller.install(file.clone()).unwrap();
            let handle = client.import(fd);
            client.caller.close_fd(fd);
            handle
        };
        for file in files.iter().filter(|file| file.size().is_ok()) {
            let Ok(handle) = import(&probe, file) else {
                let had = processes.iter().any(|p| import(&p.client, file).is_ok());
                unknown += u64::from(!had);
                continue;
            };
            let name = probe.flink(handle).unwrap();
            known.insert(name);
            shared.insert(name);
            for p in &processes {
                match import(&p.client, file) {
                    Ok(theirs) => {
                        let theirs = p.client.flink(theirs);
                        assert_eq!(theirs, Ok(name), "the import is of another buffer");
                    }
                    Err(e) => assert_eq!(e, errno::ENOMEM),
                }
            }
        }
        let mut of_processes = 0;
        let mut holders: BTreeMap<u32, Vec<(usize, u32)>> = BTreeMap::new();
        for (n, p) in processes.iter().enumerate() {
            for handle in 1..=HANDLES {
                match p.client.flink(handle) {
                    Ok(name) => holders.entry(name).or_default().push((n, handle)),
                    // The process's own memory has no name.
                    Err(errno::EINVAL) => of_processes += 1,
                    Err(e) => assert_eq!(e, errno::ENOENT),
                }
            }
        }
        for (name, holders) in &holders {
            let who: BTreeSet<usize> = holders.iter().map(|(n, _)| *n).collect();
            if who.len() > 1 || shared.contains(name) {
                for (n, handle) in holders {
                    let client = &processes[*n].client;
                    let kept = self.gpu.advise(client, *handle, 2);
                    // A heap can also be purged first and shared later: nothing maps it then.
                    if kept != Ok(true) {
                        let fd = match client.export(*handle) {
                            Ok(fd) => fd,
                            Err(errno::ENOMEM) => continue,
                            Err(e) => panic!("error {e}"),
                        };
                        let size = client.caller.fd(fd).unwrap().size();
                        assert_eq!(size, Ok(HEAP), "what others have is purged: {kept:?}");
                        client.caller.close_fd(fd);
                    }
                }
            }
        }
        known.extend(holders.keys());
        drop(probe);
        // A job of each, so that the GPU has the page tables of all; what it did before has ended
        // then.
        let least = (known.len() + of_processes) as u64;
        let objects = || self.gpu.board().world().counters().objects;
        in_time("buffers without a holder", || objects() <= least + unknown);
        let mut nops = Vec::new();
        for p in &processes {
            let Ok(mut code) = self.gpu.code(&p.client) else {
                continue;
            };
            let Some(done) = p.syncobjs.any(0) else {
                continue;
            };
            let job = Job {
                bos: &[],
                waits: &[],
                done,
                astray: false,
                any: 0,
            };
            if self.gpu.submit(&p.client, &mut code, &job).is_ok() {
                nops.push((p, done, code));
            }
        }
        for (p, done, _) in &nops {
            p.client.syncobj_wait(*done, 20 * SEC).unwrap();
        }
        assert!(objects() >= least, "a buffer with a holder is gone");
        let looked = self.gpu.look();
        assert_eq!(self.gpu.board().world().counters().bad_dma, 0);
        looked
    }

    /// All files close.
    fn end(self) {
        let Stage {
            gpu,
            master,
            processes,
            ..
        } = self;
        for p in processes.map(|p| p.into_inner().unwrap()) {
            (0..FDS).for_each(|fd| p.client.caller.close_fd(fd));
        }
        drop(master);
        in_time("charged without an owner", || gpu.stat("mem") == 0);
        gpu.finish();
    }
}

/// A new process, with sync objects.
fn process(gpu: &dyn Gpu, master: &Client, id: u64) -> Result<Process, i32> {
    let client = Client::open_primary(gpu.board(), master)?;
    let process = Process {
        id,
        client,
        handles: Bag::default(),
        syncobjs: Bag::default(),
        dma_bufs: Bag::default(),
        sync_files: Bag::default(),
        shared_syncobjs: Bag::default(),
    };
    for n in 0..4 {
        process.syncobjs.add(process.client.syncobj(n % 2 == 0)?);
    }
    Ok(process)
}

/// Runs a seed: what its calls did, and reachable pages that were checked.
fn run(seed: u64) -> (Did, u64) {
    note(seed, 0);
    let stage = Stage::new(seed);
    let mut threads: Vec<Thread> = Vec::new();
    let world = stage.gpu.board().world();
    world.disturb([0, 8, 16, 64][(seed / 2 % 4) as usize]);
    thread::scope(|scope| {
        let running: Vec<_> = (0..THREADS)
            .map(|number| {
                let stage = &stage;
                scope.spawn(move || {
                    let mut me = Thread {
                        number,
                        ..Thread::default()
                    };
                    for step in 0..CALLS {
                        stage.step(&mut me, Random::of(seed, &[number as u64, step]));
                    }
                    me.maps.clear();
                    me
                })
            })
            .collect();
        threads.extend(running.into_iter().map(|thread| thread.join().unwrap()));
    });
    world.disturb(0);
    let looked = stage.check(&mut threads);
    let mut did = Did::new();
    for (kind, n) in threads.iter().flat_map(|me| &me.did) {
        *did.entry(kind).or_default() += n;
    }
    let jobs = stage.gpu.stat("jobs");
    did.insert("jobs", jobs);
    drop(threads);
    stage.end();
    (did, looked)
}

/// Aborts when a round takes two minutes: a thread waits for ever.
fn watch(seed: &AtomicU64, over: &AtomicBool) {
    let mut last = (0, Instant::now());
    while !over.load(Acquire) {
        thread::sleep(Duration::from_millis(100));
        let now = seed.load(Relaxed);
        if last.0 != now {
            last = (now, Instant::now());
        }
        if last.1.elapsed() > Duration::from_secs(120) {
            eprintln!("FUZZ_SEED={now}: no end in sight");
            std::process::abort();
        }
    }
}

/// Catches: a purge that races with sharing, notes of handles that are others' by now, objects and
/// charges that a race of two closes leaves or frees twice, fences without an end, deadlocks and
/// locks in the wrong order, memory freed under the GPU.
#[test]
fn random_calls_of_threads() {
    let first = env("FUZZ_SEED", 1);
    let rounds = env("FUZZ_ROUNDS", u64::MAX);
    let end = Instant::now() + Duration::from_secs(env("FUZZ_SECONDS", 3));
    let mut sums: [(Did, u64); 2] = Default::default();
    let (now, over) = (AtomicU64::new(first), AtomicBool::new(false));
    let mut n = 0;
    thread::scope(|scope| {
        let _ends = Ends(&over);
        scope.spawn(|| watch(&now, &over));
        while n == 0 || Instant::now() < end {
            let seed = first + n % rounds;
            now.store(first + n, Relaxed);
            let (did, looked) = run(seed);
            let sum = &mut sums[(seed % 2) as usize];
            did.into_iter()
                .for_each(|(kind, n)| *sum.0.entry(kind).or_default() += n);
            sum.1 += looked;
            n += 1;
        }
    });
    println!("FUZZ_SEED {first}, {n} rounds of {THREADS} threads with {CALLS} calls");
    for (driver, (did, looked)) in ["etnaviv", "panfrost"].into_iter().zip(sums) {
        println!("{driver}: {looked} reachable pages checked, {did:?}");
        if n >= 20 && rounds > 1 {
            assert!(looked > 0, "{driver}");
            for kind in KINDS.into_iter().chain(["jobs"]) {
                assert!(did.contains_key(kind), "{driver}: no {kind}");
            }
        }
    }
}
