// SPDX-License-Identifier: BSD-2-Clause
//! Addresses that clients choose, memory that they share, and the CPU's view of it.

use super::jobs::busy;
use crate::Rig;
use driver_tests::etnaviv::{prep, stream, Fence, Submit, Work, CACHED};
use driver_tests::{errno, MS, SEC};

/// Catches: address spaces that are not switched, or whose translations stay in the TLB.
#[test]
fn one_address_is_each_clients_own_memory() {
    let rig = Rig::new();
    let clients = [rig.client(), rig.client(), rig.client()];
    let works: Vec<Work> = (0..3)
        .map(|n| clients[n].work(0x1000_0000, 100 + n as u32).unwrap())
        .collect();
    for _ in 0..5 {
        let fences: Vec<Fence> = (0..3)
            .map(|n| clients[n].start(&works[n]).unwrap())
            .collect();
        for n in 0..3 {
            assert_eq!(clients[n].end_of(fences[n], SEC), 1);
        }
        assert!(works.iter().all(Work::is_done));
        works.iter().for_each(Work::forget);
    }
    drop((works, clients));
    let stats = rig.finish();
    assert_eq!(stats.safe_accesses, 0);
}

/// Catches, in etnaviv_scattered: CPU_PREP or CPU_FINI without cache maintenance.
#[test]
fn a_cached_buffer_is_kept_in_step() {
    let rig = Rig::new();
    let c = rig.client();
    let handle = c.gem_new(4096, CACHED).unwrap();
    let bo = c.adopt(handle, 4096, 0x1000_0000).unwrap();
    c.cpu_prep(handle, prep::WRITE, SEC).unwrap();
    (0..1024).for_each(|n| bo.put(n * 4, 0x77));
    c.cpu_fini(handle).unwrap();
    let fence = c.run(stream::fill(bo.va, 0x99), &[&bo]).unwrap();
    assert_eq!(c.end_of(fence, SEC), 1);
    c.cpu_prep(handle, prep::READ, SEC).unwrap();
    assert_eq!(
        (bo.get(0), bo.get(60), bo.get(64), bo.get(4092)),
        (0x99, 0x99, 0x77, 0x77)
    );
    c.cpu_fini(handle).unwrap();
    drop((bo, c));
    rig.finish();
}

/// Catches: a translation of a buffer that is gone from its address.
#[test]
fn an_address_is_used_again() {
    let rig = Rig::new();
    let c = rig.client();
    let works: Vec<Work> = (0..4).map(|n| c.work(0x1000_0000, n).unwrap()).collect();
    for work in works.iter().chain(works.iter().rev()) {
        works.iter().for_each(Work::forget);
        let fence = c.start(work).unwrap();
        assert_eq!(c.end_of(fence, SEC), 1);
        let hit: Vec<bool> = works.iter().map(Work::is_done).collect();
        assert_eq!(hit.iter().filter(|hit| **hit).count(), 1, "{hit:?}");
        assert!(work.is_done());
    }
    // And the buffer of the last one at another address.
    let mut moved = Submit::new(stream::fill(0x3000_0000, 9), &[&works[0].data]);
    moved.bos[0].2 = 0x3000_0000;
    let fence = c.submit_raw(&moved).unwrap();
    assert_eq!(c.end_of(fence, SEC), 1);
    assert_eq!(works[0].data.get(0), 9);
    drop((works, c));
    rig.finish();
}

/// ABI: an address in use by work that has not ended cannot be given to another buffer.
#[test]
fn an_address_in_use_is_no_room() {
    let rig = Rig::new();
    let (c, work, fence) = busy(&rig);
    let other = c.work(work.data.va, 5).unwrap();
    assert_eq!(c.start(&other).err(), Some(errno::ENOSPC));
    assert_eq!(c.end_of(fence, SEC), 1);
    assert!(work.is_done());
    let fence = c.start(&other).unwrap();
    assert_eq!(c.end_of(fence, SEC), 1);
    assert!(other.is_done());
    drop((work, other, c));
    rig.finish();
}

/// Mesa gives the address of a buffer that is idle and closed to the next one, whatever else of its
/// work is under way. Catches: a submit that fails because the address space is busy.
#[test]
fn an_idle_address_is_taken_over_while_other_work_runs() {
    for close in [false, true] {
        let rig = Rig::new();
        let c = rig.client();
        let old = c.work(0x1000_0000, 1).unwrap();
        let fence = c.start(&old).unwrap();
        assert_eq!(c.end_of(fence, SEC), 1);
        rig.slow_jobs(20 * MS);
        let slow = c.work(0x2000_0000, 2).unwrap();
        let running = c.start(&slow).unwrap();
        rig.advance(MS);
        assert!(slow.is_untouched(), "it is under way");
        old.forget();
        if close {
            c.close(old.data.handle).unwrap();
        }
        let new = c.work(0x1000_0000, 3).unwrap();
        let fence = c.start(&new).unwrap();
        assert_eq!(c.end_of(fence, SEC), 1);
        assert_eq!(c.end_of(running, SEC), 1);
        assert!(new.is_done() && slow.is_done() && old.is_untouched());
        drop((old, slow, new, c));
        rig.finish();
    }
}

#[test]
fn memory_is_shared_and_fences_too() {
    let rig = Rig::new();
    let (a, work, fence) = busy(&rig);
    let b = rig.client();
    let handle = driver_tests::pass(&a, &b, a.export(work.data.handle).unwrap()).unwrap();
    let theirs = b.adopt(handle, 4096, 0x3000_0000).unwrap();
    let mut second = Submit::new(stream::fill(0x3000_0000, 0x8888), &[&theirs]);
    second.flags |= 2;
    second.fence_fd = b.caller.install(a.caller.fd(fence.fd).unwrap()).unwrap();
    let after = b.submit_raw(&second).unwrap();
    b.caller.close_fd(second.fence_fd);
    assert_ne!(after.fd, second.fence_fd);
    assert_eq!(b.end_of(after, SEC), 1);
    assert_eq!(a.end_of(fence, 0), 1, "one after the other");
    assert_eq!(work.data.get(0), 0x8888);
    drop((work, theirs, a, b));
    rig.finish();
}
