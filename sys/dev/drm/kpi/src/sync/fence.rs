// SPDX-License-Identifier: BSD-2-Clause
//! Fences: a promise that some work will end, kept exactly once.
//!
//! A `Fence` is shared by all who wait; its one `Signaler` belongs to the work. A signaler that is
//! dropped signals ECANCELED, so no fence is ever lost. Hooks run in the signaller's thread (which may be
//! an interrupt handler) with no lock held, so they must not sleep.
//!
//! Several fences that are waited for as one are `Fences`: a list of fences, never of lists. No fence ends or
//! goes because another does, so neither a signal nor a drop recurses, however often fences are merged.

use crate::alloc::{Arc, Hook, KVec};
use crate::os::{Caller, Condvar, Mtx, Os};
use crate::util::account::{Account, Charge};
use crate::util::errno::{Errno, Result, ECANCELED, ENOMEM, ETIMEDOUT};
use crate::util::int_conv::u64_of;
use crate::util::sorted_map::SortedMap;
use core::sync::atomic::{AtomicBool, Ordering};
use static_assertions::{assert_impl_all, const_assert};

type Added = (Arc<dyn Hook>, u64);

struct State {
    outcome: Option<Result<()>>,
    when: u64,
    /// The key of the next hook.
    next: u64,
    /// Most fences have one hook at the most.
    one: Option<(u64, Added)>,
    /// The others, by key.
    more: SortedMap<u64, Added>,
}

/// The shared half of a promise.
pub struct Fence {
    context: u64,
    seqno: u64,
    /// Set after `outcome`, never cleared: the fast answer to "is it over".
    over: AtomicBool,
    state: Mtx<State>,
    _charge: Option<Charge>,
}

/// The half that keeps the promise.
pub struct Signaler {
    os: Os,
    fence: Arc<Fence>,
}

/// Hooks of a fence that is over which were not told yet. Dropping this tells them.
pub struct Untold {
    one: Option<Added>,
    more: SortedMap<u64, Added>,
}

/// A hook of a fence. Dropping this removes it; it may be running then, or be one of [`Untold`].
pub struct Hooked {
    fence: Arc<Fence>,
    key: u64,
}

assert_impl_all!(Fence: Send, Sync);
assert_impl_all!(Hooked: Send, Sync);
assert_impl_all!(Fences: Send, Sync);
// A signaler goes to the thread that ends the work.
assert_impl_all!(Signaler: Send);
// What is charged for a fence is no less than what it takes.
const_assert!(u64_of(size_of::<Fence>()) <= Fence::BYTES);

impl Fence {
    /// What one costs, in bytes, about.
    pub const BYTES: u64 = 256;

    /// A fence, number `seqno` of a timeline `context` (from `Os::unique`) whose fences end in order.
    /// `charge` is kept for as long as the fence.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn promise(os: Os, context: u64, seqno: u64, charge: Option<Charge>) -> Result<Signaler> {
        let state = State {
            outcome: None,
            when: 0,
            next: 0,
            one: None,
            more: SortedMap::new(os),
        };
        let state = Mtx::new(os, c"drm fence", state)?;
        let fence = Arc::new(
            os,
            Fence {
                context,
                seqno,
                over: AtomicBool::new(false),
                state,
                _charge: charge,
            },
        )?;
        Ok(Signaler { os, fence })
    }

    /// A fence that is over already.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn stub(os: Os) -> Result<Arc<Fence>> {
        let signaler = Fence::promise(os, os.unique(), 1, None)?;
        let fence = signaler.fence().clone();
        signaler.signal(Ok(()));
        Ok(fence)
    }

    /// The timeline.
    pub fn context(&self) -> u64 {
        self.context
    }

    /// The place in the timeline.
    pub fn seqno(&self) -> u64 {
        self.seqno
    }

    /// Whether the work is over, whatever its outcome.
    pub fn is_signaled(&self) -> bool {
        // ORDERING: pairs with the Release in `signal`: who sees it sees what the work did.
        self.over.load(Ordering::Acquire)
    }

    /// How the work ended and when (ns), None while it goes on.
    pub fn outcome(&self) -> Option<(Result<()>, u64)> {
        let state = self.state.lock();
        state.outcome.map(|o| (o, state.when))
    }

    /// Has `hook` told when the fence is signaled, unless what this returns is dropped before. None, and not
    /// told, when it is signaled already.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn hook(this: &Arc<Self>, hook: &Arc<dyn Hook>, token: u64) -> Result<Option<Hooked>> {
        let mut state = this.state.lock();
        if state.outcome.is_some() {
            return Ok(None);
        }
        let key = state.next;
        let added = (hook.clone(), token);
        if state.one.is_none() {
            state.one = Some((key, added));
        } else {
            state.more.insert(key, added)?;
        }
        // OVERFLOW: a sequence number; 2^64 hooks of one fence take centuries.
        state.next = key.wrapping_add(1);
        Ok(Some(Hooked {
            fence: this.clone(),
            key,
        }))
    }

    fn unhook(&self, key: u64) {
        if self.is_signaled() {
            return;
        }
        let removed = {
            let mut state = self.state.lock();
            if state.one.as_ref().is_some_and(|(k, _)| *k == key) {
                state.one.take().map(|(_, added)| added)
            } else {
                state.more.remove(key)
            }
        };
        drop(removed);
    }

    /// Sleeps until the fence is signaled.
    ///
    /// # Errors
    ///
    /// ETIMEDOUT at `deadline` ns, EINTR or ERESTART by a signal to `caller`, ENOMEM.
    pub fn wait(
        this: &Arc<Self>,
        os: Os,
        caller: Option<&Caller<'_>>,
        deadline: u64,
    ) -> Result<()> {
        if this.is_signaled() {
            return Ok(());
        }
        if deadline <= os.now() {
            return Err(ETIMEDOUT);
        }
        let waiter = Waiter::new(os)?;
        let Some(_hooked) = Fence::hook(this, &waiter.clone().into_hook(), 0)? else {
            return Ok(());
        };
        loop {
            let seen = waiter.count();
            if this.is_signaled() {
                return Ok(());
            }
            if let Err(e) = waiter.wait_past(seen, caller, deadline) {
                return if this.is_signaled() { Ok(()) } else { Err(e) };
            }
        }
    }
}

