// SPDX-License-Identifier: BSD-2-Clause
//! Runs of pages, and those that a device keeps for its next buffers.

use super::{ANY, CACHED, ENOMEM, NORMAL, UNCACHED, WC};
use glue_tests::memory::*;
use std::collections::BTreeSet;

/// The most that a device keeps.
const LIMIT: u64 = 512;

/// A buffer with all of its pages.
unsafe fn buffer(dev: *mut Opaque, attr: u32, pages: u64) -> (*mut Opaque, Vec<u64>) {
    let (mut o, mut pas) = (std::ptr::null_mut(), vec![0; pages as usize]);
    assert_eq!(fbsd_object_create(dev, pages * 4096, attr, &mut o), 0);
    assert_eq!(fbsd_object_wire(o, 0, pages, pas.as_mut_ptr()), 0);
    (o, pas)
}

/// Catches: pages that are allocated one by one, or not where block leaves need them.
#[test]
fn a_buffer_consists_of_runs() {
    let mut k = Kernel::get();
    let dev = k.dev(false, ANY, ANY);
    unsafe {
        // The pages of the last table of a buffer, and of the first.
        for (pages, runs) in [(256, 1), (300, 4), (512, 1), (1024, 2), (1, 1)] {
            let (o, pas) = buffer(dev, WC, pages);
            let ends = pas.windows(2).filter(|two| two[1] != two[0] + 4096).count();
            assert!(ends < runs, "{pages} pages: {ends} of {runs} runs end");
            if pages >= 512 {
                assert_eq!(pas[0] % (2 << 20), 0, "a block is aligned");
            }
            fbsd_object_unref(o);
            fake_lowmem(dev);
        }
    }
}

/// Catches: memory of a freed buffer that the next one shows, to a processor or to the device; and
/// a line that is left in the cache.
#[test]
fn pages_that_were_kept_are_zeroed_and_cleaned() {
    for (before, after) in [(WC, WC), (WC, CACHED), (CACHED, WC), (CACHED, CACHED)] {
        let mut k = Kernel::get();
        let dev = k.dev(false, ANY, ANY);
        unsafe {
            let (o, pas) = buffer(dev, before, 300);
            for pa in &pas {
                (*fake_memory(*pa)).fill(0x5a);
            }
            fbsd_object_unref(o);
            assert_eq!((fake_kept(dev), k.counts().pages), (300, 0));
            fake_speculate();
            let old: BTreeSet<u64> = pas.into_iter().collect();
            let (mut o, mut pas) = (std::ptr::null_mut(), [0; 300]);
            assert_eq!(fbsd_object_create(dev, 300 * 4096, after, &mut o), 0);
            let lines = k.lines(|| assert_eq!(fbsd_object_wire(o, 0, 300, pas.as_mut_ptr()), 0));
            assert!(pas.iter().all(|pa| old.contains(pa)), "the same pages");
            assert!(pas.iter().all(|pa| *fake_memory(*pa) == [0; 4096]));
            assert_eq!(lines.len(), 300 * 64, "each line once");
            assert!(lines.iter().all(|l| l.invalidated == (after == WC)));
            let attr = fake_page(fake_vm_of(o), 7);
            assert_eq!(attr, if after == WC { UNCACHED } else { NORMAL });
            fbsd_object_unref(o);
        }
    }
}

/// Catches: a device that keeps whatever its buffers free, a run of which parts are lost or given
/// twice, and pages that nothing returns.
#[test]
fn few_pages_are_kept_and_not_for_ever() {
    let mut k = Kernel::get();
    let dev = k.dev(true, ANY, ANY);
    unsafe {
        let (o, _) = buffer(dev, WC, 1200);
        fbsd_object_unref(o);
        assert_eq!(fake_kept(dev), LIMIT);
        // Parts of what is kept, and what follows from the VM system.
        let some: Vec<_> = [1, 100, 3, 300, 200, 7]
            .map(|pages| buffer(dev, CACHED, pages))
            .into();
        let all: BTreeSet<u64> = some.iter().flat_map(|(_, pas)| pas.clone()).collect();
        assert_eq!(all.len(), 611);
        // Of what is kept, small runs are left.
        assert!(fake_kept(dev) < 64);
        some.into_iter().for_each(|(o, _)| fbsd_object_unref(o));
        assert_eq!(fake_kept(dev), LIMIT);
        fake_lowmem(dev);
        assert_eq!(fake_kept(dev), 0);
        let (o, _) = buffer(dev, WC, 10);
        fake_detach(dev);
        fbsd_object_unref(o);
        assert_eq!((fake_kept(dev), k.counts().pages), (0, 0));
    }
}

