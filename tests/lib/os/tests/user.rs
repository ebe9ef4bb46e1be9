// SPDX-License-Identifier: BSD-2-Clause
//! Objects of the memory of a process.
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "calls of drm_os.h as C makes them, with handles that the test made"
)]

mod common;
use common::*;
use drm_os_host::{sys, Caller, Config, Device, File, Process, World};
use std::sync::Arc;

const EFAULT: i32 = sys::DRM_OS_EFAULT as i32;
const EINVAL: i32 = sys::DRM_OS_EINVAL as i32;
const PAGE: usize = 4096;

/// Memory of this process, unmapped on drop.
struct Area {
    at: *mut u8,
    pages: usize,
}

impl Area {
    fn new(pages: usize) -> Area {
        let (prot, flags) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        let at = unsafe { libc::mmap(std::ptr::null_mut(), pages * PAGE, prot, flags, -1, 0) };
        assert_ne!(at, libc::MAP_FAILED);
        let at = at.cast();
        Area { at, pages }
    }

    fn addr(&self, page: usize) -> u64 {
        self.at as u64 + (page * PAGE) as u64
    }

    fn protect(&self, page: usize, prot: i32) {
        assert_eq!(
            unsafe { libc::mprotect(self.addr(page) as *mut _, PAGE, prot) },
            0
        );
    }

    /// Maps a page of a file that is too short to have it.
    fn vanish(&self, page: usize) {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let at = self.addr(page) as *mut _;
        unsafe {
            let file = libc::memfd_create(c"short".as_ptr(), libc::MFD_CLOEXEC);
            let new = libc::mmap(at, PAGE, prot, libc::MAP_SHARED | libc::MAP_FIXED, file, 0);
            assert_eq!(new, at);
            libc::close(file);
        }
    }

    fn get(&self, off: usize) -> u8 {
        unsafe { self.at.add(off).read_volatile() }
    }

    fn set(&self, off: usize, v: u8) {
        unsafe { self.at.add(off).write_volatile(v) }
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        unsafe { libc::munmap(self.at.cast(), self.pages * PAGE) };
    }
}

fn user(
    d: &Device,
    c: &Caller,
    addr: u64,
    size: usize,
    write: bool,
) -> Result<*mut sys::drm_os_object, i32> {
    make(|p| unsafe {
        sys::drm_os_object_create_user(
            d.as_raw(),
            c.as_raw(),
            addr,
            size as u64,
            i32::from(write),
            p,
        )
    })
}

fn unref(o: *mut sys::drm_os_object) {
    unsafe { sys::drm_os_object_unref(o) }
}

#[test]
fn the_device_reads_and_writes_the_memory_as_it_is() {
    let (w, d) = virtual_toy(Config::default());
    let (m, c, a) = (mmio(&d), Caller::local(&w, "x"), Area::new(4));
    let o = user(&d, &c, a.addr(1), 2 * PAGE, true).unwrap();
    assert_eq!(unsafe { sys::drm_os_object_resident(o) }, 2);
    assert_eq!((w.counters().objects, w.counters().object_pages), (1, 2));
    let pa = wire(o, 0, 2).unwrap();
    assert_ne!(pa[1], pa[0] + 4096, "consecutive pages are not adjacent");
    assert_eq!(wire(o, 1, 2), Err(EINVAL));
    for v in [3, 4] {
        a.set(PAGE + 100, v);
        assert_eq!(copy(m, pa[0] + 100, pa[1] + 5, 1), ST_COPIED);
        assert_eq!(a.get(2 * PAGE + 5), v);
    }
    // Within larger transfers, from a page of it to another kind of page.
    let p = page(&d);
    unsafe { kva(&d, p).add(4000).write_bytes(9, 96) };
    assert_eq!(copy(m, p + 4000, pa[1] + 4000, 96), ST_COPIED);
    assert_eq!((a.get(3 * PAGE - 1), a.get(3 * PAGE)), (9, 0));
    unsafe {
        sys::drm_os_object_sync(o, 0, 2 * PAGE as u64, sys::DRM_OS_SYNC_FOR_DEVICE);
        sys::drm_os_page_sync(d.as_raw(), pa[0], 64, sys::DRM_OS_SYNC_FOR_CPU);
        let mut k = std::ptr::null_mut();
        assert_eq!(sys::drm_os_object_kmap(o, &mut k), EINVAL);
        assert!(sys::drm_os_page_kva(d.as_raw(), pa[0]).is_null());
    }
    dies(
        &["drm_os_object_purge of the memory of a process"],
        || unsafe {
            sys::drm_os_object_purge(o);
        },
    );
    unref(o);
    assert_eq!(copy(m, pa[0], p, 4), ST_BAD);
    unsafe {
        sys::drm_os_page_free(d.as_raw(), p);
        sys::drm_os_mmio_unmap(m);
    }
    w.assert_clean();
}

