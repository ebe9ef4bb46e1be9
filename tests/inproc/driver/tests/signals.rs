// SPDX-License-Identifier: BSD-2-Clause
//! Signals at random points of every call, of handlers that have it restarted and of those that do
//! not: a call that is interrupted has done nothing, and one that is made again has done it once.
//!
//! DRIVER_TESTS_SIGNALS says how many interrupted calls each test is to see.

use driver_tests::etnaviv::{self, prep, BOARDS};
use driver_tests::panfrost::{Client, Rig};
use driver_tests::{errno, Result, SEC};
use drm_os_host::{Caller, ClockMode, Config};
use seeded::Random;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const THREADS: u64 = 2;
/// FreeBSD's: the system call is to be made again.
const ERESTART: i32 = -1;

fn wanted() -> u64 {
    let count = std::env::var("DRIVER_TESTS_SIGNALS").ok();
    count.and_then(|n| n.parse().ok()).unwrap_or(2_000)
}

fn real() -> Config {
    Config {
        clock: ClockMode::Real,
        ..Config::default()
    }
}

/// Sends a caller signals until `over` is set.
fn signal(caller: &Caller, over: &AtomicBool, seed: u64) {
    let mut r = Random::new(seed);
    while !over.load(Relaxed) {
        if r.below(2) == 0 {
            caller.interrupt();
        } else {
            caller.interrupt_restarting();
        }
        let ns = r.below(300_000);
        if ns > 100_000 {
            thread::sleep(Duration::from_nanos(ns - 100_000));
        } else {
            (0..ns / 100).for_each(|_| std::hint::spin_loop());
        }
    }
}

/// A client that is sent signals.
struct Signaled<'a> {
    caller: &'a Caller,
    /// Bytes of the file's buffers.
    mem: &'a dyn Fn() -> u64,
    interrupted: Cell<[u64; 2]>,
    /// What the file has between two rounds: what it had after the first one, as page tables stay.
    floor: Cell<Option<u64>>,
}

impl Signaled<'_> {
    /// Ends a round. The driver forgets a job and its fence soon after it was signaled.
    fn nothing_left(&self) {
        let Some(floor) = self.floor.get() else {
            thread::sleep(Duration::from_millis(50));
            return self.floor.set(Some((self.mem)()));
        };
        let begin = Instant::now();
        while (self.mem)() > floor {
            let left = (self.mem)().saturating_sub(floor);
            assert!(
                begin.elapsed() < Duration::from_secs(5),
                "{left} bytes are left"
            );
            thread::yield_now();
        }
    }

    /// Makes a call until it is not interrupted. Each time that it is it has left nothing.
    fn call<T>(&self, call: impl Fn() -> Result<T>) -> T {
        let before = (self.caller.descriptors(), (self.mem)());
        loop {
            let which = match call() {
                Ok(answer) => return answer,
                Err(errno::EINTR) => 0,
                Err(ERESTART) => 1,
                Err(error) => panic!("error {error}"),
            };
            // A job that ends meanwhile gives back what it was charged.
            let now = (self.caller.descriptors(), (self.mem)());
            assert!(now.0 == before.0 && now.1 <= before.1, "{before:?} {now:?}");
            let mut seen = self.interrupted.get();
            seen[which] += 1;
            self.interrupted.set(seen);
        }
    }
}

/// Runs `round` in several threads, each with a caller that is sent signals, until enough calls
/// were interrupted; it returns how many jobs it has submitted. All of them, once all have ended.
fn run<'a, C: Send>(
    clients: Vec<C>,
    parts: impl Fn(&C) -> (&Caller, Box<dyn Fn() -> u64 + '_>) + Sync + 'a,
    round: impl Fn(&C, &Signaled<'_>) -> u64 + Sync + 'a,
) -> u64 {
    let seen: [AtomicU64; 2] = Default::default();
    let jobs = AtomicU64::new(0);
    thread::scope(|scope| {
        for (n, client) in clients.into_iter().enumerate() {
            let (seen, jobs, parts, round) = (&seen, &jobs, &parts, &round);
            scope.spawn(move || {
                let (caller, mem) = parts(&client);
                let over = AtomicBool::new(false);
                thread::scope(|scope| {
                    scope.spawn(|| signal(caller, &over, n as u64 + 1));
                    let signaled = Signaled {
                        caller,
                        mem: &mem,
                        interrupted: Cell::default(),
                        floor: Cell::default(),
                    };
                    // The other thread is to end if this one fails.
                    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        while signaled.interrupted.get().iter().sum::<u64>() < wanted() / THREADS {
                            jobs.fetch_add(round(&client, &signaled), Relaxed);
                        }
                    }));
                    over.store(true, Relaxed);
                    for (sum, n) in seen.iter().zip(signaled.interrupted.get()) {
                        sum.fetch_add(n, Relaxed);
                    }
                    if let Err(cause) = result {
                        std::panic::resume_unwind(cause);
                    }
                });
                assert_eq!(caller.descriptors(), 0, "a descriptor is left");
            });
        }
    });
    let seen = seen.map(|n| n.load(Relaxed));
    assert!(seen.iter().all(|n| *n >= wanted() / 8), "{seen:?}");
    jobs.load(Relaxed)
}

