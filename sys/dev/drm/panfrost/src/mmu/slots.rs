// SPDX-License-Identifier: BSD-2-Clause
//! Which VM is loaded in which hardware address space. This is pure bookkeeping: the caller writes
//! the registers, under the same lock.
//!
//! There may be more VMs than hardware address spaces. A VM stays loaded until another one needs
//! its address space and no job uses it; the least recently acquired one is evicted. A slot holds a
//! reference to its VM, so that the hardware never uses a page table that was freed. A [`Seat`]
//! identifies one residence of a VM in a hardware address space, from being loaded to a GPU reset
//! or an eviction: then the seat is stale, and releasing it has no effect.

use crate::regs::mmu::{As, SPACES};
use drmkpi::util::errno::{Result, EBUSY};

/// What a slot holds: a reference to a VM, or a number in tests.
pub(crate) trait Owner: Clone {
    /// A number that is unique among owners.
    fn id(&self) -> u64;
}

/// One residence of a VM in a hardware address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seat {
    space: As,
    seqno: u64,
}

impl Seat {
    /// The hardware address space.
    pub(crate) fn space(self) -> As {
        self.space
    }
}

/// The result of [`AsSlots::acquire`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Acquired<V> {
    /// To be passed to [`AsSlots::release`].
    pub(crate) seat: Seat,
    /// The VM that was evicted.
    pub(crate) evicted: Option<V>,
    /// The page table of the VM is not loaded: the caller enables the address space, or calls
    /// [`AsSlots::cancel`].
    pub(crate) fresh: bool,
    /// The address space was disabled after a fault: the caller clears and unmasks its interrupts
    /// before it enables it.
    pub(crate) was_faulty: bool,
}

struct Slot<V> {
    owner: Option<V>,
    users: u32,
    /// The value of `clock` when it was last acquired.
    acquired: u64,
    /// The number of the residence, which is unique.
    seqno: u64,
    faulty: bool,
}

impl<V> Slot<V> {
    const EMPTY: Slot<V> = Slot {
        owner: None,
        users: 0,
        acquired: 0,
        seqno: 0,
        faulty: false,
    };
}

/// The hardware address spaces.
///
/// # Invariants
///
/// A VM is in at most one slot. A slot that is not present is EMPTY. A slot without owner has no
/// users; it may be faulty, and then its interrupts stay masked until it is enabled.
pub(crate) struct AsSlots<V> {
    present: u16,
    slots: [Slot<V>; SPACES],
    /// The number of acquisitions so far.
    clock: u64,
}

impl<V: Owner> AsSlots<V> {
    /// Empty slots for the address spaces in the low 16 bits of the mask `present`.
    pub(crate) fn new(present: u32) -> AsSlots<V> {
        let [low, high, ..] = present.to_le_bytes();
        AsSlots {
            present: u16::from_le_bytes([low, high]),
            slots: [const { Slot::EMPTY }; SPACES],
            clock: 0,
        }
    }

    fn tick(&mut self) -> u64 {
        // OVERFLOW: a sequence number; 2^64 acquisitions take centuries.
        self.clock = self.clock.wrapping_add(1);
        self.clock
    }

    fn present(&self) -> impl Iterator<Item = (As, &Slot<V>)> {
        let present = u32::from(self.present);
        (0..)
            .map_while(As::new)
            .zip(&self.slots)
            .filter(move |(space, _)| present & space.fault_bit() != 0)
    }

    fn slot(&mut self, space: As) -> Option<&mut Slot<V>> {
        self.slots.get_mut(space.index())
    }

    fn slot_of(&self, vm: u64) -> Option<(As, &Slot<V>)> {
        self.present()
            .find(|(_, slot)| slot.owner.as_ref().is_some_and(|owner| owner.id() == vm))
    }

    /// The address space that a VM is loaded in.
    pub(crate) fn find(&self, vm: u64) -> Option<As> {
        self.slot_of(vm).map(|(space, _)| space)
    }

    /// The address space that a VM is loaded in, if no job uses it.
    pub(crate) fn find_idle(&self, vm: u64) -> Option<As> {
        let (space, slot) = self.slot_of(vm)?;
        (slot.users == 0).then_some(space)
    }

    /// The VM that is loaded in `space`. Its use count does not change.
    pub(crate) fn loaded(&self, space: As) -> Option<(Seat, V)> {
        let slot = self.slots.get(space.index())?;
        let seat = Seat {
            space,
            seqno: slot.seqno,
        };
        slot.owner.clone().map(|owner| (seat, owner))
    }

