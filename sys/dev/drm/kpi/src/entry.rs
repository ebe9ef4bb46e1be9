// SPDX-License-Identifier: BSD-2-Clause
//! Where C calls us: tables of functions that turn C's pointers into values and results into errno.
//! One of the three places where unsafe code is allowed.
//!
//! Every private pointer that C keeps is an `Arc` made by `into_raw`; C gives it back once, to `release`
//! (files) or to detach (devices).
// UNSAFETY: entered from C.
#![expect(unsafe_code, reason = "entered from C")]

use crate::alloc::Arc;
use crate::drm::device::Device;
use crate::drm::driver::{Call, Driver, Statistic};
use crate::drm::file::{File, Minor};
use crate::drm::ioctl;
use crate::os::{bindings as c, Caller, Dev, FileOps, UserMapping};
use crate::util::errno::{Errno, Result, EINVAL, ENODEV, ENOENT, ENOTTY, ENXIO};
use crate::util::int_conv::usize_of_u32;
use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;

/// The bytes of an ioctl's argument.
///
/// # Safety
///
/// `data` is `size` writable bytes, or anything when `size` is 0, for `'a`.
unsafe fn argument<'a>(data: *mut c_void, size: u32) -> &'a mut [u8] {
    if size == 0 || data.is_null() {
        return &mut [];
    }
    // SAFETY: as the caller promises.
    unsafe { core::slice::from_raw_parts_mut(data.cast(), usize_of_u32(size)) }
}

/// Stores where an mmap goes.
///
/// # Safety
///
/// Both pointers are writable.
unsafe fn store_mapping(
    mapping: Result<UserMapping>,
    objp: *mut *mut c::drm_os_object,
    offsetp: *mut u64,
) -> c_int {
    match mapping {
        Ok(mapping) => {
            let (object, offset) = mapping.into_raw();
            // SAFETY: as the caller promises.
            unsafe { objp.write(object) };
            // SAFETY: as the caller promises.
            unsafe { offsetp.write(offset) };
            0
        }
        Err(e) => e.get(),
    }
}

/// Stores a statistic.
///
/// # Safety
///
/// Both pointers are writable.
unsafe fn store_stat(stat: Option<Statistic>, namep: *mut *const c_char, valuep: *mut u64) -> c_int {
    let Some((name, value)) = stat else {
        return ENOENT.get();
    };
    // SAFETY: as the caller promises; the name is static.
    unsafe { namep.write(name.as_ptr()) };
    // SAFETY: as the caller promises.
    unsafe { valuep.write(value) };
    0
}

// Files of our own: dma-bufs, sync_files, syncobjs.

/// What stands behind a descriptor that is no device node.
pub(crate) trait PlainFile: Send + Sync + Sized + 'static {
    /// What lseek(2) to the end answers.
    fn size(&self) -> u64 {
        0
    }
    /// Whether poll(2) says readable.
    fn readable(&self) -> bool {
        true
    }
    /// What an mmap(2) means.
    fn mmap(&self, _offset: u64, _len: u64) -> Result<UserMapping> {
        Err(ENODEV)
    }
    /// Does ioctl `nr` of `group`.
    fn ioctl(&self, _caller: &Caller<'_>, _group: u32, _nr: u32, _data: &mut [u8]) -> Result<()> {
        Err(ENOTTY)
    }
}

impl<T: PlainFile> FileOps for T {
    const OPS: &'static c::drm_os_file_ops = &c::drm_os_file_ops {
        release: Some(plain_release::<T>),
        ioctl: Some(plain_ioctl::<T>),
        mmap: Some(plain_mmap::<T>),
        poll: Some(plain_poll::<T>),
        size: Some(plain_size::<T>),
    };
}

unsafe extern "C" fn plain_release<T>(content: *mut c_void) {
    // SAFETY: C gives back, once, what `NewFile::new` made.
    drop(unsafe { Arc::<T>::from_raw(content) });
}

unsafe extern "C" fn plain_ioctl<T: PlainFile>(
    content: *mut c_void,
    caller: *mut c::drm_os_caller,
    group: u32,
    nr: u32,
    data: *mut c_void,
    size: u32,
) -> c_int {
    // SAFETY: C holds the file during the call.
    let Some(content) = (unsafe { Arc::<T>::borrow_raw(content) }) else {
        return EINVAL.get();
    };
    // SAFETY: C passes `size` bytes of its own, for this call.
    let data = unsafe { argument(data, size) };
    // SAFETY: the caller of this very call.
    let caller = unsafe { Caller::from_raw(caller) };
    Errno::code(content.ioctl(&caller, group, nr, data))
}

