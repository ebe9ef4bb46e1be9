// SPDX-License-Identifier: BSD-2-Clause
//! The other GPUs: each attaches, says what it is, runs a job, and gets over a fault and a reset.

use crate::Rig;
use driver_tests::panfrost::write_zero;
use driver_tests::{errno, MS, SEC};
use models::Injection;

/// Product, address spaces, shader cores, jobs that a slot takes. HW: what the model says, see
/// tests/lib/models/src/mali/variant.rs; the depth is that of the features of the part.
const BOARDS: [(&str, u64, u32, u64, u64); 5] = [
    ("rk3399", 0x860, 8, 0xf, 2),
    ("mali-t720", 0x720, 4, 0x3, 1),
    ("mali-t760", 0x750, 8, 0xf, 2),
    ("mali-g31", 0x7093, 8, 0x1, 2),
    ("mali-g52", 0x7402, 8, 0x1, 2),
];

fn each(test: impl Fn(&Rig, &(&str, u64, u32, u64, u64))) {
    for board in &BOARDS {
        let rig = Rig::with(board.0, Default::default());
        test(&rig, board);
        rig.finish();
    }
}

/// Catches: a part that is not known, or taken for another; a register that it does not have
/// (finish looks).
#[test]
fn they_attach_and_say_what_they_are() {
    each(|rig, (name, product, spaces, cores, _)| {
        let c = rig.client();
        assert_eq!(c.param(0), Ok(*product), "{name}");
        assert_eq!(c.param(6).unwrap().count_ones(), *spaces, "{name}");
        assert_eq!(c.param(2), Ok(*cores), "{name}");
        assert_eq!(c.param(38), Ok(1), "{name}");
        for param in 0..45 {
            assert!(c.param(param).is_ok(), "{name} {param}");
        }
        assert_eq!(c.param(45), Err(errno::EINVAL));
    });
}

/// Catches: job registers of another part, page tables in another format.
#[test]
fn they_run_jobs_in_both_slots() {
    each(|rig, (name, ..)| {
        let c = rig.client();
        for fragment in [false, true] {
            let works = [c.work().unwrap(), c.work().unwrap(), c.work().unwrap()];
            for work in &works {
                c.start_in(work, fragment).unwrap();
            }
            for work in &works {
                assert_eq!(c.finish(work, SEC), 1, "{name}");
                assert!(work.is_done(), "{name}");
            }
        }
        rig.advance(100 * MS);
        assert_eq!(rig.world().counters().power_domains_on, 0, "{name}");
        c.expect_works();
    });
}

/// Catches: a slot that is given more, or less, than it takes.
#[test]
fn their_slots_are_as_deep_as_they_are() {
    each(|rig, (name, .., depth)| {
        let c = rig.client();
        let works = [c.work().unwrap(), c.work().unwrap()];
        rig.plant(Injection::LateIrq { line: 0, ns: MS });
        for work in &works {
            c.start(work).unwrap();
        }
        rig.advance(MS / 2);
        assert_eq!(rig.stats().chains[1], *depth, "{name}");
        for work in &works {
            assert_eq!(c.finish(work, SEC), 1, "{name}");
        }
    });
}

/// Catches: fault registers of another part, a heap that does not grow on it.
#[test]
fn they_fault_and_heaps_grow() {
    each(|rig, (name, ..)| {
        let c = rig.client();
        let work = c.work().unwrap();
        let heap = c.bo(4 << 20, 3).unwrap();
        work.chain.write(0, &write_zero(heap.va + (3 << 20), 0));
        c.start(&work).unwrap();
        assert_eq!(c.finish(&work, SEC), 1, "{name}");
        work.chain.write(0, &write_zero(0x7000_0000, 0));
        c.start(&work).unwrap();
        assert_eq!(c.finish(&work, SEC), -errno::EINVAL, "{name}");
        assert_eq!(
            rig.logged("TRANSLATION_FAULT at 0x70000000, level "),
            1,
            "{name}"
        );
        assert_eq!(
            rig.logged(", write by unit 0x") + rig.logged(", atomic access by unit 0x"),
            1,
            "{name}"
        );
        assert_eq!(rig.logged("Some("), 0, "{name}");
        c.expect_works();
        assert_eq!(rig.stat("resets"), 0, "{name}");
    });
}

/// Catches: stops that do not name the job where they must (the model counts those as protocol
/// errors), quirks and address spaces that a reset clears and that are not set again.
#[test]
fn they_stop_jobs_and_are_reset() {
    each(|rig, (name, ..)| {
        let [c, other] = [rig.client(), rig.client()];
        let bad = c.work().unwrap();
        let innocent = other.work().unwrap();
        rig.plant(Injection::HangNextJob { slot: 1 });
        c.start(&bad).unwrap();
        other.start(&innocent).unwrap();
        assert_eq!(c.finish(&bad, SEC), -errno::ETIMEDOUT, "{name}");
        assert_eq!(other.finish(&innocent, SEC), 1, "{name}");
        assert_eq!(rig.stat("resets"), 0, "{name}");
        rig.plant(Injection::HangJobsAt {
            first: bad.chain.va,
            last: bad.chain.va,
        });
        c.start_in(&bad, true).unwrap();
        assert_eq!(c.finish(&bad, SEC), -errno::ETIMEDOUT, "{name}");
        assert_eq!(rig.stat("resets"), 1, "{name}");
        rig.plant(Injection::HangJobsAt { first: 1, last: 0 });
        c.expect_works();
        other.expect_works();
    });
}
