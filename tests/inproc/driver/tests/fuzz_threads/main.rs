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

use driver_tests::fuzz::{env, gpu, may_be, note, Code, Gpu};
use driver_tests::{errno, limits, Client, Ends, PRIMARY};
use drm_os_host::{Caller, ClockMode, Config, File, Mapping};
use seeded::Random;
use std::collections::btree_map::BTreeMap;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use uapi::sync_file::{FileInfo, FILE_INFO};

mod calls;
mod check;

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

const KINDS: [&str; 29] = [
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
    "signal point",
    "transfer",
    "query",
    "wait for points",
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