unsafe extern "C" fn plain_mmap<T: PlainFile>(
    content: *mut c_void,
    offset: u64,
    len: u64,
    objp: *mut *mut c::drm_os_object,
    offsetp: *mut u64,
) -> c_int {
    // SAFETY: C holds the file during the call.
    let Some(content) = (unsafe { Arc::<T>::borrow_raw(content) }) else {
        return EINVAL.get();
    };
    // SAFETY: C passes pointers to variables of its own.
    unsafe { store_mapping(content.mmap(offset, len), objp, offsetp) }
}

unsafe extern "C" fn plain_poll<T: PlainFile>(content: *mut c_void) -> c_int {
    // SAFETY: C holds the file during the call.
    let content = unsafe { Arc::<T>::borrow_raw(content) };
    c_int::from(content.is_none_or(T::readable))
}

unsafe extern "C" fn plain_size<T: PlainFile>(content: *mut c_void) -> u64 {
    // SAFETY: C holds the file during the call.
    let content = unsafe { Arc::<T>::borrow_raw(content) };
    content.map_or(0, T::size)
}

// Device nodes.

/// Which node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NodeKind {
    /// /dev/dri/cardN.
    Primary,
    /// /dev/dri/renderDN.
    Render,
}

/// A registered node of a device; dropping it makes further opens fail.
///
/// # Invariants
///
/// `raw` is registered with `device`, an `Arc<Device<D>>` in raw form that is taken back in drop.
pub(crate) struct Node<D: Driver> {
    raw: *mut c::drm_os_minor,
    device: *mut c_void,
    _driver: core::marker::PhantomData<Arc<Device<D>>>,
}

// SAFETY: the C side locks for itself.
unsafe impl<D: Driver> Send for Node<D> {}
// SAFETY: as above.
unsafe impl<D: Driver> Sync for Node<D> {}

struct NodeOps<D: Driver>(core::marker::PhantomData<D>);

impl<D: Driver> NodeOps<D> {
    const OPS: &'static c::drm_os_file_ops = &c::drm_os_file_ops {
        release: Some(node_release::<D>),
        ioctl: Some(node_ioctl::<D>),
        mmap: Some(node_mmap::<D>),
        poll: None,
        size: None,
    };
}

impl<D: Driver> Node<D> {
    pub(crate) fn register(dev: Dev, kind: NodeKind, device: Arc<Device<D>>) -> Result<Self> {
        let (minor, open): (u32, c::drm_os_open_fn) = match kind {
            NodeKind::Primary => (c::DRM_OS_MINOR_PRIMARY, Some(open_primary::<D>)),
            NodeKind::Render => (c::DRM_OS_MINOR_RENDER, Some(open_render::<D>)),
        };
        let device = device.into_raw();
        let mut raw = null_mut();
        // SAFETY: the device node is live, the table static, `device` lives until the node is dropped.
        let made = Errno::check(unsafe {
            c::drm_os_minor_register(dev.as_ptr(), minor, open, device, NodeOps::<D>::OPS, &raw mut raw)
        });
        if let Err(e) = made {
            // SAFETY: made by `into_raw` above; C did not take it.
            drop(unsafe { Arc::<Device<D>>::from_raw(device) });
            return Err(e);
        }
        // INVARIANT: just registered.
        Ok(Node {
            raw,
            device,
            _driver: core::marker::PhantomData,
        })
    }
}

impl<D: Driver> Drop for Node<D> {
    fn drop(&mut self) {
        // SAFETY: registered; after this C opens no more.
        unsafe { c::drm_os_minor_unregister(self.raw) };
        // SAFETY: made by `into_raw` in `register`, taken back once.
        drop(unsafe { Arc::<Device<D>>::from_raw(self.device) });
    }
}

unsafe fn open<D: Driver>(
    device: *mut c_void,
    minor: Minor,
    caller: *mut c::drm_os_caller,
    filep: *mut *mut c_void,
) -> c_int {
    // SAFETY: the node keeps the device while C can call open.
    let Some(device) = (unsafe { Arc::<Device<D>>::borrow_raw(device) }) else {
        return ENXIO.get();
    };
    // SAFETY: `borrow_raw` gave the content of an Arc.
    let device = unsafe { Arc::from_ref(device) };
    // SAFETY: the caller of this very call.
    let caller = unsafe { Caller::from_raw(caller) };
    match device.check().and_then(|()| File::open(device, minor, &caller)) {
        Ok(file) => {
            // SAFETY: C passes a pointer to a variable of its own.
            unsafe { filep.write(file.into_raw()) };
            0
        }
        Err(e) => e.get(),
    }
}

