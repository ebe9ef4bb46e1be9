// SPDX-License-Identifier: BSD-2-Clause
//! The reservations of several buffers at once.
//!
//! A submit holds those of all its buffers at once: two submits that share buffers add their fences
//! in the same order, so that there is no dependency cycle.
//!
//! Reservations are taken in the order of the buffers' ids, so that callers do not deadlock; a
//! signal interrupts a caller that waits. Holding one delays only users of that buffer.

use crate::alloc::{Arc, KVec};
use crate::mem::buffer::Buffer;
use crate::os::{Caller, Os, NEVER};
use crate::sync::fence::Fence;
use crate::sync::fences::FenceSet;
use crate::sync::resv::Usage;
use crate::util::errno::{Result, EALREADY, ENOMEM};
use crate::util::sorted_map::SortedMap;

/// The reservations of a submit's buffers, held until this is dropped.
pub struct Reservation {
    /// In the order of their ids.
    buffers: KVec<(Arc<Buffer>, Usage)>,
    /// How many are held, from the first.
    held: usize,
}

impl Reservation {
    /// Takes the reservations of `buffers`, and makes room in each for one more fence. Adds the
    /// fences that their user waits for to `waits`, if that is given.
    ///
    /// # Errors
    ///
    /// EALREADY for a buffer that is given twice, as for a reservation that is locked twice in
    /// Linux; EINTR, ERESTART, ENOMEM.
    pub fn take<'a>(
        os: Os,
        caller: &Caller<'_>,
        buffers: impl ExactSizeIterator<Item = (&'a Arc<Buffer>, Usage)>,
        mut waits: Option<&mut FenceSet>,
    ) -> Result<Reservation> {
        let mut given = KVec::with_capacity(os, buffers.len())?;
        for (buffer, usage) in buffers {
            insert(&mut given, buffer, usage)?;
        }
        let mut this = Reservation {
            buffers: sorted(os, given)?,
            held: 0,
        };
        while let Some(fence) = this.hold(os, caller, waits.as_deref_mut())? {
            this.release();
            fence.wait(os, Some(caller), NEVER)?;
        }
        Ok(this)
    }

    /// Takes all, unless a list is full: then returns a fence to wait for before the next attempt.
    fn hold(
        &mut self,
        os: Os,
        caller: &Caller<'_>,
        mut waits: Option<&mut FenceSet>,
    ) -> Result<Option<Arc<Fence>>> {
        for (turn, (buffer, usage)) in (0..usize::MAX).zip(self.buffers.iter()) {
            caller.check_signals(turn)?;
            let full = buffer
                .resv()
                .take(os, caller, *usage, waits.as_deref_mut())?;
            self.held = turn.checked_add(1).ok_or(ENOMEM)?;
            if full.is_some() {
                return Ok(full);
            }
        }
        Ok(None)
    }

    fn release(&mut self) {
        for (buffer, _) in self.buffers.iter().take(self.held) {
            buffer.resv().release();
        }
        self.held = 0;
    }

    /// Makes later users of the buffers wait for `fence`, and ends the reservation.
    pub fn publish(mut self, fence: &Arc<Fence>) {
        for (buffer, usage) in self.buffers.iter() {
            buffer.resv().publish(fence, *usage);
        }
        self.held = 0;
    }
}

type Named = (Arc<Buffer>, Usage);

/// Adds a buffer to `given`: in its place if there are few, else at the end.
fn insert(given: &mut KVec<Named>, buffer: &Arc<Buffer>, usage: Usage) -> Result<()> {
    const FEW: usize = 64;
    let id = buffer.id();
    let is_last = given.last().is_none_or(|(last, _)| last.id() < id);
    if is_last || given.len() >= FEW {
        return given.push((buffer.clone(), usage));
    }
    let place = given.partition_point(|(other, _)| other.id() < id);
    given.insert(place, (buffer.clone(), usage))
}

/// `given` in the order of the buffers' ids, or EALREADY if one is there twice.
fn sorted(os: Os, mut given: KVec<Named>) -> Result<KVec<Named>> {
    let ids = given.iter().map(|(buffer, _)| buffer.id());
    let mut previous = None;
    if ids.into_iter().all(|id| previous.replace(id) < Some(id)) {
        return Ok(given);
    }
    let count = given.len();
    let mut by_id = SortedMap::new(os);
    while let Some((buffer, usage)) = given.pop() {
        by_id.insert(buffer.id(), (buffer, usage))?;
    }
    if by_id.len() != count {
        return Err(EALREADY);
    }
    while let Some(entry) = by_id.pop_first() {
        given.push(entry)?;
    }
    Ok(given)
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.release();
    }
}
