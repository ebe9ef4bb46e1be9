// SPDX-License-Identifier: BSD-2-Clause
//! Clients that come, work, go astray and leave, on a GPU that lies, loses and hangs; in an order
//! that only the seed decides. Whatever happens, every fence ends, nothing stays, and the GPU works
//! afterwards.
//!
//! Catches: what the tests of single faults do not combine, as a fault during a reset of another's
//! job while its file is being closed.

use crate::Rig;
use driver_tests::panfrost::{null, write_zero, Client, Work};
use driver_tests::{errno, pass, MS, SEC};
use models::{Domain, Injection};
use seeded::Random;

/// A client with what it has under way.
struct User {
    client: Client,
    works: Vec<Work>,
    heap: Option<u64>,
    /// Buffers of others, with handle and address.
    shared: Vec<(u32, u64)>,
}

/// What the model may be asked to do wrong. Anything that goes by an address is left out: addresses
/// are shared.
fn wrong(r: &mut Random) -> Injection {
    let slot = r.below(2) as usize;
    let line = r.below(3) as usize;
    match r.below(11) {
        0 => Injection::HangNextJob { slot },
        1 => Injection::LateIrq {
            line,
            ns: r.below(20 * MS),
        },
        2 => Injection::LoseIrq {
            line: r.below(2) as usize,
        },
        9 => Injection::SpuriousIrq { line },
        3 => Injection::BusErrorAt(r.below(20)),
        4 => Injection::PageFaultAtAccess(r.below(20)),
        5 => Injection::ResetStuck,
        6 => {
            Injection::PowerStuck([Domain::L2, Domain::Shader, Domain::Tiler][r.below(3) as usize])
        }
        7 => Injection::AsStuck(r.below(4) as usize),
        8 => Injection::JobFault {
            slot,
            code: [0x40, 0x58, 0x48, 0x60][r.below(4) as usize],
        },
        _ => Injection::GpuFault,
    }
}

fn submit(user: &mut User, r: &mut Random) -> Result<(), i32> {
    let work = user.client.work()?;
    match r.below(8) {
        0 => work
            .chain
            .write(0, &write_zero(0x7000_0000 + (r.below(1 << 20) << 12), 0)),
        // Each round of it is an event, so it is rare.
        1 if r.below(8) == 0 => work.chain.write(0, &null(work.chain.va)),
        2 => work.chain.write(0, &[0x5a; 64]),
        3 => {
            if let Some(heap) = user.heap {
                work.chain
                    .write(0, &write_zero(heap + (r.below(4 << 20) & !7), 0));
            }
        }
        _ => {}
    }
    let mut bos = vec![work.chain.handle, work.data.handle];
    if let Some((handle, _)) = user.shared.get(r.below(4) as usize) {
        bos.push(*handle);
    }
    let waits: Vec<u32> = user
        .works
        .last()
        .filter(|_| r.below(4) == 0)
        .map(|w| w.done)
        .into_iter()
        .collect();
    user.client
        .submit(work.chain.va, r.below(2) == 0, &bos, &waits, work.done)?;
    user.works.push(work);
    Ok(())
}

