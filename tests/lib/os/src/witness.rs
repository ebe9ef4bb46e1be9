// SPDX-License-Identifier: BSD-2-Clause
//! Lock checks in the manner of FreeBSD's witness(4): the locks that a thread holds, and the order
//! in which classes were taken.
//!
//! Locks of one name are one class. The first time class B is taken with class A held, the edge A
//! -> B is recorded together with the stack; a later edge that closes a cycle is fatal, and the
//! report shows both.

use crate::util::{fatal, lk};
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LockKind {
    Mtx,
    Sx,
}

/// The class of a lock.
#[derive(Clone)]
pub(crate) struct Class {
    pub(crate) id: u32,
    pub(crate) kind: LockKind,
    pub(crate) name: Arc<str>,
}

impl Class {
    fn label(&self) -> String {
        match self.kind {
            LockKind::Mtx => format!("mtx \"{}\"", self.name),
            LockKind::Sx => format!("sx \"{}\"", self.name),
        }
    }
}

struct Held {
    world: usize,
    lock: usize,
    class: Class,
    /// When it was taken; `None` unless holds are measured.
    since: Option<Moment>,
}

/// A moment, as wall-clock time and as processor time of the thread.
#[derive(Clone, Copy)]
struct Moment {
    wall: Instant,
    cpu: Duration,
    /// Number of page faults of the thread and of times that it was preempted.
    disturbed: i64,
}

impl Moment {
    fn now() -> Moment {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: a buffer that lives through the call.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: as above; all zero is a valid rusage, also if the call fails.
        let usage = unsafe {
            libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr());
            usage.assume_init()
        };
        Moment {
            wall: Instant::now(),
            cpu: Duration::new(time.tv_sec as u64, time.tv_nsec as u32),
            disturbed: usage.ru_minflt + usage.ru_majflt + usage.ru_nivcsw,
        }
    }
}

/// The longest time that a lock of a name was held, and the most processor time used meanwhile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hold {
    /// Wall-clock time, including sleeps with the lock held and preemption.
    pub wall: Duration,
    /// Processor time of the holding thread, from holds that the host system did not disturb: page
    /// faults and the cold caches after a preemption are not the holder's work.
    pub cpu: Duration,
}

struct Frame {
    held: Vec<Held>,
    irq: bool,
}

thread_local! {
    static ID: u64 = {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Relaxed)
    };
    static FRAME: RefCell<Frame> = const { RefCell::new(Frame { held: Vec::new(), irq: false }) };
    static QUEUE: Cell<usize> = const { Cell::new(0) };
}

/// A nonzero number of this thread, unique among all threads ever created.
pub(crate) fn thread_id() -> u64 {
    ID.with(|i| *i)
}

/// The task queue that this thread serves, by address; 0 for none.
pub(crate) fn this_queue() -> usize {
    QUEUE.with(Cell::get)
}

pub(crate) fn set_this_queue(q: usize) {
    QUEUE.with(|c| c.set(q));
}

fn who() -> String {
    std::thread::current()
        .name()
        .unwrap_or("unnamed")
        .to_string()
}

/// A held lock that forbids sleeping, other than `but`.
fn no_sleep_lock(but: usize) -> Option<String> {
    FRAME.with_borrow(|f| {
        f.held
            .iter()
            .find(|h| h.class.kind != LockKind::Sx && h.lock != but)
            .map(|h| h.class.label())
    })
}

pub(crate) fn in_interrupt() -> bool {
    FRAME.with_borrow(|f| f.irq)
}

/// Whether the thread may sleep now.
pub(crate) fn can_sleep() -> bool {
    !in_interrupt() && no_sleep_lock(0).is_none()
}

/// Fatal unless the thread may sleep; `but` is a lock that the call releases first (0 for none).
#[track_caller]
pub(crate) fn may_sleep_but(what: &str, but: usize) {
    if in_interrupt() {
        fatal(&format!(
            "{what}, which may sleep, in an interrupt handler (thread {})",
            who()
        ));
    }
    if let Some(l) = no_sleep_lock(but) {
        fatal(&format!(
            "{what}, which may sleep, with {l} held (thread {})",
            who()
        ));
    }
}

#[track_caller]
pub(crate) fn may_sleep(what: &str) {
    may_sleep_but(what, 0);
}

/// Number of locks of a world that the thread holds.
pub(crate) fn held(world: usize) -> usize {
    FRAME.with_borrow(|f| f.held.iter().filter(|h| h.world == world).count())
}

/// Fatal if the thread holds a lock where it must hold none (`what` names the place).
#[track_caller]
pub(crate) fn none_held(world: usize, what: &str) {
    let left = FRAME.with_borrow(|f| {
        f.held
            .iter()
            .find(|h| h.world == world)
            .map(|h| h.class.label())
    });
    if let Some(l) = left {
        fatal(&format!("{what} with {l} held (thread {})", who()));
    }
}

/// Runs `f` as an interrupt handler: the locks of the interrupted thread do not count as held.
pub(crate) fn as_interrupt(world: usize, f: impl FnOnce()) {
    let outer = FRAME.with_borrow_mut(|fr| {
        std::mem::replace(
            fr,
            Frame {
                held: Vec::new(),
                irq: true,
            },
        )
    });
    f();
    none_held(world, "interrupt handler returned");
    FRAME.with_borrow_mut(|fr| *fr = outer);
}

struct Edge {
    thread: String,
    stack: Backtrace,
}

