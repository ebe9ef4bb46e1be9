// SPDX-License-Identifier: BSD-2-Clause
//! Who has which hardware address space. Pure: it decides, its caller writes registers, both under one lock.
//!
//! There are fewer address spaces than clients. A context keeps its own until another needs one and no job uses
//! it; the one that was asked for longest ago goes first. A [`Seat`] names one stay of a context in an address
//! space: after a GPU reset or a removal it is stale, and giving it back is no longer counted.

use crate::regs::mmu::{As, SPACES};
use drmkpi::util::errno::{Result, EBUSY};

/// One use of an address space by a context.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seat {
    space: As,
    seqno: u64,
}

impl Seat {
    /// Where it is.
    pub(crate) fn space(self) -> As {
        self.space
    }
}

/// What [`AsSlots::acquire`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Acquired {
    /// To be given back.
    pub(crate) seat: Seat,
    /// Who had the address space before and has none now.
    pub(crate) evicted: Option<u64>,
    /// The hardware does not have the context's page table: enable the address space, or [`AsSlots::cancel`].
    pub(crate) fresh: bool,
    /// It was switched off after a fault: clear and unmask its interrupts before it is enabled.
    pub(crate) was_faulty: bool,
}

#[derive(Clone, Copy)]
struct Entry {
    owner: Option<u64>,
    users: u32,
    /// When it was last asked for, in asks.
    asked: u64,
    /// Which stay this is; no two stays share a number.
    seqno: u64,
    faulty: bool,
}

const EMPTY: Entry = Entry {
    owner: None,
    users: 0,
    asked: 0,
    seqno: 0,
    faulty: false,
};

/// The table of address spaces.
///
/// # Invariants
///
/// A context owns at most one entry. An entry that is not present is EMPTY; an entry without owner has no users, and may be
/// faulty: its interrupts stay off until somebody has it enabled.
pub(crate) struct AsSlots {
    present: u16,
    entries: [Entry; SPACES],
    /// Asks and stays so far.
    clock: u64,
}

impl AsSlots {
    /// Nobody has any of the address spaces in the mask `present`; only its low 16 bits count.
    pub(crate) fn new(present: u32) -> AsSlots {
        let [low, high, ..] = present.to_le_bytes();
        AsSlots {
            present: u16::from_le_bytes([low, high]),
            entries: [EMPTY; SPACES],
            clock: 0,
        }
    }

    fn tick(&mut self) -> u64 {
        self.clock = self.clock.wrapping_add(1);
        self.clock
    }

    fn present(&self) -> impl Iterator<Item = (As, &Entry)> {
        let present = u32::from(self.present);
        (0..)
            .map_while(As::new)
            .zip(&self.entries)
            .filter(move |(space, _)| present & space.fault_bit() != 0)
    }

    fn entry(&mut self, space: As) -> Option<&mut Entry> {
        self.entries.get_mut(space.index())
    }

    /// The address space of `ctx`, if it has one.
    pub(crate) fn find(&self, ctx: u64) -> Option<As> {
        self.present()
            .find(|(_, e)| e.owner == Some(ctx))
            .map(|(space, _)| space)
    }

    /// The stay of who has `space` now; not one more use of it.
    pub(crate) fn stay(&self, space: As) -> Option<Seat> {
        let entry = self.entries.get(space.index())?;
        entry.owner?;
        Some(Seat {
            space,
            seqno: entry.seqno,
        })
    }

    /// Who has `space`.
    pub(crate) fn owner(&self, space: As) -> Option<u64> {
        self.entries.get(space.index())?.owner
    }

    /// Gives `ctx` an address space for one more use: the one it has, else the first free one, else the idle one
    /// that was asked for longest ago.
    ///
    /// # Errors
    ///
    /// EBUSY when jobs use all of them.
    pub(crate) fn acquire(&mut self, ctx: u64) -> Result<Acquired> {
        let now = self.tick();
        if let Some(space) = self.find(ctx) {
            let entry = self.entry(space).ok_or(EBUSY)?;
            entry.users = entry.users.checked_add(1).ok_or(EBUSY)?;
            entry.asked = now;
            let was_faulty = core::mem::take(&mut entry.faulty);
            let seat = Seat {
                space,
                seqno: entry.seqno,
            };
            return Ok(Acquired {
                seat,
                evicted: None,
                fresh: was_faulty,
                was_faulty,
            });
        }
        let free = self.present().find(|(_, e)| e.owner.is_none());
        let idle = || {
            self.present()
                .filter(|(_, e)| e.users == 0)
                .min_by_key(|(_, e)| e.asked)
        };
        let (space, old) = free
            .or_else(idle)
            .map(|(space, e)| (space, *e))
            .ok_or(EBUSY)?;
        // INVARIANT: `ctx` had no entry.
        let new = Entry {
            owner: Some(ctx),
            users: 1,
            asked: now,
            seqno: now,
            faulty: false,
        };
        *self.entry(space).ok_or(EBUSY)? = new;
        Ok(Acquired {
            seat: Seat { space, seqno: now },
            evicted: old.owner,
            fresh: true,
            was_faulty: old.faulty,
        })
    }

