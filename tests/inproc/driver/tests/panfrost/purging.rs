// SPDX-License-Identifier: BSD-2-Clause
//! Memory that clients say they do not need, and when it is purged.

use crate::limits::BO_BYTES;
use crate::Rig;
use driver_tests::panfrost::{charged, write_zero, Client};
use driver_tests::{errno, pass, MS, PRIMARY, SEC};
use models::Injection;

/// Catches: memory that is not given back, charges that stay, a purge that is not reported, pages
/// that the GPU still reaches (bad_dma), one that is used again as if nothing had happened.
#[test]
fn what_is_not_needed_is_purged_when_memory_is_short() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work().unwrap();
    let big = c.bo(1 << 20, 1).unwrap();
    // The table of handles is as large as it will be.
    c.expect_works();
    big.write(0, &[0x5a; 4096]);
    work.chain.write(0, &write_zero(big.va, 0));
    // The GPU has translations of it.
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, SEC), 1);
    let (mem, pages) = (charged(&rig, &c), rig.world().counters().object_pages);
    assert_eq!(c.madvise(big.handle, 1), Ok(true));
    assert_eq!(
        (charged(&rig, &c), rig.world().counters().object_pages),
        (mem, pages)
    );
    assert_eq!(rig.world().lowmem(1), 256);
    assert_eq!(
        (charged(&rig, &c), rig.world().counters().object_pages),
        (mem - (1 << 20), pages - 256)
    );
    assert_eq!(rig.world().lowmem(1), 0);
    // The GPU faults; nothing stale is left.
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, SEC), -errno::EINVAL);
    assert_eq!(c.madvise(big.handle, 0), Ok(false));
    assert_eq!(c.madvise(big.handle, 1), Ok(false));
    assert_eq!(rig.world().lowmem(1000), 0);
    c.expect_works();
    c.close(big.handle).unwrap();
    assert_eq!(charged(&rig, &c), mem - (1 << 20) - BO_BYTES);
    drop((big, work, c));
    rig.finish();
}

/// Catches: memory taken from a client that said in time that it needs it.
#[test]
fn what_is_needed_again_stays() {
    let rig = Rig::new();
    let c = rig.client();
    let bo = c.bo(4096, 1).unwrap();
    bo.write(0, &[7; 8]);
    assert_eq!(c.madvise(bo.handle, 1), Ok(true));
    assert_eq!(c.madvise(bo.handle, 1), Ok(true));
    assert_eq!(c.madvise(bo.handle, 0), Ok(true));
    assert_eq!(rig.world().lowmem(1000), 0);
    assert_eq!(bo.read(0, 8), [7; 8]);
    assert_eq!(c.madvise(99, 1), Err(errno::ENOENT));
    drop((bo, c));
    rig.finish();
}

/// Catches: memory taken from under a job.
#[test]
fn what_a_job_uses_is_not_purged() {
    let rig = Rig::new();
    let c = rig.client();
    rig.slow_jobs(10 * MS);
    let work = c.work().unwrap();
    c.start(&work).unwrap();
    for handle in [work.chain.handle, work.data.handle] {
        assert_eq!(c.madvise(handle, 1), Ok(true));
    }
    assert_eq!(rig.world().lowmem(1000), 0);
    assert_eq!(c.finish(&work, SEC), 1);
    assert!(work.is_done());
    assert_eq!(rig.world().lowmem(1000), 2);
    drop((work, c));
    rig.finish();
}

/// Oldest first, and no more than is asked for. Catches: all taken for a little.
#[test]
fn no_more_is_purged_than_is_needed() {
    let rig = Rig::new();
    let c = rig.client();
    let bos: Vec<_> = (0..4).map(|_| c.bo(8 << 12, 1).unwrap()).collect();
    for bo in &bos {
        c.madvise(bo.handle, 1).unwrap();
    }
    assert_eq!(rig.world().lowmem(9), 16);
    let kept: Vec<bool> = bos
        .iter()
        .map(|bo| c.madvise(bo.handle, 0).unwrap())
        .collect();
    assert_eq!(kept, [false, false, true, true]);
    drop((bos, c));
    rig.finish();
}

/// A heap that has grown is purged like all else. Catches: chunks charged for ever.
#[test]
fn a_heap_is_purged_with_its_chunks() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work().unwrap();
    // From now on the syncobj has a fence that is paid for.
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, SEC), 1);
    let heap = c.bo(4 << 20, 3).unwrap();
    let mem = charged(&rig, &c);
    work.chain.write(0, &write_zero(heap.va, 0));
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, SEC), 1);
    assert_eq!(charged(&rig, &c), mem + (2 << 20));
    c.madvise(heap.handle, 1).unwrap();
    assert_eq!(rig.world().lowmem(1), 512);
    assert_eq!(charged(&rig, &c), mem);
    // It does not grow again.
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, SEC), -errno::EINVAL);
    assert_eq!(charged(&rig, &c), mem);
    drop((heap, work, c));
    rig.finish();
}