unsafe extern "C" fn open_primary<D: Driver>(
    device: *mut c_void,
    caller: *mut c::drm_os_caller,
    filep: *mut *mut c_void,
) -> c_int {
    // SAFETY: C's promises are passed on.
    unsafe { open::<D>(device, Minor::Primary, caller, filep) }
}

unsafe extern "C" fn open_render<D: Driver>(
    device: *mut c_void,
    caller: *mut c::drm_os_caller,
    filep: *mut *mut c_void,
) -> c_int {
    // SAFETY: C's promises are passed on.
    unsafe { open::<D>(device, Minor::Render, caller, filep) }
}

unsafe extern "C" fn node_release<D: Driver>(file: *mut c_void) {
    // SAFETY: C gives back, once, what `open` stored.
    if let Some(file) = unsafe { Arc::<File<D>>::from_raw(file) } {
        file.close();
    }
}

unsafe extern "C" fn node_ioctl<D: Driver>(
    file: *mut c_void,
    caller: *mut c::drm_os_caller,
    group: u32,
    nr: u32,
    data: *mut c_void,
    size: u32,
) -> c_int {
    // SAFETY: C holds the file during the call.
    let Some(file) = (unsafe { Arc::<File<D>>::borrow_raw(file) }) else {
        return EINVAL.get();
    };
    // SAFETY: C passes `size` bytes of its own, for this call.
    let data = unsafe { argument(data, size) };
    // SAFETY: the caller of this very call.
    let caller = unsafe { Caller::from_raw(caller) };
    file.count_ioctl();
    let call = Call {
        file,
        caller: &caller,
    };
    Errno::code(ioctl::dispatch(&call, group, nr, data))
}

unsafe extern "C" fn node_mmap<D: Driver>(
    file: *mut c_void,
    offset: u64,
    len: u64,
    objp: *mut *mut c::drm_os_object,
    offsetp: *mut u64,
) -> c_int {
    // SAFETY: C holds the file during the call.
    let Some(file) = (unsafe { Arc::<File<D>>::borrow_raw(file) }) else {
        return EINVAL.get();
    };
    let mapping = file.device().check().and_then(|()| file.mmap(offset, len));
    // SAFETY: C passes pointers to variables of its own.
    unsafe { store_mapping(mapping, objp, offsetp) }
}

// The driver's table.

/// A driver as C sees it.
pub struct DriverTable(c::drm_os_driver);

// SAFETY: the table holds only pointers to functions and static strings.
unsafe impl Sync for DriverTable {}

/// The strings of a device tree's compatible property that a driver knows, for C: a static array of
/// pointers that ends with null.
pub struct Compatible<const N: usize>([*const c_char; N]);

// SAFETY: pointers to static strings.
unsafe impl<const N: usize> Sync for Compatible<N> {}

impl<const N: usize> Compatible<N> {
    /// `names`, the last of which is null (`core::ptr::null()`).
    pub const fn new(names: [*const c_char; N]) -> Self {
        Compatible(names)
    }
}

impl DriverTable {
    /// The table of driver `D` for devices `compatible` with one of these.
    pub const fn new<D: Driver, const N: usize>(compatible: &'static Compatible<N>) -> Self {
        DriverTable(c::drm_os_driver {
            name: D::INFO.name.as_ptr(),
            compatible: compatible.0.as_ptr(),
            attach: Some(attach::<D>),
            detach: Some(detach::<D>),
            suspend: Some(suspend::<D>),
            resume: Some(resume::<D>),
            shutdown: Some(shutdown::<D>),
            lowmem: Some(lowmem::<D>),
            stat: Some(stat::<D>),
            file_stat: Some(file_stat::<D>),
            dump: Some(dump::<D>),
            dump_clear: Some(dump_clear::<D>),
        })
    }

    /// The table, for the system to keep.
    pub fn as_ptr(&'static self) -> *const c_void {
        core::ptr::from_ref(&self.0).cast()
    }
}

/// The device that a node joins: nodes of one device have the same device as their softc.
fn first_node<D: Driver>(dev: Dev) -> Option<Arc<Device<D>>> {
    if !D::JOINS {
        return None;
    }
    let mut index = 0;
    loop {
        // SAFETY: a peer's softc is what `attach` of this driver stored, and no detach runs during an attach.
        let device = unsafe { Arc::<Device<D>>::borrow_raw(dev.peer(index)) }?;
        if !device.is_gone() {
            // SAFETY: `borrow_raw` gave the content of an Arc.
            return Some(unsafe { Arc::from_ref(device) });
        }
        index = index.checked_add(1)?;
    }
}

