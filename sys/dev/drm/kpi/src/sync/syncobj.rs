// SPDX-License-Identifier: BSD-2-Clause
//! Binary sync objects: a box that holds at most one fence (or several that are waited for as one), shared by handle or
//! descriptor.

use crate::alloc::{Arc, Hook, KVec};
use crate::os::{Caller, Condvar, FdFlags, FileRef, Mtx, NewFile, Os, PlainFile};
use crate::sync::fence::{Fence, Fences, Hooked};
use crate::util::account::{Account, Charge};
use crate::util::errno::{Result, EINVAL, ENOMEM, ETIME, ETIMEDOUT};
use crate::util::int_conv::{u64_of, usize_of_u32};
use crate::util::sorted_map::SortedMap;
use static_assertions::{assert_impl_all, const_assert};

struct State {
    fences: Option<Fences>,
    /// Who is to be given the next fence, with what it calls this box.
    waiters: KVec<(Arc<Inbox>, u64)>,
}

/// A box for a fence.
pub struct Syncobj {
    os: Os,
    state: Mtx<State>,
    _charge: Charge,
}

/// What stands behind a descriptor of a box.
pub(crate) struct SyncobjFile {
    syncobj: Arc<Syncobj>,
    _charge: Charge,
}

impl PlainFile for SyncobjFile {}

/// What a wait is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitMode {
    /// All of them rather than any one.
    pub all: bool,
    /// A box that is still empty is waited for.
    pub for_submit: bool,
}

/// A box, or a descriptor of one, with a fence in it that nobody else has: its bytes, about.
const BYTES: u64 = 512;

assert_impl_all!(Syncobj: Send, Sync);
const_assert!(u64_of(size_of::<Syncobj>()) <= BYTES);

impl Syncobj {
    /// A box with `fences` in it, charged to `account`.
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

    /// What is in the box.
    pub fn fences(&self) -> Option<Fences> {
        self.state.lock().fences.clone()
    }

    /// Puts `fences` (or nothing) in the box. Those who wait for one are given them, whatever becomes of the box then.
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
                // There is room.
                inbox.put(|news| _ = news.filled.try_push((*key, fences.clone())));
            }
        }
    }

    /// What is in the box, or nothing and a promise that `inbox` is given what comes, under the name `key`.
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

    /// Gives `caller` a close-on-exec descriptor of the box itself, charged to `account`.
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

    /// The box behind a descriptor.
    ///
    /// # Errors
    ///
    /// EINVAL when there is none.
    pub fn import(caller: &Caller<'_>, fd: i32) -> Result<Arc<Syncobj>> {
        let file = FileRef::<SyncobjFile>::get(caller, fd).map_err(|_| EINVAL)?;
        Ok(file.syncobj.clone())
    }
}

/// What a sleeping wait is told: which of its fences ended, and what came into its boxes. There is room from the start
/// for all that can come before it looks.
struct Inbox {
    news: Mtx<News>,
    cv: Condvar,
}

struct News {
    ended: KVec<u64>,
    filled: KVec<(u64, Fences)>,
}

impl Inbox {
    fn put(&self, add: impl FnOnce(&mut News)) {
        let mut news = self.news.lock();
        add(&mut news);
        self.cv.broadcast();
    }
}

impl Hook for Inbox {
    fn signaled(&self, token: u64) {
        // There is room.
        self.put(|news| _ = news.ended.try_push(token));
    }
}

/// One place of a wait: the box's fences, the first that may not be over, and the next place that waits for the same.
struct Place {
    fences: Option<Fences>,
    part: usize,
    next: u32,
}

/// No place.
const NONE: u32 = u32::MAX;

/// Why places sleep.
enum Reason {
    /// For a fence, which has this hook.
    Pending(#[expect(dead_code, reason = "held for its drop")] Hooked),
    /// For a box, that of this place, to be filled.
    Empty(u32),
}

/// A wait that sleeps. However many places wait for one fence, that fence has one hook, and its end costs work for
/// those places only; a place waits for one fence at a time.
struct Wait<'a> {
    boxes: &'a [Arc<Syncobj>],
    places: KVec<Place>,
    inbox: Arc<Inbox>,
    hook: Arc<dyn Hook>,
    /// By address of the fence or box, with the first place that waits for it.
    asleep: SortedMap<u64, (Reason, u32)>,
    /// Places that are not over.
    left: usize,
    /// The first place that is over, `NONE` so far.
    first: u32,
}

/// Sleeps until the fences of `boxes` are as `mode` asks. The answer is the index of the first that was,
/// or `u32::MAX` where Linux leaves it unset (all were asked for and none was when the wait began).
///
/// # Errors
///
/// EINVAL when a box is empty and `mode` does not wait for that; ETIME at `deadline` ns; EINTR, ERESTART,
/// ENOMEM.
pub fn wait(
    os: Os,
    boxes: &[Arc<Syncobj>],
    mode: WaitMode,
    caller: &Caller<'_>,
    deadline: u64,
) -> Result<u32> {
    let mut places: KVec<Place> = KVec::with_capacity(os, boxes.len())?;
    let (mut all_signaled, mut first) = (true, NONE);
    for ((turn, index), b) in (0..boxes.len()).zip(0..NONE).zip(boxes) {
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
    // OVERFLOW: none, for there are no more than places.
    let empty = empty.fold(0, |n: usize, _| n.saturating_add(1));
    let news = News {
        ended: KVec::with_capacity(os, places.len())?,
        filled: KVec::with_capacity(os, empty)?,
    };
    let inbox = Arc::new(
        os,
        Inbox {
            news: Mtx::new(os, c"drm waiter", news)?,
            cv: Condvar::new(os, c"drmwait")?,
        },
    )?;
    let mut wait = Wait {
        boxes,
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

impl Wait<'_> {
    /// Sleeps; the first place that is over.
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
            self.sleep(caller, deadline)?;
            self.read_news(caller)?;
        }
    }

    /// Sleeps until there is news.
    fn sleep(&self, caller: &Caller<'_>, deadline: u64) -> Result<()> {
        let mut news = self.inbox.news.lock();
        while news.ended.is_empty() && news.filled.is_empty() {
            match self.inbox.cv.wait(&mut news, Some(caller), deadline) {
                Err(e) if e == ETIMEDOUT => return Err(ETIME),
                other => other?,
            }
        }
        Ok(())
    }

    /// Wakes the places that the news are for.
    fn read_news(&mut self, caller: &Caller<'_>) -> Result<()> {
        loop {
            let (key, fences) = {
                let mut news = self.inbox.news.lock();
                match news.ended.pop() {
                    Some(key) => (key, None),
                    None => match news.filled.pop() {
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

    /// Has a place sleep for the first of its fences that is not over, or for its box to be filled.
    fn advance(&mut self, index: u32) -> Result<()> {
        let (Some(place), Some(b)) = (
            self.places.get_mut(usize_of_u32(index)),
            self.boxes.get(usize_of_u32(index)),
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
            // Listed first: from here on `drop` has the box forget the wait.
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
        // OVERFLOW: saturates; a place comes here once, when it is over.
        self.left = self.left.saturating_sub(1);
        self.first = self.first.min(index);
        Ok(())
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        for (_, (reason, _)) in self.asleep.from(0) {
            if let Reason::Empty(index) = reason {
                if let Some(b) = self.boxes.get(usize_of_u32(*index)) {
                    b.forget(&self.inbox);
                }
            }
        }
    }
}
