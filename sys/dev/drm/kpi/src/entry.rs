// SPDX-License-Identifier: BSD-2-Clause
//! The entry points for C: functions that convert C's pointers to references and results to errno.
//! One of the three places where unsafe code is allowed.
//!
//! The private pointer of a device that C keeps is an `Arc` made by `into_raw`; C returns it once,
//! to `detach`. Files and nodes are in `os`.
// UNSAFETY: entered from C.
#![expect(unsafe_code, reason = "entered from C")]

use crate::alloc::Arc;
use crate::drm::device::Device;
use crate::drm::driver::{Driver, Statistic};
use crate::drm::file::File;
use crate::ioctls::Files;
use crate::os::{argument, bindings as c, Dev, Node, NodeKind};
use crate::util::errno::{ENOENT, ENXIO};
use core::ffi::{c_char, c_int, c_void};

/// Stores a statistic.
///
/// # Safety
///
/// Both pointers are writable.
unsafe fn store_stat(
    stat: Option<Statistic>,
    namep: *mut *const c_char,
    valuep: *mut u64,
) -> c_int {
    let Some((name, value)) = stat else {
        return ENOENT.get();
    };
    // SAFETY: as the caller promises; the name is static.
    unsafe { namep.write(name.as_ptr()) };
    // SAFETY: as the caller promises.
    unsafe { valuep.write(value) };
    0
}

/// The table of a driver's functions, for C.
pub struct DriverTable(c::drm_os_driver);

// SAFETY: the table holds only pointers to functions and static strings.
unsafe impl Sync for DriverTable {}

/// The strings of a device tree's compatible property that a driver supports, for C: a static array
/// of pointers that ends with null.
pub struct Compatible<const N: usize>([*const c_char; N]);

// SAFETY: pointers to static strings.
unsafe impl<const N: usize> Sync for Compatible<N> {}

impl<const N: usize> Compatible<N> {
    /// An array of `names`, the last of which is null (`core::ptr::null()`).
    pub const fn new(names: [*const c_char; N]) -> Self {
        Compatible(names)
    }
}

impl DriverTable {
    /// The table of driver `D` for devices that are `compatible` with one of the strings.
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

    /// The table, which the system keeps.
    pub fn as_ptr(&'static self) -> *const c_void {
        core::ptr::from_ref(&self.0).cast()
    }
}

/// The device that a node joins, if there is one: the nodes of a device have it as their softc.
fn first_node<D: Driver>(dev: Dev) -> Option<Arc<Device<D>>> {
    if !D::JOINS {
        return None;
    }
    let mut index = 0;
    loop {
        // SAFETY: `attach` of this driver stored a peer's softc, and no detach runs during an
        // attach.
        let device = unsafe { Arc::<Device<D>>::borrow_raw(dev.peer(index)) }?;
        if !device.is_gone() {
            // SAFETY: `borrow_raw` returned the value of an Arc.
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
        None => Device::<D>::attach(dev, |device| {
            let node = |kind| Node::register::<Files<D>>(dev, kind, device.clone());
            Ok([node(NodeKind::Primary)?, node(NodeKind::Render)?])
        }),
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
    // SAFETY: C returns it with the successful detach.
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
        n => D::stat(d.data(), n.checked_sub(3)?),
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
        n => D::file_stat(f, n.checked_sub(3)?),
    });
    // SAFETY: C passes pointers to variables of its own.
    unsafe { store_stat(stat, namep, valuep) }
}

unsafe extern "C" fn dump<D: Driver>(
    softc: *mut c_void,
    off: u64,
    buf: *mut c_void,
    len: usize,
) -> usize {
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