    /// Takes one more use of an address space for `vm`: of the one that it is loaded in, or else of
    /// the first free one, or else of the idle one that was least recently acquired.
    ///
    /// # Errors
    ///
    /// EBUSY if jobs use all of them.
    pub(crate) fn acquire(&mut self, vm: &V) -> Result<Acquired<V>> {
        let now = self.tick();
        if let Some(space) = self.find(vm.id()) {
            let slot = self.slot(space).ok_or(EBUSY)?;
            slot.users = slot.users.checked_add(1).ok_or(EBUSY)?;
            slot.acquired = now;
            let was_faulty = core::mem::take(&mut slot.faulty);
            let seat = Seat {
                space,
                seqno: slot.seqno,
            };
            return Ok(Acquired {
                seat,
                evicted: None,
                fresh: was_faulty,
                was_faulty,
            });
        }
        let free = self.present().find(|(_, slot)| slot.owner.is_none());
        let idle = || {
            self.present()
                .filter(|(_, slot)| slot.users == 0)
                .min_by_key(|(_, slot)| slot.acquired)
        };
        let (space, _) = free.or_else(idle).ok_or(EBUSY)?;
        // INVARIANT: `vm` was in no slot.
        let new = Slot {
            owner: Some(vm.clone()),
            users: 1,
            acquired: now,
            seqno: now,
            faulty: false,
        };
        let old = core::mem::replace(self.slot(space).ok_or(EBUSY)?, new);
        Ok(Acquired {
            seat: Seat { space, seqno: now },
            evicted: old.owner,
            fresh: true,
            was_faulty: old.faulty,
        })
    }

    /// Undoes an [`AsSlots::acquire`] after a command has timed out. The evicted VM is in the slot
    /// again: the hardware may still use its page table, which must not be freed.
    pub(crate) fn cancel(&mut self, acquired: Acquired<V>) {
        if self.is_stale(acquired.seat) {
            return;
        }
        let seqno = self.tick();
        let Some(slot) = self.slot(acquired.seat.space) else {
            return;
        };
        match (acquired.evicted, acquired.fresh && !acquired.was_faulty) {
            (Some(vm), _) => {
                *slot = Slot {
                    owner: Some(vm),
                    seqno,
                    faulty: acquired.was_faulty,
                    ..Slot::EMPTY
                }
            }
            (None, true) => *slot = Slot::EMPTY,
            (None, false) => {
                // OVERFLOW: none, for `acquire` has added one.
                slot.users = slot.users.saturating_sub(1);
                slot.faulty = acquired.was_faulty;
            }
        }
    }

    /// Whether the VM of `seat` has been evicted since, or the GPU reset.
    pub(crate) fn is_stale(&self, seat: Seat) -> bool {
        let slot = self.slots.get(seat.space.index());
        !slot.is_some_and(|slot| slot.owner.is_some() && slot.seqno == seat.seqno)
    }

    /// Releases one use. Returns false, and does nothing, if the seat is stale.
    pub(crate) fn release(&mut self, seat: Seat) -> bool {
        if self.is_stale(seat) {
            return false;
        }
        match self
            .slot(seat.space)
            .and_then(|slot| Some((slot.users.checked_sub(1)?, slot)))
        {
            Some((users, slot)) => {
                slot.users = users;
                true
            }
            None => false,
        }
    }

    /// Marks an address space as disabled after a fault.
    pub(crate) fn set_faulty(&mut self, space: As) {
        if let Some(slot) = self.slot(space).filter(|slot| slot.owner.is_some()) {
            slot.faulty = true;
        }
    }

    /// Whether the address space of `seat` is marked as disabled after a fault.
    pub(crate) fn is_faulty(&self, seat: Seat) -> bool {
        let slot = self.slots.get(seat.space.index());
        slot.is_some_and(|slot| slot.seqno == seat.seqno && slot.faulty)
    }

    /// The mask of the address spaces that are marked as disabled after a fault.
    pub(crate) fn faulty(&self) -> u16 {
        let set = self
            .present()
            .filter(|(_, slot)| slot.faulty)
            .fold(0, |set, (space, _)| set | space.fault_bit());
        let [low, high, ..] = set.to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    /// Removes the VM from an address space that was disabled in the hardware.
    pub(crate) fn remove(&mut self, space: As) -> Option<V> {
        let slot = self.slot(space)?;
        let faulty = slot.faulty;
        let old = core::mem::replace(
            slot,
            Slot {
                faulty,
                ..Slot::EMPTY
            },
        );
        old.owner
    }

    /// Empties all slots for a GPU reset, which makes all seats stale. Returns the VMs.
    pub(crate) fn forget_all(&mut self) -> [Option<V>; SPACES] {
        core::mem::replace(&mut self.slots, [const { Slot::EMPTY }; SPACES]).map(|slot| slot.owner)
    }
}

#[cfg(test)]
#[path = "slots_tests.rs"]
mod tests;