    /// Takes an [`AsSlots::acquire`] back because the hardware could not be told. The evicted context owns its
    /// address space again: the hardware may still use its page table, so it must not be forgotten.
    pub(crate) fn cancel(&mut self, acquired: &Acquired) {
        if self.is_stale(acquired.seat) {
            return;
        }
        let seqno = self.tick();
        let Some(entry) = self.entry(acquired.seat.space) else {
            return;
        };
        match (acquired.evicted, acquired.fresh && !acquired.was_faulty) {
            (Some(ctx), _) => {
                *entry = Entry {
                    owner: Some(ctx),
                    seqno,
                    faulty: acquired.was_faulty,
                    ..EMPTY
                }
            }
            (None, true) => *entry = EMPTY,
            (None, false) => {
                entry.users = entry.users.saturating_sub(1);
                entry.faulty = acquired.was_faulty;
            }
        }
    }

    /// Whether the seat's stay is over.
    pub(crate) fn is_stale(&self, seat: Seat) -> bool {
        let entry = self.entries.get(seat.space.index());
        !entry.is_some_and(|e| e.owner.is_some() && e.seqno == seat.seqno)
    }

    /// Gives one use back. False when the seat is stale and there was nothing to give back.
    pub(crate) fn release(&mut self, seat: Seat) -> bool {
        if self.is_stale(seat) {
            return false;
        }
        match self
            .entry(seat.space)
            .and_then(|e| Some((e.users.checked_sub(1)?, e)))
        {
            Some((users, entry)) => {
                entry.users = users;
                true
            }
            None => false,
        }
    }

    /// Marks an address space that was switched off because nobody could handle its fault.
    pub(crate) fn set_faulty(&mut self, space: As) {
        if let Some(entry) = self.entry(space).filter(|e| e.owner.is_some()) {
            entry.faulty = true;
        }
    }

    /// Whether the seat's address space is one of those.
    pub(crate) fn is_faulty(&self, seat: Seat) -> bool {
        let entry = self.entries.get(seat.space.index());
        entry.is_some_and(|e| e.seqno == seat.seqno && e.faulty)
    }

