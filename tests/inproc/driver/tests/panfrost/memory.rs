// SPDX-License-Identifier: BSD-2-Clause
//! Memory: what clients say they do not need, and what they may have.

use crate::Rig;
use driver_tests::panfrost::{charged, write_zero, Client};
use driver_tests::{errno, limits, pass, with_memory, MS, PRIMARY, SEC};
use models::Injection;

/// What an object and its handle cost besides the object's memory.
const BO_BYTES: u64 = 1024 + 512;

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

/// Catches: a limit without effect, one that others' memory counts in, a log that a client can
/// fill, memory that a refused call keeps.
#[test]
fn a_file_may_have_so_much() {
    // Four buffers, and what they cost besides.
    let rig = Rig::with("rk3399", with_memory((64 << 12) + (76 << 10)));
    let [a, b] = [rig.client(), rig.client()];
    let bos: Vec<_> = (0..4).map(|_| a.bo(16 << 12, 1).unwrap()).collect();
    let (before, held, others) = (rig.world().counters(), a.stat("mem"), b.stat("mem"));
    for _ in 0..10 {
        assert_eq!(a.bo(4 << 12, 1).err(), Some(errno::ENOMEM));
    }
    assert_eq!(rig.world().counters(), before);
    assert_eq!(rig.logged("no memory"), 1);
    assert_eq!((a.stat("mem"), b.stat("mem")), (held, others));
    assert!(held > 64 << 12 && a.stat("mem_peak") <= (64 << 12) + (76 << 10));
    b.expect_works();
    a.close(bos[0].handle).unwrap();
    a.expect_works();
    rig.advance(2 * SEC);
    assert!(a.bo(21 << 12, 1).is_err());
    assert_eq!(rig.logged("no memory"), 2, "once a second");
    drop((bos, a, b));
    rig.finish();
}

/// A user opens the device again and again and passes all on to one file; then others do. Catches:
/// limits that opening again gets around, a user who gets what is others', memory that is credited
/// to another user's account.
#[test]
fn a_user_and_a_device_may_have_so_much() {
    const BO: u32 = 3 << 20;
    let rig = Rig::with("rk3399", limits(4 << 20, 16 << 20, 40 << 20));
    let count = |uid: u32| {
        let keeper = Client::open_of(&rig, uid)?;
        let mut made = 0;
        loop {
            let c = match Client::open_of(&rig, uid) {
                Ok(c) => c,
                Err(e) => {
                    assert_eq!(e, errno::ENOMEM);
                    break;
                }
            };
            match c.bo(BO, 1) {
                Ok(bo) => pass(&c, &keeper, c.export(bo.handle)?)?,
                Err(e) => {
                    assert_eq!(e, errno::ENOMEM);
                    break;
                }
            };
            made += 1;
        }
        Ok::<_, i32>((keeper, made))
    };
    for _ in 0..3 {
        let (first, made) = count(1).unwrap();
        assert_eq!(made, 5, "16 MiB of 3 MiB each");
        let (second, made) = count(2).unwrap();
        assert_eq!(made, 5);
        let (third, made) = count(3).unwrap();
        assert_eq!(made, 3, "what is left of 40 MiB");
        assert!(rig.stat("mem") <= 40 << 20 && rig.stat("mem") > 36 << 20);
        drop((first, second, third));
        assert_eq!(rig.stat("mem"), 0);
    }
    rig.finish();
}

