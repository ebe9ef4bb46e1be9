// SPDX-License-Identifier: BSD-2-Clause
//! Objects: the memory of a buffer, a memfd whose pages get their physical addresses when they are
//! first wired or mapped.
//!
//! The file is created when it is first needed, so that buffers without pages use no descriptor. It
//! is sparse, so only pages that are accessed use memory. The world maps it once for DMA; every
//! kernel mapping and every user mapping is a further mapping, so that a use after unmapping
//! faults. An object of a process's memory has frames only: see [`crate::user`].

use crate::counters::Kind;
use crate::device::Dev;
use crate::frames::{RUN, RUN_ORDER};
use crate::host::{map_anonymous, map_file, new_memfd, unmap};
use crate::memory::{sync_dirty, Use, PAGE};
use crate::sys;
use crate::user::{UserMemory, UserPage};
use crate::util::{errno, fatal, lk};
use crate::witness;
use crate::world::Inner;
use std::ffi::{c_int, c_void};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, OnceLock};

mod pages;

const NO_FRAME: u64 = u64::MAX;

#[derive(Default)]
struct State {
    /// Frame of each page, NO_FRAME for none; empty before the first page has one.
    frames: Vec<u64>,
    /// First frame of each aligned run that this object owns completely, NO_FRAME for none.
    runs: Vec<u64>,
    resident: u64,
    /// The mapping for DMA, and the device's copy if it has one; 0 before first use.
    map: usize,
    copy: usize,
    /// With a copy: what the CPU's memory contained when each line was synchronised last. Lines
    /// that differ are dirty.
    clean: usize,
    kmap: usize,
    kmaps: u64,
    /// Number of mappings whose pages are wired by mlock(2).
    wired: u64,
    purged: bool,
}

/// The memory of the pages.
enum What {
    File(OnceLock<OwnedFd>),
    User(Arc<UserMemory>),
}

/// The object that `struct drm_os_object` refers to; its C reference count is that of the `Arc`.
pub(crate) struct Object {
    w: Arc<Inner>,
    what: What,
    pages: u64,
    two_copies: bool,
    /// Address width in bits for its pages.
    bits: u32,
    st: Mutex<State>,
}

impl Object {
    fn create(d: &Dev, size: u64, attr: u32) -> Result<Arc<Object>, u32> {
        d.w.gate()?;
        let cached = match attr {
            sys::DRM_OS_MEM_CACHED => true,
            sys::DRM_OS_MEM_WRITE_COMBINE => false,
            _ => return Err(sys::DRM_OS_EINVAL),
        };
        if size == 0 || !size.is_multiple_of(PAGE as u64) {
            return Err(sys::DRM_OS_EINVAL);
        }
        d.w.counts.add(Kind::Objects, 1);
        Ok(Arc::new(Object {
            w: d.w.clone(),
            what: What::File(OnceLock::new()),
            pages: size / PAGE as u64,
            two_copies: cached && d.two_copies(),
            bits: d.data_bits(),
            st: Mutex::default(),
        }))
    }

    /// An object of a process's memory, resident from the start.
    pub(crate) fn of_user(d: &Dev, memory: UserMemory, pages: u64) -> Result<Arc<Object>, u32> {
        d.w.counts.add(Kind::Objects, 1);
        let o = Arc::new(Object {
            w: d.w.clone(),
            what: What::User(Arc::new(memory)),
            pages,
            two_copies: d.two_copies(),
            bits: d.data_bits(),
            st: Mutex::default(),
        });
        o.make_resident(0, pages)?;
        Ok(o)
    }

    /// # Safety
    /// `p` is an object of this crate, alive as long as the result is used.
    unsafe fn of<'a>(p: *mut sys::drm_os_object) -> &'a Object {
        // SAFETY: the caller's promise.
        unsafe { &*p.cast::<Object>().cast_const() }
    }

    /// Takes over a reference that the C side passed.
    ///
    /// # Safety
    /// `p` is an object of this crate and the caller owns a reference.
    pub(crate) unsafe fn from_raw(p: *mut sys::drm_os_object) -> Arc<Object> {
        // SAFETY: the caller's promise.
        unsafe { Arc::from_raw(p.cast::<Object>().cast_const()) }
    }

    pub(crate) fn size(&self) -> u64 {
        self.pages * PAGE as u64
    }

