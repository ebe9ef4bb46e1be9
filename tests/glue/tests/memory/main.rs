// SPDX-License-Identifier: BSD-2-Clause
//! FreeBSD's implementation of objects and pages against that of the host, which is what drivers
//! are tested on: the same calls have the same results, and for each kind of object the cache is
//! maintained where the host moves lines between its two copies.

use drm_os_host::{sys, Caller, Config, Device, Dma, Hardware, Node, World};
use glue_tests::memory::*;
use std::any::Any;
use std::collections::BTreeSet;

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

/// Memory of this process, in whole pages.
struct Area(Box<[[u8; PAGE]]>, usize);

impl Area {
    fn new(pages: usize) -> Area {
        let memory = vec![[0; PAGE]; pages + 1].into_boxed_slice();
        let at = (memory.as_ptr() as usize).next_multiple_of(PAGE);
        Area(memory, at)
    }

    fn bytes(&mut self, pages: usize) -> &mut [u8] {
        let skip = self.1 - self.0.as_ptr() as usize;
        &mut self.0.as_flattened_mut()[skip..skip + pages * PAGE]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Cached,
    Uncached,
    User,
}

const PAGES: usize = 3;

/// Offsets of the lines that a sync moves on the host.
fn moved(kind: Kind, coherent: bool, dir: u32, off: u64, len: u64) -> BTreeSet<u64> {
    let w = World::new(Config {
        coherence: true,
        pages: 1024,
        ..Config::default()
    });
    let node = Node {
        name: "probe0".into(),
        mmio_len: 16,
        coherent,
        ..Node::default()
    };
    let d = w.add_device(node, Box::<Probe>::default());
    let c = Caller::local(&w, "x");
    let mut area = Area::new(PAGES);
    let (mut o, mut m, mut kva) = (
        std::ptr::null_mut(),
        std::ptr::null_mut(),
        std::ptr::null_mut(),
    );
    let size = (PAGES * PAGE) as u64;
    let mut pas = [0; PAGES];
    unsafe {
        assert_eq!(
            sys::drm_os_mmio_map(d.as_raw(), std::ptr::null(), 16, &mut m),
            0
        );
        let made = match kind {
            Kind::Cached => sys::drm_os_object_create(d.as_raw(), size, CACHED, &mut o),
            Kind::Uncached => sys::drm_os_object_create(d.as_raw(), size, WC, &mut o),
            Kind::User => sys::drm_os_object_create_user(
                d.as_raw(),
                c.as_raw(),
                area.1 as u64,
                size,
                1,
                &mut o,
            ),
        };
        assert_eq!(made, 0);
        assert_eq!(
            sys::drm_os_object_wire(o, 0, PAGES as u64, pas.as_mut_ptr()),
            0
        );
        if kind != Kind::User {
            assert_eq!(sys::drm_os_object_kmap(o, &mut kva), 0);
        }
    }
    let mut cpu = |write: Option<u8>| -> Vec<u8> {
        let bytes = match kind {
            Kind::User => area.bytes(PAGES),
            // SAFETY: the object's mapping.
            _ => unsafe { std::slice::from_raw_parts_mut(kva.cast(), PAGES * PAGE) },
        };
        write.into_iter().for_each(|v| bytes.fill(v));
        bytes.to_vec()
    };
    let device = |d: &Device, write: Option<u8>| -> Vec<u8> {
        d.with_hardware(|hw| {
            let probe = hw.as_any().downcast_mut::<Probe>().unwrap();
            (probe.pas, probe.write) = (pas.to_vec(), write.is_some());
            probe.data = vec![write.unwrap_or(0); PAGES * PAGE];
        });
        unsafe { sys::drm_os_mmio_write4(m, 0, 0) };
        d.with_hardware(|hw| hw.as_any().downcast_mut::<Probe>().unwrap().data.clone())
    };
    let (before, after);
    if dir == TO_DEVICE {
        cpu(Some(0x5a));
        before = device(&d, None);
        unsafe { sys::drm_os_object_sync(o, off, len, dir) };
        after = device(&d, None);
    } else {
        device(&d, Some(0xa5));
        before = cpu(None);
        unsafe { sys::drm_os_object_sync(o, off, len, dir) };
        after = cpu(None);
    }
    unsafe {
        if kind != Kind::User {
            sys::drm_os_object_kunmap(o);
        }
        sys::drm_os_object_unref(o);
        sys::drm_os_mmio_unmap(m);
    }
    w.assert_clean();
    let lines = before.chunks(64).zip(after.chunks(64)).enumerate();
    lines
        .filter(|(_, (b, a))| b != a)
        .map(|(i, _)| i as u64 * 64)
        .collect()
}

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
fn the_cache_is_maintained_where_the_host_moves_lines() {
    let size = (PAGES * PAGE) as u64;
    let ranges = [
        (0, size),
        (0, 1),
        (63, 2),
        (4095, 2),
        (64, 128),
        (5000, 3000),
        (size - 1, 1),
        (size - 1, 100),
        (size, 64),
        (size + 4096, 1),
        (u64::MAX - 3, 2),
        (4096, u64::MAX),
        (100, 0),
    ];
    for kind in [Kind::Cached, Kind::Uncached, Kind::User] {
        for coherent in [false, true] {
            let mut k = Kernel::get();
            let (o, pas) = fbsd(&mut k, kind, coherent);
            for (off, len) in ranges {
                for dir in [TO_DEVICE, TO_CPU] {
                    let lines = k.lines(|| unsafe { fbsd_object_sync(o, off, len, dir) });
                    assert!(lines.iter().all(|l| l.invalidated == (dir == TO_CPU)));
                    let offset = |l: &Line| {
                        let page = pas.iter().position(|pa| *pa == l.pa & !4095).unwrap();
                        (page * PAGE) as u64 + l.pa % PAGE as u64
                    };
                    let ours: BTreeSet<u64> = lines.iter().map(offset).collect();
                    assert_eq!(ours.len(), lines.len(), "a line twice");
                    let host = moved(kind, coherent, dir, off, len);
                    let what =
                        format!("{kind:?}, coherent {coherent}, {off} + {len}, direction {dir}");
                    assert_eq!(ours, host, "{what}");
                    let needed = kind != Kind::Uncached && !coherent && off < size && len != 0;
                    assert_eq!(!ours.is_empty(), needed, "{what}");
                }
            }
            unsafe { fbsd_object_unref(o) };
        }
    }
}

/// What both implementations say to the same calls, as text; `f` is given both in turn by the macro
/// below.
macro_rules! says {
    ($prefix:ident, $dev:expr, $attr:expr) => {{
        let (dev, mut said) = ($dev, Vec::<(String, i64)>::new());
        paste_calls!($prefix, dev, $attr, said);
        said
    }};
}

/// The calls, by the names of one implementation.
macro_rules! paste_calls {
    (host, $dev:ident, $attr:expr, $said:ident) => {
        calls!(
            $dev,
            $attr,
            $said,
            sys::drm_os_object_create,
            sys::drm_os_object_wire,
            sys::drm_os_object_purge,
            sys::drm_os_object_resident,
            sys::drm_os_object_kmap,
            sys::drm_os_object_kunmap,
            sys::drm_os_object_unref,
            sys::drm_os_run_alloc,
            sys::drm_os_run_free,
            sys::drm_os_page_alloc,
            sys::drm_os_page_free,
            sys::drm_os_page_kva
        )
    };
    (fbsd, $dev:ident, $attr:expr, $said:ident) => {
        calls!(
            $dev,
            $attr,
            $said,
            fbsd_object_create,
            fbsd_object_wire,
            fbsd_object_purge,
            fbsd_object_resident,
            fbsd_object_kmap,
            fbsd_object_kunmap,
            fbsd_object_unref,
            fbsd_run_alloc,
            fbsd_run_free,
            fbsd_page_alloc,
            fbsd_page_free,
            fbsd_page_kva
        )
    };
}

macro_rules! calls {
    ($dev:ident, $attr:expr, $said:ident, $create:path, $wire:path, $purge:path, $resident:path, $kmap:path, $kunmap:path,
     $unref:path, $run:path, $run_free:path, $page:path, $page_free:path, $kva:path) => {
        let mut say = |what: String, n: i64| $said.push((what, n));
        let mut pas = [0; 8];
        for size in [0, 1, 4095, 4097] {
            let mut o = std::ptr::null_mut();
            say(
                format!("create {size}"),
                $create($dev, size, $attr, &mut o).into(),
            );
            assert!(o.is_null(), "{size}");
        }
        let mut o = std::ptr::null_mut();
        say(
            "create 8 pages".into(),
            $create($dev, 8 * 4096, $attr, &mut o).into(),
        );
        if !o.is_null() {
            for (first, count) in [
                (0, 0),
                (8, 0),
                (9, 0),
                (0, 9),
                (7, 2),
                (u64::MAX, 2),
                (2, u64::MAX),
                (3, 2),
            ] {
                let what = format!("wire {first} + {count}");
                say(
                    what.clone(),
                    $wire(o, first, count, pas.as_mut_ptr()).into(),
                );
                say(what, $resident(o) as i64);
            }
            let mut kva = std::ptr::null_mut();
            say("kmap".into(), $kmap(o, &mut kva).into());
            say("resident when mapped".into(), $resident(o) as i64);
            say("purge when mapped".into(), $purge(o).into());
            $kunmap(o);
            for what in ["purge", "purge again"] {
                say(what.into(), $purge(o).into());
                say(what.into(), $resident(o) as i64);
            }
            say(
                "wire when purged".into(),
                $wire(o, 0, 1, pas.as_mut_ptr()).into(),
            );
            say(
                "wire nothing when purged".into(),
                $wire(o, 0, 0, pas.as_mut_ptr()).into(),
            );
            say(
                "wire beyond when purged".into(),
                $wire(o, 8, 1, pas.as_mut_ptr()).into(),
            );
            say("kmap when purged".into(), $kmap(o, &mut kva).into());
            $unref(o);
        }
        for size in [
            0,
            1,
            2048,
            4095,
            4096,
            8192,
            3 * 4096,
            1 << 20,
            2 << 20,
            4 << 20,
            u64::MAX,
        ] {
            let mut pa = 7;
            let e = $run($dev, size, &mut pa);
            say(format!("run {size}"), e.into());
            if e == 0 {
                say(format!("alignment of run {size}"), (pa % size) as i64);
                say("its address".into(), i64::from(!$kva($dev, pa).is_null()));
                say(
                    "of its last page".into(),
                    i64::from(!$kva($dev, pa + size - 4096).is_null()),
                );
                $run_free($dev, pa, size);
                say("when freed".into(), i64::from(!$kva($dev, pa).is_null()));
            } else {
                say("a failed run".into(), pa as i64);
            }
        }
        let mut pa = 0;
        say("page".into(), $page($dev, &mut pa).into());
        say("its address".into(), i64::from(!$kva($dev, pa).is_null()));
        $page_free($dev, pa);
        say("when freed".into(), i64::from(!$kva($dev, pa).is_null()));
        for pa in [0, 1, u64::MAX] {
            say(
                format!("address of {pa}"),
                i64::from(!$kva($dev, pa).is_null()),
            );
        }
    };
}

#[test]
fn the_same_calls_have_the_same_results() {
    for attr in [CACHED, WC, 2, u32::MAX] {
        let w = World::new(Config::default());
        let d = w.add_device(Node::default(), Box::<Probe>::default());
        let mut k = Kernel::get();
        let dev = k.dev(false, ANY, ANY);
        // SAFETY: live devices, and all that is made is given back.
        let (host, ours) = unsafe { (says!(host, d.as_raw(), attr), says!(fbsd, dev, attr)) };
        assert_eq!(ours, host, "attribute {attr}");
        w.assert_clean();
    }
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
        fbsd_page_free(dev, page);
        fbsd_page_free(dev, page);
        fbsd_run_free(dev, run, 8192);
        fbsd_object_unref(o);
    }
}

