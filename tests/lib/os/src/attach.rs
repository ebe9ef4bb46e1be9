// SPDX-License-Identifier: BSD-2-Clause
//! The driver of a device: attach, detach, and the calls to it while it is attached.

use crate::device::{Dev, Device};
use crate::gate::Gate;
use crate::sys;
use crate::util::{cstr, fatal, lk};
use crate::world::no_lock_held;
use std::ffi::{c_char, c_int, c_void};
use std::sync::Mutex;

/// Maximum number of statistics of a driver; more means that it never returns ENOENT.
const MAX_STATS: u32 = 1024;
/// Bytes of a dump read in one call, and the maximum size of a dump.
const DUMP_CHUNK: usize = 65_536;
const MAX_DUMP: usize = 1 << 30;

#[derive(Clone, Copy)]
struct Attached {
    driver: &'static sys::drm_os_driver,
    softc: usize,
}

// SAFETY: the table is constant and its strings are too.
unsafe impl Send for Attached {}

#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    Free,
    Attaching(&'static sys::drm_os_driver),
    Attached(Attached),
    Detaching,
}

// SAFETY: as above.
unsafe impl Send for State {}

impl State {
    fn attached(self) -> Option<Attached> {
        match self {
            State::Attached(a) => Some(a),
            _ => None,
        }
    }
}

/// A device's reference to its driver.
#[derive(Default)]
pub(crate) struct Slot {
    state: Mutex<State>,
    /// Counts calls that require an attached driver.
    gate: Gate,
}

impl Dev {
    fn attached(&self) -> Option<Attached> {
        lk(&self.slot.state).attached()
    }

    /// Calls `f` with the softc and the operation that `op` selects, and keeps the driver from
    /// being detached meanwhile.
    fn ask<F: Copy, R>(
        &self,
        op: impl FnOnce(&sys::drm_os_driver) -> Option<F>,
        f: impl FnOnce(F, *mut c_void) -> R,
    ) -> Option<R> {
        let _inside = self.slot.gate.enter(&self.w)?;
        let a = self.attached()?;
        Some(f(op(a.driver)?, a.softc as *mut c_void))
    }

    pub(crate) fn lowmem(&self, pages: u64) -> u64 {
        // SAFETY: softc is from attach of this driver.
        let freed = self.ask(|d| d.lowmem, |f, softc| unsafe { f(softc, pages) });
        no_lock_held(&self.w, "lowmem returned");
        freed.unwrap_or(0)
    }

    pub(crate) fn driver(&self) -> Option<&'static sys::drm_os_driver> {
        self.attached().map(|a| a.driver)
    }

    fn set(&self, s: State) {
        *lk(&self.slot.state) = s;
    }

    /// The softc of the `index`-th other device with the same driver, for the attach of this one.
    fn peer(&self, index: u32) -> *mut c_void {
        let State::Attaching(driver) = *lk(&self.slot.state) else {
            fatal("drm_os_dev_peer of a device that is not being attached");
        };
        let devices = lk(&self.w.devices).clone();
        let peers = devices.iter().filter_map(|d| d.attached());
        let mut same = peers.filter(|a| std::ptr::eq(a.driver, driver));
        same.nth(index as usize).map_or(0, |a| a.softc) as *mut c_void
    }
}

/// Reads statistics until the driver returns ENOENT.
pub(crate) fn collect_stats(
    ask: impl Fn(u32, *mut *const c_char, *mut u64) -> c_int,
) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for i in 0..MAX_STATS {
        let (mut name, mut value) = (std::ptr::null(), 0);
        if ask(i, &mut name, &mut value) != 0 {
            return all;
        }
        // SAFETY: the driver passes literal names.
        all.push((unsafe { cstr(name) }.unwrap_or_default(), value));
    }
    fatal("a driver's statistics do not end")
}

/// Reads the parts of a dump, (offset, room), until one is empty.
fn collect_dump(ask: impl Fn(u64, &mut [u8]) -> usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < MAX_DUMP {
        let mut part = vec![0; DUMP_CHUNK];
        let n = ask(all.len() as u64, &mut part);
        if n == 0 {
            return all;
        }
        if n > part.len() {
            fatal(&format!(
                "dump returned {n} bytes for a buffer of {DUMP_CHUNK}"
            ));
        }
        all.extend(&part[..n]);
    }
    fatal("a dump does not end")
}

type Event = Option<unsafe extern "C" fn(*mut c_void)>;

