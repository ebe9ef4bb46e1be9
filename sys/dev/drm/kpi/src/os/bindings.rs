// SPDX-License-Identifier: BSD-2-Clause
// Made from drm_os.h by mk/bindgen.sh; do not edit.
pub const DRM_OS_ERESTART: i32 = -1;
pub const DRM_OS_EPERM: u32 = 1;
pub const DRM_OS_ENOENT: u32 = 2;
pub const DRM_OS_EINTR: u32 = 4;
pub const DRM_OS_EIO: u32 = 5;
pub const DRM_OS_ENXIO: u32 = 6;
pub const DRM_OS_E2BIG: u32 = 7;
pub const DRM_OS_EBADF: u32 = 9;
pub const DRM_OS_ENOMEM: u32 = 12;
pub const DRM_OS_EACCES: u32 = 13;
pub const DRM_OS_EFAULT: u32 = 14;
pub const DRM_OS_EBUSY: u32 = 16;
pub const DRM_OS_EEXIST: u32 = 17;
pub const DRM_OS_ENODEV: u32 = 19;
pub const DRM_OS_EINVAL: u32 = 22;
pub const DRM_OS_EMFILE: u32 = 24;
pub const DRM_OS_ENOTTY: u32 = 25;
pub const DRM_OS_ENOSPC: u32 = 28;
pub const DRM_OS_ESPIPE: u32 = 29;
pub const DRM_OS_ERANGE: u32 = 34;
pub const DRM_OS_EAGAIN: u32 = 35;
pub const DRM_OS_EALREADY: u32 = 37;
pub const DRM_OS_EOPNOTSUPP: u32 = 45;
pub const DRM_OS_ETIMEDOUT: u32 = 60;
pub const DRM_OS_ENOSYS: u32 = 78;
pub const DRM_OS_EOVERFLOW: u32 = 84;
pub const DRM_OS_ECANCELED: u32 = 85;
pub const DRM_OS_ETIME: u32 = 1062;
pub const DRM_OS_PAGE_SIZE: u32 = 4096;
pub const DRM_OS_WAITOK: u32 = 0;
pub const DRM_OS_NOWAIT: u32 = 1;
pub const DRM_OS_ZERO: u32 = 2;
pub const DRM_OS_LOG_ERR: u32 = 3;
pub const DRM_OS_LOG_WARNING: u32 = 4;
pub const DRM_OS_LOG_INFO: u32 = 6;
pub const DRM_OS_QUEUE_URGENT: u32 = 0;
pub const DRM_OS_QUEUE_BACKGROUND: u32 = 1;
pub const DRM_OS_SYNC_FOR_DEVICE: u32 = 0;
pub const DRM_OS_SYNC_FOR_CPU: u32 = 1;
pub const DRM_OS_MEM_CACHED: u32 = 0;
pub const DRM_OS_MEM_WRITE_COMBINE: u32 = 1;
pub const DRM_OS_FD_CLOEXEC: u32 = 1;
pub const DRM_OS_FD_WRITE: u32 = 2;
pub const DRM_OS_MINOR_PRIMARY: u32 = 0;
pub const DRM_OS_MINOR_RENDER: u32 = 2;
pub type __int32_t = core::ffi::c_int;
pub type __uint32_t = core::ffi::c_uint;
pub type __uint64_t = core::ffi::c_ulong;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os_dev {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os_caller {
    _unused: [u8; 0],
}
extern "C" {
    pub fn drm_os_malloc(os: *mut drm_os, size: usize, flags: u32) -> *mut core::ffi::c_void;
}
extern "C" {
    pub fn drm_os_free(p: *mut core::ffi::c_void, size: usize);
}
extern "C" {
    pub fn drm_os_now(os: *mut drm_os) -> u64;
}
extern "C" {
    pub fn drm_os_timer_hz(os: *mut drm_os) -> u64;
}
extern "C" {
    pub fn drm_os_delay(os: *mut drm_os, ns: u64);
}
extern "C" {
    pub fn drm_os_sleep(os: *mut drm_os, ns: u64);
}
extern "C" {
    pub fn drm_os_physmem(os: *mut drm_os) -> u64;
}
extern "C" {
    pub fn drm_os_unique(os: *mut drm_os) -> u64;
}
extern "C" {
    pub fn drm_os_log(
        os: *mut drm_os,
        dev: *mut drm_os_dev,
        level: u32,
        msg: *const core::ffi::c_char,
        len: usize,
    );
}
extern "C" {
    pub fn drm_os_panic(msg: *const core::ffi::c_char, len: usize);
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os_mtx {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os_sx {
    _unused: [u8; 0],
}
extern "C" {
    pub fn drm_os_mtx_create(
        os: *mut drm_os,
        name: *const core::ffi::c_char,
        mtxp: *mut *mut drm_os_mtx,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_mtx_destroy(mtx: *mut drm_os_mtx);
}
extern "C" {
    pub fn drm_os_mtx_lock(mtx: *mut drm_os_mtx);
}
extern "C" {
    pub fn drm_os_mtx_unlock(mtx: *mut drm_os_mtx);
}
extern "C" {
    pub fn drm_os_sx_create(
        os: *mut drm_os,
        name: *const core::ffi::c_char,
        sxp: *mut *mut drm_os_sx,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_sx_destroy(sx: *mut drm_os_sx);
}
extern "C" {
    pub fn drm_os_sx_lock(sx: *mut drm_os_sx);
}
extern "C" {
    pub fn drm_os_sx_try(sx: *mut drm_os_sx) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_sx_unlock(sx: *mut drm_os_sx);
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os_cv {
    _unused: [u8; 0],
}
extern "C" {
    pub fn drm_os_cv_create(
        os: *mut drm_os,
        name: *const core::ffi::c_char,
        cvp: *mut *mut drm_os_cv,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_cv_destroy(cv: *mut drm_os_cv);
}
extern "C" {
    pub fn drm_os_cv_wait(
        cv: *mut drm_os_cv,
        mtx: *mut drm_os_mtx,
        caller: *mut drm_os_caller,
        deadline: u64,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_cv_broadcast(cv: *mut drm_os_cv);
}
extern "C" {
    pub fn drm_os_pool_get(
        os: *mut drm_os,
        key: u64,
        mtxp: *mut *mut drm_os_mtx,
        cvp: *mut *mut drm_os_cv,
    );
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os_taskqueue {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os_task {
    _unused: [u8; 0],
}
pub type drm_os_task_fn = ::core::option::Option<unsafe extern "C" fn(arg: *mut core::ffi::c_void)>;
extern "C" {
    pub fn drm_os_taskqueue_create(
        os: *mut drm_os,
        name: *const core::ffi::c_char,
        urgency: u32,
        tqp: *mut *mut drm_os_taskqueue,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_taskqueue_destroy(tq: *mut drm_os_taskqueue);
}
extern "C" {
    pub fn drm_os_task_create(
        tq: *mut drm_os_taskqueue,
        fn_: drm_os_task_fn,
        arg: *mut core::ffi::c_void,
        taskp: *mut *mut drm_os_task,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_task_destroy(task: *mut drm_os_task);
}
extern "C" {
    pub fn drm_os_task_enqueue(task: *mut drm_os_task);
}
extern "C" {
    pub fn drm_os_task_enqueue_at(task: *mut drm_os_task, when: u64);
}
extern "C" {
    pub fn drm_os_task_cancel(task: *mut drm_os_task);
}
extern "C" {
    pub fn drm_os_task_drain(task: *mut drm_os_task);
}
extern "C" {
    pub fn drm_os_copyin(
        caller: *mut drm_os_caller,
        uaddr: u64,
        kaddr: *mut core::ffi::c_void,
        len: usize,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_copyout(
        caller: *mut drm_os_caller,
        kaddr: *const core::ffi::c_void,
        uaddr: u64,
        len: usize,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_caller_pid(caller: *mut drm_os_caller) -> i32;
}
extern "C" {
    pub fn drm_os_caller_uid(caller: *mut drm_os_caller) -> u32;
}
extern "C" {
    pub fn drm_os_caller_comm(caller: *mut drm_os_caller, buf: *mut core::ffi::c_char, len: usize);
}
extern "C" {
    pub fn drm_os_caller_privileged(caller: *mut drm_os_caller) -> core::ffi::c_int;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os_cred {
    _unused: [u8; 0],
}
extern "C" {
    pub fn drm_os_cred_hold(
        caller: *mut drm_os_caller,
        credp: *mut *mut drm_os_cred,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_cred_free(cred: *mut drm_os_cred);
}
extern "C" {
    pub fn drm_os_cred_charge(cred: *mut drm_os_cred, bytes: u64) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_cred_uncharge(cred: *mut drm_os_cred, bytes: u64);
}
extern "C" {
    pub fn drm_os_caller_interrupted(caller: *mut drm_os_caller) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_dev_os(dev: *mut drm_os_dev) -> *mut drm_os;
}
extern "C" {
    pub fn drm_os_dev_name(dev: *mut drm_os_dev, buf: *mut core::ffi::c_char, len: usize) -> usize;
}
extern "C" {
    pub fn drm_os_dev_peer(dev: *mut drm_os_dev, index: u32) -> *mut core::ffi::c_void;
}
extern "C" {
    pub fn drm_os_dev_coherent(dev: *mut drm_os_dev) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_dev_dma_bits(dev: *mut drm_os_dev, bits: u32, data_bits: u32)
        -> core::ffi::c_int;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os_mmio {
    _unused: [u8; 0],
}
extern "C" {
    pub fn drm_os_mmio_map(
        dev: *mut drm_os_dev,
        name: *const core::ffi::c_char,
        min_len: usize,
        mmiop: *mut *mut drm_os_mmio,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_mmio_unmap(mmio: *mut drm_os_mmio);
}
extern "C" {
    pub fn drm_os_mmio_read4(mmio: *mut drm_os_mmio, off: u32) -> u32;
}
extern "C" {
    pub fn drm_os_mmio_write4(mmio: *mut drm_os_mmio, off: u32, val: u32);
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os_irq {
    _unused: [u8; 0],
}
pub type drm_os_irq_fn = ::core::option::Option<unsafe extern "C" fn(arg: *mut core::ffi::c_void)>;
extern "C" {
    pub fn drm_os_irq_setup(
        dev: *mut drm_os_dev,
        name: *const core::ffi::c_char,
        fn_: drm_os_irq_fn,
        arg: *mut core::ffi::c_void,
        irqp: *mut *mut drm_os_irq,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_irq_teardown(irq: *mut drm_os_irq);
}
extern "C" {
    pub fn drm_os_irq_sync(irq: *mut drm_os_irq);
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os_clk {
    _unused: [u8; 0],
}
extern "C" {
    pub fn drm_os_clk_get(
        dev: *mut drm_os_dev,
        name: *const core::ffi::c_char,
        clkp: *mut *mut drm_os_clk,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_clk_put(clk: *mut drm_os_clk);
}
extern "C" {
    pub fn drm_os_clk_enable(clk: *mut drm_os_clk) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_clk_disable(clk: *mut drm_os_clk) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_clk_rate(clk: *mut drm_os_clk, hz: *mut u64) -> core::ffi::c_int;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os_regulator {
    _unused: [u8; 0],
}
extern "C" {
    pub fn drm_os_regulator_get(
        dev: *mut drm_os_dev,
        name: *const core::ffi::c_char,
        regp: *mut *mut drm_os_regulator,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_regulator_put(reg: *mut drm_os_regulator);
}
extern "C" {
    pub fn drm_os_regulator_enable(reg: *mut drm_os_regulator) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_regulator_disable(reg: *mut drm_os_regulator) -> core::ffi::c_int;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os_reset {
    _unused: [u8; 0],
}
extern "C" {
    pub fn drm_os_reset_get(
        dev: *mut drm_os_dev,
        name: *const core::ffi::c_char,
        resetp: *mut *mut drm_os_reset,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_reset_put(reset: *mut drm_os_reset);
}
extern "C" {
    pub fn drm_os_reset_assert(reset: *mut drm_os_reset) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_reset_deassert(reset: *mut drm_os_reset) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_power_on(dev: *mut drm_os_dev) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_power_off(dev: *mut drm_os_dev) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_page_alloc(dev: *mut drm_os_dev, pa: *mut u64) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_page_free(dev: *mut drm_os_dev, pa: u64);
}
extern "C" {
    pub fn drm_os_page_kva(dev: *mut drm_os_dev, pa: u64) -> *mut core::ffi::c_void;
}
extern "C" {
    pub fn drm_os_run_alloc(dev: *mut drm_os_dev, size: u64, pa: *mut u64) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_run_free(dev: *mut drm_os_dev, pa: u64, size: u64);
}
extern "C" {
    pub fn drm_os_page_sync(dev: *mut drm_os_dev, pa: u64, len: usize, dir: u32);
}
extern "C" {
    pub fn drm_os_run_sync(dev: *mut drm_os_dev, pa: u64, len: usize, dir: u32);
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os_object {
    _unused: [u8; 0],
}
extern "C" {
    pub fn drm_os_object_create(
        dev: *mut drm_os_dev,
        size: u64,
        attr: u32,
        objp: *mut *mut drm_os_object,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_object_create_user(
        dev: *mut drm_os_dev,
        caller: *mut drm_os_caller,
        uaddr: u64,
        size: u64,
        write: core::ffi::c_int,
        objp: *mut *mut drm_os_object,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_object_ref(obj: *mut drm_os_object);
}
extern "C" {
    pub fn drm_os_object_unref(obj: *mut drm_os_object);
}
extern "C" {
    pub fn drm_os_object_wire(
        obj: *mut drm_os_object,
        first: u64,
        count: u64,
        pa: *mut u64,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_object_purge(obj: *mut drm_os_object) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_object_resident(obj: *mut drm_os_object) -> u64;
}
extern "C" {
    pub fn drm_os_object_kmap(
        obj: *mut drm_os_object,
        kva: *mut *mut core::ffi::c_void,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_object_kunmap(obj: *mut drm_os_object);
}
extern "C" {
    pub fn drm_os_object_sync(obj: *mut drm_os_object, off: u64, len: u64, dir: u32);
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os_file {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os_file_ops {
    pub release: ::core::option::Option<unsafe extern "C" fn(priv_: *mut core::ffi::c_void)>,
    pub ioctl: ::core::option::Option<
        unsafe extern "C" fn(
            priv_: *mut core::ffi::c_void,
            caller: *mut drm_os_caller,
            group: u32,
            nr: u32,
            data: *mut core::ffi::c_void,
            size: u32,
        ) -> core::ffi::c_int,
    >,
    pub mmap: ::core::option::Option<
        unsafe extern "C" fn(
            priv_: *mut core::ffi::c_void,
            offset: u64,
            len: u64,
            objp: *mut *mut drm_os_object,
            obj_offset: *mut u64,
        ) -> core::ffi::c_int,
    >,
    pub poll: ::core::option::Option<
        unsafe extern "C" fn(priv_: *mut core::ffi::c_void) -> core::ffi::c_int,
    >,
    pub size: ::core::option::Option<unsafe extern "C" fn(priv_: *mut core::ffi::c_void) -> u64>,
}
extern "C" {
    pub fn drm_os_file_create(
        os: *mut drm_os,
        ops: *const drm_os_file_ops,
        priv_: *mut core::ffi::c_void,
        filep: *mut *mut drm_os_file,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_file_install(
        caller: *mut drm_os_caller,
        file: *mut drm_os_file,
        flags: u32,
        fdp: *mut i32,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_file_discard(file: *mut drm_os_file);
}
extern "C" {
    pub fn drm_os_file_wake(file: *mut drm_os_file);
}
extern "C" {
    pub fn drm_os_file_get(
        caller: *mut drm_os_caller,
        fd: i32,
        ops: *const drm_os_file_ops,
        privp: *mut *mut core::ffi::c_void,
        filep: *mut *mut drm_os_file,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_file_put(file: *mut drm_os_file);
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os_minor {
    _unused: [u8; 0],
}
pub type drm_os_open_fn = ::core::option::Option<
    unsafe extern "C" fn(
        arg: *mut core::ffi::c_void,
        caller: *mut drm_os_caller,
        privp: *mut *mut core::ffi::c_void,
    ) -> core::ffi::c_int,
>;
extern "C" {
    pub fn drm_os_minor_register(
        dev: *mut drm_os_dev,
        type_: u32,
        open: drm_os_open_fn,
        arg: *mut core::ffi::c_void,
        ops: *const drm_os_file_ops,
        minorp: *mut *mut drm_os_minor,
    ) -> core::ffi::c_int;
}
extern "C" {
    pub fn drm_os_minor_unregister(minor: *mut drm_os_minor);
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct drm_os_driver {
    pub name: *const core::ffi::c_char,
    pub compatible: *const *const core::ffi::c_char,
    pub attach: ::core::option::Option<
        unsafe extern "C" fn(
            dev: *mut drm_os_dev,
            softc: *mut *mut core::ffi::c_void,
        ) -> core::ffi::c_int,
    >,
    pub detach: ::core::option::Option<
        unsafe extern "C" fn(
            softc: *mut core::ffi::c_void,
            force: core::ffi::c_int,
        ) -> core::ffi::c_int,
    >,
    pub suspend: ::core::option::Option<unsafe extern "C" fn(softc: *mut core::ffi::c_void)>,
    pub resume: ::core::option::Option<unsafe extern "C" fn(softc: *mut core::ffi::c_void)>,
    pub shutdown: ::core::option::Option<unsafe extern "C" fn(softc: *mut core::ffi::c_void)>,
    pub lowmem: ::core::option::Option<
        unsafe extern "C" fn(softc: *mut core::ffi::c_void, pages: u64) -> u64,
    >,
    pub stat: ::core::option::Option<
        unsafe extern "C" fn(
            softc: *mut core::ffi::c_void,
            index: u32,
            name: *mut *const core::ffi::c_char,
            value: *mut u64,
        ) -> core::ffi::c_int,
    >,
    pub file_stat: ::core::option::Option<
        unsafe extern "C" fn(
            priv_: *mut core::ffi::c_void,
            index: u32,
            name: *mut *const core::ffi::c_char,
            value: *mut u64,
        ) -> core::ffi::c_int,
    >,
    pub dump: ::core::option::Option<
        unsafe extern "C" fn(
            softc: *mut core::ffi::c_void,
            off: u64,
            buf: *mut core::ffi::c_void,
            len: usize,
        ) -> usize,
    >,
    pub dump_clear: ::core::option::Option<unsafe extern "C" fn(softc: *mut core::ffi::c_void)>,
}
extern "C" {
    pub fn drm_os_tunable(os: *mut drm_os, name: *const core::ffi::c_char, value: u64) -> u64;
}
