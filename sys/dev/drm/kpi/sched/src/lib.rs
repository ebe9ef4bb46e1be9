// SPDX-License-Identifier: BSD-2-Clause
//! GPU job scheduler as a pure state machine.
//!
//! No operating system call, no clock, no lock, no allocation of its own: the caller holds one lock around
//! every call and passes the time. The one thing to know: the scheduler owns a job from `prepare` until
//! `pop_done` gives it back by value, exactly once, with no reader left; and nothing after `prepare` fails
//! for want of memory.
//!
//! A job goes `Built` -> (`submit`) `Queued` -> (`next`) `Running` -> (`complete`) `Done` ->
//! (`pop_done`) gone. The hardware may give it back (`requeue`, `reset`) for another run;
//! `entity_kill` and `shutdown` end whatever is not in the hardware, the former by and by, as
//! `pop_done` is called. Calls with a stale id change nothing.
//!
//! Time is in ns, from any clock that does not go back; a step back counts as no time passed.
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
            /// The id as a number, for a callback argument; never 0 for an id the scheduler gave out.
            pub fn to_bits(self) -> u64 {
                (u64::from(self.0.generation()) << 32) | u64::from(self.0.index())
            }

            /// The id from its number; a made-up number is merely stale.
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

/// Why a call was refused. Nothing has changed then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The storage could not grow.
    NoMemory,
    /// An argument out of range, or a call in the wrong state.
    Invalid,
    /// Something is left that must go first.
    Busy,
    /// The id names nothing.
    Stale,
    /// The entity was killed, or the job cancelled.
    Killed,
    /// The scheduler was shut down.
    Shutdown,
}

/// How a job ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It ran to its end.
    Done,
    /// The hardware or the driver gave up on it, with this errno.
    Failed(i32),
    /// Its entity was killed or the scheduler shut down before it ran.
    Cancelled,
    /// It made no progress in its time.
    TimedOut,
}

/// Strict: a lower priority runs only when nothing of a higher one may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Priority {
    /// Runs when nothing else may.
    Low,
    /// The ordinary one.
    Medium,
    /// Runs before all else.
    High,
}

/// Bounds on what one job may cost others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// Times that a job may be blamed for a reset before it ends, at least 1.
    pub max_blames: u32,
    /// Errno of a job that was blamed `max_blames` times.
    pub blame_errno: i32,
    /// Time for which a job that makes progress may keep another client's job waiting, ns; 0 means
    /// forever.
    pub patience_ns: u64,
    /// Time that a job whose entity was killed may be at the head of its slot, ns, whatever its
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
    /// Ended jobs without readers, in the order they can be popped.
    done: List,
    /// Killed entities that have jobs to be cancelled.
    dying: List,
    /// Jobs that are queued or requeued.
    waiting: Count,
    /// Order of first starts.
    sequence: u64,
    /// Order in which groups came to wait.
    stamp: u64,
    stopped: bool,
    dead: bool,
    counters: Counters,
}

impl<J, S: Storage> Scheduler<J, S> {
    /// A scheduler for the given hardware slots, running.
    ///
    /// # Errors
    /// `Invalid` for no slots, a depth of 0 or `max_blames` of 0; `NoMemory`.
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
