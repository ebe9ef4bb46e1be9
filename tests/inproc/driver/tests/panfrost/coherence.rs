// SPDX-License-Identifier: BSD-2-Clause
//! A GPU that does not snoop: it sees page tables and cached buffers only as far as they were
//! synchronised.
//!
//! Each place that synchronises was taken out once; these tests failed then, here if no other file
//! is named.
//!
//! | place | fails without it |
//! |---|---|
//! | drmkpi mem/table_mem.rs, `KernelTables::sync` | all |
//! | iommu_pmap map.rs, `write_all`: the leaves | `new_tables_and_new_entries_are_seen`, `a_heaps_new_entries_are_seen` |
//! | iommu_pmap map.rs, `link`: the entry of a new table | `new_tables_under_old_ones_are_seen` |
//! | iommu_pmap unmap.rs, `rewrite_run`: cleared leaves | `cleared_entries_are_seen`, `purged_memory_is_not_reached` |
//! | iommu_pmap unmap.rs, `prune`: the entry of an empty table | `a_freed_table_is_not_walked` |
//! | panfrost perfcnt.rs, `copy`: the dump | perfcnt.rs, `a_dump_shows_what_was_counted` |
//! | drmkpi page_run.rs, `PageRun::store`: streams; `store_pair`: rings, page table array | etnaviv/coherence.rs, all |
//! | drmkpi object.rs, `KernelMap::store`: samples of counters | etnaviv/coherence.rs, `samples` |
//! | etnaviv tables.rs, `sync` of `FlatTable` and of `TreeTables` | etnaviv/coherence.rs, all |
//! | etnaviv mmu.rs, `set`: an entry of the page table array | etnaviv/coherence.rs, all |
//! | etnaviv mmu.rs, `new`: the page for strays | none: what is in it only shows in dumps |
//! | etnaviv ioctls.rs, `gem_userptr` | etnaviv/coherence.rs, `memory_of_clients` |
//! | etnaviv ioctls.rs, `cpu_prep` | etnaviv/coherence.rs, `cached_buffers`, `new_cached_buffers_are_zero`, `memory_of_clients` |
//! | etnaviv ioctls.rs, `cpu_fini` | etnaviv/coherence.rs, `cached_buffers`, `memory_of_clients` |
//! | iommu_pmap map.rs, `write_all`, `link` (the entry of a new table), for etnaviv | etnaviv/coherence.rs, all |
//! | iommu_pmap unmap.rs, `rewrite_run` and `prune`, for etnaviv | etnaviv/coherence.rs, `what_is_not_mapped_is_seen_not_to_be` |
//! | iommu_pmap mem.rs, `new_table`, for etnaviv, whose invalid entries are not zero | likewise |
//! | iommu_pmap mem.rs, `one`: the link in a new table | none: a new page is zero for the device as well |
//! | iommu_pmap mem.rs, `new_table`, for panfrost | none: an invalid entry of Mali's format is zero |
//! | iommu_pmap block.rs, `split` (two) and `merge` | none: no driver does either |
//!
//! The rows without a test are for those of iommu_pmap, whose device sees what has not been written
//! back, too.

use driver_tests::panfrost::{write_zero, Client, Rig, Work};
use driver_tests::{coherent, errno, MS, SEC};
use models::Injection;
use uapi::dma_buf::{Sync, SYNC, SYNC_END, SYNC_READ, SYNC_WRITE};
use uapi::panfrost::{BoSyncOp, SyncBo, BO_NOEXEC, BO_WB_MMAP, SYNC_BO};

/// Runs a test with contiguous memory, which is mapped by blocks where it can, and with scattered
/// pages.
fn both(test: impl Fn(&Rig)) {
    for contiguous in [true, false] {
        let rig = Rig::with("rk3399", coherent(contiguous));
        test(&rig);
        rig.finish();
    }
}

