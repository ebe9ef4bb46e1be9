// SPDX-License-Identifier: BSD-2-Clause
//! Heaps: memory that comes at the page faults of jobs.

use crate::limits::BO_BYTES;
use crate::Rig;
use driver_tests::panfrost::{charged, write_zero};
use driver_tests::{errno, with_memory, MS, SEC};
use models::Injection;

const CHUNK: u64 = 2 << 20;

/// Catches: a heap that does not grow, or all at once; memory that is not charged, or not freed.
#[test]
fn a_heap_grows_by_chunks_and_is_paid_for_as_it_grows() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work().unwrap();
    // From now on the syncobj has a fence that is paid for.
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, SEC), 1);
    let heap = c.bo(4 * CHUNK as u32, 3).unwrap();
    let (mem, pages) = (charged(&rig, &c), rig.world().counters().object_pages);
    for (n, at) in [(1, 0), (1, CHUNK - 8), (2, 3 * CHUNK + 4096), (3, CHUNK)] {
        work.chain.write(0, &write_zero(heap.va + at, 0));
        c.start(&work).unwrap();
        assert_eq!(c.finish(&work, SEC), 1, "at {at:#x}");
        assert_eq!(charged(&rig, &c) - mem, n * CHUNK);
        assert_eq!(
            rig.world().counters().object_pages - pages,
            n * CHUNK / 4096
        );
    }
    assert_eq!(
        (
            c.stat("faults"),
            rig.stats().mmu_faults.values().sum::<u64>()
        ),
        (0, 3)
    );
    c.close(heap.handle).unwrap();
    assert_eq!(charged(&rig, &c), mem - BO_BYTES);
    assert_eq!(rig.world().counters().object_pages, pages);
    drop((work, c));
    rig.finish();
}

/// One job that goes through all of a heap. Catches: growth that stops after the first fault of a
/// job.
#[test]
fn one_job_makes_a_heap_grow_many_times() {
    let rig = Rig::new();
    let c = rig.client();
    let chain = c.bo(4096, 1).unwrap();
    let heap = c.bo(8 * CHUNK as u32, 3).unwrap();
    for n in 0..8u64 {
        let next = if n == 7 { 0 } else { chain.va + (n + 1) * 64 };
        chain.write(n as usize * 64, &write_zero(heap.va + n * CHUNK, next));
    }
    let done = c.syncobj(false).unwrap();
    c.submit(chain.va, false, &[chain.handle, heap.handle], &[], done)
        .unwrap();
    c.syncobj_wait(done, SEC).unwrap();
    assert_eq!(c.outcome(done), 1);
    assert_eq!(rig.stats().mmu_faults.values().sum::<u64>(), 8);
    drop((chain, heap, c));
    rig.finish();
}

/// Catches: a heap that grows over the limit, a fault without memory that is tried for ever, memory
/// charged that was not had.
#[test]
fn a_heap_does_not_grow_over_the_limit() {
    let rig = Rig::with("rk3399", with_memory(CHUNK + CHUNK / 2));
    let [c, other] = [rig.client(), rig.client()];
    let work = c.work().unwrap();
    // From now on the syncobj has a fence that is paid for.
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, SEC), 1);
    let heap = c.bo(2 * CHUNK as u32, 3).unwrap();
    let held = || (c.stat("mem"), c.stat("mem") / CHUNK);
    let (mem, _) = held();
    for (at, outcome) in [
        (0, 1),
        (CHUNK, -errno::EINVAL),
        (8, 1),
        (CHUNK, -errno::EINVAL),
    ] {
        work.chain.write(0, &write_zero(heap.va + at, 0));
        c.start(&work).unwrap();
        assert_eq!(c.finish(&work, SEC), outcome);
        // The chunk, and a page table or two.
        let (now, chunks) = held();
        assert!(chunks == 1 && now - mem - CHUNK <= 3 * 4096, "{mem} {now}");
        other.expect_works();
    }
    assert_eq!((c.stat("faults"), other.stat("faults")), (4, 0));
    drop((work, heap, c, other));
    rig.finish();
}

/// RAM is full at a heap's fault. Catches: pages or charges leaked by a growth that failed half
/// way.
#[test]
fn a_heap_that_finds_no_memory_ends_its_job() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work().unwrap();
    // From now on the syncobj has a fence that is paid for.
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, SEC), 1);
    let mut failed = 0;
    for n in 0..100 {
        let heap = c.bo(CHUNK as u32, 3).unwrap();
        work.chain.write(0, &write_zero(heap.va, 0));
        let mem = charged(&rig, &c);
        let before = rig.world().counters().failed_allocations;
        c.start(&work).unwrap();
        rig.world().fail_allocation(Some(n));
        rig.advance(MS);
        rig.world().fail_allocation(None);
        let outcome = c.finish(&work, SEC);
        let grown = charged(&rig, &c) - mem;
        // Pages of a growth that failed half way stay, and are paid for, until the heap goes.
        assert!(
            grown == CHUNK || (outcome < 0 && grown == 0),
            "{n}: {outcome} {grown}"
        );
        failed += u32::from(outcome < 0);
        if outcome < 0 {
            // Now that there is memory.
            c.start(&work).unwrap();
            assert_eq!(c.finish(&work, SEC), 1);
            assert_eq!(charged(&rig, &c), mem + CHUNK);
        }
        c.close(heap.handle).unwrap();
        if rig.world().counters().failed_allocations == before {
            assert!(failed > 1, "{failed}");
            drop((work, c));
            rig.finish();
            return;
        }
    }
    panic!("it has no end");
}

/// The same at a heap that has grown there: the access is tried again and succeeds. Catches: memory
/// charged twice, a job that fails for a fault that has ended.
#[test]
fn a_fault_where_a_heap_has_grown_is_tried_again() {
    let rig = Rig::new();
    let c = rig.client();
    let work = c.work().unwrap();
    let heap = c.bo(CHUNK as u32, 3).unwrap();
    work.chain.write(0, &write_zero(heap.va, 0));
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, SEC), 1);
    let mem = c.stat("mem");
    // Header, payload and the job's words come first; then the store.
    rig.plant(Injection::PageFaultAtAccess(3));
    c.start(&work).unwrap();
    assert_eq!(c.finish(&work, SEC), 1);
    assert_eq!(
        (rig.stats().injected, c.stat("mem"), c.stat("faults")),
        (1, mem, 0)
    );
    drop((work, heap, c));
    rig.finish();
}
