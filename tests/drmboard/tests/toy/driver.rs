// SPDX-License-Identifier: BSD-2-Clause
//! A driver for nothing: it adds numbers, sleeps, and makes buffers and files; all through
//! drm_os.h.
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "a driver as C would write it, against the contracts of drm_os.h"
)]

use super::abi;
use drm_os_host::{sys, Dma, Hardware};
use std::any::Any;
use std::cell::UnsafeCell;
use std::ffi::{c_char, c_int, c_void, CStr};
use std::ptr::null_mut;
use std::slice::from_raw_parts_mut;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Adds one to the word whose physical address is stored in its first two registers.
#[derive(Default)]
pub struct Adder {
    pa: [u32; 2],
}

/// A write here is what it does.
const GO: u32 = 8;

impl Hardware for Adder {
    fn mmio_read(&mut self, _: &mut dyn Dma, _: u64, _: u32) -> u32 {
        0
    }
    fn mmio_write(&mut self, bus: &mut dyn Dma, _: u64, off: u32, val: u32) {
        if off != GO {
            self.pa[off as usize / 4] = val;
            return;
        }
        let pa = u64::from(self.pa[1]) << 32 | u64::from(self.pa[0]);
        let mut word = [0; 8];
        bus.read(pa, &mut word).expect("memory is there");
        let sum = u64::from_ne_bytes(word) + 1;
        bus.write(pa, &sum.to_ne_bytes()).expect("memory is there");
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

struct Node {
    softc: &'static Softc,
    objects: std::sync::Mutex<Vec<(*mut sys::drm_os_object, u64)>>,
    adds: AtomicU64,
}

struct Buffer {
    object: *mut sys::drm_os_object,
    size: u64,
}

struct Event {
    softc: &'static Softc,
    signalled: AtomicBool,
}

unsafe extern "C" fn node_release(private: *mut c_void) {
    let node = unsafe { Box::from_raw(private.cast::<Node>()) };
    for (object, _) in node.objects.lock().unwrap().drain(..) {
        unsafe { sys::drm_os_object_unref(object) };
    }
}

fn result(error: u32) -> Result<(), c_int> {
    if error == 0 {
        Ok(())
    } else {
        Err(error as c_int)
    }
}

impl Node {
    unsafe fn call(
        &self,
        caller: *mut sys::drm_os_caller,
        nr: u32,
        data: &mut [u64],
    ) -> Result<(), c_int> {
        let einval = sys::DRM_OS_EINVAL as c_int;
        let softc = self.softc;
        let c = |r: c_int| result(r as u32);
        match (nr, data) {
            (n, [a, b, sum]) if n == abi::ADD & 0xff => {
                self.adds.fetch_add(1, Ordering::Relaxed);
                softc.adds.fetch_add(1, Ordering::Relaxed);
                *sum = a.wrapping_add(*b);
                Ok(())
            }
            (n, []) if n == abi::BLOCK & 0xff => unsafe {
                sys::drm_os_mtx_lock(softc.mtx);
                let state = softc.state.get();
                let start = (*state).generation;
                (*state).blocked += 1;
                let mut error = 0;
                while error == 0 && (*state).generation == start {
                    error = sys::drm_os_cv_wait(softc.cv, softc.mtx, caller, u64::MAX);
                }
                (*state).blocked -= 1;
                sys::drm_os_mtx_unlock(softc.mtx);
                c(error)
            },
            (n, []) if n == abi::WAKE & 0xff => {
                softc.locked(|state| state.generation += 1);
                unsafe { sys::drm_os_cv_broadcast(softc.cv) };
                Ok(())
            }
            (n, [size, handle, _]) if n == abi::NEW & 0xff => {
                let mut object = null_mut();
                c(unsafe {
                    sys::drm_os_object_create(softc.dev, *size, sys::DRM_OS_MEM_CACHED, &mut object)
                })?;
                let mut objects = self.objects.lock().unwrap();
                objects.push((object, *size));
                *handle = objects.len() as u64;
                Ok(())
            }
            (n, [handle, cloexec, fd]) if n == abi::EXPORT & 0xff => unsafe {
                let objects = self.objects.lock().unwrap();
                let (object, size) = *objects
                    .get((*handle as usize).wrapping_sub(1))
                    .ok_or(einval)?;
                sys::drm_os_object_ref(object);
                let mut file = null_mut();
                let private = Box::into_raw(Box::new(Buffer { object, size }));
                c(sys::drm_os_file_create(
                    softc.os,
                    &BUFFER_OPS,
                    private.cast(),
                    &mut file,
                ))?;
                let mut number = 0;
                c(sys::drm_os_file_install(
                    caller,
                    file,
                    *cloexec as u32 | sys::DRM_OS_FD_WRITE,
                    &mut number,
                ))?;
                *fd = number as u64;
                Ok(())
            },
            (n, [fd, handle, _]) if n == abi::IMPORT & 0xff => unsafe {
                let (mut private, mut file) = (null_mut(), null_mut());
                c(sys::drm_os_file_get(
                    caller,
                    *fd as i32,
                    &BUFFER_OPS,
                    &mut private,
                    &mut file,
                ))?;
                let buffer = &*private.cast::<Buffer>();
                sys::drm_os_object_ref(buffer.object);
                let mut objects = self.objects.lock().unwrap();
                objects.push((buffer.object, buffer.size));
                *handle = objects.len() as u64;
                sys::drm_os_file_put(file);
                Ok(())
            },
            (n, [fd]) if n == abi::EVENT & 0xff => unsafe {
                let private = Box::into_raw(Box::new(Event {
                    softc,
                    signalled: AtomicBool::new(false),
                }));
                let mut file = null_mut();
                c(sys::drm_os_file_create(
                    softc.os,
                    &EVENT_OPS,
                    private.cast(),
                    &mut file,
                ))?;
                softc.locked(|state| state.events.push((file, private)));
                let mut number = 0;
                c(sys::drm_os_file_install(caller, file, 3, &mut number))?;
                *fd = number as u64;
                Ok(())
            },
            (n, []) if n == abi::SIGNAL & 0xff => {
                softc.locked(|state| {
                    for (file, event) in &state.events {
                        unsafe { (**event).signalled.store(true, Ordering::SeqCst) };
                        unsafe { sys::drm_os_file_wake(*file) };
                    }
                });
                Ok(())
            }
            (n, []) if n == abi::UNSIGNAL & 0xff => {
                softc.locked(|state| {
                    for (_, event) in &state.events {
                        unsafe { (**event).signalled.store(false, Ordering::SeqCst) };
                    }
                });
                Ok(())
            }
            (n, [from, to, len]) if n == abi::COPY & 0xff => {
                let mut bytes = vec![0u8; (*len as usize).min(65536)];
                c(unsafe {
                    sys::drm_os_copyin(caller, *from, bytes.as_mut_ptr().cast(), bytes.len())
                })?;
                c(unsafe { sys::drm_os_copyout(caller, bytes.as_ptr().cast(), *to, bytes.len()) })
            }
            (n, [blocked]) if n == abi::STATE & 0xff => {
                *blocked = softc.locked(|state| state.blocked);
                Ok(())
            }
            (n, [addr, pages, _]) if n == abi::TOUCH & 0xff => unsafe {
                let (mut object, size) = (null_mut(), *pages * 4096);
                c(sys::drm_os_object_create_user(
                    softc.dev,
                    caller,
                    *addr,
                    size,
                    1,
                    &mut object,
                ))?;
                let mut pas = vec![0u64; *pages as usize];
                let wired = c(sys::drm_os_object_wire(object, 0, *pages, pas.as_mut_ptr()));
                sys::drm_os_object_sync(object, 0, size, sys::DRM_OS_SYNC_FOR_DEVICE);
                for pa in pas {
                    sys::drm_os_mmio_write4(softc.mmio, 0, pa as u32);
                    sys::drm_os_mmio_write4(softc.mmio, 4, (pa >> 32) as u32);
                    sys::drm_os_mmio_write4(softc.mmio, GO, 0);
                }
                sys::drm_os_object_sync(object, 0, size, sys::DRM_OS_SYNC_FOR_CPU);
                sys::drm_os_object_unref(object);
                wired
            },
            (n, [error]) if n == abi::FAIL & 0xff => Err(*error as c_int),
            _ => Err(sys::DRM_OS_ENOTTY as c_int),
        }
    }
}

unsafe extern "C" fn node_ioctl(
    private: *mut c_void,
    caller: *mut sys::drm_os_caller,
    group: u32,
    nr: u32,
    data: *mut c_void,
    size: u32,
) -> c_int {
    if group != u32::from(b'd') {
        return sys::DRM_OS_ENOTTY as c_int;
    }
    let data = if size == 0 {
        &mut []
    } else {
        unsafe { from_raw_parts_mut(data.cast(), size as usize / 8) }
    };
    let node = unsafe { &*private.cast::<Node>() };
    unsafe { node.call(caller, nr, data) }.err().unwrap_or(0)
}

unsafe extern "C" fn node_mmap(
    private: *mut c_void,
    offset: u64,
    len: u64,
    objp: *mut *mut sys::drm_os_object,
    object_offset: *mut u64,
) -> c_int {
    let node = unsafe { &*private.cast::<Node>() };
    let objects = node.objects.lock().unwrap();
    let Some((object, size)) = objects.get(((offset >> 32) as usize).wrapping_sub(1)) else {
        return sys::DRM_OS_EINVAL as c_int;
    };
    let at = offset & 0xffff_ffff;
    if at + len > *size {
        return sys::DRM_OS_EINVAL as c_int;
    }
    unsafe {
        sys::drm_os_object_ref(*object);
        *objp = *object;
        *object_offset = at;
    }
    0
}

unsafe extern "C" fn buffer_release(private: *mut c_void) {
    let buffer = unsafe { Box::from_raw(private.cast::<Buffer>()) };
    unsafe { sys::drm_os_object_unref(buffer.object) };
}

unsafe extern "C" fn buffer_size(private: *mut c_void) -> u64 {
    unsafe { (*private.cast::<Buffer>()).size }
}

unsafe extern "C" fn buffer_mmap(
    private: *mut c_void,
    offset: u64,
    len: u64,
    objp: *mut *mut sys::drm_os_object,
    object_offset: *mut u64,
) -> c_int {
    let buffer = unsafe { &*private.cast::<Buffer>() };
    if offset + len > buffer.size {
        return sys::DRM_OS_EINVAL as c_int;
    }
    unsafe {
        sys::drm_os_object_ref(buffer.object);
        *objp = buffer.object;
        *object_offset = offset;
    }
    0
}

unsafe extern "C" fn event_release(private: *mut c_void) {
    let event = unsafe { Box::from_raw(private.cast::<Event>()) };
    event.softc.locked(|state| {
        state
            .events
            .retain(|(_, other)| *other != private.cast_const().cast())
    });
}

unsafe extern "C" fn event_poll(private: *mut c_void) -> c_int {
    unsafe {
        (*private.cast::<Event>())
            .signalled
            .load(Ordering::SeqCst)
            .into()
    }
}

static NODE_OPS: sys::drm_os_file_ops = sys::drm_os_file_ops {
    release: Some(node_release),
    ioctl: Some(node_ioctl),
    mmap: Some(node_mmap),
    poll: None,
    size: None,
};
static BUFFER_OPS: sys::drm_os_file_ops = sys::drm_os_file_ops {
    release: Some(buffer_release),
    ioctl: None,
    mmap: Some(buffer_mmap),
    poll: None,
    size: Some(buffer_size),
};
static EVENT_OPS: sys::drm_os_file_ops = sys::drm_os_file_ops {
    release: Some(event_release),
    ioctl: None,
    mmap: None,
    poll: Some(event_poll),
    size: None,
};

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
