// SPDX-License-Identifier: BSD-2-Clause
//! A sync object (syncobj), shared by handle or descriptor. It is empty, binary (it has a fence, or
//! several that are waited for as one), or a timeline of points.

use crate::alloc::Arc;
use crate::os::{Caller, FdFlags, FileRef, Mtx, NewFile, Os, PlainFile};
use crate::sync::fences::Fences;
use crate::sync::syncobj::inbox::{Inbox, Key};
use crate::sync::syncobj::timeline::{Removed, Timeline};
use crate::sync::syncobj::waiters::{Due, Ticket, Waiters};
use crate::util::account::{Account, Charge};
use crate::util::errno::{Result, EINVAL};
use crate::util::int_conv::u64_of;
use static_assertions::{assert_impl_all, const_assert};

enum Content {
    Empty,
    Binary(Fences),
    Timeline(Timeline),
}

struct State {
    content: Content,
    waiters: Waiters,
}

/// A sync object.
pub struct Syncobj {
    os: Os,
    state: Mtx<State>,
    _charge: Charge,
}

/// What a look-up finds.
pub(super) enum Found {
    Fences(Fences),
    /// Nothing yet; the wait is listed.
    Listed(Ticket),
}

/// A syncobj with a descriptor.
struct SyncobjFile {
    syncobj: Arc<Syncobj>,
    _charge: Charge,
}

impl PlainFile for SyncobjFile {}

/// About how many bytes a syncobj takes, or a descriptor of one, with a fence that nothing else
/// holds.
const BYTES: u64 = 640;
/// About how many bytes a pending point takes, without its fences.
const POINT_BYTES: u64 = 256;

assert_impl_all!(Syncobj: Send, Sync);
const_assert!(u64_of(size_of::<Syncobj>()) <= BYTES);

impl Content {
    fn new(fences: Option<Fences>) -> Content {
        fences.map_or(Content::Empty, Content::Binary)
    }

    fn find(&self, point: u64) -> Option<Fences> {
        match self {
            Content::Binary(fences) if point == 0 => Some(fences.clone()),
            Content::Timeline(timeline) => timeline.find(point),
            _ => None,
        }
    }
}

impl Syncobj {
    /// A syncobj with `fences`, charged to `account`.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(os: Os, account: &Arc<Account>, fences: Option<Fences>) -> Result<Arc<Syncobj>> {
        let _charge = Charge::new(account, BYTES)?;
        let state = State {
            content: Content::new(fences),
            waiters: Waiters::new(os),
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

    /// Its fences: of a timeline, those of all points.
    pub fn fences(&self) -> Option<Fences> {
        self.find(0)
    }

    /// The fences that a point ends with; `None` if there is no such point yet. For point 0 as
    /// [`Self::fences`].
    pub fn find(&self, point: u64) -> Option<Fences> {
        self.state.lock().content.find(point)
    }

    /// Replaces its fences, and all points. The waits for an empty syncobj are sent the new ones,
    /// even if those are replaced again; the waits for points go on.
    pub fn replace(&self, fences: Option<Fences>) {
        let (old, due) = {
            let mut state = self.state.lock();
            let new = Content::new(fences.clone());
            let due = fences.as_ref().and_then(|_| state.waiters.due(0));
            (core::mem::replace(&mut state.content, new), due)
        };
        drop(old);
        if let (Some(fences), Some(due)) = (fences, due) {
            self.send(&fences, due);
        }
    }

    /// Adds a point that ends with `own` and all that is pending: points, and fences of a syncobj
    /// that was binary. The point is charged to `account` while it is pending.
    ///
    /// # Errors
    ///
    /// EINVAL for a pending point 0, which no client adds; ENOMEM, also if more than `Fences::MAX`
    /// fence contexts are pending; nothing changed.
    pub fn add_point(&self, account: &Arc<Account>, point: u64, own: Fences) -> Result<()> {
        // Dropped after the lock is released, as `own` is.
        let mut charge = if own.is_signaled() {
            None
        } else if point == 0 {
            return Err(EINVAL);
        } else {
            Some(Charge::new(account, POINT_BYTES)?)
        };
        let (mut old, mut removed) = (Content::Empty, Removed::default());
        let (fences, due) = {
            let mut state = self.state.lock();
            let last = if let Content::Timeline(timeline) = &mut state.content {
                timeline.add(account, point, &own, &mut charge, &mut removed)?;
                timeline.last()
            } else {
                let before = state.content.find(0).unwrap_or(Fences::Ended);
                let timeline = Timeline::new(self.os, account, before, point, &own, &mut charge)?;
                old = core::mem::replace(&mut state.content, Content::Timeline(timeline));
                point
            };
            (state.content.find(0), state.waiters.due(last))
        };
        drop((old, removed));
        if let (Some(fences), Some(due)) = (fences, due) {
            self.send(&fences, due);
        }
        Ok(())
    }

    /// The number of the last point; 0 if it is not a timeline.
    pub fn last_point(&self) -> u64 {
        match &self.state.lock().content {
            Content::Timeline(timeline) => timeline.last(),
            _ => 0,
        }
    }

    /// The point that is reached, as Linux's SYNCOBJ_QUERY; 0 if it is not a timeline.
    ///
    /// # Errors
    ///
    /// EINTR, ERESTART.
    pub fn reached_point(&self, caller: &Caller<'_>) -> Result<u64> {
        let mut turn: usize = 0;
        loop {
            let mut removed = Removed::default();
            let reached = match &mut self.state.lock().content {
                Content::Timeline(timeline) => timeline.reached(&mut removed),
                _ => return Ok(0),
            };
            drop(removed);
            if let Some(point) = reached {
                return Ok(point);
            }
            caller.check_signals(turn)?;
            // OVERFLOW: a number of turns, of which only the low bits count.
            turn = turn.wrapping_add(1);
        }
    }

    fn send(&self, fences: &Fences, mut due: Due) {
        loop {
            let batch = self.state.lock().waiters.take(&mut due);
            match batch {
                Some(batch) => batch.send(fences),
                None => return,
            }
        }
    }

    /// The fences that a point ends with; if there is no such point yet, `inbox` is sent them, with
    /// `key`, when there is.
    pub(super) fn find_or_list(&self, point: u64, inbox: &Arc<Inbox>, key: Key) -> Result<Found> {
        let mut state = self.state.lock();
        match state.content.find(point) {
            Some(fences) => Ok(Found::Fences(fences)),
            None => state.waiters.add(point, inbox, key).map(Found::Listed),
        }
    }

    pub(super) fn forget(&self, ticket: Ticket) {
        let removed = self.state.lock().waiters.remove(ticket);
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