/// fake_vm.c sees to the rest: no dirty line when an uncached page comes into use, no attribute
/// left when it is freed, and the kernel is not asked to change the direct map, for it has no such
/// function.
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
            let lines = k.lines(|| fbsd_object_unref(o));
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
            // A page is tried for more than once.
            assert_eq!(e, 0, "allocation {n}");
            assert!(pas.iter().all(|pa| *pa <= BELOW_4G));
            fbsd_object_unref(o);
            if !failed {
                break;
            }
        }
    }
}

/// Where there is no memory that the device reaches, the wait for it has an end.
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

#[test]
fn data_may_lie_where_tables_may_not() {
    let mut k = Kernel::get();
    let dev = k.dev(false, BELOW_4G, (1 << 40) - 1);
    let (mut o, mut pa, mut page, mut run) = (std::ptr::null_mut(), 0, 0, 0);
    k.user_page(0, UserPage::High);
    unsafe {
        assert_eq!(fbsd_object_create(dev, 4096, WC, &mut o), 0);
        assert_eq!(fbsd_object_wire(o, 0, 1, &mut pa), 0);
        assert!(pa > BELOW_4G);
        fbsd_object_unref(o);
        assert_eq!(
            fbsd_object_create_user(dev, fake_caller(), USER, 4096, 0, &mut o),
            0
        );
        fbsd_object_unref(o);
        assert_eq!(
            (
                fbsd_page_alloc(dev, &mut page),
                fbsd_run_alloc(dev, 65536, &mut run)
            ),
            (0, 0)
        );
        assert!(page < BELOW_4G && run < BELOW_4G);
        fbsd_page_free(dev, page);
        fbsd_run_free(dev, run, 65536);
    }
}

