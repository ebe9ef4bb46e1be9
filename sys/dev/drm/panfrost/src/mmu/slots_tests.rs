// SPDX-License-Identifier: BSD-2-Clause
//! Tests of the hardware address spaces: who gets one, and when a seat is stale.

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
