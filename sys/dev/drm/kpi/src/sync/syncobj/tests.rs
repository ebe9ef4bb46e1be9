// SPDX-License-Identifier: BSD-2-Clause
//! Tests of timelines: against a chain as Linux has it, in memory, and of the waits for points.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "a model of a chain, with few points"
)]

extern crate std;
use crate::alloc::Arc;
use crate::os::Os;
use crate::sync::fence::{Fence, Signaler};
use crate::sync::fences::Fences;
use crate::sync::syncobj::inbox::Inbox;
use crate::sync::syncobj::timeline::{Removed, Timeline};
use crate::sync::syncobj::waiters::Waiters;
use crate::sync::syncobj::Syncobj;
use crate::util::account::{Account, Charge};
use crate::util::errno::{EINVAL, ENOMEM};
use drm_os_host::{Config, World};
use seeded::Random;
use std::collections::{BTreeMap, VecDeque};
use std::vec::Vec;

/// The fences of some fence contexts, each of which signals them in order.
struct Work {
    os: Os,
    pending: Vec<VecDeque<Signaler>>,
    seqno: u64,
}

impl Work {
    fn new(os: Os, contexts: usize) -> Work {
        Work {
            os,
            pending: (0..contexts).map(|_| VecDeque::new()).collect(),
            seqno: 0,
        }
    }

    fn promise(&mut self, context: usize) -> Arc<Fence> {
        self.seqno += 1;
        let id = context as u64 + 1;
        let signaler = Fence::promise(self.os, id, self.seqno, None).unwrap();
        let fence = signaler.fence().clone();
        self.pending[context].push_back(signaler);
        fence
    }

    fn end_one(&mut self, context: usize) {
        if let Some(signaler) = self.pending[context].pop_front() {
            signaler.signal(Ok(()));
        }
    }
}

/// The latest pending fence of each context.
fn pending<'a>(fences: impl Iterator<Item = &'a Arc<Fence>>) -> BTreeMap<u64, u64> {
    let mut latest = BTreeMap::new();
    for fence in fences.filter(|f| !f.is_signaled()) {
        let seqno = latest.entry(fence.context()).or_insert(0);
        *seqno = fence.seqno().max(*seqno);
    }
    latest
}

/// A node of a chain.
struct Node {
    order: u32,
    seqno: u64,
    before: u64,
    /// `None` for one that was signalled when it was added.
    fence: Option<Arc<Fence>>,
}

/// A chain as in dma-fence-chain.c: each node is of an order, and a walk from the last node passes
/// over those with signalled fences.
struct Chain(Vec<Node>);

impl Chain {
    fn add(&mut self, point: u64, fence: Option<Arc<Fence>>) {
        let last = self.0.last().map_or((0, 0), |n| (n.order, n.seqno));
        let (order, before) = match last {
            (order, seqno) if order != 0 && point > seqno => (order, seqno),
            (order, _) => (order + 1, 0),
        };
        self.0.push(Node {
            order,
            seqno: point.max(last.1),
            before,
            fence,
        });
    }

    fn is_pending(&self, index: usize) -> bool {
        self.0[index]
            .fence
            .as_ref()
            .is_some_and(|f| !f.is_signaled())
    }

    /// The nodes that a walk visits.
    fn walk(&self) -> impl Iterator<Item = usize> + '_ {
        let last = self.0.len() - 1;
        (0..=last)
            .rev()
            .filter(move |i| *i == last || self.is_pending(*i))
    }

    /// What is pending up to a node.
    fn pending_to(&self, index: usize) -> BTreeMap<u64, u64> {
        pending(self.0[..=index].iter().filter_map(|n| n.fence.as_ref()))
    }

    /// What a wait for a point waits for; `None` if there is no such point.
    fn find(&self, point: u64) -> Option<BTreeMap<u64, u64>> {
        let last = self.0.last().unwrap();
        if point > last.seqno {
            return None;
        }
        let mut walk = self.walk();
        let stop = walk.find(|i| {
            let node = &self.0[*i];
            point == 0 || node.order != last.order || node.before < point
        });
        Some(stop.map_or_else(BTreeMap::new, |i| self.pending_to(i)))
    }

    fn query(&self) -> u64 {
        let order = self.0.last().unwrap().order;
        let oldest = self.walk().take_while(|i| self.0[*i].order == order).last();
        let index = oldest.unwrap();
        if self.pending_to(index).is_empty() {
            self.0[index].seqno
        } else {
            self.0[index].before
        }
    }
}

fn account(os: Os) -> Arc<Account> {
    Arc::new(os, Account::new(1 << 30, None)).unwrap()
}

