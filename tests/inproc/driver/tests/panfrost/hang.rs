// SPDX-License-Identifier: BSD-2-Clause
//! Jobs that do not end, and the resets that end them. Each test bounds the virtual time that it
//! takes.

use crate::Rig;
use driver_tests::panfrost::{null, write_zero, Client, Work};
use driver_tests::{errno, MS, SEC};
use models::Injection;

/// After this a hang has ended: half a second, two stops of 10 ms, and the reset.
const HANG: u64 = 560 * MS;

/// A job that no stop moves: it waits for memory, without a notice.
pub(super) fn start_immovable(rig: &Rig, c: &Client, slot: usize) -> Work {
    let work = c.work().unwrap();
    work.chain.write(0, &write_zero(0x7000_0000, 0));
    rig.plant(Injection::LoseIrq { line: 1 });
    c.start_in(&work, slot == 0).unwrap();
    rig.advance(MS);
    work
}

/// A chain that links to itself ends by a soft stop. Catches: no time-out task, a task that comes
/// again and again at one instant, a stop that is never sent, a reset where a stop is enough, a
/// time-out that looks like success.
#[test]
fn an_endless_chain_is_stopped_without_a_reset() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work().unwrap();
    work.chain.write(0, &null(work.chain.va));
    let begin = rig.world().now();
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, 2 * SEC), -errno::ETIMEDOUT);
    assert!(rig.world().now() - begin < 502 * MS);
    assert_eq!(
        (rig.stat("resets"), rig.stats().soft_resets),
        (0, 1),
        "the probe's reset is the only one"
    );
    assert_eq!(rig.stats().job_exceptions.get(&3), Some(&1), "STOPPED");
    assert_eq!((c.stat("faults"), c.stat("jobs")), (1, 1));
    assert_eq!(rig.logged("job timeout"), 1);
    c.expect_works();
    drop((work, c));
    rig.finish();
}

/// A job that ignores soft stops. Catches: no second step, a reset where a hard stop is enough,
/// TERMINATED taken for the end of a closed file.
#[test]
fn a_hang_that_ignores_soft_stops_is_stopped_hard() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work().unwrap();
    rig.plant(Injection::HangNextJob { slot: 1 });
    let begin = rig.world().now();
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, 2 * SEC), -errno::ETIMEDOUT);
    assert!(rig.world().now() - begin < 512 * MS);
    assert_eq!(rig.stat("resets"), 0);
    assert_eq!(rig.stats().job_exceptions.get(&4), Some(&1), "TERMINATED");
    assert!(work.is_untouched());
    c.expect_works();
    drop((work, c));
    rig.finish();
}

/// Both slots hang at once. Catches: only one slot checked, the second one's time forgotten.
#[test]
fn hangs_in_two_slots_both_end() {
    let rig = Rig::new();
    let c = rig.client();
    let works = [false, true].map(|fragment| {
        let work = c.work().unwrap();
        rig.plant(Injection::HangNextJob {
            slot: usize::from(!fragment),
        });
        c.start_in(&work, fragment).unwrap();
        work
    });
    let begin = rig.world().now();
    for work in &works {
        assert_eq!(c.finish(work, 2 * SEC), -errno::ETIMEDOUT);
    }
    assert!(rig.world().now() - begin < HANG);
    assert_eq!(rig.stat("resets"), 0);
    c.expect_works();
    drop((works, c));
    rig.finish();
}

/// A job that no stop moves is ended by a reset; what others had in the hardware, in the other slot
/// and after it in its own, runs again. Catches: no reset, jobs lost in it, the wrong job blamed,
/// slots or page tables believed to be as they were.
#[test]
fn a_reset_ends_the_guilty_and_runs_the_innocent_again() {
    let rig = Rig::new();
    let [guilty, later, beside] = [rig.client(), rig.client(), rig.client()];
    let begin = rig.world().now();
    let bad = start_immovable(&rig, &guilty, 1);
    let queued = later.work().unwrap();
    later.start(&queued).unwrap();
    rig.advance(400 * MS);
    rig.slow_jobs(300 * MS);
    let running = beside.work().unwrap();
    beside.start_in(&running, true).unwrap();
    assert_eq!(guilty.finish(&bad, 2 * SEC), -errno::ETIMEDOUT);
    assert!(rig.world().now() - begin < HANG);
    assert!(running.is_untouched() && queued.is_untouched());
    rig.slow_jobs(5_000);
    assert_eq!(later.finish(&queued, SEC), 1);
    assert_eq!(beside.finish(&running, SEC), 1);
    assert!(running.is_done() && queued.is_done());
    assert_eq!(rig.stat("resets"), 1);
    assert_eq!(
        [&guilty, &later, &beside].map(|c| c.stat("faults")),
        [1, 0, 0]
    );
    assert_eq!(
        [&guilty, &later, &beside].map(|c| c.stat("jobs")),
        [1, 1, 1]
    );
    for c in [&guilty, &later, &beside] {
        c.expect_works();
    }
    assert_eq!(rig.stats().chains, [2, 5, 0]);
    drop((bad, queued, running, guilty, later, beside));
    rig.finish();
}