/// The first job of a client, in tables that are all new, then one with buffers in the same table.
#[test]
fn new_tables_and_new_entries_are_seen() {
    both(|rig| {
        let c = rig.client();
        c.expect_works();
        assert_eq!(rig.stats().mmu_faults.values().sum::<u64>(), 0);
        let works: Vec<Work> = (0..20).map(|_| c.work().unwrap()).collect();
        for work in &works {
            c.start(work).unwrap();
        }
        for work in &works {
            assert_eq!(c.finish(work, SEC), 1);
            assert!(work.is_done());
        }
        assert_eq!(rig.stats().mmu_faults.values().sum::<u64>(), 0);
    });
}

/// A table is added below one that the GPU has walked already, on each level that the window has.
#[test]
fn new_tables_under_old_ones_are_seen() {
    both(|rig| {
        let c = rig.client();
        c.expect_works();
        let work = c.work().unwrap();
        for _ in 0..6 {
            // Pushes the next buffer into another 2 MiB, and at the end into another GiB.
            let far = c.bo(512 << 20, 3).unwrap();
            let near = c.bo(8192, 1).unwrap();
            near.write(0, &[0xff; 8192]);
            for at in [0, 4096] {
                work.chain.write(0, &write_zero(near.va + at, 0));
                c.start(&work).unwrap();
                assert_eq!(c.finish(&work, SEC), 1);
                assert_eq!(near.read_u64(at as usize), 0);
            }
            assert_ne!(far.va, near.va);
        }
        assert_eq!(rig.stats().mmu_faults.values().sum::<u64>(), 0);
    });
}

/// Memory that the GPU has translations of goes away; single pages of a table, and a table as a
/// whole.
#[test]
fn cleared_entries_are_seen() {
    both(|rig| {
        let c = rig.client();
        let work = c.work().unwrap();
        // The second is in a table that has others, the first in one of its own.
        let alone = c.bo(8 << 20, 1).unwrap();
        let among = c.bo(4096, 1).unwrap();
        for bo in [&alone, &among] {
            for (expect, close) in [(1, true), (-errno::EINVAL, false)] {
                work.chain.write(0, &write_zero(bo.va, 0));
                c.start(&work).unwrap();
                assert_eq!(c.finish(&work, SEC), expect);
                if close {
                    c.close(bo.handle).unwrap();
                }
            }
        }
        // A walk that ends where nothing is, not one through a table that is gone.
        let codes: Vec<u8> = rig.stats().mmu_faults.into_keys().collect();
        assert!(
            codes.iter().all(|code| (0xc0..0xc4).contains(code)),
            "{codes:x?}"
        );
    });
}

/// The last buffer of a table goes, the table's page is used for something else, and the GPU reads
/// it.
#[test]
fn a_freed_table_is_not_walked() {
    both(|rig| {
        let c = rig.client();
        let work = c.work().unwrap();
        let _gap = c.bo(512 << 20, 3).unwrap();
        let last = c.bo(4096, 1).unwrap();
        work.chain.write(0, &write_zero(last.va, 0));
        c.start(&work).unwrap();
        assert_eq!(c.finish(&work, SEC), 1);
        c.close(last.handle).unwrap();
        // With no power between, the hardware has nothing cached, and walks from the root.
        rig.advance(100 * MS);
        c.start(&work).unwrap();
        assert_eq!(c.finish(&work, SEC), -errno::EINVAL);
        let codes: Vec<u8> = rig.stats().mmu_faults.into_keys().collect();
        assert_eq!(codes.len(), 1);
        assert!(
            codes[0] < 0xc3,
            "the last level is still linked: {codes:x?}"
        );
    });
}

/// Growth during a fault: the access is tried again as soon as the entry is there.
#[test]
fn a_heaps_new_entries_are_seen() {
    both(|rig| {
        let c = rig.client();
        let work = c.work().unwrap();
        let heap = c.bo(16 << 20, 3).unwrap();
        for n in 0..8 {
            work.chain
                .write(0, &write_zero(heap.va + (n << 21) + 0x1f_fff8, 0));
            c.start(&work).unwrap();
            assert_eq!(c.finish(&work, SEC), 1);
        }
        assert_eq!(rig.stats().mmu_faults.values().sum::<u64>(), 8);
    });
}

