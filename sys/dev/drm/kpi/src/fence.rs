// SPDX-License-Identifier: BSD-2-Clause
//! Fences: a promise that some work will end, kept exactly once.
//!
//! A `Fence` is shared by all who wait; its one `Signaler` belongs to the work. A signaler that is
//! dropped signals ECANCELED, so no fence is ever lost. Hooks run in the signaller's thread (which may be
//! an interrupt handler) with no lock held, so they must not sleep.

use crate::alloc::{Arc, KVec};
use crate::errno::{Errno, Result, ECANCELED, ETIMEDOUT};
use crate::os::{Caller, Condvar, Mtx, Os};
use core::sync::atomic::{AtomicBool, Ordering};

/// What is told of the end of fences. `token` is what the hook was added with.
pub trait Hook: Send + Sync {
    /// A fence has been signaled; must not sleep.
    fn signaled(&self, token: u64);
}

struct State {
    outcome: Option<Result<()>>,
    when: u64,
    hooks: KVec<(Arc<dyn Hook>, u64)>,
}

/// The shared half of a promise.
pub struct Fence {
    context: u64,
    seqno: u64,
    /// Set after `outcome`, never cleared: the fast answer to "is it over".
    over: AtomicBool,
    state: Mtx<State>,
}

/// The half that keeps the promise.
pub struct Signaler {
    os: Os,
    fence: Arc<Fence>,
}

impl Fence {
    /// A fence, number `seqno` of a timeline `context` (from `Os::unique`) whose fences end in order.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn promise(os: Os, context: u64, seqno: u64) -> Result<Signaler> {
        let state = State {
            outcome: None,
            when: 0,
            hooks: KVec::new(os),
        };
        let state = Mtx::new(os, c"drm fence", state)?;
        let fence = Arc::new(
            os,
            Fence {
                context,
                seqno,
                over: AtomicBool::new(false),
                state,
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
        let signaler = Fence::promise(os, os.unique(), 1)?;
        let fence = signaler.fence().clone();
        signaler.signal(Ok(()));
        Ok(fence)
    }

    /// A fence that is over when all of `fences` are.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn all(os: Os, fences: &[Arc<Fence>]) -> Result<Arc<Fence>> {
        if let [only] = fences {
            return Ok(only.clone());
        }
        let signaler = Fence::promise(os, os.unique(), 1)?;
        let fence = signaler.fence().clone();
        let state = Mtx::new(os, c"drm fence array", (fences.len(), Some(signaler)))?;
        let merge = Arc::new(os, Merge { state })?;
        for f in fences {
            if !f.add_hook(&merge.clone().into_hook(), 0)? {
                merge.signaled(0);
            }
        }
        if fences.is_empty() {
            merge.finish();
        }
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

    /// Has `hook` told when the fence is signaled. False, and not told, when it is already.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn add_hook(&self, hook: &Arc<dyn Hook>, token: u64) -> Result<bool> {
        let mut state = self.state.lock();
        if state.outcome.is_some() {
            return Ok(false);
        }
        state.hooks.push((hook.clone(), token))?;
        Ok(true)
    }

    /// Forgets a hook that was not told yet.
    pub fn remove_hook(&self, hook: &Arc<dyn Hook>, token: u64) {
        let removed = {
            let mut state = self.state.lock();
            let found = state
                .hooks
                .iter()
                .position(|(h, t)| Arc::ptr_eq(h, hook) && *t == token);
            found.and_then(|i| state.hooks.swap_remove(i))
        };
        drop(removed);
    }

    /// Sleeps until the fence is signaled.
    ///
    /// # Errors
    ///
    /// ETIMEDOUT at `deadline` ns, EINTR or ERESTART by a signal to `caller`, ENOMEM.
    pub fn wait(&self, os: Os, caller: Option<&Caller<'_>>, deadline: u64) -> Result<()> {
        if self.is_signaled() {
            return Ok(());
        }
        if deadline <= os.now() {
            return Err(ETIMEDOUT);
        }
        let waiter = Waiter::new(os)?;
        let hook = waiter.clone().into_hook();
        if !self.add_hook(&hook, 0)? {
            return Ok(());
        }
        let result = loop {
            let seen = waiter.count();
            if self.is_signaled() {
                break Ok(());
            }
            if let Err(e) = waiter.wait_past(seen, caller, deadline) {
                break if self.is_signaled() { Ok(()) } else { Err(e) };
            }
        };
        self.remove_hook(&hook, 0);
        result
    }
}

impl Signaler {
    /// The fence that this will signal.
    pub fn fence(&self) -> &Arc<Fence> {
        &self.fence
    }

    /// Keeps the promise.
    pub fn signal(self, outcome: Result<()>) {
        self.finish(outcome);
    }

    fn finish(&self, outcome: Result<()>) {
        let hooks = {
            let mut state = self.fence.state.lock();
            if state.outcome.is_some() {
                return;
            }
            state.outcome = Some(outcome);
            state.when = self.os.now();
            // ORDERING: everything the work did is before its end.
            self.fence.over.store(true, Ordering::Release);
            core::mem::replace(&mut state.hooks, KVec::new(self.os))
        };
        for (hook, token) in hooks.iter() {
            hook.signaled(*token);
        }
    }
}

impl Drop for Signaler {
    fn drop(&mut self) {
        self.finish(Err(ECANCELED));
    }
}

/// Counts down the fences of an array.
struct Merge {
    state: Mtx<(usize, Option<Signaler>)>,
}

impl Merge {
    fn finish(&self) {
        let signaler = self.state.lock().1.take();
        if let Some(s) = signaler {
            s.signal(Ok(()));
        }
    }
}

impl Hook for Merge {
    fn signaled(&self, _token: u64) {
        let last = {
            let mut state = self.state.lock();
            state.0 = state.0.saturating_sub(1);
            state.0 == 0
        };
        if last {
            self.finish();
        }
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
