// SPDX-License-Identifier: BSD-2-Clause
//! `drm_object.c` and `drm_page.c` on the VM system of `freebsd/fake_vm.h`. There is one instance,
//! which one test at a time holds as a [`Kernel`].

use std::ffi::c_void;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Opaque structures of C.
#[repr(C)]
pub struct Opaque {
    _private: [u8; 0],
}

/// `struct fake_counts`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pages that are allocated.
    pub pages: u64,
    /// VM objects.
    pub objects: u64,
    /// The bytes that are charged to users.
    pub charged: u64,
    /// Requests to make room.
    pub reclaims: u64,
    /// Bounded waits for the page daemon.
    pub waits: u64,
    /// The allocation that fails, from 1; 0 for none.
    pub fail: u64,
    /// The same of insertions of runs into VM objects.
    pub fail_insert: u64,
    /// Requests for pages.
    pub requests: u64,
}

/// The kind of a process's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum UserPage {
    /// Ordinary memory below 4 GiB.
    Low = 0,
    /// Above.
    High = 1,
    /// A device's registers.
    Device = 2,
    /// Memory that is mapped uncached.
    Uncached = 3,
}

#[allow(missing_docs, reason = "drm_os.h and fake_vm.h say it")]
extern "C" {
    pub fn fbsd_object_create(dev: *mut Opaque, size: u64, attr: u32, obj: *mut *mut Opaque)
        -> i32;
    pub fn fbsd_object_create_user(
        dev: *mut Opaque,
        caller: *mut Opaque,
        at: u64,
        size: u64,
        write: i32,
        obj: *mut *mut Opaque,
    ) -> i32;
    pub fn fbsd_object_unref(obj: *mut Opaque);
    pub fn fbsd_object_wire(obj: *mut Opaque, first: u64, count: u64, pa: *mut u64) -> i32;
    pub fn fbsd_object_purge(obj: *mut Opaque) -> i32;
    pub fn fbsd_object_resident(obj: *mut Opaque) -> u64;
    pub fn fbsd_object_kmap(obj: *mut Opaque, at: *mut *mut c_void) -> i32;
    pub fn fbsd_object_kunmap(obj: *mut Opaque);
    pub fn fbsd_object_sync(obj: *mut Opaque, off: u64, len: u64, dir: u32);
    pub fn fbsd_page_alloc(dev: *mut Opaque, pa: *mut u64) -> i32;
    pub fn fbsd_page_free(dev: *mut Opaque, pa: u64);
    pub fn fbsd_page_kva(dev: *mut Opaque, pa: u64) -> *mut c_void;
    pub fn fbsd_page_sync(dev: *mut Opaque, pa: u64, len: usize, dir: u32);
    pub fn fbsd_run_alloc(dev: *mut Opaque, size: u64, pa: *mut u64) -> i32;
    pub fn fbsd_run_free(dev: *mut Opaque, pa: u64, size: u64);
    pub fn fbsd_run_sync(dev: *mut Opaque, pa: u64, len: usize, dir: u32);
    pub fn fake_dev(coherent: bool, high: u64, data_high: u64) -> *mut Opaque;
    pub fn fake_dev_free(dev: *mut Opaque);
    pub fn fake_caller() -> *mut Opaque;
    pub fn fake_lowmem(dev: *mut Opaque);
    pub fn fake_detach(dev: *mut Opaque);
    pub fn fake_kept(dev: *mut Opaque) -> u64;
    pub fn fake_memory(pa: u64) -> *mut [u8; 4096];
    pub fn fake_speculate();
    pub fn fake_touch(obj: *mut Opaque, page: u64, copied: i32) -> i32;
    pub fn fake_wire(vm: *mut Opaque, page: u64, wire: i32);
    pub fn fake_vm_of(obj: *mut Opaque) -> *mut Opaque;
    pub fn fake_page(vm: *mut Opaque, page: u64) -> i32;
    pub fn fake_unref(vm: *mut Opaque);
    pub fn drm_objects_revoke(end: i64) -> i32;
    pub fn drm_objects_init();
    fn fake_user_page(index: u32, kind: i32);
    fn fake_user_free();
    fn fake_on_cache(f: Option<extern "C" fn(*mut c_void, u64, u64, i32)>, arg: *mut c_void);
    static mut fake_counts: Counts;
    static mut vm_user_wire_count: u64;
    static mut vm_page_max_user_wired: u64;
}

