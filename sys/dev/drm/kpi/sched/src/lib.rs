// SPDX-License-Identifier: BSD-2-Clause
//! GPU job scheduler as a pure state machine.
//!
//! It makes no operating system call, reads no clock, takes no lock and allocates nothing by
//! itself: the caller holds one lock around every call and passes the time. The one thing to know:
//! the scheduler owns a job from `prepare` until `pop_done` returns it by value, exactly once and
//! with no reader left; and nothing after `prepare` fails for lack of memory.
//!
//! The states of a job are `Built` -> (`submit`) `Queued` -> (`next`) `Running` -> (`complete`)
//! `Done` -> (`pop_done`) freed. A job that leaves the hardware unfinished (`requeue`, `reset`)
//! runs again; `entity_kill` and `shutdown` cancel all jobs that are not in flight, the former a
//! few with each call of `pop_done`. Calls with a stale id change nothing.
//!
//! Times are in ns, of any monotonic clock; a step backwards counts as no time passed.
//!
//! # Examples
//!
//! Two clients share a slot that runs one job at a time. The first one's job hangs, and ends by a
//! reset; the other one's waits for a fence, and then for the slot.
//!
//! ```
//! use drm_sched::*;
//!
//! /// Arrays on the heap.
//! struct Heap;
//! struct List<T>(Vec<T>);
//! impl Storage for Heap {
//!     type Ctx = ();
//!     type Arr<T> = List<T>;
//! }
//! impl<T> Arr<T> for List<T> {
//!     type Ctx = ();
//! #   fn new(_: &()) -> Self { List(Vec::new()) }
//! #   fn with_capacity(_: &(), n: usize) -> Option<Self> { Some(List(Vec::with_capacity(n))) }
//! #   fn len(&self) -> usize { self.0.len() }
//! #   fn get(&self, index: usize) -> Option<&T> { self.0.get(index) }
//! #   fn get_mut(&mut self, index: usize) -> Option<&mut T> { self.0.get_mut(index) }
//!     fn try_push(&mut self, value: T) -> Result<(), T> {
//!         self.0.push(value);
//!         Ok(())
//!     }
//!     // The others call those of Vec.
//! }
//!
//! const EIO: i32 = 5;
//! let slots = [SlotConfig { depth: 1, timeout_ns: 500 }];
//! let config = Config { max_blames: 2, blame_errno: EIO, patience_ns: 0, grace_ns: 10 };
//! let mut sched = Scheduler::<&str, Heap>::new(&(), &slots, config)?;
//! let mut run_queue = || {
//!     let client = sched.client_new(WEIGHT_DEFAULT)?;
//!     sched.entity_new(client, 0, Priority::Medium)
//! };
//! let (a, b) = (run_queue()?, run_queue()?);
//! let hangs = sched.prepare(a, "hangs").map_err(|(e, _)| e)?;
//! sched.submit(hangs)?;
//! let waits = sched.prepare(b, "waits").map_err(|(e, _)| e)?;
//! sched.add_dependency(waits)?;
//! sched.submit(waits)?;
//!
//! assert_eq!(sched.next(0, 0), Some(hangs));
//! assert_eq!(sched.next_deadline(), Some(500));
//! // The fence is signaled: the job is ready for slot 0, which is occupied.
//! assert_eq!(sched.dependency_done(waits, Ok(())), Some(0));
//! assert_eq!(sched.next(0, 400), None);
//!
//! assert_eq!(sched.expired(500), Some((0, hangs)));
//! sched.reset(Some(hangs), Outcome::TimedOut, 600);
//! assert_eq!(sched.next(0, 600), Some(waits));
//! assert!(sched.complete(waits, Outcome::Done, 650));
//! assert!(!sched.complete(waits, Outcome::Done, 660), "a late interrupt");
//!
//! let mut ended = || sched.pop_done().map(|job| (job.payload, job.outcome, job.run_ns));
//! assert_eq!(ended(), Some(("hangs", Outcome::TimedOut, 600)));
//! assert_eq!(ended(), Some(("waits", Outcome::Done, 50)));
//! assert_eq!(ended(), None);
//! # Ok::<(), Error>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

mod array;
mod client;
mod complete;
mod count;
mod counters;
mod entity;
mod heap;
mod job;
mod list;
mod pick;
mod pool;
mod reset;
mod slot;
mod timeout;
mod verify;

