// SPDX-License-Identifier: BSD-2-Clause
//! The wait for sync objects: for any one of them, or for all.

use crate::alloc::{Arc, Hook, KVec};
use crate::os::{Caller, Condvar, Mtx, Os};
use crate::sync::fence::{Fence, Hooked};
use crate::sync::fences::Fences;
use crate::sync::syncobj::inbox::{Events, Inbox};
use crate::sync::syncobj::object::Syncobj;
use crate::util::errno::{Result, EINVAL, ENOMEM, ETIME, ETIMEDOUT};
use crate::util::int_conv::{u64_of, usize_of_u32};
use crate::util::sorted_map::SortedMap;

/// What a wait waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitMode {
    /// All of them instead of any one.
    pub all: bool,
    /// Waits until an empty syncobj has a fence; otherwise it is an error.
    pub for_submit: bool,
}

/// One place of a wait: the fences of its syncobj, the first that may be pending, and the next
/// place that waits for the same.
struct Place {
    fences: Option<Fences>,
    part: usize,
    next: u32,
}

/// No place.
const NONE: u32 = u32::MAX;

/// Why places sleep.
enum Reason {
    /// For a fence, with this hook.
    Pending(#[expect(dead_code, reason = "held for its drop")] Hooked),
    /// For the empty syncobj of this place.
    Empty(u32),
}

/// A wait that sleeps. A fence has one hook, however many places wait for it, and its signal costs
/// work for those places only; a place waits for one fence at a time.
struct Wait<'a> {
    syncobjs: &'a [Arc<Syncobj>],
    places: KVec<Place>,
    inbox: Arc<Inbox>,
    hook: Arc<dyn Hook>,
    /// By the address of the fence or syncobj: the first place that waits for it.
    asleep: SortedMap<u64, (Reason, u32)>,
    /// How many places still wait.
    left: usize,
    /// The first place that no longer waits, or `NONE`.
    first: u32,
}

/// Sleeps until the fences of `syncobjs` are signalled, as `mode` requires. Returns the index of
/// the first that was, or `u32::MAX` where Linux leaves it unset (all are required, and none was
/// signalled when the wait began).
///
/// # Errors
///
/// EINVAL if a syncobj is empty and `mode` does not wait for that; ETIME at `deadline` ns; EINTR,
/// ERESTART, ENOMEM.
pub fn wait(
    os: Os,
    syncobjs: &[Arc<Syncobj>],
    mode: WaitMode,
    caller: &Caller<'_>,
    deadline: u64,
) -> Result<u32> {
    if let [syncobj] = syncobjs {
        if let Some(Fences::One(fence)) = syncobj.fences() {
            return wait_for_one(&fence, mode, caller, deadline);
        }
    }
    let mut places: KVec<Place> = KVec::with_capacity(os, syncobjs.len())?;
    let (mut all_signaled, mut first) = (true, NONE);
    for ((turn, index), b) in (0..syncobjs.len()).zip(0..NONE).zip(syncobjs) {
        caller.check_signals(turn)?;
        let fences = b.fences();
        if fences.is_none() && !mode.for_submit {
            return Err(EINVAL);
        }
        if fences.as_ref().is_some_and(Fences::is_signaled) {
            first = first.min(index);
        } else {
            all_signaled = false;
        }
        places.push(Place {
            fences,
            part: 0,
            next: NONE,
        })?;
    }
    if all_signaled || (!mode.all && first != NONE) {
        return Ok(first);
    }
    if deadline <= os.now() {
        return Err(ETIME);
    }
    let empty = places.iter().filter(|p| p.fences.is_none());
    // OVERFLOW: none, for there are at most as many as places.
    let empty = empty.fold(0, |n: usize, _| n.saturating_add(1));
    let events = Events {
        ended: KVec::with_capacity(os, places.len())?,
        filled: KVec::with_capacity(os, empty)?,
        wanted: 1,
    };
    let inbox = Arc::new(
        os,
        Inbox {
            events: Mtx::new(os, c"drm waiter", events)?,
            cv: Condvar::new(os, c"drmwait")?,
        },
    )?;
    let mut wait = Wait {
        syncobjs,
        left: places.len(),
        places,
        hook: inbox.clone().into_hook(),
        inbox,
        asleep: SortedMap::new(os),
        first: NONE,
    };
    let ended = wait.run(mode, caller, deadline)?;
    Ok(if mode.all { first } else { ended })
}