/// The address of a process's memory.
pub const USER: u64 = 0x1000_0000;

/// A cache line that was cleaned or invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// Its physical address.
    pub pa: u64,
    /// Whether it was invalidated.
    pub invalidated: bool,
}

extern "C" fn on_cache(arg: *mut c_void, pa: u64, _len: u64, invalidated: i32) {
    // SAFETY: `Kernel::lines` holds the list mutably and does not touch it meanwhile.
    let lines = unsafe { &mut *arg.cast::<Vec<Line>>() };
    let invalidated = invalidated != 0;
    lines.push(Line { pa, invalidated });
}

static ONE: Mutex<()> = Mutex::new(());

/// The VM system; all objects and pages must be freed when it is dropped.
pub struct Kernel {
    _one: MutexGuard<'static, ()>,
    devs: Vec<*mut Opaque>,
}

impl Kernel {
    /// Waits until no other test has it.
    pub fn get() -> Self {
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        Kernel {
            _one,
            devs: Vec::new(),
        }
    }

    /// A device.
    pub fn dev(&mut self, coherent: bool, high: u64, data_high: u64) -> *mut Opaque {
        // SAFETY: the lock is held.
        let dev = unsafe { fake_dev(coherent, high, data_high) };
        self.devs.push(dev);
        dev
    }

    /// The current counts, of pages without those that devices keep.
    pub fn counts(&self) -> Counts {
        // SAFETY: the lock is held.
        let counts = unsafe { fake_counts };
        // SAFETY: as above; the devices live.
        let kept = self.devs.iter().map(|dev| unsafe { fake_kept(*dev) });
        let pages = counts.pages - kept.sum::<u64>();
        Counts { pages, ..counts }
    }

    /// Lets the n-th allocation from now on fail.
    pub fn fail(&self, n: u64) {
        // SAFETY: the lock is held.
        unsafe { fake_counts.fail = n };
    }

    /// Lets the n-th insertion of a page of a run from now on fail.
    pub fn fail_insert(&self, n: u64) {
        // SAFETY: the lock is held.
        unsafe { fake_counts.fail_insert = n };
    }

    /// Pages that are wired for users.
    pub fn wired(&self) -> u64 {
        // SAFETY: the lock is held.
        unsafe { vm_user_wire_count }
    }

    /// Lets no more than `pages` be wired for users, as vm.max_user_wired does.
    pub fn max_user_wired(&self, pages: u64) {
        // SAFETY: the lock is held.
        unsafe { vm_page_max_user_wired = pages };
    }

    /// Allocates page `index` of the process.
    pub fn user_page(&self, index: u32, kind: UserPage) {
        // SAFETY: the lock is held.
        unsafe { fake_user_page(index, kind as i32) }
    }

    /// The lines of cache maintenance during `f`, in order.
    pub fn lines(&self, f: impl FnOnce()) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        // SAFETY: the lock is held, and the list outlives the calls.
        unsafe { fake_on_cache(Some(on_cache), std::ptr::from_mut(&mut lines).cast()) };
        f();
        // SAFETY: the lock is held.
        unsafe { fake_on_cache(None, std::ptr::null_mut()) };
        lines
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        // SAFETY: the lock is held, and what the devices made is gone, or that is said below.
        unsafe { fake_user_free() };
        self.max_user_wired(4096);
        if !std::thread::panicking() {
            // SAFETY: the lock is held, and the devices live.
            self.devs.iter().for_each(|d| unsafe { fake_lowmem(*d) });
            let Counts {
                pages,
                objects,
                charged,
                ..
            } = self.counts();
            assert_eq!(
                (pages, objects, charged),
                (0, 0, 0),
                "pages, objects, bytes left"
            );
            assert_eq!(self.wired(), 0, "pages that count as wired");
            // SAFETY: nothing refers to them from here on.
            self.devs
                .drain(..)
                .for_each(|d| unsafe { fake_dev_free(d) });
        }
    }
}
