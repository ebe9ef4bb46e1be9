// SPDX-License-Identifier: BSD-2-Clause
//! The n-th allocation fails, for every n, in every call that allocates: the call says so and
//! changes nothing, and the same call of the same client works afterwards.
//!
//! Each sweep catches, for its call: a panic, a leak, a half-made object, a lock that stays held,
//! an error that is swallowed, and a client that is of no use after it.

use crate::Rig;
use driver_tests::panfrost::{write_zero, Client, Work};
use driver_tests::{errno, pass, sweep, MS, SEC};
use std::cell::RefCell;
use uapi::core::{SYNCOBJ_QUERY_LAST_SUBMITTED, SYNCOBJ_RESET, SYNCOBJ_WAIT_FOR_SUBMIT};
use uapi::panfrost::{
    JmCtxCreate, JmCtxDestroy, JM_CTX_CREATE, JM_CTX_DESTROY, JM_CTX_PRIORITY_LOW,
};

fn sweep<S, T>(setup: impl Fn(&Rig) -> S, step: impl Fn(&Rig, &S) -> Result<T, i32>) -> u64 {
    sweep::on("rk3399", &[], setup, step)
}

/// Attach. Besides: interrupts, clocks or power that stay on after a failed attach.
#[test]
fn attach() {
    let failures = sweep::attach("rk3399", |board| {
        Client::open(board).unwrap().expect_works();
    });
    assert!(failures > 30, "{failures}");
}

#[test]
fn open() {
    let failures = sweep(|_| (), |rig, ()| Client::open(rig));
    assert!(failures > 10, "{failures}");
}

#[test]
fn open_primary() {
    sweep(
        |_| (),
        |rig, ()| Client::open_minor(rig, driver_tests::PRIMARY),
    );
}

#[test]
fn create_bo() {
    for (size, flags) in [(4096, 1), (8192, 0), (4 << 20, 1), (4 << 20, 3)] {
        let failures = sweep(Rig::client, |_, c| {
            let made = create(c, size, flags)?;
            assert_eq!(made, 1, "a failed call keeps no handle");
            c.close(made).unwrap();
            Ok(())
        });
        assert!(failures > 5, "{failures}");
    }
}

fn create(c: &Client, size: u32, flags: u32) -> Result<u32, i32> {
    c.create_bo(size, flags).map(|(handle, _)| handle)
}

#[test]
fn contexts() {
    let failures = sweep(Rig::client, |_, c| {
        let arg = JmCtxCreate {
            handle: 0,
            priority: JM_CTX_PRIORITY_LOW,
        };
        let handle = c.ioctl(JM_CTX_CREATE, arg)?.handle;
        assert_eq!(handle, 1, "a failed call keeps no handle");
        let arg = JmCtxDestroy { handle, pad: 0 };
        c.ioctl(JM_CTX_DESTROY, arg).unwrap();
        Ok(())
    });
    assert!(failures > 5, "{failures}");
}

#[test]
fn syncobjs() {
    for signaled in [false, true] {
        sweep(Rig::client, |_, c| {
            c.syncobj(signaled).map(|s| c.syncobj_destroy(s).unwrap())
        });
    }
}

#[test]
fn export() {
    let setup = |rig: &Rig| {
        let c = rig.client();
        let bo = c.bo(4096, 1).unwrap();
        (c, bo)
    };
    let failures = sweep(setup, |_, (c, bo)| {
        c.export(bo.handle).map(|fd| c.caller.close_fd(fd))
    });
    assert!(failures > 1, "{failures}");
}

#[test]
fn import() {
    let setup = |rig: &Rig| {
        let [a, b] = [rig.client(), rig.client()];
        let bo = a.bo(4096, 1).unwrap();
        let file = a.caller.fd(a.export(bo.handle).unwrap()).unwrap();
        let fd = b.caller.install(file).unwrap();
        (a, bo, b, fd)
    };
    let failures = sweep(setup, |_, (.., b, fd)| {
        b.import(*fd).map(|handle| b.close(handle).unwrap())
    });
    assert!(failures > 3, "{failures}");
}

