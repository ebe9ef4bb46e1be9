// SPDX-License-Identifier: BSD-2-Clause
//! Open files and device nodes.
//!
//! A [`File`] is a reference. When the last one is dropped, the driver's release runs in the thread
//! that drops it.

use crate::attach::collect_stats;
use crate::caller::{Caller, CallerInner};
use crate::counters::Kind;
use crate::device::Dev;
use crate::gate::Gate;
use crate::mapping::Mapping;
use crate::object::Object;
use crate::sys;
use crate::util::{errno, fatal, lk, ESPIPE};
use crate::witness;
use crate::world::{no_lock_held, Inner};
use std::ffi::{c_int, c_void};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

type Wakers = Vec<Arc<dyn Fn() + Send + Sync>>;

/// The file that `struct drm_os_file` refers to.
struct FileInner {
    w: Arc<Inner>,
    ops: &'static sys::drm_os_file_ops,
    private: usize,
    id: u64,
    /// The device whose node this is.
    dev: Option<Arc<Dev>>,
    wakers: Mutex<Wakers>,
    /// Whether it may be mapped writable.
    writable: AtomicBool,
}

impl FileInner {
    fn new(
        w: &Inner,
        ops: &'static sys::drm_os_file_ops,
        private: *mut c_void,
        dev: Option<Arc<Dev>>,
    ) -> Arc<FileInner> {
        w.counts.add(Kind::Files, 1);
        let (id, private) = (w.next_file_id(), private as usize);
        Arc::new(FileInner {
            w: w.arc(),
            ops,
            private,
            id,
            dev,
            wakers: Mutex::default(),
            writable: AtomicBool::new(true),
        })
    }

    fn private(&self) -> *mut c_void {
        self.private as *mut c_void
    }
}

impl Drop for FileInner {
    fn drop(&mut self) {
        witness::may_sleep("the last close of a file");
        if let Some(release) = self.ops.release {
            // A driver may discard a file in the middle of its work, with locks held.
            let held = witness::held(self.w.addr());
            // SAFETY: ops and the private pointer belong together; this is the last use.
            unsafe { release(self.private()) };
            if witness::held(self.w.addr()) != held {
                no_lock_held(&self.w, "release returned");
            }
        }
        self.w.counts.sub(Kind::Files, 1);
    }
}

/// An open file.  Errors are FreeBSD's numbers.
#[derive(Clone)]
pub struct File {
    inner: Arc<FileInner>,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "File({})", self.inner.id)
    }
}

impl File {
    pub(crate) fn open(dev: &Arc<Dev>, kind: u32, caller: &Caller) -> Result<File, i32> {
        let minor = lk(&dev.minors).iter().find(|m| m.kind == kind).cloned();
        let minor = minor.ok_or(sys::DRM_OS_ENXIO as i32)?;
        let mut private = std::ptr::null_mut();
        let r = {
            let _inside = minor.gate.enter(&dev.w).ok_or(sys::DRM_OS_ENXIO as i32)?;
            // SAFETY: register's caller promised that open may be called with this arg until
            // unregister, which waits for this call.
            unsafe { (minor.open)(minor.arg as *mut c_void, caller.as_raw(), &mut private) }
        };
        no_lock_held(&dev.w, "open returned");
        if r != 0 {
            return Err(r);
        }
        Ok(File {
            inner: FileInner::new(&dev.w, minor.ops, private, Some(dev.clone())),
        })
    }