/// Memory is short while the fault task changes the address space, and waits there for a reset.
/// Catches: a lock that is given back by who did not get it, memory taken from tables that are
/// being changed.
#[test]
fn nothing_is_purged_while_its_address_space_changes() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work().unwrap();
    let heap = c.bo(2 << 20, 3).unwrap();
    work.chain.write(0, &write_zero(heap.va, 0));
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, SEC), 1);
    let spare = c.bo(4096, 1).unwrap();
    c.madvise(spare.handle, 1).unwrap();
    // The store faults again, the flush that follows is stuck, and the reset takes a while.
    rig.plant(Injection::PageFaultAtAccess(3));
    rig.plant(Injection::AsStuck(0));
    rig.timing(|t| t.reset_ns = 8 * MS);
    c.start(&work).unwrap();
    // 100 ms for the flush, 10 for jobs to stop.
    rig.advance(113 * MS);
    assert_eq!(
        (rig.stats().injected, rig.stats().soft_resets),
        (2, 2),
        "it is in the middle of the reset"
    );
    assert_eq!(rig.world().lowmem(1), 0);
    assert_eq!(c.finish(&work, SEC), 1);
    assert_eq!(rig.world().lowmem(1), 1);
    drop((work, heap, spare, c));
    rig.finish();
}

/// The handle is closed while the shrinker has the object. Catches: an object that the shrinker
/// keeps alive.
#[test]
fn a_closed_handle_is_forgotten_by_the_shrinker() {
    let rig = Rig::new();
    let c = rig.client();
    let bo = c.bo(4096, 1).unwrap();
    c.madvise(bo.handle, 1).unwrap();
    c.close(bo.handle).unwrap();
    drop(bo);
    assert_eq!(rig.world().lowmem(1000), 0);
    assert_eq!(rig.world().counters().objects, 0);
    drop(c);
    rig.finish();
}

/// Two files have it. Catches: memory purged that another client has not given up.
#[test]
fn shared_memory_is_not_purged() {
    let rig = Rig::new();
    let [a, b] = [rig.client(), rig.client()];
    let bo = a.bo(4096, 1).unwrap();
    bo.write(0, &[3; 8]);
    let fd = a.export(bo.handle).unwrap();
    // Known by descriptor, still in one file: the advice is taken, and not acted upon.
    assert_eq!(a.madvise(bo.handle, 1), Ok(true));
    assert_eq!(rig.world().lowmem(1000), 0);
    assert_eq!(a.madvise(bo.handle, 0), Ok(true));
    let theirs = pass(&a, &b, fd).unwrap();
    assert_eq!(a.madvise(bo.handle, 1), Err(errno::EINVAL));
    assert_eq!(b.madvise(theirs, 1), Err(errno::EINVAL));
    assert_eq!(rig.world().lowmem(1000), 0);
    assert_eq!(bo.read(0, 8), [3; 8]);
    drop((bo, a, b));
    rig.finish();
}

/// Named or exported, in whichever order clients get and release it. Catches: memory that counts as
/// unneeded after others had it, or knew its name. How the owner of a handle gives the object to
/// another client: that one's handle.
type Give = fn(&Client, u32, &Client) -> Result<u32, i32>;

#[test]
fn what_was_shared_once_is_never_purged() {
    let rig = Rig::new();
    let a = Client::open_minor(&rig, PRIMARY).unwrap();
    let b = Client::open_primary(&rig, &a).unwrap();
    let give: [Give; 2] = [
        |a, handle, b| pass(a, b, a.export(handle)?),
        |a, handle, b| b.open_name(a.flink(handle)?),
    ];
    for give in give {
        let bo = a.bo(4096, 1).unwrap();
        bo.write(0, &[3; 8]);
        assert_eq!(a.madvise(bo.handle, 1), Ok(true));
        let theirs = give(&a, bo.handle, &b).unwrap();
        assert_eq!(rig.world().lowmem(1000), 0);
        b.close(theirs).unwrap();
        assert_eq!(rig.world().lowmem(1000), 0);
        assert_eq!(a.madvise(bo.handle, 1), Ok(true));
        assert_eq!(rig.world().lowmem(1000), 0);
        assert_eq!(a.madvise(bo.handle, 0), Ok(true));
        assert_eq!(bo.read(0, 8), [3; 8]);
    }
    drop((a, b));
    rig.finish();
}

/// A client has wired what it says it does not need. Catches: pages taken that the VM system counts
/// on, memory that the GPU does not find again, a purge that never comes.
#[test]
fn what_a_client_has_wired_is_not_purged() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work().unwrap();
    work.data.set_locked(true);
    assert_eq!(c.madvise(work.data.handle, 1), Ok(true));
    let (before, mem) = (rig.world().counters(), c.stat("mem"));
    assert_eq!(rig.world().lowmem(1000), 0);
    assert_eq!((rig.world().counters(), c.stat("mem")), (before, mem));
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, SEC), 1);
    assert!(work.is_done());
    work.data.set_locked(false);
    assert_eq!(rig.world().lowmem(1000), 1);
    assert_eq!(c.madvise(work.data.handle, 0), Ok(false));
    drop((work, c));
    rig.finish();
}
