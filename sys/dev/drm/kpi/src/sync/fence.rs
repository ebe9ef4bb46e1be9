// SPDX-License-Identifier: BSD-2-Clause
//! Fences: signalled exactly once, when some work ends.
//!
//! A `Fence` is shared by all waiters; its only `Signaler` belongs to the work. Dropping the
//! signaler signals ECANCELED, so every fence is signalled. Hooks run in the signaler's thread
//! (which may be an interrupt handler) with no lock held, and must not sleep.
//!
//! No fence signals or drops another, so neither a signal nor a drop recurses.

use crate::alloc::{Arc, Hook};
use crate::os::{Caller, Os, Pooled};
use crate::util::account::Charge;
use crate::util::errno::{Result, ECANCELED};
use crate::util::int_conv::u64_of;
use crate::util::sorted_map::SortedMap;
use core::sync::atomic::{AtomicBool, Ordering};
use static_assertions::{assert_impl_all, const_assert};

type Added = (Arc<dyn Hook>, u64);

struct State {
    outcome: Option<Result<()>>,
    when: u64,
    /// The number of threads in `Fence::wait`.
    waiting: u32,
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
    state: Pooled<State>,
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
            waiting: 0,
            next: 0,
            one: None,
            more: SortedMap::new(os),
        };
        // Neighbours of a fence context differ, and so do the first fences of many.
        // OVERFLOW: wraps: a key.
        let state = Pooled::new(os, context.wrapping_add(seqno), state);
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
    /// ETIMEDOUT at `deadline` ns, EINTR or ERESTART by a signal to `caller`.
    pub fn wait(&self, caller: Option<&Caller<'_>>, deadline: u64) -> Result<()> {
        if self.is_signaled() {
            return Ok(());
        }
        let mut state = self.state.lock();
        // OVERFLOW: none: a number of threads.
        state.waiting = state.waiting.saturating_add(1);
        let mut woken = Ok(());
        while state.outcome.is_none() && woken.is_ok() {
            woken = self.state.wait(&mut state, caller, deadline);
        }
        // OVERFLOW: none, as above.
        state.waiting = state.waiting.saturating_sub(1);
        match state.outcome {
            Some(_) => Ok(()),
            None => woken,
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
        drop(self.finish(outcome, self.os.now()));
    }

    /// Signals the fence of work that ended at `when`, in ns, and leaves it to the caller when its
    /// hooks are called, if it has any.
    pub(crate) fn signal_without_hooks(
        self,
        outcome: Result<()>,
        when: u64,
    ) -> Option<PendingHooks> {
        self.finish(outcome, when)
    }

    fn finish(&self, outcome: Result<()>, when: u64) -> Option<PendingHooks> {
        let (one, more) = {
            let mut state = self.fence.state.lock();
            if state.outcome.is_some() {
                return None;
            }
            state.outcome = Some(outcome);
            state.when = when;
            // ORDERING: everything that the work did is before the signal.
            self.fence.over.store(true, Ordering::Release);
            if state.waiting != 0 {
                self.fence.state.wake();
            }
            // Also if it is empty: the room that it had for hooks goes with it.
            let more = core::mem::replace(&mut state.more, SortedMap::new(self.os));
            (state.one.take(), more)
        };
        if one.is_none() && more.is_empty() {
            return None;
        }
        Some(PendingHooks {
            one: one.map(|(_, added)| added),
            more,
        })
    }
}

impl Drop for Signaler {
    fn drop(&mut self) {
        if !self.fence.is_signaled() {
            drop(self.finish(Err(ECANCELED), self.os.now()));
        }
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

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use drm_os_host::{Config, World};
    use std::vec::Vec;

    struct Ignored;

    impl Hook for Ignored {
        fn signaled(&self, _: u64) {}
    }

    /// Catches: the room for hooks that are gone, which stays as long as the signaled fence does.
    #[test]
    fn a_signaled_fence_has_no_room_for_hooks() {
        let world = World::new(Config::default());
        let os = Os::of_world(&world);
        let hook = Arc::new(os, Ignored).unwrap().into_hook();
        let signaled_after = |hooks: u64| {
            let before = world.counters().malloc_bytes;
            let signaler = Fence::promise(os, 1, 1, None).unwrap();
            let fence = signaler.fence().clone();
            let added = |n| Fence::hook(&fence, &hook, n).unwrap().unwrap();
            drop((0..hooks).map(added).collect::<Vec<_>>());
            signaler.signal(Ok(()));
            world.counters().malloc_bytes.abs_diff(before)
        };
        assert_eq!(signaled_after(10_000), signaled_after(0));
    }
}
