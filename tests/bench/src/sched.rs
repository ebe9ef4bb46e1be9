// SPDX-License-Identifier: BSD-2-Clause
//! Jobs through the scheduler: `drm_sched` against Linux's drm_sched, which also makes each job's
//! fences.
//!
//! A job is pushed, picked, run for no time, ended and freed. Ours takes its lock for each of these
//! calls as the driver does.

use crate::meter::{row, Meter, Row};
use crate::peer::Peer;
use drm_sched::{
    Arr, Config, EntityId, Outcome, Priority, Scheduler, SlotConfig, Storage, WEIGHT_DEFAULT,
};
use std::sync::Mutex;

/// Arrays on the heap.
struct Heap;

struct HeapArr<T>(Vec<T>);

impl Storage for Heap {
    type Ctx = ();
    type Arr<T> = HeapArr<T>;
}

impl<T> Arr<T> for HeapArr<T> {
    type Ctx = ();

    fn new((): &()) -> Self {
        HeapArr(Vec::new())
    }

    fn with_capacity((): &(), capacity: usize) -> Option<Self> {
        Some(HeapArr(Vec::with_capacity(capacity)))
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, index: usize) -> Option<&T> {
        self.0.get(index)
    }

    fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.0.get_mut(index)
    }

    fn try_push(&mut self, value: T) -> Result<(), T> {
        self.0.push(value);
        Ok(())
    }
}

/// What the driver's jobs weigh, about.
type Payload = Box<[u64; 8]>;

struct Ours {
    sched: Mutex<Scheduler<Payload, Heap>>,
    entities: Vec<EntityId>,
}

impl Ours {
    /// A scheduler with one slot of two jobs, and clients of one entity each.
    fn new(entities: u16) -> Ours {
        let slot = SlotConfig {
            depth: 2,
            timeout_ns: 500_000_000,
        };
        let config = Config {
            max_blames: 3,
            blame_errno: 5,
            patience_ns: 0,
            grace_ns: 0,
        };
        let mut sched = Scheduler::new(&(), &[slot], config).expect("a scheduler");
        let mut entity = || {
            let client = sched.client_new(WEIGHT_DEFAULT).expect("a client");
            sched
                .entity_new(client, 0, Priority::Medium)
                .expect("an entity")
        };
        let entities = (0..entities).map(|_| entity()).collect();
        Ours {
            sched: Mutex::new(sched),
            entities,
        }
    }

    fn push(&self, entity: u16) {
        let payload = Box::new([0; 8]);
        let entity = self.entities[usize::from(entity)];
        let id = self
            .sched
            .lock()
            .unwrap()
            .prepare(entity, payload)
            .map_err(|(error, _)| error);
        self.sched
            .lock()
            .unwrap()
            .submit(id.expect("prepared"))
            .expect("submitted");
    }

    /// Runs what is queued; how many jobs that were.
    fn run(&self) -> u64 {
        let mut jobs = 0;
        loop {
            let Some(id) = self.sched.lock().unwrap().next(0, jobs) else {
                return jobs;
            };
            assert!(self.sched.lock().unwrap().complete(id, Outcome::Done, jobs));
            let done = self.sched.lock().unwrap().pop_done();
            assert!(done.is_some());
            jobs += 1;
        }
    }
}

/// Jobs of a measurement, at least.
const JOBS: u16 = 256;

/// Measures all rows.
///
/// # Panics
/// If a job gets lost.
pub fn rows(meter: &mut Meter, peer: &Peer) -> Vec<Row> {
    let mut rows = Vec::new();
    for entities in [1, 8, 256] {
        let (ours, theirs) = (Ours::new(entities), peer.scheduler(entities));
        let each = || (0..JOBS).map(|n| n % entities);
        let push = |n: u16| {
            format!(
                "push a job, {n} ready client{}",
                if n == 1 { "" } else { "s" }
            )
        };
        let mut before = theirs.run();
        let [pushed, run] = meter.circle(
            JOBS.into(),
            [&mut || each().for_each(|n| ours.push(n)), &mut || {
                assert_eq!(ours.run(), u64::from(JOBS))
            }],
        );
        let [peer_pushed, peer_run] = meter.circle(
            JOBS.into(),
            [&mut || each().for_each(|n| theirs.push(n)), &mut || {
                let now = theirs.run();
                assert_eq!(std::mem::replace(&mut before, now) + u64::from(JOBS), now);
            }],
        );
        rows.push(row(push(entities), pushed, peer_pushed));
        rows.push(row(
            push(entities).replace("push", "pick, end and free"),
            run,
            peer_run,
        ));
    }
    rows
}