/// One step. Errors are those that a client may get.
fn step(rig: &Rig, users: &mut Vec<User>, r: &mut Random) -> Result<(), i32> {
    if users.is_empty() {
        let client = Client::open(rig)?;
        users.push(User {
            client,
            works: Vec::new(),
            heap: None,
            shared: Vec::new(),
        });
    }
    let at = r.below(users.len() as u64) as usize;
    match r.below(20) {
        0 | 1 if users.len() < 12 => {
            let client = Client::open(rig)?;
            let heap = client.bo(4 << 20, 3).ok().map(|bo| bo.va);
            users.push(User {
                client,
                works: Vec::new(),
                heap,
                shared: Vec::new(),
            });
        }
        2 => drop(users.swap_remove(at)),
        3..=9 => submit(&mut users[at], r)?,
        10 => {
            let to = r.below(users.len() as u64) as usize;
            if to != at && !users[at].works.is_empty() {
                let handle = users[at].works[0].data.handle;
                let theirs = pass(
                    &users[at].client,
                    &users[to].client,
                    users[at].client.export(handle)?,
                )?;
                let va = users[to].client.va(theirs)?;
                users[to].shared.push((theirs, va));
            }
        }
        11 if !users[at].works.is_empty() => {
            let n = r.below(users[at].works.len() as u64) as usize;
            let work = users[at].works.swap_remove(n);
            users[at].client.close(work.chain.handle)?;
            users[at].client.close(work.data.handle)?;
            users[at].client.syncobj_destroy(work.done)?;
        }
        12 => {
            if let Some(work) = users[at].works.first() {
                users[at]
                    .client
                    .madvise(work.data.handle, r.below(2) as u32)?;
            }
        }
        13 => drop(rig.world().lowmem(r.below(100))),
        14 => {
            if let Some(work) = users[at].works.last() {
                users[at].client.wait(work.data.handle, r.below(50 * MS))?;
            }
        }
        15 | 16 => rig.plant(wrong(r)),
        17 => rig.slow_jobs([5_000, 100_000, 10 * MS, 700 * MS][r.below(4) as usize]),
        _ => {
            let most = [1000, 100_000, 10 * MS, 600 * MS][r.below(4) as usize];
            rig.advance(r.below(most));
        }
    }
    Ok(())
}

fn soak(board: &str, seed: u64) {
    let rig = Rig::with(board, Default::default());
    let mut r = Random::new(seed);
    let mut users = Vec::new();
    for n in 0..400 {
        if r.below(20) == 0 {
            rig.world().fail_allocation(Some(r.below(30)));
        }
        match step(&rig, &mut users, &mut r) {
            Ok(()) => {}
            // Out of memory as asked for; a wait that has ended; a shared, purged or closed object.
            Err(
                errno::ENOMEM
                | errno::ENXIO
                | errno::ETIMEDOUT
                | errno::EBUSY
                | errno::EINVAL
                | errno::ENOENT,
            ) => {}
            Err(e) => panic!("{board} seed {seed} step {n}: error {e}"),
        }
        rig.world().fail_allocation(None);
    }
    rig.slow_jobs(5_000);
    // A hang takes half a second, each, and a GPU that does not come on is left alone for one.
    for _ in 0..200 {
        rig.advance(SEC);
        if users
            .iter()
            .all(|u| u.works.iter().all(|w| u.client.outcome(w.done) != 0))
        {
            break;
        }
    }
    for user in &users {
        for work in &user.works {
            assert_ne!(
                user.client.outcome(work.done),
                0,
                "{board} seed {seed}: a job never ends"
            );
            assert_eq!(
                user.client.wait(work.data.handle, 0),
                Ok(()),
                "{board} seed {seed}"
            );
        }
    }
    // Faults that are still planted hit a client; then all work.
    let c = rig.client();
    let tries = (0..30).position(|_| {
        let good = [false, true].map(|fragment| {
            let work = c.work().unwrap();
            c.start_in(&work, fragment).unwrap();
            let good = c.finish(&work, 10 * SEC) == 1;
            // One that failed may have got that far.
            assert!(!good || work.is_done(), "{board} seed {seed}");
            c.discard(work);
            good
        });
        rig.advance(2 * SEC);
        good == [true, true]
    });
    assert!(tries.is_some(), "{board} seed {seed}: the GPU is lost");
    assert_eq!(
        rig.world().counters().power_domains_on,
        0,
        "{board} seed {seed}"
    );
    drop((users, c));
    rig.finish();
}

/// Seeds for each GPU; DRIVER_TESTS_SEEDS asks for another number.
fn seeds(from: u64) -> std::ops::Range<u64> {
    let count = std::env::var("DRIVER_TESTS_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok());
    from..from + count.unwrap_or(8)
}

#[test]
fn any_order_of_events_on_an_rk3399() {
    seeds(1).for_each(|seed| soak("rk3399", seed));
}

#[test]
fn any_order_of_events_on_a_t720() {
    seeds(10_000).for_each(|seed| soak("mali-t720", seed));
}

#[test]
fn any_order_of_events_on_a_g52() {
    seeds(20_000).for_each(|seed| soak("mali-g52", seed));
}
