// SPDX-License-Identifier: BSD-2-Clause
//! The waits for fences or points that a syncobj does not have yet.

use crate::alloc::Arc;
use crate::os::Os;
use crate::sync::fences::Fences;
use crate::sync::syncobj::inbox::{Inbox, Key};
use crate::util::errno::Result;
use crate::util::sorted_map::SortedMap;

/// The most waits that are sent fences at a time.
const FEW: usize = 8;

/// A wait's entry: the point and a sequence number.
pub(super) type Ticket = (u64, u64);

/// The waits, by point and in order of arrival.
pub(super) struct Waiters {
    os: Os,
    list: SortedMap<Ticket, (Arc<Inbox>, Key)>,
    next: u64,
}

/// The waits that a new point or new fences end: those that were there when it came. They are sent
/// these fences even if the syncobj has changed again, and a few at a time, so that the number of
/// waits is not that of one critical section.
pub(super) struct Due {
    /// The waits for points up to this one.
    last: u64,
    /// Those that came before this one.
    before: u64,
    from: Ticket,
}

/// A few waits.
pub(super) struct Batch([Option<(Arc<Inbox>, Key)>; FEW]);

impl Waiters {
    pub(super) fn new(os: Os) -> Waiters {
        Waiters {
            os,
            list: SortedMap::new(os),
            next: 0,
        }
    }

    /// Adds a wait.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(super) fn add(&mut self, point: u64, inbox: &Arc<Inbox>, key: Key) -> Result<Ticket> {
        let ticket = (point, self.next);
        self.list.insert(ticket, (inbox.clone(), key))?;
        // OVERFLOW: a sequence number; 2^64 waits for one syncobj take centuries.
        self.next = self.next.wrapping_add(1);
        Ok(ticket)
    }

    /// Removes a wait, if it is still there.
    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<(Arc<Inbox>, Key)> {
        let removed = self.list.remove(ticket);
        if self.list.is_empty() {
            // The room goes with the last one.
            self.list = SortedMap::new(self.os);
        }
        removed
    }

    /// The waits that end when `last` is the last point; 0 for the waits for any fence.
    pub(super) fn due(&self, last: u64) -> Option<Due> {
        (!self.list.is_empty()).then_some(Due {
            last,
            before: self.next,
            from: (0, 0),
        })
    }

    /// Removes the next few of these waits; `None` if there are none.
    pub(super) fn take(&mut self, due: &mut Due) -> Option<Batch> {
        let mut batch = Batch([const { None }; FEW]);
        let mut found = false;
        for place in &mut batch.0 {
            let first = self.list.from(due.from).next();
            let Some((ticket, _)) = first.filter(|((point, _), _)| *point <= due.last) else {
                break;
            };
            let (point, number) = ticket;
            found = true;
            if number < due.before {
                // OVERFLOW: saturates at a number that is not reached.
                due.from = (point, number.saturating_add(1));
                *place = self.remove(ticket);
            } else {
                // OVERFLOW: saturates: no point follows the largest.
                due.from = (point.saturating_add(1), 0);
            }
        }
        found.then_some(batch)
    }
}

impl Batch {
    /// Sends `fences` to them. Called with no lock held.
    pub(super) fn send(self, fences: &Fences) {
        for (inbox, key) in self.0.into_iter().flatten() {
            // `Inbox` has room.
            inbox.put(|events| _ = events.filled.try_push((key, fences.clone())));
        }
    }
}
