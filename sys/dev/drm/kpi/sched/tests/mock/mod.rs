// SPDX-License-Identifier: BSD-2-Clause
//! Mock GPU with an explicit timeline, over a storage that counts accesses and can fail any growth.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "test support shared by several test programs"
)]

use std::cell::Cell;
use std::rc::Rc;

use drm_sched::{
    Arr, ClientId, Config, EntityId, Finished, JobId, Outcome, Priority, Scheduler, SlotConfig,
    Storage, WEIGHT_DEFAULT,
};

/// The state that the arrays of a test share.
#[derive(Default)]
pub struct Meter {
    /// Growths so far.
    pub pushes: Cell<u64>,
    /// The growth (counted from 0) that fails, and all after it if `sticky`.
    pub fail_at: Cell<Option<u64>>,
    pub sticky: Cell<bool>,
    /// Arrays with memory from the start, so far.
    pub chunks: Cell<u64>,
    /// Elements moved by growths.
    pub moved: Cell<usize>,
    /// Element accesses so far.
    pub accesses: Cell<u64>,
}

pub struct VecStorage;

pub struct VecArr<T> {
    items: Vec<T>,
    /// How many pushes need no memory.
    reserved: usize,
    meter: Rc<Meter>,
}

impl Storage for VecStorage {
    type Ctx = Rc<Meter>;
    type Arr<T> = VecArr<T>;
}

impl<T> Arr<T> for VecArr<T> {
    type Ctx = Rc<Meter>;
    fn new(ctx: &Self::Ctx) -> Self {
        Self {
            items: Vec::new(),
            reserved: 0,
            meter: ctx.clone(),
        }
    }
    fn with_capacity(ctx: &Self::Ctx, capacity: usize) -> Option<Self> {
        let nth = ctx.pushes.get();
        ctx.pushes.set(nth + 1);
        if ctx
            .fail_at
            .get()
            .is_some_and(|at| nth == at || (ctx.sticky.get() && nth > at))
        {
            return None;
        }
        ctx.chunks.set(ctx.chunks.get() + 1);
        Some(Self {
            items: Vec::with_capacity(capacity),
            reserved: capacity,
            meter: ctx.clone(),
        })
    }
    fn len(&self) -> usize {
        self.items.len()
    }
    fn get(&self, index: usize) -> Option<&T> {
        self.meter.accesses.set(self.meter.accesses.get() + 1);
        self.items.get(index)
    }
    fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.meter.accesses.set(self.meter.accesses.get() + 1);
        self.items.get_mut(index)
    }
    fn try_push(&mut self, value: T) -> Result<(), T> {
        if self.items.len() < self.reserved {
            self.items.push(value);
            return Ok(());
        }
        let nth = self.meter.pushes.get();
        self.meter.pushes.set(nth + 1);
        match self.meter.fail_at.get() {
            Some(at) if nth == at || (self.meter.sticky.get() && nth > at) => Err(value),
            _ => {
                if self.items.len() == self.items.capacity() {
                    self.meter
                        .moved
                        .set(self.meter.moved.get() + self.items.len());
                }
                self.items.push(value);
                Ok(())
            }
        }
    }
}

/// A job's payload: a name, its GPU time, and a token that lives as long as the payload.
#[derive(Clone, Debug)]
pub struct Work {
    pub tag: u64,
    pub ns: u64,
    pub alive: Rc<()>,
}

pub const CONFIG: Config = Config {
    max_blames: 3,
    blame_errno: 5,
    patience_ns: 250,
    grace_ns: 10,
};
pub type Sched = Scheduler<Work, VecStorage>;

/// The GPU: runs the head of each slot, in order, on a clock that only `run_for` moves.
pub struct Gpu {
    pub sched: Sched,
    pub meter: Rc<Meter>,
    pub now: u64,
    /// The remaining GPU time of each slot's head, in ns; set when it becomes head.
    left: Vec<Option<(JobId, u64)>>,
    /// Tags in the order of starts.
    pub starts: Vec<u64>,
    /// All jobs that were popped, in order.
    pub finished: Vec<Finished<Work>>,
    pub alive: Rc<()>,
}

impl Gpu {
    pub fn new(depths: &[u8], timeout_ns: u64) -> Self {
        Self::with(depths, timeout_ns, CONFIG)
    }