#[test]
fn what_is_no_memory_is_refused() {
    let (w, d) = virtual_toy(Config {
        pages: 3,
        ..Config::default()
    });
    let (c, a) = (Caller::local(&w, "x"), Area::new(6));
    let err = |addr, size, write| user(&d, &c, addr, size, write).err();
    assert_eq!(err(a.addr(0), 0, false), Some(EINVAL));
    assert_eq!(err(a.addr(0), 100, false), Some(EINVAL));
    assert_eq!(err(a.addr(0) + 8, PAGE, false), Some(EINVAL));
    assert_eq!(err(0, PAGE, false), Some(EFAULT));
    assert_eq!(err(u64::MAX - 4095, PAGE, false), Some(EFAULT));
    assert_eq!(err(a.addr(0), 1 << 60, false), Some(EFAULT));
    a.protect(1, libc::PROT_READ);
    a.protect(2, libc::PROT_NONE);
    a.protect(4, libc::PROT_NONE);
    a.vanish(5);
    assert_eq!(err(a.addr(0), 2 * PAGE, true), Some(EFAULT));
    assert_eq!(err(a.addr(1), 2 * PAGE, false), Some(EFAULT));
    assert_eq!(err(a.addr(3), 2 * PAGE, false), Some(EFAULT));
    assert_eq!(err(a.addr(5), PAGE, true), Some(EFAULT));
    assert_eq!(w.counters().objects, 0);
    unref(user(&d, &c, a.addr(0), 2 * PAGE, false).unwrap());
    unref(user(&d, &c, a.addr(3), PAGE, true).unwrap());
    // More than there are frames, and the injected failure.
    let b = Area::new(4);
    assert_eq!(
        err(b.addr(0), 4 * PAGE, true),
        Some(sys::DRM_OS_ENOMEM as i32)
    );
    w.fail_allocation(Some(0));
    assert_eq!(err(b.addr(0), PAGE, true), Some(sys::DRM_OS_ENOMEM as i32));
    let o = user(&d, &c, b.addr(0), 3 * PAGE, true).unwrap();
    unref(o);
    w.assert_clean();
}

#[test]
fn the_device_cannot_write_what_it_may_only_read() {
    for coherence in [false, true] {
        let (w, d) = virtual_toy(Config {
            coherence,
            ..Config::default()
        });
        let (m, c, a, p) = (mmio(&d), Caller::local(&w, "x"), Area::new(1), page(&d));
        let o = user(&d, &c, a.addr(0), PAGE, false).unwrap();
        let pa = wire(o, 0, 1).unwrap()[0];
        a.set(0, 1);
        assert_eq!(copy(m, p, pa, 64), ST_BAD);
        assert_eq!((a.get(0), w.counters().bad_dma), (1, 1));
        assert_eq!(copy(m, pa, p, 64), ST_COPIED);
        unsafe { sys::drm_os_object_sync(o, 0, 64, sys::DRM_OS_SYNC_FOR_CPU) };
        assert_eq!(a.get(0), 1);
        unref(o);
        unsafe {
            sys::drm_os_page_free(d.as_raw(), p);
            sys::drm_os_mmio_unmap(m);
        }
        w.assert_clean();
    }
}