pub use array::{Arr, Storage};
pub use client::WEIGHT_DEFAULT;
pub use complete::Finished;
pub use counters::Counters;
pub use job::State;
pub use pool::{Id, Pool};
pub use slot::SlotConfig;

use count::Count;
use list::List;

macro_rules! typed_id {
    ($(#[$doc:meta] $name:ident),*) => {$(
        #[$doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub(crate) Id);

        impl $name {
            /// The id as a number, for a callback argument; never 0 for an id from the scheduler.
            pub fn to_bits(self) -> u64 {
                (u64::from(self.0.generation()) << 32) | u64::from(self.0.index())
            }

            /// The id from its number; an invalid number is a stale id.
            pub fn from_bits(bits: u64) -> Self {
                let [a, b, c, d, e, f, g, h] = bits.to_le_bytes();
                Self(Id::new(u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])))
            }
        }
    )*};
}

typed_id!(
    /// Names a client.
    ClientId,
    /// Names an entity.
    EntityId,
    /// Names a job.
    JobId
);

/// Why a call failed. It has changed nothing then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// There is no memory.
    NoMemory,
    /// An argument is out of range, or the job is in the wrong state.
    Invalid,
    /// The object still has entities or jobs.
    Busy,
    /// The id is unknown or stale.
    Stale,
    /// The entity was killed, or the job cancelled.
    Killed,
    /// The scheduler was shut down.
    Shutdown,
}

/// How a job ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It completed.
    Done,
    /// The hardware or the driver failed it, with this errno.
    Failed(i32),
    /// Its entity was killed or the scheduler shut down before it ran.
    Cancelled,
    /// Its time-out expired without progress.
    TimedOut,
}

/// Priorities are strict: a job runs only while no job of a higher priority is ready.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Priority {
    /// Runs when no other job is ready.
    Low,
    /// The default.
    Medium,
    /// Runs before all others.
    High,
}

/// Bounds on what one job may cost the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// How many resets a job may be blamed for before it fails, at least 1.
    pub max_blames: u32,
    /// Errno of a job that was blamed `max_blames` times.
    pub blame_errno: i32,
    /// How long a job that makes progress may keep another client's job waiting, in ns; 0 is
    /// forever.
    pub patience_ns: u64,
    /// How long a job of a killed entity may be at the head of its slot, in ns, whatever its
    /// progress.
    pub grace_ns: u64,
}

/// The scheduler of one GPU: jobs carry a payload `J`, memory comes from `S`.
pub struct Scheduler<J, S: Storage> {
    config: Config,
    clients: Pool<client::Client, S>,
    groups: Pool<client::Group, S>,
    entities: Pool<entity::Entity, S>,
    jobs: Pool<job::Job<J>, S>,
    slots: S::Arr<slot::Slot<S>>,
    /// Ended jobs without readers, in the order in which they are popped.
    done: List,
    /// Killed entities with jobs to cancel.
    dying: List,
    /// Jobs that are queued or requeued.
    waiting: Count,
    /// Order of first starts.
    sequence: u64,
    /// Order in which groups began to wait.
    stamp: u64,
    stopped: bool,
    dead: bool,
    counters: Counters,
}

impl<J, S: Storage> Scheduler<J, S> {
    /// A scheduler for the given hardware slots, running.
    ///
    /// # Errors
    /// `Invalid` if there are no slots, a depth is 0 or `max_blames` is 0; `NoMemory`.
    pub fn new(ctx: &S::Ctx, slots: &[SlotConfig], config: Config) -> Result<Self, Error> {
        if slots.is_empty() || config.max_blames == 0 || slots.iter().any(|slot| slot.depth == 0) {
            return Err(Error::Invalid);
        }
        let mut array = S::Arr::new(ctx);
        for slot in slots {
            array
                .try_push(slot::Slot::new(ctx, *slot))
                .map_err(|_| Error::NoMemory)?;
        }
        Ok(Self {
            config,
            clients: Pool::new(ctx),
            groups: Pool::new(ctx),
            entities: Pool::new(ctx),
            jobs: Pool::new(ctx),
            slots: array,
            done: List::EMPTY,
            dying: List::EMPTY,
            waiting: Count::ZERO,
            sequence: 0,
            stamp: 0,
            stopped: false,
            dead: false,
            counters: Counters::default(),
        })
    }

    /// The event counters.
    pub fn counters(&self) -> Counters {
        self.counters
    }
}
