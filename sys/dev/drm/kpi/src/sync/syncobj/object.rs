// SPDX-License-Identifier: BSD-2-Clause
//! Binary sync objects (syncobjs): a holder of at most one fence (or several that are waited for as
//! one), shared by handle or descriptor.

use crate::alloc::{Arc, Hook, KVec};
use crate::os::{Caller, Condvar, FdFlags, FileRef, Mtx, NewFile, Os, PlainFile};
use crate::sync::fence::{Fence, Hooked};
use crate::sync::fences::Fences;
use crate::util::account::{Account, Charge};
use crate::util::errno::{Result, EINVAL, ENOMEM, ETIME, ETIMEDOUT};
use crate::util::int_conv::{u64_of, usize_of_u32};
use crate::util::sorted_map::SortedMap;
use static_assertions::{assert_impl_all, const_assert};

struct State {
    fences: Option<Fences>,
    /// The waits that are sent the next fences, with their key of this syncobj.
    waiters: KVec<(Arc<Inbox>, u64)>,
}

/// A sync object.
pub struct Syncobj {
    os: Os,
    state: Mtx<State>,
    _charge: Charge,
}

/// A syncobj with a descriptor.
pub(crate) struct SyncobjFile {
    syncobj: Arc<Syncobj>,
    _charge: Charge,
}

impl PlainFile for SyncobjFile {}

/// What a wait waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitMode {
    /// All of them instead of any one.
    pub all: bool,
    /// Waits until an empty syncobj has a fence; otherwise it is an error.
    pub for_submit: bool,
}

/// About how many bytes a syncobj takes, or a descriptor of one, with a fence that nothing else
/// holds.
const BYTES: u64 = 512;

assert_impl_all!(Syncobj: Send, Sync);
const_assert!(u64_of(size_of::<Syncobj>()) <= BYTES);

impl Syncobj {
    /// A syncobj with `fences`, charged to `account`.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(os: Os, account: &Arc<Account>, fences: Option<Fences>) -> Result<Arc<Syncobj>> {
        let _charge = Charge::new(account, BYTES)?;
        let state = State {
            fences,
            waiters: KVec::new(os),
        };
        Arc::new(
            os,
            Syncobj {
                os,
                state: Mtx::new(os, c"drm syncobj", state)?,
                _charge,
            },
        )
    }

    /// Its fences.
    pub fn fences(&self) -> Option<Fences> {
        self.state.lock().fences.clone()
    }

    /// Replaces its fences. The waits for an empty syncobj are sent the new ones, even if those are
    /// replaced again.
    pub fn replace(&self, fences: Option<Fences>) {
        let (old, waiters) = {
            let mut state = self.state.lock();
            let waiters = match fences {
                Some(_) => core::mem::replace(&mut state.waiters, KVec::new(self.os)),
                None => KVec::new(self.os),
            };
            (
                core::mem::replace(&mut state.fences, fences.clone()),
                waiters,
            )
        };
        drop(old);
        if let Some(fences) = fences {
            for (inbox, key) in waiters.iter() {
                // `Inbox` has room.
                inbox.put(|events| _ = events.filled.try_push((*key, fences.clone())));
            }
        }
    }

    /// Its fences; if there are none, `inbox` is sent the next ones, with `key`.
    fn fences_or_wait(&self, inbox: &Arc<Inbox>, key: u64) -> Result<Option<Fences>> {
        let mut state = self.state.lock();
        if state.fences.is_none() {
            state.waiters.push((inbox.clone(), key))?;
        }
        Ok(state.fences.clone())
    }

    fn forget(&self, inbox: &Arc<Inbox>) {
        let removed = {
            let mut state = self.state.lock();
            let found = state
                .waiters
                .iter()
                .position(|(w, _)| Arc::ptr_eq(w, inbox));
            found.and_then(|i| state.waiters.swap_remove(i))
        };
        drop(removed);
    }

    /// Makes a close-on-exec descriptor of the syncobj for `caller`, charged to `account`.
    ///
    /// # Errors
    ///
    /// ENOMEM, EMFILE.
    pub fn export(
        this: &Arc<Self>,
        os: Os,
        account: &Arc<Account>,
        caller: &Caller<'_>,
    ) -> Result<i32> {
        let content = SyncobjFile {
            syncobj: this.clone(),
            _charge: Charge::new(account, BYTES)?,
        };
        NewFile::new(os, Arc::new(os, content)?)?.install(caller, FdFlags::CLOEXEC)
    }

    /// The syncobj of a descriptor.
    ///
    /// # Errors
    ///
    /// EINVAL if it is not one of a syncobj.
    pub fn import(caller: &Caller<'_>, fd: i32) -> Result<Arc<Syncobj>> {
        let file = FileRef::<SyncobjFile>::get(caller, fd).map_err(|_| EINVAL)?;
        Ok(file.syncobj.clone())
    }
}

/// The events of a wait: signalled fences, and fences of syncobjs that were empty. It has room from
/// the start for all events between two reads.
struct Inbox {
    events: Mtx<Events>,
    cv: Condvar,
}

struct Events {
    ended: KVec<u64>,
    filled: KVec<(u64, Fences)>,
    /// With fewer events the wait need not go on.
    wanted: usize,
}

impl Events {
    fn are_enough(&self) -> bool {
        // OVERFLOW: saturates, beyond every number of events.
        self.ended.len().saturating_add(self.filled.len()) >= self.wanted
    }
}

impl Inbox {
    fn put(&self, add: impl FnOnce(&mut Events)) {
        let mut events = self.events.lock();
        add(&mut events);
        if events.are_enough() {
            self.cv.broadcast();
        }
    }
}

impl Hook for Inbox {
    fn signaled(&self, token: u64) {
        // `Inbox` has room.
        self.put(|events| _ = events.ended.try_push(token));
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
            return wait_for_one(os, &fence, mode, caller, deadline);
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
fn wait_for_one(
    os: Os,
    fence: &Fence,
    mode: WaitMode,
    caller: &Caller<'_>,
    deadline: u64,
) -> Result<u32> {
    if fence.is_signaled() {
        return Ok(0);
    }
    match fence.wait(os, Some(caller), deadline) {
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
