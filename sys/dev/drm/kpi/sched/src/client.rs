// SPDX-License-Identifier: BSD-2-Clause
//! Clients (one open file, usually) and their groups.
//!
//! A group is a client's share of one (slot, priority) run queue and has its virtual run time
//! there: each queue is fair by itself. A group is freed with its client, not with its entities, or
//! a client could clear its run time by making a new entity.

use core::num::{NonZeroU32, NonZeroU64};

use crate::array::{Arr, Storage};
use crate::count::Count;
use crate::heap::{Key, Places};
use crate::list::List;
use crate::pool::{Pool, NIL};
use crate::{ClientId, Error, Priority, Scheduler};

/// The default weight of a client; one with twice the weight gets twice the time.
pub const WEIGHT_DEFAULT: u32 = 1024;

pub(crate) struct Client {
    weight: NonZeroU32,
    /// Entities not yet freed.
    pub(crate) entities: Count,
    /// How many of these were killed and wait for their last job.
    pub(crate) killed: Count,
    /// Freed by the driver: it is removed with its last entity.
    closing: bool,
    /// The first group, linked by `Group::next`; at most three per slot.
    first_group: u32,
}

pub(crate) struct Group {
    pub(crate) slot: usize,
    pub(crate) priority: Priority,
    weight: NonZeroU32,
    pub(crate) vruntime: u128,
    pub(crate) stamp: u64,
    /// Position in the queue's heap while an entity is ready.
    pub(crate) position: Option<usize>,
    /// Entities with a first job that may run, the one that waits longest first.
    pub(crate) ready: List,
    run_ns: u64,
    /// The remainder of the division by the weight, so that short jobs are not undercharged.
    remainder: u64,
    next: u32,
}

impl Group {
    pub(crate) fn key(&self) -> Key {
        Key {
            vruntime: self.vruntime,
            stamp: self.stamp,
        }
    }
}

impl<S: Storage> Places for Pool<Group, S> {
    fn moved(&mut self, member: u32, position: Option<usize>) {
        if let Some(group) = self.at_mut(member) {
            group.position = position;
        }
    }
}

impl<J, S: Storage> Scheduler<J, S> {
    /// Adds a client; `weight` is relative to [`WEIGHT_DEFAULT`].
    ///
    /// # Errors
    /// `Invalid` for weight 0, `Shutdown`, `NoMemory`.
    pub fn client_new(&mut self, weight: u32) -> Result<ClientId, Error> {
        let weight = NonZeroU32::new(weight).ok_or(Error::Invalid)?;
        if self.dead {
            return Err(Error::Shutdown);
        }
        let client = Client {
            weight,
            entities: Count::ZERO,
            killed: Count::ZERO,
            closing: false,
            first_group: NIL,
        };
        self.clients
            .insert(client)
            .map(ClientId)
            .map_err(|_| Error::NoMemory)
    }

    /// Frees a client. If killed entities of it still have jobs, it is removed with the last of
    /// them.
    ///
    /// # Errors
    /// `Stale` for an unknown client, `Busy` while it has an entity that was not killed.
    pub fn client_free(&mut self, id: ClientId) -> Result<(), Error> {
        let client = self.clients.get_mut(id.0).ok_or(Error::Stale)?;
        if client.closing {
            return Err(Error::Stale);
        }
        if client.entities != client.killed {
            return Err(Error::Busy);
        }
        client.closing = true;
        self.client_reap(id);
        Ok(())
    }

    /// GPU time that a client has used on a slot, in ns; `None` for an unknown client.
    pub fn client_run_ns(&self, id: ClientId, slot: usize) -> Option<u64> {
        let client = self.clients.get(id.0)?;
        let mut sum: u64 = 0;
        let mut next = client.first_group;
        while let Some(group) = self.groups.at(next) {
            if group.slot == slot {
                // OVERFLOW: an account; 2^64 ns are 584 years.
                sum = sum.saturating_add(group.run_ns);
            }
            next = group.next;
        }
        Some(sum)
    }

    /// Whether a group belongs to a client.
    pub(crate) fn is_group_of(&self, index: u32, id: ClientId) -> bool {
        let mut next = self
            .clients
            .get(id.0)
            .map_or(NIL, |client| client.first_group);
        while let Some(group) = self.groups.at(next) {
            if next == index {
                return true;
            }
            next = group.next;
        }
        false
    }

    /// Frees a client that is closing and has no entities.
    pub(crate) fn client_reap(&mut self, id: ClientId) {
        let Some(client) = self.clients.get(id.0) else {
            return;
        };
        if !client.closing || !client.entities.is_zero() {
            return;
        }
        let mut next = client.first_group;
        self.clients.remove(id.0);
        while let Some(group) = self
            .groups
            .id_at(next)
            .and_then(|id| self.groups.remove(id))
        {
            next = group.next;
            if let Some(slot) = self.slots.get_mut(group.slot) {
                let queue = slot.queue_mut(group.priority);
                queue.groups.sub();
            }
        }
    }

    /// The index of a client's group for a queue, which is made on first use.
    pub(crate) fn group_for(
        &mut self,
        id: ClientId,
        slot_index: usize,
        priority: Priority,
    ) -> Result<u32, Error> {
        let client = self
            .clients
            .get_mut(id.0)
            .filter(|client| !client.closing)
            .ok_or(Error::Stale)?;
        let mut next = client.first_group;
        while let Some(group) = self.groups.at(next) {
            if group.slot == slot_index && group.priority == priority {
                return Ok(next);
            }
            next = group.next;
        }
        let slot = self.slots.get_mut(slot_index).ok_or(Error::Invalid)?;
        let queue = slot.queue_mut(priority);
        let mut groups = queue.groups;
        groups.add();
        queue
            .heap
            .reserve(groups.get())
            .map_err(|()| Error::NoMemory)?;
        let group = Group {
            slot: slot_index,
            priority,
            weight: client.weight,
            vruntime: 0,
            stamp: 0,
            position: None,
            ready: List::EMPTY,
            run_ns: 0,
            remainder: 0,
            next: client.first_group,
        };
        let index = self
            .groups
            .insert(group)
            .map_err(|_| Error::NoMemory)?
            .index();
        queue.groups = groups;
        client.first_group = index;
        Ok(index)
    }

    /// Charges GPU time to a group and moves it back in its queue.
    pub(crate) fn charge(&mut self, index: u32, ran_ns: u64) {
        let Some(group) = self.groups.at_mut(index) else {
            return;
        };
        let weight = NonZeroU64::from(group.weight);
        // OVERFLOW: accounts of time saturate, these and those below: after 584 years, or 6 days of
        // one job at the least weight.
        let due = ran_ns
            .saturating_mul(u64::from(WEIGHT_DEFAULT))
            .saturating_add(group.remainder);
        group.remainder = due % weight;
        // OVERFLOW: as above.
        group.vruntime = group.vruntime.saturating_add(u128::from(due / weight));
        // OVERFLOW: as above.
        group.run_ns = group.run_ns.saturating_add(ran_ns);
        let (key, slot, priority) = (group.key(), group.slot, group.priority);
        if let (Some(position), Some(slot)) = (group.position, self.slots.get_mut(slot)) {
            slot.queue_mut(priority)
                .heap
                .update(position, key, &mut self.groups);
        }
    }
}