impl Hooked {
    /// The fence.
    pub fn fence(&self) -> &Arc<Fence> {
        &self.fence
    }
}

impl Drop for Hooked {
    fn drop(&mut self) {
        self.fence.unhook(self.key);
    }
}

impl Signaler {
    /// The fence that this will signal.
    pub fn fence(&self) -> &Arc<Fence> {
        &self.fence
    }

    /// Keeps the promise.
    pub fn signal(self, outcome: Result<()>) {
        drop(self.end(outcome));
    }

    /// Keeps the promise, and leaves it to the caller when hooks are told: those that hear of it
    /// late see that the fence is over if they look.
    pub(crate) fn end(self, outcome: Result<()>) -> Option<Untold> {
        self.finish(outcome)
    }

    fn finish(&self, outcome: Result<()>) -> Option<Untold> {
        let (one, more) = {
            let mut state = self.fence.state.lock();
            if state.outcome.is_some() {
                return None;
            }
            state.outcome = Some(outcome);
            state.when = self.os.now();
            // ORDERING: everything the work did is before its end.
            self.fence.over.store(true, Ordering::Release);
            let more = core::mem::replace(&mut state.more, SortedMap::new(self.os));
            (state.one.take(), more)
        };
        Some(Untold {
            one: one.map(|(_, added)| added),
            more,
        })
    }
}

impl Drop for Signaler {
    fn drop(&mut self) {
        drop(self.finish(Err(ECANCELED)));
    }
}

impl Untold {
    /// Tells `count` hooks, if there are as many. True: that were all.
    pub(crate) fn tell(&mut self, count: u32) -> bool {
        for _ in 0..count {
            let Some((hook, token)) = self.one.take().or_else(|| self.more.pop_first()) else {
                break;
            };
            hook.signaled(token);
        }
        self.one.is_none() && self.more.is_empty()
    }
}

impl Drop for Untold {
    fn drop(&mut self) {
        while !self.tell(u32::MAX) {}
    }
}

/// Fences that are waited for as one, at least one: what a syncobj holds and a sync_file stands for.
#[derive(Clone)]
pub enum Fences {
    /// A single one.
    One(Arc<Fence>),
    /// Several.
    Many(Arc<Merged>),
}

/// At most one fence of each timeline, in order of timelines.
pub struct Merged {
    parts: KVec<Arc<Fence>>,
    _charge: Charge,
}

impl Fences {
    /// No more than these are waited for as one.
    pub const MAX: usize = 1024;

    /// The fences, in order of timelines.
    pub fn parts(&self) -> &[Arc<Fence>] {
        match self {
            Fences::One(fence) => core::slice::from_ref(fence),
            Fences::Many(merged) => &merged.parts,
        }
    }

    /// Whether all of them are over.
    pub fn is_signaled(&self) -> bool {
        self.parts().iter().all(|f| f.is_signaled())
    }

    /// How they ended together, None while one goes on: as the first that failed, if one did.
    pub fn outcome(&self) -> Option<Result<()>> {
        let mut failed: Option<(Errno, u64)> = None;
        for part in self.parts() {
            if let (Err(e), when) = part.outcome()? {
                if failed.is_none_or(|(_, earliest)| when < earliest) {
                    failed = Some((e, when));
                }
            }
        }
        Some(failed.map_or(Ok(()), |(e, _)| Err(e)))
    }