    /// ioctl(2): `data` is the argument. The driver gets a copy, which is copied back only on
    /// success. Errors: ENOTTY without such an operation, or the error of the driver.
    pub fn ioctl(&self, c: &Caller, group: u32, nr: u32, data: &mut [u8]) -> Result<(), i32> {
        let f = &self.inner;
        let Some(ioctl) = f.ops.ioctl else {
            return Err(sys::DRM_OS_ENOTTY as i32);
        };
        let size = u32::try_from(data.len()).map_err(|_| sys::DRM_OS_E2BIG as i32)?;
        // 16-byte aligned, as the kernel's buffer is.
        let mut buf = vec![0u128; data.len().div_ceil(16)];
        let p = buf.as_mut_ptr().cast::<u8>();
        // SAFETY: buf has room for data.
        unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), p, data.len()) };
        c.inner.begin_call();
        // SAFETY: ops and the private pointer belong together.
        let r = unsafe { ioctl(f.private(), c.as_raw(), group, nr, p.cast(), size) };
        no_lock_held(&f.w, "ioctl returned");
        c.inner.end_call(r == 0);
        if r != 0 {
            return Err(r);
        }
        // SAFETY: as above.
        unsafe { std::ptr::copy_nonoverlapping(p.cast_const(), data.as_mut_ptr(), data.len()) };
        Ok(())
    }

    /// Whether mappings may be writable. Those of [`File::mmap`] are always writable.
    pub fn writable(&self) -> bool {
        self.inner.writable.load(Relaxed)
    }

    /// mmap(2), shared, readable and writable; makes everything in the range resident. Errors:
    /// ENODEV without such an operation, EINVAL for an offset that is not a multiple of the page
    /// size or a length of 0, ENOMEM, or the error of the driver.
    pub fn mmap(&self, offset: u64, len: u64) -> Result<Mapping, i32> {
        let f = &self.inner;
        let Some(mmap) = f.ops.mmap else {
            return Err(sys::DRM_OS_ENODEV as i32);
        };
        let page = u64::from(sys::DRM_OS_PAGE_SIZE);
        let whole = len
            .checked_next_multiple_of(page)
            .filter(|&l| l != 0 && offset.is_multiple_of(page));
        let len = whole.ok_or(sys::DRM_OS_EINVAL as i32)?;
        let (mut obj, mut obj_off) = (std::ptr::null_mut(), 0);
        // SAFETY: ops and the private pointer belong together.
        let r = unsafe { mmap(f.private(), offset, len, &mut obj, &mut obj_off) };
        no_lock_held(&f.w, "mmap returned");
        if r != 0 {
            return Err(r);
        }
        // SAFETY: the driver passed a reference.
        let obj = unsafe { Object::from_raw(obj) };
        if obj_off % page != 0 || obj_off.checked_add(len).is_none_or(|end| end > obj.size()) {
            fatal(&format!(
                "mmap returned [{obj_off:#x}, + {len:#x}) of an object of {:#x} bytes",
                obj.size()
            ));
        }
        Mapping::new(f.w.clone(), obj, obj_off, len as usize).map_err(|e| e as i32)
    }

    /// Whether poll(2) reports it readable.
    pub fn poll(&self) -> bool {
        // SAFETY: ops and the private pointer belong together.
        let r = self
            .inner
            .ops
            .poll
            .is_some_and(|poll| unsafe { poll(self.inner.private()) } != 0);
        no_lock_held(&self.inner.w, "poll returned");
        r
    }

    /// Whether it supports poll(2).
    pub fn polls(&self) -> bool {
        self.inner.ops.poll.is_some()
    }

    /// Sets a function that each `drm_os_file_wake` calls, with the locks that the driver holds; it
    /// must not call into this crate.
    pub fn on_wake(&self, f: Box<dyn Fn() + Send + Sync>) {
        lk(&self.inner.wakers).push(f.into());
    }

    /// The result of lseek(2) to the end; ESPIPE without such an operation.
    pub fn size(&self) -> Result<u64, i32> {
        let size = self.inner.ops.size.ok_or(ESPIPE)?;
        // SAFETY: ops and the private pointer belong together.
        let n = unsafe { size(self.inner.private()) };
        no_lock_held(&self.inner.w, "size returned");
        Ok(n)
    }

    /// The statistics of this file; empty unless it is of a node with an attached driver.
    pub fn stats(&self) -> Vec<(String, u64)> {
        let driver = self.inner.dev.as_ref().and_then(|d| d.driver());
        let Some(f) = driver.and_then(|d| d.file_stat) else {
            return Vec::new();
        };
        // SAFETY: the file is one of this driver's.
        collect_stats(|i, name, value| unsafe { f(self.inner.private(), i, name, value) })
    }

    /// Whether both are the same open file.
    pub fn same(&self, other: &File) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// A number that no other file of the world has.
    pub fn id(&self) -> u64 {
        self.inner.id
    }
}

/// The node that `struct drm_os_minor` refers to.
pub(crate) struct Minor {
    dev: Arc<Dev>,
    kind: u32,
    open: OpenFn,
    arg: usize,
    ops: &'static sys::drm_os_file_ops,
    /// Counts opens in progress.
    gate: Gate,
}

type OpenFn = unsafe extern "C" fn(*mut c_void, *mut sys::drm_os_caller, *mut *mut c_void) -> c_int;