#[test]
fn only_ordinary_memory_of_a_process_is_taken() {
    let mut k = Kernel::get();
    let dev = k.dev(false, BELOW_4G, BELOW_4G);
    let kinds = [
        UserPage::Low,
        UserPage::High,
        UserPage::Device,
        UserPage::Uncached,
    ];
    kinds
        .iter()
        .zip(0..)
        .for_each(|(kind, i)| k.user_page(i, *kind));
    let create = |at: u64, size: u64| {
        let mut o = std::ptr::null_mut();
        let e = unsafe { fbsd_object_create_user(dev, fake_caller(), at, size, 1, &mut o) };
        if e == 0 {
            unsafe { fbsd_object_unref(o) };
        }
        e
    };
    assert_eq!(create(USER, 4096), 0);
    for page in 1..5 {
        assert_eq!(create(USER + page * 4096, 4096), EFAULT, "page {page}");
    }
    assert_eq!(create(USER, 8192), EFAULT, "one of them");
    assert_eq!(create(USER, 0), EINVAL);
    assert_eq!(create(USER + 1, 4096), EINVAL);
    assert_eq!(create(USER, 100), EINVAL);
    assert_eq!(create(USER, !4095), EFAULT);
    assert_eq!(k.counts().pages, 4);
}

/// As mlock(2): munlock(2) has to find the pages where they were.
#[test]
fn pages_that_others_have_wired_are_not_taken() {
    let mut k = Kernel::get();
    let (o, _) = fbsd(&mut k, Kind::Uncached, false);
    unsafe {
        let vm = fake_vm_of(o);
        fake_wire(vm, 1, 1);
        assert_eq!(fbsd_object_purge(o), EBUSY);
        assert_eq!(fbsd_object_resident(o), PAGES as u64);
        assert!((0..PAGES as u64).all(|i| fake_page(vm, i) == UNCACHED));
        fake_wire(vm, 1, 0);
        assert_eq!(fbsd_object_purge(o), 0);
        assert_eq!(fbsd_object_resident(o), 0);
        assert_ne!(fake_touch(o, 0, 0), 0, "SIGBUS");
        fbsd_object_unref(o);
    }
}