/// A client whose work is under way, with a syncobj of its fence.
fn busy(rig: &Rig) -> (Client, Work) {
    let c = rig.client();
    rig.slow_jobs(20 * MS);
    let work = c.work().unwrap();
    c.start(&work).unwrap();
    rig.advance(MS);
    (c, work)
}

#[test]
fn sync_files() {
    let failures = sweep(busy, |_, (c, work)| {
        let fd = c.sync_file(work.done)?;
        let imported = c.syncobj(false).and_then(|s| {
            let result = c.import_sync_file(s, fd);
            c.syncobj_destroy(s).unwrap();
            result
        });
        c.caller.close_fd(fd);
        imported
    });
    assert!(failures > 3, "{failures}");
}

/// Besides: a point that is there after a failed call, and one that is lost.
#[test]
fn timelines() {
    let setup = |rig: &Rig| {
        let (c, work) = busy(rig);
        let timeline = c.syncobj(false).unwrap();
        (c, work, timeline)
    };
    let late = SYNCOBJ_WAIT_FOR_SUBMIT;
    let failures = sweep(setup, |rig, (c, work, timeline)| {
        let last = c.timeline_point(*timeline, SYNCOBJ_QUERY_LAST_SUBMITTED)?;
        let added = c
            .transfer((work.done, 0), (*timeline, last + 1), late)
            .and_then(|()| c.timeline_signal(*timeline, last + 2))
            .and_then(|()| c.transfer((work.done, 0), (*timeline, last + 3), 0));
        let waited = added.and_then(|()| {
            let places = [(*timeline, last + 3), (*timeline, last + 9)];
            let waited = c.timeline_wait(&places, rig.world().now() as i64 + 1, late);
            assert!([Err(errno::ETIME), Err(errno::ENOMEM)].contains(&waited));
            waited.map_or_else(
                |e| if e == errno::ETIME { Ok(()) } else { Err(e) },
                |_| Ok(()),
            )
        });
        let exported = waited.and_then(|()| c.sync_file_of_point(*timeline, last + 1));
        rig.world().fail_allocation(None);
        let now = c.timeline_point(*timeline, SYNCOBJ_QUERY_LAST_SUBMITTED);
        assert!((last..=last + 3).contains(&now.unwrap()));
        let fd = exported?;
        assert_eq!(c.sync_file_status(fd), 0);
        c.caller.close_fd(fd);
        Ok(())
    });
    assert!(failures > 10, "{failures}");
}

/// Besides: a fence that is never signaled, a BO that stays busy, an out-syncobj that is filled all
/// the same.
#[test]
fn submit() {
    let setup = |rig: &Rig| {
        let (other, running) = busy(rig);
        let c = rig.client();
        let fd = other.export(running.data.handle).unwrap();
        let shared = pass(&other, &c, fd).unwrap();
        let wait = c.syncobj(false).unwrap();
        let first = c.work().unwrap();
        c.submit(
            first.chain.va,
            true,
            &[first.chain.handle, first.data.handle],
            &[],
            wait,
        )
        .unwrap();
        let mine = c.work().unwrap();
        (other, running, c, shared, wait, first, mine)
    };
    let failures = sweep(setup, |rig, (_, _, c, shared, wait, _, mine)| {
        let fresh = mine.done;
        c.syncobj_array(SYNCOBJ_RESET, &[fresh])?;
        let bos = [mine.chain.handle, *shared, mine.data.handle];
        let result = c.submit(mine.chain.va, false, &bos, &[*wait], fresh);
        rig.world().fail_allocation(None);
        if result.is_err() {
            assert_eq!(
                c.wait(mine.data.handle, 0),
                Ok(()),
                "no client waits for a failed submit"
            );
            assert_eq!(
                c.sync_file(fresh).err(),
                Some(errno::EINVAL),
                "the syncobj is empty"
            );
            assert!(mine.is_untouched());
        }
        result?;
        assert_eq!(c.finish(mine, SEC), 1);
        assert!(mine.is_done());
        mine.data.write(0, &[0xff; 24]);
        Ok(())
    });
    assert!(failures > 8, "{failures}");
}