unsafe extern "C" fn attach<D: Driver>(dev: *mut c::drm_os_dev, softc: *mut *mut c_void) -> c_int {
    // SAFETY: C keeps the device until detach has returned.
    let dev = unsafe { Dev::from_raw(dev) };
    let attached = match first_node::<D>(dev) {
        Some(device) => device.join(dev).map(|()| device),
        None => Device::<D>::attach(dev),
    };
    match attached {
        Ok(device) => {
            // SAFETY: C passes a pointer to a variable of its own.
            unsafe { softc.write(device.into_raw()) };
            0
        }
        Err(e) => e.get(),
    }
}

unsafe extern "C" fn detach<D: Driver>(softc: *mut c_void, force: c_int) -> c_int {
    // SAFETY: C passes what `attach` stored and still holds.
    let Some(device) = (unsafe { Arc::<Device<D>>::borrow_raw(softc) }) else {
        return ENXIO.get();
    };
    if let Err(e) = device.detach(force != 0) {
        return e.get();
    }
    // SAFETY: C gives it back with the successful detach.
    drop(unsafe { Arc::<Device<D>>::from_raw(softc) });
    0
}

unsafe extern "C" fn suspend<D: Driver>(softc: *mut c_void) {
    // SAFETY: C passes what `attach` stored and still holds.
    if let Some(device) = unsafe { Arc::<Device<D>>::borrow_raw(softc) } {
        device.suspend();
    }
}

unsafe extern "C" fn resume<D: Driver>(softc: *mut c_void) {
    // SAFETY: C passes what `attach` stored and still holds.
    if let Some(device) = unsafe { Arc::<Device<D>>::borrow_raw(softc) } {
        device.resume();
    }
}

unsafe extern "C" fn shutdown<D: Driver>(softc: *mut c_void) {
    // SAFETY: C passes what `attach` stored and still holds.
    if let Some(device) = unsafe { Arc::<Device<D>>::borrow_raw(softc) } {
        device.shutdown();
    }
}

unsafe extern "C" fn lowmem<D: Driver>(softc: *mut c_void, pages: u64) -> u64 {
    // SAFETY: C passes what `attach` stored and still holds.
    let device = unsafe { Arc::<Device<D>>::borrow_raw(softc) };
    device.map_or(0, |d| d.shrink(pages, None))
}

unsafe extern "C" fn stat<D: Driver>(
    softc: *mut c_void,
    index: u32,
    namep: *mut *const c_char,
    valuep: *mut u64,
) -> c_int {
    // SAFETY: C passes what `attach` stored and still holds.
    let device = unsafe { Arc::<Device<D>>::borrow_raw(softc) };
    let stat = device.and_then(|d| match index {
        0 => Some((c"mem", d.memory().used())),
        1 => Some((c"mem_peak", d.memory().peak())),
        2 => Some((c"open_files", u64::from(d.open_files()))),
        n => D::stat(d.data(), n.wrapping_sub(3)),
    });
    // SAFETY: C passes pointers to variables of its own.
    unsafe { store_stat(stat, namep, valuep) }
}

unsafe extern "C" fn file_stat<D: Driver>(
    file: *mut c_void,
    index: u32,
    namep: *mut *const c_char,
    valuep: *mut u64,
) -> c_int {
    // SAFETY: C holds the file during the call.
    let file = unsafe { Arc::<File<D>>::borrow_raw(file) };
    let stat = file.and_then(|f| match index {
        0 => Some((c"ioctls", f.ioctls())),
        1 => Some((c"mem", f.account().used())),
        2 => Some((c"mem_peak", f.account().peak())),
        n => D::file_stat(f, n.wrapping_sub(3)),
    });
    // SAFETY: C passes pointers to variables of its own.
    unsafe { store_stat(stat, namep, valuep) }
}

unsafe extern "C" fn dump<D: Driver>(softc: *mut c_void, off: u64, buf: *mut c_void, len: usize) -> usize {
    // SAFETY: C passes what `attach` stored and still holds.
    let device = unsafe { Arc::<Device<D>>::borrow_raw(softc) };
    let Some(dump) = device.and_then(|d| D::dump(d.data())) else {
        return 0;
    };
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    // SAFETY: C passes `len` bytes of its own, for this call.
    dump.read(off, unsafe { argument(buf, len) })
}

unsafe extern "C" fn dump_clear<D: Driver>(softc: *mut c_void) {
    // SAFETY: C passes what `attach` stored and still holds.
    let device = unsafe { Arc::<Device<D>>::borrow_raw(softc) };
    if let Some(dump) = device.and_then(|d| D::dump(d.data())) {
        dump.clear();
    }
}
