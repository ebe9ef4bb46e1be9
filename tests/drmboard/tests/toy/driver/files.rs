// SPDX-License-Identifier: BSD-2-Clause
//! The files of the toy driver: a device node with its requests, an exported buffer, an event.

use super::hardware::GO;
use super::Softc;
use crate::abi;
use drm_os_host::sys;
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::slice::from_raw_parts_mut;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub(super) struct Node {
    pub(super) softc: &'static Softc,
    pub(super) objects: std::sync::Mutex<Vec<(*mut sys::drm_os_object, u64)>>,
    pub(super) adds: AtomicU64,
}

struct Buffer {
    object: *mut sys::drm_os_object,
    size: u64,
}

pub(super) struct Event {
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

pub(super) static NODE_OPS: sys::drm_os_file_ops = sys::drm_os_file_ops {
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