    pub fn with(depths: &[u8], timeout_ns: u64, config: Config) -> Self {
        let slots: Vec<_> = depths
            .iter()
            .map(|depth| SlotConfig {
                depth: *depth,
                timeout_ns,
            })
            .collect();
        let meter = Rc::new(Meter::default());
        let sched = Sched::new(&meter, &slots, config).unwrap();
        let left = vec![None; depths.len()];
        Self {
            sched,
            meter,
            now: 1000,
            left,
            starts: Vec::new(),
            finished: Vec::new(),
            alive: Rc::new(()),
        }
    }

    pub fn client(&mut self) -> ClientId {
        self.sched.client_new(WEIGHT_DEFAULT).unwrap()
    }

    /// An entity of a client of its own.
    pub fn entity(&mut self, slot: usize) -> EntityId {
        let client = self.client();
        self.sched
            .entity_new(client, slot, Priority::Medium)
            .unwrap()
    }

    pub fn work(&self, tag: u64, ns: u64) -> Work {
        Work {
            tag,
            ns,
            alive: self.alive.clone(),
        }
    }

    pub fn build(&mut self, entity: EntityId, tag: u64, ns: u64) -> JobId {
        let work = self.work(tag, ns);
        self.sched
            .prepare(entity, work)
            .map_err(|(error, _)| error)
            .unwrap()
    }

    pub fn submit(&mut self, entity: EntityId, tag: u64, ns: u64) -> JobId {
        let id = self.build(entity, tag, ns);
        self.sched.submit(id).unwrap();
        id
    }

    /// The number of payloads that exist.
    pub fn payloads(&self) -> usize {
        Rc::strong_count(&self.alive) - 1
    }

    /// Starts as many jobs as the hardware takes.
    pub fn pump(&mut self) {
        for slot in 0..self.sched.slot_count() {
            while let Some(id) = self.sched.next(slot, self.now) {
                self.starts.push(self.sched.job(id).unwrap().tag);
            }
        }
        self.note_heads();
    }

    /// Notes new heads.
    fn note_heads(&mut self) {
        for slot in 0..self.left.len() {
            let head = self.sched.running(slot).next();
            if self.left[slot].map(|(id, _)| id) != head {
                self.left[slot] = head.map(|id| (id, self.sched.job(id).unwrap().ns));
            }
        }
    }

    /// Advances the clock; heads with no remaining time end `Done`.
    pub fn run_for(&mut self, ns: u64) {
        let end = self.now + ns;
        self.pump();
        loop {
            let soonest = self.left.iter().flatten().map(|(_, left)| *left).min();
            let Some(step) = soonest.filter(|step| self.now + step <= end) else {
                break;
            };
            self.pass(step);
            for slot in 0..self.left.len() {
                if let Some((id, 0)) = self.left[slot] {
                    assert!(self.sched.complete(id, Outcome::Done, self.now));
                }
            }
            self.note_heads();
            self.collect();
            self.pump();
        }
        let rest = end - self.now;
        self.pass(rest);
    }

    fn pass(&mut self, ns: u64) {
        self.now += ns;
        for (_, left) in self.left.iter_mut().flatten() {
            *left = left.saturating_sub(ns);
        }
    }

    /// Completes the `n` oldest jobs of a slot at once, refilling in between.
    pub fn advance(&mut self, slot: usize, n: usize) {
        for _ in 0..n {
            self.pump();
            let id = self.sched.running(slot).next().unwrap();
            assert!(self.sched.complete(id, Outcome::Done, self.now));
        }
        self.note_heads();
        self.collect();
        self.pump();
    }

    /// Empties the done list.
    pub fn collect(&mut self) {
        while let Some(job) = self.sched.pop_done() {
            assert!(
                self.finished.iter().all(|old| old.id != job.id),
                "given back twice"
            );
            self.finished.push(job);
        }
    }

    pub fn check(&self) {
        assert_eq!(self.sched.verify(), Ok(()));
    }

    /// (tag, outcome) of all jobs that were popped.
    pub fn ends(&self) -> Vec<(u64, Outcome)> {
        self.finished
            .iter()
            .map(|job| (job.payload.tag, job.outcome))
            .collect()
    }
}