/// Purged memory is gone for the GPU.
#[test]
fn purged_memory_is_not_reached() {
    both(|rig| {
        let c = rig.client();
        let work = c.work().unwrap();
        let bo = c.bo(4 << 20, 1).unwrap();
        work.chain.write(0, &write_zero(bo.va, 0));
        c.start(&work).unwrap();
        assert_eq!(c.finish(&work, SEC), 1);
        c.madvise(bo.handle, 1).unwrap();
        assert_eq!(rig.world().lowmem(1), 1024);
        c.start(&work).unwrap();
        assert_eq!(c.finish(&work, SEC), -errno::EINVAL);
    });
}

/// Evictions, power-down, faults, stops and resets, with the tables as the GPU sees them.
#[test]
fn all_the_rest_works() {
    both(|rig| {
        let clients: Vec<Client> = (0..12).map(|_| rig.client()).collect();
        for round in 0..3 {
            clients.iter().for_each(Client::expect_works);
            rig.advance(100 * MS);
            let c = &clients[round];
            let bad = c.work().unwrap();
            match round {
                0 => bad.chain.write(0, &write_zero(0x7000_0000, 0)),
                1 => rig.plant(Injection::HangNextJob { slot: 1 }),
                _ => rig.plant(Injection::HangJobsAt {
                    first: bad.chain.va,
                    last: bad.chain.va,
                }),
            }
            c.start(&bad).unwrap();
            assert!(c.finish(&bad, SEC) < 0);
            rig.plant(Injection::HangJobsAt { first: 1, last: 0 });
        }
        clients.iter().for_each(Client::expect_works);
        assert_eq!(rig.stat("resets"), 1);
    });
}

/// A BO that users map cached: a job does not see what was not flushed, nor the user what was not
/// invalidated, be it by SYNC_BO or, through a dma-buf, by DMA_BUF_IOCTL_SYNC.
#[test]
fn cached_bos_are_maintained_by_their_users() {
    both(|rig| {
        let c = rig.client();
        for dma_buf in [false, true] {
            let work = c.work().unwrap();
            let cached = c.bo(4096, BO_NOEXEC | BO_WB_MMAP).unwrap();
            let fd = c.export(cached.handle).unwrap();
            let sync = |begin: bool| {
                if dma_buf {
                    let flags = match begin {
                        true => SYNC_READ,
                        false => SYNC_WRITE | SYNC_END,
                    };
                    c.fd_ioctl(fd, SYNC, Sync { flags }).unwrap();
                    return;
                }
                let ops = [BoSyncOp {
                    handle: cached.handle,
                    kind: u32::from(begin),
                    offset: 0,
                    size: 4096,
                }];
                let arg = SyncBo {
                    ops: ops.as_ptr() as u64,
                    op_count: 1,
                    pad: 0,
                };
                c.ioctl(SYNC_BO, arg).unwrap();
            };
            // The job's own descriptor is in it.
            let run = |to: u64| {
                cached.write(0, &write_zero(to, 0));
                let bos = [cached.handle, work.data.handle];
                work.data.write(0, &[0xff; 24]);
                c.submit(cached.va, false, &bos, &[], work.done).unwrap();
                let waited = c.syncobj_wait(work.done, SEC);
                waited.map(|()| c.outcome(work.done))
            };
            assert_ne!(run(work.data.va + 8), Ok(1), "the chain was not flushed");
            cached.write(0, &write_zero(cached.va + 1024, 0));
            cached.write(1024, &[0xff; 8]);
            sync(false);
            let bos = [cached.handle];
            c.submit(cached.va, false, &bos, &[], work.done).unwrap();
            c.syncobj_wait(work.done, SEC).unwrap();
            assert_eq!(c.outcome(work.done), 1);
            assert_eq!(cached.read(1024, 8), [0xff; 8], "it was not invalidated");
            sync(true);
            assert_eq!(cached.read(1024, 8), [0; 8]);
            c.caller.close_fd(fd);
            c.discard(work);
        }
    });
}