/// A buffer with the last page below a hole in memory and the first one above it. Catches: the two
/// kept as a run, of which the cache maintenance goes through the hole.
#[test]
fn no_run_goes_through_a_hole_in_memory() {
    const BELOW: u64 = 0x4080_0000;
    const ABOVE: u64 = 0x1_0000_0000;
    let mut k = Kernel::get();
    let dev = k.dev(false, ANY, ANY);
    unsafe {
        let mut others = BTreeSet::new();
        let mut pa = 0;
        while fbsd_page_alloc(dev, &mut pa) == 0 {
            others.insert(pa);
        }
        let mut o = std::ptr::null_mut();
        assert_eq!(fbsd_object_create(dev, 2 * 4096, WC, &mut o), 0);
        for (index, page) in [BELOW, ABOVE].into_iter().enumerate() {
            assert!(others.remove(&page), "{page:#x} was allocated");
            fbsd_page_free(dev, page);
            assert_eq!(fbsd_object_wire(o, index as u64, 1, &mut pa), 0);
            assert_eq!(pa, page);
        }
        fbsd_object_unref(o);
        assert_eq!(fake_kept(dev), 2);
        let (o, pas) = buffer(dev, WC, 2);
        assert_eq!(BTreeSet::from_iter(pas), BTreeSet::from([BELOW, ABOVE]));
        fbsd_object_unref(o);
        others
            .into_iter()
            .for_each(|page| fbsd_page_free(dev, page));
    }
}

/// Of memory, every second page is free. Catches: a buffer that asks for large runs again for each
/// of its pages.
#[test]
fn fragmented_memory_is_asked_for_large_runs_once() {
    const PAGES: u64 = 100;
    let mut k = Kernel::get();
    let dev = k.dev(false, ANY, ANY);
    unsafe {
        let mut others = BTreeSet::new();
        let mut pa = 0;
        while fbsd_page_alloc(dev, &mut pa) == 0 {
            others.insert(pa);
        }
        others.retain(|page| {
            let odd = page >> 12 & 1 == 1;
            if !odd {
                fbsd_page_free(dev, *page);
            }
            odd
        });
        let before = k.counts().requests;
        let (o, pas) = buffer(dev, WC, PAGES);
        let requests = k.counts().requests - before;
        assert!(pas.iter().all(|pa| pa >> 12 & 1 == 0));
        assert_eq!(requests, PAGES + 2, "requests for {PAGES} pages");
        fbsd_object_unref(o);
        // The next buffer asks for them again.
        fake_lowmem(dev);
        others
            .into_iter()
            .for_each(|page| fbsd_page_free(dev, page));
        let (o, pas) = buffer(dev, WC, 16);
        assert!(pas.windows(2).all(|two| two[1] == two[0] + 4096));
        fbsd_object_unref(o);
    }
}

/// Catches: pages of a run that are left when some of them cannot be inserted.
#[test]
fn a_run_that_cannot_be_inserted_is_freed() {
    for n in 1..=21 {
        let mut k = Kernel::get();
        let dev = k.dev(false, ANY, ANY);
        let (mut o, mut pas) = (std::ptr::null_mut(), [0; 20]);
        unsafe {
            assert_eq!(fbsd_object_create(dev, 20 * 4096, WC, &mut o), 0);
            k.fail_insert(n);
            let e = fbsd_object_wire(o, 0, 20, pas.as_mut_ptr());
            k.fail_insert(0);
            assert_eq!(e, if n == 21 { 0 } else { ENOMEM });
            assert_eq!(fbsd_object_resident(o), n - 1);
            assert_eq!((k.counts().pages, k.wired()), (n - 1, n - 1));
            assert_eq!(fbsd_object_wire(o, 0, 20, pas.as_mut_ptr()), 0);
            fbsd_object_unref(o);
        }
    }
}
