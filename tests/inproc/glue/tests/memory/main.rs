// SPDX-License-Identifier: BSD-2-Clause
//! Compares FreeBSD's implementation of objects and pages with that of the host, on which drivers
//! are tested: the same calls have the same results, and for each kind of object the cache is
//! maintained where the host moves lines between its two copies.

use drm_os_host::{sys, Dma, Hardware};
use glue_tests::memory::*;
use std::any::Any;
use std::collections::BTreeSet;

mod cache;
mod kept;
mod results;
mod user;

const PAGE: usize = 4096;
const ANY: u64 = u64::MAX;
const BELOW_4G: u64 = (4 << 30) - 1;
const CACHED: u32 = sys::DRM_OS_MEM_CACHED;
const WC: u32 = sys::DRM_OS_MEM_WRITE_COMBINE;
const TO_DEVICE: u32 = sys::DRM_OS_SYNC_FOR_DEVICE;
const TO_CPU: u32 = sys::DRM_OS_SYNC_FOR_CPU;
const EBUSY: i32 = sys::DRM_OS_EBUSY as i32;
const EFAULT: i32 = sys::DRM_OS_EFAULT as i32;
const EINVAL: i32 = sys::DRM_OS_EINVAL as i32;
const ENOMEM: i32 = sys::DRM_OS_ENOMEM as i32;
const ENXIO: i32 = sys::DRM_OS_ENXIO as i32;
const UNCACHED: i32 = 1;
const NORMAL: i32 = 2;

/// Copies between memory and itself when its register is written.
#[derive(Default)]
struct Probe {
    pas: Vec<u64>,
    data: Vec<u8>,
    write: bool,
}

impl Hardware for Probe {
    fn mmio_read(&mut self, _: &mut dyn Dma, _: u64, _: u32) -> u32 {
        0
    }

    fn mmio_write(&mut self, bus: &mut dyn Dma, _: u64, _: u32, _: u32) {
        for (pa, page) in self.pas.iter().zip(self.data.chunks_mut(PAGE)) {
            let done = if self.write {
                bus.write(*pa, page)
            } else {
                bus.read(*pa, page)
            };
            assert!(done.is_ok());
        }
    }

    fn next_event(&self) -> Option<u64> {
        None
    }

    fn poll(&mut self, _: &mut dyn Dma, _: u64) {}

    fn set_power(&mut self, _: &mut dyn Dma, _: u64, _: bool) {}

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Cached,
    Uncached,
    User,
}

const PAGES: usize = 3;

fn fbsd(k: &mut Kernel, kind: Kind, coherent: bool) -> (*mut Opaque, Vec<u64>) {
    let dev = k.dev(coherent, ANY, ANY);
    let (mut o, size) = (std::ptr::null_mut(), (PAGES * PAGE) as u64);
    let mut pas = vec![0; PAGES];
    unsafe {
        let made = match kind {
            Kind::Cached => fbsd_object_create(dev, size, CACHED, &mut o),
            Kind::Uncached => fbsd_object_create(dev, size, WC, &mut o),
            Kind::User => {
                (0..PAGES as u32).for_each(|i| k.user_page(i, UserPage::Low));
                fbsd_object_create_user(dev, fake_caller(), USER, size, 1, &mut o)
            }
        };
        assert_eq!(made, 0);
        assert_eq!(fbsd_object_wire(o, 0, PAGES as u64, pas.as_mut_ptr()), 0);
    }
    (o, pas)
}

#[test]
fn a_page_of_an_object_is_none_of_the_devices_own() {
    let mut k = Kernel::get();
    let (o, pas) = fbsd(&mut k, Kind::Cached, false);
    let dev = k.dev(false, ANY, ANY);
    let (mut page, mut run) = (0, 0);
    unsafe {
        assert!(fbsd_page_kva(dev, pas[0]).is_null());
        // An address that is not allocated cannot be freed, nor can a part or more than an
        // allocation.
        fbsd_page_free(dev, pas[0]);
        assert_eq!(
            (
                fbsd_page_alloc(dev, &mut page),
                fbsd_run_alloc(dev, 8192, &mut run)
            ),
            (0, 0)
        );
        let before = k.counts();
        for pa in [page + 1, run, run + 4096, 0, u64::MAX] {
            fbsd_page_free(dev, pa);
        }
        fbsd_run_free(dev, run, 16384);
        fbsd_run_free(dev, page, 8192);
        assert_eq!(k.counts(), before);
        for pa in [0, u64::MAX] {
            fbsd_page_sync(dev, pa, 64, TO_DEVICE);
        }
        let lines = k.lines(|| fbsd_page_sync(dev, page + 4032, 4096, TO_CPU));
        assert_eq!(lines.len(), 1, "within a page");
        let lines = k.lines(|| fbsd_run_sync(dev, run + 4032, 256, TO_DEVICE));
        assert_eq!(lines.len(), 4, "across pages");
        fbsd_page_free(dev, page);
        fbsd_page_free(dev, page);
        fbsd_run_free(dev, run, 8192);
        fbsd_object_unref(o);
    }
}