    /// The mask of those.
    pub(crate) fn faulty(&self) -> u16 {
        let set = self
            .present()
            .filter(|(_, e)| e.faulty)
            .fold(0, |set, (space, _)| set | space.fault_bit());
        let [low, high, ..] = set.to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    /// Forgets a context that ends. The hardware must be switched off at the address space that it had before
    /// its page table is freed.
    pub(crate) fn remove(&mut self, ctx: u64) -> Option<As> {
        let space = self.find(ctx)?;
        let entry = self.entry(space)?;
        *entry = Entry {
            faulty: entry.faulty,
            ..EMPTY
        };
        Some(space)
    }

    /// After a GPU reset nobody has any. All seats are stale.
    pub(crate) fn forget_all(&mut self) {
        self.entries = [EMPTY; SPACES];
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    fn nr(acquired: &Acquired) -> u8 {
        acquired.seat.space().nr()
    }

    #[test]
    fn free_ones_first_then_the_idle_one_asked_for_longest_ago() {
        let mut slots = AsSlots::new(0x5);
        let a = slots.acquire(10).unwrap();
        let b = slots.acquire(11).unwrap();
        assert_eq!((nr(&a), nr(&b)), (0, 2));
        assert!(a.fresh && b.fresh && a.evicted.is_none() && b.evicted.is_none());
        assert_eq!(slots.acquire(12), Err(EBUSY));
        assert!(slots.release(a.seat) && slots.release(b.seat));
        let again = slots.acquire(10).unwrap();
        assert_eq!((nr(&again), again.fresh), (0, false));
        assert!(slots.release(again.seat));
        let c = slots.acquire(12).unwrap();
        assert_eq!((nr(&c), c.evicted, c.fresh), (2, Some(11), true));
        assert_eq!(
            (slots.find(11), slots.owner(c.seat.space())),
            (None, Some(12))
        );
    }

    #[test]
    fn stale_seats_are_noticed() {
        let mut slots = AsSlots::new(0x1);
        let a = slots.acquire(1).unwrap();
        slots.forget_all();
        assert!(!slots.release(a.seat));
        let b = slots.acquire(1).unwrap();
        assert!(slots.is_stale(a.seat) && !slots.is_stale(b.seat));
        assert!(!slots.release(a.seat));
        assert_eq!(slots.acquire(2), Err(EBUSY));
        assert!(slots.release(b.seat));
        assert!(!slots.release(b.seat), "given back twice");
        assert_eq!(slots.remove(1).map(As::nr), Some(0));
        assert!(slots.is_stale(b.seat));
        assert_eq!(slots.remove(1), None);
    }

    #[test]
    fn a_faulty_one_is_enabled_anew_by_the_next_use() {
        let mut slots = AsSlots::new(0x3);
        let a = slots.acquire(1).unwrap();
        slots.set_faulty(a.seat.space());
        assert_eq!(slots.faulty(), 0x1);
        assert!(slots.is_faulty(a.seat));
        let b = slots.acquire(1).unwrap();
        assert!(b.fresh && b.was_faulty && nr(&b) == 0 && !slots.is_faulty(a.seat));
        assert_eq!(slots.faulty(), 0);
        slots.set_faulty(As::new(1).unwrap());
        assert_eq!(slots.faulty(), 0, "nobody's");
    }

    #[test]
    fn a_faulty_one_stays_known_when_it_changes_hands() {
        let mut slots = AsSlots::new(0x1);
        let a = slots.acquire(1).unwrap();
        slots.set_faulty(a.seat.space());
        assert!(slots.release(a.seat));
        let b = slots.acquire(2).unwrap();
        assert_eq!((b.evicted, b.fresh, b.was_faulty), (Some(1), true, true));
        assert_eq!(slots.faulty(), 0);
    }

    /// Else the next owner's page faults would reach nobody.
    #[test]
    fn a_faulty_one_stays_known_when_its_owner_is_gone() {
        let mut slots = AsSlots::new(0x1);
        let a = slots.acquire(1).unwrap();
        slots.set_faulty(a.seat.space());
        assert_eq!(slots.remove(1).map(As::nr), Some(0));
        assert_eq!((slots.owner(a.seat.space()), slots.faulty()), (None, 0x1));
        let b = slots.acquire(2).unwrap();
        assert_eq!((b.evicted, b.fresh, b.was_faulty), (None, true, true));
        assert_eq!(slots.faulty(), 0);
        // The hardware could not be told: it is enabled anew by the next use.
        slots.cancel(&b);
        assert_eq!(slots.faulty(), 0x1);
        let c = slots.acquire(2).unwrap();
        assert!(c.fresh && c.was_faulty);
    }

    #[test]
    fn a_failed_eviction_keeps_the_old_owner() {
        let mut slots = AsSlots::new(0x1);
        let a = slots.acquire(1).unwrap();
        assert!(slots.release(a.seat));
        let b = slots.acquire(2).unwrap();
        slots.cancel(&b);
        assert_eq!((slots.find(1).map(As::nr), slots.find(2)), (Some(0), None));
        assert!(slots.is_stale(a.seat) && slots.is_stale(b.seat));
        slots.cancel(&b);
        assert_eq!(slots.find(1).map(As::nr), Some(0), "cancelled twice");
    }

    #[test]
    fn a_failed_first_use_leaves_nothing() {
        let mut slots = AsSlots::new(0x1);
        let a = slots.acquire(1).unwrap();
        slots.cancel(&a);
        assert_eq!(slots.find(1), None);
        let a = slots.acquire(1).unwrap();
        slots.set_faulty(a.seat.space());
        let b = slots.acquire(1).unwrap();
        slots.cancel(&b);
        assert_eq!(slots.faulty(), 0x1);
        assert!(slots.release(a.seat) && !slots.release(a.seat));
    }

    #[test]
    fn no_address_space_no_seat() {
        assert_eq!(AsSlots::new(0).acquire(1), Err(EBUSY));
        assert_eq!(nr(&AsSlots::new(0xFFFF_8000).acquire(1).unwrap()), 15);
    }

    /// The oracle: a list of (context, address space, uses), oldest ask first.
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
                0..48 => match (slots.acquire(ctx), oracle.expected(ctx, spaces)) {
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
                    assert_eq!(
                        slots.remove(ctx).map(As::nr),
                        gone.as_ref().map(|(_, nr, _)| *nr)
                    );
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
