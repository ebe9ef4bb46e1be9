// SPDX-License-Identifier: BSD-2-Clause
//! Pages, objects, DMA, coherence, malloc.
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "calls of drm_os.h as C makes them, with handles that the test made"
)]

mod common;
use common::*;
use drm_os_host::{sys, Config, PA_BASE};

const CACHED: u32 = sys::DRM_OS_MEM_CACHED;
const WC: u32 = sys::DRM_OS_MEM_WRITE_COMBINE;
const ENOMEM: i32 = sys::DRM_OS_ENOMEM as i32;

fn coherence() -> Config {
    Config {
        coherence: true,
        ..Config::default()
    }
}

#[test]
fn aligned_runs_are_contiguous_or_scattered_on_purpose() {
    for contiguous in [true, false] {
        let (w, d) = virtual_toy(Config {
            contiguous,
            ..Config::default()
        });
        let o = object(&d, 1024 + 100, CACHED);
        assert_eq!(unsafe { sys::drm_os_object_resident(o) }, 0);
        let one = wire(o, 700, 1).unwrap()[0];
        assert_eq!(unsafe { sys::drm_os_object_resident(o) }, 1);
        let pa = wire(o, 0, 1124).unwrap();
        assert_eq!(pa[700], one, "a wired page keeps its address");
        assert!(pa
            .iter()
            .all(|a| *a >= PA_BASE && *a < 1 << 40 && a % 4096 == 0));
        let next_door =
            |r: std::ops::Range<usize>| pa[r].windows(2).filter(|p| p[1] == p[0] + 4096).count();
        if contiguous {
            for run in [0..512, 512..1024] {
                assert_eq!(pa[run.start] % (2 << 20), 0);
                assert_eq!(next_door(run), 511);
            }
        } else {
            assert_eq!(next_door(0..1124), 0);
        }
        assert_eq!(next_door(1024..1124), 0, "the tail is not a run");
        let mut sorted = pa.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 1124);
        assert_eq!(w.counters().object_pages, 1124);
        unsafe { sys::drm_os_object_unref(o) };
        w.assert_clean();
    }
}

#[test]
fn a_wire_that_fails_stores_nothing() {
    let (w, d) = virtual_toy(Config {
        pages: 20,
        ..Config::default()
    });
    let o = object(&d, 30, WC);
    assert_eq!(wire(o, 25, 6), Err(sys::DRM_OS_EINVAL as i32));
    assert_eq!(w.counters().object_pages, 0);
    assert_eq!(wire(o, 0, 21), Err(ENOMEM));
    assert_eq!(w.counters().object_pages, 20, "all frames were used");
    w.fail_allocation(Some(0));
    assert_eq!(wire(o, 0, 20), Err(ENOMEM));
    assert_eq!(w.counters().failed_allocations, 1);
    assert_eq!(wire(o, 0, 20).unwrap().len(), 20);
    let mut pa = 7;
    assert_eq!(
        (unsafe { sys::drm_os_page_alloc(d.as_raw(), &mut pa) }, pa),
        (ENOMEM, 7)
    );
    unsafe {
        sys::drm_os_object_unref(o);
        let p = page(&d);
        sys::drm_os_page_free(d.as_raw(), p);
        assert_eq!(sys::drm_os_dev_dma_bits(d.as_raw(), 33, 40), 0);
        assert_eq!(
            sys::drm_os_dev_dma_bits(d.as_raw(), 32, 40),
            sys::DRM_OS_EINVAL as i32
        );
    }
    w.assert_clean();
}

