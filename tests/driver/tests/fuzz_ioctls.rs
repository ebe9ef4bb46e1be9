// SPDX-License-Identifier: BSD-2-Clause
//! Random ioctls of several clients, with memory that runs out at any place and a GPU that fails,
//! from a seed. After each step all memory is looked over: whatever an address space of the GPU
//! leads to is there, every page is paid for, and what exists is what somebody has.
//!
//! FUZZ_SECONDS says how long (default 3), FUZZ_SEED where to begin (default 1). A failure names
//! its seed, which runs alone with FUZZ_SECONDS=0.

use driver_tests::{errno, limits, write_zero, Bo, Client, Rig, MS, PRIMARY, SEC};
use models::Injection;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const STEPS: u32 = 300;
const CLIENTS: usize = 4;

fn env(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok().and_then(|value| value.parse().ok());
    set.unwrap_or(default)
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let index = self.below(of.len() as u64) as usize;
        of.get(index)
    }
}

/// A handle; buffers are known by numbers of our own.
struct Held {
    buffer: u64,
    handle: u32,
    va: u64,
    map: Option<Bo>,
}

struct User {
    client: Client,
    held: Vec<Held>,
    fds: Vec<(u64, i32)>,
    done: u32,
}

/// Says which seed it was when a check fails.
struct Told(u64, u32);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}, step {}", self.0, self.1);
        }
    }
}

struct Fuzz {
    rig: Rig,
    master: Client,
    users: Vec<User>,
    random: Random,
    buffers: u64,
    purged: u64,
}

/// What a call may answer that nobody promised would work.
fn refused(e: i32) {
    let known = [
        errno::ENOMEM,
        errno::EINVAL,
        errno::ENOENT,
        errno::EBUSY,
        errno::ENXIO,
        errno::ENOSPC,
        errno::EALREADY,
        errno::ETIMEDOUT,
        errno::ETIME,
    ];
    assert!(known.contains(&e), "error {e}");
}

impl Fuzz {
    fn new(seed: u64) -> Fuzz {
        let rig = Rig::with("rk3399", limits(12 << 20, 20 << 20, 32 << 20));
        let master = Client::open_minor(&rig, PRIMARY).unwrap();
        Fuzz {
            rig,
            master,
            users: Vec::new(),
            random: Random(seed),
            buffers: 0,
            purged: 0,
        }
    }

    fn user(&mut self) -> Option<usize> {
        let index = self.random.below(CLIENTS as u64) as usize;
        if index >= self.users.len() {
            let client = Client::open_primary(&self.rig, &self.master)
                .map_err(refused)
                .ok()?;
            // A close gives all back, so nothing is to be undone here.
            let done = client.syncobj(false).map_err(refused).ok()?;
            self.users.push(User {
                client,
                held: Vec::new(),
                fds: Vec::new(),
                done,
            });
        }
        Some(index.min(self.users.len() - 1))
    }

    /// One step; what it asks for may be refused.
    fn step(&mut self) -> Option<()> {
        let what = self.random.below(100);
        let at = self.user()?;
        match what {
            0..20 => self.create(at),
            20..34 => self.close(at),
            34..46 => {
                let advice = self.random.below(2) as u32;
                let handle = self.random.pick(&self.users[at].held)?.handle;
                let user = &self.users[at];
                user.client
                    .madvise(handle, advice)
                    .map(drop)
                    .map_err(refused)
                    .ok()
            }
            46..54 => {
                let (buffer, handle) = {
                    let held = self.random.pick(&self.users[at].held)?;
                    (held.buffer, held.handle)
                };
                let user = &mut self.users[at];
                let fd = user.client.export(handle).map_err(refused).ok()?;
                user.fds.push((buffer, fd));
                Some(())
            }
            54..62 => self.import(at),
            62..66 => self.open_by_name(at),
            66..70 => {
                let index = self.random.below(self.users[at].fds.len() as u64) as usize;
                let user = &mut self.users[at];
                if index < user.fds.len() {
                    let (_, fd) = user.fds.swap_remove(index);
                    user.client.caller.close_fd(fd);
                }
                Some(())
            }
            70..84 => self.submit(at),
            84..88 => {
                let on = self.random.below(2) == 0;
                let held = self.random.pick(&self.users[at].held)?;
                held.map.as_ref()?.set_locked(on);
                Some(())
            }
            88..92 => {
                let pages = self.random.below(2000);
                self.purged += self.rig.world().lowmem(pages);
                Some(())
            }
            92..95 => {
                self.rig.advance(self.random.below(20) * MS);
                Some(())
            }
            95..97 => {
                // Its files and descriptors go as at the end of a process.
                let user = self.users.swap_remove(at);
                for (_, fd) in &user.fds {
                    user.client.caller.close_fd(*fd);
                }
                Some(())
            }
            97 => {
                let which = self.random.below(3);
                self.rig.plant(match which {
                    0 => Injection::AsStuck(0),
                    1 => Injection::PageFaultAtAccess(self.random.below(8)),
                    _ => Injection::SpuriousIrq { line: 1 },
                });
                Some(())
            }
            _ => self.quiet(),
        }
    }