fn reached(timeline: &mut Timeline) -> u64 {
    std::iter::repeat_with(|| timeline.reached(&mut Removed::default()))
        .flatten()
        .next()
        .unwrap()
}

/// Random points, in order and not, of pending and signalled fences. Catches: any difference to
/// Linux in what SYNCOBJ_QUERY returns and what a wait for a point waits for.
#[test]
fn a_timeline_is_as_a_chain() {
    let world = World::new(Config::default());
    let os = Os::of_world(&world);
    let account = account(os);
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let mut work = Work::new(os, 4);
        let mut chain = Chain(Vec::new());
        let mut timeline: Option<Timeline> = None;
        // In a third of the rounds the order of points is kept.
        let mut point = 0;
        for step in 0..150 {
            let context = random.below(4) as usize;
            if random.below(3) != 0 {
                point = match random.below(8) {
                    0 if seed % 3 != 0 => random.below(point + 2),
                    n => point + 1 + n % 3,
                };
                let is_pending = point != 0 && random.below(4) != 0;
                let fence = is_pending.then(|| work.promise(context));
                let own = fence.clone().map_or(Fences::Ended, Fences::One);
                chain.add(point, fence);
                match &mut timeline {
                    Some(t) => {
                        let mut removed = Removed::default();
                        t.add(&account, point, &own, &mut None, &mut removed)
                            .unwrap();
                    }
                    None => {
                        let ended = Fences::Ended;
                        let t = Timeline::new(os, &account, ended, point, &own, &mut None);
                        timeline = Some(t.unwrap());
                    }
                }
            } else {
                work.end_one(context);
            }
            let Some(t) = &mut timeline else { continue };
            let last = chain.0.last().unwrap().seqno;
            assert_eq!(t.last(), last, "seed {seed}, step {step}");
            for _ in 0..4 {
                let asked = random.below(last + 3);
                let found = t.find(asked).map(|f| pending(f.parts().iter()));
                let known = chain.find(asked);
                assert_eq!(
                    found, known,
                    "point {asked} of {last}, seed {seed}, step {step}"
                );
            }
            // Not always: a query removes points.
            if random.below(2) == 0 {
                assert_eq!(reached(t), chain.query(), "seed {seed}, step {step}");
            }
        }
    }
    assert_eq!(account.used(), 0);
}

/// A syncobj that was binary: its fence is part of the first point. Catches: a point that is
/// signalled before.
#[test]
fn points_come_after_the_fence_before() {
    let world = World::new(Config::default());
    let os = Os::of_world(&world);
    let account = account(os);
    let mut work = Work::new(os, 1);
    let binary = Fences::One(work.promise(0));
    let syncobj = Syncobj::new(os, &account, Some(binary)).unwrap();
    assert!(syncobj.find(1).is_none());
    syncobj.add_point(&account, 5, Fences::Ended).unwrap();
    syncobj.add_point(&account, 7, Fences::Ended).unwrap();
    for point in [0, 1, 5, 6, 7] {
        assert!(!syncobj.find(point).unwrap().is_signaled(), "point {point}");
    }
    assert!(syncobj.find(8).is_none());
    assert_eq!(syncobj.last_point(), 7);
    work.end_one(0);
    for point in [0, 1, 5, 6, 7] {
        assert!(syncobj.find(point).unwrap().is_signaled(), "point {point}");
    }
}

/// Catches: signalled points that stay, in memory or in the account, in order or after a pending
/// one; a drop that recurses (the stack of a test's thread is 2 MiB).
#[test]
fn signalled_points_take_no_memory() {
    const COUNT: u64 = 100_000;
    let world = World::new(Config::default());
    let os = Os::of_world(&world);
    let account = account(os);
    let mut work = Work::new(os, 3);
    let syncobj = Syncobj::new(os, &account, None).unwrap();
    let base = (account.used(), world.counters().malloc_bytes);
    let is_flat = |what: &str| {
        // OVERFLOW: saturates: less than at the beginning is no growth.
        let bytes = world.counters().malloc_bytes.saturating_sub(base.1);
        assert!(bytes < 16 << 10, "{bytes} bytes of memory: {what}");
        // OVERFLOW: saturates, too.
        let charged = account.used().saturating_sub(base.0);
        assert!(charged < 16 << 10, "{charged} bytes charged: {what}");
    };
    for point in 1..=COUNT {
        syncobj.add_point(&account, point, Fences::Ended).unwrap();
    }
    is_flat("signalled at once");
    for point in COUNT + 1..=2 * COUNT {
        let fence = Fences::One(work.promise(0));
        syncobj.add_point(&account, point, fence).unwrap();
        work.end_one(0);
    }
    is_flat("signalled later");
    let stuck = Fences::One(work.promise(1));
    syncobj.add_point(&account, 2 * COUNT + 1, stuck).unwrap();
    for point in 2 * COUNT + 2..=3 * COUNT {
        let fence = Fences::One(work.promise(2));
        syncobj.add_point(&account, point, fence).unwrap();
        if point % 2 == 0 {
            work.end_one(2);
            work.end_one(2);
        }
    }
    is_flat("after a pending one");
    assert!(!syncobj.find(2 * COUNT + 1).unwrap().is_signaled());
    assert_eq!(syncobj.last_point(), 3 * COUNT);
    drop(syncobj);
    assert_eq!(account.used(), 0);
}