#[test]
fn tables_lie_below_what_data_may_exceed() {
    let (w, d) = virtual_toy(Config {
        ram_base: (4 << 30) - (4 << 20),
        pages: 2048,
        ..Config::default()
    });
    let bits = |t, o| unsafe { sys::drm_os_dev_dma_bits(d.as_raw(), t, o) };
    assert_eq!(bits(31, 40), sys::DRM_OS_EINVAL as i32);
    assert_eq!(bits(40, 32), sys::DRM_OS_EINVAL as i32);
    assert_eq!(bits(32, 40), 0);
    let (p, o) = (page(&d), object(&d, 512, WC));
    let mut run = 0;
    assert_eq!(
        unsafe { sys::drm_os_run_alloc(d.as_raw(), 8192, &mut run) },
        0
    );
    assert!(p < 4 << 30 && run < 4 << 30);
    assert!(wire(o, 0, 512).unwrap().iter().all(|pa| *pa >= 4 << 30));
    unsafe { sys::drm_os_object_unref(o) };
    assert_eq!(bits(32, 32), 0);
    let o = object(&d, 16, WC);
    assert!(wire(o, 0, 16).unwrap().iter().all(|pa| *pa < 4 << 30));
    unsafe {
        sys::drm_os_object_unref(o);
        sys::drm_os_run_free(d.as_raw(), run, 8192);
        sys::drm_os_page_free(d.as_raw(), p);
    }
    w.assert_clean();
}

#[test]
fn dma_reaches_pages_and_objects_across_page_boundaries() {
    let (w, d) = virtual_toy(Config::default());
    let m = mmio(&d);
    let o = object(&d, 512, CACHED);
    let pa = wire(o, 0, 512).unwrap();
    let mut k = std::ptr::null_mut();
    assert_eq!(unsafe { sys::drm_os_object_kmap(o, &mut k) }, 0);
    let mem = unsafe { std::slice::from_raw_parts_mut(k.cast::<u8>(), 512 * 4096) };
    for (i, b) in mem[4000..6000].iter_mut().enumerate() {
        *b = i as u8;
    }
    assert_eq!(copy(m, pa[0] + 4000, pa[10] + 4090, 2000), ST_COPIED);
    for i in 0..2000 {
        assert_eq!(mem[10 * 4096 + 4090 + i], i as u8);
    }
    assert_eq!(w.counters().kmaps, 1);
    unsafe {
        sys::drm_os_object_kunmap(o);
        sys::drm_os_object_unref(o);
        sys::drm_os_mmio_unmap(m);
    }
    w.assert_clean();
}

#[test]
fn dma_to_freed_memory_shows() {
    let (w, d) = virtual_toy(Config::default());
    let m = mmio(&d);
    let (a, b) = (page(&d), page(&d));
    assert_eq!(copy(m, a, b, 64), ST_COPIED);
    let stale = kva(&d, a);
    unsafe { sys::drm_os_page_free(d.as_raw(), a) };
    assert!(unsafe { sys::drm_os_page_kva(d.as_raw(), a) }.is_null());
    assert_eq!(copy(m, a, b, 64), ST_BAD);
    assert_eq!(copy(m, b, a, 64), ST_BAD);
    assert_eq!(copy(m, PA_BASE - 4096, b, 64), ST_BAD);
    assert_eq!(copy(m, u64::MAX - 10, b, 64), ST_BAD);
    assert_eq!(w.counters().bad_dma, 4);
    assert_eq!(
        unsafe { stale.read() },
        0xde,
        "the CPU's stale pointer reads poison"
    );
    for _ in 0..1000 {
        let p = page(&d);
        assert_ne!(p, a, "a freed address is reused late");
        assert_eq!(unsafe { kva(&d, p).add(4095).read() }, 0);
        unsafe { sys::drm_os_page_free(d.as_raw(), p) };
    }
    let o = object(&d, 1, CACHED);
    let pa = wire(o, 0, 1).unwrap()[0];
    assert_eq!(copy(m, pa, b, 4096), ST_COPIED);
    unsafe { sys::drm_os_object_unref(o) };
    assert_eq!(copy(m, pa, b, 4096), ST_BAD);
    dies(&["drm_os_page_free of"], || unsafe {
        sys::drm_os_page_free(d.as_raw(), a)
    });
    unsafe {
        sys::drm_os_page_free(d.as_raw(), b);
        sys::drm_os_mmio_unmap(m);
    }
    w.assert_clean();
}

