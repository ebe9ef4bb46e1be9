// SPDX-License-Identifier: BSD-2-Clause
//! Open files of the toy device, and exported buffers.

use super::*;

struct Client {
    sc: *mut Softc,
    obj: *mut drm_os_object,
    last: *mut sys::drm_os_file,
}

pub(super) unsafe extern "C" fn open(
    arg: *mut c_void,
    _caller: *mut drm_os_caller,
    privp: *mut *mut c_void,
) -> c_int {
    let sc = arg.cast::<Softc>();
    let dev = (*sc).dev as *mut drm_os_dev;
    let os = sys::drm_os_dev_os(dev);
    let c = sys::drm_os_malloc(
        os,
        size_of::<Client>(),
        sys::DRM_OS_WAITOK | sys::DRM_OS_ZERO,
    )
    .cast::<Client>();
    if c.is_null() {
        return sys::DRM_OS_ENOMEM as c_int;
    }
    let mut obj = null_mut();
    let r = sys::drm_os_object_create(
        dev,
        BUF_PAGES * 4096,
        sys::DRM_OS_MEM_WRITE_COMBINE,
        &mut obj,
    );
    if r != 0 {
        sys::drm_os_free(c.cast(), size_of::<Client>());
        return r;
    }
    c.write(Client {
        sc,
        obj,
        last: null_mut(),
    });
    lock(sc);
    (*sc).files += 1;
    unlock(sc);
    *privp = c.cast();
    0
}

unsafe extern "C" fn release(p: *mut c_void) {
    let c = p.cast::<Client>();
    let sc = (*c).sc;
    sys::drm_os_object_unref((*c).obj);
    lock(sc);
    (*sc).files -= 1;
    unlock(sc);
    sys::drm_os_free(p, size_of::<Client>());
}

unsafe fn export(c: *mut Client, caller: *mut drm_os_caller, data: *mut u64) -> Result<(), i32> {
    let os = sys::drm_os_dev_os((*(*c).sc).dev as *mut _);
    let (mut file, mut fd) = (null_mut(), -1);
    sys::drm_os_object_ref((*c).obj);
    let r = sys::drm_os_file_create(os, &EXPORT_OPS, (*c).obj.cast(), &mut file);
    if r != 0 {
        sys::drm_os_object_unref((*c).obj);
        return Err(r);
    }
    let r = sys::drm_os_file_install(caller, file, 3, &mut fd);
    if r != 0 {
        sys::drm_os_file_discard(file);
        return Err(r);
    }
    (*c).last = file;
    *data = fd as u64;
    Ok(())
}

unsafe fn import(caller: *mut drm_os_caller, data: *mut u64) -> Result<(), i32> {
    let (mut private, mut file) = (null_mut(), null_mut());
    give!(sys::drm_os_file_get(
        caller,
        *data as i32,
        &EXPORT_OPS,
        &mut private,
        &mut file
    ));
    *data = sys::drm_os_object_resident(private.cast());
    sys::drm_os_file_put(file);
    Ok(())
}

unsafe fn bump(caller: *mut drm_os_caller, uaddr: u64) -> Result<(), i32> {
    let mut v = 0u32;
    give!(sys::drm_os_copyin(
        caller,
        uaddr,
        std::ptr::from_mut(&mut v).cast(),
        4
    ));
    v += 1;
    give!(sys::drm_os_copyout(
        caller,
        std::ptr::from_ref(&v).cast(),
        uaddr,
        4
    ));
    Ok(())
}

unsafe extern "C" fn ioctl(
    p: *mut c_void,
    caller: *mut drm_os_caller,
    group: u32,
    nr: u32,
    data: *mut c_void,
    size: u32,
) -> c_int {
    let (c, data) = (p.cast::<Client>(), data.cast::<u64>());
    if group != GROUP || size != 8 {
        return sys::DRM_OS_EINVAL as c_int;
    }
    code(match nr {
        NR_EXPORT => export(c, caller, data),
        NR_IMPORT => import(caller, data),
        NR_BUMP => bump(caller, *data),
        NR_PURGE => match sys::drm_os_object_purge((*c).obj) {
            0 => Ok(()),
            e => Err(e),
        },
        NR_WAKE => {
            sys::drm_os_file_wake((*c).last);
            Ok(())
        }
        NR_FAIL => {
            *data = u64::MAX;
            Err(sys::DRM_OS_EBUSY as i32)
        }
        _ => Err(sys::DRM_OS_ENOTTY as i32),
    })
}

unsafe extern "C" fn mmap(
    p: *mut c_void,
    offset: u64,
    len: u64,
    objp: *mut *mut drm_os_object,
    obj_offset: *mut u64,
) -> c_int {
    let obj = (*p.cast::<Client>()).obj;
    if offset + len > BUF_PAGES * 4096 {
        return sys::DRM_OS_EINVAL as c_int;
    }
    sys::drm_os_object_ref(obj);
    *objp = obj;
    *obj_offset = offset;
    0
}

pub(super) static FILE_OPS: drm_os_file_ops = drm_os_file_ops {
    release: Some(release),
    ioctl: Some(ioctl),
    mmap: Some(mmap),
    poll: None,
    size: None,
};

unsafe extern "C" fn export_release(p: *mut c_void) {
    sys::drm_os_object_unref(p.cast());
}

unsafe extern "C" fn export_poll(p: *mut c_void) -> c_int {
    c_int::from(sys::drm_os_object_resident(p.cast()) != 0)
}

unsafe extern "C" fn export_size(_p: *mut c_void) -> u64 {
    BUF_PAGES * 4096
}

static EXPORT_OPS: drm_os_file_ops = drm_os_file_ops {
    release: Some(export_release),
    ioctl: None,
    mmap: None,
    poll: Some(export_poll),
    size: Some(export_size),
};

pub(super) unsafe extern "C" fn file_stat(
    p: *mut c_void,
    index: u32,
    name: *mut *const c_char,
    value: *mut u64,
) -> c_int {
    if index > 1 {
        return sys::DRM_OS_ENOENT as c_int;
    }
    *name = [c"resident", c"copy-register"][index as usize].as_ptr();
    *value = [
        sys::drm_os_object_resident((*p.cast::<Client>()).obj),
        u64::from(COPY),
    ][index as usize];
    0
}