#[test]
fn a_missing_sync_shows_in_coherence_mode() {
    let (w, d) = virtual_toy(Config {
        coherence: true,
        ..Config::default()
    });
    let (m, c, a) = (mmio(&d), Caller::local(&w, "x"), Area::new(2));
    a.set(70, 0x11);
    a.set(PAGE - 1, 0x22);
    let o = user(&d, &c, a.addr(0), 2 * PAGE, true).unwrap();
    let pa = wire(o, 0, 2).unwrap();
    let sync = |off, len, dir| unsafe { sys::drm_os_object_sync(o, off, len, dir) };
    assert_eq!(copy(m, pa[0], pa[1], PAGE as u32), ST_COPIED);
    sync(PAGE as u64, PAGE as u64, sys::DRM_OS_SYNC_FOR_CPU);
    assert_eq!(a.get(PAGE + 70), 0, "it was still in the CPU's cache");
    sync(64, 1, sys::DRM_OS_SYNC_FOR_DEVICE);
    assert_eq!(copy(m, pa[0], pa[1], PAGE as u32), ST_COPIED);
    assert_eq!(a.get(PAGE + 70), 0, "not yet invalidated");
    unsafe { sys::drm_os_page_sync(d.as_raw(), pa[1] + 64, 4000, sys::DRM_OS_SYNC_FOR_CPU) };
    assert_eq!((a.get(PAGE + 70), a.get(2 * PAGE - 1)), (0x11, 0));
    a.set(PAGE + 70, 0x77);
    sync(PAGE as u64 + 70, 1, sys::DRM_OS_SYNC_FOR_CPU);
    assert_eq!(
        a.get(PAGE + 70),
        0x11,
        "an unsynced write of the CPU is lost"
    );
    unref(o);
    unsafe { sys::drm_os_mmio_unmap(m) };
    w.assert_clean();
}

/// Another process, of which only the number is used.
struct Other(i32);

impl Process for Other {
    fn pid(&self) -> i32 {
        self.0
    }
    fn comm(&self) -> String {
        String::new()
    }
    fn privileged(&self) -> bool {
        false
    }
    fn read(&self, _: u64, _: &mut [u8]) -> Result<(), i32> {
        Err(EFAULT)
    }
    fn write(&self, _: u64, _: &[u8]) -> Result<(), i32> {
        Err(EFAULT)
    }
    fn install(&self, _: File, _: bool) -> Result<i32, i32> {
        Err(EFAULT)
    }
    fn withdraw(&self, _: i32) {
        unreachable!("nothing was installed")
    }
    fn file(&self, _: i32) -> Result<File, i32> {
        Err(EFAULT)
    }
}

#[test]
fn another_process_may_die_meanwhile() {
    let (w, d) = virtual_toy(Config::default());
    let (m, a, p) = (mmio(&d), Area::new(2), page(&d));
    a.set(0, 0x61);
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            loop {
                libc::pause();
            }
        }
    }
    assert!(pid > 0);
    // From here on the two processes have separate memory.
    a.set(0, 0x99);
    a.set(PAGE, 0x99);
    let c = Caller::new(&w, Arc::new(Other(pid)));
    let o = user(&d, &c, a.addr(0), 2 * PAGE, true).unwrap();
    let pa = wire(o, 0, 2).unwrap();
    let seen = || unsafe { kva(&d, p).read() };
    assert_eq!((copy(m, pa[0], p, 1), seen()), (ST_COPIED, 0x61));
    assert_eq!(copy(m, pa[0], pa[1], 1), ST_COPIED);
    assert_eq!((copy(m, pa[1], p, 1), seen()), (ST_COPIED, 0x61));
    assert_eq!(a.get(PAGE), 0x99);
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        assert_eq!(libc::waitpid(pid, std::ptr::null_mut(), 0), pid);
    }
    assert_eq!((copy(m, pa[0], p, 1), seen()), (ST_COPIED, 0));
    assert_eq!(copy(m, p, pa[0], 1), ST_COPIED);
    assert_eq!(w.counters().bad_dma, 0);
    assert_eq!(user(&d, &c, a.addr(0), PAGE, false), Err(EFAULT));
    unref(o);
    unsafe {
        sys::drm_os_page_free(d.as_raw(), p);
        sys::drm_os_mmio_unmap(m);
    }
    w.assert_clean();
}

#[test]
fn memory_that_goes_away_is_lost() {
    let w = World::new(Config::default());
    let d = w.add_device(node(), Box::<Toy>::default());
    let (m, c, a) = (mmio(&d), Caller::local(&w, "x"), Area::new(2));
    let o = user(&d, &c, a.addr(0), 2 * PAGE, true).unwrap();
    let pa = wire(o, 0, 2).unwrap();
    a.set(0, 5);
    a.vanish(1);
    assert_eq!(copy(m, pa[0], pa[1], 1), ST_COPIED);
    assert_eq!(copy(m, pa[1], pa[0], 1), ST_COPIED);
    assert_eq!(a.get(0), 0);
    unref(o);
    unsafe { sys::drm_os_mmio_unmap(m) };
    w.assert_clean();
}