/// `wait` for a single fence.
fn wait_for_one(fence: &Fence, mode: WaitMode, caller: &Caller<'_>, deadline: u64) -> Result<u32> {
    if fence.is_signaled() {
        return Ok(0);
    }
    match fence.wait(Some(caller), deadline) {
        Err(e) if e == ETIMEDOUT => return Err(ETIME),
        other => other?,
    }
    Ok(if mode.all { NONE } else { 0 })
}

impl Wait<'_> {
    /// Sleeps; returns the first place that no longer waits.
    fn run(&mut self, mode: WaitMode, caller: &Caller<'_>, deadline: u64) -> Result<u32> {
        for (turn, index) in (0..self.places.len()).zip(0..NONE) {
            caller.check_signals(turn)?;
            self.advance(index)?;
        }
        let mut turn: usize = 0;
        loop {
            if self.left == 0 || (!mode.all && self.first != NONE) {
                return Ok(self.first);
            }
            // OVERFLOW: a number of turns, of which only the low bits count.
            turn = turn.wrapping_add(1);
            caller.check_signals(turn)?;
            self.sleep(mode, caller, deadline)?;
            self.read_events(caller)?;
        }
    }

    /// Sleeps until there is an event or, if all places are waited for, until there is one for each
    /// that sleeps: the thread wakes once, however many syncobjs it waits for.
    fn sleep(&self, mode: WaitMode, caller: &Caller<'_>, deadline: u64) -> Result<()> {
        let mut events = self.inbox.events.lock();
        events.wanted = if mode.all { self.asleep.len() } else { 1 };
        while !events.are_enough() {
            match self.inbox.cv.wait(&mut events, Some(caller), deadline) {
                Err(e) if e == ETIMEDOUT => return Err(ETIME),
                other => other?,
            }
        }
        Ok(())
    }

    /// Reads the events and advances the places that waited for them.
    fn read_events(&mut self, caller: &Caller<'_>) -> Result<()> {
        loop {
            let (key, fences) = {
                let mut events = self.inbox.events.lock();
                match events.ended.pop() {
                    Some(key) => (key, None),
                    None => match events.filled.pop() {
                        Some((key, fences)) => (key, Some(fences)),
                        None => return Ok(()),
                    },
                }
            };
            let mut next = self.asleep.remove(key).map_or(NONE, |(_, head)| head);
            let mut turn: usize = 0;
            while let Some(place) = self.places.get_mut(usize_of_u32(next)) {
                let index = core::mem::replace(&mut next, place.next);
                if place.fences.is_none() {
                    place.fences = fences.clone();
                }
                // OVERFLOW: as in `run`.
                turn = turn.wrapping_add(1);
                caller.check_signals(turn)?;
                self.advance(index)?;
            }
        }
    }

    /// Makes a place wait for its first pending fence, or for its empty syncobj.
    fn advance(&mut self, index: u32) -> Result<()> {
        let (Some(place), Some(b)) = (
            self.places.get_mut(usize_of_u32(index)),
            self.syncobjs.get(usize_of_u32(index)),
        ) else {
            return Ok(());
        };
        place.next = NONE;
        if place.fences.is_none() {
            let key = u64_of(Arc::address(b));
            if let Some((_, head)) = self.asleep.get_mut(key) {
                place.next = core::mem::replace(head, index);
                return Ok(());
            }
            // Listed first: from here on, `drop` removes the wait from the syncobj.
            self.asleep.insert(key, (Reason::Empty(index), index))?;
            place.fences = b.fences_or_wait(&self.inbox, key)?;
            if place.fences.is_none() {
                return Ok(());
            }
            self.asleep.remove(key);
        }
        while let Some(part) = place
            .fences
            .as_ref()
            .and_then(|f| f.parts().get(place.part))
        {
            if !part.is_signaled() {
                let key = u64_of(Arc::address(part));
                if let Some((_, head)) = self.asleep.get_mut(key) {
                    place.next = core::mem::replace(head, index);
                    return Ok(());
                }
                if let Some(hooked) = Fence::hook(part, &self.hook, key)? {
                    return self.asleep.insert(key, (Reason::Pending(hooked), index));
                }
            }
            place.part = place.part.checked_add(1).ok_or(ENOMEM)?;
        }
        // OVERFLOW: saturates; a place is subtracted once.
        self.left = self.left.saturating_sub(1);
        self.first = self.first.min(index);
        Ok(())
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        for (_, (reason, _)) in self.asleep.from(0) {
            if let Reason::Empty(index) = reason {
                if let Some(b) = self.syncobjs.get(usize_of_u32(*index)) {
                    b.forget(&self.inbox);
                }
            }
        }
    }
}
