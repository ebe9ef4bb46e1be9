// SPDX-License-Identifier: BSD-2-Clause
//! A driver for nothing: it adds numbers, sleeps, and makes buffers and files; all through
//! drm_os.h.
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "a driver as C would write it, against the contracts of drm_os.h"
)]

mod files;
mod hardware;

pub use hardware::Adder;

use drm_os_host::sys;
use files::{Event, Node, NODE_OPS};
use std::cell::UnsafeCell;
use std::ffi::{c_char, c_int, c_void, CStr};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

/// Guarded by the mutex.
#[derive(Default)]
struct State {
    generation: u64,
    blocked: u64,
    events: Vec<(*mut sys::drm_os_file, *const Event)>,
}

struct Softc {
    os: *mut sys::drm_os,
    dev: *mut sys::drm_os_dev,
    mtx: *mut sys::drm_os_mtx,
    cv: *mut sys::drm_os_cv,
    mmio: *mut sys::drm_os_mmio,
    minors: [*mut sys::drm_os_minor; 2],
    state: UnsafeCell<State>,
    adds: AtomicU64,
}

impl Softc {
    fn locked<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        unsafe {
            sys::drm_os_mtx_lock(self.mtx);
            let result = f(&mut *self.state.get());
            sys::drm_os_mtx_unlock(self.mtx);
            result
        }
    }
}

unsafe extern "C" fn open(
    arg: *mut c_void,
    _caller: *mut sys::drm_os_caller,
    privp: *mut *mut c_void,
) -> c_int {
    let softc: &'static Softc = unsafe { &*arg.cast::<Softc>() };
    let node = Node {
        softc,
        objects: Default::default(),
        adds: AtomicU64::new(0),
    };
    unsafe { *privp = Box::into_raw(Box::new(node)).cast() };
    0
}

unsafe extern "C" fn attach(dev: *mut sys::drm_os_dev, out: *mut *mut c_void) -> c_int {
    unsafe {
        let os = sys::drm_os_dev_os(dev);
        let (mut mtx, mut cv, mut mmio) = (null_mut(), null_mut(), null_mut());
        assert_eq!(
            sys::drm_os_mmio_map(dev, std::ptr::null(), 12, &mut mmio),
            0
        );
        assert_eq!(sys::drm_os_mtx_create(os, c"toy".as_ptr(), &mut mtx), 0);
        assert_eq!(sys::drm_os_cv_create(os, c"toy".as_ptr(), &mut cv), 0);
        let softc = Box::into_raw(Box::new(Softc {
            os,
            dev,
            mtx,
            cv,
            mmio,
            minors: [null_mut(); 2],
            state: UnsafeCell::default(),
            adds: AtomicU64::new(0),
        }));
        for (i, kind) in [sys::DRM_OS_MINOR_PRIMARY, sys::DRM_OS_MINOR_RENDER]
            .into_iter()
            .enumerate()
        {
            let minor = &raw mut (*softc).minors[i];
            assert_eq!(
                sys::drm_os_minor_register(dev, kind, Some(open), softc.cast(), &NODE_OPS, minor),
                0
            );
        }
        let word = "attached";
        sys::drm_os_log(
            os,
            dev,
            sys::DRM_OS_LOG_INFO,
            word.as_ptr().cast(),
            word.len(),
        );
        *out = softc.cast();
    }
    0
}

unsafe extern "C" fn detach(softc: *mut c_void, _force: c_int) -> c_int {
    unsafe {
        let softc = Box::from_raw(softc.cast::<Softc>());
        softc
            .minors
            .iter()
            .for_each(|minor| sys::drm_os_minor_unregister(*minor));
        sys::drm_os_mmio_unmap(softc.mmio);
        sys::drm_os_cv_destroy(softc.cv);
        sys::drm_os_mtx_destroy(softc.mtx);
    }
    0
}

unsafe fn give(name: *mut *const c_char, value: *mut u64, n: &'static CStr, v: u64) -> c_int {
    unsafe {
        *name = n.as_ptr();
        *value = v;
    }
    0
}

unsafe extern "C" fn stat(
    softc: *mut c_void,
    index: u32,
    name: *mut *const c_char,
    value: *mut u64,
) -> c_int {
    match index {
        0 => unsafe {
            give(
                name,
                value,
                c"jobs",
                (*softc.cast::<Softc>()).adds.load(Ordering::Relaxed),
            )
        },
        _ => sys::DRM_OS_ENOENT as c_int,
    }
}

unsafe extern "C" fn file_stat(
    private: *mut c_void,
    index: u32,
    name: *mut *const c_char,
    value: *mut u64,
) -> c_int {
    let node = unsafe { &*private.cast::<Node>() };
    let memory = || {
        node.objects
            .lock()
            .unwrap()
            .iter()
            .map(|(_, size)| size)
            .sum()
    };
    match index {
        0 => unsafe { give(name, value, c"jobs", node.adds.load(Ordering::Relaxed)) },
        1 => unsafe { give(name, value, c"mem_peak", memory()) },
        _ => sys::DRM_OS_ENOENT as c_int,
    }
}

/// Any sum is a crash: the dump is how many there were.
unsafe extern "C" fn dump(softc: *mut c_void, off: u64, buf: *mut c_void, len: usize) -> usize {
    let adds = unsafe { &*softc.cast::<Softc>() }
        .adds
        .load(Ordering::Relaxed);
    let text = match adds {
        0 => String::new(),
        n => format!("adds {n}"),
    };
    let part = text.as_bytes().iter().skip(off as usize).take(len);
    part.enumerate()
        .map(|(n, byte)| unsafe { buf.cast::<u8>().add(n).write(*byte) })
        .count()
}

struct Table(sys::drm_os_driver);
unsafe impl Sync for Table {}
struct Strings([*const c_char; 3]);
unsafe impl Sync for Strings {}

static COMPATIBLE: Strings = Strings([
    c"arm,mali-t860".as_ptr(),
    c"vivante,gc".as_ptr(),
    std::ptr::null(),
]);
static TABLE: Table = Table(sys::drm_os_driver {
    name: c"toy".as_ptr(),
    compatible: COMPATIBLE.0.as_ptr(),
    attach: Some(attach),
    detach: Some(detach),
    suspend: None,
    resume: None,
    shutdown: None,
    lowmem: None,
    stat: Some(stat),
    file_stat: Some(file_stat),
    dump: Some(dump),
    dump_clear: None,
});

pub fn table() -> *const sys::drm_os_driver {
    &TABLE.0
}
