// SPDX-License-Identifier: BSD-2-Clause
//! Random ioctls of several clients, with memory that runs out at any place and a GPU that fails,
//! from a seed. After each step all memory is looked over: whatever the GPU's page tables lead to
//! is there, every page is charged, and every existing object has a holder.
//!
//! FUZZ_SECONDS says how long (default 3), FUZZ_SEED where to begin (default 1). Odd seeds are
//! panfrost's, even ones etnaviv's, whose three boards take turns. What fails names its seed, which
//! runs alone, and the same again, with FUZZ_SECONDS=0.

use driver_tests::fuzz::{env, gpu, may_be, note, Code, Gpu, Job};
use driver_tests::{limits, Client, MS, PRIMARY, SEC};
use drm_os_host::Mapping;
use seeded::Random;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use uapi::core::{SYNCOBJ_RESET, SYNCOBJ_SIGNAL};

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

    /// One step; what it asks for may be refused.
    fn step(&mut self) -> Option<()> {
        let what = self.random.below(110);
        let at = self.user()?;
        self.calls += 1;
        match what {
            0..18 => self.create(at),
            18..30 => self.close(at),
            30..42 => {
                let advice = self.random.below(2) as u32;
                let handle = self.random.pick(&self.users[at].held)?.handle;
                allowed(self.gpu.advise(&self.users[at].client, handle, advice)).map(drop)
            }
            42..50 => {
                let (buffer, handle) = {
                    let held = self.random.pick(&self.users[at].held)?;
                    (held.buffer, held.handle)
                };
                let user = &mut self.users[at];
                let fd = allowed(user.client.export(handle))?;
                user.fds.push((buffer, fd));
                Some(())
            }
            50..58 => self.import(at),
            58..62 => self.open_by_name(at),
            62..66 => {
                let index = self.random.below(self.users[at].fds.len() as u64) as usize;
                let user = &mut self.users[at];
                if index < user.fds.len() {
                    let (_, fd) = user.fds.swap_remove(index);
                    user.client.caller.close_fd(fd);
                }
                Some(())
            }
            66..80 => self.submit(at),
            80..83 => {
                let on = self.random.one_in(2);
                let held = self.random.pick(&self.users[at].held)?;
                held.map.as_ref()?.set_locked(on);
                Some(())
            }
            83..86 => {
                let pages = self.random.below(2000);
                self.purged += self.gpu.board().world().lowmem(pages);
                Some(())
            }
            86..89 => {
                self.gpu.board().world().advance(self.random.below(20) * MS);
                Some(())
            }
            89..91 => {
                self.users.swap_remove(at).end();
                Some(())
            }
            91 => {
                self.gpu.plant(&mut self.random, false);
                Some(())
            }
            92..95 => {
                let handle = self.random.pick(&self.users[at].held)?.handle;
                let any = self.random.next();
                allowed(
                    self.gpu
                        .wait(&self.users[at].client, handle, any % 5 * MS, any >> 8),
                )
            }
            95..107 => self.sync(at),
            _ => self.quiet(),
        }
    }

    fn create(&mut self, at: usize) -> Option<()> {
        let client = &self.users[at].client;
        let made = allowed(self.gpu.create(client, &mut self.random))?;
        let mapped = made.mappable && self.random.one_in(2);
        let map = mapped.then(|| self.gpu.map(client, made.handle, made.size));
        self.buffers += 1;
        self.users[at].held.push(Held {
            buffer: self.buffers,
            handle: made.handle,
            map: map.and_then(allowed),
        });
        Some(())
    }

    fn close(&mut self, at: usize) -> Option<()> {
        let index = self.random.below(self.users[at].held.len() as u64) as usize;
        let user = &mut self.users[at];
        if index < user.held.len() {
            let held = user.held.swap_remove(index);
            user.client.close(held.handle).unwrap();
        }
        Some(())
    }

    fn give(&mut self, at: usize, buffer: u64, handle: u32) -> Option<()> {
        let held = &mut self.users[at].held;
        match held.iter().find(|held| held.handle == handle) {
            Some(held) => assert_eq!(held.buffer, buffer, "a handle of another buffer"),
            None => held.push(Held {
                buffer,
                handle,
                map: None,
            }),
        }
        Some(())
    }

    fn import(&mut self, at: usize) -> Option<()> {
        let from = self.random.below(self.users.len() as u64) as usize;
        let (buffer, fd) = *self.random.pick(&self.users[from].fds)?;
        let file = self.users[from].client.caller.fd(fd)?;
        let caller = &self.users[at].client.caller;
        let fd = caller.install(file).ok()?;
        let handle = self.users[at].client.import(fd);
        caller.close_fd(fd);
        self.give(at, buffer, allowed(handle)?)
    }

    fn open_by_name(&mut self, at: usize) -> Option<()> {
        let from = self.random.below(self.users.len() as u64) as usize;
        let held = self.random.pick(&self.users[from].held)?;
        let (buffer, handle) = (held.buffer, held.handle);
        let name = allowed(self.users[from].client.flink(handle))?;
        let handle = allowed(self.users[at].client.open_name(name))?;
        self.give(at, buffer, handle)
    }

    /// A job that writes to a buffer, or to where none is.
    fn submit(&mut self, at: usize) -> Option<()> {
        let mut bos: Vec<u32> = Vec::new();
        for _ in 0..self.random.below(5) {
            let handle = self.random.pick(&self.users[at].held)?.handle;
            if !bos.contains(&handle) {
                bos.push(handle);
            }
        }
        let done = self.syncobj(at)?;
        let waits = match self.random.below(4) {
            0 => vec![*self.random.pick(&self.users[at].syncs)?],
            _ => Vec::new(),
        };
        let (astray, any) = (self.random.one_in(16), self.random.next());
        let user = &mut self.users[at];
        if user.code.is_none() {
            let code = allowed(self.gpu.code(&user.client))?;
            self.buffers += u64::from(code.handle.is_some());
            user.code = Some((self.buffers, code));
        }
        let (_, code) = user.code.as_mut()?;
        let job = Job {
            bos: &bos,
            waits: &waits,
            done,
            astray,
            any,
        };
        let submitted = allowed(self.gpu.submit(&user.client, code, &job));
        // While the job runs.
        if any >> 32 & 3 == 0 {
            if let Some(handle) = user.code.take().and_then(|(_, code)| code.handle) {
                user.client.close(handle).unwrap();
            }
        }
        submitted
    }

    /// A sync object of a client, a new one if there are few.
    fn syncobj(&mut self, at: usize) -> Option<u32> {
        let signaled = self.random.one_in(2);
        let user = &mut self.users[at];
        if user.syncs.len() < 4 {
            user.syncs.push(allowed(user.client.syncobj(signaled))?);
        }
        self.random.pick(&self.users[at].syncs).copied()
    }

    /// Sync objects, sync_files, and fences of dma-bufs.
    fn sync(&mut self, at: usize) -> Option<()> {
        let what = self.random.below(11);
        let any = self.random.next();
        let handle = self.syncobj(at)?;
        let dma_buf = self.random.pick(&self.users[at].fds).map(|(_, fd)| *fd);
        let file = self.random.pick(&self.users[at].files).copied();
        let user = &mut self.users[at];
        let client = &user.client;
        match what {
            0 => {
                user.syncs.retain(|other| *other != handle);
                client.syncobj_destroy(handle).unwrap();
            }
            1 | 2 => user.files.push(allowed(client.sync_file(handle))?),
            3 => allowed(client.import_sync_file(handle, file?))?,
            4 => {
                let other = user.files[any as usize % user.files.len().max(1)..].first()?;
                let fd = allowed(client.merge(file?, *other))?;
                user.files.push(fd);
            }
            5 => {
                user.files.retain(|other| Some(*other) != file);
                client.caller.close_fd(file?);
            }
            6 => {
                let flags = 1 + any as u32 % 2;
                user.files
                    .push(allowed(client.dma_buf_fences(dma_buf?, flags))?);
            }
            7 => {
                let flags = 1 + any as u32 % 2;
                allowed(client.add_dma_buf_fences(dma_buf?, flags, file?))?;
            }
            8 => allowed(client.syncobj_wait(handle, any % 3 * MS))?,
            _ => {
                let request = [SYNCOBJ_RESET, SYNCOBJ_SIGNAL][any as usize % 2];
                allowed(client.syncobj_array(request, &[handle]))?;
            }
        }
        Some(())
    }

    /// All jobs end. Every existing object has a holder, and all fences have signalled.
    fn quiet(&mut self) -> Option<()> {
        let world = self.gpu.board().world();
        world.fail_allocation(None);
        world.advance(20 * SEC);
        let handles = self.users.iter().flat_map(|user| &user.held);
        let fds = self.users.iter().flat_map(|user| &user.fds);
        let codes = self.users.iter().filter_map(|user| user.code.as_ref());
        let codes = codes.filter(|(_, code)| code.handle.is_some());
        let buffers: BTreeSet<u64> = handles
            .map(|held| held.buffer)
            .chain(fds.map(|(buffer, _)| *buffer))
            .chain(codes.map(|(buffer, _)| *buffer))
            .collect();
        assert_eq!(
            world.counters().objects,
            buffers.len() as u64,
            "buffers without a holder, or too few"
        );
        let files = self.users.iter().map(|user| user.client.stat("mem"));
        let mem = files.sum::<u64>() + self.master.stat("mem");
        assert!(
            mem <= self.gpu.stat("mem"),
            "the device holds less than its files"
        );
        for user in &self.users {
            for fd in &user.files {
                assert_ne!(
                    user.client.sync_file_status(*fd),
                    0,
                    "a fence without an end"
                );
            }
        }
        Some(())
    }

    /// After each step.
    fn check(&mut self) {
        let counters = self.gpu.board().world().counters();
        assert_eq!(counters.bad_dma, 0, "the GPU used memory that is not there");
        let pages = counters.object_pages * 4096;
        assert!(pages <= self.gpu.stat("mem"), "pages that are not charged");
        self.looked += self.gpu.look();
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
