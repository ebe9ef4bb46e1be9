// SPDX-License-Identifier: BSD-2-Clause
//! How long a small client waits for its jobs beside one that burdens the driver: with real
//! threads, on the real clock.
//!
//! The one thing to know: a busy machine delays every client. So the same is measured beside
//! threads that only burn as much processor time as the neighbour did, and the result is the ratio
//! of the two.
//!
//! The small client waits there for a processor that another thread has, for as long as the system
//! allows: a thread that never sleeps keeps it for a whole slice of about 4 ms, one that sleeps
//! every 100 us for no longer than that. And on a machine with other load, too, a thread that
//! always runs gets a part of a processor, and delays the client nevertheless. So each thread of a
//! neighbour has one of the control that wants a processor for the same part of the time, and for
//! as long at a time, as the system counted it: what it ran, what it waited for a processor, how
//! often it slept. It also writes to as much memory as the neighbour has the driver write to, for
//! all wait for memory after a thread that has filled the caches. What else the neighbour caused,
//! in the tasks of the driver and in the model, is burned as processor time, at the priority of
//! such tasks.
//!
//! The model, the interrupt handlers and the GPU's task have real-time priorities, if we may have
//! those: in a kernel no client's computing keeps any of them from running, and without that each
//! of their wake-ups, four for a job, may wait for a slice.

mod neighbours;

pub use neighbours::{Neighbour, NEIGHBOURS};

use drm_os_host::{ClockMode, Config, Hold};
use neighbours::{Shared, NULL_NS};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};
use test_board::panfrost::Rig;
use test_board::SEC;