/// Things that cost the kernel memory and no page of a buffer. Catches: any that is free, or is not
/// given back.
#[test]
fn what_is_no_buffer_is_charged_as_well() {
    let rig = Rig::with("rk3399", with_memory(1 << 20));
    let c = rig.client();
    let empty = charged(&rig, &c);
    assert!(empty > 0, "a file is not free");
    let fill = |make: &dyn Fn() -> Result<u32, i32>, least: u64| {
        let (blocks, before) = (rig.world().counters().malloc_bytes, charged(&rig, &c));
        let mut made = Vec::new();
        let refused = loop {
            match make() {
                Ok(handle) => made.push(handle),
                Err(e) => break e,
            }
        };
        assert_eq!(refused, errno::ENOMEM);
        let each = (charged(&rig, &c) - before) / made.len() as u64;
        let cost = (rig.world().counters().malloc_bytes - blocks) / made.len() as u64;
        assert!(
            each >= least && each >= cost,
            "charged {each}, costs {cost}"
        );
        made
    };
    // A heap without memory.
    let heaps = fill(&|| c.bo(1, 3).map(|bo| bo.handle), BO_BYTES);
    heaps.iter().for_each(|handle| c.close(*handle).unwrap());
    let slots = heaps.len() as u64 * 64;
    assert_eq!(
        charged(&rig, &c),
        empty + slots,
        "the table of handles keeps its size"
    );
    let again = fill(&|| c.bo(1, 3).map(|bo| bo.handle), BO_BYTES);
    again.iter().for_each(|handle| c.close(*handle).unwrap());
    assert_eq!(charged(&rig, &c), empty + slots);
    // dma-bufs of one object.
    let bo = c.bo(4096, 1).unwrap();
    let before = charged(&rig, &c);
    let files = fill(&|| c.export(bo.handle).map(|fd| fd as u32), 512);
    files.iter().for_each(|fd| c.caller.close_fd(*fd as i32));
    assert_eq!(charged(&rig, &c), before);
    drop((bo, c));
    rig.finish();
}

/// The system's own accounting, as racct(4) with its limits for users and jails. Catches: memory of
/// the kernel's that it does not know of, an object counted twice, a refused call that leaves
/// something, what is charged after a client's end.
#[test]
fn what_the_kernel_takes_is_charged_with_the_system() {
    let rig = Rig::new();
    let system = || rig.world().counters().charged_bytes;
    assert_eq!(system(), 0);
    let c = Client::open_of(&rig, 1).unwrap();
    let empty = system();
    assert_eq!(empty, c.stat("mem"), "a file without objects");
    let bo = c.bo(1 << 20, 1).unwrap();
    assert_eq!(
        system(),
        c.stat("mem") - (1 << 20),
        "all but the buffer's pages"
    );
    assert!(system() > empty, "its tables and its handle");
    let fd = c.export(bo.handle).unwrap();
    c.expect_works();
    let (before, counters) = (c.stat("mem"), rig.world().counters());
    rig.world().limit_charges(system());
    assert_eq!(c.bo(4096, 1).err(), Some(errno::ENOMEM));
    assert_eq!(Client::open_of(&rig, 1).err(), Some(errno::ENOMEM));
    assert_eq!((c.stat("mem"), rig.world().counters()), (before, counters));
    rig.world().limit_charges(u64::MAX);
    c.caller.close_fd(fd);
    c.close(bo.handle).unwrap();
    c.expect_works();
    drop((bo, c));
    assert_eq!(system(), 0);
    rig.finish();
}

/// Memory that comes when the GPU asks for it, by way of its dma-buf. Catches: pages of a heap that
/// is not charged.
#[test]
fn a_heap_is_not_mapped_through_its_dma_buf() {
    let rig = Rig::with("rk3399", with_memory(4 << 20));
    let c = rig.client();
    let heap = c.bo(64 << 20, 3).unwrap();
    let fd = c.export(heap.handle).unwrap();
    let file = c.caller.fd(fd).unwrap();
    assert_eq!(file.mmap(0, 64 << 20).err(), Some(errno::EINVAL));
    assert_eq!(rig.world().counters().object_pages, 0);
    drop(file);
    c.caller.close_fd(fd);
    drop((heap, c));
    rig.finish();
}

/// RAM itself runs out. Catches: a BO half there.
#[test]
fn ram_runs_out() {
    let config = drm_os_host::Config {
        pages: 4096,
        ..Default::default()
    };
    let rig = Rig::with("rk3399", config);
    let c = rig.client();
    c.expect_works();
    let before = rig.world().counters();
    assert_eq!(c.bo(64 << 20, 1).err(), Some(errno::ENOMEM));
    assert_eq!(rig.world().counters(), before);
    c.expect_works();
    drop(c);
    rig.finish();
}