/// Lock classes and their order in one world.
#[derive(Default)]
pub(crate) struct Witness {
    classes: Mutex<HashMap<(u8, String), Class>>,
    edges: Mutex<HashMap<u32, HashMap<u32, Edge>>>,
    measuring: AtomicBool,
    holds: Mutex<HashMap<u32, Hold>>,
    /// Names of threads and of the locks that they took, and how often, while holds are measured.
    taken: Mutex<BTreeMap<(String, String), u64>>,
}

impl Witness {
    pub(crate) fn class(&self, kind: LockKind, name: &str) -> Class {
        let mut c = lk(&self.classes);
        let id = c.len() as u32;
        c.entry((kind as u8, name.to_string()))
            .or_insert_with(|| Class {
                id,
                kind,
                name: name.into(),
            })
            .clone()
    }

    /// Starts or stops measuring how long locks are held.
    pub(crate) fn measure_holds(&self, on: bool) {
        self.measuring.store(on, Relaxed);
    }

    /// The measured holds, by name of the lock.
    pub(crate) fn holds(&self) -> Vec<(String, Hold)> {
        let holds = lk(&self.holds);
        holds
            .iter()
            .map(|(id, hold)| (self.name_of(*id), *hold))
            .collect()
    }

    /// Which threads took which locks while holds were measured, and how often.
    pub(crate) fn taken(&self) -> BTreeMap<(String, String), u64> {
        lk(&self.taken).clone()
    }

    fn note_hold(&self, class: &Class, since: Moment) {
        let now = Moment::now();
        let mut holds = lk(&self.holds);
        let longest = holds.entry(class.id).or_default();
        longest.wall = longest
            .wall
            .max(now.wall.saturating_duration_since(since.wall));
        if now.disturbed == since.disturbed {
            longest.cpu = longest.cpu.max(now.cpu.saturating_sub(since.cpu));
        }
    }

    /// Checks that the thread may take `lock` now.  Call before blocking on it.
    #[track_caller]
    pub(crate) fn check(&self, world: usize, lock: usize, class: &Class) {
        FRAME.with_borrow(|f| {
            for h in f.held.iter().filter(|h| h.world == world) {
                if h.lock == lock {
                    fatal(&format!("recursed on {} (thread {})", class.label(), who()));
                }
                if h.class.id == class.id {
                    fatal(&format!(
                        "two locks of class {} at once (thread {})",
                        class.label(),
                        who()
                    ));
                }
                self.edge(&h.class, class);
            }
        });
    }

    #[track_caller]
    fn edge(&self, a: &Class, b: &Class) {
        let mut edges = lk(&self.edges);
        if edges.get(&a.id).is_some_and(|m| m.contains_key(&b.id)) {
            return;
        }
        if let Some(path) = find_path(&edges, b.id, a.id) {
            let mut msg = format!(
                "lock order reversal: {} then {} in thread {}, at\n{}\n",
                a.label(),
                b.label(),
                who(),
                Backtrace::force_capture()
            );
            for (from, to) in path {
                let e = &edges[&from][&to];
                msg += &format!(
                    "the other order: {} then {} was taken by thread {}, at\n{}\n",
                    self.name_of(from),
                    self.name_of(to),
                    e.thread,
                    e.stack
                );
            }
            fatal(&msg);
        }
        let e = Edge {
            thread: who(),
            stack: Backtrace::force_capture(),
        };
        edges.entry(a.id).or_default().insert(b.id, e);
    }

    fn name_of(&self, id: u32) -> String {
        lk(&self.classes)
            .values()
            .find(|c| c.id == id)
            .map_or_else(String::new, Class::label)
    }

    /// Records that the lock is taken.
    pub(crate) fn acquired(&self, world: usize, lock: usize, class: &Class) {
        let since = self.measuring.load(Relaxed).then(|| {
            *lk(&self.taken)
                .entry((who(), class.name.to_string()))
                .or_default() += 1;
            Moment::now()
        });
        FRAME.with_borrow_mut(|f| {
            f.held.push(Held {
                world,
                lock,
                class: class.clone(),
                since,
            })
        });
    }

    /// Records that the lock will be released; fatal if another thread holds it.
    #[track_caller]
    pub(crate) fn released(&self, lock: usize, class: &Class) {
        let had = FRAME.with_borrow_mut(|f| {
            let at = f.held.iter().rposition(|h| h.lock == lock);
            at.map(|i| f.held.remove(i))
        });
        if let Some(since) = had.as_ref().and_then(|held| held.since) {
            self.note_hold(class, since);
        }
        if had.is_none() {
            fatal(&format!(
                "{} released by a thread that does not hold it (thread {})",
                class.label(),
                who()
            ));
        }
    }
}

/// Edges of a shortest path from `from` to `to`; `None` if there is no path.
fn find_path(
    edges: &HashMap<u32, HashMap<u32, Edge>>,
    from: u32,
    to: u32,
) -> Option<Vec<(u32, u32)>> {
    let mut came: HashMap<u32, u32> = HashMap::new();
    let mut todo = VecDeque::from([from]);
    while let Some(n) = todo.pop_front() {
        if n == to {
            let mut path = Vec::new();
            let mut at = to;
            while at != from {
                let prev = came[&at];
                path.push((prev, at));
                at = prev;
            }
            path.reverse();
            return Some(path);
        }
        for &m in edges.get(&n).into_iter().flat_map(HashMap::keys) {
            if m != from && !came.contains_key(&m) {
                came.insert(m, n);
                todo.push_back(m);
            }
        }
    }
    None
}