    fn create(&mut self, at: usize) -> Option<()> {
        let pages = 1 << self.random.below(10);
        let flags = [0, 1, 1, 3][self.random.below(4) as usize];
        let client = &self.users[at].client;
        let size = if flags == 3 { 4 << 20 } else { pages << 12 };
        let arg = driver_tests::Arg::new().w(size).w(flags).w(0).w(0).l(0);
        let out = client.ioctl(0x42, arg).map_err(refused).ok()?;
        let handle = u32::from_le_bytes(out[8..12].try_into().unwrap());
        let va = u64::from_le_bytes(out[16..24].try_into().unwrap());
        let mapped = flags != 3 && self.random.below(2) == 0;
        let map = mapped.then(|| client.map(handle, va, size).ok()).flatten();
        self.buffers += 1;
        self.users[at].held.push(Held {
            buffer: self.buffers,
            handle,
            va,
            map,
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
        let user = &mut self.users[at];
        if user.held.iter().all(|held| held.handle != handle) {
            let va = user.client.va(handle).unwrap();
            user.held.push(Held {
                buffer,
                handle,
                va,
                map: None,
            });
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
        self.give(at, buffer, handle.map_err(refused).ok()?)
    }

    fn open_by_name(&mut self, at: usize) -> Option<()> {
        let from = self.random.below(self.users.len() as u64) as usize;
        let held = self.random.pick(&self.users[from].held)?;
        let (buffer, handle) = (held.buffer, held.handle);
        let name = self.users[from].client.flink(handle).map_err(refused).ok()?;
        let handle = self.users[at].client.open_name(name).map_err(refused).ok()?;
        self.give(at, buffer, handle)
    }

    /// A job that writes to a buffer, or to where none is.
    fn submit(&mut self, at: usize) -> Option<()> {
        let count = self.random.below(4) as usize;
        let mut handles: BTreeSet<u32> = BTreeSet::new();
        for _ in 0..count {
            handles.insert(self.random.pick(&self.users[at].held)?.handle);
        }
        let to = self.random.pick(&self.users[at].held)?.va;
        let off = self.random.below(2) << 21;
        let fragment = self.random.below(2) == 0;
        let user = &self.users[at];
        let chain = user.held.iter().find(|held| held.map.is_some())?;
        // The memory of what was purged is gone for its user, too.
        if !user.client.madvise(chain.handle, 2).map_err(refused).ok()? {
            return None;
        }
        chain.map.as_ref()?.write(0, &write_zero(to + off, 0));
        handles.insert(chain.handle);
        let handles: Vec<u32> = handles.into_iter().collect();
        let submitted = user.client.submit(chain.va, fragment, &handles, &[], user.done);
        submitted.map_err(refused).ok()
    }

    /// All jobs end. What exists is what somebody has.
    fn quiet(&mut self) -> Option<()> {
        self.rig.world().fail_allocation(None);
        self.rig.advance(20 * SEC);
        let handles = self.users.iter().flat_map(|user| &user.held);
        let fds = self.users.iter().flat_map(|user| &user.fds);
        let buffers: BTreeSet<u64> = handles
            .map(|held| held.buffer)
            .chain(fds.map(|(buffer, _)| *buffer))
            .collect();
        let objects = self.rig.world().counters().objects;
        assert_eq!(
            objects,
            buffers.len() as u64,
            "buffers that nobody has, or too few"
        );
        let files = self.users.iter().map(|user| user.client.stat("mem"));
        let mem = files.sum::<u64>() + self.master.stat("mem");
        assert!(
            mem <= self.rig.stat("mem"),
            "the device holds less than its files"
        );
        Some(())
    }

    /// After each step.
    fn check(&self) {
        let world = self.rig.world();
        assert_eq!(
            world.counters().bad_dma,
            0,
            "the GPU used memory that is not there"
        );
        let pages = world.counters().object_pages * 4096;
        assert!(pages <= self.rig.stat("mem"), "pages that nobody pays for");
        let roots = self.rig.with_mali(|mali| mali.tables()).unwrap();
        for root in roots {
            self.look(root, 0);
        }
    }

    /// Legacy tables, levels 0 to 3: type 3 is a table, 1 a leaf.
    fn look(&self, table: u64, level: u32) {
        let world = self.rig.world();
        assert!(world.is_page(table), "a table at {table:#x} is freed memory");
        let mut bytes = [0; 4096];
        assert!(world.peek(table, &mut bytes));
        for entry in bytes.chunks_exact(8) {
            let entry = u64::from_le_bytes(entry.try_into().unwrap());
            let to = entry & 0xff_ffff_f000;
            match entry & 3 {
                3 if level < 3 => self.look(to, level + 1),
                1 if level >= 2 => {
                    let pages = if level == 2 { 512 } else { 1 };
                    let first = to & !(pages * 4096 - 1);
                    for pa in (0..pages).map(|page| first + page * 4096) {
                        assert!(
                            world.is_object_page(pa),
                            "the GPU reaches freed memory at {pa:#x}"
                        );
                    }
                }
                _ => {}
            }
        }
    }
}

/// Runs a seed: jobs, faults, purged pages and allocations that failed, which are to be some in the
/// end.
fn run(seed: u64) -> [u64; 4] {
    let mut told = Told(seed, 0);
    let mut fuzz = Fuzz::new(seed);
    for step in 0..STEPS {
        told.1 = step;
        let short = fuzz.random.below(4) == 0;
        let nth = fuzz.random.below(24);
        fuzz.rig.world().fail_allocation(short.then_some(nth));
        fuzz.step();
        fuzz.rig.world().fail_allocation(None);
        fuzz.rig.world().settle();
        fuzz.check();
    }
    fuzz.quiet();
    let Fuzz {
        rig,
        master,
        users,
        purged,
        ..
    } = fuzz;
    for user in &users {
        for (_, fd) in &user.fds {
            user.client.caller.close_fd(*fd);
        }
    }
    drop((users, master));
    rig.advance(SEC);
    assert_eq!(rig.stat("mem"), 0, "charged to nobody");
    let failed = rig.world().counters().failed_allocations;
    let did = [rig.stat("jobs"), rig.stat("faults"), purged, failed];
    rig.finish();
    did
}

/// Catches: freed memory that the GPU reaches, objects and charges that stay or go too early, locks
/// and counts that an error path forgets, for any order of calls that nobody thought of.
#[test]
fn random_ioctls() {
    let end = Instant::now() + Duration::from_secs(env("FUZZ_SECONDS", 3));
    let mut seed = env("FUZZ_SEED", 1);
    let mut did = [0; 4];
    loop {
        did.iter_mut().zip(run(seed)).for_each(|(sum, n)| *sum += n);
        seed += 1;
        if Instant::now() >= end {
            break;
        }
    }
    let seeds = seed - env("FUZZ_SEED", 1);
    println!("{seeds} seeds: jobs, faults, purged pages, failed allocations {did:?}");
    assert!(seeds < 5 || did.iter().all(|n| *n >= seeds), "{did:?}");
}
