// SPDX-License-Identifier: BSD-2-Clause
//! The wait for sync objects, or points of them: for any one, or for all.

use crate::alloc::{Arc, Hook, KVec};
use crate::os::{Caller, Os};
use crate::sync::fence::{Fence, Hooked};
use crate::sync::fences::Fences;
use crate::sync::syncobj::inbox::{Inbox, Key};
use crate::sync::syncobj::object::{Found, Syncobj};
use crate::sync::syncobj::waiters::Ticket;
use crate::util::errno::{Result, EINVAL, ENOMEM, ETIME, ETIMEDOUT};
use crate::util::int_conv::{u64_of, usize_of_u32};
use crate::util::sorted_map::SortedMap;

/// What a wait waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitMode {
    /// All of them instead of any one.
    pub all: bool,
    /// Waits until an empty syncobj has a fence, and a timeline the point; otherwise that is an
    /// error.
    pub for_submit: bool,
    /// Waits until they have them, and not until these are signalled.
    pub available: bool,
}

impl WaitMode {
    /// Whether these fences end a wait.
    fn is_met(self, fences: &Fences) -> bool {
        self.available || fences.is_signaled()
    }
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
    /// For a fence or a point of the syncobj of this place, which lists the wait.
    Missing(u32, Option<Ticket>),
}

/// A wait that sleeps. A fence has one hook, however many places wait for it, and its signal costs
/// work for those places only; a place waits for one fence at a time.
struct Wait<'a> {
    syncobjs: &'a [Arc<Syncobj>],
    points: &'a [u64],
    mode: WaitMode,
    places: KVec<Place>,
    inbox: Arc<Inbox>,
    hook: Arc<dyn Hook>,
    /// By fence, or syncobj and point: the first place that waits for it.
    asleep: SortedMap<Key, (Reason, u32)>,
    /// How many places still wait.
    left: usize,
    /// The first place that no longer waits, or `NONE`.
    first: u32,
}

/// Sleeps until the fences of `syncobjs` at `points` (0 for those that are missing there) are
/// signalled, as `mode` requires. Returns the index of the first that was, or `u32::MAX` where
/// Linux leaves it unset (all are required, and none was signalled when the wait began).
///
/// # Errors
///
/// EINVAL if a syncobj is empty or does not have the point, and `mode` does not wait for that;
/// ETIME at `deadline` ns; EINTR, ERESTART, ENOMEM.
pub fn wait(
    os: Os,
    syncobjs: &[Arc<Syncobj>],
    points: &[u64],
    mode: WaitMode,
    caller: &Caller<'_>,
    deadline: u64,
) -> Result<u32> {
    if let [syncobj] = syncobjs {
        match syncobj.find(point_of(points, 0)) {
            Some(fences) if mode.is_met(&fences) => return Ok(0),
            Some(Fences::One(fence)) => return wait_for_one(&fence, mode, caller, deadline),
            _ => (),
        }
    }
    let mut places: KVec<Place> = KVec::with_capacity(os, syncobjs.len())?;
    let (mut all_met, mut first) = (true, NONE);
    for ((turn, index), b) in (0..syncobjs.len()).zip(0..NONE).zip(syncobjs) {
        caller.check_signals(turn)?;
        let fences = b.find(point_of(points, index));
        if fences.is_none() && !mode.for_submit && !mode.available {
            return Err(EINVAL);
        }
        if fences.as_ref().is_some_and(|f| mode.is_met(f)) {
            first = first.min(index);
        } else {
            all_met = false;
        }
        places.push(Place {
            fences,
            part: 0,
            next: NONE,
        })?;
    }
    if all_met || (!mode.all && first != NONE) {
        return Ok(first);
    }
    if deadline <= os.now() {
        return Err(ETIME);
    }
    let missing = places.iter().filter(|p| p.fences.is_none());
    // OVERFLOW: none, for there are at most as many as places.
    let missing = missing.fold(0, |n: usize, _| n.saturating_add(1));
    let inbox = Inbox::new(os, places.len(), missing)?;
    let mut wait = Wait {
        syncobjs,
        points,
        mode,
        left: places.len(),
        places,
        hook: inbox.clone().into_hook(),
        inbox,
        asleep: SortedMap::new(os),
        first: NONE,
    };
    let ended = wait.run(caller, deadline)?;
    Ok(if mode.all { first } else { ended })
}