    /// The memfd, to be mapped; EINVAL for memory of a process.
    pub(crate) fn file(&self) -> Result<BorrowedFd<'_>, u32> {
        match &self.what {
            What::File(file) => {
                if let Some(fd) = file.get() {
                    return Ok(fd.as_fd());
                }
                let new = new_memfd(self.size()).ok_or(sys::DRM_OS_ENOMEM)?;
                // If another thread was first, its file is used.
                Ok(file.get_or_init(|| new).as_fd())
            }
            What::User(_) => Err(sys::DRM_OS_EINVAL),
        }
    }

    fn prepare(&self, st: &mut State) -> Result<(), u32> {
        if let (What::File(_), 0) = (&self.what, st.map) {
            st.map = map_file(self.file()?, 0, self.size() as usize);
            if st.map == 0 {
                return Err(sys::DRM_OS_ENOMEM);
            }
        }
        if self.two_copies && st.copy == 0 {
            st.copy = map_anonymous(self.size() as usize) as usize;
            st.clean = map_anonymous(self.size() as usize) as usize;
            if st.copy == 0 || st.clean == 0 {
                return Err(sys::DRM_OS_ENOMEM);
            }
        }
        if st.frames.is_empty() {
            st.frames = vec![NO_FRAME; self.pages as usize];
            st.runs = vec![NO_FRAME; (self.pages / RUN) as usize];
        }
        Ok(())
    }

    fn kmap(&self) -> Result<usize, u32> {
        self.w.gate()?;
        let file = self.file()?;
        self.make_resident(0, self.pages)?;
        let mut st = lk(&self.st);
        if st.purged {
            return Err(sys::DRM_OS_ENXIO);
        }
        if st.kmaps == 0 {
            st.kmap = map_file(file, 0, self.size() as usize);
            if st.kmap == 0 {
                return Err(sys::DRM_OS_ENOMEM);
            }
        }
        st.kmaps += 1;
        self.w.counts.add(Kind::Kmaps, 1);
        Ok(st.kmap)
    }

    fn kunmap(&self) {
        let mut st = lk(&self.st);
        if st.kmaps == 0 {
            fatal("drm_os_object_kunmap of an object that is not mapped");
        }
        st.kmaps -= 1;
        self.w.counts.sub(Kind::Kmaps, 1);
        if st.kmaps == 0 {
            unmap(std::mem::take(&mut st.kmap), self.size() as usize);
        }
    }

    fn sync(&self, off: u64, len: u64, dir: u32) {
        let end = off.saturating_add(len).min(self.size());
        let st = lk(&self.st);
        if st.copy == 0 {
            return;
        }
        let mut at = off;
        while at < end {
            let page = at / PAGE as u64;
            let n = (end - at).min((page + 1) * PAGE as u64 - at);
            match (&self.what, st.frames[page as usize]) {
                (_, NO_FRAME) => {}
                (What::File(_), _) => sync_dirty(st.map, st.copy, st.clean, at, n, dir),
                (What::User(_), f) => {
                    self.w
                        .mem
                        .sync(self.w.mem.pa_of(f) + at % PAGE as u64, n, dir)
                }
            }
            at += n;
        }
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        let mut st = std::mem::take(&mut *lk(&self.st));
        if st.kmaps != 0 && !std::thread::panicking() {
            fatal("the last reference of an object went while it is mapped into the kernel");
        }
        self.free_pages(&mut st);
        unmap(st.map, self.size() as usize);
        self.w.counts.sub(Kind::Objects, 1);
    }
}

pub(crate) mod exports {
    use super::*;

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_object_create(
        dev: *mut sys::drm_os_dev,
        size: u64,
        attr: u32,
        objp: *mut *mut sys::drm_os_object,
    ) -> c_int {
        errno(
            Object::create(Dev::of(dev), size, attr)
                .map(|o| objp.write(Arc::into_raw(o).cast_mut().cast())),
        )
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_object_ref(obj: *mut sys::drm_os_object) {
        Arc::increment_strong_count(obj.cast::<Object>().cast_const());
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_object_unref(obj: *mut sys::drm_os_object) {
        witness::may_sleep("drm_os_object_unref");
        drop(Object::from_raw(obj));
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_object_wire(
        obj: *mut sys::drm_os_object,
        first: u64,
        count: u64,
        pa: *mut u64,
    ) -> c_int {
        witness::may_sleep("drm_os_object_wire");
        let o = Object::of(obj);
        if first.checked_add(count).is_none_or(|end| end > o.pages) {
            return sys::DRM_OS_EINVAL as c_int;
        }
        if count == 0 {
            return 0;
        }
        errno(o.wire(first, std::slice::from_raw_parts_mut(pa, count as usize)))
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_object_purge(obj: *mut sys::drm_os_object) -> c_int {
        witness::may_sleep("drm_os_object_purge");
        errno(Object::of(obj).purge())
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_object_resident(obj: *mut sys::drm_os_object) -> u64 {
        lk(&Object::of(obj).st).resident
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_object_kmap(
        obj: *mut sys::drm_os_object,
        kva: *mut *mut c_void,
    ) -> c_int {
        witness::may_sleep("drm_os_object_kmap");
        errno(Object::of(obj).kmap().map(|p| kva.write(p as *mut c_void)))
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_object_kunmap(obj: *mut sys::drm_os_object) {
        Object::of(obj).kunmap();
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_object_sync(
        obj: *mut sys::drm_os_object,
        off: u64,
        len: u64,
        dir: u32,
    ) {
        let o = Object::of(obj);
        o.w.calls.sync(len);
        o.sync(off, len, dir);
    }
}