#[test]
fn waits() {
    sweep(busy, |_, (c, work)| match c.wait(work.data.handle, 1000) {
        Err(errno::ETIMEDOUT) | Ok(()) => Ok(()),
        Err(e) => Err(e),
    });
    sweep(busy, |_, (c, work)| match c.syncobj_wait(work.done, 1000) {
        Err(errno::ETIME) | Ok(()) => Ok(()),
        Err(e) => Err(e),
    });
}

#[test]
fn madvise() {
    let setup = |rig: &Rig| {
        let c = rig.client();
        let bo = c.bo(4096, 1).unwrap();
        (c, bo)
    };
    let failures = sweep(setup, |_, (c, bo)| {
        c.madvise(bo.handle, 1)?;
        assert_eq!(c.madvise(bo.handle, 0), Ok(true));
        Ok(())
    });
    assert!(failures > 0, "{failures}");
}

/// What gives back never needs memory. Catches: a close that fails, or that keeps what it could not
/// free.
#[test]
fn closes() {
    let setup = |rig: &Rig| {
        let (c, work) = busy(rig);
        let heap = c.bo(4 << 20, 3).unwrap();
        let extra = c.bo(4 << 20, 1).unwrap();
        RefCell::new(Some((c, work, heap, extra)))
    };
    let failures = sweep(setup, |rig, state| {
        let (c, work, heap, extra) = state.borrow_mut().take().unwrap();
        c.close(extra.handle)?;
        c.close(heap.handle)?;
        c.close(work.data.handle)?;
        c.syncobj_destroy(work.done)?;
        drop((c, work, heap, extra));
        rig.advance(MS);
        Ok(())
    });
    assert_eq!(failures, 0);
}

/// Jobs run without memory: start, end, fault, time-out, reset. Catches: a job that is lost for
/// want of memory.
#[test]
fn jobs_under_way_need_no_memory() {
    let setup = |rig: &Rig| {
        let (other, running) = busy(rig);
        let c = rig.client();
        let [good, astray, later] = [c.work().unwrap(), c.work().unwrap(), c.work().unwrap()];
        astray.chain.write(0, &write_zero(0x7000_0000, 0));
        (other, running, c, good, astray, later)
    };
    let failures = sweep(setup, |rig, (other, running, c, good, astray, later)| {
        rig.world().fail_allocation(None);
        other.start(running).unwrap();
        for work in [good, astray, later] {
            c.start(work).unwrap();
        }
        // All of the job's life comes after this.
        let n = rig.world().counters().failed_allocations;
        rig.world().fail_allocation(Some(0));
        rig.advance(200 * MS);
        rig.world().fail_allocation(None);
        assert_eq!(
            rig.world().counters().failed_allocations,
            n,
            "a job's life asks for memory"
        );
        let outcomes = [good, astray, later].map(|work| c.finish(work, SEC));
        assert_eq!(outcomes, [1, -errno::EINVAL, 1]);
        assert_eq!(other.finish(running, SEC), 1);
        Ok(())
    });
    assert_eq!(failures, 0);
}

/// MMAP_BO's file offset and the map itself.
#[test]
fn maps() {
    let setup = |rig: &Rig| {
        let c = rig.client();
        let handle = create(&c, 8192, 1).unwrap();
        (c, handle)
    };
    sweep(setup, |_, (c, handle)| {
        c.file.mmap(c.map_offset(*handle)?, 8192).map(drop)
    });
}
