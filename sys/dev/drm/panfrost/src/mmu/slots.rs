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
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    impl Owner for u64 {
        fn id(&self) -> u64 {
            *self
        }
    }

    /// Takes a VM out of its address space.
    fn remove(slots: &mut AsSlots<u64>, vm: u64) -> Option<u8> {
        let space = slots.find(vm)?;
        assert_eq!(slots.remove(space), Some(vm));
        Some(space.nr())
    }

    fn owner(slots: &AsSlots<u64>, seat: Seat) -> Option<u64> {
        slots.loaded(seat.space()).map(|(_, vm)| vm)
    }

    fn nr(acquired: &Acquired<u64>) -> u8 {
        acquired.seat.space().nr()
    }

    #[test]
    fn free_ones_first_then_the_idle_one_least_recently_acquired() {
        let mut slots = AsSlots::new(0x5);
        let a = slots.acquire(&10).unwrap();
        let b = slots.acquire(&11).unwrap();
        assert_eq!((nr(&a), nr(&b)), (0, 2));
        assert!(a.fresh && b.fresh && a.evicted.is_none() && b.evicted.is_none());
        assert_eq!(slots.acquire(&12), Err(EBUSY));
        assert!(slots.release(a.seat) && slots.release(b.seat));
        let again = slots.acquire(&10).unwrap();
        assert_eq!((nr(&again), again.fresh), (0, false));
        assert!(slots.release(again.seat));
        let c = slots.acquire(&12).unwrap();
        assert_eq!((nr(&c), c.evicted, c.fresh), (2, Some(11), true));
        assert_eq!((slots.find(11), owner(&slots, c.seat)), (None, Some(12)));
    }

    #[test]
    fn stale_seats_are_noticed() {
        let mut slots = AsSlots::new(0x1);
        let a = slots.acquire(&1).unwrap();
        slots.forget_all();
        assert!(!slots.release(a.seat));
        let b = slots.acquire(&1).unwrap();
        assert!(slots.is_stale(a.seat) && !slots.is_stale(b.seat));
        assert!(!slots.release(a.seat));
        assert_eq!(slots.acquire(&2), Err(EBUSY));
        assert!(slots.release(b.seat));
        assert!(!slots.release(b.seat), "given back twice");
        assert_eq!(remove(&mut slots, 1), Some(0));
        assert!(slots.is_stale(b.seat));
        assert_eq!(remove(&mut slots, 1), None);
    }

    #[test]
    fn a_faulty_one_is_enabled_again_by_the_next_use() {
        let mut slots = AsSlots::new(0x3);
        let a = slots.acquire(&1).unwrap();
        slots.set_faulty(a.seat.space());
        assert_eq!(slots.faulty(), 0x1);
        assert!(slots.is_faulty(a.seat));
        let b = slots.acquire(&1).unwrap();
        assert!(b.fresh && b.was_faulty && nr(&b) == 0 && !slots.is_faulty(a.seat));
        assert_eq!(slots.faulty(), 0);
        slots.set_faulty(As::new(1).unwrap());
        assert_eq!(slots.faulty(), 0, "it has no owner");
    }

    #[test]
    fn a_faulty_one_stays_known_when_it_changes_hands() {
        let mut slots = AsSlots::new(0x1);
        let a = slots.acquire(&1).unwrap();
        slots.set_faulty(a.seat.space());
        assert!(slots.release(a.seat));
        let b = slots.acquire(&2).unwrap();
        assert_eq!((b.evicted, b.fresh, b.was_faulty), (Some(1), true, true));
        assert_eq!(slots.faulty(), 0);
    }

    /// Otherwise the interrupts of the next owner's page faults would stay masked.
    #[test]
    fn a_faulty_one_stays_known_when_its_owner_is_gone() {
        let mut slots = AsSlots::new(0x1);
        let a = slots.acquire(&1).unwrap();
        slots.set_faulty(a.seat.space());
        assert_eq!(remove(&mut slots, 1), Some(0));
        assert_eq!((owner(&slots, a.seat), slots.faulty()), (None, 0x1));
        let b = slots.acquire(&2).unwrap();
        assert_eq!((b.evicted, b.fresh, b.was_faulty), (None, true, true));
        assert_eq!(slots.faulty(), 0);
        // Enabling it timed out: the next use enables it.
        slots.cancel(b.clone());
        assert_eq!(slots.faulty(), 0x1);
        let c = slots.acquire(&2).unwrap();
        assert!(c.fresh && c.was_faulty);
    }

    #[test]
    fn a_failed_eviction_keeps_the_old_owner() {
        let mut slots = AsSlots::new(0x1);
        let a = slots.acquire(&1).unwrap();
        assert!(slots.release(a.seat));
        let b = slots.acquire(&2).unwrap();
        slots.cancel(b.clone());
        assert_eq!((slots.find(1).map(As::nr), slots.find(2)), (Some(0), None));
        assert!(slots.is_stale(a.seat) && slots.is_stale(b.seat));
        slots.cancel(b.clone());
        assert_eq!(slots.find(1).map(As::nr), Some(0), "cancelled twice");
    }

    #[test]
    fn a_failed_first_use_leaves_nothing() {
        let mut slots = AsSlots::new(0x1);
        let a = slots.acquire(&1).unwrap();
        slots.cancel(a.clone());
        assert_eq!(slots.find(1), None);
        let a = slots.acquire(&1).unwrap();
        slots.set_faulty(a.seat.space());
        let b = slots.acquire(&1).unwrap();
        slots.cancel(b.clone());
        assert_eq!(slots.faulty(), 0x1);
        assert!(slots.release(a.seat) && !slots.release(a.seat));
    }

    #[test]
    fn one_in_use_is_not_idle() {
        let mut slots = AsSlots::new(0x1);
        let a = slots.acquire(&1).unwrap();
        assert_eq!((slots.find_idle(1), slots.find_idle(2)), (None, None));
        assert!(slots.release(a.seat));
        assert_eq!(slots.find_idle(1).map(As::nr), Some(0));
        assert_eq!(slots.forget_all().into_iter().flatten().next(), Some(1));
        assert_eq!(slots.find(1), None);
    }

    #[test]
    fn no_address_space_no_seat() {
        assert_eq!(AsSlots::<u64>::new(0).acquire(&1), Err(EBUSY));
        assert_eq!(nr(&AsSlots::new(0xFFFF_8000).acquire(&1).unwrap()), 15);
    }

    /// The expected state: a list of (VM, address space, uses), the least recently acquired first.
    #[derive(Default)]
    struct Oracle(Vec<(u64, u8, Vec<Seat>)>);

    impl Oracle {
        fn expected(&self, ctx: u64, spaces: u8) -> Option<(u8, Option<u64>, bool)> {
            if let Some((_, nr, _)) = self.0.iter().find(|(c, ..)| *c == ctx) {
                return Some((*nr, None, false));
            }
            let free = (0..spaces).find(|nr| self.0.iter().all(|(_, n, _)| n != nr));
            let idle = || {
                self.0
                    .iter()
                    .find(|(.., seats)| seats.is_empty())
                    .map(|(c, n, _)| (*n, Some(*c)))
            };
            free.map(|nr| (nr, None))
                .or_else(idle)
                .map(|(nr, evicted)| (nr, evicted, true))
        }
    }

    #[test]
    fn random_use_agrees_with_the_oracle() {
        let mut seed = 0x2545_F491_4F6C_DD1D_u64;
        let mut next = |n: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 11) % n
        };
        let spaces = 5_u8;
        let mut slots = AsSlots::new(0x1F);
        let mut oracle = Oracle::default();
        let mut stale: Vec<Seat> = Vec::new();
        let (mut busy, mut evictions) = (0, 0);
        for _ in 0..50_000 {
            let ctx = next(9);
            match next(100) {
                0..48 => match (slots.acquire(&ctx), oracle.expected(ctx, spaces)) {
                    (Err(EBUSY), None) => busy += 1,
                    (Ok(got), Some((nr, evicted, fresh))) => {
                        assert_eq!(
                            (got.seat.space().nr(), got.evicted, got.fresh),
                            (nr, evicted, fresh)
                        );
                        evictions += u32::from(evicted.is_some());
                        oracle.0.retain(|(c, ..)| Some(*c) != evicted);
                        let mut seats = match oracle.0.iter().position(|(c, ..)| *c == ctx) {
                            Some(at) => oracle.0.remove(at).2,
                            None => Vec::new(),
                        };
                        seats.push(got.seat);
                        oracle.0.push((ctx, nr, seats));
                    }
                    (got, expected) => assert_eq!(got.is_ok(), expected.is_some()),
                },
                48..96 => {
                    if let Some((.., seats)) = oracle.0.iter_mut().find(|(c, ..)| *c == ctx) {
                        if let Some(seat) = seats.pop() {
                            assert!(slots.release(seat));
                        }
                    }
                }
                96..98 => {
                    let at = oracle.0.iter().position(|(c, ..)| *c == ctx);
                    let gone = at.map(|at| oracle.0.remove(at));
                    assert_eq!(remove(&mut slots, ctx), gone.as_ref().map(|(_, nr, _)| *nr));
                    stale.extend(gone.into_iter().flat_map(|(.., seats)| seats));
                }
                98 => {
                    if let Some(seat) = stale.pop() {
                        assert!(!slots.release(seat));
                    }
                }
                _ if next(20) == 0 => {
                    slots.forget_all();
                    stale.extend(oracle.0.drain(..).flat_map(|(.., seats)| seats));
                }
                _ => {}
            }
            for ctx in 0..9 {
                let expected = oracle
                    .0
                    .iter()
                    .find(|(c, ..)| *c == ctx)
                    .map(|(_, nr, _)| *nr);
                assert_eq!(slots.find(ctx).map(As::nr), expected);
            }
        }
        assert!(
            busy > 100 && evictions > 1000,
            "the run was too tame: {busy} busy, {evictions} evictions"
        );
    }
}
