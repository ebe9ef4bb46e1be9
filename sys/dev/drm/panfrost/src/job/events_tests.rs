// SPDX-License-Identifier: BSD-2-Clause
//! Tests of `events.rs`: the truth table, and random interleavings of a slot, from a fixed seed.

extern crate std;

use super::*;
use crate::exception::{Outcome, Stop};
use seeded::Random;
use std::collections::VecDeque;
use std::vec::Vec;

fn failure(code: u8) -> Failure {
    Failure {
        exception: Exception(code),
        head: 0x1000,
        tail: 0x1040,
    }
}

/// done, failed with this code, active, jobs in the slot -> done, failed, left, requeue
fn verdict(done: u8, code: Option<u8>, active: bool, in_hw: u8) -> (u8, bool, u8, bool) {
    let failure = code.map(failure);
    let e = SlotEvents {
        done,
        failed: code.is_some(),
        active,
        settled: true,
        failure,
    };
    let v = e.verdict(in_hw);
    assert_eq!(v.failed, failure.filter(|_| in_hw != 0));
    assert!(!v.spurious, "{e:?}");
    (v.done, v.failed.is_some(), v.left, v.requeue_next)
}

#[test]
fn the_truth_table() {
    let (no, yes) = (false, true);
    // One job: done; failed.
    assert_eq!(verdict(1, None, no, 1), (1, no, 0, no));
    assert_eq!(verdict(0, Some(0x58), no, 1), (0, yes, 0, no));
    // Two jobs: the first is done and the second runs.
    assert_eq!(verdict(1, None, yes, 2), (1, no, 1, no));
    // Both are done, reported by one interrupt; and by two.
    assert_eq!(verdict(1, None, no, 2), (2, no, 0, no));
    assert_eq!(verdict(2, None, no, 2), (2, no, 0, no));
    // The first failed, the start of the second was cancelled.
    assert_eq!(verdict(0, Some(0x58), no, 2), (0, yes, 1, yes));
    // The first is done, the second failed.
    assert_eq!(verdict(1, Some(0x58), no, 2), (1, yes, 0, no));
    // Stopped and terminated count as failed; the exception distinguishes them.
    assert_eq!(verdict(0, Some(0x03), no, 2), (0, yes, 1, yes));
    assert_eq!(verdict(0, Some(0x04), no, 1), (0, yes, 0, no));
    // Without an interrupt no job has ended, whatever JS_STATE is.
    assert_eq!(verdict(0, None, no, 2), (0, no, 2, no));
    assert_eq!(verdict(0, None, yes, 1), (0, no, 1, no));
}

#[test]
fn an_interrupt_left_for_later_keeps_the_second_job() {
    let e = SlotEvents {
        done: 1,
        settled: false,
        ..SlotEvents::NONE
    };
    let v = e.verdict(2);
    assert_eq!((v.done, v.left, v.requeue_next), (1, 1, false));
}

#[test]
fn interrupts_without_jobs_are_spurious_and_harmless() {
    let none = Verdict {
        done: 0,
        failed: None,
        left: 0,
        requeue_next: false,
        spurious: true,
    };
    assert_eq!(
        SlotEvents {
            done: 1,
            ..SlotEvents::NONE
        }
        .verdict(0),
        none
    );
    let failed = SlotEvents {
        failed: true,
        failure: Some(failure(0x40)),
        ..SlotEvents::NONE
    };
    assert_eq!(failed.verdict(0), none);
    let both = SlotEvents { done: 1, ..failed };
    let v = both.verdict(1);
    assert_eq!(
        (v.done, v.failed, v.left, v.spurious),
        (0, failed.failure, 0, true)
    );
}

#[test]
fn the_exception_decides_what_happens_to_the_job() {
    let e = SlotEvents {
        failed: true,
        failure: Some(failure(0x03)),
        ..SlotEvents::NONE
    };
    let stopped = e.verdict(1).failed.unwrap();
    assert_eq!(
        stopped.exception.outcome(Some(Stop::Soft)),
        Outcome::Stopped
    );
    assert_eq!(
        stopped.exception.outcome(Some(Stop::Hard)),
        Outcome::Terminated
    );
    assert_eq!(stopped.tail, 0x1040);
}

