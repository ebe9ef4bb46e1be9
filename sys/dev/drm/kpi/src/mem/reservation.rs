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

/// The buffers of a submit, and how its job uses them. They do not change.
pub trait Buffers {
    /// How many there are.
    fn count(&self) -> usize;

    /// The one with an index.
    fn at(&self, index: usize) -> Option<(&Buffer, Usage)>;

    /// All of them.
    fn all(&self) -> impl Iterator<Item = (&Buffer, Usage)> {
        (0..self.count()).map_while(|index| self.at(index))
    }
}

/// No buffers.
pub struct NoBuffers;

impl Buffers for NoBuffers {
    fn count(&self) -> usize {
        0
    }

    fn at(&self, _index: usize) -> Option<(&Buffer, Usage)> {
        None
    }
}

/// The reservations of a submit's buffers, held until this is dropped.
pub struct Reservation<'a, L: Buffers> {
    list: &'a L,
    order: Order,
    /// How many are held, from the first.
    held: usize,
}

impl<'a, L: Buffers> Reservation<'a, L> {
    /// Takes the reservations of the buffers of `list`, and makes room in each for one more fence.
    /// Adds the fences that their user waits for to `waits`, if that is given.
    ///
    /// # Errors
    ///
    /// EALREADY for a buffer that is given twice, as for a reservation that is locked twice in
    /// Linux; EINTR, ERESTART, ENOMEM.
    pub fn take(
        os: Os,
        caller: &Caller<'_>,
        list: &'a L,
        mut waits: Option<&mut FenceSet>,
    ) -> Result<Self> {
        let mut this = Reservation {
            list,
            order: Order::of(os, list)?,
            held: 0,
        };
        while let Some(fence) = this.hold(os, caller, waits.as_deref_mut())? {
            this.release();
            fence.wait(Some(caller), NEVER)?;
        }
        Ok(this)
    }

    /// The buffer that is taken in this turn.
    fn in_turn(&self, turn: usize) -> Option<(&'a Buffer, Usage)> {
        match &self.order {
            Order::Given => self.list.at(turn),
            Order::Few(order, count) => {
                let order = order.get(..*count)?;
                self.list.at(usize::from(*order.get(turn)?))
            }
            Order::Many(order) => self.list.at(*order.get(turn)?),
        }
    }

    /// Takes all, unless a list is full: then returns a fence to wait for before the next attempt.
    fn hold(
        &mut self,
        os: Os,
        caller: &Caller<'_>,
        mut waits: Option<&mut FenceSet>,
    ) -> Result<Option<Arc<Fence>>> {
        while let Some((buffer, usage)) = self.in_turn(self.held) {
            caller.check_signals(self.held)?;
            let full = buffer
                .resv()
                .take(os, caller, usage, waits.as_deref_mut())?;
            self.held = self.held.checked_add(1).ok_or(ENOMEM)?;
            if full.is_some() {
                return Ok(full);
            }
        }
        Ok(None)
    }

    fn release(&mut self) {
        let held = core::mem::take(&mut self.held);
        for (buffer, _) in (0..held).map_while(|turn| self.in_turn(turn)) {
            buffer.resv().release();
        }
    }

    /// Makes later users of the buffers wait for `fence`, and ends the reservation.
    pub fn publish(mut self, fence: &Arc<Fence>) {
        self.held = 0;
        for (buffer, usage) in self.list.all() {
            buffer.resv().publish(fence, usage);
        }
    }
}

/// The order in which buffers are taken.
enum Order {
    /// The one in which they are given.
    Given,
    /// That of their ids: their indices, and how many there are.
    Few([u8; FEW], usize),
    /// That of their ids: their indices.
    Many(KVec<usize>),
}

/// The number of buffers that are sorted without memory.
const FEW: usize = 64;

impl Order {
    /// The order of the buffers' ids. EALREADY if one is there twice.
    fn of(os: Os, list: &impl Buffers) -> Result<Order> {
        let ids = || list.all().map(|(buffer, _)| buffer.id());
        let mut previous = None;
        if ids().all(|id| previous.replace(id) < Some(id)) {
            return Ok(Order::Given);
        }
        if list.count() <= FEW {
            return few(list);
        }
        let mut by_id = SortedMap::new(os);
        for (index, id) in ids().enumerate() {
            by_id.insert(id, index)?;
        }
        if by_id.len() != list.count() {
            return Err(EALREADY);
        }
        let mut order = KVec::with_capacity(os, by_id.len())?;
        for (_, index) in by_id.from(0) {
            order.push(*index)?;
        }
        Ok(Order::Many(order))
    }
}

/// The order of at most `FEW` buffers. EALREADY if one is there twice.
fn few(list: &impl Buffers) -> Result<Order> {
    let mut sorted = [0; FEW];
    let mut count = 0;
    let mut last = None;
    for (index, (buffer, _)) in (0..u8::MAX).zip(list.all()) {
        let id = buffer.id();
        let before = sorted.get(..count).unwrap_or_default();
        let id_at = |place: &u8| {
            let buffer = list.at(usize::from(*place));
            buffer.map_or(0, |(buffer, _)| buffer.id())
        };
        let place = match last {
            // Mostly they are almost in order.
            Some(last) if id > last => count,
            _ => match before.binary_search_by_key(&id, id_at) {
                Ok(_) => return Err(EALREADY),
                Err(place) => place,
            },
        };
        last = last.max(Some(id));
        // OVERFLOW: none, for there are at most `FEW`.
        count = count.wrapping_add(1);
        let moved = sorted.get_mut(place..count).unwrap_or_default();
        moved.rotate_right(moved.len().min(1));
        if let Some(first) = moved.first_mut() {
            *first = index;
        }
    }
    Ok(Order::Few(sorted, count))
}

impl<L: Buffers> Drop for Reservation<'_, L> {
    fn drop(&mut self) {
        self.release();
    }
}
