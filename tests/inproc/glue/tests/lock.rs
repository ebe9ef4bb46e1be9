// SPDX-License-Identifier: BSD-2-Clause
//! Sleeps on condition variables: a thread with a distant deadline on one of the pool has no timer
//! of its own, and one whose node is destroyed sleeps no more. The clock is the tests'.

use glue_tests::threads::{Caller, Minor, Pair, System};
use glue_tests::ETIMEDOUT;
use seeded::Random;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const S: u64 = 1_000_000_000;
const EINTR: i32 = 4;
const NEVER: u64 = u64::MAX;

/// Threads that wait, each until it may end.
#[derive(Default)]
struct Waiters {
    /// Those that have not ended.
    left: AtomicU64,
    /// All may end.
    stop: AtomicBool,
}

impl Waiters {
    /// Waits as callers of drm_os_cv_wait do, until an error or `stop`.
    fn wait(&self, pair: &Pair, caller: Option<&Caller>, deadline: u64) -> Result<(), i32> {
        pair.locked(|| {
            while !self.stop.load(SeqCst) {
                pair.wait(caller, deadline)?;
            }
            Ok(())
        })
    }

    /// One of them starts.
    fn run<T>(&self, f: impl FnOnce() -> T) -> T {
        let result = f();
        self.left.fetch_sub(1, SeqCst);
        result
    }

    /// All that have not ended sleep. Only others can wake them, so that stays so.
    fn sleep(&self, system: &System) -> bool {
        system.counts().asleep == self.left.load(SeqCst)
    }

    /// Waits for that.
    fn settle(&self, system: &System) {
        while !self.sleep(system) {
            thread::yield_now();
        }
    }

    /// Wakes everyone until all have ended, as a thread that sleeps on would hang the test.
    fn rescue(&self, system: &System) {
        self.stop.store(true, SeqCst);
        while self.left.load(SeqCst) != 0 {
            system.pool_wake();
            system.interrupt();
            thread::yield_now();
        }
    }
}

/// The results of one thread that waits until `deadline` while `f` runs, which is called when it
/// sleeps: that of the wait, what the clock read then, and how often it returned.
fn one(
    system: &System,
    pair: &Pair,
    deadline: u64,
    f: impl FnOnce(&Waiters),
) -> (Result<(), i32>, u64, u64) {
    let waiters = Waiters::default();
    waiters.left.store(1, SeqCst);
    let wait = || waiters.wait(pair, Some(&Caller::new(None)), deadline);
    let result = thread::scope(|s| {
        let thread = s.spawn(|| waiters.run(|| (wait(), system.now())));
        waiters.settle(system);
        let checked = catch_unwind(AssertUnwindSafe(|| f(&waiters)));
        if let Err(failed) = checked {
            waiters.rescue(system);
            resume_unwind(failed);
        }
        thread.join().expect("the thread")
    });
    (result.0, result.1, pair.returns.load(SeqCst))
}

#[test]
fn a_thread_with_a_distant_deadline_has_no_timer_and_is_woken_at_once() {
    let system = System::get();
    let (now, pair, before) = (system.now(), Pair::pool(3), system.counts());
    let woken = one(&system, &pair, now + 10 * S, |waiters| {
        let counts = system.counts();
        assert_eq!((counts.asleep, counts.timed), (1, 0));
        assert_eq!(counts.resets, before.resets + 1);
        assert!(
            (now + S..=now + S + 1).contains(&counts.armed),
            "{counts:?}"
        );
        pair.locked(|| waiters.stop.store(true, SeqCst));
        pair.broadcast();
    });
    assert_eq!(woken, (Ok(()), now, 1));
    // The one callout serves the next one as well.
    let pair = Pair::pool(4);
    let interrupted = one(&system, &pair, now + 10 * S, |_| system.interrupt());
    assert_eq!(interrupted, (Err(EINTR), now, 1));
    assert_eq!(system.counts().resets, before.resets + 1);
    assert!(
        system.tick() && !system.tick(),
        "no thread sleeps: it is not armed again"
    );
}

#[test]
fn ticks_do_not_make_a_thread_late() {
    let system = System::get();
    // In any phase of the callout, and if that is late.
    for (other, late) in [(0, 0), (S / 2, 0), (S / 3, S), (1, S + S / 2)] {
        let (first, pair) = (system.now(), Pair::pool(1));
        let _ = one(&system, &pair, first + 10 * S, |_| system.interrupt());
        let start = system.clock(first + other);
        let (deadline, pair) = (start + 10 * S, Pair::pool(77));
        let (result, end, returns) = one(&system, &pair, deadline, |waiters| {
            while waiters.left.load(SeqCst) != 0 {
                let counts = system.counts();
                if counts.timed != 0 {
                    system.clock(counts.first - 1000);
                    assert_eq!(waiters.left.load(SeqCst), 1, "not early");
                    system.clock(counts.first);
                } else {
                    system.clock(counts.armed + late);
                    assert!(system.tick(), "the tick wakes it");
                }
                waiters.settle(&system);
            }
        });
        assert_eq!(result, Err(ETIMEDOUT));
        assert!(
            (deadline..deadline + 1000).contains(&end),
            "{end} for {deadline}"
        );
        assert!(returns <= 11, "one for each tick: {returns}");
        while system.tick() {}
    }
}

