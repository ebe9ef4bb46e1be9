// SPDX-License-Identifier: BSD-2-Clause
//! Fences: signalled exactly once, when some work ends.
//!
//! A `Fence` is shared by all waiters; its only `Signaler` belongs to the work. Dropping the
//! signaler signals ECANCELED, so every fence is signalled. Hooks run in the signaler's thread
//! (which may be an interrupt handler) with no lock held, and must not sleep.
//!
//! Several fences that are waited for as one are `Fences`: a flat list. No fence signals or drops
//! another, so neither a signal nor a drop recurses, however often fences are merged.

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
    /// The first hook: few fences have more than one.
    one: Option<(u64, Added)>,
    /// The other hooks, by key.
    more: SortedMap<u64, Added>,
}

/// A fence, as its waiters see it.
pub struct Fence {
    context: u64,
    seqno: u64,
    /// Set after `outcome`, never cleared: `is_signaled` without the lock.
    over: AtomicBool,
    state: Mtx<State>,
    _charge: Option<Charge>,
}

/// The right to signal a fence.
pub struct Signaler {
    os: Os,
    fence: Arc<Fence>,
}

/// The hooks of a signaled fence that were not called yet. Dropping this calls them.
pub struct PendingHooks {
    one: Option<Added>,
    more: SortedMap<u64, Added>,
}

/// A hook that was added to a fence. Dropping this removes the hook, which may be running, or be
/// one of [`PendingHooks`].
pub struct Hooked {
    fence: Arc<Fence>,
    key: u64,
}

assert_impl_all!(Fence: Send, Sync);
assert_impl_all!(Hooked: Send, Sync);
assert_impl_all!(Fences: Send, Sync);
// The thread that ends the work is not the one that made the fence.
assert_impl_all!(Signaler: Send);
// A fence is charged at least its size.
const_assert!(u64_of(size_of::<Fence>()) <= Fence::BYTES);

impl Fence {
    /// About how many bytes a fence takes.
    pub const BYTES: u64 = 256;

    /// Makes a fence with its seqno in a fence context (from `Os::unique`), the fences of which are
    /// signalled in order. The fence keeps `charge`.
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

    /// A fence that is signalled already.
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

    /// The fence context.
    pub fn context(&self) -> u64 {
        self.context
    }

    /// The seqno in the fence context.
    pub fn seqno(&self) -> u64 {
        self.seqno
    }

    /// Whether the fence is signalled, whatever the outcome.
    pub fn is_signaled(&self) -> bool {
        // ORDERING: pairs with the Release in `signal`: the effects of the work are visible.
        self.over.load(Ordering::Acquire)
    }

    /// The outcome of the work and when it ended, in ns; `None` if the fence is not signalled.
    pub fn outcome(&self) -> Option<(Result<()>, u64)> {
        let state = self.state.lock();
        state.outcome.map(|o| (o, state.when))
    }

    /// Adds a hook, which is called with `token` when the fence is signalled, unless the result is
    /// dropped before. Returns `None`, without a call, if the fence is signalled already.
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

    /// Sleeps until the fence is signalled.
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
    /// The fence of this signaler.
    pub fn fence(&self) -> &Arc<Fence> {
        &self.fence
    }

    /// Signals the fence.
    pub fn signal(self, outcome: Result<()>) {
        drop(self.signal_without_hooks(outcome));
    }

    /// Signals the fence, and leaves it to the caller when its hooks are called.
    pub(crate) fn signal_without_hooks(self, outcome: Result<()>) -> Option<PendingHooks> {
        self.finish(outcome)
    }

    fn finish(&self, outcome: Result<()>) -> Option<PendingHooks> {
        let (one, more) = {
            let mut state = self.fence.state.lock();
            if state.outcome.is_some() {
                return None;
            }
            state.outcome = Some(outcome);
            state.when = self.os.now();
            // ORDERING: everything that the work did is before the signal.
            self.fence.over.store(true, Ordering::Release);
            let more = core::mem::replace(&mut state.more, SortedMap::new(self.os));
            (state.one.take(), more)
        };
        Some(PendingHooks {
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

impl PendingHooks {
    /// Calls up to `count` hooks. True if none is left.
    pub(crate) fn call(&mut self, count: u32) -> bool {
        for _ in 0..count {
            let Some((hook, token)) = self.one.take().or_else(|| self.more.pop_first()) else {
                break;
            };
            hook.signaled(token);
        }
        self.one.is_none() && self.more.is_empty()
    }
}

impl Drop for PendingHooks {
    fn drop(&mut self) {
        while !self.call(u32::MAX) {}
    }
}

/// One or more fences that are waited for as one: those of a syncobj or a sync_file.
#[derive(Clone)]
pub enum Fences {
    /// A single one.
    One(Arc<Fence>),
    /// Several.
    Many(Arc<Merged>),
}

/// At most one fence of each fence context, in order of contexts.
pub struct Merged {
    parts: KVec<Arc<Fence>>,
    _charge: Charge,
}

impl Fences {
    /// The most fences that are waited for as one.
    pub const MAX: usize = 1024;

    /// The fences, in order of fence contexts.
    pub fn parts(&self) -> &[Arc<Fence>] {
        match self {
            Fences::One(fence) => core::slice::from_ref(fence),
            Fences::Many(merged) => &merged.parts,
        }
    }

    /// Whether all of them are signalled.
    pub fn is_signaled(&self) -> bool {
        self.parts().iter().all(|f| f.is_signaled())
    }

    /// The outcome of all: that of the first one that failed, if one did; `None` while one is not
    /// signalled.
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

    /// The fences of both, charged to `account`: of each fence context the later one. Those that
    /// were signalled without error are left out, as in Linux's dma_fence_unwrap_merge(); failed
    /// ones are not.
    ///
    /// # Errors
    ///
    /// ENOMEM, also if there are more than `MAX`.
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
        // None failed: the last of them has the time.
        let all = a.parts().iter().chain(b.parts());
        let last = all.max_by_key(|f| f.outcome().map_or(0, |(_, when)| when));
        last.cloned().map(Fences::One).ok_or(ENOMEM)
    }
}

/// A set of fences: of each fence context the latest that was added.
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

    /// Adds a fence.
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

    /// Adds a fence unless it is signalled.
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

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_context.is_empty()
    }

    /// All of them, in order of fence contexts.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Fence>> {
        self.by_context.from(0).map(|(_, fence)| fence)
    }

    /// All of them as one, charged to `account`; `None` if there are none.
    ///
    /// # Errors
    ///
    /// ENOMEM, also if there are more than `Fences::MAX`.
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

/// A thread that sleeps until any of a number of fences and syncobjs wakes it.
pub struct Waiter {
    wakes: Mtx<u64>,
    cv: Condvar,
}

impl Waiter {
    /// A waiter with a count of 0.
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

    /// How often it was woken; to be read before the condition that it waits for.
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

/// Converts a user's absolute time-out in signed ns to a deadline: a negative one has passed.
pub fn user_deadline(timeout_ns: i64) -> u64 {
    u64::try_from(timeout_ns).unwrap_or(0)
}

/// Replaces ETIMEDOUT by `errno`; other errors stay.
pub fn timeout_as<T>(result: Result<T>, errno: Errno) -> Result<T> {
    result.map_err(|e| if e == ETIMEDOUT { errno } else { e })
}