/// The fences that a point of a syncobj ends with, as soon as there is that point (any fences, for
/// point 0).
///
/// # Errors
///
/// ETIME at `deadline` ns; EINTR, ERESTART, ENOMEM.
pub fn find_or_wait(
    os: Os,
    syncobj: &Arc<Syncobj>,
    point: u64,
    caller: &Caller<'_>,
    deadline: u64,
) -> Result<Fences> {
    let inbox = Inbox::new(os, 0, 1)?;
    let ticket = match syncobj.find_or_list(point, &inbox, (0, point))? {
        Found::Fences(fences) => return Ok(fences),
        Found::Listed(ticket) => ticket,
    };
    let slept = inbox.sleep(1, caller, deadline);
    syncobj.forget(ticket);
    let filled = inbox.events.lock().filled.pop();
    match (filled, slept) {
        (Some((_, fences)), _) => Ok(fences),
        (None, slept) => slept.and(Err(EINVAL)),
    }
}

/// The point of a place.
fn point_of(points: &[u64], index: u32) -> u64 {
    points.get(usize_of_u32(index)).copied().unwrap_or(0)
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
    fn run(&mut self, caller: &Caller<'_>, deadline: u64) -> Result<u32> {
        for (turn, index) in (0..self.places.len()).zip(0..NONE) {
            caller.check_signals(turn)?;
            self.advance(index)?;
        }
        let mut turn: usize = 0;
        loop {
            if self.left == 0 || (!self.mode.all && self.first != NONE) {
                return Ok(self.first);
            }
            // OVERFLOW: a number of turns, of which only the low bits count.
            turn = turn.wrapping_add(1);
            caller.check_signals(turn)?;
            // If all places are waited for, there is an event for each that sleeps: the thread
            // wakes once, however many syncobjs it waits for.
            let wanted = if self.mode.all { self.asleep.len() } else { 1 };
            self.inbox.sleep(wanted, caller, deadline)?;
            self.read_events(caller)?;
        }
    }

    /// Reads the events and advances the places that waited for them.
    fn read_events(&mut self, caller: &Caller<'_>) -> Result<()> {
        loop {
            let (key, fences) = {
                let mut events = self.inbox.events.lock();
                match events.ended.pop() {
                    Some(fence) => ((fence, 0), None),
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

    /// Makes a place wait for its first pending fence, or for its syncobj to have one.
    fn advance(&mut self, index: u32) -> Result<()> {
        let (Some(place), Some(b)) = (
            self.places.get_mut(usize_of_u32(index)),
            self.syncobjs.get(usize_of_u32(index)),
        ) else {
            return Ok(());
        };
        place.next = NONE;
        if place.fences.is_none() {
            let point = point_of(self.points, index);
            let key = (u64_of(Arc::address(b)), point);
            if let Some((_, head)) = self.asleep.get_mut(key) {
                place.next = core::mem::replace(head, index);
                return Ok(());
            }
            // Inserted first, so that nothing fails once the syncobj lists the wait: from then on,
            // `drop` removes it there.
            let reason = Reason::Missing(index, None);
            self.asleep.insert(key, (reason, index))?;
            match b.find_or_list(point, &self.inbox, key)? {
                Found::Fences(fences) => place.fences = Some(fences),
                Found::Listed(ticket) => {
                    if let Some((reason, _)) = self.asleep.get_mut(key) {
                        *reason = Reason::Missing(index, Some(ticket));
                    }
                    return Ok(());
                }
            }
            self.asleep.remove(key);
        }
        while let Some(part) = place
            .fences
            .as_ref()
            .filter(|_| !self.mode.available)
            .and_then(|f| f.parts().get(place.part))
        {
            if !part.is_signaled() {
                let token = u64_of(Arc::address(part));
                let key = (token, 0);
                if let Some((_, head)) = self.asleep.get_mut(key) {
                    place.next = core::mem::replace(head, index);
                    return Ok(());
                }
                if let Some(hooked) = Fence::hook(part, &self.hook, token)? {
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
        for (_, (reason, _)) in self.asleep.from((0, 0)) {
            if let Reason::Missing(index, Some(ticket)) = reason {
                if let Some(b) = self.syncobjs.get(usize_of_u32(*index)) {
                    b.forget(*ticket);
                }
            }
        }
    }
}
