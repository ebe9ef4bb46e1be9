// SPDX-License-Identifier: BSD-2-Clause
//! Random ioctls of several clients, with memory that runs out at any place and a GPU that fails,
//! from a seed. After each step all memory is looked over: whatever the GPU's page tables lead to
//! is there, every page is charged, and every existing object has a holder.
//!
//! FUZZ_SECONDS says how long (default 3), FUZZ_SEED where to begin (default 1). Odd seeds are
//! panfrost's, even ones etnaviv's, whose three boards take turns. What fails names its seed, which
//! runs alone, and the same again, with FUZZ_SECONDS=0.

use driver_tests::fuzz::{env, gpu, may_be, note, Code, Gpu};
use driver_tests::{limits, Client, PRIMARY, SEC};
use drm_os_host::Mapping;
use seeded::Random;
use std::time::{Duration, Instant};

mod calls;
mod check;

const STEPS: u64 = 300;
const CLIENTS: usize = 4;

/// A handle; buffers are known by numbers of our own.
struct Held {
    buffer: u64,
    handle: u32,
    map: Option<Mapping>,
}

struct User {
    client: Client,
    /// With the number of its buffer.
    code: Option<(u64, Code)>,
    held: Vec<Held>,
    fds: Vec<(u64, i32)>,
    syncs: Vec<u32>,
    files: Vec<i32>,
}

struct Fuzz {
    gpu: Box<dyn Gpu>,
    master: Client,
    users: Vec<User>,
    random: Random,
    buffers: u64,
    calls: u64,
    looked: u64,
    purged: u64,
}

/// The result of a call that need not succeed.
fn allowed<T>(result: Result<T, i32>) -> Option<T> {
    result.map_err(|e| assert!(may_be(e), "error {e}")).ok()
}

impl User {
    fn new(client: Client) -> User {
        User {
            client,
            code: None,
            held: Vec::new(),
            fds: Vec::new(),
            syncs: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Its descriptors go as at the end of a process; its file goes with it.
    fn end(self) {
        let files = self.files.iter().chain(self.fds.iter().map(|(_, fd)| fd));
        files.for_each(|fd| self.client.caller.close_fd(*fd));
    }
}

impl Fuzz {
    fn new(seed: u64) -> Fuzz {
        let gpu = gpu(seed, limits(12 << 20, 20 << 20, 32 << 20));
        let master = Client::open_minor(gpu.board(), PRIMARY).unwrap();
        Fuzz {
            gpu,
            master,
            users: Vec::new(),
            random: Random::new(seed),
            buffers: 0,
            calls: 0,
            looked: 0,
            purged: 0,
        }
    }

    fn user(&mut self) -> Option<usize> {
        let index = self.random.below(CLIENTS as u64) as usize;
        if index >= self.users.len() {
            let client = allowed(Client::open_primary(self.gpu.board(), &self.master))?;
            self.users.push(User::new(client));
        }
        Some(index.min(self.users.len() - 1))
    }
}

/// What the seeds did.
const DID: [&str; 6] = [
    "calls",
    "jobs",
    "faults",
    "purged pages",
    "failed allocations",
    "reachable pages checked",
];

fn run(seed: u64) -> [u64; 6] {
    note(seed, 0);
    let mut fuzz = Fuzz::new(seed);
    let world = fuzz.gpu.board().world().clone();
    for step in 0..STEPS {
        note(seed, step);
        let short = fuzz.random.one_in(4);
        let nth = fuzz.random.below(24);
        world.fail_allocation(short.then_some(nth));
        fuzz.step();
        world.fail_allocation(None);
        world.settle();
        fuzz.check();
    }
    fuzz.quiet();
    fuzz.users.drain(..).for_each(User::end);
    drop(fuzz.master);
    world.advance(SEC);
    assert_eq!(fuzz.gpu.stat("mem"), 0, "charged without an owner");
    let [jobs, faults] = ["jobs", "faults"].map(|name| fuzz.gpu.stat(name));
    let failed = world.counters().failed_allocations;
    let did = [fuzz.calls, jobs, faults, fuzz.purged, failed, fuzz.looked];
    fuzz.gpu.finish();
    did
}

/// Catches: freed memory that the GPU reaches, objects and charges that stay or go too early, locks
/// and counts that an error path forgets, for any order of calls.
#[test]
fn random_ioctls() {
    let first = env("FUZZ_SEED", 1);
    let end = Instant::now() + Duration::from_secs(env("FUZZ_SECONDS", 3));
    let mut did = [[0; 6]; 2];
    let mut seed = first;
    while seed == first || Instant::now() < end {
        let sums = did[(seed % 2) as usize].iter_mut();
        sums.zip(run(seed)).for_each(|(sum, n)| *sum += n);
        seed += 1;
    }
    let seeds = seed - first;
    println!("FUZZ_SEED {first} to {}", seed - 1);
    for (driver, did) in ["etnaviv", "panfrost"].into_iter().zip(did) {
        let did: Vec<_> = DID.into_iter().zip(did).collect();
        println!("{driver}: {did:?}");
        for (what, n) in did {
            // etnaviv's clients cannot say what they do not need.
            let none = driver == "etnaviv" && what == "purged pages";
            assert!(seeds < 10 || n >= seeds / 2 || none, "{driver}: {n} {what}");
        }
    }
}