/// Catches: pending points that are not charged, a drop that recurses.
#[test]
fn pending_points_are_charged() {
    const COUNT: u64 = 100_000;
    let world = World::new(Config::default());
    let os = Os::of_world(&world);
    let account = account(os);
    let mut work = Work::new(os, 1);
    // Their fences are charged to those whose work it is.
    let fences: Vec<_> = (0..COUNT).map(|_| work.promise(0)).collect();
    let before = world.counters().malloc_bytes;
    let syncobj = Syncobj::new(os, &account, None).unwrap();
    for (point, fence) in (1..).zip(&fences) {
        let own = Fences::One(fence.clone());
        syncobj.add_point(&account, point, own).unwrap();
    }
    let bytes = world.counters().malloc_bytes - before;
    assert!(bytes <= account.used(), "{bytes} of {}", account.used());
    assert!(account.used() < 40 << 20);
    assert!(!syncobj.find(1).unwrap().is_signaled());
    work.end_one(0);
    assert!(syncobj.find(1).unwrap().is_signaled());
    assert!(!syncobj.find(2).unwrap().is_signaled());
    drop(syncobj);
    assert_eq!(account.used(), 0);
    // A new order drops them, too.
    let syncobj = Syncobj::new(os, &account, None).unwrap();
    let empty = account.used();
    for (point, fence) in (1..).zip(&fences[1..]) {
        let own = Fences::One(fence.clone());
        syncobj.add_point(&account, point, own).unwrap();
    }
    syncobj.add_point(&account, 1, Fences::Ended).unwrap();
    assert_eq!(account.used(), empty);
    assert!(!syncobj.find(1).unwrap().is_signaled());
    // A full account refuses a pending point, and nothing changes; a signalled one needs nothing.
    let all = account.used();
    let _rest = Charge::new(&account, (1 << 30) - all).unwrap();
    let own = Fences::One(fences[9].clone());
    let refused = syncobj.add_point(&account, COUNT + 9, own);
    assert_eq!(refused, Err(ENOMEM));
    assert_eq!(syncobj.last_point(), COUNT - 1);
    syncobj.add_point(&account, COUNT, Fences::Ended).unwrap();
    let own = Fences::One(fences[9].clone());
    assert_eq!(syncobj.add_point(&account, 0, own), Err(EINVAL));
}

/// Catches: waits for later points that are ended, waits that came after the point and are sent its
/// fences, and ones that are lost or sent twice.
#[test]
fn waits_end_by_point_and_arrival() {
    let world = World::new(Config::default());
    let os = Os::of_world(&world);
    let inbox = Inbox::new(os, 0, 300).unwrap();
    let mut waiters = Waiters::new(os);
    for n in 0..100 {
        // Points 10 to 19, in a mixed order.
        waiters.add(10 + n * 7 % 10, &inbox, (n, 0)).unwrap();
    }
    let mut due = waiters.due(14).unwrap();
    let mut first = true;
    while let Some(batch) = waiters.take(&mut due) {
        batch.send(&Fences::Ended);
        // The syncobj was reset meanwhile.
        if core::mem::take(&mut first) {
            for n in 100..200 {
                waiters.add(10 + n % 10, &inbox, (n, 0)).unwrap();
            }
        }
    }
    let mut sent = Vec::new();
    while let Some(((n, _), _)) = inbox.events.lock().filled.pop() {
        sent.push(n);
    }
    sent.sort_unstable();
    let known: Vec<u64> = (0..100).filter(|n| n * 7 % 10 <= 4).collect();
    assert_eq!(sent, known);
    let mut due = waiters.due(u64::MAX).unwrap();
    let mut rest = 0;
    while let Some(batch) = waiters.take(&mut due) {
        batch.send(&Fences::Ended);
        rest += inbox.events.lock().filled.len();
        inbox.events.lock().filled.clear();
    }
    assert_eq!(rest, 150);
    assert!(waiters.due(u64::MAX).is_none());
}