/// Processor time that a clock of the system says was used.
fn processor_time(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a buffer that lives through the call.
    unsafe { libc::clock_gettime(clock, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What a thread of this process wanted of processors so far.
#[derive(Clone, Copy)]
struct Demand {
    /// The time that it ran.
    ran: Duration,
    /// The time that it waited for one.
    waited: Duration,
    /// How often it went to sleep.
    slept: u64,
}

impl Demand {
    fn of(thread: i32) -> Demand {
        let read = |file: &str| {
            let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/{file}"));
            text.expect("the thread is there")
        };
        let number = |text: &str| text.trim().parse::<u64>().expect("a number");
        let (stat, status) = (read("schedstat"), read("status"));
        let mut ns = stat
            .split_whitespace()
            .map(number)
            .map(Duration::from_nanos);
        let slept = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        Demand {
            ran: ns.next().unwrap_or_default(),
            waited: ns.next().unwrap_or_default(),
            slept: slept.map_or(0, number),
        }
    }
}

/// How often a thread wants a processor.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// For which part of the time.
    of_time: f64,
    /// For how long at a time.
    at_once: Duration,
}

impl Share {
    fn new(before: Demand, after: Demand, took: Duration) -> Share {
        let wanted = after.ran + after.waited - before.ran - before.waited;
        let times = u32::try_from(after.slept - before.slept).unwrap_or(u32::MAX);
        Share {
            of_time: (wanted.as_secs_f64() / took.as_secs_f64()).min(1.0),
            at_once: wanted / times.saturating_add(1),
        }
    }
}

/// What one run gave.
#[derive(Clone, Debug)]
pub struct Run {
    /// The 99th percentile of the small client's times from submit to done.
    pub p99: Duration,
    /// The longest of them.
    pub longest: Duration,
    /// Processor time that all others used meanwhile, models and tasks included.
    pub others: Duration,
    /// How long it took.
    pub took: Duration,
    /// What each of the neighbour's threads wanted.
    wanted: Vec<Share>,
    /// Processor time of those.
    neighbours: Duration,
}

impl Run {
    /// Processors that others used, but for what they had to do for a run of the small client
    /// alone.
    pub fn processors(&self, alone: &Run) -> f64 {
        self.others.saturating_sub(alone.others).as_secs_f64() / self.took.as_secs_f64()
    }

    /// What threads are to want that burden processors as the neighbour did, the tasks last.
    pub fn shares(&self, alone: &Run) -> Vec<Share> {
        /// For how long a task of the driver or the model runs, about.
        const AT_ONCE: Duration = Duration::from_micros(50);
        let rest = self.others.saturating_sub(alone.others + self.neighbours);
        let rest = Share {
            of_time: rest.as_secs_f64() / self.took.as_secs_f64(),
            at_once: AT_ONCE,
        };
        self.wanted.iter().copied().chain([rest]).collect()
    }
}

fn small_client(rig: &Rig, submits: u32, neighbours: &[i32]) -> Run {
    let c = rig.client();
    let work = c.work().expect("memory is there");
    let times = || {
        [
            libc::CLOCK_PROCESS_CPUTIME_ID,
            libc::CLOCK_THREAD_CPUTIME_ID,
        ]
        .map(processor_time)
    };
    let demands = || {
        neighbours
            .iter()
            .map(|thread| Demand::of(*thread))
            .collect::<Vec<_>>()
    };
    let before = demands();
    let (begin, [all, own]) = (Instant::now(), times());
    let mut waits: Vec<Duration> = (0..submits)
        .map(|_| {
            let start = Instant::now();
            c.start(&work).expect("it is taken");
            c.syncobj_wait(work.done, 20 * SEC).expect("it ends");
            start.elapsed()
        })
        .collect();
    let [all_after, own_after] = times();
    let took = begin.elapsed();
    let others = (all_after - all).saturating_sub(own_after - own);
    let after = demands();
    let pairs = || before.iter().copied().zip(after.iter().copied());
    let neighbours = pairs().map(|(before, after)| after.ran - before.ran).sum();
    let wanted = pairs()
        .map(|(before, after)| Share::new(before, after, took))
        .collect();
    waits.sort_unstable();
    Run {
        p99: waits[waits.len() * 99 / 100],
        longest: waits[waits.len() - 1],
        others,
        took,
        wanted,
        neighbours,
    }
}

fn new_rig() -> Rig {
    let config = Config {
        clock: ClockMode::Real,
        priorities: true,
        ..Config::default()
    };
    let rig = Rig::with("rk3399", config);
    rig.timing(|timing| timing.null_ns = NULL_NS);
    rig
}

/// Wants a processor for a share of the time, and writes to as much memory meanwhile as `touches`
/// says.
fn burn(share: Share, touches: usize, shared: &Shared) {
    const LINE: usize = 64;
    let period = share.at_once.as_secs_f64() / share.of_time.max(1e-3);
    let period = Duration::from_secs_f64(period);
    let mut memory = vec![0u8; touches.max(LINE)];
    let mut lines = (0..memory.len()).step_by(LINE).cycle();
    while !shared.over.load(Relaxed) {
        let begin = Instant::now();
        while begin.elapsed() < share.at_once && !shared.over.load(Relaxed) {
            for at in lines.by_ref().take(64) {
                memory[at] = std::hint::black_box(!memory[at]);
            }
        }
        thread::sleep(
            period
                .saturating_sub(begin.elapsed())
                .min(Duration::from_millis(10)),
        );
    }
}

/// The small client alone.
pub fn alone(submits: u32) -> Run {
    let rig = new_rig();
    let run = small_client(&rig, submits, &[]);
    rig.finish();
    run
}

/// The small client beside a neighbour.
pub fn beside(neighbour: &Neighbour, submits: u32) -> Run {
    let rig = new_rig();
    let run = with_neighbour(&rig, neighbour, |threads| {
        small_client(&rig, submits, threads)
    });
    rig.finish();
    run
}

fn with_neighbour<R>(rig: &Rig, neighbour: &Neighbour, work: impl FnOnce(&[i32]) -> R) -> R {
    let shared = Shared::default();
    thread::scope(|scope| {
        for run in neighbour.threads {
            let shared = &shared;
            scope.spawn(move || {
                // SAFETY: no arguments.
                let me = unsafe { libc::gettid() };
                shared.threads.lock().unwrap().push(me);
                run(rig, shared);
            });
        }
        while !shared.ready.load(Relaxed) {
            thread::sleep(Duration::from_millis(1));
        }
        while shared.threads.lock().unwrap().len() != neighbour.threads.len() {
            thread::sleep(Duration::from_millis(1));
        }
        let threads = shared.threads.lock().unwrap().clone();
        let done = work(&threads);
        shared.over.store(true, Relaxed);
        done
    })
}

/// The small client beside threads that want processors as these shares say and write to as much
/// memory as the neighbour, and leave the device alone.
pub fn control(neighbour: &Neighbour, shares: &[Share], submits: u32) -> Run {
    let rig = new_rig();
    let shared = Shared::default();
    let run = thread::scope(|scope| {
        let (tasks, neighbours) = shares.split_last().expect("tasks have a share");
        for share in neighbours {
            scope.spawn(|| burn(*share, neighbour.touches, &shared));
        }
        scope.spawn(|| {
            rig.world().be_urgent();
            burn(*tasks, 0, &shared);
        });
        let run = small_client(&rig, submits, &[]);
        shared.over.store(true, Relaxed);
        run
    });
    rig.finish();
    run
}

fn holds_of_one_run(neighbour: &Neighbour, submits: u32) -> Vec<(String, Hold)> {
    let rig = new_rig();
    rig.world().measure_holds(true);
    with_neighbour(&rig, neighbour, |threads| {
        small_client(&rig, submits, threads)
    });
    let holds = rig.world().longest_holds();
    rig.finish();
    holds
}

/// The locks of the driver that were held for longest beside a neighbour, the longest first: the
/// median of `runs` runs.
pub fn holds(neighbour: &Neighbour, submits: u32, runs: u32) -> Vec<(String, Hold)> {
    let mut by_name: BTreeMap<String, Vec<Hold>> = BTreeMap::new();
    for _ in 0..runs {
        for (name, hold) in holds_of_one_run(neighbour, submits) {
            by_name.entry(name).or_default().push(hold);
        }
    }
    let middle = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    };
    let mut holds: Vec<(String, Hold)> = by_name
        .into_iter()
        .map(|(name, holds)| {
            let hold = Hold {
                wall: middle(holds.iter().map(|hold| hold.wall).collect()),
                cpu: middle(holds.iter().map(|hold| hold.cpu).collect()),
            };
            (name, hold)
        })
        .collect();
    holds.sort_by_key(|(_, hold)| std::cmp::Reverse(hold.cpu));
    holds
}

/// The median.
pub fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or(f64::NAN)
}