#[test]
fn a_missing_sync_shows_in_coherence_mode() {
    let (w, d) = virtual_toy(coherence());
    let m = mmio(&d);
    let (a, b) = (page(&d), page(&d));
    let sync = |pa, len, dir| unsafe { sys::drm_os_page_sync(d.as_raw(), pa, len, dir) };
    let (ka, kb) = (kva(&d, a), kva(&d, b));
    unsafe {
        ka.write_bytes(0x11, 256);
        assert_eq!(copy(m, a, b, 256), ST_COPIED);
        sync(b, 256, sys::DRM_OS_SYNC_FOR_CPU);
        assert_eq!(kb.read(), 0, "the device read its own zeroes");
        // One byte synchronises its line of 64 bytes, no more.
        sync(a + 70, 1, sys::DRM_OS_SYNC_FOR_DEVICE);
        assert_eq!(copy(m, a, b, 256), ST_COPIED);
        assert_eq!(kb.add(64).read(), 0, "not yet invalidated");
        sync(b, 256, sys::DRM_OS_SYNC_FOR_CPU);
        let line: Vec<u8> = (0..256).map(|i| kb.add(i).read()).collect();
        let expect: Vec<u8> = (0..256)
            .map(|i| if (64..128).contains(&i) { 0x11 } else { 0 })
            .collect();
        assert_eq!(line, expect);
        kb.add(3).write(0x77);
        sync(b, 64, sys::DRM_OS_SYNC_FOR_CPU);
        assert_eq!(kb.add(3).read(), 0, "an unsynced write of the CPU is lost");
        for pa in [a, b] {
            sys::drm_os_page_free(d.as_raw(), pa);
        }
        sys::drm_os_mmio_unmap(m);
    }
    dies(&["not within one page"], || sync(PA_BASE + 4090, 7, 0));
    dies(&["no page is allocated"], || sync(a, 7, 0));
    w.assert_clean();
}

#[test]
fn objects_have_copies_only_when_cached_and_not_coherent() {
    for (attr, coherent, copies) in [
        (CACHED, false, true),
        (WC, false, false),
        (CACHED, true, false),
    ] {
        let w = drm_os_host::World::new(coherence());
        let n = drm_os_host::Node { coherent, ..node() };
        let d = w.add_device(n, Box::<Toy>::default());
        assert_eq!(
            unsafe { sys::drm_os_dev_coherent(d.as_raw()) },
            i32::from(coherent)
        );
        let m = mmio(&d);
        let o = object(&d, 600, attr);
        let pa = wire(o, 0, 600).unwrap();
        let mut k = std::ptr::null_mut();
        assert_eq!(unsafe { sys::drm_os_object_kmap(o, &mut k) }, 0);
        let k = k.cast::<u8>();
        unsafe {
            k.add(4095).write_bytes(0x42, 2);
            assert_eq!(copy(m, pa[1], pa[599], 1), ST_COPIED);
            sys::drm_os_object_sync(o, 599 * 4096, 4096, sys::DRM_OS_SYNC_FOR_CPU);
            assert_eq!(k.add(599 * 4096).read(), if copies { 0 } else { 0x42 });
            sys::drm_os_object_sync(o, 4095, 2, sys::DRM_OS_SYNC_FOR_DEVICE);
            assert_eq!(copy(m, pa[1], pa[599], 1), ST_COPIED);
            sys::drm_os_object_sync(o, 599 * 4096, 1, sys::DRM_OS_SYNC_FOR_CPU);
            assert_eq!(k.add(599 * 4096).read(), 0x42);
            sys::drm_os_object_kunmap(o);
            sys::drm_os_object_unref(o);
            sys::drm_os_mmio_unmap(m);
        }
        w.assert_clean();
    }
}

