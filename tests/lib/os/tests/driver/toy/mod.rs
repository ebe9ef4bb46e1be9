// SPDX-License-Identifier: BSD-2-Clause
//! A driver for the toy device, in terms of C: a buffer per file, exported as another file.

use crate::common::{COPY, MMIO_LEN};
use drm_os_host::sys::{self, drm_os_caller, drm_os_dev, drm_os_file_ops, drm_os_object};
use std::cell::RefCell;
use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;

pub const GROUP: u32 = b'd' as u32;
/// Export the buffer: the argument gets a descriptor.
pub const NR_EXPORT: u32 = 1;
/// The argument is a descriptor of an export; it gets the pages of that buffer.
pub const NR_IMPORT: u32 = 2;
/// The argument is an address; the word there is incremented.
pub const NR_BUMP: u32 = 3;
/// Purges the buffer.
pub const NR_PURGE: u32 = 4;
/// Wakes pollers of the export that was made last.
pub const NR_WAKE: u32 = 5;
/// Overwrites its argument and fails.
pub const NR_FAIL: u32 = 6;

pub const BUF_PAGES: u64 = 3;
/// Bytes of the dump, which is kept from attach until it is cleared: a sequence with a period of
/// 251.
pub const DUMP_LEN: usize = 150_000;

thread_local! {
    /// Results of `drm_os_dev_peer` in the last attach of this thread, and the softc that it
    /// stored.
    pub static SEEN: RefCell<(Vec<usize>, usize)> = const { RefCell::new((Vec::new(), 0)) };
}

#[derive(Default)]
pub struct Softc {
    dev: usize,
    mmio: usize,
    minor: usize,
    mtx: usize,
    files: u64,
    cleared: bool,
}

macro_rules! give {
    ($call:expr) => {
        match $call {
            0 => {}
            e => return Err(e),
        }
    };
}

mod file;

use file::{file_stat, open, FILE_OPS};

fn code(r: Result<(), i32>) -> c_int {
    r.err().unwrap_or(0)
}

unsafe fn lock(sc: *mut Softc) {
    sys::drm_os_mtx_lock((*sc).mtx as *mut _);
}

unsafe fn unlock(sc: *mut Softc) {
    sys::drm_os_mtx_unlock((*sc).mtx as *mut _);
}

unsafe fn bring_up(dev: *mut drm_os_dev, sc: &mut Softc, me: *mut Softc) -> Result<(), i32> {
    sc.dev = dev as usize;
    let os = sys::drm_os_dev_os(dev);
    let mut mtx = null_mut();
    give!(sys::drm_os_mtx_create(os, c"toy".as_ptr(), &mut mtx));
    sc.mtx = mtx as usize;
    let mut mmio = null_mut();
    give!(sys::drm_os_mmio_map(
        dev,
        std::ptr::null(),
        MMIO_LEN,
        &mut mmio
    ));
    sc.mmio = mmio as usize;
    let mut minor = null_mut();
    let kind = sys::DRM_OS_MINOR_RENDER;
    give!(sys::drm_os_minor_register(
        dev,
        kind,
        Some(open),
        me.cast(),
        &FILE_OPS,
        &mut minor
    ));
    sc.minor = minor as usize;
    Ok(())
}

unsafe fn tear_down(sc: *mut Softc) {
    if (*sc).minor != 0 {
        sys::drm_os_minor_unregister((*sc).minor as *mut _);
    }
    if (*sc).mmio != 0 {
        sys::drm_os_mmio_unmap((*sc).mmio as *mut _);
    }
    if (*sc).mtx != 0 {
        sys::drm_os_mtx_destroy((*sc).mtx as *mut _);
    }
    sys::drm_os_free(sc.cast(), size_of::<Softc>());
}

unsafe extern "C" fn attach(dev: *mut drm_os_dev, softc: *mut *mut c_void) -> c_int {
    let os = sys::drm_os_dev_os(dev);
    let sc = sys::drm_os_malloc(
        os,
        size_of::<Softc>(),
        sys::DRM_OS_WAITOK | sys::DRM_OS_ZERO,
    )
    .cast::<Softc>();
    if sc.is_null() {
        return sys::DRM_OS_ENOMEM as c_int;
    }
    let r = bring_up(dev, &mut *sc, sc);
    match r {
        Ok(()) => {
            let msg = "attached";
            sys::drm_os_log(
                os,
                dev,
                sys::DRM_OS_LOG_INFO,
                msg.as_ptr().cast(),
                msg.len(),
            );
            *softc = sc.cast();
            let peers = (0..).map(|i| sys::drm_os_dev_peer(dev, i) as usize);
            let seen = (peers.take_while(|p| *p != 0).collect(), sc as usize);
            SEEN.set(seen);
        }
        Err(_) => tear_down(sc),
    }
    code(r)
}

unsafe extern "C" fn detach(softc: *mut c_void, _force: c_int) -> c_int {
    let sc = softc.cast::<Softc>();
    lock(sc);
    let files = (*sc).files;
    unlock(sc);
    if files != 0 {
        return sys::DRM_OS_EBUSY as c_int;
    }
    tear_down(sc);
    0
}

unsafe extern "C" fn lowmem(softc: *mut c_void, pages: u64) -> u64 {
    lock(softc.cast());
    unlock(softc.cast());
    pages.min(5)
}

unsafe extern "C" fn stat(
    softc: *mut c_void,
    index: u32,
    name: *mut *const c_char,
    value: *mut u64,
) -> c_int {
    if index > 0 {
        return sys::DRM_OS_ENOENT as c_int;
    }
    *name = c"files".as_ptr();
    *value = (*softc.cast::<Softc>()).files;
    0
}

unsafe extern "C" fn dump(softc: *mut c_void, off: u64, buf: *mut c_void, len: usize) -> usize {
    let end = if (*softc.cast::<Softc>()).cleared {
        0
    } else {
        DUMP_LEN
    };
    let part = (off as usize..end).take(len);
    for (i, at) in part.clone().enumerate() {
        buf.cast::<u8>().add(i).write((at % 251) as u8);
    }
    part.len()
}

unsafe extern "C" fn dump_clear(softc: *mut c_void) {
    (*softc.cast::<Softc>()).cleared = true;
}

struct Names([*const c_char; 2]);
// SAFETY: constant strings.
unsafe impl Sync for Names {}
static COMPATIBLE: Names = Names([c"acme,toy".as_ptr(), std::ptr::null()]);

struct Table(sys::drm_os_driver);
// SAFETY: constant.
unsafe impl Sync for Table {}
static DRIVER: Table = Table(sys::drm_os_driver {
    name: c"toy".as_ptr(),
    compatible: COMPATIBLE.0.as_ptr(),
    attach: Some(attach),
    detach: Some(detach),
    suspend: None,
    resume: None,
    shutdown: None,
    lowmem: Some(lowmem),
    stat: Some(stat),
    file_stat: Some(file_stat),
    dump: Some(dump),
    dump_clear: Some(dump_clear),
});

pub fn table() -> *const sys::drm_os_driver {
    &DRIVER.0
}
