// SPDX-License-Identifier: BSD-2-Clause
//! Charges to a user's credentials: threads charge without a lock while enough is reserved.

use glue_tests::threads::{kernel_process, Cred, Place, System};
use seeded::Random;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;

const STEP: u64 = 65536;
const ENOMEM: i32 = 12;

#[test]
fn memory_is_reserved_in_steps_and_one_is_kept() {
    let (system, cred) = (System::get(), Cred::hold());
    system.swap_limit(8 * STEP);
    let swap = || system.counts().swap;
    assert_eq!((cred.charge(1), swap()), (Ok(()), STEP));
    assert_eq!((cred.charge(STEP - 1), swap()), (Ok(()), STEP));
    assert_eq!((cred.charge(5 * STEP + 1), swap()), (Ok(()), 7 * STEP));
    cred.uncharge(5 * STEP + 1);
    assert_eq!(swap(), 2 * STEP);
    cred.uncharge(STEP);
    assert_eq!(swap(), STEP);
    drop(cred);
    assert_eq!(swap(), 0);
}

#[test]
fn a_refused_charge_leaves_nothing() {
    let (system, cred) = (System::get(), Cred::hold());
    system.swap_limit(3 * STEP);
    assert_eq!(cred.charge(STEP), Ok(()));
    for bytes in [3 * STEP, 2 * STEP + 1, 1 << 40] {
        assert_eq!(cred.charge(bytes), Err(ENOMEM));
        assert_eq!(system.counts().swap, STEP);
    }
    assert_eq!(cred.charge(2 * STEP), Ok(()), "all that is left");
    cred.uncharge(3 * STEP);
}

#[test]
fn the_users_next_request_reserves_what_a_kernel_process_has_used() {
    let (system, cred) = (System::get(), Cred::hold());
    system.swap_limit(4 * STEP);
    kernel_process(true);
    assert_eq!((cred.charge(2 * STEP), system.counts().swap), (Ok(()), 0));
    kernel_process(false);
    assert_eq!((cred.charge(1), system.counts().swap), (Ok(()), 3 * STEP));
    assert_eq!(cred.charge(2 * STEP), Err(ENOMEM));
    kernel_process(true);
    cred.uncharge(2 * STEP);
    cred.uncharge(1);
    kernel_process(false);
    assert_eq!(system.counts().swap, STEP);
}

/// While a charge is being refused, what is charged looks like more than is reserved, so that one
/// who gives memory back then releases nothing.
#[test]
fn a_refused_charge_releases_what_was_given_back_meanwhile() {
    let (system, cred) = (System::get(), Arc::new(Cred::hold()));
    system.swap_limit(10 * STEP);
    assert_eq!(cred.charge(10 * STEP), Ok(()));
    let (other, once) = (Arc::downgrade(&cred), AtomicBool::new(true));
    system.on_step(move |place| {
        if place == Place::Reserve && once.swap(false, SeqCst) {
            let cred = other.upgrade().expect("it is in use");
            let thread = thread::spawn(move || cred.uncharge(10 * STEP));
            thread.join().expect("it takes no lock");
        }
    });
    assert_eq!(cred.charge(100 * STEP), Err(ENOMEM));
    assert!(system.counts().swap <= STEP, "{:?}", system.counts());
}

/// One that relies on what is being released takes no lock, so the release is taken back.
#[test]
fn what_is_charged_during_a_release_stays_reserved() {
    let (system, cred) = (System::get(), Arc::new(Cred::hold()));
    system.swap_limit(10 * STEP);
    assert_eq!(cred.charge(10 * STEP), Ok(()));
    let (other, phase) = (Arc::downgrade(&cred), AtomicU64::new(0));
    system.on_step(move |place| match (place, phase.load(SeqCst)) {
        (Place::Lock, 0) => phase.store(1, SeqCst),
        // It has read what is charged.
        (Place::Atomic, 1) => {
            phase.store(2, SeqCst);
            let cred = other.upgrade().expect("it is in use");
            let thread = thread::spawn(move || cred.charge(5 * STEP));
            assert_eq!(thread.join().expect("it takes no lock"), Ok(()));
        }
        _ => {}
    });
    cred.uncharge(8 * STEP);
    assert!(system.counts().swap >= 7 * STEP, "{:?}", system.counts());
    cred.uncharge(7 * STEP);
    assert_eq!(system.counts().swap, STEP);
}

/// One thread's part of a run; returns how many of its charges were refused.
fn client(cred: &Cred, random: &mut Random, held: &AtomicU64, meet: impl Fn()) -> u64 {
    let (mut mine, mut refused) = (Vec::new(), 0);
    for i in 1..=300 {
        if random.one_in(2) || mine.is_empty() {
            let most = if random.one_in(8) { 8 * STEP } else { STEP };
            let bytes = 1 + random.below(most);
            match cred.charge(bytes) {
                Ok(()) => {
                    held.fetch_add(bytes, SeqCst);
                    mine.push(bytes);
                }
                Err(e) => {
                    assert_eq!(e, ENOMEM);
                    refused += 1;
                }
            }
        } else {
            let bytes = mine.swap_remove(random.index(mine.len()));
            held.fetch_sub(bytes, SeqCst);
            cred.uncharge(bytes);
        }
        if i % 20 == 0 {
            meet();
        }
    }
    mine.into_iter().for_each(|bytes| cred.uncharge(bytes));
    refused
}

#[test]
fn whatever_threads_do_all_that_is_charged_is_reserved() {
    const CLIENTS: u64 = 4;
    let mut refused = 0;
    for seed in 0..8 {
        let (system, cred, held) = (System::get(), Cred::hold(), AtomicU64::new(0));
        system.swap_limit(16 * STEP);
        system.jitter(seed);
        let barrier = Barrier::new(CLIENTS as usize);
        let short = AtomicU64::new(0);
        let meet = || {
            if barrier.wait().is_leader() {
                let (held, swap) = (held.load(SeqCst), system.counts().swap);
                short.fetch_max(held.saturating_sub(swap), SeqCst);
            }
            barrier.wait();
        };
        let run = |i| client(&cred, &mut Random::of(seed, &[i]), &held, meet);
        let run = &run;
        refused += thread::scope(|s| {
            let all: Vec<_> = (0..CLIENTS).map(|i| s.spawn(move || run(i))).collect();
            let join = |t: thread::ScopedJoinHandle<'_, u64>| t.join().expect("a client");
            all.into_iter().map(join).sum::<u64>()
        });
        assert_eq!(
            short.load(SeqCst),
            0,
            "seed {seed}: bytes that are not reserved"
        );
        assert!(
            system.counts().swap <= STEP,
            "seed {seed}: {:?}",
            system.counts()
        );
        drop(cred);
        assert_eq!(system.counts().swap, 0, "seed {seed}");
    }
    assert!(refused > 50, "the limit is hit: {refused}");
}
