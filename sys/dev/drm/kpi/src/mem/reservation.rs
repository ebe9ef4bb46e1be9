// SPDX-License-Identifier: BSD-2-Clause
//! The reservations of several buffers at once.
//!
//! A submit holds those of all its buffers at once: two submits that share buffers add their fences
//! in the same order, so that there is no dependency cycle.
//!
//! Reservations are taken in the order of the buffers' ids, so that callers do not deadlock; a
//! signal interrupts a caller that waits. Holding one delays only users of that buffer.

use crate::alloc::Arc;
use crate::mem::buffer::Buffer;
use crate::os::{Caller, Os, NEVER};
use crate::sync::fence::Fence;
use crate::sync::fences::FenceSet;
use crate::sync::resv::Usage;
use crate::util::errno::{Result, EALREADY, ENOMEM};
use crate::util::sorted_map::SortedMap;

/// The reservations of a submit's buffers, held until this is dropped.
pub struct Reservation {
    /// By id.
    buffers: SortedMap<u64, (Arc<Buffer>, Usage)>,
    /// How many are held, from the first.
    held: usize,
}

impl Reservation {
    /// Takes the reservations of `buffers`, and makes room in each for one more fence.
    ///
    /// # Errors
    ///
    /// EALREADY for a buffer that is given twice, as for a reservation that is locked twice in
    /// Linux; EINTR, ERESTART, ENOMEM.
    pub fn take<'a>(
        os: Os,
        caller: &Caller<'_>,
        buffers: impl Iterator<Item = (&'a Arc<Buffer>, Usage)>,
    ) -> Result<Reservation> {
        let mut by_number = SortedMap::new(os);
        for (turn, (buffer, usage)) in (0..usize::MAX).zip(buffers) {
            caller.check_signals(turn)?;
            if by_number.get(buffer.id()).is_some() {
                return Err(EALREADY);
            }
            by_number.insert(buffer.id(), (buffer.clone(), usage))?;
        }
        let mut this = Reservation {
            buffers: by_number,
            held: 0,
        };
        while let Some(fence) = this.hold(os, caller)? {
            this.release();
            Fence::wait(&fence, os, Some(caller), NEVER)?;
        }
        Ok(this)
    }

    /// Takes all, unless a list is full: then returns a fence to wait for before the next attempt.
    fn hold(&mut self, os: Os, caller: &Caller<'_>) -> Result<Option<Arc<Fence>>> {
        for (turn, (_, (buffer, _))) in (0..usize::MAX).zip(self.buffers.from(0)) {
            caller.check_signals(turn)?;
            buffer.resv().hold(os, caller)?;
            self.held = turn.checked_add(1).ok_or(ENOMEM)?;
            let full = buffer.resv().make_room()?;
            if full.is_some() {
                return Ok(full);
            }
        }
        Ok(None)
    }

    fn release(&mut self) {
        for (_, (buffer, _)) in self.buffers.from(0).take(self.held) {
            buffer.resv().release();
        }
        self.held = 0;
    }

    /// Adds the fences that a user of these buffers waits for to `waits`.
    ///
    /// # Errors
    ///
    /// ENOMEM; EINTR, ERESTART.
    pub fn dependencies(&self, caller: &Caller<'_>, waits: &mut FenceSet) -> Result<()> {
        for (turn, (_, (buffer, usage))) in (0..usize::MAX).zip(self.buffers.from(0)) {
            caller.check_signals(turn)?;
            buffer.resv().add_pending_to(waits, *usage)?;
        }
        Ok(())
    }

    /// Makes later users of the buffers wait for `fence`.
    pub fn add(&self, fence: &Arc<Fence>) {
        for (_, (buffer, usage)) in self.buffers.from(0) {
            // `take` has made room.
            let _ = buffer.resv().add(fence, *usage);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.release();
    }
}