/// The module goes, and one mapping with locked pages stays.
#[test]
fn locked_pages_outlive_the_driver() {
    let mut k = Kernel::get();
    let (o, _) = fbsd(&mut k, Kind::Uncached, false);
    unsafe {
        let vm = fake_vm_of(o);
        fake_wire(vm, 1, 1);
        assert_eq!(drm_objects_revoke(1), 0);
        assert_eq!((fake_page(vm, 0), fake_page(vm, 2)), (-1, -1));
        assert_eq!(fake_page(vm, 1), NORMAL, "it is ordinary memory now");
        assert_eq!(k.counts().pages, 1);
        assert_eq!(k.wired(), 0, "by the driver");
        fake_wire(vm, 1, 0);
        fake_unref(vm);
        drm_objects_init();
    }
}

/// Catches: an unload that goes on for as long as there are buffers.
#[test]
fn a_revoke_ends_at_its_time_and_is_tried_again() {
    let mut k = Kernel::get();
    let (o, _) = fbsd(&mut k, Kind::Uncached, false);
    unsafe {
        let vm = fake_vm_of(o);
        assert_eq!(drm_objects_revoke(0), sys::DRM_OS_EBUSY as i32);
        assert_eq!(fake_page(vm, 0), UNCACHED, "as it was");
        assert_eq!(drm_objects_revoke(1), 0);
        assert_eq!(fake_page(vm, 0), -1);
        fake_unref(vm);
        drm_objects_init();
    }
}

