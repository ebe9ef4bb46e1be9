// SPDX-License-Identifier: BSD-2-Clause
//! Device nodes in /dev/dri.

use super::from_c::{argument, store_mapping};
use super::{c, Caller, Dev, UserMapping};
use crate::alloc::Arc;
use crate::util::errno::{Errno, Result, EINVAL, ENXIO};
use core::ffi::{c_int, c_void};
use core::marker::PhantomData;
use core::ptr::null_mut;

/// Kinds of nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeKind {
    /// /dev/dri/cardN.
    Primary,
    /// /dev/dri/renderDN.
    Render,
}

/// The operations of a node's open files. C keeps an `Arc<File>` for each, from `open` to `close`.
pub(crate) trait NodeOps: Sized + 'static {
    /// The device of the node.
    type Device: Send + Sync;
    /// An open file.
    type File: Send + Sync;

    /// Opens a file of the node `kind` for `caller`.
    fn open(
        device: Arc<Self::Device>,
        kind: NodeKind,
        caller: &Caller<'_>,
    ) -> Result<Arc<Self::File>>;
    /// The last close.
    fn close(file: &Self::File);
    /// Handles ioctl `nr` of `group` with the structure in `data`.
    fn ioctl(
        file: &Self::File,
        caller: &Caller<'_>,
        group: u32,
        nr: u32,
        data: &mut [u8],
    ) -> Result<()>;
    /// The memory for an mmap(2) of `len` bytes at `offset`.
    fn mmap(file: &Self::File, offset: u64, len: u64) -> Result<UserMapping>;

    /// The table of these functions for C.
    const TABLE: &'static c::drm_os_file_ops = &c::drm_os_file_ops {
        release: Some(release::<Self>),
        ioctl: Some(ioctl::<Self>),
        mmap: Some(mmap::<Self>),
        poll: None,
        size: None,
    };
}

/// A registered node of a device; dropping it makes further opens fail.
///
/// # Invariants
///
/// `raw` is registered with `device`, a pointer from `Arc::<T>::into_raw`, which drop returns.
pub(crate) struct Node<T> {
    raw: *mut c::drm_os_minor,
    device: *mut c_void,
    _device: PhantomData<Arc<T>>,
}

// SAFETY: the C side locks for itself.
unsafe impl<T: Send + Sync> Send for Node<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Node<T> {}

impl<T: Send + Sync> Node<T> {
    /// Registers a node of `dev` with the operations of `O`.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub(crate) fn register<O: NodeOps<Device = T>>(
        dev: Dev,
        kind: NodeKind,
        device: Arc<T>,
    ) -> Result<Self> {
        let (minor, open): (u32, c::drm_os_open_fn) = match kind {
            NodeKind::Primary => (c::DRM_OS_MINOR_PRIMARY, Some(open_primary::<O>)),
            NodeKind::Render => (c::DRM_OS_MINOR_RENDER, Some(open_render::<O>)),
        };
        let device = device.into_raw();
        let mut raw = null_mut();
        // SAFETY: the device is live, the table static, and `device` lives until the node is
        // dropped.
        let made = Errno::check(unsafe {
            c::drm_os_minor_register(dev.as_ptr(), minor, open, device, O::TABLE, &raw mut raw)
        });
        if let Err(e) = made {
            // SAFETY: made by `into_raw` above; C did not take it.
            drop(unsafe { Arc::<T>::from_raw(device) });
            return Err(e);
        }
        // INVARIANT: just registered.
        Ok(Node {
            raw,
            device,
            _device: PhantomData,
        })
    }
}

impl<T> Drop for Node<T> {
    fn drop(&mut self) {
        // SAFETY: registered; C opens no file afterwards.
        unsafe { c::drm_os_minor_unregister(self.raw) };
        // SAFETY: made by `into_raw` in `register`, taken back once.
        drop(unsafe { Arc::<T>::from_raw(self.device) });
    }
}

/// Opens a file.
///
/// # Safety
///
/// `device` is a registered node's, `caller` the caller of this very call, `filep` writable.
unsafe fn open<O: NodeOps>(
    device: *mut c_void,
    kind: NodeKind,
    caller: *mut c::drm_os_caller,
    filep: *mut *mut c_void,
) -> c_int {
    // SAFETY: the node keeps the device while C can call open.
    let Some(device) = (unsafe { Arc::<O::Device>::borrow_raw(device) }) else {
        return ENXIO.get();
    };
    // SAFETY: `borrow_raw` returned the value of an Arc.
    let device = unsafe { Arc::from_ref(device) };
    // SAFETY: as the caller promises.
    let caller = unsafe { Caller::from_raw(caller) };
    match O::open(device, kind, &caller) {
        Ok(file) => {
            // SAFETY: as the caller promises.
            unsafe { filep.write(file.into_raw()) };
            0
        }
        Err(e) => e.get(),
    }
}

unsafe extern "C" fn open_primary<O: NodeOps>(
    device: *mut c_void,
    caller: *mut c::drm_os_caller,
    filep: *mut *mut c_void,
) -> c_int {
    // SAFETY: as C promises.
    unsafe { open::<O>(device, NodeKind::Primary, caller, filep) }
}

unsafe extern "C" fn open_render<O: NodeOps>(
    device: *mut c_void,
    caller: *mut c::drm_os_caller,
    filep: *mut *mut c_void,
) -> c_int {
    // SAFETY: as C promises.
    unsafe { open::<O>(device, NodeKind::Render, caller, filep) }
}

unsafe extern "C" fn release<O: NodeOps>(file: *mut c_void) {
    // SAFETY: C returns, once, the pointer that `open` stored.
    if let Some(file) = unsafe { Arc::<O::File>::from_raw(file) } {
        O::close(&file);
    }
}

unsafe extern "C" fn ioctl<O: NodeOps>(
    file: *mut c_void,
    caller: *mut c::drm_os_caller,
    group: u32,
    nr: u32,
    data: *mut c_void,
    size: u32,
) -> c_int {
    // SAFETY: C holds the file during the call.
    let Some(file) = (unsafe { Arc::<O::File>::borrow_raw(file) }) else {
        return EINVAL.get();
    };
    // SAFETY: C passes `size` bytes of its own, for this call.
    let data = unsafe { argument(data, size) };
    // SAFETY: the caller of this very call.
    let caller = unsafe { Caller::from_raw(caller) };
    Errno::code(O::ioctl(file, &caller, group, nr, data))
}

unsafe extern "C" fn mmap<O: NodeOps>(
    file: *mut c_void,
    offset: u64,
    len: u64,
    objp: *mut *mut c::drm_os_object,
    offsetp: *mut u64,
) -> c_int {
    // SAFETY: C holds the file during the call.
    let Some(file) = (unsafe { Arc::<O::File>::borrow_raw(file) }) else {
        return EINVAL.get();
    };
    // SAFETY: C passes pointers to variables of its own.
    unsafe { store_mapping(O::mmap(file, offset, len), objp, offsetp) }
}