#[test]
fn a_purged_object_has_no_pages_and_gets_none() {
    let (w, d) = virtual_toy(Config::default());
    let o = object(&d, 512, CACHED);
    let pa = wire(o, 0, 512).unwrap();
    unsafe {
        sys::drm_os_object_ref(o);
        let mut k = std::ptr::null_mut();
        assert_eq!(sys::drm_os_object_kmap(o, &mut k), 0);
        assert_eq!(sys::drm_os_object_purge(o), sys::DRM_OS_EBUSY as i32);
        assert_eq!(sys::drm_os_object_resident(o), 512);
        sys::drm_os_object_kunmap(o);
        assert_eq!(sys::drm_os_object_purge(o), 0);
        assert_eq!(sys::drm_os_object_resident(o), 0);
        assert_eq!(wire(o, 0, 1), Err(sys::DRM_OS_ENXIO as i32));
        assert_eq!(sys::drm_os_object_kmap(o, &mut k), sys::DRM_OS_ENXIO as i32);
        let m = mmio(&d);
        assert_eq!(copy(m, pa[0], pa[1], 4), ST_BAD);
        sys::drm_os_object_unref(o);
        assert_eq!(w.counters().objects, 1);
        sys::drm_os_object_unref(o);
        sys::drm_os_mmio_unmap(m);
    }
    w.assert_clean();
}

#[test]
fn malloc_is_zeroed_aligned_and_guarded() {
    let (w, _d) = virtual_toy(Config::default());
    let with = |n, flags| unsafe { sys::drm_os_malloc(w.as_raw(), n, flags) }.cast::<u8>();
    let alloc = |n| with(n, sys::DRM_OS_WAITOK);
    unsafe {
        for n in [0, 1, 15, 4096, 100_000] {
            for (flags, byte) in [(sys::DRM_OS_ZERO, 0), (0, 0xa5)] {
                let p = with(n, sys::DRM_OS_WAITOK | flags);
                assert!(p.align_offset(16) == 0 && (0..n).all(|i| p.add(i).read() == byte));
                p.write_bytes(0xff, n);
                sys::drm_os_free(p.cast(), n);
            }
        }
        assert!(alloc(usize::MAX - 8).is_null());
        sys::drm_os_free(std::ptr::null_mut(), 8);
        let (p, q) = (alloc(24), alloc(24));
        let big = alloc(1000);
        let text =
            "left over: mallocs=3 malloc_bytes=1048; mallocs (count x bytes): 2 x 24, 1 x 1000";
        dies(&[text], || w.assert_clean());
        dies(&["24 bytes was written past its end"], || {
            p.add(24).write(0);
            sys::drm_os_free(p.cast(), 24);
        });
        dies(&["drm_os_free of 25 bytes, for a block of 24"], || {
            sys::drm_os_free(p.cast(), 25)
        });
        sys::drm_os_free(p.cast(), 24);
        assert_eq!(p.read(), 0xde);
        dies(&["double free of a block of 24 bytes"], || {
            sys::drm_os_free(p.cast(), 24)
        });
        dies(&["freed memory was written to"], || {
            p.write(1);
            w.assert_clean();
        });
        sys::drm_os_free(q.cast(), 24);
        sys::drm_os_free(big.cast(), 1000);
    }
    w.assert_clean();
}

#[test]
fn exactly_the_nth_allocation_fails() {
    let (w, d) = virtual_toy(Config::default());
    let before = w.allocations();
    let round = || unsafe {
        let p = sys::drm_os_malloc(w.as_raw(), 8, sys::DRM_OS_NOWAIT);
        let q = make(|q| sys::drm_os_mtx_create(w.as_raw(), c"m".as_ptr(), q));
        let mut pa = 0;
        let r = sys::drm_os_page_alloc(d.as_raw(), &mut pa);
        sys::drm_os_free(p, 8);
        if let Ok(m) = q {
            sys::drm_os_mtx_destroy(m);
        }
        if r == 0 {
            sys::drm_os_page_free(d.as_raw(), pa);
        }
        (p.is_null(), q.err(), r)
    };
    assert_eq!(round(), (false, None, 0));
    assert_eq!(w.allocations() - before, 3);
    for (n, expect) in [
        (0, (true, None, 0)),
        (1, (false, Some(ENOMEM), 0)),
        (2, (false, None, ENOMEM)),
    ] {
        w.fail_allocation(Some(n));
        assert_eq!(round(), expect);
    }
    assert_eq!(w.counters().failed_allocations, 3);
    w.fail_allocation(Some(1));
    w.fail_allocation(None);
    assert_eq!(round(), (false, None, 0));
    w.assert_clean();
}