#[test]
fn a_near_deadline_is_exact_and_none_has_no_timer() {
    let system = System::get();
    let before = system.counts();
    for ns in [1, 1000, S, 3 * S - 2_000_000] {
        let (now, pair) = (system.now(), Pair::pool(9));
        let (result, end, returns) = one(&system, &pair, now + ns, |waiters| {
            if ns > 1 {
                system.clock(now + ns - 1);
                assert_eq!((system.counts().asleep, system.counts().timed), (1, 1));
            }
            system.clock(now + ns);
            waiters.settle(&system);
        });
        assert_eq!((result, returns), (Err(ETIMEDOUT), 1));
        assert!(
            (now + ns..now + ns + 2).contains(&end),
            "{end} for {now} + {ns}"
        );
    }
    let (now, pair) = (system.now(), Pair::pool(9));
    let never = one(&system, &pair, NEVER, |_| {
        assert_eq!((system.counts().asleep, system.counts().timed), (1, 0));
        system.interrupt();
    });
    assert_eq!(never, (Err(EINTR), now, 1));
    // Nor does one that is not of the pool need it.
    let own = Pair::own();
    let (result, ..) = one(&system, &own, now + 10 * S, |_| {
        assert_eq!((system.counts().asleep, system.counts().timed), (1, 1));
        system.interrupt();
    });
    assert_eq!(result, Err(EINTR));
    assert_eq!(
        (system.counts().resets, system.counts().armed),
        (before.resets, 0)
    );
}

/// Those that go to sleep while the callout runs are woken by the next one.
#[test]
fn every_sleep_ends_with_a_tick() {
    for seed in 0..5 {
        let threads = 1 + seed;
        let (system, waiters) = (System::get(), Waiters::default());
        system.jitter(seed);
        waiters.left.store(threads, SeqCst);
        let deadline = system.now() + 1000 * S;
        let mut lost = None;
        thread::scope(|s| {
            for i in 0..threads {
                let waiters = &waiters;
                s.spawn(move || {
                    let mut random = Random::of(seed, &[i]);
                    waiters.run(|| {
                        for _ in 0..60 {
                            // Some share one.
                            let pair = Pair::pool(random.below(128) & !1);
                            let woken = pair.locked(|| pair.wait(None, deadline));
                            assert_eq!(woken, Ok(()));
                        }
                    });
                });
            }
            while waiters.left.load(SeqCst) != 0 && lost.is_none() {
                if waiters.sleep(&system) && !system.tick() && waiters.left.load(SeqCst) != 0 {
                    lost = Some(system.counts());
                }
                system.tick();
                thread::yield_now();
            }
            waiters.rescue(&system);
        });
        assert_eq!(lost, None, "seed {seed}: asleep, and not woken");
    }
}

/// Calls `f` at the n-th place that this thread comes to from now on.
fn at_place(system: &System, n: u64, f: impl Fn() + Send + Sync + 'static) {
    let (me, places) = (thread::current().id(), AtomicU64::new(0));
    system.on_step(move |_| {
        if thread::current().id() == me && places.fetch_add(1, SeqCst) + 1 == n {
            f();
        }
    });
}

/// The same, at each place of a tick that finds no thread.
#[test]
fn who_goes_to_sleep_during_a_tick_is_not_forgotten() {
    for n in [1, 2, 3, 64, 128, 129] {
        let (system, waiters) = (System::get(), Arc::new(Waiters::default()));
        let (now, pair) = (system.now(), Pair::pool(0));
        let _ = one(&system, &pair, now + 10 * S, |_| system.interrupt());
        let (thread, started) = (waiters.clone(), AtomicU64::new(0));
        at_place(&system, n, move || {
            started.fetch_add(1, SeqCst);
            let waiters = thread.clone();
            waiters.left.store(1, SeqCst);
            thread::spawn(move || waiters.run(|| waiters.wait(&Pair::pool(0), None, now + 10 * S)));
            thread::sleep(Duration::from_millis(20));
        });
        assert!(system.tick(), "it is armed");
        waiters.settle(&system);
        let (asleep, armed) = (system.counts().asleep, system.counts().armed);
        waiters.rescue(&system);
        assert!(
            asleep == 0 || armed != 0,
            "place {n}: asleep, and not woken"
        );
    }
}