#[test]
fn the_next_job_is_taken_back_before_the_clear_and_state_is_read_after() {
    let mut raised = VecDeque::from([0x0001_0002, 0x1, 0x0]);
    let mut log = Vec::new();
    let events = Events::collect_with(ROUNDS, |access| {
        log.push(access);
        match access {
            Access::Raised => raised.pop_front().unwrap(),
            Access::State => 0x2,
            _ => 0,
        }
    });
    let expected = [
        Access::Raised,
        Access::CancelNext(Slot::FRAGMENT),
        Access::Clear(0x0001_0002),
        Access::State,
        Access::Raised,
        Access::Clear(0x1),
        Access::State,
        Access::Raised,
    ];
    assert_eq!(log, expected);
    assert!(events.slot(Slot::FRAGMENT).failed && !events.slot(Slot::FRAGMENT).active);
    assert!(events.slot(Slot::VERTEX_TILER).active && !events.slot(Slot::COMPUTE).any());
}

#[test]
fn a_pass_is_bounded() {
    let mut reads = 0_u32;
    let events = Events::collect_with(ROUNDS, |access| {
        reads += u32::from(access == Access::Raised);
        0x0007_0007
    });
    assert_eq!(reads, ROUNDS + 1);
    assert!(Slot::ALL.iter().all(|slot| !events.slot(*slot).settled));
}

/// A slot as docs/hw/panfrost.md describes it, written for these tests.
#[derive(Default)]
struct Hardware {
    /// Chains that will fail, by number.
    fails: Vec<bool>,
    current: Option<usize>,
    next: Option<usize>,
    /// The NEXT registers keep their job after a NOP.
    loaded: Option<usize>,
    raised: u32,
    state: u32,
    ended: Vec<usize>,
}

impl Hardware {
    fn held(&self) -> bool {
        self.raised & 0x1_0000 != 0
    }

    fn move_up(&mut self) {
        if self.current.is_none() && !self.held() {
            self.current = self.next.take();
        }
    }

    fn start(&mut self) {
        self.next = self.loaded;
        self.move_up();
    }

    fn finish_current(&mut self) {
        if let Some(job) = self.current.take() {
            self.raised |= if self.fails[job] { 0x1_0000 } else { 0x1 };
            self.ended.push(job);
            self.move_up();
        }
    }

    fn access(&mut self, access: Access) -> u32 {
        match access {
            Access::Raised => return self.raised,
            Access::CancelNext(_) => self.next = None,
            Access::Clear(bits) => {
                self.raised &= !bits;
                self.move_up();
                let now = u32::from(self.current.is_some()) | u32::from(self.next.is_some()) << 16;
                // Either bit of a slot samples both.
                if bits & 0x1_0001 != 0 {
                    self.state = now;
                }
            }
            Access::State => return self.state,
        }
        0
    }
}

#[test]
fn every_job_ends_once_and_as_it_did() {
    let mut random = Random::new(1);
    let mut next = |n: u64| random.below(n);
    let (mut coalesced, mut requeued) = (0, 0);
    for _ in 0..20_000 {
        let total = 6;
        let mut hw = Hardware {
            fails: (0..total).map(|_| next(4) == 0).collect(),
            ..Hardware::default()
        };
        let mut in_hw: VecDeque<usize> = VecDeque::new();
        let mut results: Vec<(usize, bool)> = Vec::new();
        let mut submitted = 0;
        let rounds = 1 + u32::try_from(next(3)).unwrap();
        for _ in 0..1000 {
            if in_hw.len() < 2 && submitted < total && hw.next.is_none() && next(2) == 0 {
                hw.loaded = Some(submitted);
                in_hw.push_back(submitted);
                hw.start();
                submitted += 1;
            }
            if next(2) == 0 {
                hw.finish_current();
            }
            if hw.raised == 0 {
                continue;
            }
            let events = Events::collect_with(rounds, |access| {
                if next(3) == 0 {
                    hw.finish_current();
                }
                hw.access(access)
            });
            let mut e = events.slot(Slot::FRAGMENT);
            e.failure = e.failed.then(|| failure(0x58));
            let v = e.verdict(u8::try_from(in_hw.len()).unwrap());
            assert!(!v.spurious);
            coalesced += u32::from(v.done > e.done);
            for _ in 0..v.done {
                results.push((in_hw.pop_front().unwrap(), false));
            }
            if v.failed.is_some() {
                results.push((in_hw.pop_front().unwrap(), true));
            }
            assert_eq!(in_hw.len(), usize::from(v.left));
            if v.requeue_next {
                requeued += 1;
                hw.start();
            }
        }
        let expected: Vec<(usize, bool)> = (0..total).map(|job| (job, hw.fails[job])).collect();
        assert_eq!(results, expected);
        assert_eq!(
            hw.ended,
            (0..total).collect::<Vec<_>>(),
            "each job ran once"
        );
    }
    assert!(
        coalesced > 1000 && requeued > 1000,
        "too tame: {coalesced} coalesced, {requeued} requeued"
    );
}