/// They count in vm.max_user_wired, which is checked before there is a page.
#[test]
fn wired_pages_count_for_users() {
    let mut k = Kernel::get();
    let dev = k.dev(false, ANY, ANY);
    let (mut o, mut user, mut pas) = (std::ptr::null_mut(), std::ptr::null_mut(), [0; 1024]);
    (0..4).for_each(|page| k.user_page(page, UserPage::Low));
    let waits = k.counts().waits;
    unsafe {
        assert_eq!(fbsd_object_create(dev, 1024 * 4096, WC, &mut o), 0);
        assert_eq!(k.wired(), 0, "it has no page yet");
        assert_eq!(fbsd_object_wire(o, 0, 600, pas.as_mut_ptr()), 0);
        assert_eq!(fake_touch(o, 700, 0), 0);
        assert_eq!(fake_touch(o, 701, 1), 0);
        assert_eq!(k.wired(), 602);
        k.max_user_wired(603);
        assert_eq!(fbsd_object_wire(o, 600, 2, pas.as_mut_ptr()), ENOMEM);
        assert_eq!((k.wired(), fbsd_object_resident(o)), (603, 603));
        assert_ne!(fake_touch(o, 702, 0), 0, "SIGBUS");
        assert_ne!(fake_touch(o, 702, 1), 0, "SIGBUS");
        assert_eq!(
            fbsd_object_wire(o, 512, 512, pas.as_mut_ptr()),
            ENOMEM,
            "nor a block"
        );
        let hold =
            |user: &mut _| fbsd_object_create_user(dev, fake_caller(), USER, 4 * 4096, 1, user);
        assert_eq!(hold(&mut user), ENOMEM);
        assert_eq!((k.wired(), fbsd_object_resident(o)), (603, 603));
        assert_eq!(
            k.counts().waits,
            waits,
            "no thread waits for memory that is not short"
        );
        assert_eq!(fbsd_object_purge(o), 0);
        assert_eq!(k.wired(), 0);
        assert_eq!(hold(&mut user), 0);
        assert_eq!(k.wired(), 4);
        fbsd_object_unref(user);
        assert_eq!(
            fbsd_object_create_user(dev, fake_caller(), USER, 5 * 4096, 1, &mut user),
            EFAULT
        );
        assert_eq!(k.wired(), 0);
        fbsd_object_unref(o);
    }
}

/// With a copy-on-write mapping about (minherit(2)) the VM system comes another way.
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