/// The node is destroyed at each place of a thread that is about to sleep.
#[test]
fn who_is_about_to_sleep_notices_that_its_node_is_destroyed() {
    for n in 1..=4 {
        let (system, waiters) = (System::get(), Waiters::default());
        let (minor, purged) = (Arc::new(Minor::new()), Arc::new(AtomicBool::new(false)));
        waiters.left.store(1, SeqCst);
        let until = system.now() + 10 * S;
        let lost = thread::scope(|s| {
            s.spawn(|| {
                let (pair, caller) = (Pair::pool(5), Caller::new(Some(&minor)));
                waiters.run(|| {
                    pair.locked(|| {
                        let (minor, purged) = (minor.clone(), purged.clone());
                        at_place(&system, n, move || {
                            let (minor, purged) = (minor.clone(), purged.clone());
                            thread::spawn(move || {
                                minor.purge();
                                purged.store(true, SeqCst);
                            });
                            // It may have to wait for the mutex.
                            thread::sleep(Duration::from_millis(20));
                        });
                        let mut waits = true;
                        while waits && !waiters.stop.load(SeqCst) {
                            waits = pair.wait(Some(&caller), until).is_ok();
                        }
                    });
                });
            });
            let mut rounds = 0;
            while waiters.left.load(SeqCst) != 0 && !(purged.load(SeqCst) && waiters.sleep(&system))
            {
                rounds += 1;
                // It has fewer places.
                if rounds > 500 && waiters.sleep(&system) {
                    break;
                }
                thread::sleep(Duration::from_millis(1));
            }
            let lost = purged.load(SeqCst) && waiters.left.load(SeqCst) != 0;
            waiters.rescue(&system);
            lost
        });
        assert!(!lost, "place {n}: asleep after the node was destroyed");
        while Arc::strong_count(&minor) > 2 {
            thread::yield_now();
        }
    }
}

/// The node is destroyed while threads are between the check and the sleep: devfs calls this once
/// at least, and no tick helps.
#[test]
fn no_thread_sleeps_on_in_the_pool_when_its_node_is_destroyed() {
    const THREADS: u64 = 4;
    for seed in 0..60 {
        let (system, waiters, minor) = (System::get(), Waiters::default(), Minor::new());
        system.jitter(seed);
        waiters.left.store(THREADS, SeqCst);
        let now = system.now();
        let mut lost = None;
        let ended: Vec<_> = thread::scope(|s| {
            let all: Vec<_> = (0..THREADS)
                .map(|i| {
                    let (waiters, minor) = (&waiters, &minor);
                    s.spawn(move || {
                        let mut random = Random::of(seed, &[i]);
                        let pair = Pair::pool(random.below(128));
                        let deadline = *random.pick(&[now + S, now + 100 * S, NEVER]).expect("one");
                        let caller = Caller::new(Some(minor));
                        waiters.run(|| waiters.wait(&pair, Some(&caller), deadline))
                    })
                })
                .collect();
            (0..Random::new(seed).below(20_000)).for_each(|_| std::hint::spin_loop());
            minor.purge();
            while waiters.left.load(SeqCst) != 0 && lost.is_none() {
                if waiters.sleep(&system) && waiters.left.load(SeqCst) != 0 {
                    lost = Some(system.counts());
                }
                thread::yield_now();
            }
            waiters.rescue(&system);
            all.into_iter()
                .map(|t| t.join().expect("a thread"))
                .collect()
        });
        assert_eq!(
            lost, None,
            "seed {seed}: asleep after the node was destroyed"
        );
        assert_eq!(ended, [Err(EINTR); THREADS as usize], "seed {seed}");
    }
}

/// Nor on one of its own, as devfs calls again while threads are in it; another node's sleeps on.
#[test]
fn no_thread_sleeps_on_elsewhere_when_its_node_is_destroyed() {
    let (system, waiters, minor, other) = (
        System::get(),
        Waiters::default(),
        Minor::new(),
        Minor::new(),
    );
    let (own, second) = (Pair::own(), Pair::own());
    system.jitter(1);
    waiters.left.store(4, SeqCst);
    let until = system.now() + 100 * S;
    thread::scope(|s| {
        let start = |pair, minor| {
            let waiters = &waiters;
            s.spawn(move || {
                waiters.run(|| waiters.wait(pair, Some(&Caller::new(Some(minor))), until))
            })
        };
        let all = [
            start(&own, &minor),
            start(&own, &minor),
            start(&second, &minor),
        ];
        let stays = start(&second, &other);
        while waiters.left.load(SeqCst) > 1 {
            minor.purge();
            thread::yield_now();
        }
        for thread in all {
            assert_eq!(thread.join().expect("a thread"), Err(EINTR));
        }
        waiters.settle(&system);
        assert!(!stays.is_finished());
        other.purge();
        waiters.settle(&system);
        assert_eq!(stays.join().expect("the thread"), Err(EINTR));
    });
}