/// Catches: a job that pays for resets that others cause, or that has fewer runs than there are
/// resets.
#[test]
fn resets_that_others_cause_are_nothing_to_a_job() {
    let rig = Rig::new();
    let victim = rig.client();
    rig.slow_jobs(400 * MS);
    let work = victim.work().unwrap();
    victim.start_in(&work, true).unwrap();
    rig.advance(MS);
    for n in 1..=7 {
        let other = rig.client();
        let theirs = other.work().unwrap();
        // The victim has address space 0, before the reset and after it.
        rig.plant(Injection::AsStuck(1));
        other.start(&theirs).unwrap();
        rig.advance(150 * MS);
        assert_eq!(rig.stat("resets"), n);
        assert_eq!(victim.outcome(work.done), 0, "after {n} resets");
        drop((theirs, other));
    }
    rig.slow_jobs(5_000);
    assert_eq!(victim.finish(&work, SEC), 1);
    assert!(work.is_done());
    assert_eq!(victim.stat("faults"), 0);
    victim.expect_works();
    drop((work, victim));
    rig.finish();
}

/// The heads of both slots move no more, the one of the higher slot first. Catches: the lower slot
/// always blamed, the second slot not stopped while the first is.
#[test]
fn the_slot_that_was_late_first_is_blamed() {
    for slots in [[0, 1], [1, 0]] {
        let rig = Rig::new();
        let clients = [rig.client(), rig.client()];
        let begin = rig.world().now();
        let first = start_immovable(&rig, &clients[0], slots[0]);
        rig.advance(4 * MS);
        let second = start_immovable(&rig, &clients[1], slots[1]);
        assert_eq!(
            clients[0].finish(&first, SEC),
            -errno::ETIMEDOUT,
            "{slots:?}"
        );
        assert!(rig.world().now() - begin < HANG, "{slots:?}");
        // It has another run, whose fault is not lost.
        let end = clients[1].finish(&second, 100 * MS);
        assert!(end < 0 && end != -errno::ETIMEDOUT, "{slots:?} {end}");
        assert_eq!(rig.stat("resets"), 1);
        clients.iter().for_each(Client::expect_works);
        drop((first, second, clients));
        rig.finish();
    }
}

/// Catches: others that wait for the timeout of a file that is no longer open.
#[test]
fn a_job_of_a_closed_file_that_no_stop_moves_is_ended_at_once() {
    let rig = Rig::new();
    let [guilty, other] = [rig.client(), rig.client()];
    let bad = start_immovable(&rig, &guilty, 1);
    let queued = other.work().unwrap();
    other.start(&queued).unwrap();
    rig.advance(MS);
    let begin = rig.world().now();
    drop((bad, guilty));
    assert_eq!(other.finish(&queued, SEC), 1);
    // The stop, and what the reset waits for stops.
    let ns = rig.world().now() - begin;
    assert!(ns < 25 * MS, "{ns}");
    assert_eq!((rig.stat("resets"), rig.stat("faults")), (1, 0));
    drop((queued, other));
    rig.finish();
}

/// The fourth job of a client does not pay for its third. Catches: a hang that poisons its client.
#[test]
fn hangs_in_a_row_each_end_and_leave_nothing() {
    let rig = Rig::new();
    let c = rig.client();
    for _ in 0..4 {
        let bad = start_immovable(&rig, &c, 0);
        assert_eq!(c.finish(&bad, 2 * SEC), -errno::ETIMEDOUT);
        c.expect_works();
        c.discard(bad);
    }
    assert_eq!(rig.stat("resets"), 4);
    drop(c);
    rig.finish();
}