impl Minor {
    fn unregister(&self) {
        lk(&self.dev.minors).retain(|m| !std::ptr::eq(&**m, self));
        self.gate
            .close(&self.dev.w, "drm_os_minor_unregister", &self.dev.name);
    }
}

pub(crate) mod exports {
    use super::*;

    /// # Safety
    /// `p` is a live file of this crate.
    unsafe fn file_of<'a>(p: *mut sys::drm_os_file) -> &'a FileInner {
        // SAFETY: the caller's promise.
        unsafe { &*p.cast::<FileInner>().cast_const() }
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_file_create(
        os: *mut sys::drm_os,
        ops: *const sys::drm_os_file_ops,
        priv_: *mut c_void,
        filep: *mut *mut sys::drm_os_file,
    ) -> c_int {
        let w = Inner::of(os);
        errno(w.gate().map(|()| {
            let f = FileInner::new(w, &*ops, priv_, None);
            filep.write(Arc::into_raw(f).cast_mut().cast());
        }))
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_file_install(
        caller: *mut sys::drm_os_caller,
        file: *mut sys::drm_os_file,
        flags: u32,
        fdp: *mut i32,
    ) -> c_int {
        witness::may_sleep("drm_os_file_install");
        let c = CallerInner::of(caller);
        if let Err(e) = c.w.gate() {
            return e as c_int;
        }
        let raw = file.cast::<FileInner>().cast_const();
        (*raw)
            .writable
            .store(flags & sys::DRM_OS_FD_WRITE != 0, Relaxed);
        // The process gets its own reference, so that after a failure the caller still owns the
        // file.
        Arc::increment_strong_count(raw);
        match c.process.install(
            File {
                inner: Arc::from_raw(raw),
            },
            flags & sys::DRM_OS_FD_CLOEXEC != 0,
        ) {
            Ok(fd) => {
                c.add_installed(fd);
                fdp.write(fd);
                Arc::decrement_strong_count(raw);
                0
            }
            Err(e) => e,
        }
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_file_discard(file: *mut sys::drm_os_file) {
        drop(Arc::from_raw(file.cast::<FileInner>().cast_const()));
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_file_wake(file: *mut sys::drm_os_file) {
        let wakers = lk(&file_of(file).wakers).clone();
        for f in wakers {
            f();
        }
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_file_get(
        caller: *mut sys::drm_os_caller,
        fd: i32,
        ops: *const sys::drm_os_file_ops,
        privp: *mut *mut c_void,
        filep: *mut *mut sys::drm_os_file,
    ) -> c_int {
        witness::may_sleep("drm_os_file_get");
        match CallerInner::of(caller).process.file(fd) {
            Ok(f) if std::ptr::eq(f.inner.ops, ops) => {
                privp.write(f.inner.private());
                filep.write(Arc::into_raw(f.inner).cast_mut().cast());
                0
            }
            Ok(_) => sys::DRM_OS_EINVAL as c_int,
            Err(e) => e,
        }
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_file_put(file: *mut sys::drm_os_file) {
        drop(Arc::from_raw(file.cast::<FileInner>().cast_const()));
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_minor_register(
        dev: *mut sys::drm_os_dev,
        type_: u32,
        open: sys::drm_os_open_fn,
        arg: *mut c_void,
        ops: *const sys::drm_os_file_ops,
        minorp: *mut *mut sys::drm_os_minor,
    ) -> c_int {
        witness::may_sleep("drm_os_minor_register");
        let d = Dev::of(dev);
        let Some(open) = open else {
            fatal("a device node without open")
        };
        if let Err(e) = d.w.gate() {
            return e as c_int;
        }
        let gate = Gate::default();
        gate.open();
        let m = Arc::new(Minor {
            dev: d.arc(),
            kind: type_,
            open,
            arg: arg as usize,
            ops: &*ops,
            gate,
        });
        {
            let mut minors = lk(&d.minors);
            if minors.iter().any(|x| x.kind == type_) {
                return sys::DRM_OS_EEXIST as c_int;
            }
            minors.push(m.clone());
        }
        d.w.counts.add(Kind::Minors, 1);
        minorp.write(Arc::into_raw(m).cast_mut().cast());
        0
    }

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_minor_unregister(minor: *mut sys::drm_os_minor) {
        witness::may_sleep("drm_os_minor_unregister");
        let m = Arc::from_raw(minor.cast::<Minor>().cast_const());
        m.unregister();
        m.dev.w.counts.sub(Kind::Minors, 1);
    }
}