/// SUBMIT, WAIT_BO, SYNCOBJ_WAIT, CREATE_BO and PRIME of panfrost.
#[test]
fn interrupted_calls_of_panfrost_do_nothing() {
    let rig = Rig::with("rk3399", real());
    rig.slow_jobs(150_000);
    let clients: Vec<Client> = (0..THREADS).map(|_| rig.client()).collect();
    let round = |c: &Client, s: &Signaled<'_>| {
        let data = s.call(|| c.bo(4096, 1));
        let chain = s.call(|| c.bo(4096, 1));
        let done = s.call(|| c.syncobj(false));
        data.write(0, &[0xff; 24]);
        chain.write(0, &driver_tests::panfrost::write_zero(data.va + 8, 0));
        let bos = [chain.handle, data.handle];
        s.call(|| c.submit(chain.va, false, &bos, &[], done));
        s.call(|| c.wait(data.handle, 20 * SEC));
        assert_eq!(
            [0, 8, 16].map(|at| data.read_u64(at)),
            [u64::MAX, 0, u64::MAX]
        );
        data.write(0, &[0xff; 24]);
        s.call(|| c.submit(chain.va, true, &bos, &[done], done));
        s.call(|| c.syncobj_wait(done, 20 * SEC));
        assert_eq!(
            [0, 8, 16].map(|at| data.read_u64(at)),
            [u64::MAX, 0, u64::MAX]
        );
        let fd = s.call(|| c.export(data.handle));
        assert_eq!(s.call(|| c.import(fd)), data.handle);
        c.caller.close_fd(fd);
        let fd = s.call(|| c.sync_file(done));
        assert_eq!(c.sync_file_status(fd), 1);
        c.caller.close_fd(fd);
        for handle in bos {
            s.call(|| c.close(handle));
        }
        s.call(|| c.syncobj_destroy(done));
        s.nothing_left();
        2
    };
    let jobs = run(clients, |c| (&c.caller, Box::new(|| c.stat("mem"))), round);
    assert_eq!(rig.stat("jobs"), jobs);
    assert_eq!(
        rig.stats().chains.iter().sum::<u64>(),
        jobs,
        "each ran once"
    );
    rig.finish();
}

/// GEM_NEW, GEM_SUBMIT, WAIT_FENCE, GEM_CPU_PREP, GEM_WAIT and PRIME of etnaviv.
#[test]
fn interrupted_calls_of_etnaviv_do_nothing() {
    let (board, places) = BOARDS[0];
    let place = places[0];
    let rig = etnaviv::Rig::on(board, real());
    rig.slow_jobs(150_000);
    let fills = || rig.stats().blt_operations.iter().sum::<u64>();
    rig.client().expect_works_at(place);
    let one = fills();
    let clients: Vec<etnaviv::Client> = (0..THREADS).map(|_| rig.client()).collect();
    let round = |c: &etnaviv::Client, s: &Signaled<'_>| {
        let work = s.call(|| c.work_at(place, 5));
        let handle = work.data.handle;
        let fence = s.call(|| c.start(&work));
        s.call(|| c.wait_fence_on(place.pipe, fence.id, 0, 20 * SEC));
        assert!(work.is_done());
        assert_eq!(c.sync_file_status(fence.fd), 1);
        c.caller.close_fd(fence.fd);
        for wait in [true, false] {
            work.forget();
            let fence = s.call(|| c.start(&work));
            if wait {
                s.call(|| c.gem_wait_on(place.pipe, handle, 0, 20 * SEC));
            } else {
                s.call(|| c.cpu_prep(handle, prep::READ | prep::WRITE, 20 * SEC));
                s.call(|| c.cpu_fini(handle));
            }
            assert!(work.is_done());
            c.caller.close_fd(fence.fd);
        }
        let fd = s.call(|| c.export(handle));
        assert_eq!(s.call(|| c.import(fd)), handle);
        c.caller.close_fd(fd);
        s.call(|| c.close(handle));
        s.nothing_left();
        3
    };
    let jobs = run(clients, |c| (&c.caller, Box::new(|| c.stat("mem"))), round);
    assert_eq!(rig.stat("jobs"), jobs + 1);
    assert_eq!(fills(), (jobs + 1) * one, "each ran once");
    rig.finish();
}