impl Device {
    /// Attaches a driver; waits while another device of the world is being attached or detached.
    /// `driver` is a constant table. Errors: ENXIO if no `compatible` matches, EBUSY if a driver is
    /// attached, or the error of its attach.
    #[allow(
        clippy::not_unsafe_ptr_arg_deref,
        reason = "a driver table is a constant of the program"
    )]
    pub fn attach(&self, driver: *const sys::drm_os_driver) -> Result<(), i32> {
        // SAFETY: a driver table is a constant of the program.
        let driver: &'static sys::drm_os_driver = unsafe { &*driver };
        let d = &self.dev;
        let _topology = lk(&d.w.topology);
        if d.attached().is_some() {
            return Err(sys::DRM_OS_EBUSY as i32);
        }
        if !self.matches(driver) {
            return Err(sys::DRM_OS_ENXIO as i32);
        }
        let Some(attach) = driver.attach else {
            fatal("a driver without attach")
        };
        let mut softc = std::ptr::null_mut();
        d.set(State::Attaching(driver));
        // SAFETY: the device outlives the driver's use of it: its world keeps it.
        let r = unsafe { attach(d.raw(), &mut softc) };
        no_lock_held(&d.w, "attach returned");
        if r != 0 {
            d.set(State::Free);
            return Err(r);
        }
        d.set(State::Attached(Attached {
            driver,
            softc: softc as usize,
        }));
        d.slot.gate.open();
        Ok(())
    }

    fn matches(&self, driver: &sys::drm_os_driver) -> bool {
        let mut p = driver.compatible;
        if p.is_null() {
            return false;
        }
        loop {
            // SAFETY: the list ends with NULL, which is not passed.
            let Some(c) = (unsafe { cstr(*p) }) else {
                return false;
            };
            if self.dev.node.compatible.contains(&c) {
                return true;
            }
            // SAFETY: as above.
            p = unsafe { p.add(1) };
        }
    }

    /// Detaches the driver; waits while another device of the world is being attached or detached.
    /// Errors: ENXIO if no driver is attached, or the error of its detach.
    pub fn detach(&self, force: bool) -> Result<(), i32> {
        let d = &self.dev;
        let _topology = lk(&d.w.topology);
        let a = d.attached().ok_or(sys::DRM_OS_ENXIO as i32)?;
        d.set(State::Detaching);
        let Some(detach) = a.driver.detach else {
            fatal("a driver without detach")
        };
        d.slot.gate.close(&d.w, "detach", &d.name);
        // SAFETY: softc is from attach of this driver.
        let r = unsafe { detach(a.softc as *mut c_void, c_int::from(force)) };
        no_lock_held(&d.w, "detach returned");
        if r != 0 {
            d.set(State::Attached(a));
            d.slot.gate.open();
            return Err(r);
        }
        d.set(State::Free);
        Ok(())
    }

    /// Suspends the device; no effect without a driver.
    pub fn suspend(&self) {
        self.power_event(|d| d.suspend, "suspend returned");
    }

    /// Resumes the device.
    pub fn resume(&self) {
        self.power_event(|d| d.resume, "resume returned");
    }

    /// Runs the driver's shutdown method.
    pub fn shutdown(&self) {
        self.power_event(|d| d.shutdown, "shutdown returned");
    }

    fn power_event(&self, op: impl FnOnce(&sys::drm_os_driver) -> Event, what: &'static str) {
        // SAFETY: softc is from attach of this driver.
        self.dev.ask(op, |f, softc| unsafe { f(softc) });
        no_lock_held(&self.dev.w, what);
    }

    /// The statistics of the device; empty without a driver.
    pub fn stats(&self) -> Vec<(String, u64)> {
        let all = self.dev.ask(
            |d| d.stat,
            // SAFETY: softc is from attach of this driver.
            |f, softc| collect_stats(|i, name, value| unsafe { f(softc, i, name, value) }),
        );
        all.unwrap_or_default()
    }

    /// Whether the driver has one instance for both devices: they are nodes of one device.
    pub fn same_instance(&self, other: &Device) -> bool {
        let softc = |d: &Device| {
            d.dev
                .attached()
                .map(|a| (std::ptr::from_ref(a.driver), a.softc))
        };
        softc(self).is_some_and(|s| softc(other) == Some(s))
    }

    /// The crash dump that the driver keeps; empty without one.
    pub fn dump(&self) -> Vec<u8> {
        let all = self.dev.ask(
            |d| d.dump,
            |f, softc| {
                collect_dump(|off, part| {
                    // SAFETY: softc is from attach of this driver; the buffer is ours.
                    let n = unsafe { f(softc, off, part.as_mut_ptr().cast(), part.len()) };
                    no_lock_held(&self.dev.w, "dump returned");
                    n
                })
            },
        );
        all.unwrap_or_default()
    }

    /// Discards the driver's dump, so that the next one can be kept.
    pub fn clear_dump(&self) {
        // SAFETY: softc is from attach of this driver.
        self.dev
            .ask(|d| d.dump_clear, |f, softc| unsafe { f(softc) });
        no_lock_held(&self.dev.w, "dump_clear returned");
    }
}

pub(crate) mod exports {
    use super::*;

    #[no_mangle]
    pub unsafe extern "C" fn drm_os_dev_peer(dev: *mut sys::drm_os_dev, index: u32) -> *mut c_void {
        Dev::of(dev).peer(index)
    }
}
