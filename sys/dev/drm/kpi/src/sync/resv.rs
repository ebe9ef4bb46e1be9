// SPDX-License-Identifier: BSD-2-Clause
//! The reservation object of a buffer: the fences that its next user waits for.
//!
//! One pending fence per fence context and usage is enough, because those of a context are
//! signalled in order; a list has at most `MAX`. It changes only while its reservation is held.
//! `mem::reservation` holds those of several buffers.

use crate::alloc::{Arc, KVec};
use crate::os::{Caller, Mtx, Os, NEVER};
use crate::sync::fence::Fence;
use crate::sync::fences::{FenceSet, Fences};
use crate::sync::waiter::Waiter;
use crate::util::errno::{Result, ENOMEM};

/// The most fences of a buffer. A user of a buffer with a full list waits until one is signalled.
const MAX: usize = 1024;

/// The most fences of a buffer after an import of a sync_file's, so that there is room for users.
const MAX_IMPORTED: usize = MAX / 2;

/// How a job uses a buffer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Usage {
    /// It reads: others may read at the same time.
    Read,
    /// It writes: no other job may use the buffer at the same time.
    Write,
}

impl Usage {
    /// Whether a user of this kind waits for one of kind `theirs`.
    fn waits_for(self, theirs: Usage) -> bool {
        self == Usage::Write || theirs == Usage::Write
    }
}

struct State {
    /// In order of fence contexts, then of usages.
    fences: KVec<(Arc<Fence>, Usage)>,
    held: bool,
    /// The waiters for the reservation, in order. One with a count other than 0 has been given it.
    turns: KVec<Arc<Waiter>>,
}

impl State {
    fn find(&self, fence: &Fence, usage: Usage) -> core::result::Result<usize, usize> {
        let key = (fence.context(), usage);
        self.fences
            .binary_search_by_key(&key, |(f, u)| (f.context(), *u))
    }

    /// Drops signalled fences, makes room for one more, and adds those that a user of kind `usage`
    /// waits for to `waits`. If the list is full, returns a fence to wait for.
    fn prepare(
        &mut self,
        usage: Usage,
        waits: Option<&mut FenceSet>,
    ) -> Result<Option<Arc<Fence>>> {
        // A single one is mostly of the same fence context, and `add` replaces it.
        if self.fences.len() > 1 {
            self.fences.retain(|(f, _)| !f.is_signaled());
        }
        if self.fences.len() >= MAX {
            return Ok(self.fences.first().map(|(f, _)| f.clone()));
        }
        self.fences.reserve(1)?;
        if let Some(waits) = waits {
            self.pending(usage).try_for_each(|f| waits.add(f))?;
        }
        Ok(None)
    }

    /// Adds the fence of a user; does not fail if there is room.
    fn add(&mut self, fence: &Arc<Fence>, usage: Usage) -> Result<()> {
        if let [(only, theirs)] = self.fences.as_mut_slice() {
            // Mostly the same client has used the buffer before.
            if only.context() == fence.context() && *theirs == usage {
                if only.seqno() < fence.seqno() {
                    *only = fence.clone();
                }
                return Ok(());
            }
        }
        match self.find(fence, usage) {
            Ok(index) => {
                let earlier = self.fences.get_mut(index);
                // An import may have added one of the same fence context that is not the latest.
                if let Some(earlier) = earlier.filter(|(f, _)| f.seqno() < fence.seqno()) {
                    earlier.0 = fence.clone();
                }
                Ok(())
            }
            Err(_) => {
                self.fences.retain(|(f, _)| !f.is_signaled());
                let index = self.find(fence, usage).unwrap_or_else(|index| index);
                self.fences.insert(index, (fence.clone(), usage))
            }
        }
    }

    /// Releases the reservation, or gives it to the waiter that it returns.
    fn pass_on(&mut self) -> Option<Arc<Waiter>> {
        let next = self.turns.remove(0);
        self.held = next.is_some();
        next
    }

    /// The fences that a user of kind `usage` waits for.
    fn pending(&self, usage: Usage) -> impl Iterator<Item = &Arc<Fence>> {
        let waits =
            move |(f, theirs): &&(Arc<Fence>, Usage)| usage.waits_for(*theirs) && !f.is_signaled();
        self.fences.iter().filter(waits).map(|(f, _)| f)
    }
}

/// The fences of a buffer.
pub struct Resv {
    state: Mtx<State>,
}