    /// All of both, charged to `account`: of each timeline the later one. What has ended well is left out, as in
    /// Linux's dma_fence_unwrap_merge(); what has failed is not.
    ///
    /// # Errors
    ///
    /// ENOMEM, also when they are more than `MAX`.
    pub fn merge(os: Os, account: &Arc<Account>, a: &Fences, b: &Fences) -> Result<Fences> {
        let mut set = FenceSet::new(os);
        for part in a.parts().iter().chain(b.parts()) {
            if !matches!(part.outcome(), Some((Ok(()), _))) {
                set.add(part)?;
            }
        }
        if let Some(merged) = set.fences(account)? {
            return Ok(merged);
        }
        // All ended well: the last of them tells when.
        let all = a.parts().iter().chain(b.parts());
        let last = all.max_by_key(|f| f.outcome().map_or(0, |(_, when)| when));
        last.cloned().map(Fences::One).ok_or(ENOMEM)
    }
}

/// A collection of fences: of each timeline the last one that was added to it.
pub struct FenceSet {
    os: Os,
    by_context: SortedMap<u64, Arc<Fence>>,
}

impl FenceSet {
    /// None yet.
    pub fn new(os: Os) -> FenceSet {
        FenceSet {
            os,
            by_context: SortedMap::new(os),
        }
    }

    /// One more.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn add(&mut self, fence: &Arc<Fence>) -> Result<()> {
        let there = self.by_context.get(fence.context());
        if there.is_some_and(|f| f.seqno() >= fence.seqno()) {
            return Ok(());
        }
        self.by_context.insert(fence.context(), fence.clone())
    }

    /// One more, unless it is over.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn add_pending(&mut self, fence: &Arc<Fence>) -> Result<()> {
        if fence.is_signaled() {
            return Ok(());
        }
        self.add(fence)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_context.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_context.is_empty()
    }

    /// All of them, in order of timelines.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Fence>> {
        self.by_context.from(0).map(|(_, fence)| fence)
    }

    /// All of them as one, charged to `account`; None when there is none.
    ///
    /// # Errors
    ///
    /// ENOMEM, also when they are more than `Fences::MAX`.
    pub fn fences(&self, account: &Arc<Account>) -> Result<Option<Fences>> {
        const HEAD: u64 = 128;
        const PART: u64 = 16;
        let count = self.len();
        if count > Fences::MAX {
            return Err(ENOMEM);
        }
        if count <= 1 {
            return Ok(self.iter().next().cloned().map(Fences::One));
        }
        let parts = u64_of(count).checked_mul(PART).ok_or(ENOMEM)?;
        let bytes = parts.checked_add(HEAD).ok_or(ENOMEM)?;
        let _charge = Charge::new(account, bytes)?;
        let mut parts = KVec::with_capacity(self.os, count)?;
        for fence in self.iter() {
            parts.push(fence.clone())?;
        }
        Arc::new(self.os, Merged { parts, _charge }).map(|merged| Some(Fences::Many(merged)))
    }
}

impl From<Arc<Fence>> for Fences {
    fn from(fence: Arc<Fence>) -> Fences {
        Fences::One(fence)
    }
}

/// A sleeper that any number of fences and syncobjs can wake.
pub struct Waiter {
    wakes: Mtx<u64>,
    cv: Condvar,
}

impl Waiter {
    /// A sleeper.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(os: Os) -> Result<Arc<Waiter>> {
        let wakes = Mtx::new(os, c"drm waiter", 0)?;
        Arc::new(
            os,
            Waiter {
                wakes,
                cv: Condvar::new(os, c"drmwait")?,
            },
        )
    }

    /// How often it was woken; to be read before looking at what it waits for.
    pub fn count(&self) -> u64 {
        *self.wakes.lock()
    }

    /// Sleeps until the count is past `seen`.
    ///
    /// # Errors
    ///
    /// ETIMEDOUT, EINTR, ERESTART.
    pub fn wait_past(&self, seen: u64, caller: Option<&Caller<'_>>, deadline: u64) -> Result<()> {
        let mut wakes = self.wakes.lock();
        while *wakes == seen {
            self.cv.wait(&mut wakes, caller, deadline)?;
        }
        Ok(())
    }

    /// Wakes it.
    pub fn wake(&self) {
        let mut wakes = self.wakes.lock();
        // OVERFLOW: a sequence number, of which only a change counts.
        *wakes = wakes.wrapping_add(1);
        self.cv.broadcast();
    }
}

impl Hook for Waiter {
    fn signaled(&self, _token: u64) {
        self.wake();
    }
}

/// The absolute deadline that a user's signed nanoseconds mean: the past is now, and "poll" is zero.
pub fn user_deadline(timeout_ns: i64) -> u64 {
    u64::try_from(timeout_ns).unwrap_or(0)
}

/// Turns a time-out into `errno`; other errors stay.
pub fn timeout_as<T>(result: Result<T>, errno: Errno) -> Result<T> {
    result.map_err(|e| if e == ETIMEDOUT { errno } else { e })
}