/// fake_object.c checks that no line is dirty when an uncached page is inserted, and fake_page.c
/// that the page has the default attribute when it is freed. Neither has a function that changes
/// the direct map.
#[test]
fn an_uncached_page_leaves_no_dirty_line() {
    for kind in [Kind::Uncached, Kind::Cached] {
        let mut k = Kernel::get();
        let dev = k.dev(false, ANY, ANY);
        let (mut o, mut pas) = (std::ptr::null_mut(), [0; 600]);
        let attr = if kind == Kind::Cached { CACHED } else { WC };
        unsafe {
            assert_eq!(fbsd_object_create(dev, 600 * 4096, attr, &mut o), 0);
            let lines = k.lines(|| assert_eq!(fbsd_object_wire(o, 0, 600, pas.as_mut_ptr()), 0));
            let each: BTreeSet<_> = lines.iter().map(|l| l.pa & !4095).collect();
            assert_eq!((lines.len(), each.len()), (600 * 64, 600), "each page once");
            assert!(lines
                .iter()
                .all(|l| l.invalidated == (kind == Kind::Uncached)));
            assert_eq!(
                fake_page(fake_vm_of(o), 0),
                if attr == WC { UNCACHED } else { NORMAL }
            );
            fake_speculate();
            let lines = k.lines(|| {
                fbsd_object_unref(o);
                fake_lowmem(dev);
            });
            let expected = if attr == WC { 600 * 64 } else { 0 };
            assert_eq!(lines.iter().filter(|l| l.invalidated).count(), expected);
        }
    }
}

#[test]
fn whatever_allocation_fails_nothing_is_left() {
    for n in 1.. {
        let mut k = Kernel::get();
        let dev = k.dev(false, BELOW_4G, BELOW_4G);
        let (mut o, mut pas) = (std::ptr::null_mut(), [0; 4]);
        unsafe {
            assert_eq!(fbsd_object_create(dev, 4 * 4096, WC, &mut o), 0);
            k.fail(n);
            let e = fbsd_object_wire(o, 0, 4, pas.as_mut_ptr());
            let failed = k.counts().fail == 0;
            k.fail(0);
            // A page allocation is tried more than once.
            assert_eq!(e, 0, "allocation {n}");
            assert!(pas.iter().all(|pa| *pa <= BELOW_4G));
            fbsd_object_unref(o);
            if !failed {
                break;
            }
        }
    }
}

/// If there is no memory that the device can reach, the wait for it ends.
#[test]
fn no_thread_waits_for_memory_that_cannot_come() {
    let mut k = Kernel::get();
    let dev = k.dev(false, 0xffff, 0xffff);
    let (mut o, mut pa) = (std::ptr::null_mut(), 7);
    unsafe {
        assert_eq!(fbsd_object_create(dev, 4096, WC, &mut o), 0);
        assert_eq!(fbsd_object_wire(o, 0, 1, &mut pa), ENOMEM);
        assert_eq!(fbsd_run_alloc(dev, 8192, &mut pa), ENOMEM);
        assert_eq!(fbsd_page_alloc(dev, &mut pa), ENOMEM);
        fbsd_object_unref(o);
    }
    assert_eq!(pa, 7);
    let Counts {
        reclaims, waits, ..
    } = k.counts();
    assert!(
        (1..=16).contains(&reclaims) && (1..=16).contains(&waits),
        "{reclaims} {waits}"
    );
}

/// While a copy-on-write mapping exists (minherit(2)), the VM system calls another pager method.
#[test]
fn a_copied_mapping_finds_the_objects_own_pages() {
    let mut k = Kernel::get();
    let dev = k.dev(false, ANY, ANY);
    let (mut o, mut pas) = (std::ptr::null_mut(), [0; 2]);
    unsafe {
        assert_eq!(fbsd_object_create(dev, 4 * 4096, WC, &mut o), 0);
        assert_eq!(fake_touch(o, 0, 1), 0);
        assert_eq!(fake_page(fake_vm_of(o), 0), UNCACHED);
        assert_eq!(fbsd_object_wire(o, 0, 2, pas.as_mut_ptr()), 0);
        assert_eq!(fake_touch(o, 1, 1), 0);
        assert_eq!(fake_touch(o, 2, 0), 0);
        assert_eq!(fbsd_object_resident(o), 3);
        assert_eq!(fbsd_object_purge(o), 0);
        for copied in [0, 1] {
            assert_ne!(fake_touch(o, 3, copied), 0, "SIGBUS");
        }
        assert_eq!(fbsd_object_wire(o, 0, 1, pas.as_mut_ptr()), ENXIO);
        fbsd_object_unref(o);
    }
}
