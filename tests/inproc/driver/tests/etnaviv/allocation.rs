// SPDX-License-Identifier: BSD-2-Clause
//! etnaviv: the n-th allocation fails, for every n, in every call that allocates. As allocation.rs,
//! which says what it catches.

use driver_tests::etnaviv::{prep, stream, Client, Fence, Rig, Work, BROKEN, WC};
use driver_tests::sweep::{self, MTXS, PAGES, SXS};
use driver_tests::{errno, sync_file_info, MS, SEC};
use models::vivante::Injection;
use std::cell::RefCell;

fn sweep<S, T>(setup: impl Fn(&Rig) -> S, step: impl Fn(&Rig, &S) -> Result<T, i32>) -> u64 {
    sweep_keeping(&[], setup, step)
}

fn sweep_keeping<S, T>(
    kinds: &[usize],
    setup: impl Fn(&Rig) -> S,
    step: impl Fn(&Rig, &S) -> Result<T, i32>,
) -> u64 {
    sweep::on("imx8mq", kinds, setup, step)
}

#[test]
fn attach() {
    let failures = sweep::attach("imx8mq", |board| {
        Client::open(board).unwrap().expect_works();
    });
    assert!(failures > 20, "{failures}");
}

#[test]
fn open() {
    let failures = sweep(|_| (), |rig, ()| Client::open(rig));
    assert!(failures > 5, "{failures}");
}

#[test]
fn gem_new() {
    for size in [4096, 1 << 20] {
        let failures = sweep(Rig::client, |_, c| {
            let handle = c.gem_new(size, WC)?;
            assert_eq!(handle, 1, "a failed call keeps no handle");
            c.close(handle).unwrap();
            Ok(())
        });
        assert!(failures > 2, "{failures}");
    }
}

#[test]
fn maps() {
    let setup = |rig: &Rig| {
        let c = rig.client();
        let handle = c.gem_new(8192, WC).unwrap();
        (c, handle)
    };
    sweep(setup, |_, (c, handle)| c.adopt(*handle, 8192, 0));
}

/// A client whose work is under way.
fn busy(rig: &Rig) -> (Client, Work, Fence) {
    let c = rig.client();
    rig.slow_jobs(20 * MS);
    let work = c.work(0x2000_0000, 0x7777).unwrap();
    let fence = c.start(&work).unwrap();
    rig.advance(MS);
    (c, work, fence)
}

/// Besides: a fence that is never signaled, a BO that stays busy, an address that stays taken.
#[test]
fn submit() {
    let setup = |rig: &Rig| {
        let running = busy(rig);
        let c = rig.client();
        // Its queue comes with its first job.
        let fence = c.run(stream::nop(), &[]).unwrap();
        assert_eq!(c.end_of(fence, SEC), 1);
        let first = c.work(0x1000_0000, 1).unwrap();
        (running, c, first)
    };
    // The buffer stays at its address for the next submit, and with it a page table; and it knows
    // its last fence.
    let failures = sweep_keeping(&[PAGES, MTXS], setup, |rig, (_, c, work)| {
        let result = c.start(work);
        rig.world().fail_allocation(None);
        if result.is_err() {
            rig.advance(50 * MS);
            assert_eq!(
                c.cpu_prep(work.data.handle, prep::WRITE | prep::NOSYNC, 0),
                Ok(()),
                "no client waits for a failed submit"
            );
            assert!(work.is_untouched());
        }
        let fence = result?;
        assert_eq!(c.end_of(fence, SEC), 1);
        assert!(work.is_done());
        work.forget();
        Ok(())
    });
    assert!(failures > 4, "{failures}");
}

/// The descriptor of a submit is there for other threads from when it is made, even if the submit
/// fails then. Catches: a fence that such a thread sees end although the job before it in its run
/// queue is not done.
#[test]
fn the_fence_of_a_submit_that_fails_does_not_overtake() {
    let failures = sweep(busy, |rig, (c, _, before)| {
        c.caller.keep_withdrawn(true);
        let result = c.run(stream::nop(), &[]);
        rig.world().fail_allocation(None);
        for file in c.caller.keep_withdrawn(false) {
            assert_eq!(c.sync_file_status(before.fd), 0, "the job before runs");
            assert_eq!(sync_file_info(&file, &c.caller).status, 0);
        }
        let fence = result?;
        assert_eq!(c.end_of(fence, SEC), 1);
        Ok(())
    });
    assert!(failures > 4, "{failures}");
}

/// The queue of a file on a core comes with the first job, and stays.
#[test]
fn first_submit() {
    let failures = sweep_keeping(&[SXS], Rig::client, |rig, c| {
        let result = c.run(stream::nop(), &[]);
        rig.world().fail_allocation(None);
        let fence = result?;
        assert_eq!(c.end_of(fence, SEC), 1);
        Ok(())
    });
    assert!(failures > 4, "{failures}");
}

#[test]
fn waits() {
    sweep(busy, |_, (c, work, fence)| {
        for result in [
            c.wait_fence(fence.id, 0, 1000),
            c.gem_wait(work.data.handle, 0, 1000),
            c.cpu_prep(work.data.handle, prep::READ, 1000),
        ] {
            match result {
                Err(errno::ETIMEDOUT) | Ok(()) => (),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    });
}

/// What gives back never needs memory.
#[test]
fn closes() {
    let setup = |rig: &Rig| RefCell::new(Some(busy(rig)));
    let failures = sweep(setup, |rig, state| {
        let (c, work, fence) = state.borrow_mut().take().unwrap();
        c.close(work.data.handle)?;
        c.caller.close_fd(fence.fd);
        drop((c, work));
        rig.advance(MS);
        Ok(())
    });
    assert_eq!(failures, 0);
}

/// Jobs run without memory: start, end, fault, hang, reset, sleep.
#[test]
fn jobs_under_way_need_no_memory() {
    let rig = Rig::new();
    // Only the first crash is dumped, and goes without if there is no memory.
    let first = rig.client();
    let fence = first.run(stream::fill(BROKEN, 0), &[]).unwrap();
    assert!(first.end_of(fence, SEC) < 0);
    drop(first);
    let (other, running, running_fence) = busy(&rig);
    let c = rig.client();
    let [good, hung, later] = [1, 2, 3].map(|n| c.work(0x1000_0000 + n * 0x1000, n).unwrap());
    let fences = [
        c.start(&good),
        c.run(stream::fill(BROKEN, 0), &[]),
        c.start(&later),
    ]
    .map(Result::unwrap);
    let n = rig.world().counters().failed_allocations;
    rig.world().fail_allocation(Some(0));
    rig.advance(3 * SEC);
    rig.world().fail_allocation(None);
    let [first, astray, last] = fences.map(|fence| c.end_of(fence, 0));
    assert!(
        (first, astray < 0, last) == (1, true, 1),
        "{first} {astray} {last}"
    );
    assert_eq!(other.end_of(running_fence, 0), 1);
    rig.plant(Injection::HangNextJob);
    let fences = [c.start(&hung), c.start(&later)].map(Result::unwrap);
    rig.world().fail_allocation(Some(0));
    rig.advance(5 * SEC);
    rig.world().fail_allocation(None);
    let [stuck, last] = fences.map(|fence| c.end_of(fence, 0));
    assert!((stuck < 0, last) == (true, 1), "{stuck} {last}");
    assert_eq!(
        rig.world().counters().failed_allocations,
        n,
        "a job's life asks for memory"
    );
    drop((running, other, good, hung, later, c));
    rig.finish();
}
