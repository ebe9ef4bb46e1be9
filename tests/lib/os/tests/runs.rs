// SPDX-License-Identifier: BSD-2-Clause
//! Runs of pages.
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "calls of drm_os.h as C makes them, with handles that the test made"
)]

mod common;
use common::*;
use drm_os_host::{sys, Config, Device, World};

const ENOMEM: i32 = sys::DRM_OS_ENOMEM as i32;
const EINVAL: i32 = sys::DRM_OS_EINVAL as i32;
const MIB: u64 = 1 << 20;

fn run(d: &Device, size: u64) -> Result<u64, i32> {
    let mut pa = 7;
    match unsafe { sys::drm_os_run_alloc(d.as_raw(), size, &mut pa) } {
        0 => Ok(pa),
        e => {
            assert_eq!(pa, 7, "a call that fails stores nothing");
            Err(e)
        }
    }
}

fn free(d: &Device, pa: u64, size: u64) {
    unsafe { sys::drm_os_run_free(d.as_raw(), pa, size) }
}

#[test]
fn a_run_is_one_piece_for_the_device_and_for_the_cpu() {
    for contiguous in [true, false] {
        let (w, d) = virtual_toy(Config {
            contiguous,
            ..Config::default()
        });
        let m = mmio(&d);
        let mut all = Vec::new();
        for size in [4096, 8192, 64 << 10, 256 << 10, MIB, 2 * MIB, 16384, 4096] {
            let pa = run(&d, size).unwrap();
            assert_eq!(pa % size, 0, "aligned to its size");
            let cpu = kva(&d, pa);
            for at in [0, 5, 4096, size / 2, size - 1] {
                let at = at.min(size - 1) as usize;
                assert_eq!(kva(&d, pa + at as u64), unsafe { cpu.add(at) });
                assert_eq!(unsafe { cpu.add(at).read() }, 0);
            }
            unsafe { cpu.add(size as usize - 4).cast::<u32>().write(size as u32) };
            all.push((pa, size));
        }
        for pair in all.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            assert_eq!(copy(m, from.0 + from.1 - 4, to.0, 4), ST_COPIED);
            assert_eq!(
                unsafe { kva(&d, to.0).cast::<u32>().read() },
                from.1 as u32,
                "no two share memory"
            );
        }
        // One transfer over the whole of the largest.
        assert_eq!(copy(m, all[5].0, all[5].0, 2 << 20), ST_COPIED);
        assert_eq!((w.counters().runs, w.counters().pages), (8, 0));
        for (pa, size) in all {
            free(&d, pa, size);
        }
        unsafe { sys::drm_os_mmio_unmap(m) };
        w.assert_clean();
    }
}

#[test]
fn sizes_that_no_run_has_are_refused_and_failures_change_nothing() {
    let (w, d) = virtual_toy(Config {
        pages: 512 + 3,
        ..Config::default()
    });
    for size in [0, 1, 2048, 4097, 12288, 4 * MIB, 1 << 63] {
        assert_eq!(run(&d, size), Err(EINVAL), "{size:#x}");
    }
    w.fail_allocation(Some(0));
    assert_eq!(run(&d, 8192), Err(ENOMEM));
    let before = w.allocations();
    let pa = run(&d, MIB).unwrap();
    assert_eq!(w.allocations() - before, 1);
    assert_eq!(run(&d, 2 * MIB), Err(ENOMEM));
    let other = run(&d, MIB).unwrap();
    assert_eq!((run(&d, 8192), w.counters().runs), (Err(ENOMEM), 2));
    free(&d, pa, MIB);
    free(&d, other, MIB);
    // Pages come from the memory that the runs left.
    let pages: Vec<u64> = (0..515).map(|_| page(&d)).collect();
    for p in pages {
        unsafe { sys::drm_os_page_free(d.as_raw(), p) };
    }
    w.assert_clean();
}

#[test]
fn a_freed_run_is_poison_and_no_memory_of_the_device() {
    let (w, d) = virtual_toy(Config::default());
    let m = mmio(&d);
    let (pa, other) = (run(&d, 64 << 10).unwrap(), page(&d));
    let stale = unsafe { kva(&d, pa).add(40_000) };
    free(&d, pa, 64 << 10);
    assert_eq!(unsafe { stale.read() }, 0xde);
    assert!(unsafe { sys::drm_os_page_kva(d.as_raw(), pa + 4096) }.is_null());
    assert_eq!(copy(m, pa + 40_000, other, 4), ST_BAD);
    assert_ne!(run(&d, 64 << 10), Ok(pa), "a freed address is reused late");
    dies(&["which is no run of drm_os_run_alloc (now)"], || {
        free(&d, pa, 64 << 10)
    });
    let again = run(&d, 8192).unwrap();
    dies(&["which is no run"], || free(&d, again, 4096));
    dies(&["which is no run"], || free(&d, again + 4096, 4096));
    dies(&["which is no page"], || unsafe {
        sys::drm_os_page_free(d.as_raw(), again)
    });
    dies(&["left over: ", "runs=2"], || w.assert_clean());
}

#[test]
fn the_device_sees_what_was_synchronised() {
    let w = World::new(Config {
        coherence: true,
        ..Config::default()
    });
    let d = w.add_device(node(), Box::<Toy>::default());
    let m = mmio(&d);
    let (pa, out) = (run(&d, 16384).unwrap(), run(&d, 4096).unwrap());
    let (cpu, seen) = (kva(&d, pa), kva(&d, out));
    let device_reads = |at: u64| unsafe {
        assert_eq!(copy(m, pa + at, out, 1), ST_COPIED);
        sys::drm_os_page_sync(d.as_raw(), out, 1, sys::DRM_OS_SYNC_FOR_CPU);
        seen.read()
    };
    unsafe {
        cpu.add(9000).write(0x5a);
        assert_eq!(device_reads(9000), 0);
        sys::drm_os_page_sync(d.as_raw(), pa + 9000, 1, sys::DRM_OS_SYNC_FOR_DEVICE);
        assert_eq!(device_reads(9000), 0x5a);
        cpu.add(9000).write(0x77);
        sys::drm_os_page_sync(d.as_raw(), pa + 8192, 4096, sys::DRM_OS_SYNC_FOR_CPU);
        assert_eq!(
            cpu.add(9000).read(),
            0x5a,
            "an unsynced write of the CPU is lost"
        );
        sys::drm_os_mmio_unmap(m);
    }
    dies(&["not within one page"], || unsafe {
        sys::drm_os_page_sync(d.as_raw(), pa + 4090, 7, 0);
    });
    free(&d, pa, 16384);
    free(&d, out, 4096);
    w.assert_clean();
}