impl Resv {
    /// No fences.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(os: Os) -> Result<Resv> {
        let state = State {
            fences: KVec::new(os),
            held: false,
            turns: KVec::new(os),
        };
        Ok(Resv {
            state: Mtx::new(os, c"drm resv", state)?,
        })
    }

    /// Takes the reservation for a user of kind `usage`, and makes room for its fence. Adds the
    /// fences that it waits for to `waits`, if that is given. If the list is full, returns a fence
    /// to wait for after the release.
    ///
    /// # Errors
    ///
    /// EINTR, ERESTART, ENOMEM; the reservation is not taken then.
    pub(crate) fn take(
        &self,
        os: Os,
        caller: &Caller<'_>,
        usage: Usage,
        waits: Option<&mut FenceSet>,
    ) -> Result<Option<Arc<Fence>>> {
        let mut state = self.state.lock();
        if core::mem::replace(&mut state.held, true) {
            drop(state);
            self.wait_for_turn(os, caller)?;
            state = self.state.lock();
        }
        let prepared = state.prepare(usage, waits);
        drop(state);
        if prepared.is_err() {
            self.release();
        }
        prepared
    }

    fn hold(&self, os: Os, caller: &Caller<'_>) -> Result<()> {
        if core::mem::replace(&mut self.state.lock().held, true) {
            return self.wait_for_turn(os, caller);
        }
        Ok(())
    }

    /// Waits until the thread that holds the reservation passes it on.
    fn wait_for_turn(&self, os: Os, caller: &Caller<'_>) -> Result<()> {
        let turn = Waiter::new(os)?;
        {
            let mut state = self.state.lock();
            if !state.held {
                state.held = true;
                return Ok(());
            }
            state.turns.push(turn.clone())?;
        }
        let waited = turn.wait_past(0, Some(caller), NEVER);
        if waited.is_err() {
            let mut state = self.state.lock();
            let place = state.turns.iter().position(|t| Arc::ptr_eq(t, &turn));
            // If it is not in the list, it has been given the reservation.
            if let Some(place) = place {
                state.turns.remove(place);
                return waited;
            }
        }
        Ok(())
    }

    /// Passes the reservation to the waiter that has waited longest.
    pub(crate) fn release(&self) {
        let next = self.state.lock().pass_on();
        if let Some(next) = next {
            next.wake();
        }
    }

    /// Adds the fence of the user that holds the reservation, for which `take` has made room, and
    /// passes the reservation on.
    pub(crate) fn publish(&self, fence: &Arc<Fence>, usage: Usage) {
        let next = {
            let mut state = self.state.lock();
            // There is room.
            let _ = state.add(fence, usage);
            state.pass_on()
        };
        if let Some(next) = next {
            next.wake();
        }
    }

    /// Makes room for all of `fences`, or fails.
    fn room_for(&self, fences: &Fences, usage: Usage) -> Result<()> {
        let mut state = self.state.lock();
        state.fences.retain(|(f, _)| !f.is_signaled());
        let new = |f: &Arc<Fence>| usize::from(state.find(f, usage).is_err());
        // OVERFLOW: saturates, above MAX_IMPORTED.
        let more = fences
            .parts()
            .iter()
            .map(new)
            .fold(0, usize::saturating_add);
        let all = state.fences.len().checked_add(more);
        if all.is_none_or(|all| all > MAX_IMPORTED) {
            return Err(ENOMEM);
        }
        state.fences.reserve(more)
    }

    /// Makes later users wait for `fences`, as for a user of kind `usage`.
    ///
    /// # Errors
    ///
    /// ENOMEM, also if the buffer has too many fences; EINTR, ERESTART. Nothing is changed then.
    pub(crate) fn import(
        &self,
        os: Os,
        caller: &Caller<'_>,
        fences: &Fences,
        usage: Usage,
    ) -> Result<()> {
        self.hold(os, caller)?;
        let added = self.room_for(fences, usage).and_then(|()| {
            let pending = fences.parts().iter().filter(|f| !f.is_signaled());
            // There is room.
            let mut state = self.state.lock();
            pending.into_iter().try_for_each(|f| state.add(f, usage))
        });
        self.release();
        added
    }

    /// The fences that a user of kind `usage` waits for now.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn pending(&self, os: Os, usage: Usage) -> Result<FenceSet> {
        let mut set = FenceSet::new(os);
        let state = self.state.lock();
        state.pending(usage).try_for_each(|f| set.add(f))?;
        Ok(set)
    }

    /// One of the fences that a user of kind `usage` waits for now.
    pub fn first_pending(&self, usage: Usage) -> Option<Arc<Fence>> {
        self.state.lock().pending(usage).next().cloned()
    }

    /// Whether a user of kind `usage` does not wait.
    pub fn is_idle(&self, usage: Usage) -> bool {
        self.state.lock().pending(usage).next().is_none()
    }

    /// Sleeps until the fences are signalled that a user of kind `usage` waits for now.
    ///
    /// # Errors
    ///
    /// ETIMEDOUT, EINTR, ERESTART, ENOMEM.
    pub fn wait(
        &self,
        os: Os,
        usage: Usage,
        caller: Option<&Caller<'_>>,
        deadline: u64,
    ) -> Result<()> {
        let (first, has_more) = {
            let state = self.state.lock();
            let mut pending = state.pending(usage);
            (pending.next().cloned(), pending.next().is_some())
        };
        match first {
            None => return Ok(()),
            Some(only) if !has_more => return only.wait(caller, deadline),
            Some(_) => (),
        }
        for fence in self.pending(os, usage)?.iter() {
            fence.wait(caller, deadline)?;
        }
        Ok(())
    }
}
